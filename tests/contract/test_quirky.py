"""Directories differ. Each difference is handled, or named in so many words; none is taken for an answer."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connectors.base import Mint, Sight
from connectors.directory import Directory, Membership, Some, open_directory
from connectors.errors import Ambiguous, ConnectorError, Denied, Invalid, NotFound, Unavailable, Unsupported
from connectors.http import Limits
from connectors.permits import Grant, act_under
from tests.contract.quirky import EVERY, Quirks, World, http_date, serving

ADDRESS = "ada@x.example"
MUST = ("reading people and groups", "finding a person by e-mail address", "the groups of one person")

HANDLED = {
    "as the standard says": Quirks(),
    "no filter on emails.value": Quirks(filters=EVERY - {"emails.value"}),
    "no addresses: the user name is one": Quirks(addresses=False),
    "no addresses, and no filter on them": Quirks(addresses=False, filters=EVERY - {"emails.value"}),
    "a filter on members instead of members.value": Quirks(filters=EVERY - {"members.value"}),
    "no filter on members, groups in the record": Quirks(
        filters=EVERY - {"members.value", "members"}, own_groups=True
    ),
    "a filter on members that is ignored, groups in the record": Quirks(
        ignores=frozenset({"members.value", "members"}), own_groups=True
    ),
    "lists without members": Quirks(members=False),
    "lists that are cut": Quirks(shows=1),
    "attributes that are not honoured": Quirks(brief=False),
    "a manager as text": Quirks(manager="text"),
    "a manager as a reference": Quirks(manager="reference"),
    "a manager in a list": Quirks(manager="list"),
    "malformed addresses beside the right one": Quirks(odd_address=True),
    "PATCH that removes by a list of values": Quirks(removes="list"),
    "PUT only": Quirks(patch=False),
    "PATCH that adds and does not remove": Quirks(removes="never"),
    "answers of two records": Quirks(page=2),
    "a lag of some looks": Quirks(lag=3),
}


def company(quirks: Quirks) -> World:
    world = World(quirks=quirks)
    world.person("ada", boss="grace")
    for name in ("grace", "ben", "tomas"):
        world.person(name)
    world.group("everyone", "ada", "ben", "grace", "tomas")
    for number in range(4):
        world.group(f"team-{number}", "ada")
    world.group("billing-db", "ben", "grace")
    world.group("empty")
    return world


@asynccontextmanager
async def opened(world: World, **more: Any) -> AsyncIterator[Directory]:
    with serving(world) as url:
        async with open_directory(url, "t" * 20, write_token="w" * 20, issuer="x") as directory:
            yield Directory(directory._scim, "x", writer=directory._writer, looks=(0.0,) * 4, **more)


@contextmanager
def acting() -> Iterator[None]:
    """As inside an operation's `apply`."""
    mint = Mint()
    payload = Membership(group="billing-db", person="ada")
    try:
        permit = mint.permit("test.act", payload, "k")
        grant: Grant = permit.grant
        with permit.open(), act_under(grant):
            yield
    finally:
        mint.retire()


async def grant(directory: Directory) -> None:
    """All that a grant asks of a directory."""
    ada = await directory.person_by_email(ADDRESS)
    group = await directory.find_group("billing-db")
    with acting():
        await directory.set_member(group.id, ada.id, member=True)


@pytest.mark.parametrize("quirks", HANDLED.values(), ids=HANDLED.keys())
async def test_what_differs_is_handled(quirks: Quirks) -> None:
    world = company(quirks)
    async with opened(world) as directory:
        ada = await directory.person_by_email(ADDRESS)
        assert (ada.id, ada.email, ada.name, ada.manager, ada.active) == (
            "ada",
            ADDRESS,
            "Ada",
            "grace",
            True,
        )
        assert ada == await directory.person("ada")
        assert len(ada.groups) == 5
        group = (await directory.find_group("billing-db")).id
        with acting():
            assert await directory.set_member(group, "ada", member=True)
            assert world.members(group) == {"ada", "ben", "grace"}
            sent = len(world.changes)
            assert not await directory.set_member(group, "ada", member=True)
            assert len(world.changes) == sent
            assert len((await directory.person("ada")).groups) == 6
            assert await directory.set_member(group, "ada", member=False)
            assert world.members(group) == {"ben", "grace"}
            assert len((await directory.person("ada")).groups) == 5


@pytest.mark.parametrize("quirks", HANDLED.values(), ids=HANDLED.keys())
async def test_no_list_of_members_is_asked_for_to_learn_of_one_person(quirks: Quirks) -> None:
    world = company(quirks)
    async with opened(world) as directory:
        await directory.person_by_email(ADDRESS)
        await directory.sight("id-billing-db", "ada")
        await directory.is_shown("id-billing-db", "ben")
    assert not [asked for asked in world.asked if asked.startswith("Groups/")]


@pytest.mark.parametrize("quirks", HANDLED.values(), ids=HANDLED.keys())
async def test_what_is_handled_is_found_to_be_in_order(quirks: Quirks) -> None:
    async with opened(company(quirks)) as directory:
        found = {one.name: one for one in await directory.examine()}
    assert all(found[name].ok for name in MUST), found
    assert found["changing one membership"].ok
    assert found["whose turn it is to approve"].ok is quirks.members


@pytest.mark.parametrize(
    ("quirks", "missing", "text"),
    [
        (
            Quirks(ignores=EVERY),
            "finding a person by e-mail address",
            "ignores a filter on emails.value",
        ),
        (
            Quirks(filters=EVERY - {"emails.value", "userName"}),
            "finding a person by e-mail address",
            "neither a filter on emails.value nor one on userName",
        ),
        (
            Quirks(filters=EVERY - {"members.value", "members"}),
            "the groups of one person",
            "refuses a filter on members.value",
        ),
        (
            Quirks(ignores=frozenset({"members.value", "members"})),
            "the groups of one person",
            "ignores a filter on members.value",
        ),
        (
            Quirks(ignores=frozenset({"displayName"})),
            "finding a group by name",
            "ignores a filter on displayName",
        ),
        (
            Quirks(patch=False, versions=False),
            "changing one membership",
            "neither PATCH nor versions",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_what_is_missing_is_named_and_grants_nobody_anything(
    quirks: Quirks, missing: str, text: str
) -> None:
    world = company(quirks)
    async with opened(world) as directory:
        found = {one.name: one for one in await directory.examine()}
        assert not found[missing].ok
        assert text in found[missing].detail
        assert found[missing].mend
        with pytest.raises(ConnectorError) as caught:
            await grant(directory)
        assert not isinstance(caught.value, Unavailable | Ambiguous)
        assert caught.value.system == "directory"
    assert "ada" not in world.members("id-billing-db")


async def test_a_server_that_begins_to_ignore_filters_grants_nobody_from_that_moment_on() -> None:
    world = company(Quirks())
    async with opened(world) as directory:
        assert len((await directory.person("ada")).groups) == 5
        world.quirks = Quirks(ignores=frozenset({"members.value", "members"}))
        with pytest.raises(Unsupported):
            await directory.person("ben")
        with pytest.raises(Unsupported):
            await directory.is_shown("id-billing-db", "ada")


async def test_a_proof_that_filters_are_honoured_serves_for_a_while() -> None:
    world = company(Quirks())
    async with opened(world) as directory:
        await directory.person("ada")
        world.asked.clear()
        await directory.person("ben")
    assert [asked.partition(" ")[0] for asked in world.asked] == ["Users/ben", "Groups"]


# What must end.


@pytest.mark.parametrize("quirks", HANDLED.values(), ids=HANDLED.keys())
async def test_a_removal_is_sent_whether_or_not_anybody_sees_who_is_to_go(quirks: Quirks) -> None:
    """PUT cannot remove whom the list does not show, and they are not in it."""
    world = company(quirks)
    async with opened(world) as directory:
        with acting():
            if not quirks.patch or quirks.removes == "never":
                with pytest.raises(Invalid, match="does not show who is to go"):
                    await directory.set_member("id-billing-db", "ada", member=False)
                return
            assert not await directory.set_member("id-billing-db", "ada", member=False)
    (sent,) = world.changes
    assert sent["op"] == "remove"
    assert world.members("id-billing-db") == {"ben", "grace"}


async def test_a_server_that_says_yes_and_does_nothing_has_ended_nothing() -> None:
    world = company(Quirks(silent=True))
    async with opened(world) as directory:
        with acting(), pytest.raises(Ambiguous, match="does not show it"):
            await directory.set_member("id-billing-db", "ben", member=False)
    assert len(world.changes) == 1


async def test_a_lag_longer_than_the_looks_is_ambiguous_and_nothing_is_sent_twice() -> None:
    world = company(Quirks(lag=1000))
    async with opened(world) as directory:
        with acting(), pytest.raises(Ambiguous):
            await directory.set_member("id-billing-db", "ben", member=False)
    assert len(world.changes) == 1


@pytest.mark.parametrize(
    ("quirks", "person", "group", "expected"),
    [
        (Quirks(), "ben", "id-billing-db", Sight.THERE),
        (Quirks(), "ada", "id-billing-db", Sight.GONE),  # she is shown in others
        (Quirks(), "new", "id-billing-db", Sight.GONE),  # the question shows others in it
        (Quirks(), "new", "id-empty", Sight.GONE),  # the directory says that nobody is in it
        (Quirks(), "new", "id-deleted", Sight.GONE),
        (Quirks(members=False), "new", "id-billing-db", Sight.NOT_SEEN),
        (Quirks(members=False, filters=EVERY - {"id"}), "new", "id-empty", Sight.NOT_SEEN),
        (Quirks(members=False, ignores=frozenset({"id"})), "new", "id-empty", Sight.NOT_SEEN),
    ],
)
async def test_absence_is_not_proof(quirks: Quirks, person: str, group: str, expected: Sight) -> None:
    world = company(quirks)
    world.person("new")
    async with opened(world) as directory:
        assert await directory.sight(group, person) is expected


async def test_what_ended_and_cannot_be_seen_at_all_is_not_said_to_have_ended() -> None:
    world = company(Quirks(members=False))
    world.person("new")
    async with opened(world) as directory:
        with acting(), pytest.raises(Ambiguous):
            await directory.set_member("id-billing-db", "new", member=False)
    assert len(world.changes) == 1


async def test_a_deleted_group_has_nobody_and_one_made_anew_is_another() -> None:
    world = company(Quirks())
    async with opened(world) as directory:
        old = world.group("crm", "ben")
        world.groups["id-of-the-new-one"] = world.groups.pop(old)
        with acting():
            await directory.set_member(old, "ben", member=False)
        assert await directory.sight(old, "ben") is Sight.GONE
        assert (await directory.find_group("crm")).id == "id-of-the-new-one"
        with pytest.raises(NotFound):
            await directory.named(old)
    assert world.members("id-of-the-new-one") == {"ben"}


async def test_a_put_never_replaces_a_list_that_is_kept_from_us() -> None:
    world = company(Quirks(patch=False, members=False))
    async with opened(world) as directory:
        with acting():
            for member in (True, False):
                with pytest.raises(Invalid, match="does not show the members"):
                    await directory.set_member("id-billing-db", "ada" if member else "ben", member=member)
    assert world.members("id-billing-db") == {"ben", "grace"}
    assert not world.changes


# Some members.


@pytest.mark.parametrize(
    ("quirks", "group", "most", "ids", "every"),
    [
        (Quirks(), "id-everyone", 9, ("ada", "ben", "grace", "tomas"), True),
        (Quirks(), "id-everyone", 2, ("ada", "ben"), False),
        (Quirks(), "id-empty", 9, (), True),
        (Quirks(members=False), "id-everyone", 9, (), False),
        (Quirks(members=False, filters=EVERY - {"id"}), "id-empty", 9, (), False),
    ],
)
async def test_some_members_say_whether_they_are_all(
    quirks: Quirks, group: str, most: int, ids: tuple[str, ...], *, every: bool
) -> None:
    async with opened(company(quirks)) as directory:
        some = await directory.some_members(group, most)
    assert (some.ids, some.every) == (ids, every)


# What people are told.


@pytest.mark.parametrize(
    ("status", "headers", "kind", "key"),
    [
        (401, {}, Denied, "connector.denied"),
        (403, {}, Denied, "connector.denied"),
        (429, {"Retry-After": "3"}, Unavailable, "connector.busy"),
        (500, {}, Unavailable, "connector.failing"),
        (503, {}, Unavailable, "connector.failing"),
        (400, {}, Invalid, "connector.invalid"),
    ],
)
async def test_an_answer_is_never_called_silence(
    status: int, headers: dict[str, str], kind: type[ConnectorError], key: str
) -> None:
    world = company(Quirks())
    world.answers = [(status, headers)] * 2
    async with opened(world) as directory:
        with pytest.raises(kind) as caught:
            await directory.person("ada")
    assert (caught.value.key, caught.value.system) == (key, "directory")
    assert "does not answer" not in str(caught.value)


async def test_silence_is_called_silence() -> None:
    with serving(World()) as url:
        pass  # gone again
    async with open_directory(url, "t" * 20) as directory:
        with pytest.raises(Unavailable, match="does not answer") as caught:
            await directory.person("ada")
    assert (caught.value.key, caught.value.system) == ("connector.unavailable", "directory")


@pytest.mark.parametrize(
    ("said", "least", "most"),
    [
        ("7", 7, 7),
        ("86400", 900, 900),
        (timedelta(seconds=40), 30, 41),
        (timedelta(days=3), 900, 900),
        (timedelta(seconds=-40), None, None),
        ("soon", None, None),
        ("", None, None),
    ],
)
async def test_how_long_to_wait_is_read_from_a_number_or_a_date(
    said: str | timedelta, least: float | None, most: float | None
) -> None:
    world = company(Quirks())
    value = said if isinstance(said, str) else http_date(datetime.now(UTC) + said)
    world.answers = [(429, {"Retry-After": value})]
    async with opened(world) as directory:
        with pytest.raises(Unavailable) as caught:
            await directory.person("ada")
    seconds = caught.value.retry_after
    assert seconds is None if least is None or most is None else least <= (seconds or 0) <= most


async def test_somebody_whose_only_address_is_another_is_not_found_by_their_user_name() -> None:
    world = company(Quirks())
    world.person("eve", emails=[{"value": "eve@x.example"}], userName="grace@y.example")
    async with opened(world) as directory:
        world.quirks = Quirks(addresses=False)
        with pytest.raises(NotFound):
            await directory.person_by_email("grace@y.example")


# Size.


async def test_a_directory_of_50_000_people_and_10_000_groups_answers_a_click_in_time() -> None:
    """The group of all is in the answer about nobody, the lists of members are never asked for."""
    world = World(quirks=Quirks())
    world.people = {
        f"p{number}": {"userName": f"p{number}@x.example", "active": True} for number in range(50_000)
    }
    world.group("everyone", *world.people)
    for number in range(10_000):
        world.group(f"team-{number}", *(f"p{number + one}" for one in range(3)))
    async with opened(world) as directory:
        person = await directory.person_by_email("p7@x.example")
        assert len(person.groups) == 4
        assert await directory.sight("id-everyone", "p7") is Sight.THERE
        some = await directory.some_members("id-everyone", 20)
        assert (len(some.ids), some.every) == (20, False)


async def test_an_answer_that_is_too_large_is_not_read_beyond_its_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = company(Quirks(brief=False, filters=EVERY, ignores=frozenset({"members.value", "members"})))
    world.groups["id-everyone"]["members"] = [f"p{number}" for number in range(50_000)]
    async with opened(world) as directory:
        with pytest.raises(Unsupported, match="ignores a filter on members"):
            await directory.person("ada")
        monkeypatch.setattr(directory._scim._client, "limits", Limits(largest=100_000))
        with pytest.raises(ConnectorError, match="more than"):
            await directory.person("ada")
        assert await directory.some_members("id-everyone", 9) == Some(ids=(), every=False)
        assert (await directory.some_members("id-billing-db", 9)).ids == ("ben", "grace")
