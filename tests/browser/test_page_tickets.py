"""Tickets in a real browser: a trouble that is told becomes one, and an access opens and closes its own."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import expect

from bot.demo.stage import Stage, free_port, staged
from tests.browser.conftest import OpenPage
from tests.browser.test_five_steps import SLOW, become, enter, open_thread, say

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


@pytest_asyncio.fixture(loop_scope="session")
async def whole(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The demo with its ticket system, which comes up behind."""
    home, said = tmp_path_factory.mktemp("demo") / "home", asyncio.Queue[str]()
    async with staged(home, port=free_port(), progress=said.put_nowait) as started:
        async with asyncio.timeout(120):
            while not (await said.get()).startswith("tickets ready"):
                pass
        yield started


def tickets(home: Path) -> list[tuple[str, str, str]]:
    """The tickets as Roundup's own database has them: title, status, priority."""
    with closing(sqlite3.connect(f"file:{home / 'tickets/tracker/db/db'}?mode=ro", uri=True)) as base:
        return base.execute(
            "SELECT i._title, s._name, coalesce(p._name, '') FROM _issue i JOIN _status s ON s.id = i._status"
            " LEFT JOIN _priority p ON p.id = i._priority ORDER BY i.id"
        ).fetchall()


async def test_a_trouble_becomes_a_ticket_and_an_access_has_its_own(
    whole: Stage, open_page: OpenPage, tmp_path: Path
) -> None:
    page = await open_page(f"{whole.url}/?as=U0ADA")
    page.set_default_timeout(SLOW)
    await enter(page, "Countersign")
    told = "My VPN is down since this morning, I cannot work"
    await say(page, told)
    confirm = page.get_by_role("button", name="Confirm", exact=True)
    await expect(confirm).to_be_visible(timeout=SLOW)
    assert tickets(whole.home) == []
    await page.screenshot(path=tmp_path / "confirm.png")
    await confirm.click()
    replies = await open_thread(page, page.locator("[data-test=message]", has_text=told).first)
    await expect(replies.last).to_contain_text("Ticket 1 is open", timeout=SLOW)
    assert tickets(whole.home) == [(told, "unread", "urgent")]

    await say(page, "I need billing-db for 3 days to close the quarter")
    await become(page, "Grace Lindqvist")
    await enter(page, "access-approvals")
    await page.get_by_role("button", name="Approve", exact=True).click(timeout=SLOW)
    card = page.locator("[data-test=message]", has_text="Approved: Access to data")
    await expect(card).to_contain_text("Close a ticket", timeout=SLOW)
    async with asyncio.timeout(60):
        while tickets(whole.home)[1:] != [("Access to billing-db for Ada Okafor", "resolved", "")]:
            await asyncio.sleep(0.2)
    await page.screenshot(path=tmp_path / "approved.png")
