"""Dark and light, wide and narrow, readable and steady."""

import json
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.office import ADA, APPROVALS, GENERAL, GRACE, Office, card, form

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
NAMELESS = """[...document.querySelectorAll("button, a, input, select, textarea")]
    .filter((one) => one.checkVisibility())
    .filter((one) => !(one.innerText || one.getAttribute("aria-label") || one.labels?.length))
    .map((one) => one.outerHTML)"""
FOCUS = """(() => {
    const one = document.activeElement;
    const style = getComputedStyle(one.closest(".composer-box") ?? one);
    const visible = style.outlineStyle !== "none" || style.boxShadow !== "none" || one === document.body;
    return [one.dataset.test ?? one.className, visible];
})()"""
SIDEWAYS = "document.scrollingElement.scrollWidth > document.scrollingElement.clientWidth"


async def _furnish(office: Office) -> None:
    """Give every kind of thing something to show."""
    root = await office.post(
        "*How* many `days`? <@U0ADA> <@U0GRACE> <!channel> <https://example.com/|a page>"
    )
    await office.post("Twenty-five.", thread_ts=root)
    await office.post("> quoted\n```code```\n• item", channel=APPROVALS)
    await office.post("Approval needed", channel=APPROVALS, blocks=card())
    await office.whisper("Only for you.", GRACE, channel=APPROVALS)

    @office.app.command("/request")
    async def request(ack: Any, body: dict[str, str]) -> None:
        await ack()
        await office.slack.views_open(trigger_id=body["trigger_id"], view=form())


async def _open_form(page: Page) -> None:
    await page.locator("[data-test=composer]").fill("/request")
    await page.locator("[data-test=send]").click()
    await page.locator("[data-test=modal-submit]").click()
    await expect(page.locator("[data-test=field-error]:visible").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_text_can_be_read(
    open_page: OpenPage, office: Office, scheme: Literal["light", "dark"]
) -> None:
    await _furnish(office)
    office.groups["billing-db"] = ["Ada Okafor"]
    page = await open_page(office.url(GRACE, APPROVALS), color_scheme=scheme)
    await expect(page.locator("[data-ephemeral=true]")).to_be_visible()
    weak = await page.evaluate(CONTRAST)
    await page.locator("[data-test=directory-open]").click()
    await expect(page.locator("[data-test=directory-group]")).to_be_visible()
    await page.locator("[data-test=message]").first.hover()
    weak += await page.evaluate(CONTRAST)
    await page.locator("[data-test=persona]").click()
    weak += await page.evaluate(CONTRAST)
    await page.keyboard.press("Escape")
    await page.locator(f"[data-channel={GENERAL}]").click()
    await page.locator("[data-test=open-thread]").click()
    await expect(page.locator("[data-test=thread] [data-test=message]")).to_have_count(2)
    await page.locator("[data-test=composer]").press_sequentially("/")
    weak += await page.evaluate(CONTRAST)
    await page.keyboard.press("Escape")
    await _open_form(page)
    weak += await page.evaluate(CONTRAST)
    assert weak == [], json.dumps(weak, indent=1)


async def test_light_and_dark_differ(open_page: OpenPage, office: Office) -> None:
    colours = set()
    for scheme in ("light", "dark"):
        page = await open_page(office.url(), color_scheme=scheme)
        colours.add(await page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert len(colours) == 2


async def test_a_window_of_360_pixels_shows_everything_without_scrolling_sideways(
    open_page: OpenPage, office: Office
) -> None:
    await _furnish(office)
    page = await open_page(office.url(GRACE, APPROVALS), viewport={"width": 360, "height": 640})
    await expect(page.locator("[data-action-id=approve]")).to_be_visible()
    assert not await page.evaluate(SIDEWAYS)
    await expect(page.locator("[data-test=sidebar]")).to_be_hidden()
    await page.locator("[data-test=menu]").click()
    await expect(page.locator(f"[data-channel={APPROVALS}]")).to_be_focused()
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-test=menu]")).to_be_focused()
    await page.locator("[data-test=menu]").click()
    await page.locator(f"[data-channel={GENERAL}]").click()
    await expect(page.locator("[data-test=sidebar]")).to_be_hidden()
    await page.locator("[data-test=open-thread]").click()
    box = await page.locator("[data-test=thread]").bounding_box()
    assert box is not None
    assert box["width"] == 360
    assert not await page.evaluate(SIDEWAYS)
    await page.locator("[data-test=close-side]").click()
    await _open_form(page)
    assert not await page.evaluate(SIDEWAYS)
    send = await page.locator("[data-test=modal-submit]").bounding_box()
    assert send is not None
    assert send["x"] + send["width"] <= 360
    assert send["y"] + send["height"] <= 640


async def test_live_messages_move_nothing_that_is_being_read(page: Page, office: Office) -> None:
    for number in range(30):
        await office.post(f"message {number}\nwith a second line")
    last = page.locator("[data-test=message]").last
    await expect(last).to_contain_text("message 29")
    await expect(last).to_be_in_viewport(ratio=0.9)
    await page.locator("[data-test=messages]").evaluate("(box) => { box.scrollTop = 200; }")
    reading = page.locator("[data-test=message]").nth(8)
    await expect(page.locator("[data-test=message]").last).not_to_be_in_viewport()
    before = await reading.bounding_box()
    ts = await page.locator("[data-test=message]").nth(25).get_attribute("data-ts")
    await office.slack.chat_update(channel=GENERAL, ts=ts, text="changed below")
    await office.post("something new")
    await expect(page.locator("[data-test=newer]")).to_be_visible()
    assert await reading.bounding_box() == before
    await page.locator("[data-test=newer]").click()
    await expect(page.locator("[data-test=message]").last).to_be_in_viewport(ratio=0.9)
    await expect(page.locator("[data-test=newer]")).to_be_hidden()


async def test_at_the_bottom_the_newest_message_stays_in_view(page: Page, office: Office) -> None:
    for number in range(25):
        await office.post(f"message {number}")
    await expect(page.locator("[data-test=message]").last).to_contain_text("message 24")
    await page.locator("[data-test=composer]").fill("a\nb\nc\nd\ne")
    await expect(page.locator("[data-test=message]").last).to_be_in_viewport(ratio=0.9)
    await page.set_viewport_size({"width": 900, "height": 500})
    await expect(page.locator("[data-test=message]").last).to_be_in_viewport(ratio=0.9)


async def test_a_live_update_leaves_focus_where_it_is(open_page: OpenPage, office: Office) -> None:
    ts = await office.post("Approval needed", channel=APPROVALS, blocks=card())
    page = await open_page(office.url(GRACE, APPROVALS))
    await page.locator("[data-action-id=deny]").focus()
    await office.slack.chat_update(
        channel=APPROVALS, ts=ts, text="Approval needed", blocks=[*card(), {"type": "divider"}]
    )
    await expect(page.locator("[data-test=message] hr")).to_have_count(2)
    await expect(page.locator("[data-action-id=deny]")).to_be_focused()
    await office.post("another", channel=APPROVALS)
    await expect(page.locator("[data-test=message]")).to_have_count(2)
    await expect(page.locator("[data-action-id=deny]")).to_be_focused()


async def test_everything_to_be_used_has_a_name_and_a_visible_focus(
    open_page: OpenPage, office: Office
) -> None:
    await _furnish(office)
    page = await open_page(office.url(GRACE, APPROVALS))
    await expect(page.locator("[data-action-id=approve]")).to_be_visible()
    assert await page.evaluate(NAMELESS) == []
    seen = set()
    for _ in range(40):
        await page.keyboard.press("Tab")
        name, visible = await page.evaluate(FOCUS)
        seen.add(name)
        assert visible, f"the focus on {name} cannot be seen"
    assert {"persona", "conversation", "message", "button", "composer", "clock-3d"} <= seen


async def test_landmarks_and_headings_give_the_page_a_structure(open_page: OpenPage, office: Office) -> None:
    page = await open_page(office.url(ADA))
    await expect(page.get_by_role("navigation", name="Conversations")).to_be_visible()
    await expect(page.get_by_role("main")).to_be_visible()
    await expect(page.get_by_role("heading", level=1, name="#general")).to_be_visible()
    await expect(page.get_by_role("list", name="Messages in #general")).to_have_count(1)
    assert await page.evaluate("document.documentElement.lang") == "en"
    ids = await page.evaluate("[...document.querySelectorAll('[id]')].map((one) => one.id)")
    assert len(ids) == len(set(ids))
