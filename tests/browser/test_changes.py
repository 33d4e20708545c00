"""Approving with changes, by hand in a real browser: fewer days than were asked for."""

from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.demo.stage import Stage
from tests.browser.conftest import OpenPage
from tests.browser.test_five_steps import SLOW, become, enter, open_thread, say

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_an_approver_grants_fewer_days(stage: Stage, open_page: OpenPage, tmp_path: Path) -> None:
    page = await open_page(f"{stage.url}/?as=U0ADA")
    page.set_default_timeout(SLOW)
    await enter(page, "Countersign")
    asked = await say(page, "I need billing-db for 9 days to close the quarter")
    replies = await open_thread(page, asked)
    await expect(replies.last).to_contain_text("Waiting for approval", timeout=SLOW)

    await become(page, "Grace")
    await enter(page, "access-approvals")
    messages = page.locator("[data-test=messages] [data-test=message]")
    await messages.last.get_by_role("button", name="Approve with changes").click(timeout=SLOW)
    modal = page.locator("[data-test=modal]")
    await expect(modal).to_contain_text("this is your approval of what is left")
    await expect(modal.get_by_label("For how many days")).to_have_value("9")
    await modal.get_by_label("For how many days").fill("2")
    await page.screenshot(path=tmp_path / "change.png")
    await page.locator("[data-test=modal-submit]").click()
    await expect(modal).to_have_count(0)
    await expect(messages.last).to_contain_text("Approved by", timeout=SLOW)
    await expect(messages.last).to_contain_text("For: 2 days, then it ends by itself")
    await expect(messages.filter(has_text="Replaced")).to_contain_text("9 → 2")
    await page.screenshot(path=tmp_path / "changed.png")

    await become(page, "Ada")
    await enter(page, "Countersign")
    replies = await open_thread(page, messages.filter(has_text="I need billing-db for 9 days").last)
    await expect(replies.filter(has_text="9 → 2")).to_have_count(1, timeout=SLOW)
    await page.screenshot(path=tmp_path / "told.png")
