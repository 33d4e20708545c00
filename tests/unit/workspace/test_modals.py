"""Modals: triggers, the stack, what was typed, and what the app's answer does."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.workspace.client import ControlError
from bot.workspace.core import Clocks
from bot.workspace.timing import Timing

ADA, BEN = "U0ADA", "U0BEN"
GENERAL = "C0GENERAL"


def plain(text: str) -> dict[str, Any]:
    return {"type": "plain_text", "text": text}


def modal(callback_id: str = "form", **more: Any) -> dict[str, Any]:
    days = {"type": "number_input", "action_id": "days", "is_decimal_allowed": False, "max_value": "30"}
    options = [{"text": plain(name), "value": name} for name in ("billing-db", "prod-logs")]
    return {
        "type": "modal",
        "callback_id": callback_id,
        "title": plain("Access"),
        "submit": plain("Ask"),
        "private_metadata": "secret",
        "blocks": [
            {"type": "input", "block_id": "days", "label": plain("Days"), "element": days},
            {
                "type": "input",
                "block_id": "reason",
                "optional": True,
                "label": plain("Reason"),
                "element": {"type": "plain_text_input", "action_id": "reason", "initial_value": "because"},
            },
            {
                "type": "input",
                "block_id": "group",
                "dispatch_action": True,
                "optional": True,
                "label": plain("Group"),
                "element": {"type": "static_select", "action_id": "group", "options": options},
            },
            {
                "type": "actions",
                "block_id": "acts",
                "elements": [{"type": "button", "action_id": "push", "text": plain("More")}],
            },
        ],
    } | more


THREE_DAYS = {"days": {"days": {"type": "number_input", "value": "3"}}}


class Form:
    """A Bolt app with one form; `answer` is what it acknowledges a submission with."""

    def __init__(self, view: dict[str, Any] | None = None, **answer: Any) -> None:
        self.view = view or modal()
        self.answer = answer
        self.submissions: list[dict[str, Any]] = []
        self.actions: list[dict[str, Any]] = []
        self.closed: list[dict[str, Any]] = []
        self.triggers: list[str] = []

    def register(self, app: Any) -> None:
        async def start(ack: Any, body: dict[str, Any], client: Any) -> None:
            await ack()
            self.triggers.append(body["trigger_id"])
            await client.views_open(trigger_id=body["trigger_id"], view=self.view)

        async def submitted(ack: Any, body: dict[str, Any]) -> None:
            self.submissions.append(body)
            await ack(**self.answer)

        async def acted(ack: Any, body: dict[str, Any], client: Any) -> None:
            await ack()
            self.actions.append(body)
            if body["actions"][0]["action_id"] == "push":
                with contextlib.suppress(SlackApiError):  # the fourth view, which the log shows to be refused
                    await client.views_push(
                        trigger_id=body["trigger_id"], view=modal("pushed", notify_on_close=True)
                    )

        async def closed(ack: Any, body: dict[str, Any]) -> None:
            self.closed.append(body)
            await ack()

        app.command("/ask")(start)
        app.view("form")(submitted)
        app.view("pushed")(submitted)
        app.view_closed("form")(closed)
        app.view_closed("pushed")(closed)
        app.action("push")(acted)
        app.action("group")(acted)

    async def open(self, rig: Any) -> dict[str, Any]:
        await rig.people.command("/ask", as_=ADA, channel=GENERAL)
        view: dict[str, Any] = await rig.people.wait_for_view(as_=ADA)
        return view


async def test_a_submission_carries_all_values_and_closes_the_modal(rig: Any, shared_data: Path) -> None:
    form = Form()
    async with rig.bolt(form.register):
        view = await form.open(rig)
        assert await rig.people.views(as_=BEN) == []
        answer = await rig.people.submit(view["id"], THREE_DAYS, as_=ADA)
    assert answer["acknowledged"]
    assert await rig.people.views(as_=ADA) == []
    (body,) = form.submissions
    assert body["view"]["private_metadata"] == "secret"
    assert body["user"]["id"] == ADA
    assert body["view"]["state"]["values"] == {
        "days": {"days": {"type": "number_input", "value": "3"}},
        "reason": {"reason": {"type": "plain_text_input", "value": "because"}},
        "group": {"group": {"type": "static_select", "selected_option": None}},
    }
    lines = (shared_data / "slack" / "inbound-payloads.jsonl").read_text().splitlines()
    for each in map(json.loads, lines):
        if each["kind"] == "view_submission" and "user" in each["payload"]:
            assert set(each["payload"]) <= set(body)
            assert set(each["payload"]["view"]) <= set(body["view"])


async def test_what_the_form_itself_refuses_never_reaches_the_app(rig: Any) -> None:
    form = Form()
    async with rig.bolt(form.register):
        view = await form.open(rig)
        empty = await rig.people.submit(view["id"], as_=ADA)
        words = await rig.people.submit(view["id"], {"days": {"days": {"value": "three"}}}, as_=ADA)
        many = await rig.people.submit(view["id"], {"days": {"days": {"value": "31"}}}, as_=ADA)
    assert empty["errors"] == {"days": "Please complete this required field."}
    assert words["errors"] == {"days": "Please enter a whole number."}
    assert many["errors"] == {"days": "Please enter a number of at most 30."}
    assert form.submissions == []
    assert len(await rig.people.views(as_=ADA)) == 1


async def test_the_apps_errors_keep_the_modal_open(rig: Any) -> None:
    form = Form(response_action="errors", errors={"days": "Too many"})
    async with rig.bolt(form.register):
        view = await form.open(rig)
        answer = await rig.people.submit(view["id"], THREE_DAYS, as_=ADA)
    assert (answer["response_action"], answer["errors"]) == ("errors", {"days": "Too many"})
    (kept,) = await rig.people.views(as_=ADA)
    assert kept["state"]["values"]["days"]["days"]["value"] == "3"


async def test_errors_for_a_block_without_an_input_are_a_visible_failure(rig: Any) -> None:
    form = Form(response_action="errors", errors={"acts": "What?"})
    async with rig.bolt(form.register):
        view = await form.open(rig)
        async with rig.people.stream(as_=ADA) as notes:
            answer = await rig.people.submit(view["id"], THREE_DAYS, as_=ADA)
            assert (await anext(notes))["type"] == "warning"
    assert answer["error"] == "invalid_errors"
    assert len(await rig.people.views(as_=ADA)) == 1


@pytest.mark.parametrize(
    ("action", "titles"), [("update", ["New"]), ("push", ["Access", "New"]), ("clear", [])]
)
async def test_the_app_may_update_push_or_clear_in_its_answer(
    rig: Any, action: str, titles: list[str]
) -> None:
    form = Form(response_action=action)
    form.answer |= {"view": modal(title=plain("New"))} if action != "clear" else {}
    async with rig.bolt(form.register):
        opened = await form.open(rig)
        answer = await rig.people.submit(opened["id"], THREE_DAYS, as_=ADA)
    assert answer["response_action"] == action
    stack = await rig.people.views(as_=ADA)
    assert [view["title"]["text"] for view in stack] == titles
    if action == "update":
        assert stack[0]["id"] == opened["id"]
        assert stack[0]["hash"] != opened["hash"]
        assert stack[0]["state"]["values"]["days"]["days"]["value"] == "3"


async def test_a_missed_acknowledgement_keeps_the_modal_and_what_was_typed(open_rig: Any) -> None:
    rig = await open_rig(timing=Timing(acknowledge=0.3))
    form = Form()

    def register(app: Any) -> None:
        form.register(app)

        async def never(body: dict[str, Any]) -> None:
            del body

        app.view("silent")(never)

    form.view = modal("silent")
    async with rig.bolt(register):
        view = await form.open(rig)
        answer = await rig.people.submit(view["id"], THREE_DAYS, as_=ADA)
    assert (answer["acknowledged"], answer["error"]) == (False, "operation_timeout")
    (kept,) = await rig.people.views(as_=ADA)
    assert kept["state"]["values"]["days"]["days"]["value"] == "3"


async def test_actions_in_a_modal_carry_its_state_and_can_push_up_to_three_views(rig: Any) -> None:
    form = Form(modal(notify_on_close=True))
    async with rig.bolt(form.register):
        root = await form.open(rig)
        chosen = await rig.people.action("group", as_=ADA, view_id=root["id"], selected_option="prod-logs")
        assert chosen["acknowledged"]
        typed = await rig.people.action("reason", as_=ADA, view_id=root["id"], value="audit")
        assert typed == {"ok": True, "acknowledged": True, "dispatched": False}
        await rig.people.action("push", as_=ADA, view_id=root["id"], state={"values": THREE_DAYS})
        pushed = await rig.people.wait_for_view(as_=ADA, callback_id="pushed")
        assert (pushed["root_view_id"], pushed["previous_view_id"]) == (root["id"], root["id"])
        await rig.people.action("push", as_=ADA, view_id=pushed["id"])

        async def three() -> bool:
            return len(await rig.people.views(as_=ADA)) == 3

        await rig.people.wait_for(three, what="the third view")
        third = (await rig.people.views(as_=ADA))[-1]
        await rig.people.action("push", as_=ADA, view_id=third["id"])

        async def refused() -> str | None:
            return next(
                (str(call["error"]) for call in await rig.people.log("views.push") if call["error"]), None
            )

        assert await rig.people.wait_for(refused, what="the refusal") == "push_limit_reached"
        with pytest.raises(ControlError) as below:
            await rig.people.submit(root["id"], THREE_DAYS, as_=ADA)
        assert below.value.error == "view_not_found"
        await rig.people.close(third["id"], as_=ADA)
        assert form.closed[0]["view"]["id"] == third["id"]
        assert form.closed[0]["is_cleared"] is False
        await rig.people.close(pushed["id"], as_=ADA, everything=True)
    values = form.actions[1]["view"]["state"]["values"]
    assert values["group"]["group"]["selected_option"]["value"] == "prod-logs"
    assert values["reason"]["reason"]["value"] == "audit"
    assert values["days"]["days"]["value"] == "3"
    assert form.actions[0]["container"] == {"type": "view", "view_id": root["id"]}
    assert [body["is_cleared"] for body in form.closed] == [False, True, True]
    assert await rig.people.views(as_=ADA) == []


async def test_a_trigger_opens_one_view_within_three_seconds(open_rig: Any) -> None:
    now = 100.0
    rig = await open_rig(clocks=Clocks(monotonic=lambda: now))
    triggers = rig.server.workspace.triggers
    trigger = triggers.issue(ADA)
    invalid = await rig.refusal(rig.slack.views_open(trigger_id=trigger, view={"type": "modal"}))
    assert invalid["error"] == "invalid_arguments"
    await rig.slack.views_open(trigger_id=trigger, view=modal())
    again = await rig.refusal(rig.slack.views_open(trigger_id=trigger, view=modal()))
    assert again["error"] == "exchanged_trigger_id"
    late = triggers.issue(ADA)
    now += 3.1
    expired = await rig.refusal(rig.slack.views_open(trigger_id=late, view=modal()))
    assert expired["error"] == "expired_trigger_id"
    unknown = await rig.refusal(rig.slack.views_open(trigger_id="1.2.3", view=modal()))
    assert unknown["error"] == "invalid_trigger_id"


async def test_updates_need_the_view_and_the_right_hash(rig: Any) -> None:
    opened = (await rig.slack.views_open(trigger_id=rig.server.workspace.triggers.issue(ADA), view=modal()))[
        "view"
    ]
    fresh = await rig.slack.views_update(view_id=opened["id"], hash=opened["hash"], view=modal())
    stale = await rig.refusal(rig.slack.views_update(view_id=opened["id"], hash=opened["hash"], view=modal()))
    assert stale["error"] == "hash_conflict"
    named = modal(external_id="mine")
    await rig.slack.views_update(view_id=opened["id"], hash=fresh["view"]["hash"], view=named)
    assert (await rig.slack.views_update(external_id="mine", view=named))["view"]["id"] == opened["id"]
    missing = await rig.refusal(rig.slack.views_update(view_id="V0NOTHING", view=modal()))
    assert missing["error"] == "not_found"
    trigger = rig.server.workspace.triggers.issue(BEN)
    taken = await rig.refusal(rig.slack.views_open(trigger_id=trigger, view=named))
    assert taken["error"] == "duplicate_external_id"
    home = await rig.refusal(
        rig.slack.views_update(view_id=opened["id"], view={"type": "home", "blocks": []})
    )
    assert home["error"] == "invalid_arguments"


async def test_a_push_without_an_open_modal_and_a_stale_home_are_refused(rig: Any) -> None:
    trigger = rig.server.workspace.triggers.issue(ADA)
    nothing = await rig.refusal(rig.slack.views_push(trigger_id=trigger, view=modal()))
    assert nothing["error"] == "view_not_found"
    home = {"type": "home", "blocks": []}
    published = (await rig.slack.views_publish(user_id=ADA, view=home))["view"]
    await rig.slack.views_publish(user_id=ADA, view=home, hash=published["hash"])
    stale = await rig.refusal(rig.slack.views_publish(user_id=ADA, view=home, hash=published["hash"]))
    assert stale["error"] == "hash_conflict"


async def test_values_of_elements_the_modal_does_not_have_are_refused(rig: Any) -> None:
    opened = (await rig.slack.views_open(trigger_id=rig.server.workspace.triggers.issue(ADA), view=modal()))[
        "view"
    ]
    for values, error in (
        ({"nothing": {"x": {"value": "1"}}}, "element_not_found"),
        ({"days": {"days": {"selected_option": None}}}, "invalid_value"),
        ({"group": {"group": {"selected_option": {"value": "crm"}}}}, "invalid_value"),
    ):
        with pytest.raises(ControlError) as refused:
            await rig.people.submit(opened["id"], values, as_=ADA)
        assert refused.value.error == error


async def test_a_submission_may_earn_a_response_url(rig: Any) -> None:
    where = {
        "type": "input",
        "block_id": "where",
        "label": plain("Where"),
        "element": {"type": "conversations_select", "action_id": "where", "response_url_enabled": True},
    }
    form = Form(modal(blocks=[where]))
    async with rig.bolt(form.register):
        view = await form.open(rig)
        values = {"where": {"where": {"selected_conversation": GENERAL}}}
        await rig.people.submit(view["id"], values, as_=ADA)
    (given,) = form.submissions[0]["response_urls"]
    assert given["channel_id"] == GENERAL
    assert given["response_url"].startswith(rig.server.url)
