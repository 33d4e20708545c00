"""What the tests of reminders, stand-ins and emergencies do: ask, click, and change the directory."""

import secrets

import httpx

from connectors.directory import Person
from connectors.sandbox.process import Running
from graphs.records import Answered, Approval, Verdict
from graphs.workflows.it_access import RequestableGroup, Rules
from tests.scenario.desk import RULES, Office

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
ADA, GRACE, BEN = "ada.okafor", "grace.lindqvist", "ben.castellanos"
INES, TOMAS, JUN = "ines.moreau", "tomas.varga", "jun.park"


def ruled(**changes: object) -> Rules:
    """Return the desk's rules with other ones for billing-db."""
    group: RequestableGroup = RULES.groups["billing-db"].model_copy(update=changes)
    return RULES.model_copy(update={"groups": {"billing-db": group}})


async def person(office: Office, who: str) -> Person:
    """Return a person as the directory has them now."""
    return await office.connectors.directory.person_by_email(f"{who}@larkfield.example")


async def ask(
    office: Office, who: str = ADA, *, workflow: str = "it_access", values: dict[str, str] | None = None
) -> str:
    """Ask for something, and return the run when it waits or has ended."""
    run = await office.runs.start(
        workflow=workflow,
        values=values or WANTED,
        requester=await person(office, who),
        origin={"channel": "C1", "thread_ts": "1.1", "user": "U1"},
        key=secrets.token_hex(8),
    )
    await office.work()
    return run


async def decide(
    office: Office, card: str, who: str, verdict: Verdict = Verdict.APPROVE, reason: str | None = None
) -> Answered:
    """Click on a card, and leave what follows to be done."""
    return await office.runs.decide(card, verdict, by=await person(office, who), reason=reason)


async def click(
    office: Office, card: str, who: str, verdict: Verdict = Verdict.APPROVE, reason: str | None = None
) -> Answered:
    """Click on a card, and do what follows."""
    answered = await decide(office, card, who, verdict, reason)
    await office.work()
    return answered


async def approval(office: Office, card: str) -> Approval:
    """Return an approval as it stands."""
    found = await office.runs.approval(card)
    assert found is not None
    return found


async def deactivate(server: Running, who: Person) -> None:
    """Say in the directory that a person has left."""
    await _patch(server, f"/Users/{who.id}", {"op": "replace", "path": "active", "value": False})


async def leave(office: Office, server: Running, who: Person, group: str) -> None:
    """Take a person out of a group in the directory."""
    found = await office.connectors.directory.group_by_name(group)
    await _patch(server, f"/Groups/{found.id}", {"op": "remove", "path": f'members[value eq "{who.id}"]'})


async def _patch(server: Running, path: str, change: dict[str, object]) -> None:
    body = {"schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [change]}
    headers = {"Authorization": f"Bearer {server.token}"}
    async with httpx.AsyncClient(headers=headers, timeout=30, trust_env=False, verify=False) as client:
        (await client.patch(f"{server.url}{path}", json=body)).raise_for_status()
