"""`countersign audit`: the story of a run, read back from the record."""

import asyncio
import json
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from bot.blocks.plan import flat
from bot.commands import privacy, record, steps
from bot.commands.opened import opened
from bot.commands.options import Failure, Home, Json, failing
from bot.render import exact
from bot.settings import home_from, load
from graphs import audit, cards
from graphs.audit import Event, plain
from graphs.records import PlanStep

app = typer.Typer(help="What was asked, decided and done, from the append-only record.", no_args_is_help=True)
app.command()(record.verify)
app.command()(record.export)
app.command()(record.pack)
app.command()(record.checkpoint)
app.command()(record.key)
app.command(help="The same as `countersign privacy erase`: the record is one of the stores.")(privacy.erase)
app.command(rich_help_panel="Legal hold")(record.hold)
app.command(rich_help_panel="Legal hold")(record.release)
app.command(rich_help_panel="Legal hold")(record.holds)

Run = Annotated[
    str | None,
    typer.Argument(metavar="RUN", help="The request's id, or its beginning; without it: the latest."),
]


@app.command()
def show(run: Run = None, home: Home = None, as_json: Json = False) -> None:
    """Read back the whole story of a request."""
    with failing():
        events = asyncio.run(_story(home_from(home), run))
    if as_json:
        json.dump([_plain(event) for event in events], sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    write(Console(highlight=False), events)


@app.command()
def runs(home: Home = None, as_json: Json = False) -> None:
    """List the latest requests."""
    with failing():
        rows = asyncio.run(_runs(home_from(home)))
    if as_json:
        json.dump(rows, sys.stdout, indent=2, ensure_ascii=False)
        sys.stdout.write("\n")
        return
    table = Table("Request", "What", "Who", "Status", "Since (UTC)", box=None, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(row[name]) for name in ("run", "workflow", "requester", "status", "created_at")))
    Console().print(table if rows else "Nothing has been requested yet.")


async def _story(home: Path, run: str | None) -> list[Event]:
    """Return the events of the run and of the run that ends what it granted."""
    async with opened(load(home)) as database, database.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT id FROM run WHERE starts_with(id, %(run)s) AND key NOT LIKE 'end %%'"
            " OR %(run)s = '' AND key NOT LIKE 'end %%' ORDER BY created_at DESC LIMIT 2",
            {"run": run or ""},
        )
        found = [row["id"] for row in await cursor.fetchall()]
        if not found:
            raise Failure("There is no such request. `countersign audit runs` lists them.")
        if run and len(found) > 1:
            raise Failure(f"More than one request begins with {run}.")
        return [event async for event in audit.read(conn, found[0])]


async def _runs(home: Path) -> list[dict[str, str]]:
    async with opened(load(home)) as database, database.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT id AS run, workflow, requester ->> 'name' AS requester, status,"
            " to_char(created_at, 'YYYY-MM-DD HH24:MI') AS created_at"
            " FROM run WHERE key NOT LIKE 'end %' ORDER BY run.created_at DESC LIMIT 20"
        )
        return [dict(row) for row in await cursor.fetchall()]


def _plain(event: Event) -> dict[str, Any]:
    """Return an event, and of a request for approval the steps of its plan in today's form."""
    asked = _steps(event)
    return {**plain(event), **({"steps": steps.plain(asked)} if asked else {})}


def _steps(event: Event) -> Sequence[PlanStep]:
    """Return the steps that approval was asked for; none where the event is another, or they are erased."""
    card = (event.detail or {}).get("card")
    if event.kind != "approval.requested" or not isinstance(card, Mapping):
        return ()
    try:
        return TypeAdapter(tuple[PlanStep, ...]).validate_python(cards.as_now(card).get("steps", ()))
    except (KeyError, ValidationError):
        return ()


def write(console: Console, events: Iterable[Event]) -> None:
    """Print the story: what happened when, and under each event what is known of it."""
    plans: dict[str, Sequence[PlanStep]] = {}
    for event in events:
        if asked := _steps(event):
            plans[str(event.facts["approval"])] = asked
        when = event.at.strftime("%Y-%m-%d %H:%M:%S")
        console.print(Text.assemble((f"{event.seq:>5}  {when} UTC  ", "dim"), (_sentence(event), "bold")))
        for name, value in _lines(event, plans.get(str(event.facts.get("approval")), ())):
            console.print(Padding(Text.assemble((f"{name}  ", "dim"), value), (0, 0, 0, 32)))


def _sentence(event: Event) -> str:
    """Say what happened, naming people where their names have not been erased."""
    detail = event.detail or {}
    who = (detail.get("requester") or {}) if event.kind == "run.started" else (detail.get("by") or {})
    name = who.get("name", "somebody")
    match event.kind:
        case "run.started":
            return f"{name} asked for {event.facts['workflow']}"
        case "approval.decided" | "approval.voted":
            assent = "confirmed" if event.facts.get("confirmed") else "approved"
            return f"{name} {assent if event.facts['verdict'] == 'approve' else 'denied'} it"
        case "approval.refused_click" | "run.withdrawn":
            tried = f"tried to {detail.get('verdict', 'decide')}, and may not"
            return f"{name} {'withdrew it' if event.kind == 'run.withdrawn' else tried}"
        case "run.ended":
            return f"Ended: {event.facts['status']}"
        case "effect.intended" | "effect.done" if event.facts["act"] == "undo":
            return "About to be undone" if event.kind == "effect.intended" else "Undone"
    asked = "to_confirm" if event.kind == "approval.requested" and event.facts.get("confirmed") else ""
    return _WHAT.get(asked) or _WHAT.get(f"{event.kind} {event.outcome}") or _WHAT.get(event.kind, event.kind)


def _lines(event: Event, plan: Sequence[PlanStep]) -> Iterator[tuple[str, str]]:
    if event.erased:
        yield "personal values", "erased"
    if event.kind == "approval.requested":
        yield from (("step" if len(plan) > 1 else "does", line) for line in steps.listed(plan))
    number = next((at for at, one in enumerate(plan, start=1) if one.name == event.facts.get("step")), None)
    if number is not None and len(plan) > 1:
        yield "step", f"{number} of {len(plan)} ({event.facts['step']})"
    said = _SAID if number is None else _SAID | {"step"}
    for name, value in (*(event.detail or {}).items(), *event.facts.items()):
        if value not in ("", {}, [], False) and name not in said | _ELSEWHERE:
            yield name.replace("_", " "), exact(_short(value))


def _short(value: object) -> str:
    if isinstance(value, Mapping):
        return ", ".join(
            f"{place} {_short(one)}"
            for name, inner in value.items()
            if name != "subject"
            for place, one in (flat({name: inner}) if isinstance(inner, Mapping | list) else ((name, inner),))
        )
    text = str(value)
    return f"{text[:12]}…" if len(text) == 64 and text.isalnum() else text


_SAID = frozenset({"by", "verdict", "status", "act", "workflow"})  # the sentence has them
_ELSEWHERE = frozenset({"card", "clause"})  # in the evidence pack, as they were shown
_WHAT = {
    "audit.foreign": "Somebody without the record's key wrote into it; that counts nowhere",
    "effect.overdue": "Nothing was going to end it; it is ended now",
    "run.checked": "The rules were asked whether they may",
    "run.refused_reading": "Somebody tried to see it, and may not",
    "audit.erased": "Somebody was erased from the record",
    "person.erased": "Somebody was erased from all stores",
    "run.ends_early": "What was lent ends before its time",
    "run.masked": "Its words no longer name somebody who was erased",
    "audit.expired": "Personal values were deleted, because their time was over",
    "audit.held": "Kept from deletion",
    "audit.released": "Kept from deletion no more",
    "effect.read_back matches": "Looked at again: it is as reported",
    "effect.read_back not_visible": "It cannot be looked at again",
    "effect.read_back differs": "Looked at again: it is NOT as reported",
    "run.filled": "The requester filled in what was missing",
    "approval.requested": "Approval was asked for",
    "to_confirm": "Whoever asked was asked to confirm it",
    "approval.expired": "Nobody decided in time",
    "approval.void": "It counts no more: it is asked for again",
    "approval.outdated": "What was approved had changed: it is asked for again",
    "effect.intended": "About to be done",
    "effect.done": "Done",
    "effect.failed": "Not done",
    "effect.unknown": "May have been done: a person has to look",
    "effect.refused": "Refused at the gate",
    "effect.cleared": "Not sent",
    "effect.resolved": "Somebody said whether it had been done",
    "effect.refused_click": "Somebody tried to say whether it had been done, and may not",
    "effect.late": "A call was answered after another worker had taken over: it may have been done twice",
    "run.dead": "Tried too often; it rests",
    "run.replayed": "Tried again by hand",
}
