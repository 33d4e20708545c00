"""`countersign policy`: what the rules are, who could decide on a request, and whether the rules hold."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands import readers, steps
from bot.commands.opened import opened
from bot.commands.options import Config, Failure, Home, Json, failing, write_json
from bot.render import exact
from bot.settings import Settings, home_from, load

if TYPE_CHECKING:
    from connectors.directory import Directory, Person
    from graphs.policy.engine import Policy, Ruling
    from graphs.ports import Connection
    from graphs.records import Approval, Delegation
    from graphs.rights import Right

app = typer.Typer(help="The rules about who may ask, decide and carry out.", no_args_is_help=True)

Extra = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Policies of your own. Default: file in \\[policy] of the settings."),
]
Cases = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Cases of your own, as YAML. Default: those that ship."),
]
Card = Annotated[str, typer.Argument(metavar="CARD", help="A request's id or its card's, or its beginning.")]
Own = Annotated[
    Path | None,
    typer.Option("--policies", metavar="FILE", help="Policies of your own. Default: those of the settings."),
]
_PATIENCE = 10.0  # seconds for the people of one stand-in

As = Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="Only this person: why, or why not.")]


@app.command()
def check(file: Extra = None, home: Home = None, config: Config = None, as_json: Json = False) -> None:
    """Validate the policies and list them, with what they say."""
    from bot import policies  # noqa: PLC0415  # --help needs no policy engine

    with failing():
        settings = load(home_from(home), config)
        policy = policies.of(settings, file)
    if as_json:
        rules = [{"id": rule.id, "effect": rule.effect, "says": rule.says} for rule in policy.rules]
        write_json({"hash": policy.hash, "policies": rules})
        return
    table = Table("Policy", "", "What it says", box=None, pad_edge=False)
    for rule in policy.rules:
        table.add_row(Text(rule.id), rule.effect, Text(rule.says))
    Console().print(table)
    Console().print(f"\n{len(policy.rules)} policies fit the schema. Their hash is {policy.hash}.")


@app.command(name="test")
def ask_cases(
    cases: Cases = None,
    own: Own = None,
    home: Home = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Ask the policies the cases of a file; exit code 1 where one is not answered as expected."""
    from bot import policies  # noqa: PLC0415  # likewise
    from graphs.policy import cases as known  # noqa: PLC0415

    with failing(known.CasesInvalid):
        settings = load(home_from(home), config)
        policy = policies.of(settings, own)
        asked = known.read(_text(cases)) if cases else known.shipped()
    outcomes = known.run(policy, asked)
    failed = [one for one in outcomes if not one.passed]
    if as_json:
        told = [
            {"case": one.case.name, "passed": one.passed, **_said(policy, one.ruling)} for one in outcomes
        ]
        write_json({"hash": policy.hash, "tried": len(outcomes), "failed": len(failed), "cases": told})
    else:
        for one in failed:
            said, by = ("allow" if one.ruling.allowed else "forbid"), ", ".join(one.ruling.policies)
            wanted = f"{one.case.expected} by [{', '.join(one.case.by)}]"
            Console().print(Text(f"{one.case.name}: {said} by [{by}], expected {wanted}", style="red"))
        Console().print(f"{len(outcomes)} cases, {len(failed)} not as expected.")
    if failed:
        raise typer.Exit(1)


@app.command()
def explain(
    card: Card, email: As = None, home: Home = None, config: Config = None, as_json: Json = False
) -> None:
    """Say who could decide on a request, and why somebody could not."""
    from bot import policies  # noqa: PLC0415  # likewise
    from graphs.groups import GroupUnclear  # noqa: PLC0415  # likewise

    with failing(GroupUnclear):
        settings = load(home_from(home), config)
        policy = policies.of(settings)
        found = asyncio.run(_explain(settings, policy, card, email))
    if as_json:
        write_json(found.plain(policy))
        return
    _print(found, policy)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Asked:
    """Somebody who was looked at, by whose right, and what the policies say of it."""

    right: "Right"
    ruling: "Ruling"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Explained:
    """The approval, and everybody who was looked at."""

    approval: "Approval"
    people: Sequence[_Asked]

    def plain(self, policy: "Policy") -> dict[str, Any]:
        approval, later = self.approval, self.approval.escalation
        return {
            "card": approval.id,
            "run": approval.run,
            "status": approval.status.value,
            "steps": steps.plain(approval.steps),
            "approvers": list(approval.approvers),
            "confirmed": approval.confirmed,
            "escalation": {"groups": list(later.groups), "at": later.at.isoformat()} if later else None,
            "quorum": approval.quorum,
            "hash": policy.hash,
            "people": [
                {
                    "name": one.right.by.name,
                    "email": one.right.by.email,
                    "stands_for": one.right.stands_for.email if one.right.stands_for else None,
                    **_said(policy, one.ruling),
                }
                for one in self.people
            ],
        }


async def _explain(settings: Settings, policy: "Policy", card: str, email: str | None) -> _Explained:
    from bot.clock import DatabaseClock  # noqa: PLC0415  # likewise
    from graphs import delegations, rights  # noqa: PLC0415
    from graphs.groups import Groups  # noqa: PLC0415

    async with opened(settings) as database:
        async with database.pool.connection() as conn:
            approval = await _find(conn, card)
            now, lent = await DatabaseClock().now(conn), await delegations.in_force(conn)
        asked = []
        async with readers.directory_of(settings, "Nobody") as directory:
            groups = Groups(database.pool, directory)
            policy = replace(policy, groups=await groups.ids(sorted(policy.group_names)))
            alone = [await directory.person_by_email(email)] if email else None
            for person in alone or await _deciding(directory, approval, lent):
                mine = [one for one in lent if one.stand_in.human == person.human]
                subjects = rights.concerned(approval) | {one.holder.subject for one in mine}
                people = await rights.read(directory, subjects, within=_PATIENCE)
                held = rights.held(person, mine, people)
                async with database.pool.connection() as conn:
                    right, ruling = await rights.choose(conn, policy, approval, held, people, at=now)
                asked.append(_Asked(right=right, ruling=ruling))
    return _Explained(approval=approval, people=asked)


async def _deciding(
    directory: "Directory", approval: "Approval", lent: "Sequence[Delegation]"
) -> "list[Person]":
    """Return the groups that decide, now or later, and who stands in for their members.

    No policy lets anybody else, and no policy of your own can.
    """
    later = approval.escalation.groups if approval.escalation else {}
    groups = [await directory.group(group) for group in (*approval.approvers.values(), *later.values())]
    members = {member for group in groups for member in group.members}
    people = {one.human: one for one in [await directory.person(member) for member in members]}
    if approval.confirmed:
        asked = await directory.person_of(approval.requester.subject)
        people[asked.human] = asked
    for one in lent:
        if one.holder.human in people and one.stand_in.human not in people:
            people[one.stand_in.human] = await directory.person_of(one.stand_in.subject)
    return sorted(people.values(), key=lambda person: person.name)


async def _find(conn: "Connection", card: str) -> "Approval":
    """Return the approval of that card, or the latest one of that request."""
    from graphs import approvals  # noqa: PLC0415  # likewise

    cursor = await conn.execute(
        "SELECT DISTINCT ON (run) id FROM approval WHERE starts_with(id, %(card)s)"
        " OR starts_with(run, %(card)s) ORDER BY run, starts_with(id, %(card)s) DESC, round DESC LIMIT 2",
        {"card": card},
    )
    found = [row["id"] for row in await cursor.fetchall()]
    approval = await approvals.load(conn, found[0]) if len(found) == 1 else None
    if len(found) > 1:
        raise Failure(f"More than one request begins with {card}.")
    if approval is None:
        raise Failure(f"Nothing that begins with {card} has been sent for approval.")
    return approval


def _said(policy: "Policy", ruling: "Ruling") -> dict[str, Any]:
    says = {rule.id: rule.says for rule in policy.rules}
    return {
        "allowed": ruling.allowed,
        "policies": list(ruling.policies),
        "says": [says[name] for name in ruling.policies],
        "fault": ruling.fault,
    }


def _print(found: _Explained, policy: "Policy") -> None:
    console, approval = Console(highlight=False), found.approval
    count = len(approval.steps)
    what = exact(approval.changes) if count == 1 else f"{count} steps, in this order"
    console.print(Text(f"{approval.title}: {what}", style="bold"))
    if count > 1:
        console.print(Text("\n".join(f"  {line}" for line in steps.listed(approval.steps))))
    groups = ", ".join(approval.approvers)
    told = f"{groups} decide; {approval.quorum} of them must approve. It is {approval.status.value}."
    if approval.confirmed:
        told = f"Whoever asked confirms it, and nobody else. It is {approval.status.value}."
    if approval.escalation is not None:
        from_then = f"{approval.escalation.at:%Y-%m-%d %H:%M} UTC"
        told = f"{told} From {from_then} {', '.join(approval.escalation.groups)} decide as well."
    console.print(Text(told))
    lacks = "have not asked for it" if approval.confirmed else f"are not in {groups}"
    for one in found.people:
        by, holder = one.right.by, one.right.stands_for
        why = " ".join(_said(policy, one.ruling)["says"]) or f"No policy permits it: they {lacks}."
        if one.ruling.fault:
            why = "The policies could not be evaluated, so it is refused."
        may = "could decide" if one.ruling.allowed else "could not"
        whose = f" for {holder.name}" if holder else ""
        console.print(Text(f"\n{by.name} ({by.email}) {may}{whose}.\n  {why}"))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}.") from error
