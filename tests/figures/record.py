"""What one figure says: how often a promise was tried, how often it did not hold, what was to be reached."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One measured promise. `holds` is whether `value` (by default `wrong`) reaches `goal`."""

    promise: str  # the letter and number of docs/governance.md
    what: str
    tried: int
    wrong: int
    value: float | str
    goal: str
    holds: bool

    def line(self) -> str:
        """Return the figure as one line of JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)


def none_wrong(promise: str, what: str, *, tried: int, wrong: int, least: int = 1) -> Figure:
    """Return the figure of a promise that must hold each time, tried at least `least` times."""
    return Figure(
        promise=promise,
        what=what,
        tried=tried,
        wrong=wrong,
        value=wrong,
        goal=f"0 of at least {least:,}",
        holds=wrong == 0 and tried >= least,
    )
