"""A small workspace with a small app in it, for the tests of the page: real server, socket and Bolt."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from slack_bolt.adapter.socket_mode.async_handler import AsyncSocketModeHandler
from slack_bolt.async_app import AsyncApp
from slack_sdk.web.async_client import AsyncWebClient

from bot.workspace.hooks import Hooks
from bot.workspace.server import Server, running
from bot.workspace.timing import Timing
from bot.workspace.world import App, Channel, Command, Person, Shortcut, Team, World

ADA, GRACE, NOOR, JUN, BOT = "U0ADA", "U0GRACE", "U0NOOR", "U0JUN", "U0DESK"
GENERAL, APPROVALS, LIBRARY = "C0GENERAL", "C0APPROVALS", "C0LIBRARY"
BOT_TOKEN = "xoxb-page-tests"
NAUGHTY = "<img src=x onerror=alert(1)>"

WORLD = World(
    team=Team(id="T0OFFICE", name="Larkfield Instruments", domain="larkfield"),
    app=App(
        id="A0DESK",
        name="Desk",
        bot_id="B0DESK",
        bot_user=BOT,
        bot_token=BOT_TOKEN,
        app_token="xapp-page-tests",
        scopes=frozenset(
            {"app_mentions:read", "assistant:write", "chat:write", "commands", "im:history", "users:read"}
        ),
        events=frozenset({"message.im", "app_mention", "app_home_opened"}),
        commands=(
            Command(command="/ask", description="Ask the handbook", usage_hint="[question]"),
            Command(command="/request", description="Request access", usage_hint="[what, how long, why]"),
        ),
        shortcuts=(
            Shortcut(callback_id="start", name="Start a request", type="global", description="A form"),
            Shortcut(callback_id="quote", name="Ask about this", type="message"),
        ),
    ),
    people=(
        Person(id=ADA, name="ada", real_name="Ada Okafor", title="Financial analyst", color="9f69e7"),
        Person(id=GRACE, name="grace", real_name="Grace Lindqvist", title="Finance director", color="2f6f8f"),
        Person(id=NOOR, name="noor", real_name="Noor Haddad", title="Contractor", is_restricted=True),
        Person(id=JUN, name="jun", real_name="Jun Park", deleted=True),
        Person(id="U0NAUGHTY", name="naughty", real_name=NAUGHTY, title="<script>alert(2)</script>"),
    ),
    channels=(
        Channel(
            id=GENERAL, name="general", topic="All of Larkfield", members={ADA, GRACE, NOOR, "U0NAUGHTY", BOT}
        ),
        Channel(id=APPROVALS, name="access-approvals", private=True, members={GRACE, BOT}),
        Channel(id=LIBRARY, name="library", topic="To be read", members={GRACE, BOT}),
    ),
)


@dataclass(kw_only=True)
class Office:
    """The running workspace, and the app that tests teach what to do."""

    server: Server
    app: AsyncApp
    clock: dict[str, float] = field(default_factory=lambda: {"offset": 0.0})
    groups: dict[str, list[str]] = field(default_factory=dict)

    @property
    def slack(self) -> AsyncWebClient:
        """The Web API, as the app."""
        return self.app.client

    def url(self, person: str = ADA, place: str = GENERAL) -> str:
        """The page's address for one person at one place."""
        return f"{self.server.url}/page/?as={person}#{place}"

    async def post(self, text: str, channel: str = GENERAL, **more: Any) -> str:
        """Post as the app. Returns the message's ts."""
        answer = await self.slack.chat_postMessage(channel=channel, text=text, **more)
        return str(answer["ts"])

    async def whisper(self, text: str, user: str, channel: str = GENERAL) -> None:
        """Show one person something."""
        await self.slack.chat_postEphemeral(channel=channel, user=user, text=text)


def section(text: str, **more: Any) -> dict[str, Any]:
    """A section with mrkdwn."""
    return {"type": "section", "text": {"type": "mrkdwn", "text": text}, **more}


def plain(text: str) -> dict[str, Any]:
    """A plain_text object."""
    return {"type": "plain_text", "text": text}


def button(label: str, action_id: str, **more: Any) -> dict[str, Any]:
    """A button."""
    return {"type": "button", "text": plain(label), "action_id": action_id, "value": action_id, **more}


def options(*labels: str) -> list[dict[str, Any]]:
    """Options whose values are their labels."""
    return [{"text": plain(label), "value": label} for label in labels]


def field_block(block_id: str, label: str, element: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An input block whose element has the action id `value`."""
    return {
        "type": "input",
        "block_id": block_id,
        "label": plain(label),
        "element": {"action_id": "value", **element},
        **more,
    }


def form(**more: Any) -> dict[str, Any]:
    """A modal that asks for access."""
    return {
        "type": "modal",
        "callback_id": "access",
        "title": plain("Request access"),
        "submit": plain("Send request"),
        "close": plain("Cancel"),
        "blocks": [
            section("Access is granted by a *data owner* and ends by itself."),
            field_block(
                "group", "Group", {"type": "static_select", "options": options("billing-db", "crm-readers")}
            ),
            field_block(
                "days",
                "Days",
                {"type": "number_input", "is_decimal_allowed": False, "min_value": "1", "max_value": "30"},
                hint=plain("At most 30."),
            ),
            field_block("reason", "Reason", {"type": "plain_text_input", "multiline": True, "min_length": 5}),
            field_block(
                "kind",
                "Kind",
                {
                    "type": "radio_buttons",
                    "options": options("Read", "Write"),
                    "initial_option": options("Read")[0],
                },
            ),
            field_block(
                "tell",
                "Also tell",
                {"type": "checkboxes", "options": options("Manager", "Team")},
                optional=True,
            ),
            field_block("from", "From", {"type": "datepicker", "initial_date": "2026-01-05"}, optional=True),
        ],
        **more,
    }


def card() -> list[dict[str, Any]]:
    """An approval card."""
    confirm = {
        "title": plain("Approve this?"),
        "text": {"type": "mrkdwn", "text": "Ada joins *billing-db*."},
        "confirm": plain("Approve"),
        "deny": plain("Go back"),
    }
    fields = [
        {"type": "mrkdwn", "text": text}
        for text in (
            "*Person*\nAda Okafor",
            "*Reason*\nclose the quarter",
            "*Before*\nnot a member",
            "*After*\nmember for 3 days",
        )
    ]
    return [
        {"type": "header", "text": plain("Access to billing-db")},
        section(f"<@{ADA}> asks to join *billing-db* for *3 days*."),
        {"type": "section", "fields": fields},
        section("*The clause that governs this*\n> A data owner may grant access for at most 30 days."),
        {"type": "context", "elements": [{"type": "mrkdwn", "text": "IT access — edition `a81f`"}]},
        {"type": "divider"},
        {
            "type": "actions",
            "block_id": "decide",
            "elements": [
                button("Approve", "approve", style="primary", confirm=confirm),
                button("Deny", "deny", style="danger"),
                {"type": "overflow", "action_id": "more", "options": options("Show section", "Hand over")},
            ],
        },
    ]


@asynccontextmanager
async def open_office(timing: Timing | None = None) -> AsyncIterator[Office]:
    """Run the workspace with its app connected."""
    office: Office

    async def clock() -> dict[str, Any]:
        return {"now": office.server.workspace.state.now() + office.clock["offset"]}

    async def move(days: float, hours: float) -> dict[str, Any]:
        office.clock["offset"] += days * 86400 + hours * 3600
        return await clock()

    async def directory() -> dict[str, Any]:
        return {"groups": [{"name": name, "members": members} for name, members in office.groups.items()]}

    hooks = Hooks(clock=clock, move_clock=move, directory=directory)
    async with running(WORLD, hooks=hooks, timing=timing) as server:
        client = AsyncWebClient(token=BOT_TOKEN, base_url=server.api_url)
        office = Office(server=server, app=AsyncApp(client=client))
        handler = AsyncSocketModeHandler(office.app, WORLD.app.app_token)
        await handler.connect_async()
        try:
            yield office
        finally:
            await handler.close_async()
