"""Clicks, choices, commands and shortcuts, as the app hears them, and what its answers do."""

import json
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.workspace.client import ControlError
from bot.workspace.core import Clocks
from bot.workspace.timing import Timing

ADA, BEN, NOOR, BOT = "U0ADA", "U0BEN", "U0NOOR", "U0BOT"
GENERAL = "C0GENERAL"


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


OPTIONS = [{"text": plain(name), "value": name} for name in ("one", "two")]
BUTTON = {"type": "button", "action_id": "go", "text": plain("Go"), "value": "1"}
CONFIRM = {"title": plain("Sure?"), "text": plain("Really?"), "confirm": plain("Yes"), "deny": plain("No")}
BLOCKS: list[dict[str, Any]] = [
    {
        "type": "actions",
        "block_id": "acts",
        "elements": [
            BUTTON,
            {**BUTTON, "action_id": "danger", "confirm": CONFIRM},
            {"type": "static_select", "action_id": "pick", "options": OPTIONS},
            {"type": "datepicker", "action_id": "day", "initial_date": "2026-01-31"},
            {"type": "overflow", "action_id": "more", "options": OPTIONS},
            {"type": "external_select", "action_id": "find", "min_query_length": 2},
        ],
    },
    {
        "type": "context_actions",
        "block_id": "feedback",
        "elements": [
            {
                "type": "feedback_buttons",
                "action_id": "feedback",
                "positive_button": {"text": plain("Good"), "value": "good"},
                "negative_button": {"text": plain("Bad"), "value": "bad"},
            }
        ],
    },
]


class Bodies:
    """Acknowledges every action and keeps its body."""

    def __init__(self) -> None:
        self.all: list[dict[str, Any]] = []

    def register(self, app: Any) -> None:
        async def keep(ack: Any, body: dict[str, Any]) -> None:
            await ack()
            self.all.append(body)

        for action_id in ("go", "danger", "pick", "day", "more", "find", "feedback"):
            app.action(action_id)(keep)
        app.command("/ask")(keep)
        app.shortcut("start")(keep)
        app.shortcut("explain")(keep)


async def posted(rig: Any) -> str:
    return str((await rig.slack.chat_postMessage(channel=GENERAL, text="card", blocks=BLOCKS))["ts"])


async def test_a_click_says_who_where_and_what(rig: Any) -> None:
    bodies = Bodies()
    ts = await posted(rig)
    async with rig.bolt(bodies.register):
        answer = await rig.people.action("go", as_=ADA, channel=GENERAL, message_ts=ts)
    assert answer["acknowledged"]
    (body,) = bodies.all
    assert (body["type"], body["user"]["id"], body["channel"]["id"]) == ("block_actions", ADA, GENERAL)
    assert body["container"]["message_ts"] == body["message"]["ts"] == ts
    (action,) = body["actions"]
    assert (action["action_id"], action["block_id"], action["value"]) == ("go", "acts", "1")
    assert body["response_url"].startswith(f"{rig.server.url}/hooks/actions/")
    assert body["trigger_id"]


async def test_a_click_has_the_shape_of_the_recorded_ones(rig: Any, shared_data: Path) -> None:
    lines = (shared_data / "slack" / "inbound-payloads.jsonl").read_text().splitlines()
    recorded = [each["payload"] for each in map(json.loads, lines) if each["kind"] == "block_actions"]
    bodies = Bodies()
    ts = await posted(rig)
    async with rig.bolt(bodies.register):
        await rig.people.action("go", as_=ADA, channel=GENERAL, message_ts=ts)
    for each in recorded:
        if "container" in each:
            assert set(each) <= set(bodies.all[0])
            assert set(each["container"]) <= set(bodies.all[0]["container"])
            assert set(each["actions"][0]) - {"style"} <= set(bodies.all[0]["actions"][0])


async def test_a_message_click_carries_the_values_of_the_whole_message(rig: Any) -> None:
    bodies = Bodies()
    ts = await posted(rig)
    place = {"as_": ADA, "channel": GENERAL, "message_ts": ts}
    async with rig.bolt(bodies.register):
        await rig.people.action("pick", **place, selected_option="two")
        await rig.people.action("go", **place)
        await rig.people.action("go", as_=BEN, channel=GENERAL, message_ts=ts)
    first, second, others = (body["state"]["values"]["acts"] for body in bodies.all)
    assert first["pick"]["selected_option"] == OPTIONS[1]
    assert second["pick"]["selected_option"] == OPTIONS[1]
    assert second["day"] == {"type": "datepicker", "selected_date": "2026-01-31"}
    assert others["pick"]["selected_option"] is None
    assert "go" not in second
    assert "more" not in second


async def test_choices_are_among_those_offered(rig: Any) -> None:
    ts = await posted(rig)
    for action_id, chosen in (
        ("pick", {"selected_option": "three"}),
        ("more", {"selected_option": {"value": "three"}}),
        ("feedback", {"value": "meh"}),
        ("day", {}),
    ):
        with pytest.raises(ControlError) as refused:
            await rig.people.action(action_id, as_=ADA, channel=GENERAL, message_ts=ts, **chosen)
        assert refused.value.error == "invalid_value"
    with pytest.raises(ControlError) as refused:
        await rig.people.action("nothing", as_=ADA, channel=GENERAL, message_ts=ts)
    assert refused.value.error == "element_not_found"


async def test_feedback_and_overflow_report_what_was_chosen(rig: Any) -> None:
    bodies = Bodies()
    ts = await posted(rig)
    async with rig.bolt(bodies.register):
        await rig.people.action("feedback", as_=ADA, channel=GENERAL, message_ts=ts, value="good")
        await rig.people.action("more", as_=ADA, channel=GENERAL, message_ts=ts, selected_option="one")
    assert bodies.all[0]["actions"][0]["value"] == "good"
    assert bodies.all[1]["actions"][0]["selected_option"] == OPTIONS[0]


async def test_a_confirm_dialog_comes_before_the_click(rig: Any) -> None:
    bodies = Bodies()
    ts = await posted(rig)
    place = {"as_": ADA, "channel": GENERAL, "message_ts": ts}
    async with rig.bolt(bodies.register):
        with pytest.raises(ControlError) as asked:
            await rig.people.action("danger", **place)
        assert asked.value.error == "confirm_required"
        assert asked.value.answer["confirm"]["title"]["text"] == "Sure?"
        assert (await rig.people.action("danger", **place, confirm=False))["cancelled"]
        assert bodies.all == []
        assert (await rig.people.action("danger", **place, confirm=True))["acknowledged"]
    assert len(bodies.all) == 1


async def test_a_missed_acknowledgement_is_shown_to_whoever_acted(open_rig: Any) -> None:
    rig = await open_rig(timing=Timing(acknowledge=0.1))
    ts = await posted(rig)

    def silent(app: Any) -> None:
        async def never(body: dict[str, Any]) -> None:
            del body

        app.action("go")(never)
        app.command("/ask")(never)

    async with rig.people.stream(as_=ADA) as ada:
        async with rig.bolt(silent):
            answer = await rig.people.action("go", as_=ADA, channel=GENERAL, message_ts=ts)
            assert (answer["acknowledged"], answer["error"]) == (False, "operation_timeout")
            answer = await rig.people.command("/ask", "x", as_=ADA, channel=GENERAL)
            assert (answer["acknowledged"], answer["error"]) == (False, "operation_timeout")
        note = await anext(ada)
        assert note["type"] == "warning"
        assert "did not answer" in note["text"]
    answer = await rig.people.action("go", as_=ADA, channel=GENERAL, message_ts=ts)
    assert (answer["acknowledged"], answer["error"]) == (False, "dispatch_failed")


async def test_a_command_answers_to_the_asker_or_to_all(rig: Any) -> None:
    def register(app: Any) -> None:
        async def ask(ack: Any, command: dict[str, Any]) -> None:
            kind = "in_channel" if command["text"] == "aloud" else "ephemeral"
            await ack(text=f"{command['user_name']}: {command['text']}", response_type=kind)

        app.command("/ask")(ask)

    async with rig.bolt(register):
        answer = await rig.people.command("/ask", "softly", as_=ADA, channel=GENERAL)
        assert answer["response"]["text"] == "ada: softly"
        await rig.people.command("/ask", "aloud", as_=ADA, channel=GENERAL)
    assert [one["text"] for one in await rig.people.messages(as_=ADA, channel=GENERAL)] == [
        "ada: softly",
        "ada: aloud",
    ]
    assert [one["text"] for one in await rig.people.messages(as_=BEN, channel=GENERAL)] == ["ada: aloud"]


async def test_a_command_looks_like_slacks_and_an_unknown_one_is_refused(rig: Any) -> None:
    bodies = Bodies()
    async with rig.bolt(bodies.register):
        await rig.people.command("/ask", "how much leave?", as_=ADA, channel="D0ADA")
    (body,) = bodies.all
    assert body["channel_name"] == "directmessage"
    assert body["text"] == "how much leave?"
    assert {
        "token",
        "team_id",
        "team_domain",
        "user_id",
        "user_name",
        "command",
        "response_url",
        "trigger_id",
    } <= set(body)
    with pytest.raises(ControlError) as refused:
        await rig.people.command("/nothing", as_=ADA, channel=GENERAL)
    assert refused.value.error == "unknown_command"


async def test_shortcuts_are_global_or_on_a_message(rig: Any) -> None:
    bodies = Bodies()
    ts = await posted(rig)
    async with rig.bolt(bodies.register):
        await rig.people.shortcut("start", as_=ADA)
        await rig.people.shortcut("explain", as_=ADA, channel=GENERAL, message_ts=ts)
    assert [body["type"] for body in bodies.all] == ["shortcut", "message_action"]
    assert bodies.all[1]["message"]["ts"] == ts
    with pytest.raises(ControlError):
        await rig.people.shortcut("explain", as_=ADA)


async def test_external_options_are_loaded_and_then_may_be_chosen(rig: Any) -> None:
    bodies = Bodies()
    ts = await posted(rig)

    def register(app: Any) -> None:
        bodies.register(app)

        async def load(ack: Any, payload: dict[str, Any]) -> None:
            await ack(options=[{"text": plain(payload["value"] + "!"), "value": payload["value"]}])

        app.options("find")(load)

    place = {"as_": ADA, "channel": GENERAL, "message_ts": ts}
    async with rig.bolt(register):
        assert await rig.people.options("find", "x", **place) == []
        (option,) = await rig.people.options("find", "xy", **place)
        assert option["value"] == "xy"
        assert (await rig.people.action("find", **place, selected_option=option))["acknowledged"]
        with pytest.raises(ControlError):
            await rig.people.action("find", **place, selected_option={"text": plain("z"), "value": "z"})


async def use(url: str, **body: Any) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.post(url, json=body) as response:
        return response.status, await response.text()


async def response_url(rig: Any, ts: str, **action: Any) -> str:
    bodies = Bodies()
    async with rig.bolt(bodies.register):
        await rig.people.action("go", as_=ADA, channel=GENERAL, message_ts=ts, **action)
    return str(bodies.all[0]["response_url"])


async def test_a_response_url_is_used_five_times(rig: Any) -> None:
    url = await response_url(rig, await posted(rig))
    for number in range(5):
        assert await use(url, text=str(number)) == (200, "ok")
    status, answer = await use(url, text="six")
    assert (status, json.loads(answer)["error"]) == (404, "used_url")


async def test_a_response_url_ends_after_half_an_hour(open_rig: Any) -> None:
    now = 1_790_000_000.0
    rig = await open_rig(clocks=Clocks(wall=lambda: now))
    url = await response_url(rig, await posted(rig))
    now += 1801
    status, answer = await use(url, text="late")
    assert (status, json.loads(answer)["error"]) == (404, "expired_url")


async def test_a_response_url_replaces_and_deletes_the_original(rig: Any) -> None:
    ts = await posted(rig)
    url = await response_url(rig, ts)
    await use(url, text="replaced", replace_original=True)
    (message,) = await rig.people.messages(as_=ADA, channel=GENERAL)
    assert (message["text"], "blocks" in message) == ("replaced", False)
    assert (await use(url, blocks=[{"type": "nonsense"}]))[1] == "invalid_blocks"
    assert (await use(url))[1] == "no_text"
    await use(url, text="to one")
    assert [one["text"] for one in await rig.people.messages(as_=BEN, channel=GENERAL)] == ["replaced"]
    await use(url, delete_original=True)
    assert await rig.people.messages(as_=BEN, channel=GENERAL) == []


async def test_a_click_on_an_ephemeral_message_replaces_it_in_its_place(rig: Any) -> None:
    answer = await rig.slack.chat_postEphemeral(channel=GENERAL, user=ADA, text="card", blocks=BLOCKS)
    ts = answer["message_ts"]
    bodies = Bodies()
    async with rig.bolt(bodies.register):
        await rig.people.action("go", as_=ADA, channel=GENERAL, message_ts=ts)
        with pytest.raises(ControlError) as refused:
            await rig.people.action("go", as_=BEN, channel=GENERAL, message_ts=ts)
    assert refused.value.error == "message_not_found"
    (body,) = bodies.all
    assert body["container"]["is_ephemeral"] is True
    assert "message" not in body
    await use(body["response_url"], text="done", replace_original=True)
    (message,) = await rig.people.messages(as_=ADA, channel=GENERAL)
    assert (message["text"], message["ts"], message["ephemeral"]) == ("done", ts, True)
    await use(body["response_url"], delete_original=True)
    assert await rig.people.messages(as_=ADA, channel=GENERAL) == []


async def test_people_act_only_as_their_place_allows(rig: Any) -> None:
    for body, error in (
        ({"as_": "U0JUN", "channel": GENERAL}, "account_inactive"),
        ({"as_": BOT, "channel": GENERAL}, "user_not_found"),
        ({"as_": ADA, "channel": "G0QUIET"}, "channel_not_found"),
        ({"as_": NOOR, "channel": "C0FINANCE"}, "channel_not_found"),
        ({"as_": BEN, "channel": "C0FINANCE"}, "not_in_channel"),
        ({"as_": ADA, "channel": "C0OLD"}, "is_archived"),
        ({"as_": ADA, "channel": "D0BEN"}, "channel_not_found"),
    ):
        with pytest.raises(ControlError) as refused:
            await rig.people.message("hello", **body)
        assert refused.value.error == error
