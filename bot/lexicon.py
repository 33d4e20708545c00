"""What rooms say for themselves: how people call systems and what is done there, and their own sentences.

There is one installation in a process: what its rooms say is learnt once, when it starts.
"""

import re
from collections.abc import Mapping

from bot.render import Markup, join, ours, safe

SYSTEMS: dict[str, str] = {}  # "tickets": "the ticket system"
OPERATIONS: dict[str, str] = {}  # "tickets.open": "Open a ticket"
SENTENCES: dict[str, str] = {}  # "service_ticket.opened": "Ticket {ticket} is open."
_LONGEST = 300  # characters of one fact in a sentence
_PLACE = re.compile(r"\{([a-z_]+)\}")


def learn(*, systems: Mapping[str, str], operations: Mapping[str, str], sentences: Mapping[str, str]) -> None:
    """Take what the rooms say that are switched on."""
    SYSTEMS.update(systems)
    OPERATIONS.update(operations)
    SENTENCES.update(sentences)


def sentence(key: str, facts: Mapping[str, str]) -> Markup | None:
    """Say it with the facts in their places; None where no room has a sentence for the key.

    A fact is data: whatever somebody wrote into it stands there as they wrote it, and shapes nothing.
    """
    text = SENTENCES.get(key)
    if text is None:
        return None
    parts = _PLACE.split(text)
    said = [
        safe(facts.get(part, "?"), _LONGEST) if place % 2 else ours(part) for place, part in enumerate(parts)
    ]
    return join(*said)
