"""What can go wrong with knowledge. Each message is a sentence that says what to do."""

from __future__ import annotations


class KnowledgeError(Exception):
    """The base of all of them."""


class NoEdition(KnowledgeError):
    """Nothing has been ingested into this home."""


class ServesElsewhere(KnowledgeError):
    """A database says which edition serves, and there is none at hand."""


class NoSuchEdition(KnowledgeError):
    """No edition of this home has that id, or more than one begins like it."""


class StillServes(KnowledgeError):
    """A document is to be erased that the edition which serves still holds."""


class EditionInUse(KnowledgeError):
    """An edition is to be removed that a process has open."""


class DamagedEdition(KnowledgeError):
    """An edition's files are not what its manifest says."""


class NothingToIngest(KnowledgeError):
    """A source is missing or unreadable, or holds no document."""


class BuildFailed(KnowledgeError):
    """An edition could not be written. The one before it still serves, and the message says so."""

    def __str__(self) -> str:
        return f"{super().__str__()} What served before still serves."


class ModelUnavailable(KnowledgeError):
    """The sentence model could not be made or is not what it was."""


class ReaderUnavailable(KnowledgeError):
    """The process that reads files does not start: no file can be read, and none is at fault."""

    def __str__(self) -> str:
        return f"{super().__str__()} What served before still serves."


class Unreadable(KnowledgeError):
    """One file cannot be read; the others can."""


class Closed(Unreadable):
    """What a document says of itself, such as who may read it, cannot be understood: nobody reads it."""


class BadQuestion(KnowledgeError):
    """A question that cannot be answered as it stands."""


class EmptyQuestion(BadQuestion):
    """There is no question."""


class QuestionTooLong(BadQuestion):
    """The question is longer than anybody's question."""


class BadQuestions(KnowledgeError):
    """A question file cannot be used."""


class Unreachable(KnowledgeError):
    """A source cannot be fetched now. What was fetched before is kept."""


class ModelFailed(KnowledgeError):
    """A language model gave no answer. The message says why, and holds nothing of what was asked."""
