"""What changed between two editions: documents, their terms, and their sections."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from knowledge.documents import rendered
from knowledge.edition import Edition

Change = Literal["added", "removed", "changed"]


@dataclass(frozen=True, kw_only=True, slots=True)
class SectionChange:
    """A section, without its subsections, that is not in both editions as it is in one."""

    anchor: str
    section: str
    change: Change
    text: str  # a unified diff


@dataclass(frozen=True, kw_only=True, slots=True)
class DocumentChange:
    """A document that is not in both editions as it is in one. `terms` are those that changed: from, to."""

    document: str
    change: Change
    terms: Mapping[str, tuple[str, str]]
    sections: Sequence[SectionChange]


def difference(old: Edition, new: Edition) -> list[DocumentChange]:
    """Return what changed from one edition to another, in the order of names."""
    before, after = (
        {head.document: place for place, head in enumerate(edition.documents)} for edition in (old, new)
    )
    found: list[DocumentChange] = []
    for name in sorted(before.keys() | after.keys()):
        if name not in after:
            found.append(DocumentChange(document=name, change="removed", terms={}, sections=()))
        elif name not in before:
            found.append(DocumentChange(document=name, change="added", terms={}, sections=()))
        elif old.manifest["documents"][name]["text"] != new.manifest["documents"][name]["text"]:
            found.append(
                DocumentChange(
                    document=name,
                    change="changed",
                    terms=_terms(old, before[name], new, after[name]),
                    sections=_sections(_texts(old, before[name]), _texts(new, after[name])),
                )
            )
    return found


def _terms(old: Edition, before: int, new: Edition, after: int) -> dict[str, tuple[str, str]]:
    one, other = (
        {"title": edition.documents[place].title, **asdict(edition.documents[place].terms)}
        for edition, place in ((old, before), (new, after))
    )
    return {name: (_said(one[name]), _said(other[name])) for name in one if one[name] != other[name]}


def _said(value: object) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(value))
    return "" if value is None else str(value)


def _texts(edition: Edition, place: int) -> dict[str, tuple[str, str]]:
    """Return each section's heading path and own text, by its anchor."""
    return {part.anchor: (" > ".join(part.path), rendered(part.units)) for part in edition.texts.parts(place)}


def _sections(old: Mapping[str, tuple[str, str]], new: Mapping[str, tuple[str, str]]) -> list[SectionChange]:
    found: list[SectionChange] = []
    for anchor in [*new, *(anchor for anchor in old if anchor not in new)]:
        before, after = old.get(anchor), new.get(anchor)
        if before == after:
            continue
        change: Change = "added" if before is None else "removed" if after is None else "changed"
        one, other = (_lines(text) for text in (before, after))
        found.append(
            SectionChange(
                anchor=anchor,
                section=(after or before or ("", ""))[0],
                change=change,
                text="\n".join([*difflib.unified_diff(one, other, n=1, lineterm="")][2:]),
            )
        )
    return found


def _lines(section: tuple[str, str] | None) -> list[str]:
    return [] if section is None else [line for line in (section[0], *section[1].splitlines()) if line]
