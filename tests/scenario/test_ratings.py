"""Questions that are kept and answers that are rated, through a real workspace, database and directory."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.blocks import feedback
from bot.database import Database, open_database
from bot.gaps.questions import Questions, Rated
from bot.serving import in_bot
from connectors.sandbox import company
from connectors.sandbox.process import Running
from knowledge import build, embedder
from knowledge.sources.folder import Folder
from tests.scenario.slack_office import (
    ADA,
    ASK_POLICY,
    BEN,
    BOT,
    GRACE,
    INES,
    TOMAS,
    Office,
    Silence,
    open_office,
    texts,
    write_handbook,
)

Json = dict[str, Any]


@pytest.fixture
async def office(
    database: Database, database_home: Path, slack_home: Path, server: Running
) -> AsyncIterator[Office]:
    async with open_office(database, database_home, slack_home, server) as opened:
        yield opened


async def rows(office: Office, query: str) -> list[dict[str, Any]]:
    async with office.parts.pool.connection() as conn:
        return await (await conn.execute(query.encode())).fetchall()


async def subject(office: Office, user: str) -> str:
    return (await office.parts.identity.person(user, within=20)).subject


async def answered(office: Office, said: str, *, as_: str, channel: str) -> Json:
    """Say something, and return the bot's answer in the thread."""
    ts = await office.people.message(said, as_=as_, channel=channel)
    return await office.people.wait_for_message(
        lambda one: bool(one.get("bot_id")), as_=as_, channel=channel, thread_ts=ts, timeout=60
    )


def rating(message: Json) -> tuple[str, str]:
    """The values of the two buttons below an answer: good, bad."""
    element = next(block for block in message["blocks"] if block["type"] == "context_actions")["elements"][0]
    return element["positive_button"]["value"], element["negative_button"]["value"]


async def rate(office: Office, message: Json, value: str, *, as_: str, channel: str) -> None:
    done = await office.people.action(
        feedback.RATE, as_=as_, channel=channel, message_ts=message["ts"], value=value
    )
    assert done["acknowledged"]


async def test_what_is_not_covered_is_kept_without_saying_who_asked(office: Office) -> None:
    said = "may I bring my parrot to work? my number is +31 20 123 45 67"
    await answered(office, f"<@{BOT}> {said}", as_=ADA, channel=ASK_POLICY)
    (row,) = await rows(office, "SELECT * FROM question")
    assert row["said"] == "may I bring my parrot to work? my number is [number]"
    assert (row["status"], row["private"], row["audience"]) == ("not_covered", False, ["everyone"])
    assert row["nearest"][0]["document"].endswith(".md")
    assert row["owner"].endswith("@larkfield.example")
    known = str(row)
    who = (ADA, await subject(office, ADA), company.ADA.id, company.ADA.name, company.ADA.email)
    assert all(text not in known for text in who)


async def test_a_question_about_documents_of_some_carries_their_audience(office: Office) -> None:
    await answered(office, "Where does salary band four begin?", as_=INES, channel=await office.dm(INES))
    (row,) = await rows(office, "SELECT audience, private FROM question")
    assert row == {"audience": ["people-team"], "private": True}


async def test_another_tenant_sees_nothing_and_counts_people_with_another_key(
    office: Office, database_home: Path
) -> None:
    await answered(office, "May I bring my parrot to work?", as_=ADA, channel=await office.dm(ADA))
    async with open_database(database_home, None, tenant="somebody-else") as other:
        async with other.pool.connection() as conn:
            for table in ("question", "rating", "asker_salt"):
                cursor = await conn.execute(f"SELECT 1 FROM {table}".encode())
                assert await cursor.fetchall() == []
        questions = Questions(other.pool, keep_days=180)
        assert await questions.erase(await subject(office, ADA)) == (0, 0)
    assert len(await rows(office, "SELECT 1 FROM question")) == 1


async def test_a_rating_can_be_changed_and_counts_once(office: Office) -> None:
    message = await answered(
        office, f"<@{BOT}> how many days of annual leave do I get?", as_=ADA, channel=ASK_POLICY
    )
    good, bad = rating(message)
    await rate(office, message, good, as_=TOMAS, channel=ASK_POLICY)
    thanks = await office.people.wait_for_message(
        lambda one: "rating is recorded" in texts(one), as_=TOMAS, channel=ASK_POLICY
    )
    assert thanks["ephemeral"]
    await rate(office, message, bad, as_=TOMAS, channel=ASK_POLICY)
    view = await office.people.wait_for_view(as_=TOMAS, callback_id=feedback.WRONG)
    note = "It says nothing about part time. Ask me: tomas@larkfield.example"
    done = await office.people.submit(
        view["id"], {feedback.NOTE: {"value": {"type": "plain_text_input", "value": note}}}, as_=TOMAS
    )
    assert done["acknowledged"]
    await rate(office, message, bad, as_=GRACE, channel=ASK_POLICY)

    async def look() -> bool:
        return len(await rows(office, "SELECT 1 FROM rating WHERE NOT good")) == 2

    await office.people.wait_for(look, what="two bad ratings")

    async def noted() -> list[dict[str, Any]]:
        return await rows(office, "SELECT note FROM rating WHERE note <> ''")

    (kept,) = await office.people.wait_for(noted, what="the note")
    assert kept["note"] == "It says nothing about part time. Ask me: [email]"


async def test_what_only_the_asker_saw_only_the_asker_rates(office: Office) -> None:
    conversation = await office.dm(ADA)
    message = await answered(office, "How long is parental leave?", as_=ADA, channel=conversation)
    question, _ = feedback.vote(rating(message)[0])
    questions = office.parts.questions
    assert await questions.rate(question, await subject(office, BEN), good=False) is Rated.NOT_THEIRS
    assert await questions.rate("0" * 32, await subject(office, ADA), good=False) is Rated.GONE
    assert await questions.rate(question, await subject(office, ADA), good=False) is Rated.RECORDED
    assert len(await rows(office, "SELECT 1 FROM rating")) == 1


async def test_an_answer_to_a_command_can_be_rated_too(office: Office) -> None:
    await office.people.command("/ask", "How long is parental leave?", as_=BEN, channel=ASK_POLICY)
    message = await office.people.wait_for_message(
        lambda one: "sixteen weeks" in texts(one), as_=BEN, channel=ASK_POLICY, timeout=60
    )
    await rate(office, message, rating(message)[1], as_=BEN, channel=ASK_POLICY)
    await office.people.wait_for_view(as_=BEN, callback_id=feedback.WRONG)


async def test_a_gap_closes_by_itself_when_an_edition_answers_it(
    database: Database, database_home: Path, tmp_path: Path, server: Running
) -> None:
    home = tmp_path / "home"
    write_handbook(home)
    async with open_office(database, database_home, home, server) as office:
        for said in ("May I bring my parrot to work?", "who feeds the fish in the lobby?"):
            await answered(office, f"<@{BOT}> {said}", as_=ADA, channel=ASK_POLICY)
        assert [row["state"] for row in await rows(office, "SELECT state FROM question")] == ["open"] * 2
        (home / "source" / "parrots.md").write_text(
            "# Parrots\n\nMay I bring my parrot to work? Parrots are allowed at work on Fridays.\n"
        )
        with in_bot(home, database.conninfo) as serving:
            build.build(home, [Folder(home / "source")], embedder.load(home), Silence(), serving=serving)

        async def closed() -> list[dict[str, Any]]:
            return await rows(office, "SELECT said, edition FROM question WHERE state = 'closed'")

        (row,) = await office.people.wait_for(closed, timeout=60, what="the end of the gap")
        edition = office.parts.answering._shelf.edition().id
        assert row == {"said": "May I bring my parrot to work?", "edition": edition}

        async def all_asked() -> bool:
            return not await rows(office, f"SELECT 1 FROM question WHERE edition <> '{edition}'")

        await office.people.wait_for(all_asked, timeout=60, what="the other question asked again")
        assert len(await closed()) == 1


async def test_time_and_erasure_take_questions_away(office: Office) -> None:
    channel = await office.dm(ADA)
    good = await answered(office, "How long is parental leave?", as_=ADA, channel=channel)
    await answered(office, "May I bring my parrot to work?", as_=ADA, channel=channel)
    bad = await answered(
        office, f"<@{BOT}> how many days of annual leave do I get?", as_=BEN, channel=ASK_POLICY
    )
    await rate(office, bad, rating(bad)[1], as_=ADA, channel=ASK_POLICY)
    await office.people.wait_for_view(as_=ADA, callback_id=feedback.WRONG)
    assert len(await rows(office, "SELECT 1 FROM question")) == 3
    await office.move_clock(timedelta(days=8))
    await office.parts.questions.forget()
    left = {row["id"] for row in await rows(office, "SELECT id FROM question")}
    assert feedback.vote(rating(good)[0])[0] not in left
    assert feedback.vote(rating(bad)[0])[0] in left
    assert len(left) == 2
    questions = Questions(office.parts.pool, keep_days=180)  # as another process has it
    assert await questions.erase(await subject(office, ADA)) == (1, 1)
    assert await questions.erase(await subject(office, ADA)) == (0, 0)
    await office.move_clock(timedelta(days=173))
    await questions.forget()
    assert await rows(office, "SELECT 1 FROM question") == []
