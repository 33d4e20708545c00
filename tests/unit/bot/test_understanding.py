"""What people write is read beside the event loop, not without end, and in time that a click can wait."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from bot import understanding
from bot.language import vocabulary
from bot.redaction import redacted
from bot.render import exact, pieces, plain, quoted, safe
from bot.router import Kind, read_slots, route
from bot.understanding import LONGEST, Understanding
from graphs.workflows.it_access import hints as it_access

HINTS = {"it_access": it_access(["billing-db", "crm-readers"])}
WISH = "I need billing-db for 3 days to close the quarter"


async def test_a_message_is_read_in_one_thread_beside_the_event_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[str] = []

    def watched(text: str, **given: object) -> object:
        threads.append(threading.current_thread().name)
        return route(text, workflows={})

    monkeypatch.setattr(understanding, "route", watched)
    reader = Understanding(HINTS)
    await asyncio.gather(*(reader.message(f"message {number}") for number in range(20)))
    await reader.questions(["and before that?"])
    assert len(threads) == 21
    assert set(threads) == {"understanding_0"}
    reader.close()


async def test_the_event_loop_goes_on_while_a_message_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, clicked = threading.Event(), threading.Event()

    def slow(text: str, **given: object) -> object:
        reading.set()
        assert clicked.wait(30), "the loop stood still"
        return route(text, workflows={})

    monkeypatch.setattr(understanding, "route", slow)
    reader = Understanding(HINTS)
    message = asyncio.create_task(reader.message("how long is parental leave?"))
    async with asyncio.timeout(30):
        while not reading.is_set():
            await asyncio.sleep(0)
    clicked.set()
    assert (await message).route.kind is Kind.QUESTION
    reader.close()


async def test_no_more_than_the_first_4000_characters_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    def watched(text: str, **given: object) -> object:
        read.append(len(text))
        return route(text, workflows={})

    monkeypatch.setattr(understanding, "route", watched)
    reader = Understanding(HINTS)
    long = await reader.message("a, " * 13_333)
    assert (long.length, long.is_cut) == (39_999, True)
    assert not (await reader.message("a" * LONGEST)).is_cut
    assert (await reader.questions(["b" * 50_000]))[0] == "b" * LONGEST
    assert max(read) == LONGEST == 4_000
    reader.close()


async def test_what_a_command_says_is_read_in_the_same_way() -> None:
    reader = Understanding(HINTS)
    assert await reader.slots("billing-db for 3 days") == {"it_access": {"group": "billing-db", "days": "3"}}
    assert (await reader.message(WISH)).route.workflow == "it_access"
    reader.close()


def repeated() -> Iterator[str]:
    """Yield what the patterns and loops look for, once each: words that they step over, openings, marks."""
    for words in (
        vocabulary.FILLERS,
        vocabulary.DETERMINERS,
        vocabulary.AFTER_OPTION,
        vocabulary.PREAMBLE,
        vocabulary.PREPOSITIONS,
        vocabulary.VAGUE,
        vocabulary.LEADS,
    ):
        yield from sorted(words)
    yield from (
        "a,",
        "<@U1",
        "<@U1|",
        "<@U1>",
        "<https://a|",
        "<!a^",
        "&lt;",
        "`",
        "```",
        '"',
        "'",
        "“",
        "\u2018a",
    )
    yield from (
        "\n>",
        "\n",
        ">",
        "@",
        "a'",
        "a.",
        "a-",
        "aaa",
        "\u200b",
        "e\u0301",
        "👍",
        "1",
        "1 day",
        "for 1",
    )
    yield from ("i need", "i really", "please give me", "talk to", "do you", "so what", "is that ok", "human")
    yield from ("eyJaaaaaaaa.", "a@a.", "aB1", "AA11", "11", "1:", "2020-", "My name is A", "password:", "((")
    yield from (
        "bearer",
        "-----BEGIN A PRIVATE KEY-----",
        "0.0.0.",
        "don't know",
        "customer",
        "x\ud83d",
        "\x00",
    )


READERS: dict[str, Callable[[str], object]] = {
    "route": lambda text: route(text, workflows=HINTS),
    "slots": lambda text: read_slots(text, HINTS["it_access"]),
    "redacted": lambda text: redacted(text, 600),
    "rendered": lambda text: (
        safe(text),
        plain(text, 75),
        quoted(text, 2000),
        pieces(text, 2900),
        exact(text),
    ),
}


@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
def test_nothing_that_is_repeated_takes_long_to_read(reader: Callable[[str], object]) -> None:
    """In seconds of the processor, so that a busy machine changes nothing: most take some hundredths."""
    for piece in sorted(set(repeated())):
        apart = f"{piece} " * LONGEST
        for text in (apart if piece.isalpha() else piece * LONGEST, f"i need billing-db for {apart}"):
            begun = time.thread_time()
            reader(text[:LONGEST])
            assert time.thread_time() - begun < 1, piece
