"""Two windows, two people; the clock, the directory, and a workspace that goes away and comes back."""

import re

import pytest
from playwright.async_api import Page, expect

from bot.workspace.server import running
from tests.browser.conftest import OpenPage, Watch
from tests.browser.office import ADA, APPROVALS, GENERAL, GRACE, WORLD, Office

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_without_a_name_the_page_is_the_first_person(open_page: OpenPage, office: Office) -> None:
    page = await open_page(office.server.url)
    await expect(page.locator("[data-test=persona]")).to_contain_text("You are Ada Okafor")
    await expect(page).to_have_url(re.compile(f"as={ADA}"))


async def test_an_unknown_or_deactivated_person_becomes_the_first(
    open_page: OpenPage, office: Office
) -> None:
    for person in ("U0NOBODY", "U0JUN"):
        page = await open_page(office.url(person))
        await expect(page.locator("[data-test=persona]")).to_contain_text("You are Ada Okafor")


async def test_the_persona_is_switched_from_the_keyboard_and_stays_with_the_tab(
    page: Page, office: Office
) -> None:
    await expect(page.locator(f"[data-channel={APPROVALS}]")).to_have_count(0)
    await page.locator("[data-test=persona]").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("menuitemradio", name="Ada Okafor")).to_be_focused()
    await expect(page.locator("[data-test=persona-option]")).to_have_count(4)
    await page.keyboard.press("ArrowDown")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-test=persona]")).to_contain_text("You are Grace Lindqvist")
    await expect(page.locator("[data-test=persona]")).to_be_focused()
    await expect(page.locator(f"[data-channel={APPROVALS}]")).to_be_visible()
    await page.goto(f"{office.server.url}/")
    await expect(page.locator("[data-test=persona]")).to_contain_text("You are Grace Lindqvist")


async def test_two_windows_are_two_people_who_hear_each_other(open_page: OpenPage, office: Office) -> None:
    ada, grace = await open_page(office.url(ADA)), await open_page(office.url(GRACE))
    await expect(grace.locator("[data-test=composer]")).to_be_enabled()
    await ada.locator("[data-test=composer]").fill("Hello from Ada")
    await ada.locator("[data-test=composer]").press("Enter")
    await expect(grace.locator("[data-test=message]")).to_contain_text("Hello from Ada")
    await grace.locator("[data-test=composer]").fill("Hello from Grace")
    await grace.locator("[data-test=composer]").press("Enter")
    await expect(ada.locator("[data-test=message]").last).to_contain_text("Hello from Grace")
    await expect(ada.locator("[data-test=message] .author")).to_have_text(["Ada Okafor", "Grace Lindqvist"])


async def test_the_whole_way_needs_no_mouse(page: Page, office: Office) -> None:
    await office.post("A question for you")
    await expect(page.locator("[data-test=message]")).to_have_count(1)
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the message box")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-test=composer]")).to_be_focused()
    await page.keyboard.type("typed")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-test=message]")).to_have_count(2)
    for _ in range(12):
        await page.keyboard.press("Shift+Tab")
        if await page.evaluate("document.activeElement.dataset.test === 'message'"):
            break
    await expect(page.locator("[data-test=message]").last).to_be_focused()
    await page.keyboard.press("ArrowUp")
    await expect(page.locator("[data-test=message]").first).to_be_focused()
    await page.keyboard.press("t")
    await expect(page.locator("[data-test=thread-composer]")).to_be_focused()
    await page.keyboard.type("a reply")
    await page.keyboard.press("Enter")
    await expect(page.locator("[data-test=thread] [data-test=message]")).to_have_count(2)
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-test=thread]")).to_have_count(0)
    await expect(page.locator("[data-test=message]").first).to_be_focused()


async def test_the_clock_moves_for_everyone_and_days_are_told_by_it(
    open_page: OpenPage, office: Office
) -> None:
    ada, grace = await open_page(office.url(ADA)), await open_page(office.url(GRACE))
    await office.post("Before")
    await expect(ada.locator("[data-test=divider-day]")).to_have_text("Today")
    before = await grace.locator("[data-test=clock]").inner_text()
    await ada.locator("[data-test=clock-1d]").click()
    await expect(grace.locator("[data-test=clock]")).not_to_have_text(before)
    await expect(ada.locator("[data-test=divider-day]")).to_have_text("Yesterday")
    await ada.locator("[data-test=clock-3d]").click()
    await expect(grace.locator("[data-test=divider-day]")).not_to_have_text("Yesterday")
    assert office.clock["offset"] == 4 * 86_400


async def test_the_directory_is_read_when_asked(page: Page, office: Office) -> None:
    office.groups["billing-db"] = []
    await page.locator("[data-test=directory-open]").click()
    group = page.locator("[data-test=directory-group][data-group=billing-db]")
    await expect(group).to_contain_text("Nobody")
    office.groups["billing-db"] = ["Ada Okafor"]
    await page.locator("[data-test=directory-refresh]").click()
    await expect(group.locator("[data-test=directory-member]")).to_have_text("Ada Okafor")
    await page.keyboard.press("Escape")
    await expect(page.locator("[data-test=directory-open]")).to_be_focused()


async def test_without_a_demo_there_is_neither_clock_nor_directory(open_page: OpenPage) -> None:
    async with running(WORLD) as server:
        page = await open_page(f"{server.url}/")
        await expect(page.locator("[data-test=composer]")).to_be_enabled()
        await expect(page.locator("[data-test=clock-3d]")).to_have_count(0)
        await expect(page.locator("[data-test=directory-open]")).to_have_count(0)
        await page.close()


async def test_a_lost_workspace_is_announced_and_everything_is_read_again_after_it(
    open_page: OpenPage, watch: Watch
) -> None:
    watch.expected = ("WebSocket connection to", "Failed to load resource", "ERR_CONNECTION_REFUSED")
    async with running(WORLD) as server:
        port = server.port
        page = await open_page(f"{server.url}/page/?as={ADA}#{GENERAL}")
        await expect(page.locator("[data-test=composer]")).to_be_enabled()
    await expect(page.locator("[data-test=offline]")).to_contain_text("You are offline")
    composer = page.locator("[data-test=composer]")
    await composer.fill("nobody hears this")
    await composer.press("Enter")
    await expect(page.locator("[data-test=toast]")).to_contain_text("cannot be reached")
    await expect(composer).to_have_value("nobody hears this")
    async with running(WORLD, port=port) as server:
        conversation = server.workspace.state.conversation(GENERAL)
        message = {
            "type": "message",
            "ts": server.workspace.state.next_ts(),
            "user": GRACE,
            "text": "while you were away",
        }
        server.workspace.state.keep(conversation, message)
        await expect(page.locator("[data-test=offline]")).to_be_hidden(timeout=20_000)
        await expect(page.locator("[data-test=message]")).to_contain_text("while you were away")
        await composer.press("Enter")
        await expect(page.locator("[data-test=message]").last).to_contain_text("nobody hears this")
        await page.close()
