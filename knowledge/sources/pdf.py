"""PDF to blocks. A page with no numbered heading of its own is a section named by its number."""

from __future__ import annotations

import logging
import re
from collections import Counter
from io import BytesIO

import pypdf
from pypdf.errors import PyPdfError

from knowledge.documents import Block
from knowledge.errors import Unreadable
from knowledge.sources import plain
from knowledge.sources.declared import in_properties, in_text, near
from knowledge.sources.pdf_shown import keep_shown
from knowledge.sources.reading import Reading

_PAGES = 5000
_PACKET = 2**20  # bytes of XMP that are looked at


def read(content: bytes) -> Reading:
    """Return the blocks of a PDF. Raises Unreadable for one that is broken, locked or only pictures."""
    # pypdf reports each oddity of a broken file through logging; one sentence of ours is enough.
    logging.getLogger("pypdf").setLevel(logging.CRITICAL)
    try:
        reader = pypdf.PdfReader(BytesIO(content))
        if reader.is_encrypted and not reader.decrypt(""):
            raise Unreadable("it is protected by a password")
        if len(reader.pages) > _PAGES:
            raise Unreadable(f"it has more than {_PAGES} pages")
        hidden: Counter[str] = Counter()
        pages: list[str] = []
        for page in reader.pages:
            hidden.update(keep_shown(page))
            pages.append(page.extract_text())
        title = (reader.metadata.title if reader.metadata else None) or ""
        language = str(reader.root_object.get("/Lang") or "")
        named = _declared(reader)
    except (PyPdfError, ValueError, KeyError, TypeError, AttributeError, IndexError, AssertionError) as error:
        # pypdf meets a damaged object with whatever its parser was doing.
        raise Unreadable(f"it is not a sound PDF ({_reason(error)})") from error
    except RecursionError as error:
        raise Unreadable("it is not a sound PDF (its objects contain each other)") from error
    if not any(page.strip() for page in pages):
        raise Unreadable("it holds no text, only pictures")
    return Reading(
        title=_title(title),
        language=language.lower(),
        blocks=_blocks(pages),
        hidden=hidden,
        declared=named or in_text("\n".join(pages), code=False),
    )


def _declared(reader: pypdf.PdfReader) -> str:
    """Return the property that names an audience, or nothing."""
    known = reader.metadata.items() if reader.metadata else ()
    found = in_properties((str(name).lstrip("/"), value) for name, value in known)
    if found:
        return found
    stream = reader.root_object.get("/Metadata")
    packet = stream.get_object().get_data() if stream is not None else b""
    names = re.findall(rb"[<\s](?:[\w.-]{1,40}:)?([A-Za-z_][\w.-]{0,60})(?=[\s=>/])", packet[:_PACKET])
    return next((f"its property {one.decode()}" for one in names if near(one.decode())), "")


def _blocks(pages: list[str]) -> list[Block]:
    blocks = plain.read("\n".join(_unhyphenated(page) for page in pages), headings=True)
    if any(block.kind == "heading" for block in blocks):
        return blocks
    found: list[Block] = []
    for number, page in enumerate(pages, start=1):
        content = plain.read(_unhyphenated(page))
        if content:
            found += [
                Block(kind="heading", text=f"Page {number}", level=2, anchor=f"page={number}"),
                *content,
            ]
    return found


def _unhyphenated(page: str) -> str:
    return re.sub(r"(?<=[a-z])-\n(?=[a-z])", "", page)


def _title(found: str) -> str:
    """Return a PDF's own title unless it is a program's leftover such as "Microsoft Word - draft.docx"."""
    found = " ".join(found.split())
    return "" if re.search(r"\.(docx?|pdf|indd)$|^(untitled|microsoft word)", found, re.IGNORECASE) else found


def _reason(error: Exception) -> str:
    return (" ".join(str(error).split()) or type(error).__name__)[:120]
