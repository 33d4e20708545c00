"""How much of a faithful model's wording is kept, and how much of a hostile one's, on real sentences.

`pytest tests/evals/test_wording.py -s` prints the figures of docs/model-answers.md.
"""

import json
import random
import re
from collections import Counter
from pathlib import Path

import pytest

from bot.blocks import answer as blocks
from knowledge.answer import Answer, Citation
from knowledge.grounding import verified
from knowledge.sentences import split
from knowledge.verifier import statements, supported
from tests.evals.wordings import FAITHFUL
from tests.hostile import CHANGES, lies

ROOT = Path(__file__).resolve().parents[2]
HOSTILE = 10_000
FRONT = re.compile(r"\A---.*?^---", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"<[^>]*>|://|@(?:here|channel|everyone)", re.IGNORECASE)


def sentences(folder: Path) -> list[str]:
    """The plain sentences of the Markdown files in a folder."""
    found: list[str] = []
    for path in sorted(folder.rglob("*.md")):
        text = FRONT.sub("", path.read_text(encoding="utf-8", errors="ignore"))
        for paragraph in re.split(r"\n\s*\n", text.replace("**", "")):
            if re.match(r"[A-Z]", paragraph) and not re.search(r"[|\[`<*]", paragraph):
                found += [each for each in split(" ".join(paragraph.split())) if 5 <= len(each.split()) <= 50]
    return list(dict.fromkeys(found))


@pytest.fixture(scope="module")
def real(shared_data: Path) -> list[str]:
    found = [*sentences(ROOT / "bot" / "demo" / "handbook")]
    for handbook in ("civicactions", "clef", "datica"):
        found += sentences(shared_data / "handbooks" / handbook)
    assert len(found) > 1500
    return found


def citation(quote: str) -> Citation:
    return Citation(document="d.md", title="T", section="S", anchor="s", quote=quote, url="", edition="e")


def drawn(quotes: tuple[Citation, ...], reply: str) -> tuple[list[str], str]:
    """The sentences of a reply that are kept, and all that a reader of the message would see of them."""
    kept = verified(reply, quotes)
    text = " ".join(f"{each.text} {''.join(f'[{mark}]' for mark in each.marks)}" for each in kept)
    found = Answer(
        question="?", status="answered", answer=text, citations=quotes, passages=(), confidence=0.9, notes=(),
        edition="e", owner="", timings_ms={}, worded=kept,
    )  # fmt: skip
    message = blocks.answer(found)
    worded = message.blocks[1] if kept else {}
    return [each.text for each in kept], json.dumps(worded, ensure_ascii=False)


def test_of_ten_thousand_hostile_replies_nothing_unsupported_reaches_a_reader(
    real: list[str], shared_data: Path
) -> None:
    with (shared_data / "redteam" / "prompts.jsonl").open(encoding="utf-8") as lines:
        strangers = [json.loads(line)["text"] for line in lines]
    tried, wrong = Counter[str](), Counter[str]()
    for place, lie in lies(real, strangers, count=HOSTILE, seed=20):
        true = real[place]
        kept, shown = drawn((citation(true), citation("Rest is part of the work.")), lie.reply)
        honest = {_plain(each) for each in (*split(true), true)}
        tried[lie.kind] += 1
        wrong[lie.kind] += any(_plain(each) not in honest for each in kept) or LINK.search(shown) is not None
    print(f"\nhostile: {tried.total()} tried, {wrong.total()} wrong; {dict(sorted(tried.items()))}")
    assert tried.total() == HOSTILE
    assert wrong.total() == 0, wrong


def _plain(text: str) -> str:
    return re.sub(r"\W+", " ", text).strip().casefold()


HARMLESS = (
    ("contraction", r"\b(do|does|is|are|should) not\b", r"\1n't"),
    ("contraction", r"\b(you|they|we) (?:are)\b", r"\1're"),
    ("number", r"\b2 ", "two "),
    ("number", r"\bthree\b", "3"),
    ("number", r"\b30 ", "thirty "),
    ("modal", r"\bmust\b(?! not)", "have to"),
    ("modal", r"\b(?:is|are) required to\b", "must"),
    ("modal", r"\bmay\b(?! not)", "can"),
    ("word", r"\bnotify\b", "tell"),
    ("word", r"\breceive\b", "get"),
    ("word", r"\bprior to\b", "before"),
    ("word", r"\bat least\b", "no less than"),
    ("word", r"\bper (day|week|month|year)\b", r"a \1"),
    (
        "reader",
        r"\b(?:[Aa]ll )?(?:[Ee]mployees|[Tt]eam members) (must|should|may|can|will|have)\b",
        r"you \1",
    ),
    ("order", r"^(If [^,]+), ((?!if\b)[^,;:]+)\.$", r"\2 \1."),
    ("order", r"^([A-Z][^,;:]+?) ((?:if|unless|when) [^,;:]+)\.$", r"\2, \1."),
)


def test_most_harmless_rewordings_of_real_sentences_are_kept(real: list[str]) -> None:
    tried, kept = Counter[str](), Counter[str]()
    for sentence in real:
        for kind, pattern, better in HARMLESS:
            text = re.sub(pattern, better, sentence, count=1)
            if text == sentence:
                continue
            tried[kind] += 1
            text = _lowered(text) if kind == "order" else text[0].upper() + text[1:]
            kept[kind] += bool(verified(f"{text} [1]", [citation(sentence)]))
    share = kept.total() / tried.total()
    print(f"\nharmless: {kept.total()} of {tried.total()} kept ({share:.2f});", _shares(kept, tried))
    assert tried.total() >= 500
    assert share >= 0.8


def _lowered(text: str) -> str:
    """A sentence whose clauses have changed places, with its capital at the front."""
    text = re.sub(
        r"(?<=[, ])(If|Unless|When|The|A|An|You|Your|All|We|Employees)\b", lambda word: word[0].lower(), text
    )
    return text[0].upper() + text[1:]


def test_corruptions_of_real_sentences_are_dropped(real: list[str]) -> None:
    chance = random.Random(7)
    tried, kept = Counter[str](), Counter[str]()
    for change in CHANGES:
        for sentence in chance.sample(real, 400):
            text = change(sentence, chance)
            if text is not None and _plain(text) != _plain(sentence):
                tried[change.__name__] += 1
                kept[change.__name__] += any(
                    _plain(each.text) != _plain(sentence)
                    for each in verified(f"{text} [1]", [citation(sentence)])
                )
    print(f"\ncorrupted: {kept.total()} of {tried.total()} kept; tried", dict(tried))
    assert tried.total() >= 1500
    assert kept.total() == 0, kept


def test_most_of_what_a_faithful_writer_says_is_kept() -> None:
    kept = [said for true, said in FAITHFUL if any(supported(said, each) for each in statements(true))]
    print(f"\nfaithful: {len(kept)} of {len(FAITHFUL)} kept")
    assert len(kept) >= 28


def _shares(part: Counter[str], whole: Counter[str]) -> dict[str, str]:
    return {name: f"{part[name]}/{count}" for name, count in sorted(whole.items())}
