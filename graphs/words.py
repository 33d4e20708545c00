"""How people ask for what a workflow does, as the workflow says it itself."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class WorkflowHints:
    """How people name what a workflow does. All words are in lower case.

    nouns: what is asked for ("access"). verbs: what the bot is told to do with the noun ("reset", "book").
    options: the closed list from which one slot takes its value ("billing-db"). targets: what the noun may
    be followed by instead of an option ("database"). choice, duration, reason: the names of those slots, ""
    for none.

    What people want looked at has no such request: `things` are what it is about ("printer"), `troubles` what
    is the matter ("does not print"), and `text` is the slot for what they wrote.
    """

    nouns: frozenset[str]
    verbs: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()
    targets: frozenset[str] = frozenset()
    choice: str = ""
    duration: str = ""
    reason: str = ""
    things: frozenset[str] = frozenset()
    troubles: frozenset[str] = frozenset()
    text: str = ""
