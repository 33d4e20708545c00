"""The directory never hands out another record than was asked for, whatever the server answers."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from connectors.base import Mint, Payload
from connectors.directory import Directory, Membership, open_directory
from connectors.directory.scim import Scim
from connectors.errors import Ambiguous, Conflict, ConnectorError, Invalid, Mismatch, NotFound, Unavailable
from connectors.registry import Connectors, connect
from connectors.sandbox import company

Connected = tuple[Connectors, Mint]

PEOPLE = [person.id for person in company.PEOPLE]


@pytest.fixture
def people(connected: Connected) -> Directory:
    return connected[0].directory


def ids(*groups: str) -> set[str]:
    return {company.record_id("Group", name) for name in groups}


async def test_a_person_is_found_by_email_in_any_case_of_letters(people: Directory) -> None:
    ada = await people.person_by_email(" Ada.OKAFOR@Larkfield.Example ")

    assert ada.subject == f"{company.ISSUER}#{company.ADA.id}"
    assert (ada.name, ada.email, ada.title) == (
        "Ada Okafor",
        "ada.okafor@larkfield.example",
        "Financial analyst",
    )
    assert ada.manager == company.GRACE.id
    assert ada.groups == ids("employees", "finance")
    assert ada.active
    assert ada == await people.person(company.ADA.id)


async def test_everybody_at_the_company_is_as_the_company_says(people: Directory, server: Any) -> None:
    for name in company.REQUESTABLE:
        server.set_members(name, frozenset())
    for employee in company.PEOPLE:
        person = await people.person_by_email(employee.email)
        assert (person.id, person.name, person.active) == (employee.id, employee.name, employee.active)
        assert person.groups == ids(*(set(employee.groups) - set(company.REQUESTABLE)))
        assert person.country == employee.country


@pytest.mark.parametrize(
    ("addresses", "country"),
    [
        ([], ""),
        ([{"type": "home", "country": "BE"}], ""),
        ([{"type": "home", "country": "BE", "primary": True}], "BE"),
        ([{"type": "home", "country": "BE", "primary": True}, {"type": "work", "country": "nl"}], "NL"),
        ([{"type": "work", "country": "Netherlands"}], ""),
    ],
)
async def test_where_somebody_works_is_their_country(
    people: Directory, server: Any, addresses: list[dict[str, Any]], country: str
) -> None:
    server.change(f"/v2/Users/{company.BEN.id}", addresses=addresses)
    assert (await people.person(company.BEN.id)).country == country


async def test_a_group_is_found_by_name_with_its_members(people: Directory) -> None:
    group = await people.group_by_name("Data-Owners")

    assert (group.id, group.name) == (company.record_id("Group", "data-owners"), "data-owners")
    assert group.members == {company.GRACE.id, company.BEN.id}
    assert group == await people.group(group.id)


@pytest.mark.parametrize(
    "email",
    ["nobody@larkfield.example", 'x" or userName pr or userName eq "', "ada.okafor", "*", "a\\", "ådä@x"],
)
async def test_an_unknown_address_is_not_found_and_cannot_bend_the_filter(
    people: Directory, email: str
) -> None:
    with pytest.raises(NotFound):
        await people.person_by_email(email)


async def test_nothing_asked_for_is_invalid(people: Directory) -> None:
    for call in (people.person_by_email, people.group_by_name, people.person, people.group):
        with pytest.raises(Invalid):
            await call("")


async def test_a_subject_names_a_person_of_this_directory_only(people: Directory) -> None:
    ada = await people.person(company.ADA.id)

    assert await people.person_of(ada.subject) == ada
    for other in (f"elsewhere#{ada.id}", f"{ada.issuer}x#{ada.id}", ada.id, f"#{ada.id}"):
        with pytest.raises(NotFound):
            await people.person_of(other)


async def test_an_id_that_would_lead_elsewhere_is_not_followed(people: Directory) -> None:
    for odd in ("..", f"../Groups/{company.GROUPS[0].id}", "?filter=x", "a/b", "%2e%2e"):
        with pytest.raises((NotFound, Invalid)):
            await people.person(odd)


async def test_a_server_that_ignores_filters_grants_nobody(people: Directory, server: Any) -> None:
    server.arm("everybody", times=0, on="search")

    for email in ("ada.okafor@larkfield.example", "nobody@larkfield.example"):
        with pytest.raises(Mismatch):
            await people.person_by_email(email)
    with pytest.raises(Mismatch):
        await people.group_by_name("billing-db")
    with pytest.raises(Mismatch):
        await people.person(company.ADA.id)  # her groups would be all groups


async def test_the_record_of_another_id_is_refused(people: Directory, server: Any) -> None:
    server.arm("another", times=0, on="read")

    for call in (
        people.person(company.ADA.id),
        people.person_by_email(company.ADA.email),
        people.group_by_name("billing-db"),
        people.group(company.GROUPS[0].id),
    ):
        with pytest.raises(Mismatch):
            await call


async def test_a_search_that_lags_behind_is_overruled_by_the_record(people: Directory, server: Any) -> None:
    server.arm("stale", times=0, on="search", resource="Users")
    path = f"/v2/Users/{company.TOMAS.id}"
    server.change(path, active=False)
    try:
        assert not (await people.person_by_email(company.TOMAS.email)).active
    finally:
        server.change(path, active=True)


async def test_an_address_that_has_moved_to_somebody_else_leads_to_nobody(
    people: Directory, server: Any
) -> None:
    server.arm("stale", times=0, on="search", resource="Users")
    path = f"/v2/Users/{company.TOMAS.id}"
    server.change(path, emails=[{"value": "former@larkfield.example"}])
    try:
        with pytest.raises(Mismatch):
            await people.person_by_email(company.TOMAS.email)
    finally:
        server.clear()
        server.change(path, emails=[{"value": company.TOMAS.email, "type": "work", "primary": True}])


async def test_a_record_older_than_the_search_showed_is_refused(people: Directory, server: Any) -> None:
    server.arm("stale", times=0, on="read", resource="Users")
    path = f"/v2/Users/{company.TOMAS.id}"
    server.http.patch(
        path,
        json={
            "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
            "Operations": [{"op": "replace", "path": "title", "value": "Customer support lead"}],
        },
    ).raise_for_status()
    try:
        with pytest.raises(Mismatch):
            await people.person_by_email(company.TOMAS.email)
    finally:
        server.clear()
        server.change(path, title=company.TOMAS.title)


async def test_two_people_of_one_address_are_a_conflict(people: Directory, server: Any) -> None:
    path = f"/v2/Users/{company.NOOR.id}"
    mine = {"value": company.NOOR.email, "type": "work", "primary": True}
    server.change(path, emails=[mine, {"value": company.ADA.email}])
    try:
        with pytest.raises(Conflict):
            await people.person_by_email(company.ADA.email)
    finally:
        server.change(path, emails=[mine])


async def test_a_caller_that_cannot_wait_is_told_in_time(people: Directory, server: Any) -> None:
    server.arm("delay_before", times=0, seconds=5)
    clock = asyncio.get_running_loop().time
    started = clock()

    with pytest.raises(Unavailable):
        await people.person_by_email(company.ADA.email, within=0.2)

    assert clock() - started < 2


async def test_a_search_of_many_pages_is_read_to_its_end(people: Directory, server: Any) -> None:
    groups = [
        server.http.post(
            "/v2/Groups",
            json={
                "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Group"],
                "displayName": f"project {number}",
                "members": [{"value": company.JUN.id}],
            },
        ).json()["id"]
        for number in range(120)
    ]
    try:
        assert len((await people.person(company.JUN.id)).groups) == 120
    finally:
        for group in groups:
            server.http.delete(f"/v2/Groups/{group}").raise_for_status()


async def test_the_sandbox_has_all_that_is_needed(server: Any) -> None:
    async with open_directory(server.url, server.read_token, write_token=server.token) as directory:
        findings = await directory.examine()
    assert len(findings) == 6
    assert [one for one in findings if not one.ok] == []


async def test_a_refused_credential_is_the_one_finding(server: Any) -> None:
    async with open_directory(server.url, "not-the-token-at-all") as directory:
        (finding,) = await directory.examine()
    assert not finding.ok
    assert "refuses our credential" in finding.detail
    assert "secrets set directory_token" in finding.mend


async def test_a_directory_over_plain_http_elsewhere_is_refused(server: Any) -> None:
    for url in ("http://directory.larkfield.example/v2", "ftp://127.0.0.1/v2", "127.0.0.1/v2", ""):
        with pytest.raises(Invalid):
            async with connect(directory=replace(server.settings, url=url)):
                pass


# Changes.


async def add(connected: Connected, person: str, group: str = "billing-db") -> Any:
    connectors, mint = connected
    operation = connectors.registry.operation("directory.add_to_group")
    payload: Payload = Membership(group=group, person=person)
    with mint.permit(operation.name, payload, f"add {person}").open():
        return await operation.apply(payload, f"add {person}")


@pytest.mark.parametrize("patch_served", [True, False], ids=["by PATCH", "by PUT with the ETag"])
async def test_members_added_at_the_same_time_are_all_kept(
    connected: Connected, server: Any, *, patch_served: bool
) -> None:
    server.set_members("billing-db", frozenset())
    if not patch_served:
        server.arm("unsupported", times=0, on="PATCH")
    crowd = PEOPLE[:3]  # as many as a change is attempted: one loses to each of the others at worst

    await asyncio.gather(*(add(connected, person) for person in crowd))

    assert server.members("billing-db") == set(crowd)
    assert [entry["change"] for entry in server.changes()[-3:]] == ["added"] * 3


async def test_a_put_gives_back_what_it_did_not_mean_to_change(connected: Connected, server: Any) -> None:
    server.set_members("billing-db", frozenset(PEOPLE[:2]))
    path = f"/v2/Groups/{company.record_id('Group', 'billing-db')}"
    server.change(path, externalId="kept")
    server.arm("unsupported", times=0, on="PATCH")

    await add(connected, PEOPLE[2])

    after = server.get(path)
    assert server.members("billing-db") == set(PEOPLE[:3])
    assert (after["externalId"], after["displayName"]) == ("kept", "billing-db")


async def test_a_member_already_is_left_as_is_and_nothing_is_sent(connected: Connected, server: Any) -> None:
    server.set_members("billing-db", frozenset({company.ADA.id}))
    server.arm("error_after", on="write")  # would be noticed

    result = await add(connected, company.ADA.id)

    assert not result.changed


async def test_nobody_unknown_becomes_a_member(connected: Connected, server: Any) -> None:
    server.set_members("billing-db", frozenset())

    with pytest.raises(NotFound):
        await add(connected, "a" * 32)
    with pytest.raises(NotFound):
        await add(connected, company.ADA.id, "no-such-group")

    assert server.members("billing-db") == frozenset()


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        ({"kind": "drop_before", "on": "read"}, Unavailable),
        ({"kind": "denied", "on": "write"}, ConnectorError),
    ],
)
async def test_a_refusal_before_the_change_is_not_called_ambiguous(
    connected: Connected, server: Any, fault: dict[str, str], expected: type[ConnectorError]
) -> None:
    server.set_members("billing-db", frozenset())
    server.arm(**fault)

    with pytest.raises(expected) as caught:
        await add(connected, company.ADA.id)

    assert not isinstance(caught.value, Ambiguous)
    assert server.members("billing-db") == frozenset()


async def test_a_change_that_cannot_be_confirmed_is_ambiguous(
    connected: Connected, server: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.set_members("billing-db", frozenset())
    write = Scim.patch_member

    async def and_then_down(*given: Any, **how: Any) -> None:
        await write(*given, **how)
        server.arm("down", on="search", times=0)

    monkeypatch.setattr(Scim, "patch_member", and_then_down)

    with pytest.raises(Ambiguous):
        await add(connected, company.ADA.id)

    assert server.members("billing-db") == {company.ADA.id}


async def test_the_change_is_told_in_words_a_person_understands(connected: Connected, server: Any) -> None:
    server.set_members("billing-db", frozenset())
    registry = connected[0].registry
    membership = Membership(group="billing-db", person=company.ADA.id)

    add_change = await registry.operation("directory.add_to_group").preview(membership)
    remove_change = await registry.operation("directory.remove_from_group").preview(membership)

    assert add_change.target == "Ada Okafor in billing-db"
    assert add_change.before == "Ada Okafor is not a member of billing-db"
    assert add_change.after == "Ada Okafor is a member of billing-db"
    assert add_change.needed
    assert not remove_change.needed
    assert dict(add_change.basis) == {
        "group": company.record_id("Group", "billing-db"),
        "person": f"{company.ISSUER}#{company.ADA.id}",
        "active": "yes",
        "member": "no",
    }
