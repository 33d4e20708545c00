"""Events and Socket Mode: what reaches the app, once, again, or not at all."""

import asyncio
import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.workspace.timing import Timing

ADA, BEN, BOT = "U0ADA", "U0BEN", "U0BOT"
GENERAL, FINANCE, APPROVALS = "C0GENERAL", "C0FINANCE", "G0APPROVALS"


class Heard:
    """Collects the event callbacks that a Bolt app receives."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, Any]] = []

    def register(self, app: Any) -> None:
        async def keep(req: Any, next: Any) -> None:  # noqa: A002 - bolt's name
            self.bodies.append(req.body)
            self.headers.append(req.headers)
            await next()

        async def nothing(event: dict[str, Any]) -> None:
            del event

        app.middleware(keep)
        for name in ("message", "app_mention", "app_home_opened", "reaction_added", "member_joined_channel"):
            app.event(name)(nothing)

    def kinds(self) -> list[str]:
        return [body["event"]["type"] for body in self.bodies]

    async def of_kind(self, kind: str) -> list[dict[str, Any]]:
        return [body for body in self.bodies if body["event"]["type"] == kind]


async def settled(rig: Any, count: int) -> list[dict[str, Any]]:
    """The deliveries, once there are `count` of them."""

    async def look() -> list[dict[str, Any]] | None:
        found = await rig.people.deliveries()
        return found if len(found) >= count else None

    found: list[dict[str, Any]] = await rig.people.wait_for(look, what=f"{count} deliveries")
    return found


class Socket:
    """A raw Socket Mode connection that acknowledges only when told to."""

    def __init__(self, rig: Any) -> None:
        self.rig = rig

    async def __aenter__(self) -> "Socket":
        self.session = aiohttp.ClientSession()
        headers = {"Authorization": "Bearer xapp-test"}
        async with self.session.post(
            f"{self.rig.server.api_url}apps.connections.open", headers=headers
        ) as got:
            self.url = (await got.json())["url"]
        self.socket = await self.session.ws_connect(self.url)
        self.hello = await self.receive()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()
        await self.session.close()

    async def receive(self) -> dict[str, Any]:
        received: dict[str, Any] = await self.socket.receive_json(timeout=5)
        return received

    async def acknowledge(self, envelope: dict[str, Any], payload: Any = None) -> None:
        answer = {"envelope_id": envelope["envelope_id"]} | (
            {"payload": payload} if payload is not None else {}
        )
        await self.socket.send_json(answer)


async def test_a_mention_is_a_message_and_an_app_mention(rig: Any) -> None:
    heard = Heard()
    async with rig.bolt(heard.register):
        ts = await rig.people.message(f"<@{BOT}> how much leave & why <b>?", as_=ADA, channel=GENERAL)
        await settled(rig, 2)
    assert heard.kinds() == ["message", "app_mention"]
    message, mention = (body["event"] for body in heard.bodies)
    assert message["text"] == mention["text"] == f"<@{BOT}> how much leave &amp; why &lt;b&gt;?"
    assert (message["ts"], message["channel_type"], message["user"]) == (ts, "channel", ADA)
    assert message["blocks"][0]["elements"][0]["elements"][0] == {"type": "user", "user_id": BOT}
    assert "channel_type" not in mention
    assert heard.bodies[0]["event_id"] != heard.bodies[1]["event_id"]


async def test_events_have_the_shape_of_the_recorded_ones(rig: Any, shared_data: Path) -> None:
    lines = (shared_data / "slack" / "inbound-payloads.jsonl").read_text().splitlines()
    recorded = [json.loads(line) for line in lines]
    envelope = next(
        each["payload"]
        for each in recorded
        if each["kind"] == "envelope" and each["payload"]["type"] == "events_api"
    )
    async with Socket(rig) as socket:
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        ours = await socket.receive()
        await socket.acknowledge(ours)
    assert set(envelope) <= set(ours)
    assert set(envelope["payload"]) <= set(ours["payload"])
    assert set(envelope["payload"]["event"]) <= set(ours["payload"]["event"])
    assert set(envelope["payload"]["authorizations"][0]) == set(ours["payload"]["authorizations"][0])


async def test_a_mention_in_a_direct_message_is_only_a_message(rig: Any) -> None:
    heard = Heard()
    async with rig.bolt(heard.register):
        await rig.people.message("@countersign hello", as_=ADA, channel="D0ADA")
        await settled(rig, 1)
    assert heard.kinds() == ["message"]
    assert heard.bodies[0]["event"]["channel_type"] == "im"
    assert heard.bodies[0]["event"]["text"] == f"<@{BOT}> hello"


async def test_nothing_reaches_the_app_from_where_its_bot_is_not(rig: Any) -> None:
    heard = Heard()
    async with rig.bolt(heard.register):
        await rig.people.message(f"<@{BOT}> psst", as_=ADA, channel=FINANCE)
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        await settled(rig, 1)
        assert [body["event"]["channel"] for body in heard.bodies] == [GENERAL]
        await rig.people.invite(BOT, as_=ADA, channel=FINANCE)
        await rig.people.message("now then", as_=ADA, channel=FINANCE)
        await settled(rig, 3)
    assert heard.kinds()[1:] == ["member_joined_channel", "message"]


async def test_events_that_were_not_subscribed_to_are_not_sent(open_rig: Any, make_world: Any) -> None:
    rig = await open_rig(world=make_world(events=frozenset({"app_mention"})))
    heard = Heard()
    async with rig.bolt(heard.register):
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        await rig.people.message(f"<@{BOT}> hello", as_=ADA, channel=GENERAL)
        await settled(rig, 1)
    assert heard.kinds() == ["app_mention"]


async def test_an_edit_and_a_deletion_come_with_what_was_before(rig: Any) -> None:
    heard = Heard()
    async with rig.bolt(heard.register):
        ts = await rig.people.message("one", as_=ADA, channel="D0ADA")
        await rig.people.edit(ts, "two", as_=ADA, channel="D0ADA")
        await rig.people.delete(ts, as_=ADA, channel="D0ADA")
        await settled(rig, 3)
    _, changed, deleted = (body["event"] for body in heard.bodies)
    assert (changed["subtype"], changed["message"]["text"]) == ("message_changed", "two")
    assert changed["previous_message"]["text"] == "one"
    assert changed["message"]["edited"]["user"] == ADA
    assert (deleted["subtype"], deleted["deleted_ts"]) == ("message_deleted", ts)
    assert deleted["previous_message"]["text"] == "two"


async def test_the_bots_own_messages_arrive_but_not_its_ephemeral_ones(rig: Any) -> None:
    async with Socket(rig) as socket:
        await rig.slack.chat_postEphemeral(channel=GENERAL, user=ADA, text="psst")
        await rig.slack.chat_postMessage(channel=GENERAL, text=f"<@{BOT}> said I")
        envelope = await socket.receive()
        await socket.acknowledge(envelope)
        event = envelope["payload"]["event"]
        assert (event["type"], event["text"], event["bot_id"]) == ("message", f"<@{BOT}> said I", "B0BOT")
    assert [one["kind"] for one in await rig.people.deliveries()] == ["message"]


async def test_an_ephemeral_message_is_seen_by_one_person_only(rig: Any) -> None:
    await rig.slack.chat_postEphemeral(channel=GENERAL, user=ADA, text="psst")
    assert [one["text"] for one in await rig.people.messages(as_=ADA, channel=GENERAL)] == ["psst"]
    assert (await rig.people.messages(as_=ADA, channel=GENERAL))[0]["ephemeral"] is True
    assert await rig.people.messages(as_=BEN, channel=GENERAL) == []
    assert (await rig.slack.conversations_history(channel=GENERAL))["messages"] == []
    refused = await rig.refusal(rig.slack.chat_postEphemeral(channel=APPROVALS, user=ADA, text="x"))
    assert refused["error"] == "user_not_in_channel"


async def test_opening_the_home_tells_the_tab_and_the_view(rig: Any) -> None:
    heard = Heard()
    async with rig.bolt(heard.register):
        await rig.people.home("messages", as_=ADA)
        await rig.slack.views_publish(user_id=ADA, view={"type": "home", "blocks": [{"type": "divider"}]})
        await rig.people.home("home", as_=ADA)
        await settled(rig, 2)
    first, second = (body["event"] for body in heard.bodies)
    assert (first["tab"], first["channel"], "view" in first) == ("messages", "D0ADA", False)
    assert second["view"]["type"] == "home"
    assert (await rig.people.home_view(as_=ADA))["blocks"][0]["type"] == "divider"


async def test_a_reaction_reaches_the_app(rig: Any) -> None:
    heard = Heard()
    async with rig.bolt(heard.register):
        ts = await rig.people.message("hello", as_=ADA, channel=GENERAL)
        await rig.people.react(ts, "eyes", as_=BEN, channel=GENERAL)
        await settled(rig, 2)
    event = (await heard.of_kind("reaction_added"))[0]["event"]
    assert (event["user"], event["reaction"], event["item"]["ts"]) == (BEN, "eyes", ts)


async def test_each_envelope_goes_to_one_of_the_connections(rig: Any) -> None:
    async with Socket(rig) as one, Socket(rig) as two:
        for number in range(4):
            await rig.people.message(str(number), as_=ADA, channel=GENERAL)
        texts = []
        for socket in (one, two):
            for _ in range(2):
                envelope = await socket.receive()
                await socket.acknowledge(envelope)
                texts.append(envelope["payload"]["event"]["text"])
        assert sorted(texts) == ["0", "1", "2", "3"]


async def test_an_acknowledgement_may_come_on_another_connection(rig: Any) -> None:
    async with Socket(rig) as one:
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        envelope = await one.receive()
        async with Socket(rig) as two:
            await two.acknowledge(envelope)
            assert (await settled(rig, 1))[0]["acknowledged"]


async def test_a_connection_starts_with_hello_and_the_eleventh_is_one_too_many(rig: Any) -> None:
    sockets = [Socket(rig) for _ in range(11)]
    try:
        for socket in sockets:
            await socket.__aenter__()
        assert sockets[0].hello["type"] == "hello"
        assert sockets[0].hello["connection_info"] == {"app_id": "A0APP"}
        assert sockets[9].hello["num_connections"] == 10
        assert sockets[10].hello["type"] == "disconnect"
        assert sockets[10].hello["reason"] == "too_many_websockets"
    finally:
        for socket in sockets:
            await socket.__aexit__()


async def test_a_ticket_opens_one_connection(rig: Any) -> None:
    async with Socket(rig) as socket:
        with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
            await socket.session.ws_connect(socket.url)
    assert refused.value.status == 401


async def test_an_unacknowledged_event_comes_again_with_its_number_and_reason(open_rig: Any) -> None:
    rig = await open_rig(timing=Timing(acknowledge=0.05, retries=(0.0, 0.02)))
    async with Socket(rig) as socket:
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        envelopes = [await socket.receive() for _ in range(3)]
        await settled(rig, 3)
    assert [one["retry_attempt"] for one in envelopes] == [0, 1, 2]
    assert [one["retry_reason"] for one in envelopes] == ["", "timeout", "timeout"]
    assert len({one["payload"]["event_id"] for one in envelopes}) == 1
    assert len({one["envelope_id"] for one in envelopes}) == 3


async def test_bolt_reads_the_retry_headers_and_an_unhandled_event_comes_again(open_rig: Any) -> None:
    rig = await open_rig(timing=Timing(acknowledge=0.1, retries=(0.0,)))
    heard = Heard()

    def only_middleware(app: Any) -> None:
        async def keep(req: Any, next: Any) -> None:  # noqa: A002 - bolt's name
            heard.headers.append(req.headers)
            await next()

        app.middleware(keep)

    async with rig.bolt(only_middleware):
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        await settled(rig, 2)
    assert [headers["x-slack-retry-num"] for headers in heard.headers] == [["0"], ["1"]]
    assert heard.headers[1]["x-slack-retry-reason"] == ["timeout"]


async def test_events_wait_for_an_app_that_is_away(open_rig: Any) -> None:
    rig = await open_rig(timing=Timing(acknowledge=2, retries=(60.0, 60.0)))
    await rig.people.message("while you were out", as_=ADA, channel=GENERAL)
    await settled(rig, 1)
    async with Socket(rig) as socket:
        envelope = await socket.receive()
        await socket.acknowledge(envelope)
        assert (envelope["retry_attempt"], envelope["retry_reason"]) == (1, "connection_failed")


async def test_a_refresh_asks_the_app_to_reconnect_and_nothing_is_lost(open_rig: Any) -> None:
    rig = await open_rig(timing=Timing(connection_warning=0.1))
    heard = Heard()
    async with rig.bolt(heard.register):
        before = len([call for call in await rig.people.log() if call["method"] == "apps.connections.open"])
        await rig.people._post("refresh", {})

        async def reconnected() -> bool:
            calls = await rig.people.log("apps.connections.open")
            return len(calls) > before and await rig.people.connections() > 0

        await rig.people.wait_for(reconnected, what="a new connection")
        await rig.people.message("still there?", as_=ADA, channel=GENERAL)

        async def arrived() -> bool:
            return bool(heard.bodies)

        await rig.people.wait_for(arrived, what="the message")


async def test_a_duplicated_envelope_has_the_same_event_id(rig: Any) -> None:
    await rig.people.faults("socket", "duplicate")
    async with Socket(rig) as socket:
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        envelopes = [await socket.receive() for _ in range(2)]
        for envelope in envelopes:
            await socket.acknowledge(envelope)
    assert len({one["payload"]["event_id"] for one in envelopes}) == 1
    assert len({one["envelope_id"] for one in envelopes}) == 2


@pytest.mark.parametrize(("kind", "received"), [("drop", False), ("drop_after", True)])
async def test_a_dropped_socket_loses_the_envelope_or_its_acknowledgement(
    open_rig: Any, kind: str, received: bool
) -> None:
    rig = await open_rig(timing=Timing(acknowledge=0.2, retries=(0.0,)))
    await rig.people.faults("socket", kind)
    async with Socket(rig) as socket:
        await rig.people.message("hello", as_=ADA, channel=GENERAL)
        frame = await socket.socket.receive(timeout=5)
        assert (frame.type is aiohttp.WSMsgType.TEXT) is received
    async with Socket(rig) as socket:
        envelope = await socket.receive()
        await socket.acknowledge(envelope)
        assert envelope["retry_attempt"] == 1


async def test_web_faults_come_before_or_after_the_deed(rig: Any) -> None:
    slack, people = rig.slack, rig.people
    await people.faults("chat.postMessage", "ratelimited", retry_after=7)
    from slack_sdk.errors import SlackApiError

    with pytest.raises(SlackApiError) as limited:
        await slack.chat_postMessage(channel=GENERAL, text="limited")
    assert limited.value.response.status_code == 429
    assert limited.value.response.headers["Retry-After"] == "7"
    await people.faults("chat.postMessage", "http_500")
    with pytest.raises(SlackApiError):
        await slack.chat_postMessage(channel=GENERAL, text="broken")
    await people.faults("chat.postMessage", "drop")
    with pytest.raises(aiohttp.ClientError):
        await slack.chat_postMessage(channel=GENERAL, text="lost")
    await people.faults("chat.postMessage", "drop_after")
    with pytest.raises(aiohttp.ClientError):
        await slack.chat_postMessage(channel=GENERAL, text="landed")
    await people.faults("*", "delay", seconds=0.01)
    await slack.chat_postMessage(channel=GENERAL, text="late")
    seen = [one["text"] for one in await people.messages(as_=ADA, channel=GENERAL)]
    assert seen == ["landed", "late"]
    assert [one["error"] for one in await people.log("chat.postMessage")] == [
        "ratelimited",
        "http_500",
        "drop",
        None,
        None,
    ]


async def test_the_unchanged_client_posts_twice_when_the_answer_is_lost(rig: Any) -> None:
    """The default client retries connection errors, so what landed unheard lands again."""
    from slack_sdk.web.async_client import AsyncWebClient

    await rig.people.faults("chat.postMessage", "drop_after")
    await AsyncWebClient(token="xoxb-test", base_url=rig.server.api_url).chat_postMessage(
        channel=GENERAL, text="x"
    )
    assert len(await rig.people.messages(as_=ADA, channel=GENERAL)) == 2


async def test_a_page_hears_what_its_person_may_see(rig: Any) -> None:
    async with rig.people.stream(as_=ADA) as ada, rig.people.stream(as_="U0NOOR") as noor:
        await rig.people.message("in finance", as_=ADA, channel=FINANCE)
        await rig.slack.chat_postEphemeral(channel=GENERAL, user=ADA, text="psst")
        await rig.people.message("to all", as_=BEN, channel=GENERAL)
        async with asyncio.timeout(5):
            heard = [await anext(ada) for _ in range(3)]
            other = await anext(noor)
    assert [(one["type"], one["message"]["text"]) for one in heard] == [
        ("message", "in finance"),
        ("ephemeral", "psst"),
        ("message", "to all"),
    ]
    assert other["message"]["text"] == "to all"
