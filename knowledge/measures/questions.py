"""Question sets: one JSON object a line, in the forms that published sets have."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from knowledge.errors import BadQuestions

ANSWERABLE = (True, False, "partial", "underspecified", "ambiguous")
KINDS = {"kind": ("kind", "type", "question_type", "label")}  # what sets call the kind of a question
_OWN = {
    "id",
    "question",
    "history",
    "answer",
    "gold_docs",
    "gold_span",
    "equiv_docs",
    "contexts",
    "near_docs",
}
_WORDY = 40  # characters of a value that names a kind


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """One line of a question set."""

    id: str
    question: str
    history: tuple[str, ...]  # earlier messages of the person who asks, oldest first
    answerable: bool | str
    gold: tuple[str, ...]  # documents
    equivalent: Mapping[str, frozenset[str]]  # gold document -> others that count as it
    sentences: tuple[str, ...]  # gold sentences
    excerpts: tuple[Excerpt, ...] = ()  # gold spans, where their exact places are given
    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # what else its line says in a word


@dataclass(frozen=True, kw_only=True, slots=True)
class Excerpt:
    """A gold excerpt: the documents that it may stand in, and where it begins in the raw file."""

    documents: tuple[str, ...]
    text: str
    start: int


def load(path: Path) -> list[Question]:
    """Read a question set. Raises BadQuestions with the line that cannot be used."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise BadQuestions(f"{path} cannot be read: {reason}.") from error
    found: list[Question] = []
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                found.append(_question(json.loads(line), number))
            except KeyError as error:
                raise BadQuestions(f"{path}, line {number} is not a question: it has no {error}.") from error
            except (ValueError, TypeError, AttributeError) as error:
                raise BadQuestions(f"{path}, line {number} is not a question: {error}.") from error
    if not found:
        raise BadQuestions(f"{path} holds no question.")
    return found


def _question(row: dict[str, Any], number: int) -> Question:
    answerable = row.get("answerable", True)
    if answerable not in ANSWERABLE:
        raise ValueError(f"answerable is {answerable!r}")
    equivalent = row.get("equiv_docs") or {}
    return Question(
        id=str(row.get("id", number)),
        question=str(row["question"]),
        history=tuple(turn for turn in map(_turn, row.get("history") or []) if turn),
        answerable=answerable,
        gold=tuple(dict.fromkeys(str(name) for name in row.get("gold_docs") or [])),
        equivalent={gold: frozenset(others) for gold, others in equivalent.items()},
        sentences=tuple(_span(span) for span in row.get("gold_span") or []),
        excerpts=tuple(_excerpts(row)),
        fields={
            name: values for name, value in row.items() if name not in _OWN and (values := _values(value))
        },
    )


def _values(value: object) -> tuple[str, ...]:
    """Return a field's value or values, where they are words or numbers."""
    values = value if isinstance(value, list) else [value]
    if all(isinstance(one, str | int) and len(str(one)) <= _WORDY for one in values):
        return tuple(str(one).lower() if isinstance(one, bool) else str(one) for one in values)
    return ()


def _turn(turn: str | dict[str, str]) -> str:
    """Return what the person said in an earlier turn, or nothing where another spoke."""
    if isinstance(turn, str):
        return turn
    return turn["text"] if turn.get("speaker", "user") == "user" else ""


def _span(span: str | dict[str, Any]) -> str:
    if isinstance(span, str):
        return span
    return str(span["text"] if "text" in span else span["content"])


def words_of(text: str) -> list[str]:
    """Return what is compared of a text: its words, without regard to case."""
    return re.findall(r"\w+", text.casefold())


def _excerpts(row: dict[str, Any]) -> Iterator[Excerpt]:
    """Yield the gold spans whose places in the raw file are given."""
    for span in row.get("gold_span") or []:
        if isinstance(span, dict) and "start_index" in span:
            if not words_of(_span(span)):
                raise ValueError("a gold_span holds no word")
            documents = [span["doc"]] if "doc" in span else row.get("gold_docs") or []
            yield Excerpt(
                documents=tuple(map(str, documents)), text=_span(span), start=int(span["start_index"])
            )
