"""What people do: write, command, click, confirm, fill in forms; and what they see without an answer."""

import asyncio
import re
from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.office import (
    ADA,
    APPROVALS,
    GENERAL,
    GRACE,
    Office,
    button,
    card,
    field_block,
    form,
    open_office,
    options,
    plain,
    section,
)

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_enter_sends_and_shift_enter_breaks_the_line(page: Page) -> None:
    composer = page.locator("[data-test=composer]")
    await composer.fill("first")
    await composer.press("Shift+Enter")
    await composer.press_sequentially("second")
    await composer.press("Enter")
    await expect(page.locator("[data-test=message] p")).to_have_text("first\nsecond")
    await expect(composer).to_have_value("")
    await expect(composer).to_be_focused()


async def test_mentions_channels_links_and_markup_are_sent_as_slack_sends_them(
    page: Page, office: Office
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    @office.app.event("app_mention")
    async def hear(event: dict[str, Any]) -> None:
        await heard.put(event["text"])

    composer = page.locator("[data-test=composer]")
    await composer.press_sequentially("@des")
    await expect(page.locator("[data-test=completion]")).to_have_text(re.compile("@Desk"))
    await composer.press("Tab")
    await composer.press_sequentially("see #general & <b> at https://example.com/x?a=1&b=2, @Grace Lindqvist")
    await composer.press("Escape")
    await composer.press("Enter")
    said = await asyncio.wait_for(heard.get(), 10)
    assert said == (
        f"<@U0DESK> see <#{GENERAL}|general> &amp; &lt;b&gt; "
        f"at <https://example.com/x?a=1&amp;b=2>, <@{GRACE}>"
    )


async def test_slash_commands_are_suggested_run_and_answered_in_private(page: Page, office: Office) -> None:
    @office.app.command("/ask")
    async def ask(ack: Any, command: dict[str, str]) -> None:
        await ack(f"You asked: {command['text']}")

    composer = page.locator("[data-test=composer]")
    await composer.press_sequentially("/")
    await expect(page.locator("[data-test=completion]")).to_have_count(3)
    await composer.press_sequentially("as")
    await composer.press("Enter")
    await expect(composer).to_have_value("/ask ")
    await composer.press_sequentially("how many days?")
    await composer.press("Enter")
    await expect(page.locator("[data-ephemeral=true]")).to_contain_text("You asked: how many days?")


async def test_an_unknown_command_is_refused_and_kept(page: Page) -> None:
    composer = page.locator("[data-test=composer]")
    await composer.fill("/nonsense now")
    await composer.press("Enter")
    await expect(page.locator("[data-test=toast]")).to_contain_text("/nonsense is not a command here")
    await expect(composer).to_have_value("/nonsense now")


async def test_a_draft_waits_in_its_conversation(open_page: OpenPage, office: Office) -> None:
    page = await open_page(office.url(GRACE))
    composer = page.locator("[data-test=composer]")
    await expect(page.locator(f"[data-channel={GENERAL}][aria-current]")).to_be_visible()  # it has entered
    await composer.fill("half a thought")
    await page.locator(f"[data-channel={APPROVALS}]").click()
    await expect(composer).to_have_value("")
    await page.locator(f"[data-channel={GENERAL}]").click()
    await expect(composer).to_have_value("half a thought")


async def test_a_reply_goes_into_the_thread(page: Page, office: Office) -> None:
    await office.post("Shall we?")
    await page.locator("[data-test=message]").hover()
    await page.locator("[data-test=reply]").click()
    reply = page.locator("[data-test=thread-composer]")
    await expect(reply).to_be_focused()
    await reply.fill("Yes.")
    await reply.press("Enter")
    await expect(page.locator("[data-test=thread] [data-test=message]").last).to_contain_text("Yes.")
    await expect(page.locator("[data-test=open-thread]")).to_contain_text("1 reply")


async def test_a_click_waits_for_its_acknowledgement_and_a_confirm_dialog_asks_first(
    open_page: OpenPage, office: Office
) -> None:
    released = asyncio.Event()
    clicks: list[str] = []

    @office.app.action("approve")
    async def approve(ack: Any, body: dict[str, Any]) -> None:
        clicks.append(body["user"]["id"])
        await released.wait()
        await ack()
        ts, channel = body["message"]["ts"], body["channel"]["id"]
        done = [*card()[:-1], section(f":white_check_mark: Approved by <@{body['user']['id']}>")]
        await office.slack.chat_update(channel=channel, ts=ts, text="Approved", blocks=done)

    await office.post("Approval needed", channel=APPROVALS, blocks=card())
    page = await open_page(office.url(GRACE, APPROVALS))
    approve_button = page.locator("[data-action-id=approve]")
    await approve_button.click()
    await expect(page.get_by_role("alertdialog", name="Approve this?")).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(approve_button).to_be_focused()
    assert clicks == []
    await approve_button.click()
    await page.locator("[data-test=confirm-yes]").click()
    await expect(approve_button).to_have_attribute("aria-busy", "true")
    await approve_button.click(force=True)
    released.set()
    message = page.locator("[data-test=message]")
    await expect(message).to_contain_text("Approved by @Grace Lindqvist")
    await expect(approve_button).to_have_count(0)
    await expect(message).to_be_focused()
    assert clicks == [GRACE]


async def test_an_app_that_does_not_answer_is_named(open_page: OpenPage, office: Office) -> None:
    await office.post("Approval needed", channel=APPROVALS, blocks=card())
    page = await open_page(office.url(GRACE, APPROVALS))
    await page.locator("[data-action-id=deny]").click()
    toast = page.locator("[data-test=toast]")
    await expect(toast).to_contain_text("Desk did not answer within 3 seconds")
    await expect(toast).to_have_count(1)
    await expect(page.locator("[data-action-id=deny]")).to_have_attribute("aria-busy", "false")


async def test_menus_selects_and_feedback_tell_the_app_what_was_chosen(page: Page, office: Office) -> None:
    chosen: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @office.app.action(re.compile("more|pick|when|rate"))
    async def choose(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await chosen.put(body["actions"][0])

    rating = {
        "type": "feedback_buttons",
        "action_id": "rate",
        "positive_button": {"text": plain("Helpful"), "value": "yes"},
        "negative_button": {"text": plain("Not helpful"), "value": "no"},
    }
    elements = [
        {
            "type": "static_select",
            "action_id": "pick",
            "placeholder": plain("Pick one"),
            "options": options("a", "b"),
        },
        {"type": "datepicker", "action_id": "when"},
        {"type": "overflow", "action_id": "more", "options": options("Show", "Hide")},
    ]
    blocks = [{"type": "actions", "elements": elements}, {"type": "context_actions", "elements": [rating]}]
    await office.post("choose", blocks=blocks)
    await page.get_by_label("Pick one").select_option("b")
    assert (await asyncio.wait_for(chosen.get(), 10))["selected_option"]["value"] == "b"
    await page.locator("[data-action-id=when]").fill("2026-02-03")
    assert (await asyncio.wait_for(chosen.get(), 10))["selected_date"] == "2026-02-03"
    await page.locator("[data-test=overflow]").click()
    await page.get_by_role("menuitem", name="Hide").click()
    assert (await asyncio.wait_for(chosen.get(), 10))["selected_option"]["value"] == "Hide"
    await page.get_by_role("button", name="Not helpful").click()
    assert (await asyncio.wait_for(chosen.get(), 10))["value"] == "no"
    await expect(page.get_by_role("button", name="Not helpful")).to_have_attribute("aria-pressed", "true")


async def test_a_form_shows_what_is_wrong_and_sends_what_was_entered(page: Page, office: Office) -> None:
    submitted: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    @office.app.command("/request")
    async def request(ack: Any, body: dict[str, str]) -> None:
        await ack()
        await office.slack.views_open(trigger_id=body["trigger_id"], view=form())

    @office.app.view("access")
    async def access(ack: Any, view: dict[str, Any]) -> None:
        values = view["state"]["values"]
        if values["days"]["value"]["value"] == "13":
            await ack(response_action="errors", errors={"days": "Thirteen days are not granted."})
            return
        await ack()
        await submitted.put(values)

    await page.locator("[data-test=composer]").fill("/request ")
    await page.locator("[data-test=composer]").press("Enter")
    modal = page.get_by_role("dialog", name="Request access")
    await expect(modal.get_by_label("Group")).to_be_focused()
    await modal.get_by_role("button", name="Send request").click()
    errors = modal.locator("[data-test=field-error]:visible")
    await expect(errors).to_have_text(["Please complete this required field."] * 3)
    await expect(modal.get_by_label("Group")).to_have_attribute("aria-invalid", "true")
    await modal.get_by_label("Group").select_option("billing-db")
    await modal.get_by_label("Days").fill("31")
    await modal.get_by_label("Reason").fill("abc")
    await modal.get_by_label("Days").press("Enter")
    await expect(errors).to_have_text(["Please enter 30 or less.", "Please write at least 5 characters."])
    await modal.get_by_label("Reason").fill("close the quarter")
    await modal.get_by_label("Days").fill("13")
    await modal.get_by_label("Days").press("Enter")
    await expect(errors).to_have_text(["Thirteen days are not granted."])
    await expect(modal.get_by_label("Days")).to_be_focused()
    described = await modal.get_by_label("Days").get_attribute("aria-describedby") or ""
    assert await modal.locator(f"#{described.split()[-1]}").inner_text() == "Thirteen days are not granted."
    await modal.get_by_label("Days").fill("3")
    await modal.get_by_label("Write").check()
    await modal.get_by_label("Team").check()
    await modal.get_by_role("button", name="Send request").click()
    values = await asyncio.wait_for(submitted.get(), 10)
    assert values["group"]["value"]["selected_option"]["value"] == "billing-db"
    assert values["days"]["value"]["value"] == "3"
    assert values["reason"]["value"]["value"] == "close the quarter"
    assert values["kind"]["value"]["selected_option"]["value"] == "Write"
    assert [one["value"] for one in values["tell"]["value"]["selected_options"]] == ["Team"]
    assert values["from"]["value"]["selected_date"] == "2026-01-05"
    await expect(modal).to_have_count(0)
    await expect(page.locator("[data-test=composer]")).to_be_focused()


async def test_modals_stack_keep_what_was_typed_and_give_focus_back(page: Page, office: Office) -> None:
    below = form(
        blocks=[
            field_block("why", "Why", {"type": "plain_text_input"}),
            {"type": "actions", "elements": [button("Show section", "show")]},
        ]
    )

    @office.app.action("ask")
    async def ask(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await office.slack.views_open(trigger_id=body["trigger_id"], view=below)

    @office.app.action("show")
    async def show(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        above = {"type": "modal", "title": plain("Section"), "blocks": [section("The clause.")]}
        await office.slack.views_push(trigger_id=body["trigger_id"], view=above)

    await office.post("open it", blocks=[section("Ready?", accessory=button("Open", "ask"))])
    await page.locator("[data-action-id=ask]").click()
    await page.get_by_label("Why").fill("because")
    await page.get_by_role("button", name="Show section").click()
    await expect(page.get_by_role("dialog", name="Section")).to_be_visible()
    await expect(page.locator("[data-test=modal]")).to_have_count(1)
    await page.keyboard.press("Escape")
    await expect(page.get_by_role("dialog", name="Request access")).to_be_visible()
    await expect(page.get_by_label("Why")).to_have_value("because")
    for _ in range(9):
        await page.keyboard.press("Tab")
        assert await page.evaluate("document.querySelector('dialog').contains(document.activeElement)")
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-test=modal]")).to_have_count(0)
    await expect(page.locator("[data-action-id=ask]")).to_be_focused()


async def test_an_updated_view_keeps_the_text_and_the_caret(page: Page, office: Office) -> None:
    opened: asyncio.Queue[str] = asyncio.Queue()
    why = field_block("why", "Why", {"type": "plain_text_input"})

    @office.app.action("ask")
    async def ask(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        answer = await office.slack.views_open(
            trigger_id=body["trigger_id"], view=form(blocks=[section("Loading…"), why])
        )
        await opened.put(answer["view"]["id"])

    await office.post("open it", blocks=[section("Ready?", accessory=button("Open", "ask"))])
    await page.locator("[data-action-id=ask]").click()
    await page.get_by_label("Why").fill("because")
    await page.get_by_label("Why").press("ArrowLeft")
    await office.slack.views_update(view_id=await opened.get(), view=form(blocks=[section("Loaded."), why]))
    await expect(page.get_by_role("dialog")).to_contain_text("Loaded.")
    await expect(page.get_by_label("Why")).to_be_focused()
    await page.keyboard.type("X")
    await expect(page.get_by_label("Why")).to_have_value("becausXe")


async def test_shortcuts_stand_under_the_slash_and_in_the_messages_menu(page: Page, office: Office) -> None:
    @office.app.shortcut("start")
    async def start(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await office.slack.views_open(trigger_id=body["trigger_id"], view=form())

    @office.app.shortcut("quote")
    async def quote(ack: Any, body: dict[str, Any]) -> None:
        await ack()
        await office.whisper(f"About: {body['message']['text']}", body["user"]["id"])

    await page.locator("[data-test=composer]").press_sequentially("/start")
    await page.locator("[data-test=composer]").press("Enter")
    await expect(page.get_by_role("dialog", name="Request access")).to_be_visible()
    await page.locator("[data-test=modal-close]").click()
    await office.post("a rule")
    await page.locator("[data-test=message]").hover()
    await page.locator("[data-test=message-more]").click()
    await page.get_by_role("menuitem", name="Ask about this").click()
    await expect(page.locator("[data-ephemeral=true]")).to_contain_text("About: a rule")


async def test_what_was_written_is_kept_when_a_form_is_not_answered(open_page: OpenPage) -> None:
    async with open_office() as office:

        @office.app.command("/request")
        async def request(ack: Any, body: dict[str, str]) -> None:
            await ack()
            await office.slack.views_open(
                trigger_id=body["trigger_id"],
                view=form(blocks=[field_block("why", "Why", {"type": "plain_text_input"})]),
            )

        page = await open_page(office.url(ADA))
        await page.locator("[data-test=composer]").fill("/request")
        await page.locator("[data-test=send]").click()
        await page.get_by_label("Why").fill("because")
        await page.locator("[data-test=modal-submit]").click()
        await expect(page.locator("[data-test=modal-notice]")).to_contain_text("did not answer")
        await expect(page.get_by_label("Why")).to_have_value("because")
        await page.close()
