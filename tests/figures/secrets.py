"""K3: canaries in every credential; after a day of work, good and bad, none is found but in their store.

Every table of the database, what was logged on the finest level, everything said in the workspace, and every
file of the home are searched, for the canaries as they are and in the encodings that could hide them. One
leak is planted at the end, to show that the search finds it.
"""

import asyncio
import base64
import io
import logging
import tempfile
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bot.blocks import approval
from bot.database import open_database, open_owner
from bot.storage.embedded import Embedded
from connectors.sandbox import process
from tests.figures.record import Figure, none_wrong
from tests.scenario import slack_office
from tests.scenario.slack_office import ADA, APPROVERS, ASK_POLICY, GRACE, INES, TOMAS, Office

STORE = {"secrets.crypt", "secrets.key", "secrets.lock"}
SPOKEN = (
    "how many days of annual leave do I get?",
    "what is the colour of the moon?",
    "my token is xoxb-0000-someone-elses, how long is parental leave?",
)


@dataclass
class Scan:
    """Looks for canaries, and counts where it has looked."""

    canaries: Mapping[str, str]
    places: int = 0
    size: int = 0
    found: list[str] = field(default_factory=list)

    def look(self, place: str, content: bytes) -> None:
        self.places += 1
        self.size += len(content)
        self.found += [
            f"{name} in {place}"
            for name, value in self.canaries.items()
            if any(form in content for form in _forms(value))
        ]


def _forms(value: str) -> Iterator[bytes]:
    plain = value.encode()
    yield plain
    yield plain.hex().encode()
    for shift in range(3):  # wherever in a longer text it stood before that was encoded
        yield base64.b64encode(b"\0" * shift + plain)[4:-4]
    yield plain[::-1]


@contextmanager
def everything_logged() -> Iterator[io.StringIO]:
    """Collect what any logger says, on the finest level, with tracebacks."""
    said = io.StringIO()
    handler = logging.StreamHandler(said)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield said
    finally:
        root.setLevel(before)
        root.removeHandler(handler)


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Plant, work, search; then plant a leak and search again."""
    with tempfile.TemporaryDirectory(prefix="canaries-") as folder, everything_logged() as said:
        scan, leaked = await _day(Path(folder), said, rounds=1 if quick else 3)
    what = (
        f"canary credentials found after a day's work ({scan.places:,} places, {scan.size:,} bytes searched)"
    )
    wrong = len(scan.found)
    yield none_wrong("K3", what, tried=len(scan.canaries), wrong=wrong, least=6)
    yield none_wrong("K3", "a planted leak that the search does not find", tried=4, wrong=4 - leaked)


async def _day(folder: Path, said: io.StringIO, *, rounds: int) -> tuple[Scan, int]:
    home = folder / "home"
    home.mkdir()
    await asyncio.to_thread(slack_office.write_handbook, home)
    async with (
        Embedded(folder),
        open_database(folder, None) as database,
        process.directory(folder / "directory", faults=True) as directory,
    ):
        async with slack_office.open_office(database, folder, home, directory) as office:
            for number in range(rounds):
                await work(office, number)
            talk = [str(one) async for one in _spoken(office)]
        scan = Scan(canaries=planted(directory))
        await search(scan, folder, home, said, talk)
        return scan, await _planted_leaks(scan, folder)


def planted(directory: process.Running) -> dict[str, str]:
    """Return the canaries: every credential that the bot was given or made, each known to nobody else."""
    made = {name: slack_office._MEMORY.load(name) or "" for name in slack_office._MEMORY.names()}
    return {
        "slack_bot_token": slack_office.BOT_TOKEN,
        "slack_app_token": slack_office.APP_TOKEN,
        "slack_signing_secret": slack_office.SIGNING_SECRET,
        "directory_token": directory.read_token,
        "directory_write_token": directory.token,
        **{name: value.partition(":")[2] for name, value in made.items()},
    }


async def work(office: Office, number: int) -> None:
    """Ask and request; with a directory that refuses or talks nonsense, and with Slack failing."""
    for sentence in SPOKEN:
        await office.people.message(sentence, as_=ADA, channel=ASK_POLICY)
    for who, fault, action in (
        (ADA, None, approval.APPROVE),
        (INES, {"kind": "denied", "on": "PATCH"}, approval.APPROVE),
        (TOMAS, {"kind": "garbage", "on": "PATCH"}, approval.APPROVE),
    ):
        with suppress(TimeoutError):
            await _request(office, who, fault, action, number)
    await office.people.faults("chat.postMessage", "http_500", times=2)
    await office.people.message("I need billing-db for 2 days to look", as_=ADA, channel=await office.dm(ADA))
    await asyncio.sleep(0.5)


async def _request(
    office: Office, who: str, fault: Mapping[str, object] | None, action: str, number: int
) -> None:
    said = f"I need billing-db for {number + 1} days to close the books"
    before = {str(one["ts"]) for one in await office.people.messages(as_=GRACE, channel=APPROVERS)}
    await office.people.message(said, as_=who, channel=await office.dm(who))
    card = await office.people.wait_for_message(
        lambda one: bool(one.get("bot_id")) and str(one["ts"]) not in before,
        as_=GRACE,
        channel=APPROVERS,
        timeout=20,
    )
    if fault is not None:
        await _arm(office, fault)
    button = next(one for one in _buttons(card) if one["action_id"] == action)
    await office.people.action(
        action, as_=GRACE, channel=APPROVERS, message_ts=card["ts"], value=button["value"]
    )
    await asyncio.sleep(1)


def _buttons(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, dict):
        if value.get("action_id"):
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from _buttons(inner)


async def _arm(office: Office, fault: Mapping[str, object]) -> None:
    import httpx

    root = office.directory.url.removesuffix("/v2")
    headers = {"Authorization": f"Bearer {office.directory.token}"}
    async with httpx.AsyncClient(base_url=root, headers=headers, trust_env=False) as http:
        (await http.post("/_sandbox/faults", json=fault)).raise_for_status()


async def _spoken(office: Office) -> AsyncIterator[Mapping[str, Any]]:
    """Yield all that was said in the workspace, to whomever."""
    places = [(ADA, ASK_POLICY), (GRACE, APPROVERS)]
    places += [(who, await office.dm(who)) for who in (ADA, INES, TOMAS)]
    for who, channel in places:
        for one in await office.people.messages(as_=who, channel=channel):
            yield one
            if one.get("reply_count"):
                for reply in await office.people.messages(as_=who, channel=channel, thread_ts=one["ts"]):
                    yield reply


async def search(scan: Scan, folder: Path, home: Path, said: io.StringIO, talk: Iterable[str]) -> None:
    """Look everywhere."""
    scan.look("the logs", said.getvalue().encode())
    for message in talk:
        scan.look("a message", message.encode())
    for table, row in await rows(folder):
        scan.look(f"a row of {table}", row.encode())
    for path in sorted((*home.rglob("*"), *(folder / "postgres").rglob("*"))):
        if path.is_file() and path.name not in STORE and not path.is_symlink():
            scan.look(str(path.relative_to(folder)), path.read_bytes())


async def rows(folder: Path) -> list[tuple[str, str]]:
    """Return every row of every table of ours and of the libraries', as text."""
    async with open_owner(folder, None) as conn:
        cursor = await conn.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'countersign'")
        tables = [str(row[0]) for row in await cursor.fetchall()]
        found = []
        for table in tables:
            cursor = await conn.execute(f'SELECT one::text FROM "{table}" AS one'.encode())
            found += [(table, str(row[0])) for row in await cursor.fetchall()]
    return found


async def _planted_leaks(scan: Scan, folder: Path) -> int:
    """Leak a canary in four ways, and return how many of them a search finds."""
    name, value = next(iter(scan.canaries.items()))
    leaks = (
        f"Authorization: Bearer {value}".encode(),
        base64.b64encode(f"user:{value}:more".encode()),
        f"\\x{value.encode().hex()}".encode(),
        (await _leaked_row(folder, value)).encode(),
    )
    return sum(_finds(name, value, leak) for leak in leaks)


def _finds(name: str, value: str, leak: bytes) -> bool:
    scan = Scan(canaries={name: value})
    scan.look("a planted leak", leak)
    return bool(scan.found)


async def _leaked_row(folder: Path, value: str) -> str:
    async with open_owner(folder, None) as conn:
        await conn.execute(
            "UPDATE message SET error = %s WHERE ctid = (SELECT min(ctid) FROM message)", (value,)
        )
    return "\n".join(row for _, row in await rows(folder))
