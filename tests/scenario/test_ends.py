"""What must end is sent and confirmed, or its owner is told: whatever the directory shows or refuses.

A lying directory is made of a real one by patching what is read of it or sent to it.
"""

from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from bot.database import Database
from connectors.directory import AddToGroup
from connectors.directory.records import GroupRecord
from connectors.directory.scim import Scim
from connectors.errors import Ambiguous, Conflict, Denied, Invalid, NotFound, Unavailable
from connectors.sandbox import company, process
from graphs import audit
from graphs.drive import MOST
from graphs.ending import TOLD
from graphs.engine.machine import kind
from graphs.records import RunStatus
from graphs.sections import ClauseRef
from graphs.workflows import break_glass
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.break_glass import end as break_glass_end
from tests.scenario.desk import Office, open_office

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
GROUP = company.record_id("Group", "billing-db")
ADA = company.ADA.id

Patch = pytest.MonkeyPatch


@pytest.fixture
async def scim(tmp_path: Path) -> AsyncIterator[process.Running]:
    async with process.directory(tmp_path / "directory", faults=True) as server:
        yield server


@pytest.fixture
async def office(database: Database, database_home: Path, scim: process.Running) -> AsyncIterator[Office]:
    rules = break_glass.Rules(
        groups={"billing-db": break_glass.EmergencyGroup(approvers=("data-owners",), max_minutes=60)},
        clause=ClauseRef(document="it-access.md", anchor="temporary-access-to-data"),
        channel="C0ACCESS",
        alarm_channel="C0ALARMS",
        review_channel="C0REVIEWS",
        reviewers="security",
    )
    more = (kind(BreakGlass(rules)), break_glass_end.workflow())
    async with open_office(database, database_home, scim, more=more) as opened:
        operation = opened.connectors.registry.operation("directory.add_to_group")
        assert isinstance(operation, AddToGroup)
        operation._directory._looks = (0.0,)  # no test waits
        yield opened


@pytest.fixture
def administrator(scim: process.Running) -> Any:
    headers = {"Authorization": f"Bearer {scim.token}", "Content-Type": "application/scim+json"}
    with httpx.Client(base_url=scim.url, headers=headers, trust_env=False, verify=False) as http:
        yield http


async def granted(office: Office) -> str:
    run = await office.ask(WANTED)
    await office.click(office.desk.cards[0], "grace.lindqvist")
    assert ADA in await truly(office)
    return run


async def truly(office: Office) -> frozenset[str]:
    return (await office.connectors.directory.group(GROUP)).members


def cut_list(patch: Patch) -> None:
    """The list of a group does not show her."""
    read = Scim._read

    async def cut(self: Scim, model: Any, one: str) -> Any:
        found = await read(self, model, one)
        if not isinstance(found, GroupRecord):
            return found
        return found.model_copy(update={"members": [m for m in (found.members or ()) if m.value != ADA]})

    patch.setattr(Scim, "_read", cut)


def hidden(patch: Patch) -> None:
    """No search shows the group."""
    search = Scim._search

    async def without(self: Scim, model: Any, wanted: str) -> Any:
        return [one for one in await search(self, model, wanted) if one.id != GROUP]

    patch.setattr(Scim, "_search", without)


def nothing_shown(patch: Patch) -> None:
    """No search shows anything."""

    async def none(self: Scim, model: Any, wanted: str) -> Any:
        return []

    cut_list(patch)
    patch.setattr(Scim, "_search", none)


def swallowed(patch: Patch) -> None:
    """The directory says yes, and does nothing."""

    async def yes(self: Scim, *args: Any, **kwargs: Any) -> None:
        return None

    patch.setattr(Scim, "patch_member", yes)


def swallowed_and_cut(patch: Patch) -> None:
    swallowed(patch)
    cut_list(patch)


def refused(error: Exception) -> Callable[[Patch], None]:
    def patched(patch: Patch) -> None:
        async def refuse(self: Scim, *args: Any, **kwargs: Any) -> None:
            raise error

        patch.setattr(Scim, "patch_member", refuse)
        patch.setattr(Scim, "put_group", refuse)

    patched.__name__ = type(error).__name__
    return patched


def unreadable(error: Exception) -> Callable[[Patch], None]:
    def patched(patch: Patch) -> None:
        async def refuse(self: Scim, *args: Any, **kwargs: Any) -> Any:
            raise error

        patch.setattr(Scim, "_search", refuse)

    patched.__name__ = f"unreadable_{type(error).__name__}"
    return patched


@pytest.mark.parametrize("hide", [cut_list, hidden], ids=lambda hide: hide.__name__)
async def test_an_end_is_sent_although_nobody_sees_the_membership(
    office: Office, hide: Callable[[Patch], None]
) -> None:
    await granted(office)
    with pytest.MonkeyPatch.context() as patch:
        hide(patch)
        await office.later(timedelta(days=3, hours=1))
    assert ADA not in await truly(office)
    assert office.desk.keys == ["granted", "revoked"]


STUCK = [
    nothing_shown,
    swallowed,
    swallowed_and_cut,
    refused(Denied("no")),
    refused(Invalid("no")),
    refused(Ambiguous("perhaps")),
    refused(Unavailable("silence")),
    refused(Conflict("busy")),
    unreadable(Denied("no")),
    unreadable(Unavailable("silence")),
]


@pytest.mark.parametrize("stick", STUCK, ids=lambda stick: stick.__name__)
async def test_an_end_that_is_not_confirmed_has_an_owner_who_is_told_and_is_tried_again(
    office: Office, stick: Callable[[Patch], None]
) -> None:
    run = await granted(office)
    card = office.desk.cards[0]
    with pytest.MonkeyPatch.context() as patch:
        stick(patch)
        await office.later(timedelta(days=3, hours=1))
        for _ in range(MOST if stick is swallowed else TOLD):
            await office.later(timedelta(minutes=2))
        assert "revoked" not in office.desk.keys
        assert office.desk.beside.count((card, "not_ended")) >= 1
        told = {notice.key: notice.facts for _, notice in office.desk.told}
        assert ("dead" in told) is (stick is swallowed)
        assert {facts["ends"] for key, facts in told.items() if key != "granted"} == {"yes"}
        assert told["retrying"]["error"].startswith("connector.")
        assert "membership.not_ended" in await kinds(office)
        if stick.__name__.startswith("unreadable"):  # nobody can look, and it was sent all the same
            assert ADA not in await truly(office)
    await office.later(timedelta(hours=1, minutes=1))  # mended: it is tried every hour
    assert ADA not in await truly(office)
    assert "revoked" in office.desk.keys
    assert (await office.runs.run(run)).status is RunStatus.DONE


async def kinds(office: Office) -> set[str]:
    async with office.database.pool.connection() as conn:
        return {event.kind async for event in audit.read(conn)}


async def test_a_group_that_was_renamed_is_left_all_the_same(office: Office, administrator: Any) -> None:
    await granted(office)
    record = administrator.get(f"/Groups/{GROUP}").json() | {"displayName": "invoices-db"}
    administrator.put(f"/Groups/{GROUP}", json=record).raise_for_status()
    await office.later(timedelta(days=3, hours=1))
    assert ADA not in await truly(office)
    assert office.desk.keys == ["granted", "revoked"]


async def test_a_deleted_group_took_the_access_with_it(office: Office, administrator: Any) -> None:
    await granted(office)
    administrator.delete(f"/Groups/{GROUP}").raise_for_status()
    await office.later(timedelta(days=3, hours=1))
    assert office.desk.keys == ["granted", "group_deleted"]
    assert not office.desk.beside


@pytest.mark.parametrize("inside", [True, False])
async def test_a_group_made_anew_is_another_and_who_is_in_it_is_told_of(
    office: Office, administrator: Any, *, inside: bool
) -> None:
    await granted(office)
    administrator.delete(f"/Groups/{GROUP}").raise_for_status()
    body = {
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
        "displayName": "billing-db",
        "members": [{"value": ADA}] if inside else [{"value": company.BEN.id}],
    }
    anew = administrator.post("/Groups", json=body).raise_for_status().json()["id"]
    await office.later(timedelta(days=3, hours=1))
    members = (await office.connectors.directory.group(anew)).members
    assert (ADA in members) is inside
    if inside:
        (notice,) = [notice for _, notice in office.desk.told if notice.key == "failed"]
        assert notice.facts["key"] == "in_new_group"
        assert "revoked" not in office.desk.keys
        assert office.desk.beside == [(office.desk.cards[0], "not_ended")]
    else:
        assert office.desk.keys == ["granted", "group_deleted"]


async def test_who_was_a_member_before_it_was_given_is_not_said_to_have_lost_it(office: Office) -> None:
    run = await office.ask(WANTED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("connectors.directory.memberships.Change.add", _was_there)
        await office.click(office.desk.cards[0], "grace.lindqvist")
    assert (await office.runs.run(run)).status is RunStatus.DONE
    await office.later(timedelta(days=3, hours=1))
    assert ADA in await truly(office)
    assert office.desk.keys == ["granted", "was_before"]


async def _was_there(change: Any) -> bool:
    """Somebody has added the person a moment before."""
    await change.writer.patch_member(change.group, change.person, member=True)
    return False


async def emergency(office: Office) -> None:
    ada = await office.person("ada.okafor")
    await office.runs.start(
        workflow="break_glass",
        values={"group": "billing-db", "minutes": "30", "reason": "the billing is down"},
        requester=ada,
        origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
        key="emergency",
    )
    await office.work()
    for who in ("grace.lindqvist", "ben.castellanos"):
        await office.click(office.desk.cards[0], who)
    assert ADA in await truly(office)


@pytest.mark.parametrize("stick", [swallowed, refused(Denied("no"))], ids=lambda stick: stick.__name__)
async def test_emergency_access_that_does_not_end_is_said_aloud_and_tried_again(
    office: Office, stick: Callable[[Patch], None]
) -> None:
    await emergency(office)
    with pytest.MonkeyPatch.context() as patch:
        stick(patch)
        await office.later(timedelta(minutes=31))
        for _ in range(4):
            await office.later(timedelta(minutes=2))
        assert [key for _, key in office.desk.alarms] == ["asked", "granted", "not_ended"]
        assert not office.desk.reviews
    await office.later(timedelta(minutes=2))
    assert ADA not in await truly(office)
    assert [key for _, key in office.desk.alarms][-1] == "ended"
    assert office.desk.reviews


async def test_a_deleted_record_is_no_reason_to_stop(office: Office, administrator: Any) -> None:
    """Her account is gone, and the directory keeps the membership: it is taken away by its id."""
    await granted(office)
    administrator.delete(f"/Users/{ADA}").raise_for_status()
    await office.later(timedelta(days=3, hours=1))
    assert ADA not in await truly(office)
    with pytest.raises(NotFound):
        await office.connectors.directory.person(ADA)
    assert office.desk.keys[-1] == "revoked"
