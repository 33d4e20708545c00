"""A whole installation as processes that a test may kill: workspace, directory and bot on one home.

What happened is read from witnesses that do not depend on the bot: the directory server's own log of changes,
the workspace's messages, and the database.
"""

import asyncio
import atexit
import contextlib
import itertools
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import httpx

from bot.blocks import approval
from bot.database import open_database, open_owner
from bot.demo import home as demo
from bot.demo import reading
from bot.demo.stage import HANDBOOK
from bot.demo.world import APPROVALS, user
from bot.workspace.client import WorkspaceClient
from connectors.sandbox import company
from connectors.sandbox.process import READ_TOKEN, TOKEN
from connectors.sandbox.supervision import Part, python

Json = Mapping[str, Any]
Seen = TypeVar("Seen")

ADA, GRACE, BEN = user(company.ADA), user(company.GRACE), user(company.BEN)
INES, TOMAS, NOOR = user(company.INES), user(company.TOMAS), user(company.NOOR)
APPROVERS, ASK_POLICY = APPROVALS, "C0ASKPOLICY"
PATIENCE = 60.0  # seconds for any one thing to happen, on a slow machine
GROUPS = 99  # requestable ones, so that each request of a test has a group of its own; a menu shows a hundred


async def prepare(home: Path) -> None:
    """Make a demo's home ready to start: tokens, the handbook read, the database migrated."""
    demo.mark(home)
    tokens = demo.tokens(home)
    for folder in ("directory", "logs"):
        (home / folder).mkdir(mode=0o700)
    for name, token in {TOKEN: tokens.directory_writes, READ_TOKEN: tokens.directory}.items():
        (home / "directory" / name).write_text(token)
        (home / "directory" / name).chmod(0o600)
    reading_ = await asyncio.create_subprocess_exec(
        *python("bot.cli", "ingest", str(HANDBOOK), "--home", str(home)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    said, _ = await reading_.communicate()
    assert reading_.returncode == 0, said.decode()
    async with open_database(home, None):
        pass


@cache
def _kept() -> Path:
    folder = tempfile.TemporaryDirectory(prefix="prepared-")
    atexit.register(folder.cleanup)
    return Path(folder.name) / "home"


async def fresh(home: Path) -> Path:
    """Make a home ready to start; what that takes is done once in a process."""
    if not _kept().exists():
        await prepare(_kept())
    return copied(_kept(), home)


def copied(prepared: Path, home: Path) -> Path:
    """Copy a prepared home, with the owners that its files have."""
    subprocess.run(["cp", "-a", str(prepared), str(home)], check=True)
    return home


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def until(
    look: Callable[[], Awaitable[Seen | None]], what: str, *, within: float = PATIENCE, pause: float = 0.05
) -> Seen:
    """Look until there is something, and return it."""
    deadline = time.monotonic() + within
    while not (seen := await look()):
        assert time.monotonic() < deadline, f"{what} did not happen within {within:g} s"
        await asyncio.sleep(pause)
    return seen


def processes(home: Path) -> dict[int, str]:
    """Every process that works for a home: its command names it, or it works in a folder of it."""
    found = {}
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            where = (entry / "cwd").readlink()
            alive = (entry / "stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
            if alive and (str(home) in command or where.is_relative_to(home)):
                found[int(entry.name)] = command.strip() or str(where)
    return found


@contextlib.contextmanager
def nothing_left(home: Path) -> Iterator[None]:
    """Kill whatever a failing test leaves behind, and fail a test that leaves anything."""
    yield
    left = processes(home)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    assert not left, f"processes were left behind: {left}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for access, as far as its card in the approvers' channel."""

    group: str
    run: str
    card: str
    ts: str  # of the card


@dataclass(kw_only=True)
class Town:
    """The three processes of a home, and the people around them."""

    home: Path
    people: WorkspaceClient
    directory: httpx.AsyncClient
    parts: dict[str, Part]
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _direct: dict[str, str] = field(default_factory=dict)

    # processes

    async def start(self, *names: str) -> None:
        """Start parts, and wait until they say that they are ready."""
        await asyncio.gather(*(self.parts[name].start() for name in names))
        await asyncio.gather(*(self.parts[name].until_ready() for name in names))

    async def kill(self, name: str) -> None:
        """SIGKILL a part, and wait until nothing is left of its process."""
        process = self.parts[name].process
        assert process is not None
        process.kill()
        await process.wait()

    def kill_database(self) -> None:
        """SIGKILL the database server, as the kernel does when memory is short."""
        os.kill(int((self.home / "postgres/data/postmaster.pid").read_text().split()[0]), signal.SIGKILL)

    async def ensure_up(self) -> None:
        """Start again what a test before has left dead, and end its faults."""
        dead = [
            name
            for name, part in self.parts.items()
            if part.process is None or part.process.returncode is not None
        ]
        await self.start(*dead)
        await self.people.connected(timeout=PATIENCE)
        await self.directory.delete("/_sandbox/faults")
        await self.people.clear_faults()

    # witnesses

    async def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """Ask the database, as its owner."""
        async with open_owner(self.home, None) as conn:
            return await (await conn.execute(query.encode(), values)).fetchall()

    async def changes(self, group: str) -> list[str]:
        """How the directory server says that the members of a group have changed."""
        log = (await self.directory.get("/_sandbox/log")).raise_for_status().json()["changes"]
        return [one["change"] for one in log if one["group_name"] == group]

    async def status(self, run: str) -> str:
        """Where a run stands."""
        ((status,),) = await self.rows("SELECT status FROM run WHERE id = %s", run)
        return str(status)

    async def stands(self, run: str, *statuses: str, within: float = PATIENCE) -> str:
        """Wait until a run stands at one of these."""

        async def look() -> str | None:
            status = await self.status(run)
            return status if status in statuses else None

        return await until(look, f"{run} {statuses}", within=within, pause=0.2)

    async def effects(self, run: str) -> list[tuple[str, str, bool]]:
        """The run's rows in the effect ledger: act, state, and whether it was found by looking."""
        query = "SELECT act, state, found FROM effect WHERE run = %s OR approval IN"
        query += " (SELECT id FROM approval WHERE run = %s) ORDER BY intended_at"
        return [(row[0], row[1], row[2]) for row in await self.rows(query, run, run)]

    async def ending(self, run: str) -> str:
        """The run that ends what a run has granted."""
        ((found,),) = await self.rows("SELECT id FROM run WHERE slots->>'run' = %s", run)
        return str(found)

    # the directory

    async def fault(self, kind: str, **details: object) -> None:
        """Give the directory server a bad day."""
        (await self.directory.post("/_sandbox/faults", json={"kind": kind, **details})).raise_for_status()

    async def group(self) -> str:
        """Make the next of the groups that people may ask for; it is empty."""
        name = _group_name(next(self._numbers))
        await self._make(name)
        return name

    async def _make(self, group: str) -> None:
        body = {"schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"], "displayName": group}
        (await self.directory.post("/v2/Groups", json=body)).raise_for_status()

    async def make_anew(self, group: str) -> None:
        """Delete a group and make another one of the same name."""
        (await self.directory.delete(f"/v2/Groups/{(await self._found(group))['id']}")).raise_for_status()
        await self._make(group)

    async def resolve(self, group: str) -> None:
        """Let the name of a group stand for the one that is called so now, as an operator does."""
        command = (sys.executable, "-m", "bot", "groups", "resolve", group, "--home", str(self.home))
        process = await asyncio.create_subprocess_exec(*command)
        assert await process.wait() == 0

    async def _found(self, group: str) -> Json:
        query = {"filter": f'displayName eq "{group}"'}
        (found,) = (await self.directory.get("/v2/Groups", params=query)).json()["Resources"]
        return dict(found)

    async def members(self, group: str) -> set[str]:
        """The names of the people whom the directory server has in a group."""
        names = {one.id: one.name for one in company.PEOPLE}
        return {names[one["value"]] for one in (await self._found(group)).get("members", ())}

    async def activate(self, person: company.Employee, active: bool) -> None:
        """Say in the directory whether a person's account is active."""
        change = {"op": "replace", "path": "active", "value": active}
        body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
        (await self.directory.patch(f"/v2/Users/{person.id}", json=body)).raise_for_status()

    # people

    async def dm(self, who: str) -> str:
        """The conversation of a person with the bot."""
        if who not in self._direct:
            start = await self.people.bootstrap(as_=who)
            self._direct[who] = next(
                one["id"]
                for one in start["conversations"]
                if one["kind"] == "im" and one.get("with") == start["app"]["bot_user"]
            )
        return self._direct[who]

    async def ask(self, who: str, said: str, *, channel: str | None = None) -> Json:
        """Say something to the bot, and return its first answer in the thread."""
        where = channel or await self.dm(who)
        ts = await self.people.message(said, as_=who, channel=where)
        return await self.people.wait_for_message(
            lambda one: bool(one.get("bot_id")), as_=who, channel=where, thread_ts=ts, timeout=PATIENCE
        )

    async def request(
        self, who: str, group: str | None = None, *, reason: str = "close the quarter"
    ) -> Asked:
        """Ask for access for three days, and wait for the card."""
        group = group or await self.group()
        said = f"I need {group} for 3 days to {reason}"
        await self.people.message(said, as_=who, channel=await self.dm(who))
        return await self.asked(group)

    async def requests(self, count: int) -> list[Asked]:
        """Have people ask, each for another group, and wait for the cards."""
        groups = [await self.group() for _ in range(count)]
        for number, group in enumerate(groups):
            who = (ADA, INES, TOMAS)[number % 3]
            said = f"I need {group} for 3 days to close the quarter"
            await self.people.message(said, as_=who, channel=await self.dm(who))
        return [await self.asked(group) for group in groups]

    async def asked(self, group: str, *, besides: str | None = None) -> Asked:
        """Wait for the card of a group's request, which is another one than `besides`."""

        async def look() -> Asked | None:
            for one in await self.cards(group):
                approve = button(one, approval.APPROVE)
                if approve and approve["value"] != besides:
                    card = str(approve["value"])
                    ((run,),) = await self.rows("SELECT run FROM approval WHERE id = %s", card)
                    return Asked(group=group, run=str(run), card=card, ts=str(one["ts"]))
            return None

        return await until(look, f"the card for {group}", within=2 * PATIENCE, pause=0.2)

    async def cards(self, group: str) -> list[Json]:
        """The cards about a group, as the approvers see them."""
        seen = await self.people.messages(as_=GRACE, channel=APPROVERS)
        return [one for one in seen if one.get("bot_id") and f"Access to: {group}\n" in text(one)]

    async def click(self, who: str, asked: Asked, action: str = approval.APPROVE) -> Json:
        """Press a button of the card, as it was when it was first shown."""
        return await self.people.action(
            action, as_=who, channel=APPROVERS, message_ts=asked.ts, value=asked.card
        )

    async def whispers(self, who: str, *, channel: str = APPROVERS) -> list[str]:
        """What the bot has told one person alone, in a channel."""
        seen = await self.people.messages(as_=who, channel=channel)
        return [text(one) for one in seen if one.get("ephemeral")]

    async def whispered(self, who: str, words: str, *, before: int = 0, channel: str = APPROVERS) -> str:
        """Wait until the bot has told a person something new with these words, alone."""

        async def look() -> str | None:
            new = (await self.whispers(who, channel=channel))[before:]
            return next((one for one in new if words in one), None)

        return await until(look, f"the private word {words!r} to {who}")

    async def heard(self, who: str, words: str, *, channel: str | None = None) -> Json:
        """Wait until a person reads these words from the bot, in their conversation or its threads."""
        where = channel or await self.dm(who)

        async def look() -> Json | None:
            for top in await self.people.messages(as_=who, channel=where):
                thread = [top]
                if top.get("reply_count"):
                    thread += await self.people.messages(as_=who, channel=where, thread_ts=top["ts"])
                for one in thread:
                    if one.get("bot_id") and words in text(one):
                        return one
            return None

        return await until(look, f"{words!r} to {who}", pause=0.2)


@asynccontextmanager
async def open_town(home: Path, *, bots: int = 1) -> AsyncIterator[Town]:
    """Run everything on a prepared home; at the end nothing is left."""
    ports = {"workspace": free_port(), "directory": free_port()}
    url, sandbox = (f"http://127.0.0.1:{ports[name]}" for name in ("workspace", "directory"))
    demo.configure(home, slack=url, directory=f"{sandbox}/v2")
    _add_groups(home / "countersign.toml")
    names = ["workspace", "bot", *(f"bot-{number}" for number in range(2, bots + 1))]
    parts = {name: _part(home, name, ports.get(name, 0)) for name in names}
    parts["directory"] = _directory(home, ports["directory"])
    token = (home / "directory" / TOKEN).read_text()
    with nothing_left(home):
        async with (
            WorkspaceClient(url) as people,
            httpx.AsyncClient(
                base_url=sandbox, headers={"Authorization": f"Bearer {token}"}, timeout=30, trust_env=False
            ) as directory,
        ):
            town = Town(home=home, people=people, directory=directory, parts=parts)
            try:
                await town.start(*parts)
                await people.connected(timeout=PATIENCE)
                yield town
            finally:
                for name in (*names[1:], "workspace", "directory"):
                    await parts[name].stop()


def _part(home: Path, name: str, port: int) -> Part:
    kind = name.partition("-")[0]
    command = python("bot.demo.part", kind, "--home", str(home), "--port", str(port))
    return Part(name=name, command=command, log=home / "logs" / f"{name}.log")


def _directory(home: Path, port: int) -> Part:
    state = home / "directory"
    where = ("--port", str(port), "--state", str(state), "--token-file", str(state / TOKEN))
    tokens = ("--read-token-file", str(state / READ_TOKEN))
    command = python("connectors.sandbox.directory", *where, *tokens, "--faults")
    return Part(name="directory", command=command, log=home / "logs" / "directory.log")


def _group_name(number: int) -> str:
    return f"ledger-{number}"


def _add_groups(settings: Path) -> None:
    lines = [
        f'{_group_name(number)} = {{ approvers = "data-owners", max_days = 30 }}\n'
        for number in range(1, GROUPS + 1 - 3)
    ]
    with settings.open("a") as file:
        file.writelines(lines)


def button(message: Json, action: str) -> Json | None:
    """The button of a message that does this."""
    return next((one for one in reading.buttons(message) if one.get("action_id") == action), None)


def text(message: Json) -> str:
    """What a message says, without what makes it bold."""
    return reading.plain(message, {}).replace("*", "")
