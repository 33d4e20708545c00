"""D4: whatever Slack refuses is sent once it is mended, or replaced, or shown to somebody who can mend it."""

import random
import secrets
import sys
import tempfile
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

from bot import refusals
from bot.database import open_database
from bot.refusals import Cure
from bot.storage.embedded import Embedded
from tests.abuse import grounds
from tests.figures.record import Figure, none_wrong
from tests.scenario import test_slack_refusals as slack
from tests.unit.bot import test_truth as truth

SEED, SAMPLE = 4, 48
Check = Callable[[slack.Desk, str, str], Awaitable[None]]

PRINTED = {  # and how many cases there are at least
    slack.refused_everywhere: (
        "at every kind of message, for long and everywhere; messages that nobody is shown then, or that are"
        " not there once when Slack accepts them",
        1441,
    ),
    slack.change_refused: ("when a message that is there changes; the same", 524),
    slack.told_in_private: ("in a channel, at every answer to a person; those not told in private", 132),
    slack.said_plainly: ("of form, at every kind of message; no plain text there, or not listed", 341),
}


def errors() -> list[str]:
    """Return every error that Slack documents or the local workspace answers with, and others."""
    ours = {refusals.UNSET, refusals.UNDRAWN, "HTTP"}
    return sorted({*truth.slack_codes(), slack.UNKNOWN, "HTTP 500", "HTTP 503"} - ours)


def cases() -> Iterator[tuple[Check, str, str]]:
    """Yield what is tried: how, the kind of message, and the error."""
    for error in errors():
        for kind in slack.KINDS:
            yield slack.refused_everywhere, kind, error
            if kind in slack.DRAWN:
                yield slack.change_refused, kind, error
            if kind in {"reply", "ephemeral"} and refusals.cure(error) is Cure.OPERATOR_HERE:
                yield slack.told_in_private, kind, error
            if refusals.cure(error) is Cure.OTHER_WORDS:
                yield slack.said_plainly, kind, error


async def measure(*, quick: bool) -> AsyncIterator[Figure]:
    """Have each error answered to each kind of message, or a sample of that."""
    chosen = defaultdict[Check, defaultdict[str, list[str]]](lambda: defaultdict(list))
    every = list(cases())
    for check, kind, error in random.Random(SEED).sample(every, SAMPLE) if quick else every:
        chosen[check][kind].append(error)
    with grounds.unlogged(), tempfile.TemporaryDirectory(prefix="countersign-refusals-") as name:
        home = Path(name) / "home"
        home.mkdir()
        grounds.hurry(home)
        async with Embedded(home):
            for check, (words, least) in PRINTED.items():
                kinds = chosen[check]
                wrong = [one for kind, of in kinds.items() for one in await _tried(home, check, kind, of)]
                sys.stderr.writelines(f"wrong, {check.__name__}: {one}\n" for one in wrong)
                tried = sum(map(len, kinds.values()))
                codes = {error for of in kinds.values() for error in of}
                what = f"{len(codes)} errors of Slack {words}"
                yield none_wrong("D4", what, tried=tried, wrong=len(wrong), least=1 if quick else least)


async def _tried(home: Path, check: Check, kind: str, errors: list[str]) -> list[str]:
    """Return what did not hold, each kind of message in a database of its own."""
    wrong = []
    async with (
        open_database(home, None, tenant=f"refusals-{secrets.token_hex(6)}") as database,
        slack.opened(database) as desk,
    ):
        for error in errors:
            try:
                await check(desk, kind, error)
            except AssertionError as found:
                wrong.append(f"{kind} {error}: {str(found).splitlines()[0]}")
    return wrong
