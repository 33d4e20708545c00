"""Who posts and cites around the sweep's workflows, without Slack and without an index; and the clock."""

import hashlib
from collections.abc import Mapping
from datetime import datetime

from graphs.ports import Connection
from graphs.records import Alarm, Beside, Clause, Notice

EDITION = "e1"


class Silent:
    """Notifier and evidence: what is posted has tests of its own."""

    async def card(self, conn: Connection, approval: str) -> None:
        pass

    async def doubt(self, conn: Connection, doubt: str) -> None:
        pass

    async def progress(self, conn: Connection, run: str) -> None:
        pass

    async def tell(self, conn: Connection, run: str, notice: Notice) -> None:
        pass

    async def beside_card(self, conn: Connection, approval: str, news: Beside) -> None:
        pass

    async def review(self, conn: Connection, review: str) -> None:
        pass

    async def beside_review(self, conn: Connection, review: str, number: int) -> None:
        pass

    async def alarm(self, conn: Connection, run: str, alarm: Alarm, facts: Mapping[str, str]) -> bool:
        return True

    async def clause(self, document: str, anchor: str) -> Clause:
        text = "A data owner approves."
        return Clause(
            document=document,
            anchor=anchor,
            title="Policy",
            section="Access",
            text=text,
            hash=hashlib.sha256(text.encode()).hexdigest(),
            url=None,
            edition=EDITION,
        )

    async def edition(self) -> str:
        return EDITION


class DatabaseClock:
    """The clock of the database."""

    async def now(self, conn: Connection) -> datetime:
        row = await (await conn.execute("SELECT moment() AS now")).fetchone()
        assert row is not None
        now: datetime = row["now"]
        return now
