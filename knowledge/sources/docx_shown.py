"""Whether a run of a Word document is seen by its reader."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from docx.enum.dml import MSO_THEME_COLOR
from docx.oxml.ns import qn
from docx.styles.style import BaseStyle, CharacterStyle
from docx.text.font import Font
from docx.text.paragraph import Paragraph
from docx.text.run import Run

from knowledge.hidden import PAPER_COLOURED, RUN, TINY

_SMALLEST = 2.0  # points
_WHITE = "FFFFFF"


def hides(run: Run, paragraph: Paragraph) -> str:
    """Return how a run is hidden, or nothing. What a run does not say, its styles do, nearest first."""
    fonts = list(_fonts(run, paragraph))
    if next((font.hidden for font in fonts if font.hidden is not None), False):
        return RUN
    size = next((font.size for font in fonts if font.size is not None), None)
    if size is not None and size.pt < _SMALLEST:
        return TINY
    ink = next((found for font in fonts if (found := _ink(font))), "")
    if ink and _close(ink, _paper(run)):
        return PAPER_COLOURED
    return ""


def _fonts(run: Run, paragraph: Paragraph) -> Iterator[Font]:
    yield run.font
    for first in (run.style, paragraph.style):
        style: BaseStyle | None = first
        for _ in range(20):  # a style may be based on itself
            if not isinstance(style, CharacterStyle):  # paragraph styles are character styles too
                break
            yield style.font
            style = style.base_style


def _ink(font: Font) -> str:
    """Return a font's colour as six digits, or nothing where it is the reader's own."""
    colour = font.color
    if colour is None:
        return ""
    if colour.theme_color is not None:  # wins over the colour beside it
        return _WHITE if colour.theme_color == MSO_THEME_COLOR.BACKGROUND_1 else ""
    return str(colour.rgb) if colour.rgb is not None else ""


def _paper(run: Run) -> str:
    """Return the nearest shading behind a run, or white."""
    if run.font.highlight_color is not None:
        return ""
    element: Any = run._r
    while element is not None:
        for name in ("w:rPr", "w:pPr", "w:tcPr", "w:tblPr"):
            properties = element.find(qn(name))
            shading = properties.find(qn("w:shd")) if properties is not None else None
            fill = shading.get(qn("w:fill")) if shading is not None else None
            if fill and fill != "auto":
                return str(fill).upper()
            styled = properties is not None and properties.find(qn("w:tblStyle")) is not None
            if styled and name == "w:tblPr":
                return ""  # a table's style may shade its rows
        element = element.getparent()
    return _WHITE


def _close(ink: str, paper: str) -> bool:
    """Tell whether two colours of six digits look the same."""
    try:
        pairs = [(int(ink[at : at + 2], 16), int(paper[at : at + 2], 16)) for at in (0, 2, 4)]
    except ValueError:
        return False
    return all(abs(one - other) < 16 for one, other in pairs)
