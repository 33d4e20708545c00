"""What a requester filled in, against what must be known."""

import pytest

from graphs.forms import examine
from graphs.records import Field

GROUP = Field(name="group", label="Which", kind="choice", options=("billing-db", "prod-logs"))
DAYS = Field(name="days", label="Days", kind="number", least=1, most=30)
REASON = Field(name="reason", label="Why", kind="text", most=20)


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        ("3", None),
        (" 3 ", None),
        ("", "required"),
        ("0", "too_small"),
        ("31", "too_large"),
        ("-1", "not_a_number"),
        ("3.5", "not_a_number"),
        ("three", "not_a_number"),
        ("٣", "not_a_number"),  # a digit, and not one of ours
        ("9" * 400, "not_a_number"),
    ],
)
def test_a_number_is_a_plain_whole_number_within_its_bounds(value: str, problem: str | None) -> None:
    assert examine([DAYS], {"days": value}).get("days") == problem


def test_a_choice_is_one_of_its_options_to_the_letter() -> None:
    assert examine([GROUP], {"group": "Billing-DB"}) == {"group": "not_an_option"}
    assert examine([GROUP], {"group": "billing-db"}) == {}


def test_a_text_is_bounded_and_may_hold_anything() -> None:
    assert examine([REASON], {"reason": "<!channel> 🙂"}) == {}
    assert examine([REASON], {"reason": "x" * 21}) == {"reason": "too_long"}
    assert examine([REASON], {"reason": "   "}) == {"reason": "required"}


def test_what_is_missing_altogether_is_required() -> None:
    assert examine([GROUP, DAYS], {}) == {"group": "required", "days": "required"}
