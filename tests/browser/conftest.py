"""A browser for the tests of the page.

Tests here share the session's event loop, in which the browser lives:
`pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]`.
"""

import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    async_playwright,
    expect,
)

from bot.demo.stage import Stage, free_port, staged
from tests.browser.office import Office, open_office

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}

OpenPage = Callable[..., Awaitable[Page]]


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The system's Chromium. Without one the tests are skipped on a desk, and fail where all must run."""
    found = next(
        (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))),
        None,
    )
    if found is not None:
        return Path(found)
    advice = "the tests of the page need a browser: apt-get install chromium"
    if os.environ.get("CI"):
        pytest.fail(advice)
    pytest.skip(advice)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser(chromium: Path) -> AsyncIterator[Browser]:
    """One Chromium for the session."""
    expect.set_options(timeout=20_000)  # a busy machine is slow, and not wrong
    async with async_playwright() as playwright:
        launched = await playwright.chromium.launch(executable_path=chromium, args=_ARGUMENTS)
        yield launched
        await launched.close()


@pytest_asyncio.fixture(loop_scope="session")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The demo, as `countersign demo` starts it."""
    home = tmp_path_factory.mktemp("demo") / "home"
    async with staged(home, port=free_port(), tickets=False, progress=lambda _: None) as started:
        yield started


class Watch:
    """What must not happen on any page: errors in its console, and requests that leave this machine."""

    def __init__(self) -> None:
        self.problems: list[str] = []
        self.expected: tuple[str, ...] = ()

    def over(self, page: Page) -> None:
        """Watch a page."""
        page.on("console", self._said)
        page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        page.on("request", self._asked)

    def _said(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not any(word in message.text for word in self.expected):
            self.problems.append(f"console {message.type}: {message.text}")

    def _asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in {"data", "blob"} and parts.hostname not in _LOOPBACK:
            self.problems.append(f"a request left this machine: {request.url}")


@pytest.fixture
def watch() -> Watch:
    """What the pages of this test did wrong; `expected` names console messages that belong to the test."""
    return Watch()


class Profiles(list[BrowserContext]):
    """The browser profiles that a test has opened."""

    async def close(self) -> None:
        """Close them all."""
        while self:
            await self.pop().close()


@pytest.fixture
def profiles() -> Profiles:
    """What `open_page` has opened; a server of a test closes them before it stops."""
    return Profiles()


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(browser: Browser, watch: Watch, profiles: Profiles) -> AsyncIterator[OpenPage]:
    """Open an address in a profile of its own. No error and no foreign request may have happened."""

    async def opened(url: str, **profile: Any) -> Page:
        usual = {
            "viewport": {"width": 1280, "height": 820},
            "locale": "en-GB",
            "timezone_id": "Europe/Amsterdam",
            "reduced_motion": "reduce",
        }
        context = await browser.new_context(**(usual | profile))
        context.set_default_timeout(10_000)
        profiles.append(context)
        page = await context.new_page()
        watch.over(page)
        await page.goto(url)
        return page

    yield opened
    await profiles.close()
    assert watch.problems == []


@pytest_asyncio.fixture(loop_scope="session")
async def office(profiles: Profiles) -> AsyncIterator[Office]:
    """A workspace of its own for each test, with an app that it teaches."""
    async with open_office() as opened:
        yield opened
        await profiles.close()


@pytest_asyncio.fixture(loop_scope="session")
async def page(open_page: OpenPage, office: Office) -> Page:
    """Ada's page, in #general."""
    page = await open_page(office.url())
    await page.locator("[data-test=composer]").wait_for()
    return page
