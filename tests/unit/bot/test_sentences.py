"""Every key that the runs can hand out has a sentence, and the facts are in it."""

import re
from pathlib import Path

import pytest

from bot import sentences
from graphs.records import Answered

GRAPHS = Path(__file__).parents[3] / "graphs"
SOURCE = "\n".join(file.read_text(encoding="utf-8") for file in sorted(GRAPHS.rglob("*.py")))
UNTIL = "2026-03-05T12:00:00+00:00"


def keys(pattern: str) -> list[str]:
    found = sorted(set(re.findall(pattern, SOURCE)))
    assert found
    return found


@pytest.mark.parametrize("key", [*keys(r'Refused\("(\w+)"'), "read_back_failed"])
def test_every_reason_is_said(key: str) -> None:
    assert sentences.reason(key, {"by": "Grace"}) != sentences.reason("no such key", {})


@pytest.mark.parametrize("key", [*keys(r'cases\.note\(conn, [^,]+, "(\w+)"'), "refused", "failed", "unknown"])
def test_every_step_is_said(key: str) -> None:
    assert key in sentences._STEPS


@pytest.mark.parametrize(
    "key", [*keys(r'(?:key|notice)=f?"(\w+)[":]'), "denied", "expired", "refused", "failed", "unknown"]
)
def test_every_notice_is_said(key: str) -> None:
    assert sentences.notice(key, {}) != sentences.notice("no such key", {})


def test_every_answer_to_a_click_is_said() -> None:
    assert set(sentences.ANSWERS) == set(Answered)


def test_notices_hold_their_facts() -> None:
    granted = sentences.notice("granted", {"group": "billing-db", "until": UNTIL, "by": "Grace"})
    assert "billing-db" in granted
    assert "<!date^1772712000^" in granted
    assert "Grace" in granted
    assert "Ask first" in sentences.notice("denied", {"by": "Grace", "reason": "Ask first", "key": "denied"})
    assert "7 days" in sentences.notice("refused", {"key": "too_long", "most": "7"})
    assert "did not confirm" in sentences.notice("retrying", {"sent": "maybe"})
    assert sentences.notice("changed:a1", {}) == sentences.notice("changed:a2", {})


def test_a_time_that_is_none_is_left_out() -> None:
    for odd in ("", "soon", "2026-03-05"):
        assert "<!date" not in sentences.notice("granted", {"group": "g", "until": odd})
