"""Passages to a cited answer, or a refusal to answer. No language model has a hand in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal

from knowledge.confidence import signals
from knowledge.conflicts import contradicted
from knowledge.edition import Edition, Reader, linked
from knowledge.embedder import Embedder
from knowledge.errors import EmptyQuestion, QuestionTooLong
from knowledge.hidden import visible
from knowledge.quotes import Quote, candidates, chosen, settled
from knowledge.retrieve import Hit, query, rank
from knowledge.scale import scale

LONGEST_QUESTION = 3000  # characters
Status = Literal["answered", "cautioned", "not_covered"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Citation:
    """One quoted span and where it stands: `section` is the headings below the document's title."""

    document: str
    title: str
    section: str
    anchor: str
    quote: str
    url: str
    edition: str

    def as_json(self) -> dict[str, str]:
        """Return it for `ask --json`."""
        return {
            name: getattr(self, name) for name in ("document", "title", "section", "quote", "url", "edition")
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Passage:
    """A place that was considered, best first."""

    document: str
    title: str
    section: str
    anchor: str
    url: str
    owner: str
    score: float

    def as_json(self) -> dict[str, Any]:
        """Return it for `ask --json`."""
        return {"document": self.document, "section": self.section, "score": round(self.score, 4)}


@dataclass(frozen=True, kw_only=True, slots=True)
class Worded:
    """One sentence in a model's words, and the numbers, from 1, of the citations that support it."""

    text: str
    marks: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the bot says to a question, and what it stands on.

    `owner` is whom to ask where the documents do not say (empty where no document names one). `worded` is
    empty where the quotes speak for themselves, as they do without a model.
    """

    question: str
    status: Status
    answer: str
    citations: tuple[Citation, ...]
    passages: tuple[Passage, ...]
    confidence: float
    notes: tuple[str, ...]
    edition: str
    owner: str
    timings_ms: dict[str, float]
    worded: tuple[Worded, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return it for `ask --json`."""
        return {
            "question": self.question,
            "status": self.status,
            "answer": self.answer,
            "citations": [citation.as_json() for citation in self.citations],
            "passages": [passage.as_json() for passage in self.passages],
            "confidence": round(self.confidence, 4),
            "notes": list(self.notes),
            "edition": self.edition,
            "timings_ms": {name: round(value, 2) for name, value in self.timings_ms.items()},
        }


class Library:
    """An open edition and a warm embedder. Safe to ask from several threads."""

    def __init__(self, edition: Edition, embedder: Embedder) -> None:
        self.edition = edition
        self._embedder = embedder

    @property
    def embedder(self) -> Embedder:
        """What turns questions into vectors."""
        return self._embedder

    def warm(self) -> None:
        """Read in now what the first question would have to wait for."""
        self.ask("What is the policy?", reader=Reader(today=date.max))

    def ask(
        self, question: str, *, reader: Reader, history: Sequence[str] = (), threshold: float | None = None
    ) -> Answer:
        """Answer a question from what this reader may read and what is in force on their day.

        Policies are asked alone; only where they do not cover the question are references, and what these
        say carries a caution. So nothing that a reference holds changes what a policy answers.

        `history` is the thread's earlier messages by the same person, oldest first. `threshold` is the
        confidence from which on something is quoted, in place of the shipped one. Raises EmptyQuestion and
        QuestionTooLong.
        """
        question = checked(question)
        references = replace(reader, standing="reference")
        if reader.standing is not None or not len(self.edition.readable(references)):
            return self._ask(question, reader, history, threshold)
        policies = self._ask(question, replace(reader, standing="policy"), history, threshold)
        if policies.status != "not_covered":
            return policies
        found = self._ask(question, references, history, threshold)
        kept = policies if found.status == "not_covered" and policies.passages else found
        times = {name: time + found.timings_ms[name] for name, time in policies.timings_ms.items()}
        return replace(kept, timings_ms=times)

    def _ask(self, question: str, reader: Reader, history: Sequence[str], threshold: float | None) -> Answer:
        started = time.perf_counter()
        asked = query(self.edition, self._embedder, question, history, reader=reader)
        embedded = time.perf_counter()
        hits = rank(self.edition, asked, reader=reader)
        ranked = time.perf_counter()
        found = candidates(self.edition, asked, hits)
        hits = settled(hits, found)
        confidence = scale().probability(signals(self.edition, asked, hits, found))
        cautioned = scale().cautioned if threshold is None else threshold
        kept = chosen(found, hits) if confidence >= cautioned else []
        kept, conflicts = contradicted(kept, found)
        notes = [*self._disagreements(conflicts), *self._notes(kept, reader)]
        status: Status = "answered" if kept and not notes and confidence >= scale().answered else "cautioned"
        if not kept:
            status = "not_covered"
        citations = [self._citation(quote) for quote in kept]
        passages = self._passages(hits)
        ended = time.perf_counter()
        return Answer(
            question=question,
            status=status,
            answer=_joined(kept),
            citations=tuple(citations),
            passages=passages,
            confidence=confidence,
            notes=tuple(notes),
            edition=self.edition.id,
            owner=self._owner(kept, passages),
            timings_ms={
                "embed": (embedded - started) * 1000,
                "retrieve": (ranked - embedded) * 1000,
                "answer": (ended - ranked) * 1000,
                "total": (ended - started) * 1000,
            },
        )

    def _disagreements(self, pairs: Sequence[tuple[Quote, Quote]]) -> list[str]:
        """Return which documents in force contradict each other, and which of them is the newer."""
        said: list[str] = []
        for pair in pairs:
            heads = [self.edition.documents[quote.span.document] for quote in pair]
            names = [head.title for head in heads]
            if names[0] == names[1]:
                names = [head.document for head in heads]
            told = f"\u201c{names[0]}\u201d and \u201c{names[1]}\u201d contradict each other here"
            dates = [head.terms.effective or date.min for head in heads]
            if dates[0] == dates[1]:
                said.append(f"{told}; please ask which of them holds.")
            else:
                newer = max((0, 1), key=lambda place: dates[place])
                said.append(
                    f"{told}; \u201c{names[newer]}\u201d is the newer one, in force since"
                    f" {dates[newer].isoformat()}."
                )
        return list(dict.fromkeys(said))

    def _notes(self, kept: Sequence[Quote], reader: Reader) -> list[str]:
        """Return what must be said beside the quotes: an overdue review, or what a document holds for."""
        overdue: dict[str, date] = {}
        regions: dict[str, frozenset[str]] = {}
        references: dict[str, None] = {}
        for quote in kept:
            head = self.edition.documents[quote.span.document]
            if head.terms.standing == "reference":
                references[head.title] = None
            if reader.regions is None and head.terms.regions:  # nobody knows where the reader works
                regions[head.title] = head.terms.regions
            if head.terms.review is not None and head.terms.review < reader.today:
                overdue[head.title] = head.terms.review
        return (
            [
                f"\u201c{title}\u201d was due for review on {due.isoformat()}; it may be out of date."
                for title, due in overdue.items()
            ]
            + [
                f"\u201c{title}\u201d holds for {', '.join(sorted(codes))} only."
                for title, codes in regions.items()
            ]
            + [f"\u201c{title}\u201d is a reference, not a policy." for title in references]
        )

    def _owner(self, kept: Sequence[Quote], passages: Sequence[Passage]) -> str:
        """Return whom to ask: the owner of what is quoted, else of the nearest section that has one."""
        quoted_by = (self.edition.documents[quote.span.document].terms.owner for quote in kept)
        nearest = (passage.owner for passage in passages)
        return next((owner for owner in (*quoted_by, *nearest) if owner), "")

    def _citation(self, quote: Quote) -> Citation:
        head = self.edition.documents[quote.span.document]
        return Citation(
            document=head.document,
            title=head.title,
            section=section_of(head.title, quote.part.path),
            anchor=quote.part.anchor,
            quote=quote.text,
            url=linked(head.terms.url, quote.part.anchor),
            edition=self.edition.id,
        )

    def _passages(self, hits: Sequence[Hit]) -> tuple[Passage, ...]:
        kept: dict[tuple[int, int], Passage] = {}
        for hit, span in zip(hits, self.edition.texts.spans([hit.number for hit in hits]), strict=True):
            if (span.document, span.part) in kept:
                continue
            head, part = self.edition.documents[span.document], self.edition.part(span)
            kept[span.document, span.part] = Passage(
                document=head.document,
                title=head.title,
                section=section_of(head.title, part.path),
                anchor=part.anchor,
                url=linked(head.terms.url, part.anchor),
                owner=head.terms.owner,
                score=hit.score,
            )
        return tuple(kept.values())


def section_of(title: str, path: Sequence[str]) -> str:
    """Return where in a document a part stands: its headings below the title, or the title above them all."""
    said = bool(path) and path[0].casefold() == title.casefold()
    return " > ".join(path[said:]) or title


def place_of(place: Citation | Passage) -> str:
    """Return where something stands, with its document's title, as one line."""
    return place.title if place.section == place.title else f"{place.title} > {place.section}"


def checked(question: str) -> str:
    """Return a question that can be answered: not empty, not longer than anybody's question."""
    cleaned = " ".join(visible(question)[0].split())
    if not any(mark.isalnum() for mark in cleaned):
        raise EmptyQuestion("Please ask a question in words.")
    if len(cleaned) > LONGEST_QUESTION:
        raise QuestionTooLong(
            f"The question has {len(cleaned):,} characters; please ask in at most {LONGEST_QUESTION:,}."
        )
    return cleaned


def _joined(kept: Sequence[Quote]) -> str:
    """Return the quotes as one text; rows of one table share its header, items of one list its lead-in."""
    lines: list[str] = []
    shared = ""
    for quote in kept:
        lead = quote.unit.lead if quote.unit.kind in {"row", "item"} else ""
        lines.append(quote.text.removeprefix(lead).lstrip() if lead and lead == shared else quote.text)
        shared = lead
    return "\n".join(lines)
