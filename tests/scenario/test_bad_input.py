"""What people, documents, tokens and neighbours get wrong: a clear sentence each, and the bot lives on."""

import asyncio
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bot.blocks import approval, request
from bot.blocks.reason import REASON
from bot.demo import home as demo
from connectors.sandbox.supervision import python
from tests.town import (
    ADA,
    APPROVERS,
    ASK_POLICY,
    BEN,
    GRACE,
    INES,
    PATIENCE,
    TOMAS,
    Town,
    copied,
    nothing_left,
    text,
    until,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOT = "<@U0COUNTERSIGN>"
HOSTILE = (
    "<!channel> <!here> <!everyone> <@U0GRACE> *bold* <https://evil.example|our policy> & co <!subteam^S1>"
)
PINGS = re.compile(r"<!(?!date\^)|<@(?!U0[A-Z]+>)|<https?://evil")


async def alive(town: Town) -> None:
    """The bot still answers."""
    found = await town.ask(TOMAS, "How many weeks of parental leave do I get?")
    assert "[1]" in text(found)


def written(value: Any) -> Iterator[str]:
    """Every string in which Slack would read a mention, a link or a broadcast."""
    if isinstance(value, dict):
        if value.get("type") == "plain_text":
            return
        for name, inner in value.items():
            if name != "private_metadata":
                yield from written(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from written(inner)
    elif isinstance(value, str):
        yield value


async def posts(town: Town) -> list[str]:
    """Everything that the bot has posted, answered or opened, as Slack would read it."""
    found: list[str] = []
    for call in await town.people.log():
        args = {
            name: json.loads(value) if isinstance(value, str) and value[:1] in "[{" else value
            for name, value in call["args"].items()
            if name in {"text", "blocks", "view"}
        }
        found += written(args)
    for who, channel in ((ADA, APPROVERS), (GRACE, APPROVERS), (ADA, ASK_POLICY)):
        if who == ADA and channel == APPROVERS:
            continue
        for one in await town.people.messages(as_=who, channel=channel):
            if one.get("bot_id") or one.get("ephemeral"):
                found += written({name: one.get(name) for name in ("text", "blocks")})
    return found


async def harmless(town: Town) -> None:
    """Nobody was called by what somebody wrote, and nothing became a link."""
    for said in await posts(town):
        mentions = set(re.findall(r"<@(\w+)>", said))
        assert not PINGS.search(said), said
        assert "evil.example" not in said or "&lt;https://evil.example" in said, said
        assert mentions <= {ADA, GRACE, BEN, INES, TOMAS, "U0COUNTERSIGN"}


async def test_a_question_without_words_is_answered_with_what_can_be_asked(town: Town) -> None:
    said = await town.ask(ADA, BOT, channel=ASK_POLICY)
    assert text(said)
    for empty in ("", "   "):
        before = len(await town.whispers(ADA, channel=ASK_POLICY))
        done = await town.people.command("/ask", empty, as_=ADA, channel=ASK_POLICY)
        assert done["acknowledged"]
        await town.whispered(ADA, "/ask", before=before, channel=ASK_POLICY)
    await town.ask(ADA, "???")
    await alive(town)


async def test_forty_thousand_characters_are_too_many_to_read(town: Town) -> None:
    words = ("how many days of leave " * 2000)[:39_000]
    said = await town.ask(ADA, words)
    assert "3,000" in text(said), text(said)
    before = len(await town.whispers(ADA, channel=ASK_POLICY))
    assert (await town.people.command("/ask", words, as_=ADA, channel=ASK_POLICY))["acknowledged"]
    await town.whispered(ADA, "3,000", before=before, channel=ASK_POLICY)
    said = await town.ask(ADA, f"{BOT} {'<!channel>' * 3900}", channel=ASK_POLICY)
    await harmless(town)
    await alive(town)


async def test_what_people_write_calls_nobody_and_becomes_no_link(town: Town) -> None:
    await town.ask(ADA, f"{BOT} how many days of leave {HOSTILE}", channel=ASK_POLICY)
    await town.ask(ADA, f"what is {HOSTILE}?")
    await town.people.command("/ask", HOSTILE, as_=ADA, channel=ASK_POLICY)

    asked = await town.request(ADA, reason=HOSTILE)
    (card,) = await town.cards(asked.group)
    assert "@channel @here @everyone" in text(card), "the approver reads all that was written"
    assert "our policy & co" in text(card)

    group = await town.group()
    await town.people.command("/request", f"{group} 3 days", as_=INES, channel=ASK_POLICY)
    view = await town.people.wait_for_view(as_=INES, callback_id=request.FORM, timeout=PATIENCE)
    values = {
        "group": {request.VALUE: {"selected_option": {"value": group}}},
        "days": {request.VALUE: {"value": "3"}},
        "reason": {request.VALUE: {"value": HOSTILE}},
    }
    assert not (await town.people.submit(view["id"], values, as_=INES)).get("errors")
    from_form = await town.asked(group)

    await town.click(GRACE, from_form, approval.DENY)
    view = await town.people.wait_for_view(as_=GRACE, callback_id=approval.DENIAL, timeout=PATIENCE)
    reason = {REASON: {REASON: {"value": HOSTILE}}}
    assert not (await town.people.submit(view["id"], reason, as_=GRACE)).get("errors")
    await town.heard(INES, "denied by Grace Lindqvist: <!channel>")
    await harmless(town)
    await alive(town)


@pytest.mark.parametrize(
    ("fault", "advice"),
    [
        ("down", "Please try again"),
        ("delay_before", "Please try again"),
        ("garbage", "Please tell whoever operates me"),
        ("denied", "Please tell whoever operates me"),
    ],
)
async def test_a_directory_that_cannot_say_who_asks_costs_a_second_try(
    town: Town, fault: str, advice: str
) -> None:
    await town.people.bootstrap(as_=ADA)
    await town.fault(fault, seconds=4, times=0)
    before = len(await town.whispers(ADA, channel=ASK_POLICY))
    await town.people.command("/ask", "how much is the meal allowance?", as_=ADA, channel=ASK_POLICY)
    await town.whispered(ADA, advice, before=before, channel=ASK_POLICY)
    await town.directory.delete("/_sandbox/faults")
    before = len(await town.whispers(ADA, channel=ASK_POLICY))
    await town.people.command("/ask", "how much is the meal allowance?", as_=ADA, channel=ASK_POLICY)
    await town.whispered(ADA, "[1]", before=before, channel=ASK_POLICY)


@pytest.mark.parametrize("fault", ["down", "delay_before"])
async def test_a_click_that_the_directory_cannot_vouch_for_is_not_used_up(town: Town, fault: str) -> None:
    asked = await town.request(ADA)
    await town.fault(fault, seconds=4, times=0)
    before = len(await town.whispers(GRACE))
    assert (await town.click(GRACE, asked))["acknowledged"], "in three seconds, whatever the directory does"
    await town.whispered(GRACE, "Please try again", before=before)
    assert await town.status(asked.run) == "waiting"
    await town.directory.delete("/_sandbox/faults")
    await town.click(GRACE, asked)
    await town.stands(asked.run, "done")
    assert await town.changes(asked.group) == ["added"]


async def test_a_form_that_the_directory_cannot_vouch_for_keeps_what_was_filled_in(town: Town) -> None:
    group = await town.group()
    await town.people.command("/request", f"{group} 3 days to try", as_=ADA, channel=ASK_POLICY)
    view = await town.people.wait_for_view(as_=ADA, callback_id=request.FORM, timeout=PATIENCE)
    values = {
        "group": {request.VALUE: {"selected_option": {"value": group}}},
        "days": {request.VALUE: {"value": "3"}},
        "reason": {request.VALUE: {"value": "try"}},
    }
    await town.fault("down", times=0)
    refused = await town.people.submit(view["id"], values, as_=ADA)
    assert "Please try again" in next(iter(refused["errors"].values()))
    await town.directory.delete("/_sandbox/faults")
    assert not (await town.people.submit(view["id"], values, as_=ADA)).get("errors")
    assert (await town.asked(group)).group == group


async def countersign(*words: str, **environment: str) -> tuple[int, str]:
    """Run a command to its end. Returns the exit code and what it said."""
    process = await asyncio.create_subprocess_exec(
        *python("bot.cli", *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, "COLUMNS": "200", **environment},
    )
    async with asyncio.timeout(PATIENCE):
        said, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, " ".join(said.decode().split())


@pytest.fixture
def own_home(town: Town, prepared_home: Path, tmp_path: Path) -> Iterator[Path]:
    """A home that is no demo's, set up for the running workspace and directory."""
    home = copied(prepared_home, tmp_path / "home")
    (home / demo.MARK).unlink()
    (home / "countersign.toml").write_bytes((town.home / "countersign.toml").read_bytes())
    with nothing_left(home):
        yield home


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"SLACK_BOT_TOKEN": "xoxb-wrong"}, "SLACK_BOT_TOKEN"),
        ({"SLACK_APP_TOKEN": "xapp-wrong"}, "SLACK_APP_TOKEN"),
        ({"SLACK_API_URL": "http://127.0.0.1:9/api/"}, "cannot be reached"),
    ],
    ids=["bot token", "app token", "address"],
)
async def test_a_wrong_token_ends_the_bot_with_what_to_change(
    town: Town, own_home: Path, wrong: dict[str, str], sentence: str
) -> None:
    tokens = demo.tokens(town.home)
    given = {
        "SLACK_BOT_TOKEN": tokens.bot,
        "SLACK_APP_TOKEN": tokens.app,
        "COUNTERSIGN_DIRECTORY_TOKEN": tokens.directory,
        "COUNTERSIGN_DIRECTORY_WRITE_TOKEN": tokens.directory_writes,
        "COUNTERSIGN_SECRETS_KEY": (own_home / "secrets.key").read_text().strip(),
    }
    code, said = await countersign("run", "--home", str(own_home), **{**given, **wrong})
    assert code not in {0, -9}
    assert sentence in said, said
    assert "Traceback" not in said
    assert "wrong" not in said, "a token is not repeated"


async def test_a_bot_without_tokens_says_which_it_needs(own_home: Path) -> None:
    (own_home / "secrets.crypt").unlink()
    (own_home / "secrets.key").unlink()
    code, said = await countersign("run", "--home", str(own_home))
    assert code not in {0, -9}
    assert "SLACK_BOT_TOKEN" in said
    assert "Traceback" not in said


async def test_a_home_of_a_demo_is_refused_by_run(town: Town) -> None:
    code, said = await countersign("run", "--home", str(town.home))
    assert code not in {0, -9}
    assert "belongs to a demo" in said
    await alive(town)


async def test_a_reading_that_fails_leaves_the_policies_that_serve(town: Town, tmp_path: Path) -> None:
    """The bot goes on answering from the edition that it has."""
    empty = tmp_path / "empty"
    empty.mkdir()
    (tmp_path / "broken.pdf").write_bytes(b"%PDF-1.7 and nothing else")
    for source in (empty, tmp_path / "absent", tmp_path / "broken.pdf"):
        code, said = await countersign("ingest", str(source), "--home", str(town.home))
        assert code not in {0, -9}, said
        assert source.name in said
        assert "Traceback" not in said
    await alive(town)
    await until(town.people.connections, "the bots' connections")
