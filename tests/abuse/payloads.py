"""What arrives from Slack, or as if from it: for others, from elsewhere, by others, again, or not signed."""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bot.blocks import approval as blocks
from bot.blocks.reason import REASON
from bot.demo.world import ALARMS, BOT, user
from connectors.sandbox import company
from tests.abuse.arena import Abuse, Arena

if TYPE_CHECKING:  # Slack's library takes seconds to import, and comes with the first of these abuses
    from slack_bolt.request.async_request import AsyncBoltRequest

    from tests.abuse.front import Front

ADA, GRACE, BEN, TOMAS, NOOR, JUN = (
    user(one) for one in (company.ADA, company.GRACE, company.BEN, company.TOMAS, company.NOOR, company.JUN)
)
NOBODY = "U0NOBODY"

Payload = dict[str, Any]


def changed(name: str, change: Callable[[Payload], object]) -> Abuse:
    """Return the abuse in which an approver's click arrives changed, with a signature that fits."""

    async def abuse(arena: Arena) -> int:
        front = await arena.slack()
        asked = await arena.ask()
        payload = await front.card(asked.card, GRACE)
        change(payload)
        assert await front.send(payload) == 200
        await arena.work()
        return 0

    abuse.__name__ = f"a_click_arrives_{name}"
    return abuse


def of_user(name: str, user: str) -> Abuse:
    """Return the abuse in which somebody clicks who may not."""

    async def abuse(arena: Arena) -> int:
        front = await arena.slack()
        asked = await arena.ask()
        assert await front.send(await front.card(asked.card, user)) == 200
        await arena.work()
        return 0

    abuse.__name__ = f"a_click_of_{name}"
    return abuse


def sent(name: str, make: "Callable[[Front, Payload], AsyncBoltRequest]") -> Abuse:
    """Return the abuse in which an approver's click comes in a request that Slack did not send."""

    async def abuse(arena: Arena) -> int:
        front = await arena.slack()
        asked = await arena.ask()
        assert await front.send(make(front, await front.card(asked.card, GRACE))) == 401
        await arena.work()
        return 0

    abuse.__name__ = f"a_request_{name}"
    return abuse


def _put(payload: Payload, *path: str, to: Any) -> None:
    *outer, last = path
    part = payload
    for step in outer:
        part = part[step]
    part[last] = to


def _moved(payload: Payload, channel: str | None, ts: str | None) -> None:
    """Let the click come from another place, whichever way the payload says it."""
    if channel is not None:
        payload["container"]["channel_id"] = payload["channel"]["id"] = channel
    if ts is not None:
        payload["container"]["message_ts"] = payload["message"]["ts"] = ts


def _teamless(payload: Payload) -> None:
    del payload["team"], payload["user"]["team_id"]


def _in_a_view(payload: Payload) -> None:
    payload["container"] = {"type": "view", "view_id": "V1"}
    payload["view"] = {"id": "V1", "type": "modal"}
    del payload["message"], payload["channel"]


async def the_card_is_passed_on_into_another_channel(arena: Arena) -> int:
    """Posted there in truth, with the bot's own token and the very blocks."""
    front = await arena.slack()
    asked = await arena.ask()
    payload = await front.card(asked.card, GRACE)
    found = await front.parts.slack.conversations_history(channel=payload["channel"]["id"], limit=1)
    copy = await front.parts.slack.chat_postMessage(
        channel=ALARMS, text="a copy", blocks=found["messages"][0]["blocks"]
    )
    _moved(payload, ALARMS, str(copy["ts"]))
    assert await front.send(payload) == 200
    await arena.work()
    return 0


async def the_button_of_another_card(arena: Arena) -> int:
    """On the card of one request the button names another one's: neither is approved."""
    front = await arena.slack()
    one, two = await arena.ask(), await arena.ask()
    await front.post(two.card)
    payload = await front.card(one.card, GRACE)
    _put(payload["actions"][0], "value", to=two.card)
    assert await front.send(payload) == 200
    await arena.work()
    return 0


async def the_card_was_edited(arena: Arena) -> int:
    """What stands in the payload is not asked: what is carried out is what is on record, once."""
    front = await arena.slack()
    asked = await arena.ask()
    payload = await front.card(asked.card, GRACE)
    payload["message"] |= {"text": "free beer", "blocks": [{"type": "divider"}], "metadata": {"run": "x"}}
    payload["state"] = {"values": {"target": {"value": {"value": "everything"}}}}
    assert await front.send(payload) == 200
    await arena.work()
    return 1


async def the_card_was_deleted(arena: Arena) -> int:
    """While the click was on its way: it was seen, and counts, once."""
    front = await arena.slack()
    asked = await arena.ask()
    payload = await front.card(asked.card, GRACE)
    await front.parts.slack.chat_delete(channel=payload["channel"]["id"], ts=payload["message"]["ts"])
    for _ in range(2):
        assert await front.send(payload) in {200, 401}
    await arena.work()
    return 1


async def a_signed_request_is_played_again(arena: Arena) -> int:
    front = await arena.slack()
    asked = await arena.ask()
    payload = await front.card(asked.card, GRACE)
    at = int(time.time())
    assert [await front.send(front.signed(payload, at=at)) for _ in range(3)] == [200, 401, 401]
    await arena.work()
    return 1


async def fifty_signed_clicks_at_once(arena: Arena) -> int:
    front = await arena.slack()
    asked = await arena.ask()
    payload = await front.card(asked.card, GRACE)
    clicks = []
    for number in range(50):
        who = (GRACE, BEN)[number % 2]
        clicks.append({**payload, "user": {**payload["user"], "id": who}, "trigger_id": f"1.1.{number}"})
    assert set(await asyncio.gather(*(front.send(click) for click in clicks))) == {200}
    await arena.work()
    return 1


def window(name: str, view: str, values: Payload) -> Abuse:
    """Return the abuse in which somebody who may not decide sends a window that nobody opened for them."""

    async def abuse(arena: Arena) -> int:
        front = await arena.slack()
        asked = await arena.ask()
        payload = await front.card(asked.card, TOMAS)
        del payload["actions"], payload["container"], payload["channel"], payload["message"]
        state = {block: {block: value} for block, value in values.items()}
        payload |= {
            "type": "view_submission",
            "view": {
                "id": "V1",
                "type": "modal",
                "callback_id": view,
                "private_metadata": asked.card,
                "state": {"values": state},
                "blocks": [],
            },
        }
        assert await front.send(payload) == 200
        approval = await arena.runs.approval(asked.card)
        assert approval is not None
        assert approval.status.value == "pending"
        await arena.work()
        return 0

    abuse.__name__ = f"a_stranger_sends_the_window_of_{name}"
    return abuse


def _after_signing(front: "Front", payload: Payload) -> "AsyncBoltRequest":
    """Sign the click of one, and send that of another."""
    theirs = front.signed({**payload, "user": {**payload["user"], "id": TOMAS}})
    return front.headed(payload, theirs.headers["x-slack-signature"][0])


def _now(span: int) -> int:
    return int(time.time()) + span


ABUSES: tuple[Abuse, ...] = (
    changed("for_another_team", lambda one: _put(one, "team", "id", to="T0ELSEWHERE")),
    changed("for_no_team", _teamless),
    changed("from_a_user_of_another_team", lambda one: _put(one, "user", "team_id", to="T0ELSEWHERE")),
    changed("for_another_organisation", lambda one: _put(one, "enterprise", to={"id": "E0ELSEWHERE"})),
    changed("for_another_app", lambda one: _put(one, "api_app_id", to="A0ELSEWHERE")),
    changed("for_no_app", lambda one: one.pop("api_app_id")),
    changed("from_another_channel", lambda one: _moved(one, ALARMS, None)),
    changed("from_another_message", lambda one: _moved(one, None, "1700000000.000100")),
    changed("from_a_channel_that_contradicts_itself", lambda one: _put(one, "channel", "id", to=ALARMS)),
    changed("from_a_message_that_contradicts_itself", lambda one: _put(one, "message", "ts", to="1.1")),
    changed("from_what_only_one_person_sees", lambda one: one.pop("message")),
    changed("from_a_window", _in_a_view),
    changed("without_a_value", lambda one: one["actions"][0].pop("value")),
    changed("with_another_value", lambda one: _put(one["actions"][0], "value", to="x" * 22)),
    changed("with_another_action", lambda one: _put(one["actions"][0], "action_id", to="approval.Approve")),
    changed("without_an_action", lambda one: _put(one, "actions", to=[])),
    of_user("a_guest", NOOR),
    of_user("an_account_that_is_deactivated", JUN),
    of_user("a_stranger_to_the_workspace", NOBODY),
    of_user("a_bot", BOT),
    of_user("whoever_asked", ADA),
    of_user("somebody_outside_the_group", TOMAS),
    sent("signed_with_another_secret", lambda front, one: front.signed(one, secret="another")),
    sent("signed_too_long_ago", lambda front, one: front.signed(one, at=_now(-301))),
    sent("signed_in_the_future", lambda front, one: front.signed(one, at=_now(301))),
    sent("changed_after_it_was_signed", _after_signing),
    sent("with_a_signature_of_zeros", lambda front, one: front.headed(one, "v0=" + "0" * 64)),
    sent("with_a_signature_of_another_kind", lambda front, one: front.headed(one, "v1=" + "0" * 64)),
    sent("with_an_empty_signature", lambda front, one: front.headed(one, "")),
    sent("without_its_headers", lambda front, one: front.bare(one)),
    the_card_is_passed_on_into_another_channel,
    the_button_of_another_card,
    the_card_was_edited,
    the_card_was_deleted,
    a_signed_request_is_played_again,
    fifty_signed_clicks_at_once,
    window("a_denial", blocks.DENIAL, {REASON: {"value": "no"}}),
    window("a_change", blocks.CHANGE, {"days": {"type": "number_input", "value": "2"}}),
)
