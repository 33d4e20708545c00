"""A week of real use, in which one person does and says all that a person can; and how they are looked for.

Ben opens his conversation with the bot, asks questions and for access, is granted it, decides for others,
changes a request, denies one, lends his right, rates an answer, is named by others, and by a document of the
handbook.
"""

import asyncio
import base64
import json
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from bot.blocks import approval, feedback, request
from bot.blocks import delegation as lending
from bot.blocks.reason import REASON
from bot.database import open_owner
from bot.demo.stage import HANDBOOK
from bot.demo.world import BOT
from bot.listeners import delegation
from bot.privacy import stores
from connectors.sandbox import company
from connectors.sandbox.supervision import python
from tests.town import ADA, ASK_POLICY, BEN, GRACE, INES, TOMAS, Asked, Town, until

Json = dict[str, Any]
NOBODY_ELSE = "Castellanos"  # the part of Ben's name that nobody else has
WHY = "because my divorce lawyer Zebulon wants the figures"
DENIED = "that is what Mephisto said to me in the corridor"
ASKED = "May I bring my parrot Quetzal into the laboratory?"
NOTED = "my wife Persephone knows it better"
DOCUMENT = "contacts.md"
WORDS = (  # as they must not stand anywhere
    NOBODY_ELSE,
    "ben.castellanos",
    company.BEN.id,
    BEN,
    "Zebulon",
    "divorce lawyer",
    "Mephisto",
    "Quetzal",
    "Persephone",
)
OTHERS = ("Ada Okafor", "Tomas Varga", "Ines Moreau", "Grace Lindqvist", "close the quarter")
_MENTION = """\
---
title: Contacts
owner: it@larkfield.example
effective: 2025-01-01
---
# Contacts
## Platform
{who} looks after the platform, and answers every question about the balances in the laboratory.
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Week:
    """What there is after the week."""

    lent: Asked  # to Ben, and has not ended
    waiting: Asked  # of Ben, and nobody has decided
    decided: tuple[Asked, ...]  # of others, by Ben
    documents: Path  # the folder with the document that names him


async def day(home: Path, days: int = 1) -> None:
    """Let days go by."""
    async with open_owner(home, None) as conn:
        await conn.execute("UPDATE clock SET shift = shift + %s", (timedelta(days=days),))


async def use(town: Town, folder: Path) -> Week:
    """Live through the week."""
    documents = await handbook(town.home, folder, who="Ben Castellanos (ben.castellanos@larkfield.example)")
    await _questions(town)
    await day(town.home)
    named = await town.request(ADA, reason="close the quarter, as Ben Castellanos told me to")
    await town.click(BEN, named)
    await town.stands(named.run, "done")
    denied = await town.request(TOMAS)
    await town.click(BEN, denied, approval.DENY)
    view = await town.people.wait_for_view(as_=BEN, callback_id=approval.DENIAL)
    await town.people.submit(view["id"], _text(REASON, REASON, DENIED), as_=BEN)
    await town.stands(denied.run, "refused")
    await day(town.home)
    narrowed = await town.request(INES)
    await _narrow(town, narrowed)
    await town.stands(narrowed.run, "done")
    lent = await town.request(BEN, reason=WHY)
    await town.click(GRACE, lent)
    await town.stands(lent.run, "done")
    await day(town.home)
    await _lend(town)
    waiting = await town.request(BEN, reason=f"once more, {WHY}")
    return Week(lent=lent, waiting=waiting, decided=(named, denied, narrowed), documents=documents)


async def handbook(home: Path, folder: Path, *, who: str) -> Path:
    """Have the handbook read, with a document that names somebody."""
    folder.mkdir(exist_ok=True)
    for page in HANDBOOK.glob("*.md"):
        (folder / page.name).write_text(page.read_text(encoding="utf-8"), encoding="utf-8")
    (folder / DOCUMENT).write_text(_MENTION.format(who=who), encoding="utf-8")
    await command("ingest", str(folder), "--home", str(home))
    return folder


async def command(*arguments: str, codes: tuple[int, ...] = (0,)) -> str:
    """Run `countersign`, and return what it says on its standard output."""
    process = await asyncio.create_subprocess_exec(
        *python("bot.cli", *arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, error = await process.communicate()
    assert process.returncode in codes, f"{arguments}: {process.returncode}\n{out.decode()}\n{error.decode()}"
    return out.decode()


async def _questions(town: Town) -> None:
    await town.people.home("messages", as_=BEN)
    answered = await town.ask(BEN, ASKED)
    await town.ask(BEN, f"<@{BOT}> How many days of annual leave do I get?", channel=ASK_POLICY)
    await town.ask(ADA, "Does Ben Castellanos look after the laboratory?")
    rated = [one for one in answered["blocks"] if one["type"] == "context_actions"]
    if rated:
        element = rated[0]["elements"][0]
        bad = {"value": element["negative_button"]["value"]}
        where = {"channel": await town.dm(BEN), "message_ts": answered["ts"]}
        await town.people.action(feedback.RATE, as_=BEN, **where, **bad)
        view = await town.people.wait_for_view(as_=BEN, callback_id=feedback.WRONG)
        await town.people.submit(view["id"], _text(feedback.NOTE, "value", NOTED), as_=BEN)


async def _narrow(town: Town, asked: Asked) -> None:
    await town.click(BEN, asked, approval.EDIT)
    view = await town.people.wait_for_view(as_=BEN, callback_id=approval.CHANGE)
    group = {"text": {"type": "plain_text", "text": asked.group, "emoji": False}, "value": asked.group}
    values = {
        "group": {request.VALUE: {"type": "static_select", "selected_option": group}},
        "days": {request.VALUE: {"type": "number_input", "value": "1"}},
    }
    await town.people.submit(view["id"], values, as_=BEN)


async def _lend(town: Town) -> None:
    await town.people.command(delegation.COMMAND, as_=BEN, channel=await town.dm(BEN))
    view = await town.people.wait_for_view(as_=BEN, callback_id=lending.FORM)
    until_day = (datetime.now(UTC) + timedelta(days=20)).date().isoformat()
    values = {
        lending.PERSON: {lending.PERSON: {"type": "users_select", "selected_user": INES}},
        lending.DAY: {lending.DAY: {"type": "datepicker", "selected_date": until_day}},
    }
    await town.people.submit(view["id"], values, as_=BEN)

    async def lent() -> bool:
        return bool(await town.rows("SELECT 1 FROM delegation"))

    await until(lent, "Ben has lent his right")


def _text(block: str, action: str, value: str) -> Json:
    return {block: {action: {"type": "plain_text_input", "value": value}}}


def forms(word: str) -> set[bytes]:
    """How a word may stand in a file or a row: as it is, in JSON, in hexadecimal, and in base64."""
    found: set[bytes] = set()
    for text in {word, word.lower(), word.upper()}:
        raw = text.encode()
        found |= {raw, json.dumps(text)[1:-1].encode(), raw.hex().encode()}
        for shift in range(3):
            inner = base64.b64encode(b"\0" * shift + raw)[(0, 2, 3)[shift] : -4]
            found |= {inner} if len(inner) >= 8 else set()
    return found


async def rows_with(home: Path, words: tuple[str, ...]) -> tuple[int, dict[str, set[str]]]:
    """Dump every table, what is binary in it too; return the rows, and which words stand in which tables."""
    wanted = {word: forms(word) for word in words}
    count, found = 0, dict[str, set[str]]()
    async with open_owner(home, None) as conn:
        for table in stores.TABLES:
            cursor = await conn.execute(f"SELECT to_jsonb(t)::text, t::text FROM {table.name} AS t".encode())
            for said in await cursor.fetchall():
                count += 1
                text = "\n".join(said).encode()
                for word, needles in wanted.items():
                    if any(needle in text for needle in needles):
                        found.setdefault(table.name, set()).add(word)
    return count, found


OUTSIDE = ("directory/", "workspace/")  # the demo's stand-ins for systems that are not ours


def files_with(home: Path, words: tuple[str, ...]) -> tuple[int, dict[str, set[str]]]:
    """Scan every file of a home; return how many there are, and which words stand in which."""
    wanted = {word: forms(word) for word in words}
    count, found = 0, dict[str, set[str]]()
    for path in sorted(home.rglob("*")):
        place = path.relative_to(home).as_posix()
        if not path.is_file() or path.is_symlink() or place.startswith(OUTSIDE):
            continue
        count += 1
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # the database takes files away meanwhile
            continue
        for word, needles in wanted.items():
            if any(needle in content for needle in needles):
                found.setdefault(place, set()).add(word)
    return count, found
