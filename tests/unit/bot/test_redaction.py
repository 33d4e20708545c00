"""What is taken out of people's words before they are kept, and what is left."""

import json
from pathlib import Path

import pytest

from bot.redaction import redacted

# Put together here, so that no scanner takes them for real ones.
SLACK = "-".join(["xoxb", "123456789012", "abcdefGHIJKL"])
JWT = "eyJhbGciOiJIUzI1NiJ9" + ".eyJzdWIiOiIxIn0" + ".c2lnbmF0dXJl"
AWS = "AKIA" + "IOSFODNN7EXAMPLE"
KEY = "-----BEGIN RSA PRIVATE KEY----- MIIEow -----END RSA PRIVATE KEY-----"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"is {SLACK} still valid?", "is [secret] still valid?"),
        (f"use {JWT} now", "use [secret] now"),
        (f"key {AWS} leaked", "key [secret] leaked"),
        (f"I pasted {KEY} here", "I pasted [secret] here"),
        ("my password is hunter2! may I keep it?", "my password is [secret] may I keep it?"),
        ("token=abcdef where?", "token=[secret] where?"),
        ("postgres://ada:pa55@db.example/x", "postgres://[secret]@db.example/x"),
        ("hash d41d8cd98f00b204e9800998ecf8427e leaked", "hash [secret] leaked"),
        ("may I send it to ada.o'neil+x@larkfield.example?", "may I send it to [email]?"),
        ("ask <@U0ADA> or <@W012|ada>", "ask [person] or [person]"),
        ("My name is Ada Okafor, am I insured?", "My name is [name], am I insured?"),
        ("card 4111 1111 1111 1111 was charged", "card [card] was charged"),
        ("pay GB82 WEST 1234 5698 7654 32 back", "pay [IBAN] back"),
        ("call +44 (0)20 7946 0958", "call [number]"),
        ("my number is 123-45-6789", "my number is [number]"),
        ("from 192.168.10.7 or 2001:db8::1", "from [IP address] or [IP address]"),
        ("a\x1b[31mred\x07\u202e \n line", "a[31mred line"),
    ],
)
def test_secrets_and_personal_values_are_taken_out(said: str, kept: str) -> None:
    assert redacted(said, 600) == kept


@pytest.mark.parametrize(
    "said",
    [
        "How many days of leave do I get from 2026-01-31 to 2026-02-15?",
        "my password is expired, what now?",
        "Password: how often must I change it?",
        "Is the limit 1,000,000 or 250,000.50 euros?",
        "What changed in 2011-2013, or on 31/12/2025?",
        "Does section 4.2.1.3 of ISO-27001:2022 apply at 12:30?",
        "Gilt das auch für Teilzeit? ¿Y en España? 有給休暇は何日ですか",
        "who may join billing-db for 30 days",
    ],
)
def test_questions_about_policies_are_left_as_they_are(said: str) -> None:
    assert redacted(said, 600) == said


def test_numbers_that_fail_their_checksum_are_not_called_cards() -> None:
    assert redacted("order 4111111111111112", 600) == "order [number]"
    assert redacted("code GB82 WEST 1234 5698 7654 33", 600) == "code GB82 WEST [number]"


def test_long_text_is_cut_after_it_was_redacted() -> None:
    kept = redacted("x " * 298 + "ada@larkfield.example" + " y" * 100_000, 600)
    assert len(kept) == 600
    assert "ada@" not in kept


def test_labelled_sentences(shared_data: Path) -> None:
    """Forms with a shape of their own are found; a sentence without personal values stays whole."""
    lines = (shared_data / "pii" / "sentences.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    least = {"CREDIT_CARD": 0.98, "IBAN_CODE": 0.98, "EMAIL_ADDRESS": 0.98, "IP_ADDRESS": 0.98}
    least |= {"US_SSN": 0.98, "PHONE_NUMBER": 0.9}
    for kind, share in least.items():
        spans = [(row, span["value"]) for row in rows for span in row["spans"] if span["type"] == kind]
        gone = [value not in redacted(row["text"], 5000) for row, value in spans]
        assert sum(gone) / len(gone) >= share, kind
    clean = [" ".join(row["text"].split()) for row in rows if not row["spans"]]
    assert [text for text in clean if redacted(text, 5000) != text] == []
