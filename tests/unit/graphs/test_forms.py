"""What a requester filled in, against what must be known."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.sentences import PROBLEMS
from graphs.forms import Amount, Value, canonical, examine, read, shown, write
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


TITLE = Field(name="title", label="Title", kind="text", least=2, most=9, pattern=r"[a-z]+")
PARTS = Field(name="parts", label="Parts", kind="several", options=("a", "b, c", 'd"'), most=2)
PRICE = Field(name="price", label="Price", kind="money", options=("EUR", "USD"), least=1, most=500)
WEIGHT = Field(name="weight", label="Weight", kind="quantity", options=("kg",), places=0)
LENGTH = Field(name="length", label="Length", kind="quantity", options=("m", "M", "ft"), places=4)
DAY = Field(name="day", label="Day", kind="date")
HOUR = Field(name="hour", label="Hour", kind="time")
SURE = Field(name="sure", label="Sure", kind="yes_no")
EVERY = (GROUP, DAYS, REASON, TITLE, PARTS, PRICE, WEIGHT, LENGTH, DAY, HOUR, SURE)


@pytest.mark.parametrize(
    ("field", "typed", "kept"),
    [
        (DAYS, " 007 ", "7"),
        (PARTS, 'd"\na\na', '["a", "d\\""]'),
        (PARTS, '["b, c"]', '["b, c"]'),
        (PRICE, "500", "500"),  # of which currency?
        (PRICE, "20 eur", "20.00 EUR"),
        (PRICE, "20.5EUR", "20.50 EUR"),
        (WEIGHT, "3", "3 kg"),
        (LENGTH, "1.25 M", "1.2500 M"),
        (DAY, " 2028-02-29", "2028-02-29"),
        (HOUR, "00:00", "00:00"),
        (SURE, "Yes", "yes"),
    ],
)
def test_a_value_is_kept_in_one_form(field: Field, typed: str, kept: str) -> None:
    assert canonical([field], {field.name: typed}) == {field.name: kept}


@pytest.mark.parametrize(
    ("field", "typed", "problem"),
    [
        (TITLE, "a", "too_short"),
        (TITLE, "abcdefghij", "too_long"),
        (TITLE, "ab1", "not_in_pattern"),
        (TITLE, "ab\nc", "not_in_pattern"),
        (PARTS, "e", "not_an_option"),
        (PARTS, '["a", "b, c", "d\\""]', "too_many"),
        (PARTS, "[]", "too_few"),
        (PARTS, "[" * 9999, "not_an_option"),
        (PRICE, "500", "which_unit"),
        (PRICE, "5 GBP", "which_unit"),
        (PRICE, "1,5 EUR", "not_an_amount"),  # a decimal comma
        (PRICE, "1,500 EUR", "not_an_amount"),
        (PRICE, "-5 EUR", "not_an_amount"),
        (PRICE, "1e2 EUR", "which_unit"),
        (PRICE, "\u0665 EUR", "not_an_amount"),  # a digit, and not one of ours
        (PRICE, "5.001 EUR", "too_precise"),
        (PRICE, "0.99 EUR", "too_small"),
        (PRICE, "500.01 EUR", "too_large"),
        (WEIGHT, "9" * 13, "not_an_amount"),
        (DAY, "2026-02-29", "not_a_date"),
        (DAY, "20261205", "not_a_date"),
        (DAY, "٢٠٢٦-12-05", "not_a_date"),
        (DAY, "05.12.2026", "not_a_date"),
        (HOUR, "24:00", "not_a_time"),
        (HOUR, "9:30", "not_a_time"),
        (SURE, "ja", "not_yes_or_no"),
        (REASON, "x" * 1_000_000, "too_long"),
    ],
)
def test_what_does_not_fit_is_named_and_kept_as_it_is(field: Field, typed: str, problem: str) -> None:
    assert examine([field], {field.name: typed}) == {field.name: problem}
    assert canonical([field], {field.name: typed}) == {field.name: typed}
    assert problem in PROBLEMS


@given(st.data())
def test_what_is_read_is_written_and_read_again_as_the_same(data: st.DataObject) -> None:
    cents = st.integers(100, 50_000).map(lambda each: Decimal(each) / 100)
    values: dict[str, st.SearchStrategy[Value]] = {
        "group": st.sampled_from(GROUP.options),
        "days": st.integers(1, 30),
        "title": st.from_regex(r"[a-z]{2,9}", fullmatch=True),
        "parts": st.sampled_from([("a",), ("a", "b, c"), ("b, c", 'd"')]),
        "price": st.builds(Amount, cents, st.sampled_from(PRICE.options)),
        "length": st.builds(Amount, st.decimals(0, 10**12 - 1, places=4), st.sampled_from(LENGTH.options)),
        "day": st.dates(),
        "hour": st.times().map(lambda each: each.replace(second=0, microsecond=0)),
        "sure": st.booleans(),
    }
    field = data.draw(st.sampled_from([each for each in EVERY if each.name in values]))
    value = data.draw(values[field.name])
    text = write(field, value)
    assert read(field, text) == value
    assert type(read(field, text)) is type(value)
    assert canonical([field], {field.name: text}) == {field.name: text}


LIKELY = (
    st.text() | st.text("0123456789.,-: []\"'eEURkgm٣²½\n\x00\ud800") | st.from_regex(r"[0-9]+(\.[0-9]+)?.*")
)


@given(st.sampled_from(EVERY), LIKELY)
def test_any_text_is_read_or_has_a_problem_with_a_sentence(field: Field, text: str) -> None:
    problem = examine([field], {field.name: text}).get(field.name)
    assert problem is None or problem in PROBLEMS
    kept = canonical([field], {field.name: text})
    assert canonical([field], kept) == kept
    if problem is None:
        assert read(field, kept[field.name]) == read(field, text)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"kind": "colour"}, "there is no kind 'colour'"),
        ({"kind": "money"}, "currencies"),
        ({"kind": "quantity", "options": ("2nd",)}, "unit begins"),
        ({"kind": "several", "options": ("a", "a")}, "the same twice"),
        ({"kind": "date", "most": 3}, "neither least nor most"),
        ({"kind": "number", "least": 3, "most": 2}, "least is more than most"),
        ({"kind": "quantity", "options": ("kg",), "places": 5}, "places"),
        ({"kind": "text", "narrows": "less"}, "only a number narrows"),
        ({"kind": "text", "pattern": "("}, "regular expression"),
        ({"kind": "number", "pattern": "a"}, "regular expression"),
    ],
)
def test_a_field_that_cannot_work_is_refused_where_it_is_declared(wrong: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=f"field odd: .*{said}"):
        Field(name="odd", label="Odd", **wrong)


def test_several_choices_are_shown_as_people_read_them() -> None:
    assert shown(PARTS, '["a", "b, c"]') == "a, b, c"
    assert shown(PARTS, "e") == "e"
    assert shown(PRICE, "20.00 EUR") == "20.00 EUR"
