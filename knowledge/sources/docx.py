"""Word documents to blocks: styles name the headings and the lists."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path

import docx
from docx.opc.exceptions import OpcError
from docx.shared import RGBColor
from docx.table import Table
from docx.text.paragraph import Paragraph
from lxml.etree import LxmlError  # type: ignore[import-untyped]  # ships no stubs

from knowledge.documents import Block
from knowledge.errors import Unreadable
from knowledge.hidden import RUN
from knowledge.sources.reading import Reading

_LARGEST = 200 * 2**20  # bytes, unpacked; a zip may hold a thousand times its size


def read(path: Path) -> Reading:
    """Return the blocks of a .docx. Raises Unreadable for one that is broken or locked."""
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > _LARGEST:
                raise Unreadable("it unpacks to more than 200 MB")
        opened = docx.Document(str(path))
    except (OpcError, LxmlError, zipfile.BadZipFile, KeyError, ValueError, NotImplementedError) as error:
        raise Unreadable("it is not a sound Word document, or is protected by a password") from error
    reading = Reading(title=(opened.core_properties.title or "").strip())
    intro = ""
    for element in opened.iter_inner_content():
        if isinstance(element, Table):
            reading.blocks += _rows(element)
            continue
        text, hidden = _shown(element)
        if hidden:
            reading.hidden[RUN] += hidden
        if text:
            block = _block(element, text, intro)
            intro = intro if block.kind == "item" else text if text.endswith(":") else ""
            reading.blocks.append(block)
    return reading


def _block(paragraph: Paragraph, text: str, intro: str) -> Block:
    style = (paragraph.style.name or "") if paragraph.style else ""
    heading = re.match(r"heading (\d)", style, re.IGNORECASE)
    if heading:
        return Block(kind="heading", text=text, level=min(6, int(heading[1])))
    if style.lower() == "title":
        return Block(kind="heading", text=text, level=1)
    properties = paragraph._p.pPr  # numbering has no public name in python-docx
    if style.lower().startswith("list") or (properties is not None and properties.numPr is not None):
        return Block(kind="item", text=text, level=1, lead=intro if len(intro.split()) <= 45 else "")
    return Block(kind="paragraph", text=text)


def _shown(paragraph: Paragraph) -> tuple[str, int]:
    """Return a paragraph's text without hidden and white runs, and how many of those there were."""
    hidden = 0
    kept: list[str] = []
    for part in paragraph.iter_inner_content():
        for run in getattr(part, "runs", [part]):
            white = run.font.color is not None and run.font.color.rgb == RGBColor(255, 255, 255)
            if run.font.hidden or white:
                hidden += bool(run.text.strip())
            else:
                kept.append(run.text)
    return " ".join("".join(kept).split()), hidden


def _rows(table: Table) -> list[Block]:
    rows = [[" ".join(cell.text.split()) for cell in row.cells] for row in table.rows]
    lead = " | ".join(rows[0]) if len(rows) > 1 else ""
    return [Block(kind="row", text=" | ".join(row), lead=lead) for row in (rows[1:] or rows) if any(row)]
