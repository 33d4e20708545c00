"""A bad answer, from the click below it to the line that tells its owner what to write."""

import asyncio
import json
import sys
from typing import Any

import pytest
from playwright.async_api import expect

from bot.demo.stage import Stage
from tests.browser.conftest import OpenPage
from tests.browser.test_five_steps import SLOW, enter, open_thread, say

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_bad_rating_reaches_the_owner_as_a_gap(stage: Stage, open_page: OpenPage) -> None:
    page = await open_page(f"{stage.url}/?as=U0ADA")
    page.set_default_timeout(SLOW)
    await enter(page, "ask-policy")
    asked = await say(page, "@Countersign how many weeks of parental leave do I get?")
    answer = (await open_thread(page, asked)).last
    await expect(answer).to_contain_text("[1]", timeout=SLOW)

    await answer.get_by_role("button", name="Good answer").click()
    private = page.locator("[data-ephemeral=true]").last
    await expect(private).to_contain_text("your rating is recorded", timeout=SLOW)
    assert await gaps(stage) == []

    await answer.get_by_role("button", name="Bad answer").click()
    modal = page.locator("[data-test=modal]")
    await modal.get_by_label("What was wrong, or missing?").fill("Nothing about adoption.")
    await page.locator("[data-test=modal-submit]").click()
    await expect(modal).to_have_count(0)
    await expect(answer.get_by_role("button", name="Bad answer")).to_have_attribute("aria-pressed", "true")

    (gap,) = await gaps(stage)
    assert gap["question"] == "how many weeks of parental leave do I get?"
    assert (gap["people"], gap["bad_ratings"]) == (1, 1)
    assert gap["nearest"]["document"] == "parental-leave.md"
    assert "Nothing about adoption." in json.dumps(await command(stage, "gaps", "show", gap["id"], "--json"))


async def gaps(stage: Stage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await command(stage, "gaps", "--json"))["gaps"]
    return found


async def command(stage: Stage, *arguments: str) -> Any:
    """What a command of an operator prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bot.cli", *arguments, "--home", str(stage.home), stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert process.returncode == 0
    return json.loads(output)
