"""Plainer searches see the same passages as the same reader, and nothing of our own reading."""

from collections.abc import Callable
from dataclasses import replace

from knowledge.edition import Edition
from knowledge.measures.baselines import compared
from tests.unit.knowledge.conftest import EVERYONE, Words
from tests.unit.knowledge.test_evaluate import question

Ingest = Callable[[dict[str, str | bytes]], Edition]

FILES: dict[str, str | bytes] = {
    "leave.md": "# Leave\n\nEverybody has 25 days of paid leave a year.\n",
    "travel.md": "# Travel\n\nTrains are booked in second class.\n",
    "pay.md": "---\naudience: [payroll]\n---\n# Zebra pay\n\nZebra pay is due on the last day.\n",
}


def test_each_search_has_its_figures(ingest: Ingest, words: Words) -> None:
    asked = replace(question(["leave.md"]), question="days of paid leave?")
    nothing = replace(question([], answerable=False), question="volcano")
    found = compared([asked, nothing], ingest(FILES), words, EVERYONE)
    assert set(found) == {"bm25", "dense", "mix"}
    for search in found.values():
        assert search["retrieval"] == {"recall@1": 1, "recall@5": 1, "recall@10": 1, "ndcg@10": 1}
        assert search["auc"] == 1


def test_a_follow_up_is_read_with_the_turns_before_it(ingest: Ingest, words: Words) -> None:
    alone = replace(question(["travel.md"]), question="and the days?")
    after = replace(alone, history=("long ago", "trains booked second class", "which class of trains"))
    edition = ingest(FILES)
    assert compared([alone], edition, words, EVERYONE)["bm25"]["retrieval"]["recall@1"] == 0
    assert compared([after], edition, words, EVERYONE)["bm25"]["retrieval"]["recall@1"] == 1


def test_what_the_reader_may_not_read_is_found_by_none(ingest: Ingest, words: Words) -> None:
    asked = replace(question(["pay.md"]), question="when is zebra pay due?")
    found = compared([asked], ingest(FILES), words, EVERYONE)
    assert all(search["retrieval"]["recall@10"] == 0 for search in found.values())
    insider = compared([asked], ingest(FILES), words, replace(EVERYONE, audiences=frozenset({"payroll"})))
    assert all(search["retrieval"]["recall@1"] == 1 for search in insider.values())
