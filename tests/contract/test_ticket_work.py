"""The ticket connector among people: what others do, write, look for and may not do, on a real Roundup."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import (
    Ambiguous,
    Conflict,
    Invalid,
    Mismatch,
)
from connectors.sandbox import company
from connectors.tickets.events import Cursor, changes
from connectors.tickets.operations import (
    Assign,
    Assignment,
    Close,
    Closing,
    Comment,
    NewTicket,
    OpenTicket,
    Remark,
)
from tests.contract.meddling import answered, meddling
from tests.contract.tracker import ADA, BEN, SCENES, Desk, Tracker, as_account, desk, keys

# Others work on the same tickets.


async def at_once(opened: Desk, data: Sequence[Remark], marks: Sequence[str]) -> None:
    """Put words on a ticket at the same time, then once more, as is done after any doubt.

    Roundup's database may be locked meanwhile; what was done then is not known.
    """
    each = list(zip(data, marks, strict=True))
    done = await asyncio.gather(
        *(opened.apply(Comment, one, key) for one, key in each), return_exceptions=True
    )
    assert all(isinstance(one, Ambiguous) for one in done if isinstance(one, BaseException))
    for one, key in each:
        await opened.apply(Comment, one, key)


async def test_what_others_write_at_the_same_time_is_not_lost(tracker: Tracker, at_desk: Desk) -> None:
    ticket = tracker.ticket()
    remarks = [Remark(ticket=ticket, text=f"Remark {number}") for number in range(3)]
    await at_once(at_desk, remarks, [next(keys()) for _ in remarks])
    said = await at_desk.tickets.messages(await at_desk.tickets.ticket(ticket))
    assert sorted(one.text for one in said) == ["Remark 0", "Remark 1", "Remark 2"]


async def test_several_workers_with_one_key_put_words_on_a_ticket_once(
    tracker: Tracker, at_desk: Desk, key: str
) -> None:
    data = Remark(ticket=tracker.ticket(), text="Once.")
    await at_once(at_desk, [data] * 3, [key] * 3)
    said = await at_desk.tickets.messages(await at_desk.tickets.ticket(data.ticket))
    assert [one.text for one in said] == ["Once."]


async def test_a_ticket_that_somebody_else_has_is_not_taken_from_them(
    tracker: Tracker, at_desk: Desk, key: str
) -> None:
    data = Assignment(ticket=tracker.ticket(assignedto=ADA), to=BEN, instead_of="")
    with pytest.raises(Conflict):
        await at_desk.apply(Assign, data, key)
    data = data.model_copy(update={"instead_of": ADA})
    result = await at_desk.apply(Assign, data, key)
    tracker.patch(data.ticket, assignedto="ines.moreau")
    await at_desk.undo(Assign, data, result, key)
    assert (await at_desk.tickets.ticket(data.ticket)).assignee == "ines.moreau"


async def test_a_status_that_somebody_has_set_is_not_overwritten(
    tracker: Tracker, at_desk: Desk, key: str
) -> None:
    data = Closing(ticket=tracker.ticket(), was="unread", text="Replaced.")
    tracker.patch(data.ticket, status="in-progress")
    with pytest.raises(Conflict):
        await at_desk.apply(Close, data, key)
    tracker.patch(data.ticket, status="unread")
    result = await at_desk.apply(Close, data, key)
    tracker.patch(data.ticket, status="testing")
    await at_desk.undo(Close, data, result, key)
    ticket = await at_desk.tickets.ticket(data.ticket)
    assert (ticket.status, ticket.messages) == ("testing", ())


async def test_a_comment_does_not_open_a_closed_ticket(tracker: Tracker, at_desk: Desk, key: str) -> None:
    ticket = tracker.ticket()
    tracker.patch(ticket, status="resolved")
    data = Remark(ticket=ticket, text="For the record.")
    result = await at_desk.apply(Comment, data, key)
    assert (await at_desk.tickets.ticket(ticket)).status == "resolved"
    await at_desk.undo(Comment, data, result, key)
    assert (await at_desk.tickets.ticket(ticket)).status == "resolved"


async def test_a_ticket_that_was_taken_back_is_not_opened_again(
    tracker: Tracker, at_desk: Desk, key: str
) -> None:
    data = SCENES["open"].payload(tracker)
    result = await at_desk.apply(OpenTicket, data, key)
    await at_desk.undo(OpenTicket, data, result, key)
    with pytest.raises(Conflict, match="taken back"):
        await at_desk.apply(OpenTicket, data, key)


# What is written survives.

TEXTS = {
    "unicode": "Grüße aus 東京 🏢🇳🇱, naïve café, \u202eright to left\u202c, e\u0301",
    "html": '<script>alert("x")</script> &amp; <b>bold</b> &lt;',
    "line endings": "unix\nmac\rdos\r\n\n  indented\ttab \n",
    "spaces": "  before and after  ",
    "quoted": '> he said\n"quotes" \\ back {"json": [1]} %41 +plus+',
    "long": "A line of sixty-four characters that is repeated many times....\n" * 1500,
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS.keys())
async def test_words_come_back_as_they_were_written(
    tracker: Tracker, at_desk: Desk, key: str, text: str
) -> None:
    """Roundup cuts white space off at the ends; so does what is approved."""
    title = text.strip().splitlines()[0][:200]
    asked = NewTicket(title=title, text=text)
    assert asked.text == text.strip()
    opened = await at_desk.apply(OpenTicket, asked, key)
    await at_desk.apply(Comment, Remark(ticket=opened.ticket, text=text), next(keys()))
    ticket = await at_desk.tickets.ticket(opened.ticket)
    assert ticket.title == title
    assert [one.text for one in await at_desk.tickets.messages(ticket)] == [text.strip()] * 2
    assert {one.author for one in await at_desk.tickets.messages(ticket)} == {"countersign"}


# Searching.


async def test_a_search_finds_what_looks_like_it_and_says_when_it_is_cut(
    tracker: Tracker, at_desk: Desk
) -> None:
    for number in range(5):
        tracker.ticket(f"Pump_{number} leaks 100% of the OIL")
    tracker.ticket("Pumpx9 leaks nothing")
    cut = await at_desk.tickets.like(["pump_", "oil"], most=3)
    assert (len(cut.tickets), cut.every) == (3, False)
    whole = await at_desk.tickets.like(["pump_", "100%"], most=5)
    assert (len(whole.tickets), whole.every) == (5, True)
    assert (await at_desk.tickets.like(["no such thing anywhere"])).tickets == ()
    with pytest.raises(Invalid):
        await at_desk.tickets.like(["  "])


async def test_a_server_that_ignores_the_question_is_not_believed(tracker: Tracker) -> None:
    ticket = tracker.ticket("Something else")
    whole = tracker.http.get(
        "rest/data/issue",
        params={
            "@verbose": "2",
            "@fields": "title,status,priority,assignedto,keyword,messages,creator,creation,activity",
        },
    )
    async with meddling(tracker.running.url) as meddler, desk(tracker.running, url=meddler.url) as opened:
        meddler.arm("instead", "GET", answer=answered(200, whole.text))
        with pytest.raises(Mismatch):
            await opened.tickets.like(["balance"])
        with pytest.raises(Mismatch):
            await opened.tickets.marked("<a@b>")
        with pytest.raises(Mismatch):
            await opened.tickets.ticket(ticket)


# What changes.


async def test_every_change_is_told_once(tracker: Tracker, at_desk: Desk) -> None:
    start = await changes(at_desk.tickets, Cursor(since=datetime.now(UTC) - timedelta(hours=1)), most=1000)
    assert start.every
    assert (await changes(at_desk.tickets, start.cursor)).tickets == ()

    ticket = tracker.ticket()
    first = await changes(at_desk.tickets, start.cursor)
    tracker.patch(ticket, assignedto=ADA)  # most often within the same second
    second = await changes(at_desk.tickets, first.cursor)
    kept = Cursor.model_validate_json(second.cursor.model_dump_json())
    third = await changes(at_desk.tickets, kept)

    assert [(one.id, one.assignee) for one in first.tickets] == [(ticket, "")]
    assert [(one.id, one.assignee) for one in second.tickets] == [(ticket, ADA)]
    assert third.tickets == ()


async def test_many_changes_at_once_are_told_in_several_looks(tracker: Tracker, at_desk: Desk) -> None:
    cursor = Cursor(since=datetime.now(UTC))
    cursor = (await changes(at_desk.tickets, cursor, most=1000)).cursor
    made = {tracker.ticket() for _ in range(9)}
    told: list[str] = []
    for _ in range(20):
        some = await changes(at_desk.tickets, cursor, most=2)
        told += [one.id for one in some.tickets]
        cursor = some.cursor
        if some.every:
            break
    assert made <= set(told)
    assert len(told) == len(set(told))


# Least rights.


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "user", {"username": "eve", "roles": "Admin"}),
        ("PATCH", "user/1", {"roles": "User"}),
        ("POST", "priority", {"name": "now", "order": "0"}),
        ("POST", "status", {"name": "gone", "order": "0"}),
        ("POST", "keyword", {"name": "mine"}),
        ("PATCH", "issue/{ticket}", {"title": "another title"}),
        ("PATCH", "issue/{ticket}", {"@op": "action", "@action_name": "retire"}),
        ("PATCH", "msg/{message}", {"author": "admin"}),
    ],
)
def test_the_service_account_cannot_do_more_than_it_needs(
    tracker: Tracker, method: str, path: str, body: dict[str, str]
) -> None:
    message = tracker.post("msg", author="countersign", content="x")
    where = path.format(ticket=tracker.ticket(), message=message)
    found = tracker.http.get(f"rest/data/{where}")
    headers = {"If-Match": found.headers.get("ETag", "")} if method == "PATCH" else {}
    before = tracker.tickets()
    answer = tracker.http.request(method, f"rest/data/{where}", json=body, headers=headers)
    assert answer.status_code == 403, answer.text
    assert tracker.tickets() == before


def test_without_a_credential_rest_is_closed_and_addresses_are_kept(tracker: Tracker) -> None:
    with as_account(tracker.running.url, "") as http:
        del http.headers["Authorization"]
        assert http.get("rest/data/issue").status_code == 403
    found = tracker.http.get("rest/data/user", params={"@fields": "username,address"})
    assert company.DOMAIN not in found.text
