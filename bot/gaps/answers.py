"""Reviewed answers: Markdown documents in the home's folder `answers`, which every ingest reads."""

import os
import re
import secrets
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import yaml

from bot.gaps.gaps import Gap
from bot.source_settings import ANSWERS
from knowledge.documents import EVERYONE, slug
from knowledge.hidden import visible

LONGEST = 50_000  # characters


class BadAnswer(Exception):
    """An answer that cannot become a document. The message says why and what to do."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Reviewed:
    """What an owner answers."""

    text: str
    title: str
    owner: str
    audience: frozenset[str]
    effective: date
    reviewed: date


def audience_for(gap: Gap, named: list[str] | None) -> frozenset[str]:
    """Return who may read the answer to a gap: those who are named, else the narrowest of its audiences.

    Raises BadAnswer where its questions were about documents of several audiences, and nobody is named.
    """
    if named:
        names = frozenset(name.strip() for each in named for name in each.split(",") if name.strip())
        if not names:
            raise BadAnswer("--audience names nobody. Say everyone, or the names of groups.")
        return names
    closed = [audience for audience in gap.audiences if EVERYONE not in audience]
    if not closed:
        return frozenset({EVERYONE})
    if len(set(closed)) > 1 or len(closed[0]) > 1:
        several = ", ".join(sorted(frozenset().union(*closed)))
        raise BadAnswer(
            f"The questions were about documents of several audiences ({several}). Say with --audience who "
            "may read the answer."
        )
    return closed[0]


def document_for(gap: Gap, title: str) -> str:
    """Return the name of the document that answers a gap; an answer that is written anew keeps its name."""
    if gap.answer is not None:
        return gap.answer
    words = slug(title)[:60].strip("-_") or "answer"
    return f"{ANSWERS}/{words}-{gap.id[:8]}.md"


def version_of(path: Path) -> int:
    """Return the version of the answer that stands in a file; 0 where there is none."""
    try:
        found = re.search(r"^version: '?(\d+)'?$", path.read_text(encoding="utf-8"), re.MULTILINE)
    except FileNotFoundError:
        return 0
    return int(found[1]) if found else 0


def drawn(answer: Reviewed, *, version: int) -> str:
    """Return the document as Markdown with front matter. Raises BadAnswer where it says nothing."""
    title, text = _line(answer.title), visible(answer.text)[0].strip()
    if not any(mark.isalnum() for mark in title):
        raise BadAnswer("The title says nothing. Name the document in words: --title TITLE.")
    if not any(mark.isalnum() for mark in text):
        raise BadAnswer("The answer is empty. Write it into the file that --text names.")
    if len(text) > LONGEST:
        raise BadAnswer(f"The answer has {len(text):,} characters; write at most {LONGEST:,}.")
    front = {
        "title": title,
        "owner": _line(answer.owner),
        "effective": answer.effective,
        "audience": sorted(answer.audience),
        "version": str(version),
        "reviewed_by": _line(answer.owner),
        "reviewed_at": answer.reviewed,
    }
    head = yaml.safe_dump(front, allow_unicode=True, sort_keys=False, width=10_000)
    heading = "" if text.startswith("# ") else f"# {title}\n\n"
    return f"---\n{head}---\n{heading}{text}\n"


class Draft:
    """A document that is safe on disk beside its place, and takes it when the record of it is there."""

    def __init__(self, path: Path, text: str) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._draft = path.with_name(f".{secrets.token_hex(8)}.draft")
        with os.fdopen(os.open(self._draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())

    def publish(self) -> None:
        """Let the document take its place."""
        self._draft.replace(self._path)

    def discard(self) -> None:
        """Remove what was not published."""
        self._draft.unlink(missing_ok=True)


def _line(text: str) -> str:
    return " ".join(visible(text)[0].split())
