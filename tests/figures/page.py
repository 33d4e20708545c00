"""docs/figures.md: the section of each measure that was taken in full is written anew; the others stay."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tests.figures.record import Figure

PAGE = Path(__file__).resolve().parents[2] / "docs" / "figures.md"
_END = "## Shown by tests and by other commands\n"


def write(name: str, figures: Sequence[Figure], *, page: Path = PAGE) -> None:
    """Put the figures of one measure into the page. A measure that it does not know gets a section."""
    today = datetime.now(UTC).date().isoformat()
    rows = [
        f"| {_cell(one.what)} | {one.tried:,} | {_cell(str(one.value))} | {_cell(one.goal)} | "
        f"{'yes' if one.holds else '**no**'} |"
        for one in figures
    ]
    lines = [f"<!-- {name} -->", f"Taken {today}.", "", "| What | Tried | Figure | Goal | Holds |"]
    section = "\n".join([*lines, "|---|---|---|---|---|", *rows, f"<!-- /{name} -->"])
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"<!-- {name} -->.*?<!-- /{name} -->", text, re.DOTALL)
    if found is not None:
        text = text[: found.start()] + section + text[found.end() :]
    else:
        head, end, tail = text.partition(_END)
        text = f"{head}## {name}\n\n`make figures ARGS={name}`\n\n{section}\n\n{end}{tail}"
    page.write_text(text, encoding="utf-8")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
