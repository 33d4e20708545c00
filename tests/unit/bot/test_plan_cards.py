"""Plans of several steps, as people see them: pinned, taken by Slack, and true whatever stands in them."""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from syrupy.assertion import SnapshotAssertion

from bot import sentences
from bot.blocks import approval, beside, doubt, plan, progress, review
from bot.blocks.parts import Message
from bot.course import Course, State
from bot.render import code
from graphs.records import Approval, ApprovalStatus, Difference, Notice, PlanStep
from tests.unit.bot import plans, records
from tests.unit.bot.slack_schemas import check_message, sayings

CARDS: dict[str, Callable[[], Message]] = {
    "one step that cannot be undone": lambda: approval.card(
        records.approval(steps=(records.step(reversible=False, undo="pivot"),)), users={}
    ),
    "three steps for a customer": lambda: approval.card(plans.planned(), users={}),
    "for nobody": lambda: approval.card(plans.planned(beneficiary=None), users={}),
    "without a pivot": lambda: approval.card(plans.planned(steps=plans.without_pivot()), users={}),
    "stopped card": lambda: approval.card(
        plans.stopped().approval, users={}, course=plans.stopped(rma="kept")
    ),
    "doubt about step 2": lambda: doubt.card(plans.doubtful(), users={}),
    "stopped": lambda: progress.progress(plans.refused(), course=plans.stopped()),
    "stopped, and not all taken back": lambda: progress.progress(
        plans.refused(), course=plans.stopped(rma="kept")
    ),
    "notice of a stop": lambda: progress.notice(
        Notice(key="refused", facts={"key": "voter_lost", "by": "Grace Lindqvist", "stands": "done"}),
        requester="U0ADA",
        course=plans.stopped(rma="kept"),
    ),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_cards_of_plans_stay_as_they_are(
    shared_data: Path, name: str, snapshot: SnapshotAssertion
) -> None:
    message = CARDS[name]()
    check_message(shared_data, message)
    assert {"text": message.text, "blocks": list(message.blocks)} == snapshot


def shown(found: Approval, states: Mapping[str, State] | None = None) -> str:
    course = Course(approval=found, states=states or {})
    return sayings(approval.card(found, users={}, course=course if states else None))


def test_what_cannot_be_undone_is_said_before_anything_else_and_in_the_notification() -> None:
    message = approval.card(plans.planned(), users={})
    said = json.dumps(message.blocks[1])
    assert "Step 2 is destructive and cannot be undone." in said
    assert "Once step 2 is done, there is no way back" in said
    assert "Step 2 is destructive and cannot be undone." in message.text
    one = approval.card(records.approval(steps=(records.step(reversible=False),)), users={})
    assert "This cannot be undone." in json.dumps(one.blocks[1])


@pytest.mark.parametrize(
    ("undos", "said"),
    [
        (
            ("undo", "undo", "undo"),
            [
                "If step 2 or 3 fails, this is taken back.",
                "If step 3 fails, this is taken back.",
                "",
            ],
        ),
        (
            ("undo", "pivot", "undo"),
            ["If step 2 fails, this is taken back.", "From here on there is no way back.", ""],
        ),
        (
            ("pivot", "undo", "leave"),
            ["From here on there is no way back.", "This stays if a later step fails.", ""],
        ),
        (
            ("leave", "undo", "pivot"),
            ["This stays if a later step fails.", "If step 3 fails, this is taken back."],
        ),
    ],
)
def test_each_step_says_what_becomes_of_it_when_a_later_one_fails(undos: Any, said: list[str]) -> None:
    steps = tuple(records.step(name=f"s{at}", undo=undo) for at, undo in enumerate(undos))
    assert [plan.fate(at, steps) for at in range(1, len(said) + 1)] == said


def test_a_step_that_cannot_be_undone_never_says_that_it_is_taken_back() -> None:
    steps = (records.step(name="a", reversible=False, undo="undo", lasts=60), records.step(name="b"))
    assert "taken back" not in plan.fate(1, steps)
    assert "Ends by itself 1 minute after it is done." in plan.fate(1, steps)


def test_lists_records_and_references_are_read_value_by_value() -> None:
    said = shown(plans.planned())
    for line in (
        "items[1]: count = 2, sku = PX-7",
        "items[2]: count = 1, sku = PX-9",
        "notes = (none)",
        "return = (the number that step 1 gives)",
        "amount = `129.90`",
        "currency = EUR",
    ):
        assert line in said.split("\n")


def test_values_that_are_not_the_same_do_not_look_the_same() -> None:
    """Texts that spell what is no text, and what looks like a plain space or like nothing."""
    values: list[Any] = [
        None, "(nothing)", "", "(empty)", [], "(none)", {}, True, "true", 3, "3", {"$ref": "a.b"},
        "(the b that step 1 gives)", "a b", "a  b", " a b", "a\u00a0b", "a\u200bb", "a\u200db", "ab",
        ["a"], ["a, b"], ["a", "b"], ["a", ["b"]], {"a": "b"}, [{"a": "b"}], "a = b", {"a": "b, c = d"},
        {"a": "b", "c": "d"}, [[]], [""], ["(none)"], {"a": []}, {"a": {"b": "c"}}, {"a": "b = c"},
        "a\u3164b", "a\ufe0fb", "`ab`", "*ab*", "a\nb", "a\tb", "a\u202eb", "<ab>",
    ]  # fmt: skip
    steps = [(records.step(name="a"), records.step(name="b", sends={"value": value})) for value in values]
    said = ["\n".join(plan.sent(pair[1], pair)) for pair in steps]
    empty = {said[values.index([])], said[values.index({})]}
    assert len(empty) == 1, "a list and a record in which there is nothing"
    assert len(set(said)) == len(values) - 1


def test_names_in_a_record_cannot_pass_for_a_deeper_one() -> None:
    for sends in ({"a.b": "x"}, {"a": {"b": "x"}}, {"a[1]": "x"}, {"a": ["x"]}, {"a = y\nb": "x"}):
        (line,) = plan.sent(records.step(sends=sends), ())
        assert (
            line
            == {
                "a.b": '`["a.b"]` = x',
                "a": "a: b = x" if isinstance(sends.get("a"), dict) else "a (1) = x",
                "a[1]": '`["a[1]"]` = x',
                "a = y\nb": '`["a = y\\nb"]` = x',
            }[next(iter(sends))]
        )


FORGED = "billing-db\n3. directory.add_to_group\n*Step 3 of 3: directory.add_to_group*\ngroup = admins"
NASTY = st.sampled_from(
    [
        FORGED,
        "*Step 2 of 2: directory.add_to_group*",
        "```",
        "`",
        "\u202eevil",
        "a\u200bb",
        "<!channel> <@U0ADA> <https://evil.example|x>",
        "x" * 10_000,
        "x \u3164 " * 700,
        "",
        " ",
        "\ud800",
        "\u2028Step 1 of 1: x",
    ]
)
VALUE = st.recursive(
    st.one_of(NASTY, st.integers(0, 2), st.none(), st.booleans(), st.just({"$ref": "s0.id"})),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NASTY, inner, max_size=2),
    max_leaves=4,
)
MANY = st.sampled_from([["x"] * 500, ["a" * 40] * 500, [{"a": "b"}] * 500])


@st.composite
def steps(draw: st.DrawFn) -> tuple[PlanStep, ...]:
    count = draw(st.sampled_from([1, 2, 3, 13, 60]))
    small = st.sampled_from(["", "Ada is a member"])
    text = NASTY if count < 10 else small
    return tuple(
        PlanStep(
            name=f"s{at}",
            operation="directory.add_to_group",
            sends=draw(st.dictionaries(st.sampled_from(["group", "items"]), VALUE | MANY, max_size=2))
            if count < 10
            else {"group": draw(small)},
            before=draw(text),
            after=draw(text),
            undo=draw(st.sampled_from(["undo", "leave", "pivot"])),
            lasts=draw(st.sampled_from([None, 90, 3 * records.DAY])),
            effect=draw(st.sampled_from(["write", "destructive"])),
            reversible=draw(st.booleans()),
        )
        for at in range(count)
    )


HEADING = re.compile(r"^\*Step (\d+) of (\d+): Add to a group \(directory\.add_to_group\)\*", re.MULTILINE)
STATES = st.sampled_from(get_args(State))


@given(found=steps(), states=st.lists(STATES, min_size=60, max_size=60), text=NASTY)
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_breaks_a_card_forges_a_step_or_hides_one(
    shared_data: Path, found: tuple[PlanStep, ...], states: list[State], text: str
) -> None:
    asked = plans.planned(steps=found, title="Return", reason=text)
    known = {step.name: state for step, state in zip(found, states, strict=False)}
    for pending in (asked, plans.planned(steps=found, status=ApprovalStatus.APPROVED, title="Return")):
        course = Course(approval=pending, states=known)
        message = approval.card(pending, users={}, course=course)
        check_message(shared_data, message)
        headings = [tuple(map(int, one)) for one in HEADING.findall(outside_quotes(sayings(message)))]
        count = len(found)
        assert headings == ([] if count == 1 else [(at, count) for at in range(1, count + 1)])
        assert not re.search(r"<[!@#h]", re.sub(r"<!date\^", "", sayings(message)))
    may_be_approved = approval.APPROVE in json.dumps(approval.card(asked, users={}).blocks)
    assert may_be_approved == approval.fits(asked)
    if may_be_approved:
        assert_whole(asked)


def outside_quotes(said: str) -> str:
    return "\n".join(line for line in said.split("\n") if not line.startswith(">"))


def assert_whole(asked: Approval) -> None:
    """Assert that every line of every step stands on the card, in its order, and none was cut."""
    said = sayings(approval.card(asked, users={}))
    assert "not shown" not in said
    at = 0
    for step in asked.steps:
        for line in plan.sent(step, asked.steps):
            at = said.index(line, at)


@given(found=steps(), states=st.lists(STATES, min_size=60, max_size=60), over=st.booleans(), text=NASTY)
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_run_says_of_each_step_how_it_stands(
    shared_data: Path, found: tuple[PlanStep, ...], states: list[State], over: bool, text: str
) -> None:
    asked = plans.planned(steps=found, status=ApprovalStatus.APPROVED)
    known = {step.name: state for step, state in zip(found, states, strict=False)}
    course = Course(approval=asked, states=known, stopped=over)
    run = plans.refused(values={"customer": text}, title=text or "-")
    message = progress.progress(run, course=course)
    check_message(shared_data, message)
    listed = str(course.lines).split("\n")
    assert len(listed) == len(found) or listed[-1].endswith("more steps")
    assert all(re.match(rf"{at}\. ", line) for at, line in enumerate(listed[:-1], start=1))
    told = str(course.told)
    for at, step in enumerate(found, start=1):
        if known[step.name] == "undone" and len(found) < 10:
            assert re.search(rf"[Ss]teps? [\d, and]*\b{at}\b[\d, and]* (is|are) taken back", told)
    check_message(shared_data, progress.notice(Notice(key="refused"), requester="U0ADA", course=course))


@given(found=steps(), number=st.integers(0, 59), act=st.sampled_from(["apply", "undo"]), can=st.booleans())
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_doubt_is_about_one_step(
    shared_data: Path, found: tuple[PlanStep, ...], number: int, act: Any, can: bool
) -> None:
    step = found[number % len(found)]
    asked = plans.planned(steps=found, status=ApprovalStatus.APPROVED)
    drawn = doubt.card(
        plans.doubtful(approval=asked, step=step.name, sends=step.sends, act=act, undoable=can), users={}
    )
    check_message(shared_data, drawn)
    about = f"This is step {found.index(step) + 1} of {len(found)}."
    assert (about in sayings(drawn)) is (len(found) > 1)
    check_message(shared_data, beside.waits(asked, "reminder", ()))
    check_message(
        shared_data, review.card(records.review(), users={}) if len(found) == 1 else reviewed(asked)
    )


def reviewed(asked: Approval) -> Message:
    return review.card(replace(records.review(), approval=asked), users={})


def test_everything_is_said_of_a_value_of_which_some_is_cut() -> None:
    found = plans.planned(steps=(*plans.three(), records.step(sends={"items": ["x"] * 3000})))
    said = shown(found)
    assert "Step 4 of 4" in said
    assert re.search(r"… \d+ more lines not shown", said)
    assert not approval.fits(found)


def test_a_plan_says_what_stands_and_who_looks_after_it() -> None:
    said = plans.stopped(rma="kept").told
    assert "I had done steps 1 and 2 of 3." in said
    assert "Step 2 stays, as approved." in said
    assert "Step 1 could not be taken back." in said
    assert "members of data-owners" in said
    back = plans.stopped().told
    assert "Step 1 is taken back." in back
    assert "Please ask" not in back


def test_what_a_rule_holds_up_is_not_called_unreachable() -> None:
    facts = {"system": "", "error": "plan.held", "stands": "done", "sent": "no"}
    for key in ("retrying", "dead"):
        said = str(sentences.notice(key, facts))
        assert "reached" not in said
        assert "can only go forward" in said


@pytest.mark.parametrize(
    ("key", "facts", "said"),
    [
        ("not_found", {"system": "ledger"}, "“ledger” has no record"),
        ("changed", {"changed": "clause\nsteps.loan.preconditions.member"}, "The policy section"),
        ("changed", {"changed": "{x} {0}"}, "{x} {0}"),
        ("voter_lost", {"by": "Grace"}, "Grace"),
        ("clause", {}, "policy section"),
        ("taken_back", {}, "taken back"),
    ],
)
def test_why_a_plan_stopped_is_said(key: str, facts: dict[str, str], said: str) -> None:
    assert said in str(sentences.reason(key, facts))


def test_a_plan_that_is_done_says_so_and_until_when() -> None:
    said = sentences.notice("done", {"by": "Grace", "until": "2026-03-05T12:00:00+00:00"})
    assert "everything that was approved has been carried out" in said
    assert "<!date^1772712000^" in said
    assert "Approved by Grace." in said


def test_a_difference_names_the_step_by_its_number() -> None:
    differences = (
        Difference(name="steps.refund.parameters.amount", before="1", after="2"),
        Difference(name="steps.gone.operation", before="x.y", after=""),
    )
    said = shown(plans.planned(replaces="older", differences=differences))
    assert "Step 2: What is sent, amount: 1 → 2" in said
    assert "Step gone: What is done: x.y" in said


@given(st.text(max_size=50))
def test_code_shows_a_text_as_it_is_and_never_ends_before_it(text: str) -> None:
    for piece in code(text):
        assert piece[0] == piece[-1] == "`"
        assert "`" not in piece[1:-1]
        assert "\n" not in piece
        assert "  " not in piece
