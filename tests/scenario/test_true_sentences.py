"""Every error of the directory at the requests of a workflow: what people read is what is so.

From each request in turn, as long as a run makes that many, the directory fails with one class of error until
the run rests or has ended; what its message and its thread say is compared with who is a member in the real
directory. Then the fault is lifted, and the run goes on to its end.
"""

import itertools
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from bot import sentences
from bot.blocks import progress
from connectors import http
from connectors.errors import ConnectorError, NotFound, TooLarge
from graphs import cases, drive
from graphs.records import Answered, ApprovalStatus, RunStatus, Verdict
from tests.scenario.desk import Office
from tests.unit.bot.test_truth import OF_OTHERS, PATIENCE, SILENT, is_silent, passes_by_itself

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
NONE = ConnectorError("none is planted")
ADA, GRACE = "ada.okafor", "grace.lindqvist"
MEMBER = ("and not taken it back", "Done: access to")
NAMED = ("company directory", "such group", "nobody who may approve")  # what an answer may stop a request for
NOT_MEMBER = ("I have changed nothing", "have taken it back", "to* has ended", "I have ended")


@dataclass
class Planted:
    """Counts the requests to the directory, and has them fail from one on."""

    seen: int = 0
    since: int | None = None
    error: ConnectorError = NONE

    def check(self) -> None:
        self.seen += 1
        if self.since is not None and self.seen >= self.since:
            self.error.system = ""
            raise self.error

    @contextmanager
    def failing(self, error: ConnectorError, since: int | None) -> Iterator[None]:
        self.seen, self.since, self.error = 0, since, error
        yield
        self.since = None


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> Planted:
    plan = Planted()
    real: Callable[..., Any] = http.Client.request

    async def request(self: object, method: str, url: str, **kwargs: object) -> Any:
        plan.check()
        return await real(self, method, url, **kwargs)

    monkeypatch.setattr(http.Client, "request", request)
    monkeypatch.setattr(drive, "MOST", 4)
    return plan


async def asked(office: Office, plan: Planted, error: ConnectorError, since: int | None) -> str:
    """Ask, and have the directory fail from a request on that planning it makes."""
    ada = await office.person(ADA)
    with plan.failing(error, since):
        run = await office.runs.start(
            workflow="it_access", values=WANTED, requester=ada, origin={}, key=secrets.token_hex(8)
        )
        await tried(office, run)
    return run


async def approved(office: Office, plan: Planted, error: ConnectorError, since: int | None) -> str:
    """Ask and approve, and have the directory fail from a request on that carrying it out makes."""
    run = await asked(office, plan, NONE, None)
    card, grace = await office.pending(run), await office.person(GRACE)
    await office.runs.decide(card.id, Verdict.APPROVE, by=grace)
    with plan.failing(error, since):
        await tried(office, run)
    return run


async def ended(office: Office, plan: Planted, error: ConnectorError, since: int | None) -> str:
    """Ask, approve, let the time pass, and have the directory fail from a request on that ending it makes."""
    granted = await approved(office, plan, NONE, None)
    run = await end_of(office, granted)
    with plan.failing(error, since):
        await office.later(timedelta(days=3, hours=1))
        await tried(office, run)
    return run


async def end_of(office: Office, run: str) -> str:
    async with office.database.pool.connection() as conn:
        cursor = await conn.execute("SELECT id FROM run WHERE slots->>'run' = %s", (run,))
        row = await cursor.fetchone()
    assert row is not None
    return str(row["id"])


async def tried(office: Office, run: str) -> None:
    """Work on a run as often as it is tried by itself."""
    await office.work()
    for _ in range(drive.MOST):
        if (await office.runs.run(run)).status is RunStatus.RETRYING:
            await office.runs.advance(run)


async def said(office: Office, run: str) -> tuple[str, str]:
    """Return what a run's message shows, and what its thread heard last."""
    shown = progress.progress(await office.runs.run(run))
    heard = [progress.notice(notice, requester=None).text for of, notice in office.desk.told if of == run]
    return str([shown.text, *shown.blocks]), heard[-1] if heard else ""


def is_true(text: str, error: ConnectorError, *, member: bool) -> None:
    """Assert that nothing is claimed which is not so."""
    for wrong in NOT_MEMBER if member else MEMBER:
        assert wrong not in text, (error.key, member, text)
    if not is_silent(error):
        assert not any(claim in text for claim in SILENT), (error.key, text)
    if not passes_by_itself(error):
        assert not any(claim in text for claim in PATIENCE if "minute" in claim), (error.key, text)
    assert "Slack" not in text


@pytest.mark.parametrize("phase", [asked, approved, ended])
async def test_what_people_read_is_so_whatever_the_directory_answers(
    office: Office, planted: Planted, phase: Callable[..., Any]
) -> None:
    for _ in range(2):  # the first one also asks what the names of groups stand for
        run = await phase(office, planted, NONE, None)
        if phase is asked:
            await office.click((await office.pending(run)).id, GRACE)
        await office.later(timedelta(days=4))
    # A directory that says of the group itself that it is gone has said that the access has ended.
    errors = [error for error in OF_OTHERS if phase is not ended or not isinstance(error, NotFound)]
    for since, error in enumerate(itertools.cycle(errors), start=1):
        run = await phase(office, planted, error, since)
        if planted.seen < since:  # how many there are depends on what is still remembered
            break
        member = "Ada Okafor" in await office.members("billing-db")
        shown, heard = await said(office, run)
        is_true(shown, error, member=member)
        is_true(heard, error, member=member)
        # Of a list that is too long to be read nobody says that it is too short.
        waits = isinstance(error, TooLarge) and (await office.runs.run(run)).status is RunStatus.WAITING
        assert waits or any(named in shown for named in NAMED), (error.key, since, shown)
        await recover(office, run)
    assert since > 2


async def test_a_click_that_the_directory_fails_counts_for_nothing_and_says_why(
    office: Office, planted: Planted
) -> None:
    run = await asked(office, planted, NONE, None)
    card, grace = await office.pending(run), await office.person(GRACE)
    for error in OF_OTHERS:
        if isinstance(error, NotFound):  # it answers, and says that somebody has left
            continue
        with planted.failing(error, 1):
            answered = await office.runs.decide(card.id, Verdict.APPROVE, by=grace)
        said = sentences.ANSWERS[answered]
        is_true(said, error, member=False)
        assert "company directory" in said, (error.key, said)
        assert (await office.approval(card.id)).votes == (), error.key
    assert (await office.runs.run(run)).status is RunStatus.WAITING
    assert await office.click(card.id, GRACE) is Answered.RECORDED


async def recover(office: Office, run: str) -> None:
    """Go on without a fault until nothing is lent any more."""
    async with office.database.pool.connection() as conn:
        await cases.revive(conn, run)
    await office.runs.advance(run)
    for card in office.desk.cards:
        if (await office.approval(card)).status is ApprovalStatus.PENDING:
            await office.click(card, GRACE, Verdict.DENY, "enough")
    await office.later(timedelta(days=4))
    assert "Ada Okafor" not in await office.members("billing-db")
