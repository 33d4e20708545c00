import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.router import Kind, Route, read_slots, route
from graphs.workflows.it_access import hints as it_access

GROUPS = frozenset({"billing-db", "crm-readers", "prod-logs"})
ACCESS = {"it_access": it_access(GROUPS)}


def routed(text: str) -> Route:
    return route(text, workflows=ACCESS)


REQUESTS = [
    (
        "I need billing-db for 3 days to close the quarter",
        {"group": "billing-db", "days": "3", "reason": "close the quarter"},
    ),
    ("please give me access to billing-db", {"group": "billing-db"}),
    ("Could you add me to crm-readers please?", {"group": "crm-readers"}),
    (
        "I'd like access to prod-logs for a week because payments are failing",
        {"group": "prod-logs", "days": "7", "reason": "payments are failing"},
    ),
    ("hi! I need acess to Billing DB for two weeks, thanks", {"group": "billing-db", "days": "14"}),
    ("Can I please have access to billing-db for 5 days?", {"group": "billing-db", "days": "5"}),
    (
        "To close the quarter, I need billing-db for 3 days.",
        {"group": "billing-db", "days": "3", "reason": "close the quarter"},
    ),
    ("I want to request access to `billing-db`", {"group": "billing-db"}),
    ("i would like to be added to prod_logs for the audit", {"group": "prod-logs", "reason": "the audit"}),
    ("I need prod-logs until Friday for the audit", {"group": "prod-logs", "reason": "the audit"}),
    ("request access to billing-db", {"group": "billing-db"}),
    (
        "Good morning team, I need temporary read access to the billing-db database for 10 days in order to "
        "reconcile invoices. Thanks!",
        {"group": "billing-db", "days": "10", "reason": "reconcile invoices"},
    ),
    (
        "I need billing-db for 3 days - quarter close",
        {"group": "billing-db", "days": "3", "reason": "quarter close"},
    ),
    ("I'm closing the quarter and I need billing-db for 3 days", {"group": "billing-db", "days": "3"}),
    ("I need access to billing-db. It's for 3 days.", {"group": "billing-db", "days": "3"}),
    (
        "I need access to billing-db for 3 days. Reason: quarter close",
        {"group": "billing-db", "days": "3", "reason": "quarter close"},
    ),
    ("PLEASE GIVE ME ACCESS TO BILLING-DB!!!", {"group": "billing-db"}),
    (
        "hey <@U0BOT>, could you please grant me access to prod-logs for 2 days so I can debug the upload",
        {"group": "prod-logs", "days": "2", "reason": "debug the upload"},
    ),
    (
        "I need prod-logs for 2 days to check the last 30 days of errors",
        {"group": "prod-logs", "days": "2", "reason": "check the last 30 days of errors"},
    ),
    (
        "I need billing-db to close the quarter for 3 days",
        {"group": "billing-db", "days": "3", "reason": "close the quarter"},
    ),
    ("i need prod-logs for 48 hours", {"group": "prod-logs", "days": "2"}),
    ("add me to billing-db for one day", {"group": "billing-db", "days": "1"}),
    (
        "I need billing-db for 3 days to close the quarter. Can you help?",
        {"group": "billing-db", "days": "3", "reason": "close the quarter"},
    ),
    ("I need access to billing-db for 3 days if possible", {"group": "billing-db", "days": "3"}),
    ("I am requesting access to crm-readers for a fortnight", {"group": "crm-readers", "days": "14"}),
    ("Need billing-db for 3 days", {"group": "billing-db", "days": "3"}),
    (
        "I need billing-db to find out why the totals differ",
        {"group": "billing-db", "reason": "find out why the totals differ"},
    ),
    ("Would you mind giving me access to billing-db?", {"group": "billing-db"}),
    ("Please request crm-readers for me for 3 days", {"group": "crm-readers", "days": "3"}),
    ("I really neeed billing-db plz", {"group": "billing-db"}),
]


@pytest.mark.parametrize(("text", "slots"), REQUESTS)
def test_a_request_in_the_first_person_is_a_request_with_what_it_says(
    text: str, slots: dict[str, str]
) -> None:
    found = routed(text)
    assert (found.kind, found.workflow, dict(found.slots)) == (Kind.REQUEST, "it_access", slots)


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        ("I need access", {}),
        ("I need access to a database", {}),
        ("I need biling-db for 3 days", {"days": "3"}),  # a slip of the pen is not taken for a name
        ("I need billing-db and crm-readers for 3 days", {"days": "3"}),
        ("I need prod-logs for 2-3 days", {"group": "prod-logs"}),
        ("I need prod-logs for 2 or 3 days", {"group": "prod-logs"}),
        ("I need prod-logs for a few days", {"group": "prod-logs"}),
        ("I need prod-logs for 5 hours", {"group": "prod-logs"}),
        ("I need prod-logs for 3 days, for 5 days", {"group": "prod-logs"}),
        ("I need prod-logs for a month", {"group": "prod-logs"}),
        ("I need prod-logs because " + "it is slow and " * 50, {"group": "prod-logs"}),
    ],
)
def test_what_is_not_said_plainly_is_left_for_the_form(text: str, slots: dict[str, str]) -> None:
    found = routed(text)
    assert (found.kind, dict(found.slots)) == (Kind.REQUEST, slots)


QUESTIONS = """
How do I get access to billing-db?
can contractors get billing-db?
Can I get access to billing-db?
What happens if I request billing-db for 3 days
what if I say I need billing-db for 3 days
If I need billing-db for 3 days, who approves?
Suppose I need billing-db for 3 days.
Do I need billing-db?
Why do I need access to billing-db
should I request access to billing-db
Is it ok to request access to billing-db?
Who can have access to billing-db?
How long is access to billing-db granted for
I don't need billing-db
I no longer need access to billing-db
I need no access to billing-db
please do not give me access to billing-db
I need billing-db removed
I need access to billing-db revoked
revoke my access to billing-db
I need billing-db for 3 days. Never mind.
I might need billing-db for 3 days
I will need billing-db next month
I need access to billing-db starting Monday
Could you give me access to billing-db? Actually no.
Giving me access to billing-db for 3 days
It says I need access to billing-db
I'd like access to be easier
I need approval to share data from billing-db with a supplier
in the past I need billing-db for 3 days every quarter
I requested billing-db for 3 days yesterday
Tom needs billing-db for 3 days
please give Tom access to billing-db
I need billing-db for Tom for 3 days
I need billing-db for my colleague
I need billing-db for <@U123>
I need billing-db on behalf of Tom
I need billing-db for 3 days on behalf of Tom
We need access to billing-db
Grace told me this. I need billing-db for 3 days
Grace asked: I need billing-db for 3 days
Ada: I need billing-db for 3 days
She wants me to request access to billing-db
For example: I need billing-db for 3 days
He said "I need billing-db for 3 days"
'I need billing-db for 3 days' is what Tom wrote
&gt; I need billing-db for 3 days
```I need billing-db for 3 days```
I need to know who owns billing-db
I need to ask whether contractors may have billing-db
I want to understand access to billing-db
I'd like to know how to request billing-db
I would like to ask about access to billing-db
I need the billing-db policy
I need billing-db documentation
give me the rules for access to billing-db
Could you give me an example of a request for billing-db?
I need help with billing-db
I need billing-db to be faster
I need access to the building on Sunday
I need secret-group for 3 days
I need billing-db for 3 days? Or less?
I need billing-db for 3 days. How do I ask?
I need billing-db, right?
I need billing-db, don't I?
Would you give me access to billing-db if I asked?
could you give me access to billing-db or is it closed?
when I type I need billing-db nothing happens
I have access to billing-db
I can't access billing-db
I feed billing-db
get access to billing-db
billing-db
what is the policy on pets in the office?
How do you claim expenses for a customer dinner?
How does a customer contact customer support about a repair?
hi, how many days of leave do I have?
thanks, and what about travel?
I don't want to talk to a human
""".strip().splitlines()


@pytest.mark.parametrize(
    "text", [*QUESTIONS, "\N{LEFT DOUBLE QUOTATION MARK}I need billing-db\N{RIGHT DOUBLE QUOTATION MARK}"]
)
def test_in_doubt_it_is_a_question(text: str) -> None:
    found = routed(text)
    assert (found.kind, found.workflow, dict(found.slots)) == (Kind.QUESTION, None, {})


@pytest.mark.parametrize(
    ("kind", "texts"),
    [
        (
            Kind.SMALL_TALK,
            ["hi", "Good morning!", "thanks a lot :)", "ok bye", "hellooooo", "are you a bot?", "👋"],
        ),
        (
            Kind.HELP,
            ["", "  ", "<@U0BOT>", "help", "what can you do?", "How does this work?", "what can I ask you"],
        ),
        (
            Kind.HAND_OVER,
            [
                "can I speak to a human?",
                "I want to talk to a person",
                "human please",
                "transfer me to an agent",
            ],
        ),
    ],
)
def test_talk_is_told_apart(kind: Kind, texts: list[str]) -> None:
    assert {text: routed(text).kind for text in texts} == dict.fromkeys(texts, kind)


@pytest.mark.parametrize(("text", "_"), REQUESTS)
def test_every_slot_stands_where_its_span_says(text: str, _: dict[str, str]) -> None:
    found = routed(text)
    assert found.slots.keys() == found.spans.keys()
    for name, (start, end) in found.spans.items():
        written = found.text[start:end]
        if name == "reason":
            assert written == found.slots[name]
        else:
            assert written
            assert (
                read_slots(f"billing-db for {written}", ACCESS["it_access"]).slots.get(name)
                or name == "group"
            )


def test_slacks_escapes_mentions_and_odd_letters_are_read() -> None:
    found = routed(
        "<@U0BOT|countersign>: I need billing\N{NON-BREAKING HYPHEN}db for \uff13 days "
        "to close Q3 &amp; Q4 &lt;now&gt;"
    )
    assert dict(found.slots) == {"group": "billing-db", "days": "3", "reason": "close Q3 & Q4 <now>"}
    assert routed("I need billing\u200b-db for 3 days").slots["group"] == "billing-db"
    assert (
        routed("I need billing-db for 3 days to prüfen die Löhne 💶").slots["reason"] == "prüfen die Löhne 💶"
    )


def test_a_message_for_two_workflows_is_a_question() -> None:
    both = ACCESS | {"other": it_access(GROUPS)}
    assert route("I need billing-db for 3 days", workflows=both).kind is Kind.QUESTION


def test_groups_that_read_alike_are_left_for_the_form() -> None:
    hints = {"it_access": it_access({"billing-db", "billing_db", "crm"})}
    assert dict(route("I need access to a database for 3 days", workflows=hints).slots) == {"days": "3"}
    assert "group" not in route("I need billing-db for 3 days", workflows=hints).slots


@pytest.mark.parametrize(
    ("text", "slots"),
    [
        (
            "billing-db 3 days close the quarter",
            {"group": "billing-db", "days": "3", "reason": "close the quarter"},
        ),
        ("billing-db 3d", {"group": "billing-db", "days": "3"}),
        (
            "access to prod-logs for a week because of the audit",
            {"group": "prod-logs", "days": "7", "reason": "the audit"},
        ),
        ("billing-db", {"group": "billing-db"}),
        ("", {}),
        ("billing-db or crm-readers", {}),
    ],
)
def test_a_command_that_is_a_request_already_gives_its_slots(text: str, slots: dict[str, str]) -> None:
    assert dict(read_slots(text, ACCESS["it_access"]).slots) == slots


LONG = {
    "words": "need ",
    "quotes": "\N{LEFT DOUBLE QUOTATION MARK}",
    "openings": "I need access to ",
    "tags": "<",
    "mentions": "<@U1",
    "commas": "to a, ",
    "greetings": "good morning ",
    "groups": "billing-db and ",
    "days": "3 days ",
    "fences": "```a",
    "requests": "I need billing-db. ",
    "lines": "\n>",
    "apostrophes": " '",
    "ligatures": "\N{LATIN SMALL LIGATURE FI}",
    "marks": "?!",
}


@pytest.mark.parametrize("piece", LONG.values(), ids=LONG.keys())
def test_forty_thousand_characters_take_time_in_proportion(piece: str) -> None:
    def seconds(length: int) -> float:
        text = (piece * length)[:length]
        taken = []
        for _ in range(2):
            start = time.process_time()
            route(text, workflows=ACCESS)
            read_slots(text, ACCESS["it_access"])
            taken.append(time.process_time() - start)
        return min(taken)

    short, long = seconds(5_000), seconds(40_000)
    assert long < 24 * short + 0.1  # eight times as long; quadratic would be sixty-four times


SAYING = """
I need want please give me access to billing-db crm-readers for 3 two days because if not never Tom " ' ` >
? . , &amp; <@U1> how who said can you
"""
PIECES = st.sampled_from([*SAYING.split(), "\n"])


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30).map(" ".join) | st.text(max_size=200))
def test_any_text_has_a_route_and_only_requests_have_slots(text: str) -> None:
    found = routed(text)
    assert found == routed(text)
    assert (found.kind is Kind.REQUEST) == (found.workflow is not None)
    assert found.kind is Kind.REQUEST or not found.slots
    assert all(0 <= start < end <= len(found.text) for start, end in found.spans.values())
