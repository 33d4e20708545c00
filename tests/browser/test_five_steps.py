"""The demo's five steps, by hand in a real browser: question, request, decision, effect, record."""

import asyncio
import json
import re
import sys
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect

from bot.demo.stage import Stage
from tests.browser.conftest import OpenPage

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SLOW = 60_000  # ms; the machines that run this are shared


@pytest.fixture
def pictures(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Where screenshots go: a folder of the test, or docs/images when they are to be renewed."""
    if request.config.getoption("--renew-pictures"):
        return Path(__file__).resolve().parents[2] / "docs" / "images"
    return tmp_path


async def become(page: Page, name: str) -> None:
    await page.locator("[data-test=persona]").click()
    await page.locator("[data-test=persona-option]", has_text=name).click()
    await expect(page.locator("[data-test=persona]")).to_contain_text(name)


async def enter(page: Page, name: str) -> None:
    await page.locator("[data-test=conversation]", has_text=name).first.click()
    await expect(page.locator("[data-test=conversation-title]")).to_contain_text(name)


async def say(page: Page, text: str) -> Locator:
    composer = page.locator("[data-test=composer]")
    await composer.fill(text)
    await composer.press("Escape")
    await composer.press("Enter")
    await expect(composer).to_have_value("")
    said = text.removeprefix("@Countersign ")
    return page.locator("[data-test=messages] [data-test=message]", has_text=said).last


async def open_thread(page: Page, message: Locator) -> Locator:
    await message.locator("[data-test=open-thread]").first.click(timeout=SLOW)
    return page.locator("[data-test=thread] [data-test=message]")


async def test_the_five_steps(stage: Stage, open_page: OpenPage, pictures: Path) -> None:
    page = await open_page(f"{stage.url}/?as=U0ADA")
    page.set_default_timeout(SLOW)
    await ask_a_question(page, pictures)
    await request_access(page, pictures)
    run = await decide(page, pictures)
    await see_it_end(page, pictures)
    await read_it_back(stage, run)


async def ask_a_question(page: Page, pictures: Path) -> None:
    await enter(page, "ask-policy")
    asked = await say(page, "@Countersign how many weeks of parental leave do I get?")
    replies = await open_thread(page, asked)
    answer = replies.last
    await expect(answer).to_contain_text("[1]", timeout=SLOW)
    quote = (await answer.locator("blockquote").first.inner_text()).strip()
    await page.screenshot(path=pictures / "question.png")
    await answer.get_by_role("button", name="Show").first.click()
    modal = page.locator("[data-test=modal]")
    await expect(modal).to_contain_text(quote.splitlines()[-1][:40])  # of a table, the row below its header
    await page.screenshot(path=pictures / "section.png")
    await page.keyboard.press("Escape")
    await expect(modal).to_have_count(0)

    await say(page, "/ask what is the meal allowance when I travel?")
    private = page.locator("[data-ephemeral=true]").last
    await expect(private).to_contain_text("[1]", timeout=SLOW)

    await enter(page, "Countersign")
    asked = await say(page, "Does the company pay for my dentist in Portugal?")
    replies = await open_thread(page, asked)
    await expect(replies.last).to_contain_text("Whom to ask", timeout=SLOW)


async def request_access(page: Page, pictures: Path) -> None:
    asked = await say(page, "I need billing-db to close the quarter")
    replies = await open_thread(page, asked)
    fill_in = replies.get_by_role("button", name="Fill in")
    await fill_in.click(timeout=SLOW)
    modal = page.locator("[data-test=modal]")
    days = modal.get_by_label("For how many days")
    await days.fill("99")
    await page.locator("[data-test=modal-submit]").click()
    await expect(modal).to_be_visible()  # too many days: the form stays, and says so
    await days.fill("3")
    await page.screenshot(path=pictures / "form.png")
    await page.locator("[data-test=modal-submit]").click()
    await expect(modal).to_have_count(0)
    await expect(replies.last).to_contain_text("Waiting for approval", timeout=SLOW)
    await page.screenshot(path=pictures / "request.png")


async def decide(page: Page, pictures: Path) -> str:
    progress = await page.locator("[data-test=thread]").inner_text()
    found = re.search(r"Request (\S+)", progress)
    assert found is not None, progress
    await become(page, "Grace")
    await enter(page, "access-approvals")
    card = page.locator("[data-test=messages] [data-test=message]").last
    await expect(card).to_contain_text("Ada Okafor is not a member of billing-db", timeout=SLOW)
    await expect(card).to_contain_text("close the quarter")
    await expect(card).to_contain_text("Temporary access to data")
    await page.screenshot(path=pictures / "approval.png")
    await card.get_by_role("button", name="Approve", exact=True).click()
    await expect(card).to_contain_text("Approved by", timeout=SLOW)
    await expect(card.get_by_role("button", name="Approve", exact=True)).to_have_count(0)
    await page.locator("[data-test=directory-open]").click()
    group = page.locator("[data-test=directory-group]", has_text="billing-db")
    await expect(group).to_contain_text("Ada Okafor", timeout=SLOW)
    await page.screenshot(path=pictures / "directory.png")
    await page.locator("[data-test=close-side]").click()
    return found[1]


async def see_it_end(page: Page, pictures: Path) -> None:
    await become(page, "Ada")
    await enter(page, "Countersign")
    asked = page.locator("[data-test=messages] [data-test=message]", has_text="I need billing-db").last
    replies = await open_thread(page, asked)
    await expect(replies.last).to_contain_text("Done: access to billing-db", timeout=SLOW)
    await page.locator("[data-test=clock-3d]").click()
    await page.locator("[data-test=clock-1h]").click()
    await expect(replies.last).to_contain_text("has ended", timeout=SLOW)
    await page.screenshot(path=pictures / "ended.png")
    await page.locator("[data-test=directory-open]").click()
    group = page.locator("[data-test=directory-group]", has_text="billing-db")
    await expect(group).not_to_contain_text("Ada Okafor", timeout=SLOW)


async def read_it_back(stage: Stage, run: str) -> None:
    command = (sys.executable, "-m", "bot.cli", "audit", "show", run, "--json", "--home", str(stage.home))
    process = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    kinds = [event["kind"] for event in json.loads(output)]
    assert kinds == [
        "run.started", "run.filled", "run.checked", "approval.requested", "approval.decided",
        "effect.intended", "effect.done", "effect.read_back", "run.ended",
        "effect.intended", "effect.done", "effect.read_back", "run.ended",
    ]  # fmt: skip
