"""`countersign gaps` as owners and operators meet it, on a real database and real editions."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from bot.commands.knowledge import library_of
from bot.database import open_database, open_owner
from bot.gaps.questions import Asked, Questions, audience_of
from bot.storage.embedded import Embedded
from knowledge.edition import Reader
from tests.scenario.slack_office import ACCESS, LEAVE, SALARIES

TODAY = date(2026, 3, 2)
PARROTS = (
    "May I bring my parrot to work?",
    "are parrots allowed at work",
    "can I take my parrot to the office?",
)
PEOPLE, IT = "people@larkfield.example", "it@larkfield.example"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A home with a small handbook, whose database server runs for all tests here."""
    home = tmp_path_factory.mktemp("gaps")
    (home / "source").mkdir()
    for name, text in {"leave.md": LEAVE, "it-access.md": ACCESS, "salaries.md": SALARIES}.items():
        (home / "source" / name).write_text(text, encoding="utf-8")
    with asyncio.Runner() as runner:
        server = Embedded(home)
        runner.run(server.__aenter__())
        run(home, "ingest", str(home / "source"))
        yield home
        runner.run(server.__aexit__(None, None, None))


@pytest.fixture
def home(served: Path) -> Iterator[Path]:
    """The home without any question."""
    yield served
    asyncio.run(_owner(served, "DELETE FROM question"))


def run(home: Path, *arguments: str, typed: str | None = None, code: int = 0) -> Result:
    runner = CliRunner(env={"COUNTERSIGN_SECRETS_KEY": "opens the file of this test, and no other"})
    result = runner.invoke(app, [*arguments, "--home", str(home)], input=typed)
    assert result.exit_code == code, result.output
    return result


def listed(home: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(home, "gaps", "--json", *arguments).stdout)["gaps"]
    return found


def asked(
    home: Path, *said: tuple[str, str], groups: tuple[str, ...] = (), earlier: tuple[str, ...] = ()
) -> list[str]:
    """Let people, by subject, ask; return the ids under which that is kept."""
    library = library_of(home)
    reader = Reader(today=TODAY, audiences=frozenset({"everyone", *groups}))

    async def keep() -> list[str]:
        found = []
        async with open_database(home, None) as database:
            questions = Questions(database.pool, keep_days=180)
            for who, text in said:
                answer = library.ask(text, reader=reader, history=earlier)
                put = Asked(
                    answer=answer,
                    earlier=earlier,
                    asker=who,
                    private=bool(groups),
                    audience=audience_of(answer, library.edition, reader),
                )
                found.append(await questions.keep(put))
        return found

    return asyncio.run(keep())


def rated_badly(home: Path, question: str, *raters: str) -> None:
    async def rate() -> None:
        async with open_database(home, None) as database:
            for rater in raters:
                questions = Questions(database.pool, keep_days=180)
                await questions.rate(question, rater, good=False)
                await questions.note(question, rater, "It says nothing about part time.\x1b[2J")

    asyncio.run(rate())


async def _owner(home: Path, query: str, *values: object) -> list[tuple[Any, ...]]:
    async with open_owner(home, None) as conn:
        cursor = await conn.execute(query.encode(), values)
        return await cursor.fetchall() if cursor.description else []


@contextmanager
def later(home: Path, span: timedelta) -> Iterator[None]:
    asyncio.run(_owner(home, "UPDATE clock SET shift = %s", span))
    try:
        yield
    finally:
        asyncio.run(_owner(home, "UPDATE clock SET shift = interval '0'"))


def test_without_gaps_it_says_so(home: Path) -> None:
    assert "no gaps" in run(home, "gaps").output
    assert listed(home) == []


def test_the_same_in_other_words_is_one_gap_and_people_count_more_than_questions(home: Path) -> None:
    asked(home, *((f"p{number}", text) for number, text in enumerate(PARROTS)))
    asked(
        home, *(("flooder", f"where can I park my car number {number} at the office?") for number in range(9))
    )
    first, second = listed(home)
    assert (first["people"], first["questions"]) == (3, 3)
    assert first["question"] in PARROTS
    assert (second["people"], second["questions"]) == (1, 9)
    assert first["trend"] == "new"
    assert listed(home, "--limit", "1") == [first]
    shown = run(home, "gaps").output
    assert "parrot" in shown


def test_an_answered_question_is_a_gap_once_somebody_rated_it_badly(home: Path) -> None:
    (question,) = asked(home, ("ada", "How many days of annual leave do I get?"))
    assert listed(home) == []
    rated_badly(home, question, "ben", "ada")
    (gap,) = listed(home)
    assert (gap["people"], gap["bad_ratings"], gap["owner"]) == (2, 2, PEOPLE)
    assert gap["nearest"]["document"] == "leave.md"
    shown = run(home, "gaps", "show", question[:8]).output
    assert "nothing about part time.[2J" in shown
    assert "\x1b[2J" not in shown


def test_an_owner_sees_what_is_nearest_to_their_documents_or_to_nobodys(home: Path) -> None:
    asked(home, ("ada", "which colour should the access badge of a visiting plumber have?"))
    owners = {gap["owner"] for gap in listed(home)}
    assert owners == {IT}
    assert listed(home, "--owner", PEOPLE) == []
    assert len(listed(home, "--owner", IT.upper())) == 1


def test_time_narrows_and_trends(home: Path) -> None:
    asked(home, ("ada", PARROTS[0]))
    with later(home, timedelta(days=10)):
        asked(home, ("ben", PARROTS[1]), ("cas", PARROTS[2]))
        (gap,) = listed(home)
        assert (gap["week"], gap["week_before"], gap["trend"], gap["days"]) == (2, 1, "rising", 2)
        (recent,) = listed(home, "--since", "7d")
        assert recent["questions"] == 2


def test_a_gap_that_is_put_aside_is_gone_until_somebody_asks_again(home: Path) -> None:
    ids = asked(home, ("ada", PARROTS[0]), ("ben", PARROTS[1]))
    run(home, "gaps", "dismiss", ids[1], "--reason", "We have no parrots.")
    assert listed(home) == []
    asked(home, ("cas", PARROTS[2]))
    assert [gap["questions"] for gap in listed(home)] == [1]


def test_a_reviewed_answer_becomes_a_document_and_closes_the_gap(home: Path) -> None:
    first, _ = asked(home, ("ada", PARROTS[0]), ("ben", PARROTS[1]))
    written = run(
        home, "gaps", "answer", first, "--text", "-", "--title", "Parrots at work: yes", "--owner", PEOPLE,
        typed="May I bring my parrot to work? Parrots are allowed at work on Fridays, in a closed cage.\n",
    )  # fmt: skip
    document = f"answers/parrots-at-work-yes-{first[:8]}.md"
    assert document in written.output.replace("\n", "")
    text = (home / document).read_text(encoding="utf-8")
    assert all(
        line in text
        for line in ("title: 'Parrots at work: yes'", f"owner: {PEOPLE}", "- everyone", "version: '1'")
    )
    assert "ada" not in text
    before = run(home, "gaps", "check").output
    assert "closed: 0" in before
    assert f"Still open: what {document} was written for" in before.replace("\n", " ")
    assert f"Answer written: {document}" in run(home, "gaps").output
    run(home, "ingest", str(home / "source"))
    done = run(home, "gaps", "check").output
    assert "closed: 2" in done
    assert "Still open" not in done
    assert listed(home) == []
    answer = json.loads(run(home, "ask", PARROTS[0], "--json").stdout)
    assert answer["status"] == "answered"
    assert answer["citations"][0]["document"] == document
    ((edition, count),) = asyncio.run(
        _owner(home, "SELECT edition, count(*) FROM question WHERE state = 'closed' GROUP BY 1")
    )
    assert (edition, count) == (answer["edition"], 2)
    ((body,),) = asyncio.run(_owner(home, "SELECT body FROM audit_event WHERE kind = 'gap.answered'"))
    assert json.loads(body)["facts"]["document"] == document
    assert PEOPLE not in body
    assert "Each as it was written" in run(home, "audit", "verify").output
    (home / document).unlink()
    run(home, "ingest", str(home / "source"))


def test_an_answer_about_documents_of_some_is_for_them_alone(home: Path) -> None:
    (question,) = asked(
        home, ("ines", "who polishes the trophy for the best paid salary band?"), groups=("people-team",)
    )
    (gap,) = listed(home)
    assert gap["audiences"] == [["people-team"]]
    assert "About documents for people-team only" in run(home, "gaps").output
    run(
        home, "gaps", "answer", question, "--text", "-", "--title", "Bands", "--owner", PEOPLE,
        "--effective", "2027-01-01", typed="Bands grow with inflation.\n",
    )  # fmt: skip
    (path,) = (home / "answers").glob("*.md")
    text = path.read_text(encoding="utf-8")
    assert "audience:\n- people-team\n" in text
    assert "effective: 2027-01-01" in text
    run(
        home, "gaps", "answer", question, "--text", "-", "--title", "Salary bands", "--owner", PEOPLE,
        "--audience", "everyone", typed="# Salary bands\nThey grow.\n",
    )  # fmt: skip
    assert [one.name for one in (home / "answers").glob("*.md")] == [path.name]
    again = path.read_text(encoding="utf-8")
    assert "audience:\n- everyone\n" in again
    assert "version: '2'" in again
    path.unlink()


def test_what_strangers_write_is_data_everywhere(home: Path) -> None:
    hostile = (
        "[bold]parrot[/bold] \x1b]0;pwned\x07 '; DROP TABLE question; -- \u202egnp.exe \ud83e\udd9c 鹦鹉 "
        + "x" * 2500
    )
    (question,) = asked(home, ("eve", hostile))
    for command in (("gaps",), ("gaps", "show", question)):
        shown = run(home, *command).output
        assert "[bold]" in shown.replace("\n", "")
        assert not any(mark in shown for mark in ("\x1b]", "\x07", "\u202e"))
    (gap,) = listed(home)
    assert len(gap["question"]) == 600
    assert not list(home.rglob("answers/*"))


def test_a_follow_up_is_grouped_and_asked_again_with_what_was_said_before(home: Path) -> None:
    asked(home, ("ada", "and at the weekend?"), earlier=(PARROTS[0],))
    asked(home, ("ben", "and at the weekend?"), earlier=("where can I park my car at the office?",))
    questions = {gap["question"] for gap in listed(home)}
    assert questions == {"and at the weekend?"}
    assert len(listed(home)) == 2
    assert f"After: {PARROTS[0]}" in run(home, "gaps").output


def test_a_home_where_no_bot_has_run_gets_no_database(tmp_path: Path) -> None:
    assert "No bot has answered anybody" in run(tmp_path, "gaps", code=2).output.replace("\n", " ")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("gaps", "--since", "soon"), "Write it like 12h, 30d or 8w"),
        (("gaps", "show", "ffffffff"), "There is no open gap ffffffff"),
        (("gaps", "dismiss", "ffffffff", "--reason", " "), "Say why"),
        (
            ("gaps", "answer", "x", "--text", "nothing.md", "--title", "T", "--owner", PEOPLE),
            "cannot be read",
        ),
        (("gaps", "answer", "x", "--text", "-", "--title", "T", "--owner", "people"), "no e-mail address"),
        (("gaps", "erase", "ada@larkfield.example"), "cannot be looked up"),
    ],
)
def test_bad_input_is_answered_with_what_to_do(home: Path, arguments: tuple[str, ...], said: str) -> None:
    result = run(home, *arguments, typed="text", code=2)
    assert said in result.output.replace("\n", " ")


def test_an_answer_that_says_nothing_is_refused_and_leaves_nothing(home: Path) -> None:
    (question,) = asked(home, ("ada", PARROTS[0]))
    for title, text, said in (("T", "  \u200b \n", "answer is empty"), ("...", "Yes.", "title says nothing")):
        result = run(
            home, "gaps", "answer", question, "--text", "-", "--title", title, "--owner", PEOPLE,
            typed=text, code=2,
        )  # fmt: skip
        assert said in result.output.replace("\n", " ")
    assert not list(home.rglob("answers/*"))


def test_everything_of_a_person_is_erased(home: Path) -> None:
    asked(home, ("https://directory#ada", PARROTS[0]), ("ben", PARROTS[1]))
    assert "1 questions, 0 ratings" in run(home, "gaps", "erase", "https://directory#ada").output
    assert [gap["questions"] for gap in listed(home)] == [1]
