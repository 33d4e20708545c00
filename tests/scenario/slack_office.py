"""The whole bot in a test: a real workspace, a real directory server, a real database, a small handbook."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from bot import app as bot_app
from bot.credentials import Credentials
from bot.database import Database, open_owner
from bot.demo.world import ALARMS, APPROVALS, world
from bot.settings import Settings, made
from bot.wiring import Parts
from bot.workspace.client import WorkspaceClient
from bot.workspace.server import Server, running
from connectors.sandbox import company
from connectors.sandbox.process import Running
from connectors.secrets import Secrets
from knowledge import build, embedder
from knowledge.sources.folder import Folder

ADA, GRACE, BEN, INES, TOMAS, NOOR = "U0ADA", "U0GRACE", "U0BEN", "U0INES", "U0TOMAS", "U0NOOR"
BOT = "U0COUNTERSIGN"
ASK_POLICY, APPROVERS = "C0ASKPOLICY", APPROVALS
MANIFEST = Path(__file__).parents[2] / "manifest.yml"
BOT_TOKEN, APP_TOKEN, SIGNING_SECRET = "xoxb-scenario", "xapp-scenario", "scenario-signing-secret"

LEAVE = """\
---
title: Leave
owner: people@larkfield.example
effective: 2025-01-01
---
# Leave
## Annual leave
Every employee gets 27 days of paid annual leave a year. Leave is asked for in the leave system.
## Parental leave
New parents get sixteen weeks of paid parental leave, which may be taken within the child's first year.
"""
ACCESS = """\
---
title: IT access
owner: it@larkfield.example
effective: 2025-02-01
url: https://handbook.larkfield.example/it-access
---
# IT access
## Temporary access to data
An employee may ask for temporary access to data. A data owner decides. It lasts at most 30 days.
"""
SALARIES = """\
---
title: Salary bands
owner: people@larkfield.example
effective: 2025-01-01
audience: [people-team]
---
# Salary bands
## Band four
The salary band four begins at 58,000 euros a year and ends at 71,000 euros a year.
"""


def write_handbook(home: Path) -> None:
    """Build the edition that the scenarios ask."""
    source = home / "source"
    source.mkdir(parents=True)
    for name, text in {"leave.md": LEAVE, "it-access.md": ACCESS, "salaries.md": SALARIES}.items():
        (source / name).write_text(text, encoding="utf-8")
    build.build(home, [Folder(source)], embedder.load(home), Silence())


class Silence:
    """Progress that nobody looks at."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return lambda *_, **__: None


@dataclass(frozen=True, kw_only=True)
class Office:
    """A running bot, and the people around it."""

    people: WorkspaceClient
    server: Server
    parts: Parts
    database_home: Path
    directory: Running

    async def dm(self, user: str) -> str:
        """Return the conversation of a person with the bot."""
        seen = await self.people.bootstrap(as_=user)
        return next(
            str(one["id"])
            for one in seen["conversations"]
            if one["kind"] == "im" and one.get("with") == seen["app"]["bot_user"]
        )

    async def move_clock(self, span: timedelta) -> None:
        """Move the clock of the database."""
        async with open_owner(self.database_home, None) as conn:
            await conn.execute("UPDATE clock SET shift = shift + %s", (span,))

    async def members(self, group: str) -> set[str]:
        """Return who the directory server says is in a group."""
        directory = self.parts.identity._people
        found = await directory.group_by_name(group)  # type: ignore[attr-defined]
        return {(await directory.person(one)).name for one in found.members}  # type: ignore[attr-defined]


def settings(
    home: Path, *, slack: str, directory: str, model: str | None = None, emergencies: bool = False
) -> Settings:
    """Return the settings of the scenarios. `model`: where a language model is asked."""
    groups = {"billing-db": {"approvers": "data-owners", "max_days": 30}}
    access = {
        "channel": APPROVERS,
        "clause": {"document": "it-access.md", "anchor": "temporary-access-to-data"},
        "groups": groups,
    }
    given: dict[str, Any] = {
        "home": home,
        "slack_api_url": slack,
        "directory": {"url": directory, "issuer": company.ISSUER},
        "workflows": {"it_access": access, **({"break_glass": _EMERGENCY} if emergencies else {})},
    }
    if model is not None:
        given["model"] = {"provider": "openai", "name": "m", "base_url": model}
    return made(given)


_EMERGENCY = {
    "channel": APPROVERS,
    "alarm_channel": ALARMS,
    "review_channel": ALARMS,
    "reviewers": "people-team",
    "clause": {"document": "it-access.md", "anchor": "temporary-access-to-data"},
    "groups": {"prod-logs": {"approvers": "data-owners"}},
}


@asynccontextmanager
async def open_office(
    database: Database,
    database_home: Path,
    home: Path,
    directory: Running,
    *,
    model: str | None = None,
    emergencies: bool = False,
) -> AsyncIterator[Office]:
    """Run everything for as long as the block lasts."""
    async with (
        open_parts(
            database, home, url=directory.url, token=directory.token, model=model, emergencies=emergencies
        ) as (server, parts),
        WorkspaceClient(server.url) as people,
    ):
        ready = asyncio.Event()
        credentials = _credentials(directory.token)
        bot = asyncio.create_task(bot_app.listen(parts, credentials=credentials, ready=ready.set))
        await _first(ready.wait(), bot)
        try:
            yield Office(
                people=people, server=server, parts=parts, database_home=database_home, directory=directory
            )
            if bot.done():
                await bot
        finally:
            bot.cancel()
            await asyncio.gather(bot, return_exceptions=True)


@asynccontextmanager
async def open_parts(
    database: Database,
    home: Path,
    *,
    url: str,
    token: str,
    model: str | None = None,
    emergencies: bool = False,
) -> AsyncIterator[tuple[Server, Parts]]:
    """Wire the bot to a workspace and a directory; nothing listens and nothing works yet."""
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    async with (
        running(world(manifest, bot_token=BOT_TOKEN, app_token=APP_TOKEN)) as server,
        bot_app.build(
            settings(home, slack=server.api_url, directory=url, model=model, emergencies=emergencies),
            _credentials(token),
            database,
        ) as parts,
    ):
        yield server, parts


class _Memory:
    """Secrets as a keyring keeps them, for the life of the tests."""

    def __init__(self) -> None:
        self._kept: dict[str, str] = {}

    def load(self, name: str) -> str | None:
        return self._kept.get(name)

    def save(self, name: str, value: str) -> None:
        self._kept[name] = value

    def erase(self, name: str) -> None:
        self._kept.pop(name, None)

    def names(self) -> tuple[str, ...]:
        return tuple(self._kept)


_MEMORY = _Memory()


def _credentials(token: str) -> Credentials:
    return Credentials(
        bot_token=BOT_TOKEN,
        app_token=APP_TOKEN,
        directory_token=token,
        directory_write_token=token,
        signing_secret=SIGNING_SECRET,
        store=lambda: Secrets(_MEMORY),
    )


async def _first(wanted: Awaitable[Any], bot: "asyncio.Task[None]") -> None:
    waiting = asyncio.ensure_future(wanted)
    done, _ = await asyncio.wait({waiting, bot}, return_when=asyncio.FIRST_COMPLETED, timeout=30)
    if bot in done:
        waiting.cancel()
        await bot
    assert waiting in done, "the bot did not connect"


def texts(message: dict[str, Any]) -> str:
    """Return everything that a message says."""
    found: list[str] = [str(message.get("text", ""))]

    def collect(value: Any) -> None:
        if isinstance(value, dict):
            if isinstance(value.get("text"), str):
                found.append(value["text"])
            for inner in value.values():
                collect(inner)
        elif isinstance(value, list):
            for inner in value:
                collect(inner)

    collect(message.get("blocks", []))
    return "\n".join(found)
