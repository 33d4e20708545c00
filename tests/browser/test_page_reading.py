"""What people see: messages, mrkdwn, blocks, threads, and what is for them alone."""

import re
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.office import ADA, APPROVALS, BOT, GENERAL, GRACE, LIBRARY, NOOR, Office, card, section

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]


async def test_a_message_appears_on_its_own_with_author_badge_and_day(page: Page, office: Office) -> None:
    await expect(page.get_by_text("This is the start of #general.")).to_be_visible()
    await office.post("Good morning")
    message = page.locator("[data-test=message]")
    await expect(message).to_have_count(1)
    await expect(message.locator(".author")).to_have_text("Desk")
    await expect(message.locator(".badge")).to_have_text("APP")
    await expect(message).to_contain_text("Good morning")
    await expect(page.locator("[data-test=divider-day]")).to_have_text("Today")


async def test_mrkdwn_is_shown_as_slack_shows_it(page: Page, office: Office) -> None:
    tomorrow = datetime.now(ZoneInfo("Europe/Amsterdam")).replace(hour=14, minute=5) + timedelta(days=1)
    soon = int(tomorrow.timestamp())
    await office.post(
        f"*bold* _italic_ ~gone~ `code` :tada: <@{GRACE}> <#{GENERAL}> <!channel> "
        f"<https://example.com/x|the page> <!date^{soon}^{{date_short_pretty}} at {{time}}|never> "
        "2*3*4 snake_case_name &lt;b&gt;\n&gt; quoted\n• one\n• two\n```\nselect 1;\n```"
    )
    message = page.locator("[data-test=message]").last
    for tag, text in {
        "strong": "bold",
        "em": "italic",
        "s": "gone",
        "blockquote": "quoted",
        "pre": "select 1;",
    }.items():
        await expect(message.locator(f".rendered {tag}").first).to_have_text(text)
    await expect(message.locator(".emoji")).to_have_text("🎉")
    await expect(message.locator(".mention").nth(0)).to_have_text("@Grace Lindqvist")
    await expect(message.locator(".mention").nth(1)).to_have_text("#general")
    await expect(message.locator(".mention-broadcast")).to_have_text("@channel")
    await expect(message.locator("li")).to_have_text(["one", "two"])
    link = message.get_by_role("link", name="the page")
    assert await link.get_attribute("href") == "https://example.com/x"
    assert "noopener" in (await link.get_attribute("rel") or "")
    await expect(message).to_contain_text("2*3*4 snake_case_name <b>")
    await expect(message.locator("time").last).to_have_text("tomorrow at 14:05")


async def test_dates_are_shown_in_the_viewers_time_zone(open_page: OpenPage, office: Office) -> None:
    await office.post(
        "<!date^1700000000^{date_num} {time}|fallback> and <!date^1700000000^{unknown}|fallback>"
    )
    halifax = await open_page(office.url(), timezone_id="America/Halifax")
    await expect(halifax.locator("[data-test=message]")).to_contain_text("2023-11-14 18:13 and fallback")
    utrecht = await open_page(office.url(), timezone_id="Europe/Amsterdam")
    await expect(utrecht.locator("[data-test=message]")).to_contain_text("2023-11-14 23:13 and fallback")


async def test_a_card_shows_header_fields_clause_and_buttons(open_page: OpenPage, office: Office) -> None:
    await office.post("Approval needed", channel=APPROVALS, blocks=card())
    page = await open_page(office.url(GRACE, APPROVALS))
    message = page.locator("[data-test=message]")
    await expect(message.get_by_role("heading", name="Access to billing-db")).to_be_visible()
    await expect(message.locator(".field")).to_have_text(
        [
            "Person\nAda Okafor",
            "Reason\nclose the quarter",
            "Before\nnot a member",
            "After\nmember for 3 days",
        ],
        use_inner_text=True,
    )
    await expect(message.locator("blockquote")).to_have_text(
        "A data owner may grant access for at most 30 days."
    )
    await expect(message.get_by_role("button", name="Approve")).to_have_class(re.compile("primary"))
    await expect(message.get_by_role("button", name="Deny")).to_have_class(re.compile("danger"))
    await expect(message).not_to_contain_text("Approval needed")


async def test_rich_text_markdown_and_tables_are_shown(page: Page, office: Office) -> None:
    leaf = {"type": "text", "text": "strong", "style": {"bold": True}}
    rich = {
        "type": "rich_text",
        "elements": [
            {
                "type": "rich_text_section",
                "elements": [leaf, {"type": "emoji", "name": "eyes"}, {"type": "user", "user_id": ADA}],
            },
            {
                "type": "rich_text_list",
                "style": "ordered",
                "elements": [{"type": "rich_text_section", "elements": [{"type": "text", "text": "first"}]}],
            },
        ],
    }
    text = "## Heading\n\n**bold** and [a link](https://example.com/)\n\n- one\n  - inner\n\n"
    text += "| a | b |\n|---|---|\n| 1 | 2 |"
    await office.post("fallback", blocks=[rich, {"type": "markdown", "text": text}])
    message = page.locator("[data-test=message]")
    await expect(message.locator("strong")).to_have_text(["strong", "bold"])
    await expect(message.locator(".mention-me")).to_have_text("@Ada Okafor")
    await expect(message.locator("ol li")).to_have_text("first")
    await expect(message.locator("ul ul li")).to_have_text("inner")
    await expect(message.locator("td")).to_have_text(["1", "2"])


async def test_an_image_is_a_link_and_is_never_loaded(page: Page, office: Office) -> None:
    await office.post(
        "a chart",
        blocks=[{"type": "image", "image_url": "https://example.com/chart.png", "alt_text": "A chart"}],
    )
    message = page.locator("[data-test=message]")
    await expect(message.get_by_role("link", name="A chart")).to_be_visible()
    await expect(message.locator("img")).to_have_count(0)


async def test_an_ephemeral_message_is_seen_by_one_person_and_says_so(
    open_page: OpenPage, office: Office
) -> None:
    ada, grace = await open_page(office.url(ADA)), await open_page(office.url(GRACE))
    await expect(ada.locator("[data-test=composer]")).to_be_enabled()
    await office.whisper("You cannot approve your own request.", ADA)
    await expect(ada.locator("[data-ephemeral=true]")).to_contain_text("Only visible to you")
    await office.post("For everyone")
    await expect(grace.locator("[data-test=message]")).to_have_text(re.compile("For everyone"))


async def test_an_update_replaces_in_place_and_a_deletion_removes(page: Page, office: Office) -> None:
    first, second = await office.post("one"), await office.post("two")
    await office.slack.chat_update(channel=GENERAL, ts=first, text="one, corrected")
    message = page.locator(f"[data-ts='{first}']")
    await expect(message).to_contain_text("one, corrected")
    await expect(message.locator(".edited")).to_have_text("(edited)")
    await office.slack.chat_delete(channel=GENERAL, ts=second)
    await expect(page.locator("[data-test=message]")).to_have_count(1)


async def test_a_thread_opens_beside_the_conversation_and_lives(page: Page, office: Office) -> None:
    root = await office.post("How many days of leave?")
    await office.post("Twenty-five.", thread_ts=root)
    await page.locator("[data-test=open-thread]").click()
    thread = page.locator("[data-test=thread]")
    await expect(thread.locator("[data-test=message]")).to_have_count(2)
    await expect(thread.locator("[data-test=divider-replies]")).to_have_text("1 reply")
    await office.post("And they carry over.", thread_ts=root)
    await expect(thread.locator("[data-test=message]")).to_have_count(3)
    await expect(page.locator("[data-test=conversation-pane] [data-test=message]")).to_have_count(1)
    await expect(page.locator("[data-test=open-thread]")).to_contain_text("2 replies")
    await page.reload()
    await expect(thread.locator("[data-test=message]")).to_have_count(3)


async def test_unread_conversations_are_marked_until_they_are_read(
    open_page: OpenPage, office: Office
) -> None:
    page = await open_page(office.url(GRACE))
    place = page.locator(f"[data-channel={APPROVALS}]")
    await expect(place).to_be_visible()
    await office.post("Approval needed", channel=APPROVALS)
    await expect(place.locator(".count")).to_have_text("1")
    await expect(page).to_have_title(re.compile(r"^\(1\)"))
    await place.click()
    await expect(page.locator("[data-test=message]")).to_contain_text("Approval needed")
    await expect(place.locator(".count")).to_have_count(0)


async def test_what_came_while_away_stands_below_a_line(open_page: OpenPage, office: Office) -> None:
    page = await open_page(office.url(GRACE, APPROVALS))
    await office.post("seen", channel=APPROVALS)
    await expect(page.locator("[data-test=message]")).to_contain_text("seen")
    await page.locator(f"[data-channel={GENERAL}]").click()
    await office.post("not yet seen", channel=APPROVALS)
    await expect(page.locator(f"[data-channel={APPROVALS}] .count")).to_have_text("1")
    await page.locator(f"[data-channel={APPROVALS}]").click()
    await expect(page.locator("[data-test=divider-new-line] + [data-test=message]")).to_contain_text(
        "not yet seen"
    )


async def test_status_and_prompts_of_the_assistant_are_shown(open_page: OpenPage, office: Office) -> None:
    direct = f"D{ADA[1:]}"

    @office.app.event("app_home_opened")
    async def offer(event: dict[str, str]) -> None:
        prompts = [{"title": "My leave", "message": "How much leave do I have?"}]
        await office.slack.assistant_threads_setSuggestedPrompts(
            channel_id=event["channel"], title="Ask me", prompts=prompts
        )

    @office.app.event("message")
    async def think(event: dict[str, str]) -> None:
        await office.slack.assistant_threads_setStatus(
            channel_id=event["channel"], thread_ts=event["ts"], status="is thinking…"
        )

    page = await open_page(office.url(ADA, direct))
    await page.get_by_role("button", name="My leave").click()
    await expect(page.locator("[data-test=message]")).to_contain_text("How much leave do I have?")
    await expect(page.locator("[data-test=status]")).to_have_text("Desk is thinking…")
    await expect(page.locator("[data-test=prompt]")).to_have_count(0)
    ts = await page.locator("[data-test=message]").get_attribute("data-ts")
    await office.post("Twenty-five days.", channel=direct, thread_ts=ts)
    await expect(page.locator("[data-test=status]")).to_have_text("")


async def test_the_home_tab_shows_the_apps_home(open_page: OpenPage, office: Office) -> None:
    page = await open_page(office.url(ADA, f"D{ADA[1:]}"))
    await page.locator("[data-test=tab-home]").click()
    await expect(page.locator("[data-test=home]")).to_contain_text("nothing on its home yet")
    await office.slack.views_publish(
        user_id=ADA, view={"type": "home", "blocks": [section("*Your requests*")]}
    )
    await expect(page.locator("[data-test=home]")).to_contain_text("Your requests")


async def test_a_guest_and_a_reader_see_what_is_theirs(open_page: OpenPage, office: Office) -> None:
    guest = await open_page(office.url(NOOR))
    await expect(guest.locator("[data-test=conversation]")).to_have_count(2)
    reader = await open_page(office.url(ADA, LIBRARY))
    await expect(reader.locator("[data-test=composer]")).to_be_disabled()
    await expect(reader.get_by_placeholder("You may read #library")).to_be_visible()
    assert BOT not in await reader.locator("[data-test=sidebar]").inner_text()
