"""Nothing that people, documents or apps write becomes markup, script or a request."""

import pytest
from playwright.async_api import Page, expect

from tests.browser.office import ADA, GENERAL, NAUGHTY, Office, button, plain, section

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCRIPT = "<script>window.hacked = 1</script>"
ATTACKS = (
    NAUGHTY,
    SCRIPT,
    "<javascript:alert(1)|click me>",
    "<data:text/html,hello|click me>",
    "<JaVaScRiPt:alert(1)>",
    "< javascript:alert(1)|spaced>",
    '<https://example.com/"onmouseover="alert(1)|quote>',
    '<@U0"><img src=x onerror=alert(1)>>',
    "<!date^1^{date}^javascript:alert(1)|when>",
    "```<img src=x onerror=alert(1)>```",
    "&lt;img src=x onerror=alert(1)&gt;",
    "*" * 4000,
    "_*~" * 1500 + "<" * 900,
)


async def _assert_clean(page: Page) -> None:
    assert await page.evaluate("window.hacked") is None
    assert await page.locator("img, script:not([src]), iframe, object, embed").count() == 0
    links = await page.evaluate("[...document.querySelectorAll('a')].map((link) => link.href)")
    assert all(link.startswith(("http://", "https://", "mailto:")) for link in links)
    attributes = "[...document.querySelectorAll('*')].flatMap((one) => one.getAttributeNames())"
    assert not [name for name in await page.evaluate(attributes) if name.startswith("on")]


async def test_hostile_text_stays_text_in_messages(page: Page, office: Office) -> None:
    for attack in ATTACKS:
        await office.post(attack)
    await office.post("the end")
    await expect(page.locator("[data-test=message]").last).to_contain_text("the end")
    await expect(page.locator("[data-test=messages]")).to_contain_text(SCRIPT)
    await expect(page.get_by_text("click me").first).to_be_visible()
    await _assert_clean(page)


async def test_hostile_text_stays_text_in_every_block(page: Page, office: Office) -> None:
    hostile = plain(NAUGHTY)
    rich = {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [
                    {"type": "text", "text": SCRIPT},
                    {"type": "link", "url": "https://example.com/", "text": NAUGHTY},
                ],
            }
        ],
    }
    await office.post(
        "hostile",
        blocks=[
            {"type": "header", "text": hostile},
            section(NAUGHTY, accessory=button(NAUGHTY, "a")),
            {"type": "context", "elements": [hostile]},
            {
                "type": "markdown",
                "text": f"{NAUGHTY} [x](javascript:alert(1)) ![y](https://example.com/z.png) **{SCRIPT}**",
            },
            {
                "type": "actions",
                "elements": [
                    {
                        "type": "static_select",
                        "action_id": "b",
                        "placeholder": hostile,
                        "options": [{"text": hostile, "value": NAUGHTY}],
                    }
                ],
            },
            rich,
        ],
    )
    await expect(page.locator("[data-test=message] h3")).to_have_text(NAUGHTY)
    await expect(page.locator("[data-test=message] option")).to_have_text([NAUGHTY, NAUGHTY])
    await _assert_clean(page)


async def test_hostile_names_stay_text(page: Page, office: Office) -> None:
    await office.post("<@U0NAUGHTY> and <@U0NOBODY> and <#C0NOWHERE|<b>name</b>>")
    await expect(page.locator(".mention").first).to_have_text(f"@{NAUGHTY}")
    await page.locator("[data-test=persona]").click()
    await expect(page.locator("[data-user=U0NAUGHTY]").last).to_contain_text("<script>alert(2)</script>")
    await page.locator("[data-test=persona-option][data-user=U0NAUGHTY]").click()
    await expect(page.locator("[data-test=persona]")).to_contain_text(NAUGHTY)
    composer = page.locator("[data-test=composer]")
    await composer.fill(NAUGHTY)
    await composer.press("Enter")
    await expect(page.locator("[data-test=message]").last.locator(".rendered")).to_have_text(NAUGHTY)
    await _assert_clean(page)


async def test_hostile_addresses_of_the_page_do_nothing(page: Page, office: Office) -> None:
    await page.goto(f"{office.server.url}/page/?as=%3Cscript%3E#%3Cimg%20src=x%20onerror=alert(1)%3E")
    await expect(page.locator("[data-test=persona]")).to_contain_text("Ada Okafor")
    await page.goto(f"{office.server.url}/page/?as={ADA}#{GENERAL}/..%2F..%2F<script>")
    await expect(page.locator("[data-test=conversation-title]")).to_have_text("#general")
    await _assert_clean(page)


async def test_links_leave_without_a_way_back(page: Page, office: Office) -> None:
    await office.post(
        "open",
        blocks=[
            {"type": "actions", "elements": [button("Open", "go", url="https://example.com/")]},
            section("<https://example.com/a|a>"),
        ],
    )
    for link in await page.locator("[data-test=message] a").all():
        assert await link.get_attribute("target") == "_blank"
        assert "noopener" in (await link.get_attribute("rel") or "")
