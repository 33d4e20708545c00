"""The router on real messages. The rules were written from the other half of the labelled ones."""

import json
from collections import Counter
from hashlib import sha256
from pathlib import Path

import pytest

from bot.router import Kind, WorkflowHints, route
from graphs.workflows.it_access import hints as it_access

ACCESS = {"it_access": it_access({"billing-db", "crm-readers", "prod-logs"})}


def words(*phrases: str) -> frozenset[str]:
    return frozenset(phrases)


# Other workflows that a company might add, to measure on messages that are about none of ours.
WORKPLACE = ACCESS | {
    "time_off": WorkflowHints(
        nouns=words(
            "pto request", "pto", "vacation request", "vacation", "time off", "day off", "leave request"
        ),
        verbs=words("schedule", "book", "submit", "make", "put in", "take", "set up"),
    ),
    "meeting": WorkflowHints(
        nouns=words("meeting", "meeting room", "room", "conference room"),
        verbs=words("schedule", "book", "reserve", "set", "set up", "arrange", "create"),
    ),
    "password": WorkflowHints(nouns=words("password", "pin"), verbs=words("reset", "recover", "restore")),
    "insurance": WorkflowHints(
        nouns=words("insurance", "insurance plan", "insurance policy"),
        verbs=words("change", "switch", "update"),
    ),
    "order": WorkflowHints(nouns=words("order", "purchase"), verbs=words("cancel", "change", "update")),
    "refund": WorkflowHints(nouns=words("refund", "reimbursement", "rebate"), verbs=words("obtain")),
    "complaint": WorkflowHints(nouns=words("complaint", "claim"), verbs=words("file", "lodge", "make")),
    "ticket": WorkflowHints(nouns=words("ticket", "incident"), verbs=words("open", "create", "file")),
    "account": WorkflowHints(nouns=words("account"), verbs=words("delete", "close", "remove")),
}


EXPECTED = {
    "question": {Kind.QUESTION},
    "out_of_scope": {Kind.QUESTION},
    "chitchat": {Kind.SMALL_TALK, Kind.HELP},
    "handoff": {Kind.HAND_OVER},
    "action": {Kind.REQUEST},
}


def _measured(folder: Path, workflows: dict[str, WorkflowHints]) -> Counter[tuple[str, Kind]]:
    """Counts of (label, route) over the half of the messages that no rule was written from."""
    counts: Counter[tuple[str, Kind]] = Counter()
    for line in (folder / "intents" / "messages.jsonl").read_text().strip().split("\n"):
        message = json.loads(line)
        if sha256(message["id"].encode()).digest()[0] % 2 == 1:
            counts[message["route"], route(message["text"], workflows=workflows).kind] += 1
    return counts


def _recall(counts: Counter[tuple[str, Kind]], label: str) -> float:
    of_label = {kind: number for (name, kind), number in counts.items() if name == label}
    return sum(of_label.get(kind, 0) for kind in EXPECTED[label]) / sum(of_label.values())


def _precision(counts: Counter[tuple[str, Kind]], label: str) -> float:
    of_kind = dict.fromkeys(EXPECTED, 0)
    for (name, kind), number in counts.items():
        of_kind[name] += number if kind in EXPECTED[label] else 0
    return of_kind[label] / sum(of_kind.values())


def test_none_of_the_real_messages_is_taken_for_an_access_request(shared_data: Path) -> None:
    counts = _measured(shared_data, ACCESS)
    assert sum(counts.values()) == 580
    assert not [label for label, kind in counts if kind is Kind.REQUEST]


def test_real_messages_are_routed_as_people_labelled_them(shared_data: Path) -> None:
    counts = _measured(shared_data, WORKPLACE)
    assert not [label for label, kind in counts if kind is Kind.REQUEST and label != "action"]
    assert _recall(counts, "question") >= 0.98
    assert _recall(counts, "out_of_scope") >= 0.98
    assert _precision(counts, "chitchat") >= 0.97
    assert _recall(counts, "chitchat") >= 0.6
    assert _precision(counts, "handoff") >= 0.98
    assert _recall(counts, "handoff") >= 0.9
    assert (
        _recall(counts, "action") >= 0.15
    )  # most are labelled so for their topic: "I don't know how to cancel"


@pytest.mark.parametrize("folder", ["questions", "redteam", "pii"])
def test_no_question_injection_or_other_sentence_opens_a_request(shared_data: Path, folder: str) -> None:
    texts = [
        value
        for file in sorted((shared_data / folder).rglob("*.jsonl"))
        for line in file.read_text().split("\n")
        if line
        for value in json.loads(line).values()
        if isinstance(value, str)
    ]
    assert len(texts) > 500
    assert not [text for text in texts if route(text, workflows=ACCESS).kind is Kind.REQUEST]
