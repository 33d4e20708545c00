"""A file of any known kind to a document."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from knowledge.documents import Document, Terms, parts_of
from knowledge.errors import Unreadable
from knowledge.hidden import INVISIBLE, UNSEEN_TITLE, visible
from knowledge.sources import opening
from knowledge.sources.apart import Apart
from knowledge.sources.base import Defaults
from knowledge.sources.language import language_of
from knowledge.sources.reading import Reading

MARKDOWN = frozenset({".md", ".markdown", ".mdx"})
PAGES = frozenset({".html", ".htm", ".xhtml"})
TEXTS = frozenset({".txt", ".text", ".rst"})
KINDS = MARKDOWN | PAGES | TEXTS | {".pdf", ".docx"}
LONGEST = 20_000_000  # characters of one document's text

_APART = Apart()


def document_of(path: Path, *, document: str, sha256: str, defaults: Defaults, given: Terms) -> Document:
    """Return a file's document. `given` is what its source knows of it: its address and owner come first.

    Raises Unreadable with the reason when it cannot be one.
    """
    return of_content(
        opening.content(path), path.suffix, document=document, sha256=sha256, defaults=defaults, given=given
    )


def of_content(
    content: bytes, suffix: str, *, document: str, sha256: str, defaults: Defaults, given: Terms
) -> Document:
    """Return the document that a file's bytes are, as `document_of` does."""
    terms, reading = _APART.parsed(content, suffix)
    return made(
        terms,
        reading,
        document=document,
        sha256=sha256,
        defaults=defaults,
        given=given,
        label=in_words(Path(document).stem),
    )


def made(
    terms: Terms,
    reading: Reading,
    *,
    document: str,
    sha256: str,
    defaults: Defaults,
    given: Terms,
    label: str,
) -> Document:
    """Return a document of what was read. Raises Unreadable when there is nothing to quote."""
    label = label if any(mark.isalpha() for mark in label) else ""
    parts = parts_of(replace(block, links=_within(block.links, given.url)) for block in reading.blocks)
    if not any(part.units for part in parts):
        raise Unreadable("it holds no text")
    terms = replace(
        terms,
        version=terms.version or reading.version or given.version,
        language=terms.language or reading.language or given.language,
    )
    terms, refused = defaults.applied(terms, given)
    return Document(
        document=document,
        title=terms.title or reading.title or given.title or label or document,
        terms=terms,
        parts=parts,
        sha256=sha256,
        label=label,
        hidden=tuple(sorted((reading.hidden + refused).items())),
    )


def _within(links: Iterable[tuple[str, str]], url: str) -> tuple[tuple[str, str], ...]:
    """Return the links that lead to another place of the same site, with their whole addresses.

    Others are dropped: nobody vouches for where they lead.
    """
    here = urlsplit(url)[:2]
    found: list[tuple[str, str]] = []
    for words, href in links if url else ():
        try:
            address = urljoin(url, href)
            same = urlsplit(address)[:2] == here
        except ValueError:
            continue
        if same and not href.startswith("#"):
            found.append((visible(words)[0], address))
    return tuple(found)


def of_line(line: str, *, document: str, sha256: str, defaults: Defaults) -> Document:
    """Return the document of one line of a JSONL. Raises Unreadable."""
    from knowledge.sources import declared, front, plain  # noqa: PLC0415 - see parsed

    pairs: list[tuple[str, object]] = json.loads(line, object_pairs_hook=_Row).pairs
    text, invisible = visible(str(dict(pairs)["text"]))
    terms = front.of_row([(key, value) for key, value in pairs if key != "text"])
    front.refuse(declared.in_text(text, code=False))
    reading = Reading(blocks=plain.read(text))
    reading.hidden.update(_counted(invisible))
    return made(terms, reading, document=document, sha256=sha256, defaults=defaults, given=Terms(), label="")


class _Row(dict[str, object]):
    """An object of JSON that keeps keys which come twice."""

    def __init__(self, pairs: list[tuple[str, object]]) -> None:
        super().__init__(pairs)
        self.pairs = pairs


def parsed(content: bytes, suffix: str) -> tuple[Terms, Reading]:
    """Return what a file says of itself, and what it holds.

    Runs in the process that `knowledge.sources.apart` starts. Raises Unreadable, and whatever a library
    raises over a damaged file.
    """
    # Converters take a while to import, and an ingest that finds nothing new needs none of them.
    from knowledge.sources import docx, front, html, markdown, pdf, plain  # noqa: PLC0415

    kind = suffix.lower()
    if kind in {".pdf", ".docx"}:
        reading = pdf.read(content) if kind == ".pdf" else docx.read(content)
        front.refuse(reading.declared)
        return Terms(), _finished(_titled(reading))
    text, invisible = visible(_text(content))
    terms, body = front.separate(text, page=kind in PAGES)
    if kind in MARKDOWN:
        reading = markdown.read(body)
    elif kind in PAGES:
        reading = html.read(body, whole=True)
    else:
        reading = Reading(blocks=plain.read(body))
    front.refuse(reading.declared)
    reading.hidden.update(_counted(invisible))
    return terms, _finished(reading, said=terms.language)


def _titled(reading: Reading) -> Reading:
    """Drop a title that is only in a file's properties, where its readers never look."""
    shown = " ".join(" ".join(block.text for block in reading.blocks).casefold().split())
    if reading.title and " ".join(reading.title.casefold().split()) not in shown:
        reading.title = ""
        reading.hidden[UNSEEN_TITLE] += 1
    return reading


def _finished(reading: Reading, *, said: str = "") -> Reading:
    reading = _cleaned(reading)
    if sum(len(block.text) + len(block.lead) for block in reading.blocks) > LONGEST:
        raise Unreadable(f"it holds more than {LONGEST // 10**6} million characters of text")
    if not (said or reading.language):
        reading.language = language_of(" ".join(block.text for block in reading.blocks[:100]))
    return reading


def _counted(invisible: int) -> Counter[str]:
    return Counter({INVISIBLE: invisible} if invisible else {})


def _cleaned(reading: Reading) -> Reading:
    """Take invisible characters out again: entities and document formats bring their own."""
    for place, block in enumerate(reading.blocks):
        text, invisible = visible(block.text)
        if text != block.text:
            reading.hidden.update(_counted(invisible))
            reading.blocks[place] = replace(block, text=text, lead=visible(block.lead)[0])
    reading.title = visible(reading.title)[0]
    return reading


def _text(raw: bytes) -> str:
    if b"\0" in raw[:8192] and not raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise Unreadable("it is not text")
    for coding in ("utf-16",) if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ("utf-8-sig", "cp1252"):
        try:
            return raw.decode(coding)
        except UnicodeDecodeError:
            continue
    raise Unreadable("its characters are in no encoding that is known here")


def in_words(stem: str) -> str:
    """Return a file's name as words: "07-systems_access_policy" is "systems access policy"."""
    words = re.sub(r"[-_.]+", " ", re.sub(r"(?<=[a-z])(?=[A-Z][a-z])", " ", stem)).strip()
    return re.sub(r"^\d+\s+(?=\D)", "", words)
