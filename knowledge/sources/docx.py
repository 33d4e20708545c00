"""Word documents to blocks: styles name the headings and the lists."""

from __future__ import annotations

import re
import zipfile
from collections import Counter, deque
from collections.abc import Iterator
from io import BytesIO

import docx
from docx.document import Document as Opened
from docx.opc.exceptions import OpcError
from docx.oxml.ns import qn
from docx.table import Table
from docx.text.paragraph import Paragraph
from docx.text.run import Run
from lxml import etree  # type: ignore[import-untyped]  # ships no stubs

from knowledge.documents import Block
from knowledge.errors import Unreadable
from knowledge.sources.declared import in_properties, in_text
from knowledge.sources.docx_shown import hides
from knowledge.sources.reading import Reading

_PLAIN = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
_LARGEST = 200 * 2**20  # bytes, unpacked; a zip may hold a thousand times its size
_LARGEST_TEXT = 40 * 2**20  # bytes of it that are XML, of which each becomes many in memory
_PARTS = 10_000
# Inserted runs and those of links too, which python-docx passes over.
_RUNS = ".//w:r[not(ancestor::w:del) and not(ancestor::w:moveFrom) and not(ancestor::w:txbxContent)]"


def read(content: bytes) -> Reading:
    """Return the blocks of a .docx. Raises Unreadable for one that is broken or locked."""
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            sizes = {entry.filename: entry.file_size for entry in archive.infolist()}
            if sum(sizes.values()) > _LARGEST:
                raise Unreadable(f"it unpacks to more than {_LARGEST // 2**20} MB")
            marked = sum(size for name, size in sizes.items() if name.endswith((".xml", ".rels")))
            if marked > _LARGEST_TEXT or len(sizes) > _PARTS:
                raise Unreadable(f"it unpacks to more than {_LARGEST_TEXT // 2**20} MB of text")
        opened = docx.Document(BytesIO(content))
    except (
        OpcError,
        etree.LxmlError,
        zipfile.BadZipFile,
        KeyError,
        ValueError,
        NotImplementedError,
    ) as error:
        raise Unreadable("it is not a sound Word document, or is protected by a password") from error
    properties = opened.core_properties
    reading = Reading(
        title=(properties.title or "").strip(),
        language=(properties.language or "").strip().lower(),
        version=(properties.version or "").strip(),
    )
    intro = ""
    for element in _content(opened):
        if isinstance(element, Table):
            reading.blocks += _rows(element, reading.hidden)
            continue
        text = _shown(element, reading.hidden)
        if text:
            block = _block(element, text, intro)
            intro = intro if block.kind == "item" else text if text.endswith(":") else ""
            reading.blocks.append(block)
    said = "\n".join(f"# {block.text}" if block.kind == "heading" else block.text for block in reading.blocks)
    reading.declared = in_properties(_properties(opened)) or in_text(said, code=False)
    return reading


def _properties(opened: Opened) -> Iterator[tuple[str, str]]:
    """Yield a document's properties, those of its maker's own too."""
    core = opened.core_properties
    for name in ("category", "comments", "content_status", "keywords", "subject"):
        yield name, str(getattr(core, name) or "")
    for relation in opened.part.package.rels.values():
        if relation.reltype.endswith("/custom-properties") and not relation.is_external:
            for element in etree.fromstring(relation.target_part.blob, _PLAIN):
                yield str(element.get("name") or ""), "".join(element.itertext())


def _content(opened: Opened) -> Iterator[Paragraph | Table]:
    """Yield paragraphs and tables in order, those in content controls too."""
    waiting = deque(opened.element.body)
    while waiting:
        element = waiting.popleft()
        if element.tag == qn("w:p"):
            yield Paragraph(element, opened)
        elif element.tag == qn("w:tbl"):
            yield Table(element, opened)
        elif element.tag in {qn("w:sdt"), qn("w:sdtContent")}:
            waiting.extendleft(reversed(element))


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


def _shown(paragraph: Paragraph, hidden: Counter[str]) -> str:
    """Return a paragraph's text without what its reader does not see, and count that."""
    kept: list[str] = []
    for element in paragraph._p.xpath(_RUNS):  # python-docx passes over what a tracked change inserted
        run = Run(element, paragraph)
        reason = hides(run, paragraph) if run.text.strip() else ""
        if reason:
            hidden[reason] += 1
        else:
            kept.append(run.text)
    return " ".join("".join(kept).split())


def _rows(table: Table, hidden: Counter[str]) -> list[Block]:
    rows: list[list[str]] = []
    for row in table.rows:
        cells: list[str] = []
        seen: set[int] = set()
        for cell in row.cells:  # a merged cell comes once for each column that it spans
            if id(cell._tc) in seen:
                cells.append(cells[-1])
                continue
            seen.add(id(cell._tc))
            cells.append(" ".join(filter(None, (_shown(one, hidden) for one in cell.paragraphs))))
        rows.append(cells)
    lead = " | ".join(rows[0]) if len(rows) > 1 else ""
    return [Block(kind="row", text=" | ".join(row), lead=lead) for row in (rows[1:] or rows) if any(row)]
