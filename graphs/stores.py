"""Which tables there are, and what of a person each of their columns may hold.

Each package declares its own tables; `bot.privacy` joins them, and a test compares them with the database's
catalogue: a table or column that nobody has declared fails it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class Holds(Enum):
    """What a column may hold of a person, and so what an erasure does to it."""

    NOBODY = "nobody"  # ids without meaning, times, states, settings
    NAMES = "names"  # people, by whatever names them: a pseudonym takes their place
    WORDS = "words"  # what a person said or asked for: theirs is emptied, and what names them is changed
    RECORD = "record"  # values beside the record, under the person's own key: the key is deleted


class Fate(Enum):
    """What becomes of the rows that are the person's own."""

    CHANGED = "changed"  # they stay, for what others did, and name a pseudonym
    DELETED = "deleted"
    RECORDED = "recorded"  # `graphs.audit.keeping.erase` deletes them, and says so in the record


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """One table. `theirs` is SQL that is true of a person's own rows, with the values of their traces."""

    name: str
    key: tuple[str, ...]
    columns: Mapping[str, Holds]
    theirs: str = "false"
    fate: Fate = Fate.CHANGED
    kept: frozenset[str] = frozenset()  # names within a JSON value of theirs that say nothing of a person
    tenant: bool = True  # whether it has a column `tenant`


def columns(*, names: str = "", words: str = "", record: str = "", nobody: str = "") -> dict[str, Holds]:
    """Return what each of the columns holds, named between blanks."""
    kinds = {Holds.NAMES: names, Holds.WORDS: words, Holds.RECORD: record, Holds.NOBODY: nobody}
    return {column: kind for kind, listed in kinds.items() for column in listed.split()}


_REQUESTER = "requester ->> 'subject' = ANY(%(subjects)s)"
_OF_RUN = "run = ANY(%(runs)s)"
_LINKS = frozenset({"run", "approval", "step", "reviewers", "every"})  # by which one run knows another
_TOLD = frozenset(
    {"by", "approvers", "until", "at", "group", "operation", "step", "system", "finding", "key"}
)
_CHECKPOINTS = "thread_id = ANY(%(ended)s)"

TABLES = (
    Table(name="clock", key=("one",), columns=columns(nobody="one shift"), tenant=False),
    Table(
        name="run",
        key=("id",),
        columns=columns(
            names="requester",
            words="origin slots missing problems facts",
            nobody="tenant id key workflow version status submissions reason due_at attempts token"
            " created_at urgent",
        ),
        theirs=_REQUESTER,
        kept=_LINKS | _TOLD,
    ),
    Table(
        name="run_step",
        key=("run", "mark"),
        columns=columns(words="facts", nobody="tenant run mark seq key at"),
        theirs=_OF_RUN,
        kept=_TOLD,
    ),
    Table(name="timer", key=("run", "due_at"), columns=columns(nobody="tenant run due_at pace")),
    Table(
        name="approval",
        key=("id",),
        columns=columns(
            names="action card void digest",
            nobody="tenant id run round status replaces created_at decide_by decided_at clause_document"
            " clause_anchor clause_hash clause_seen remind_at reminded_at escalate_at escalated_at",
        ),
        theirs=_OF_RUN,
    ),
    Table(
        name="vote",
        key=("approval", "subject"),
        columns=columns(
            names="subject human holder person stands_for",
            words="reason",
            nobody="tenant approval verdict at",
        ),
        theirs="subject = ANY(%(subjects)s)",
    ),
    Table(
        name="edit",
        key=("approval",),
        columns=columns(
            names="subject author", words="before after", nobody="tenant approval run narrows at"
        ),
        theirs=f"subject = ANY(%(subjects)s) OR {_OF_RUN}",
    ),
    Table(
        name="effect",
        key=("id",),
        columns=columns(
            names="payload result",
            nobody="tenant id approval run act operation key state found token intended_at settled_at ends_at"
            " resolved step",
        ),
        theirs=_OF_RUN,
    ),
    Table(
        name="doubt",
        key=("id",),
        columns=columns(names="answered_by", nobody="tenant id effect opened_at answer answered_at"),
        theirs="answered_by ->> 'subject' = ANY(%(subjects)s)",
    ),
    Table(
        name="delegation",
        key=("id",),
        columns=columns(
            names="holder stand_in holder_person stand_in_person",
            nobody="tenant id starts_at ends_at ended_at",
        ),
        theirs="holder_person ->> 'subject' = ANY(%(subjects)s)"
        " OR stand_in_person ->> 'subject' = ANY(%(subjects)s)",
    ),
    Table(
        name="review",
        key=("id",),
        columns=columns(
            names="reviewer",
            words="reason",
            nobody="tenant id approval run reviewers every status reminders remind_at reviewed_at created_at",
        ),
        theirs="reviewer ->> 'subject' = ANY(%(subjects)s)",
    ),
    Table(name="outage", key=("system",), columns=columns(nobody="tenant system since until reason")),
    Table(name="authority_level", key=("operation",), columns=columns(nobody="tenant operation level")),
    Table(
        name="erasure",
        key=("pseudonym",),
        columns=columns(record="handles wrapped sealed", nobody="tenant pseudonym key_id begun_at"),
    ),
    # the record: events name pseudonyms alone, and values stand beside them under the keys of their owners
    Table(
        name="audit_event",
        key=("seq",),
        columns=columns(nobody="tenant seq run kind previous hash body trace mac approval"),
    ),
    Table(
        name="audit_subject",
        key=("pseudonym",),
        columns=columns(record="handle sealed", nobody="tenant pseudonym key_id"),
        fate=Fate.RECORDED,
    ),
    Table(
        name="audit_part",
        key=("seq", "part"),
        columns=columns(record="sealed", nobody="tenant seq part owners"),
        fate=Fate.RECORDED,
    ),
    Table(
        name="audit_detail",  # of an earlier release; what is in it is taken over at the first start
        key=("seq",),
        columns=columns(record="salt detail", nobody="tenant seq"),
        fate=Fate.RECORDED,
    ),
    Table(name="audit_checkpoint", key=("seq",), columns=columns(nobody="tenant seq body signature")),
    Table(name="audit_before_keys", key=("tenant",), columns=columns(nobody="tenant through")),
    Table(name="audit_adopted", key=("seq",), columns=columns(nobody="tenant seq mac")),
    Table(name="audit_hold", key=("trace",), columns=columns(nobody="tenant trace")),
    # LangGraph's: sealed, and with the reason of a refusal in it; that of a request that has ended is deleted
    Table(
        name="checkpoints",
        key=("thread_id", "checkpoint_ns", "checkpoint_id"),
        columns=columns(
            words="checkpoint metadata",
            nobody="thread_id checkpoint_ns checkpoint_id parent_checkpoint_id type",
        ),
        theirs=_CHECKPOINTS,
        fate=Fate.DELETED,
        tenant=False,
    ),
    Table(
        name="checkpoint_writes",
        key=("thread_id", "checkpoint_ns", "checkpoint_id", "task_id", "idx"),
        columns=columns(
            words="blob",
            nobody="thread_id checkpoint_ns checkpoint_id task_id idx channel type task_path",
        ),
        theirs=_CHECKPOINTS,
        fate=Fate.DELETED,
        tenant=False,
    ),
    Table(
        name="checkpoint_blobs",
        key=("thread_id", "checkpoint_ns", "channel", "version"),
        columns=columns(words="blob", nobody="thread_id checkpoint_ns channel version type"),
        theirs=_CHECKPOINTS,
        fate=Fate.DELETED,
        tenant=False,
    ),
    Table(name="checkpoint_migrations", key=("v",), columns=columns(nobody="v"), tenant=False),
)
