"""What `graphs` needs of the bot around it. `bot/app.py` joins them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

from psycopg import AsyncConnection

from graphs.records import Alarm, Beside, Clause, Notice

Connection = AsyncConnection[dict[str, Any]]


class ClauseMissing(Exception):
    """The clause that governs a workflow cannot be resolved, so its requests are refused."""


class ClauseUnreadable(ClauseMissing):
    """Nobody can say at the moment what the clause reads: the policies themselves cannot be read."""


class Clock(Protocol):
    """The one clock: UTC, milliseconds, from the database."""

    async def now(self, conn: Connection) -> datetime:
        """Return the time of this moment."""


class Queue(Protocol):
    """Where work waits to be run."""

    async def advance(self, conn: Connection, run: str, *, anew: bool = False) -> None:
        """Have `run` advanced soon, if the caller's transaction commits.

        `anew`: whatever the queue holds about it is dropped, and the caller has fenced off who is at it.
        """


class Notifier(Protocol):
    """What is shown to people. Each call writes in the caller's transaction and posts later."""

    async def card(self, conn: Connection, approval: str) -> None:
        """Have the approval's card posted, or drawn again as the record now stands."""

    async def doubt(self, conn: Connection, doubt: str) -> None:
        """Have the card of an effect that nobody can tell about posted, or drawn again."""

    async def progress(self, conn: Connection, run: str) -> None:
        """Have the run's own message in its thread posted, or drawn again as the record now stands."""

    async def tell(self, conn: Connection, run: str, notice: Notice) -> None:
        """Have something new said in the run's thread."""

    async def beside_card(self, conn: Connection, approval: str, news: Beside) -> None:
        """Have something new said in the thread of the approval's card, once."""

    async def review(self, conn: Connection, review: str) -> None:
        """Have the review's card posted, or drawn again as the record now stands."""

    async def beside_review(self, conn: Connection, review: str, number: int) -> None:
        """Have said in the thread of the review's card that it waits: its reminder of that number, once."""

    async def alarm(self, conn: Connection, run: str, alarm: Alarm, facts: Mapping[str, str]) -> bool:
        """Have said aloud what happens with emergency access, once. Says whether it is new."""


class Evidence(Protocol):
    """The company's written policy."""

    async def clause(self, document: str, anchor: str) -> Clause:
        """Return the section as the active edition has it. Raises ClauseMissing, or ClauseUnreadable."""

    async def edition(self) -> str:
        """Return the name of the active edition. Raises ClauseUnreadable where none can be read."""
