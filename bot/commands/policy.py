"""`countersign policy`: what the rules are, who could decide on a request, and whether the rules hold."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.options import Config, Failure, Home, Json, failing, write_json
from bot.demo import home as demo
from bot.settings import Settings, home_from, load

if TYPE_CHECKING:
    from connectors.directory import Directory, Person
    from graphs.policy.engine import Policy, Ruling
    from graphs.records import Approval

app = typer.Typer(help="The rules about who may ask, decide and carry out.", no_args_is_help=True)

Extra = Annotated[
    Path | None,
    typer.Argument(metavar="FILE", help="Policies of your own. Default: [policy] file of the settings."),
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
As = Annotated[str | None, typer.Option("--as", metavar="EMAIL", help="Only this person: why, or why not.")]


@app.command()
def check(file: Extra = None, home: Home = None, config: Config = None, as_json: Json = False) -> None:
    """Validate the policies and list them, with what they say."""
    from bot import policies  # noqa: PLC0415  # --help needs no policy engine

    with failing():
        settings = load(home_from(home), config)
        policy = policies.read(file) if file else policies.of(settings)
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
        policy = policies.read(own) if own else policies.of(settings)
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

    with failing():
        settings = load(home_from(home), config)
        policy = policies.of(settings)
        found = asyncio.run(_explain(settings, policy, card, email))
    if as_json:
        write_json(found.plain(policy))
        return
    _print(found, policy)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Explained:
    """The people who were looked at, each with what the policies say."""

    approval: "Approval"
    people: Sequence[tuple["Person", "Ruling"]]

    def plain(self, policy: "Policy") -> dict[str, Any]:
        people = [
            {"name": person.name, "email": person.email, **_said(policy, ruling)}
            for person, ruling in self.people
        ]
        approval = self.approval
        return {
            "card": approval.id,
            "run": approval.run,
            "status": approval.status.value,
            "approvers": list(approval.approvers),
            "quorum": approval.quorum,
            "hash": policy.hash,
            "people": people,
        }


async def _explain(settings: Settings, policy: "Policy", card: str, email: str | None) -> _Explained:
    from graphs.policy import views  # noqa: PLC0415  # likewise

    approval = await _find(settings, card)
    async with _directory(settings) as directory:
        people = [await directory.person_by_email(email)] if email else await _members(directory, approval)
    resource, context = views.approval(approval), views.context(approval)
    rulings = [(person, policy.rule("approve", person, resource, context)) for person in people]
    return _Explained(approval=approval, people=rulings)


async def _members(directory: "Directory", approval: "Approval") -> "list[Person]":
    """Return the groups that decide: no policy lets anybody else, and no policy of your own can."""
    groups = [await directory.group_by_name(name) for name in approval.approvers]
    members = sorted({member for group in groups for member in group.members})
    people = [await directory.person(member) for member in members]
    return sorted(people, key=lambda person: person.name)


async def _find(settings: Settings, card: str) -> "Approval":
    """Return the approval of that card, or the latest one of that request."""
    from bot.database import open_database  # noqa: PLC0415  # likewise
    from graphs import approvals  # noqa: PLC0415

    async with (
        open_database(
            settings.home, settings.database_url, owner_url=settings.database_owner_url
        ) as database,
        database.pool.connection() as conn,
    ):
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


@asynccontextmanager
async def _directory(settings: Settings) -> "AsyncIterator[Directory]":
    from bot import credentials  # noqa: PLC0415  # likewise
    from connectors.directory import open_directory  # noqa: PLC0415
    from connectors.secrets import demo_key  # noqa: PLC0415

    home = settings.home
    if settings.directory is None:
        raise Failure(f"Nobody can be looked up: {home} has no [directory] in countersign.toml.")
    token = credentials.directory_token(settings, key=demo_key(home) if demo.is_demo(home) else None)
    async with open_directory(settings.directory.url, token, issuer=settings.directory.issuer) as directory:
        yield directory


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
    console.print(Text(f"{approval.title}: {approval.after}", style="bold"))
    groups = ", ".join(approval.approvers)
    console.print(
        Text(f"{groups} decide; {approval.quorum} of them must approve. It is {approval.status.value}.")
    )
    for person, ruling in found.people:
        told = _said(policy, ruling)
        why = " ".join(told["says"]) or f"No policy permits it: they are not in {groups}."
        if ruling.fault:
            why = "The policies could not be evaluated, so it is refused."
        may = "could decide" if ruling.allowed else "could not"
        console.print(Text(f"\n{person.name} ({person.email}) {may}.\n  {why}"))


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Failure(f"{file} cannot be read: {error}.") from error
