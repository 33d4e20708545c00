"""The ticket connector against a real Roundup: each act happens once, is found, and is undone."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from pydantic import ValidationError

from connectors.base import Sight
from connectors.errors import (
    Ambiguous,
    ConnectorError,
    Denied,
    Invalid,
    Mismatch,
    NotFound,
    NotPermitted,
    Unavailable,
)
from connectors.sandbox import company
from connectors.tickets.changing import mark
from connectors.tickets.operations import (
    RETRACTED_TEXT,
    Assign,
    Assignment,
    NewTicket,
    OpenTicket,
)
from tests.contract.meddling import answered, meddling
from tests.contract.tracker import SCENES, Desk, Scene, Tracker, beside, desk


@pytest.fixture(params=SCENES)
def scene(request: pytest.FixtureRequest) -> Scene:
    return SCENES[request.param]


# The contract of every operation.


async def test_preview_find_and_ping_write_nothing(
    tracker: Tracker, at_desk: Desk, scene: Scene, key: str
) -> None:
    data, operation = scene.payload(tracker), at_desk.operation(scene.kind)
    before = tracker.tickets(), tracker.writes()
    change = await operation.preview(data)
    assert change.needed
    assert change.before != change.after
    assert await operation.find(data, key) is None
    assert await operation.sight(data, key) is Sight.GONE
    assert (await operation.ping()).system == "tickets"
    assert (tracker.tickets(), tracker.writes()) == before


async def test_twice_with_one_key_equals_once(
    tracker: Tracker, at_desk: Desk, scene: Scene, key: str
) -> None:
    data = scene.payload(tracker)
    first = await at_desk.apply(scene.kind, data, key)
    once = tracker.tickets(), tracker.writes()
    second = await at_desk.apply(scene.kind, data, key)
    assert (tracker.tickets(), tracker.writes()) == once
    assert second == first or (scene.kind is Assign and not second.changed)


async def test_find_sees_what_apply_did_and_nothing_of_another_key(
    tracker: Tracker, at_desk: Desk, scene: Scene, key: str
) -> None:
    data, operation = scene.payload(tracker), at_desk.operation(scene.kind)
    result = await at_desk.apply(scene.kind, data, key)
    assert await operation.find(data, key) == result
    assert await operation.sight(data, key, result) is Sight.THERE
    assert scene.kind is Assign or await operation.find(data, f"{key}/other") is None
    assert operation.result.model_validate_json(result.model_dump_json()) == result


async def test_undo_restores_once_and_is_seen(
    tracker: Tracker, at_desk: Desk, scene: Scene, key: str
) -> None:
    data, operation = scene.payload(tracker), at_desk.operation(scene.kind)
    before = tracker.tickets()
    result = await at_desk.apply(scene.kind, data, key)
    assert tracker.tickets() != before
    await at_desk.undo(scene.kind, data, result, key)
    after = tracker.tickets()
    if scene.kind is OpenTicket:  # a ticket that people were told of is not removed
        (number, title, status, *_), *_ = [row for row in after if row not in before]
        assert (str(number), title, status) == (result.ticket, data.title, company.RETRACTED)  # type: ignore[attr-defined]
        said = await at_desk.tickets.messages(await at_desk.tickets.ticket(result.ticket))
        assert [one.text for one in said] == ["Please.", RETRACTED_TEXT]
    else:
        assert after == before
    assert await operation.sight(data, key, result) is Sight.GONE
    writes = tracker.writes()
    await at_desk.undo(scene.kind, data, result, key)
    assert (tracker.tickets(), tracker.writes()) == (after, writes)


async def test_nothing_is_written_without_a_permit(
    tracker: Tracker, at_desk: Desk, scene: Scene, key: str
) -> None:
    data, writes = scene.payload(tracker), tracker.writes()
    with pytest.raises(NotPermitted):
        await at_desk.operation(scene.kind).apply(data, key)
    with pytest.raises(NotPermitted):
        await at_desk.tickets.write("behind the gate's back", "<mark@x>")
    assert tracker.writes() == writes


# When the tracker says no, or nothing.


async def every_call(opened: Desk, scene: Scene, data: Any, key: str) -> list[type[BaseException]]:
    operation = opened.operation(scene.kind)
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: operation.preview(data),
        lambda: operation.find(data, key),
        operation.ping,
        lambda: opened.apply(scene.kind, data, key),
    ]
    raised = []
    for call in calls:
        with pytest.raises(ConnectorError) as caught:
            await call()
        assert caught.value.system == "tickets"
        raised.append(type(caught.value))
    return raised


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"token": "not.a.token"}, Denied),
        ({"url": "http://127.0.0.1:9/"}, Unavailable),
    ],
    ids=["a refused credential is Denied", "an unreachable server is Unavailable"],
)
async def test_every_method_says_why_it_cannot(
    tracker: Tracker, scene: Scene, key: str, change: dict[str, str], expected: type[ConnectorError]
) -> None:
    data = scene.payload(tracker)
    writes = tracker.writes()
    async with desk(tracker.running, **change) as opened:  # type: ignore[arg-type]  # texts only
        assert await every_call(opened, scene, data, key) == [expected] * 4
    assert tracker.writes() == writes


async def test_the_credential_that_reads_cannot_write(tracker: Tracker, scene: Scene, key: str) -> None:
    data = scene.payload(tracker)
    writes = tracker.writes()
    async with desk(tracker.running, write_token=tracker.running.read_token) as opened:
        with pytest.raises(Denied):
            await opened.apply(scene.kind, data, key)
    assert tracker.writes() == writes


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (answered(503), (Unavailable, Ambiguous)),
        (answered(429, retry_after=7), (Unavailable, Unavailable)),
        (answered(200, "<html>Welcome to the wireless network</html>"), (Mismatch, Ambiguous)),
        (answered(200, '{"data": []}'), (Mismatch, Ambiguous)),
        (answered(409), (Invalid, Invalid)),
        (
            answered(
                400, '{"error": {"msg": "Now: An error occurred. Please check the server log for more."}}'
            ),
            (Unavailable, Ambiguous),
        ),
    ],
    ids=["503", "429", "a page", "no object", "409", "what Roundup did not expect"],
)
async def test_no_class_of_a_library_escapes_when_the_server_misbehaves(
    tracker: Tracker, scene: Scene, key: str, answer: bytes, raised: tuple[type[ConnectorError], ...]
) -> None:
    data, (reading, writing) = scene.payload(tracker), raised
    writes = tracker.writes()
    async with meddling(tracker.running.url) as meddler, desk(tracker.running, url=meddler.url) as opened:
        meddler.arm("instead", "GET", answer=answer)
        with pytest.raises(reading):
            await opened.operation(scene.kind).find(data, key)
        meddler.arm("instead", "POST|PATCH", answer=answer)
        with pytest.raises(writing):
            await opened.apply(scene.kind, data, key)
    assert tracker.writes() == writes


@pytest.mark.parametrize("act", ["apply", "undo"])
@pytest.mark.parametrize("kind", ["hold", "drop_after", "drop_before"])
async def test_a_write_without_an_answer_is_ambiguous_and_found_by_looking(
    tracker: Tracker, scene: Scene, key: str, kind: Any, act: str
) -> None:
    data = scene.payload(tracker)
    decisive = scene.decisive if act == "apply" else "PATCH"
    async with (
        meddling(tracker.running.url) as meddler,
        desk(tracker.running, url=meddler.url, within=1.0) as opened,
        beside(opened, tracker.running) as well,
    ):
        result = await well.apply(scene.kind, data, key) if act == "undo" else None
        meddler.arm(kind, decisive)

        with pytest.raises(Ambiguous):
            await (
                opened.undo(scene.kind, data, result, key) if result else opened.apply(scene.kind, data, key)
            )

        seen = await well.operation(scene.kind).sight(data, key, result)
        happened = seen is (Sight.THERE if act == "apply" else Sight.GONE)
        assert happened is (kind != "drop_before")
        if result:
            await well.undo(scene.kind, data, result, key)
            assert await well.operation(scene.kind).sight(data, key, result) is Sight.GONE
        else:
            again = await well.apply(scene.kind, data, key)
            assert await well.operation(scene.kind).find(data, key) is not None
            assert again.ticket in {str(row[0]) for row in tracker.tickets()}
        assert len(await well.tickets.marked(mark(key))) == (scene.kind is not Assign)  # nothing lies about
        once = tracker.tickets(), tracker.writes()
        if not result:
            await well.apply(scene.kind, data, key)
        assert (tracker.tickets(), tracker.writes()) == once


async def test_a_request_that_is_sent_again_opens_no_second_ticket(tracker: Tracker, key: str) -> None:
    """The first answer is lost; the second says that the announcement is used up; so we look."""
    data = SCENES["open"].payload(tracker)
    before = tracker.tickets()
    async with meddling(tracker.running.url) as meddler, desk(tracker.running, url=meddler.url) as opened:
        meddler.arm("drop_after", "POST .*/issue/@poe/", times=1)
        result = await opened.apply(OpenTicket, data, key)
        sent = [line for line in meddler.seen if "/@poe/" in line]
    assert len(sent) == 2
    assert sent[0] == sent[1]
    (new,) = [row for row in tracker.tickets() if row not in before]
    assert str(new[0]) == result.ticket
    assert str(new[4]) == result.message


async def test_a_ticket_or_name_that_is_not_there_is_said_to_be(at_desk: Desk) -> None:
    with pytest.raises(NotFound):
        await at_desk.tickets.ticket("999999")
    with pytest.raises(NotFound):
        await at_desk.tickets.ticket("1/title")
    for wrong in ({"priority": "huge"}, {"keywords": ("nonsense",)}, {"about": ("nobody.here",)}):
        with pytest.raises(Invalid, match="knows no such"):
            await at_desk.operation(OpenTicket).preview(NewTicket(title="x", text="x", **wrong))  # type: ignore[arg-type]  # one of them
    with pytest.raises(Invalid, match="knows no such status"):  # it could not be taken back
        await OpenTicket(at_desk.tickets, retracted="gone").preview(NewTicket(title="x", text="x"))
    with pytest.raises(Invalid, match="knows no such user"):  # somebody who has left
        await at_desk.operation(Assign).preview(Assignment(ticket="1", to="jun.park"))


@pytest.mark.parametrize("name", ["12", "a,b", "+x", "-x", " x", ""])
def test_what_roundup_would_take_for_something_else_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        Assignment(ticket="1", to=name)


@pytest.mark.parametrize("title", ["", "two\nlines", "bell\a", "x" * 201])
def test_a_title_is_one_line(title: str) -> None:
    with pytest.raises(ValidationError):
        NewTicket(title=title, text="x")
