"""Everything that Slack is shown: valid for any input, harmless for hostile ones; the main cards pinned."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from syrupy.assertion import SnapshotAssertion

from bot.blocks import answer, approval, beside, delegation, doubt, feedback, progress, request, review
from bot.blocks import help as words
from bot.blocks.parts import Message
from bot.workspace.elements import initial_values
from bot.workspace.validate.surfaces import view_problems
from graphs.records import (
    Alarm,
    ApprovalStatus,
    Beside,
    Field,
    Finding,
    Notice,
    PlanStep,
    Resolution,
    RunStatus,
    Verdict,
)
from tests.unit.bot import records
from tests.unit.bot.slack_schemas import check_message, check_view, sayings

USERS = {records.ADA.subject: "U0ADA"}
NOTICES = (
    "granted",
    "revoked",
    "denied",
    "refused",
    "retrying",
    "expired",
    "changed",
    "unknown",
    "dead",
    "late",
    "failed",
    "new",
)
MARKUP = re.compile(r"<([^>]*)>")


TYPED = (
    Field(name="parts", label="Parts", kind="several", options=("probe", 'a "b", c', "lid"), most=2),
    Field(name="price", label="Price", kind="money", options=("EUR", "USD"), most=5000),
    Field(name="weight", label="Weight", kind="quantity", options=("kg",), places=3),
    Field(name="day", label="Day", kind="date"),
    Field(name="hour", label="Hour", kind="time"),
    Field(name="sure", label="Sure", kind="yes_no"),
)


def messages(text: str | None) -> Iterator[Message]:
    for status in ApprovalStatus:
        yield approval.card(records.approval(text, status=status), users=USERS)
    yield approval.card(records.replacing(text), users={})
    yield approval.card(records.halfway(text), users=USERS, editable=True)
    for key in ("changed", "voter_lost", "clause", "edited", "narrowed"):
        yield approval.card(records.void(text, key), users={})
    for verdict in Verdict:
        yield approval.card(records.decided(verdict, text), users={})
    for said in (None, *Resolution):
        yield doubt.card(records.doubt(text, answer=said), users=USERS)
    yield doubt.card(records.doubt(text, undoable=False), users={})
    for standing in RunStatus:
        found = records.run(
            text,
            status=standing,
            missing=records.FIELDS,
            problems={"days": "too_large"},
            reason="denied",
            facts={"by": text or "Grace", "reason": text or "no", "most": text or "3"},
        )
        yield progress.progress(found)
    for finding in (None, *Finding):
        yield review.card(records.review(text, finding=finding), users={})
    yield from (delegation.news(records.delegation(text)), delegation.no_more(records.delegation(text)))
    for users in ((), ("U0ADA",) * 12):
        for news in get_args(Beside):
            yield beside.waits(records.escalating(text), news, users)
        yield beside.review_waits(records.review(text), users)
    until = "2026-03-05T12:00:00+00:00"
    for alarm in get_args(Alarm):
        given = {
            "minutes": text or "30",
            "by": text or "Grace",
            "reason": text or "",
            "until": until,
            "at": until,
        }
        yield beside.alarm(records.run(text), alarm, given, {})
    facts = dict.fromkeys(
        ("group", "by", "until", "reason", "system", "at"), text or "2026-03-05T12:00:00+00:00"
    )
    for key in NOTICES:
        yield progress.notice(Notice(key=key, facts=facts), requester="U0ADA")
        yield progress.notice(Notice(key=key), requester=None)
    for status in ("answered", "cautioned", "not_covered"):
        yield answer.answer(records.answer(status, text), rate="7f" * 16)
        yield answer.answer(records.answer(status, text, citations=(), passages=(), owner=""))
    yield answer.answer(records.answer("answered", text, worded=records.worded(text)))
    yield from (words.greeting(), words.help_text(), words.small_talk(), words.usage())
    yield from (feedback.thanks(), feedback.gone(), feedback.not_theirs())
    yield words.hand_over([]) if text is None else words.hand_over([text] * 7)


def views(text: str | None) -> Iterator[dict[str, Any]]:
    yield approval.denial("c3Xo4Tn0iQ9dP2s8vLk1Yw")
    said = text or "billing-db"
    fields = (
        *records.FIELDS,
        Field(
            name="odd", label=text or "Odd", kind="choice", help=text or "", options=(said,) if said else ()
        ),
        Field(name="many", label="Many", kind="choice", options=tuple(str(each) for each in range(101))),
        Field(name="free", label="Free", kind="number"),
        Field(name="long", label="Long", kind="several", options=("x" * 151,)),
        *TYPED,
    )
    for values in ({}, {field.name: said for field in fields}, {"days": "12", "group": "billing-db"}):
        yield request.form("Access to data", fields, values, metadata="it_access", callback=request.FORM)
        yield approval.change("c3Xo4Tn0iQ9dP2s8vLk1Yw", fields, values)
    yield request.form(text or "Access", (), {}, metadata="it_access", callback=request.FORM)
    yield request.choose({"it_access": text or "Access to data", "other": "Something else"})
    yield answer.section(records.section(text))
    yield answer.missing_section()
    yield feedback.wrong("7f" * 16)
    yield review.objection("c3Xo4Tn0iQ9dP2s8vLk1Yw")
    lent = records.delegation(text)
    yield delegation.form(None, ())
    yield delegation.form(lent, (lent,) * 12)
    yield from (delegation.made(lent), delegation.over(lent), delegation.over(None))


@pytest.mark.parametrize("text", [None, *records.INPUTS.values()], ids=["ordinary", *records.INPUTS])
def test_slack_would_take_every_message_and_view(shared_data: Path, text: str | None) -> None:
    for message in messages(text):
        check_message(shared_data, message)
    for view in views(text):
        check_view(shared_data, view)


@pytest.mark.parametrize("text", records.INPUTS.values(), ids=records.INPUTS)
def test_nothing_from_outside_becomes_a_mention_a_link_or_a_ping(text: str) -> None:
    shown = [*messages(text), *(Message(text="-", blocks=tuple(view["blocks"])) for view in views(text))]
    for message in shown:
        for said in (message.text, *_mrkdwn(message.blocks)):
            for found in MARKUP.findall(said):
                assert re.match(
                    r"@U0ADA$|!date\^|https://handbook\.larkfield\.example/leave#annual-leave\|", found
                ), found


def test_a_worded_answer_stands_above_its_quotes_with_the_numbers_of_its_citations() -> None:
    found = records.answer("answered", answer="You get 27 days a year. [1][2]", worded=records.worded(None))
    shown = sayings(answer.answer(found))
    assert shown.index("You get 27 days a year. [1][2]") < shown.index("Worded by a language model")
    assert shown.index("Worded by a language model") < shown.index(">Every employee gets 27 days")
    assert "[2] <https://handbook" in shown


def test_text_from_outside_is_never_turned_into_links_by_slack() -> None:
    for message in messages(records.HOSTILE):
        assert all(part["verbatim"] is True for part in _objects(message.blocks, "mrkdwn"))
        assert all(part["emoji"] is False for part in _objects(message.blocks, "plain_text"))


def test_buttons_of_a_card_carry_its_id_and_nothing_else() -> None:
    found = records.approval()
    values = {part["value"] for part in _objects(approval.card(found, users={}).blocks, "button")}
    assert values == {found.id}


def sending(**sends: Any) -> PlanStep:
    return records.step(sends=sends)


def test_a_card_shows_every_parameter_that_will_be_sent_with_what_cannot_be_seen_written_out() -> None:
    found = records.approval(steps=(sending(group="billing\u202edb", days=3, person="ada-id"),))
    shown = sayings(approval.card(found, users=USERS))
    assert "group = `billing\\u202edb`" in shown
    assert "days = 3" in shown
    assert "person = ada-id" in shown


def test_a_value_cannot_pass_for_another_line_of_the_card() -> None:
    found = records.approval(steps=(sending(group="billing-db\ndays = 1", days=30),))
    assert "group = `billing-db\\ndays = 1`" in sayings(approval.card(found, users={}))


def test_a_request_that_does_not_fit_its_card_can_only_be_denied() -> None:
    card = approval.card(records.approval(steps=(sending(group="x" * 40_000),)), users={})
    actions = {part["action_id"] for part in _objects(card.blocks, "button")}
    assert approval.DENY in actions
    assert approval.APPROVE not in actions


@pytest.mark.parametrize(
    "status", [status for status in ApprovalStatus if status is not ApprovalStatus.PENDING]
)
def test_a_card_that_nobody_can_decide_on_any_more_has_no_buttons_to_decide(status: ApprovalStatus) -> None:
    card = approval.card(records.approval(status=status), users={})
    actions = {part["action_id"] for part in _objects(card.blocks, "button")}
    assert actions <= {approval.CLAUSE}


def test_a_citation_opens_its_address_or_a_button_that_shows_the_section() -> None:
    message = answer.answer(records.answer())
    shown = json.dumps(message.blocks)
    assert "<https://handbook.larkfield.example/leave#annual-leave|Leave, Leave &gt; Annual leave>" in shown
    places = [answer.place(part["value"]) for part in _objects(message.blocks, "button")]
    assert ("leave-0.md", "annual-leave") in places


def test_a_question_that_is_not_covered_names_the_nearest_sections_and_whom_to_ask() -> None:
    shown = sayings(answer.answer(records.answer("not_covered")))
    assert "did not find" in shown
    assert "Travel, Booking" in shown
    assert "people@larkfield.example" in shown


def test_the_buttons_that_rate_carry_the_id_and_the_verdict_and_nothing_else() -> None:
    message = answer.answer(records.answer(), rate="7f" * 16)
    (element,) = _objects(message.blocks, "feedback_buttons")
    votes = [feedback.vote(element[f"{side}_button"]["value"]) for side in ("positive", "negative")]
    assert votes == [("7f" * 16, True), ("7f" * 16, False)]
    assert list(_objects(answer.answer(records.answer()).blocks, "feedback_buttons")) == []


def test_a_form_is_filled_with_what_is_known_and_asks_only_for_what_it_is_given() -> None:
    view = request.form(
        "Access", records.FIELDS[1:], {"days": "3", "reason": "x"}, metadata="run", callback=request.FILL
    )
    assert [block["block_id"] for block in view["blocks"]] == ["days", "reason"]
    assert view["blocks"][0]["element"]["initial_value"] == "3"


def test_a_number_outside_its_limits_is_not_filled_in() -> None:
    view = request.form("Access", records.FIELDS, {"days": "31"}, metadata="x", callback=request.FORM)
    assert "initial_value" not in view["blocks"][1]["element"]


def test_what_was_filled_in_is_read_by_field() -> None:
    state = {
        "group": {"value": {"type": "static_select", "selected_option": {"value": "billing-db"}}},
        "days": {"value": {"type": "number_input", "value": "3"}},
        "reason": {"value": {"type": "plain_text_input", "value": "  close the quarter "}},
        "empty": {"value": {"type": "plain_text_input", "value": None}},
    }
    assert request.values(state) == {"group": "billing-db", "days": "3", "reason": "close the quarter"}


CARDS: dict[str, Callable[[], Message]] = {
    "pending": lambda: approval.card(records.approval(), users=USERS),
    "halfway": lambda: approval.card(records.halfway(), users=USERS, editable=True),
    "replacing": lambda: approval.card(records.replacing(), users=USERS),
    "approved": lambda: approval.card(records.decided(Verdict.APPROVE), users={}),
    "denied": lambda: approval.card(records.decided(Verdict.DENY, "Ask finance first."), users={}),
    "void": lambda: approval.card(records.void(), users={}),
    "collecting": lambda: progress.progress(
        records.run(status=RunStatus.COLLECTING, missing=records.FIELDS[1:], values={"group": "billing-db"})
    ),
    "waiting": lambda: progress.progress(records.run()),
    "answered": lambda: answer.answer(records.answer()),
    "not covered": lambda: answer.answer(records.answer("not_covered")),
}


@pytest.mark.parametrize("name", CARDS)
def test_the_main_cards_stay_as_they_are(name: str, snapshot: SnapshotAssertion) -> None:
    message = CARDS[name]()
    assert {"text": message.text, "blocks": list(message.blocks)} == snapshot


def _objects(blocks: Any, kind: str) -> Iterator[dict[str, Any]]:
    if isinstance(blocks, dict):
        if blocks.get("type") == kind:
            yield blocks
        for inner in blocks.values():
            yield from _objects(inner, kind)
    elif isinstance(blocks, list | tuple):
        for inner in blocks:
            yield from _objects(inner, kind)


def _mrkdwn(blocks: Any) -> Iterator[str]:
    return (part["text"] for part in _objects(blocks, "mrkdwn"))


def test_a_reminder_names_what_waits_until_when_and_mentions_ten_at_most() -> None:
    shown = sayings(beside.waits(records.approval(), "reminder", ["U0ADA"] * 12))
    assert shown.count("<@U0ADA>") == beside.MOST
    assert "Access to data for Ada Okafor (Ada Okafor is a member of billing-db)" in shown.replace("*", "")
    assert "Decide by <!date^" in shown


def test_the_card_says_from_the_start_who_may_decide_later_and_until_when() -> None:
    shown = sayings(approval.card(records.escalating(), users={}))
    assert re.search(r"From <!date\^\d+\^[^>]+> also members of it-leads", shown)
    assert re.search(r"Decide by <!date\^", shown)
    assert "Carried out within 15 min of the approval, or not at all" in shown


def test_a_card_says_for_whom_somebody_decided() -> None:
    shown = sayings(approval.card(records.stood_in(), users={records.GRACE.subject: "U0GRACE"}))
    assert "Approved by Tomas Varga (tomas.varga@larkfield.example) for <@U0GRACE>" in shown


def test_a_review_that_is_signed_off_has_no_buttons() -> None:
    assert len(list(_objects(review.card(records.review(), users={}).blocks, "button"))) == 2
    signed = review.card(records.review(finding=Finding.NOT_IN_ORDER), users={})
    assert list(_objects(signed.blocks, "button")) == []
    assert "Signed off by Ines Moreau" in sayings(signed)


def test_a_form_shows_values_of_every_kind_and_gives_the_same_back() -> None:
    values = {
        "parts": '["probe", "a \\"b\\", c"]',
        "price": "4500.00 EUR",
        "weight": "1.250 kg",
        "day": "2026-12-05",
        "hour": "14:30",
        "sure": "no",
    }
    view = request.form("Order", TYPED, values, metadata="x", callback=request.FORM)
    assert view_problems(view) == []
    shown = [block["element"] for block in view["blocks"]]
    assert [element["type"] for element in shown] == [
        "multi_static_select",
        "plain_text_input",
        "plain_text_input",
        "datepicker",
        "timepicker",
        "radio_buttons",
    ]
    assert request.values(initial_values(view["blocks"])) == values  # as the workspace holds them


@pytest.mark.parametrize("value", ["", "nonsense", "2026-02-30", "25:00", "maybe", '["gone"]'])
def test_a_picker_starts_empty_where_the_value_is_none_that_it_could_give(value: str) -> None:
    view = request.form("Order", TYPED, {field.name: value for field in TYPED}, metadata="x", callback="y")
    assert view_problems(view) == []
    for block in view["blocks"]:
        if block["element"]["type"] != "plain_text_input":
            assert not [key for key in block["element"] if key.startswith("initial")]
