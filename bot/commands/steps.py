"""The steps of a plan for a terminal and for `--json`."""

from collections.abc import Mapping, Sequence
from typing import Any

from bot.blocks.plan import span
from bot.render import exact
from graphs.records import PlanStep

_FATES: Mapping[str, str] = {
    "leave": "stays if a later step fails",
    "pivot": "no way back from here",
}


def listed(steps: Sequence[PlanStep]) -> list[str]:
    """Return a line for each step, numbered where there are several."""
    return [
        f"{number}. {said(step)}" if len(steps) > 1 else said(step)
        for number, step in enumerate(steps, start=1)
    ]


def said(step: PlanStep) -> str:
    """Say on one line what a step does and changes, and how it stays."""
    changes = f": {step.after}" if step.after else ""
    marks = [
        "destructive" if step.effect == "destructive" else "",
        "" if step.reversible else "cannot be undone",
        _FATES.get(step.undo, ""),
        "" if step.lasts is None else f"ends by itself after {span(step.lasts)}",
    ]
    shown = "; ".join(mark for mark in marks if mark)
    return exact(f"{step.operation}{changes}{f' ({shown})' if shown else ''}")


def plain(steps: Sequence[PlanStep]) -> list[dict[str, Any]]:
    """Return the steps as JSON has them. `lasts` is in seconds, null for what does not end by itself."""
    return [
        {
            "number": number,
            "name": step.name,
            "operation": step.operation,
            "sends": dict(step.sends),
            "before": step.before,
            "after": step.after,
            "undo": step.undo,
            "lasts": step.lasts,
            "effect": step.effect,
            "reversible": step.reversible,
        }
        for number, step in enumerate(steps, start=1)
    ]
