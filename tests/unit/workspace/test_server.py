"""The server itself: loopback only, strict to browsers, and its state survives a restart."""

from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bot.workspace.client import WorkspaceClient
from bot.workspace.composer import Composer
from bot.workspace.hooks import Hooks
from bot.workspace.server import running
from bot.workspace.world import App, Person, World

ADA, GENERAL = "U0ADA", "C0GENERAL"


async def status(url: str, method: str = "GET", **headers: str) -> int:
    request = {"headers": headers, "allow_redirects": False}
    async with aiohttp.ClientSession() as session, session.request(method, url, **request) as response:
        return response.status


async def test_a_foreign_name_is_refused(rig: Any) -> None:
    url = f"{rig.server.url}/control/bootstrap"
    assert await status(url) == 200
    assert await status(url, Host=f"localhost:{rig.server.port}") == 200
    for host in (
        "evil.example",
        f"evil.example:{rig.server.port}",
        "127.0.0.1:1",
        f"127.0.0.1.evil:{rig.server.port}",
    ):
        assert await status(url, Host=host) == 403


async def test_another_sites_page_is_refused(rig: Any) -> None:
    url = f"{rig.server.url}/control/message"
    assert await status(url, "POST", Origin=rig.server.url) == 200
    for origin in (
        "https://evil.example",
        "null",
        f"https://127.0.0.1:{rig.server.port}",
        "http://127.0.0.1:1",
    ):
        assert await status(url, "POST", Origin=origin) == 403
        assert await status(f"{rig.server.url}/control/stream?as={ADA}", Origin=origin) == 403
        assert await status(f"{rig.server.api_url}api.test", "POST", Origin=origin) == 403
    assert await status(url, **{"Sec-Fetch-Site": "cross-site"}) == 403


async def test_the_page_is_served_strictly(rig: Any) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{rig.server.url}/?as={ADA}") as response:
            assert response.status == 200
            assert str(response.url).endswith(f"/page/?as={ADA}")
            assert response.content_type == "text/html"
            assert response.headers["Content-Security-Policy"].startswith("default-src 'self';")
            assert response.headers["Cache-Control"] == "no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        async with session.get(f"{rig.server.url}/page/js/main.js") as response:
            assert (response.status, response.content_type) == (200, "text/javascript")


@pytest.mark.parametrize("path", ["../server.py", "%2e%2e/server.py", "..%2fserver.py", "nothing.js", "js"])
async def test_nothing_outside_the_page_is_served(rig: Any, path: str) -> None:
    from yarl import URL

    url = URL(f"{rig.server.url}/page/{path}", encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 404


async def test_a_restart_keeps_messages_views_and_what_was_not_delivered(
    open_rig: Any, make_world: Any, tmp_path: Path
) -> None:
    async with running(make_world(), state=tmp_path) as server, WorkspaceClient(server.url) as people:
        first = await people.message("before", as_=ADA, channel=GENERAL)
        await people.react(first, "eyes", as_=ADA, channel=GENERAL)
        await people.invite("U0BOT", as_=ADA, channel="C0FINANCE")
    rig = await open_rig(state=tmp_path)
    (message,) = await rig.people.messages(as_=ADA, channel=GENERAL)
    assert (message["ts"], message["reactions"][0]["name"]) == (first, "eyes")
    assert await rig.people.message("after", as_=ADA, channel=GENERAL) > first
    assert (await rig.slack.chat_postMessage(channel="C0FINANCE", text="still here"))["ok"]
    texts: list[str] = []

    def register(app: Any) -> None:
        async def hear(event: dict[str, Any]) -> None:
            texts.append(event["text"])

        app.event("message")(hear)
        app.event("reaction_added")(hear_nothing)
        app.event("member_joined_channel")(hear_nothing)

    async def hear_nothing() -> None: ...

    async with rig.bolt(register):

        async def heard() -> bool:
            return {"before", "after"} <= set(texts)

        await rig.people.wait_for(heard, what="the messages of both lives")


async def test_hooks_add_a_clock_and_a_directory(make_world: Any) -> None:
    moved: list[tuple[float, float]] = []

    async def clock() -> dict[str, Any]:
        return {"now": 1_790_000_000 + sum(days * 86_400 + hours * 3600 for days, hours in moved)}

    async def move(days: float, hours: float) -> dict[str, Any]:
        moved.append((days, hours))
        return await clock()

    async def directory() -> dict[str, Any]:
        return {"groups": [{"name": "billing-db", "members": ["Ada Okafor"]}]}

    hooks = Hooks(clock=clock, move_clock=move, directory=directory)
    async with running(make_world(), hooks=hooks) as server, WorkspaceClient(server.url) as people:
        assert (await people.bootstrap(as_=ADA))["features"] == {"clock": True, "directory": True}
        before = (await people.clock())["now"]
        assert (await people.clock(days=3))["now"] == before + 3 * 86_400
        assert (await people.directory())["groups"][0]["name"] == "billing-db"


async def test_bootstrap_shows_what_a_person_may_see(rig: Any) -> None:
    found = await rig.people.bootstrap(as_=ADA)
    assert (found["me"], found["team"]["name"]) == (ADA, "Larkfield")
    assert {one["name"] for one in found["conversations"] if one["kind"] != "im"} == {
        "general",
        "finance",
        "old",
    }
    assert [one["with"] for one in found["conversations"] if one["kind"] == "im"] == ["U0BOT"]
    assert found["app"]["commands"] == [{"command": "/ask", "description": "Ask", "usage_hint": "a question"}]
    assert found["features"] == {"clock": False, "directory": False}
    guest = await rig.people.bootstrap(as_="U0NOOR")
    assert {one["name"] for one in guest["conversations"] if one["kind"] != "im"} == {"general"}


def test_the_app_is_what_its_manifest_says() -> None:
    manifest = {
        "display_information": {"name": "Countersign"},
        "features": {"slash_commands": [{"command": "/ask", "description": "Ask", "should_escape": False}]},
        "oauth_config": {"scopes": {"bot": ["chat:write"]}},
        "settings": {"event_subscriptions": {"bot_events": ["message.im"]}},
    }
    identity = {"id": "A1", "bot_id": "B1", "bot_user": "U1", "bot_token": "xoxb", "app_token": "xapp"}
    app = App.from_manifest(manifest, **identity)
    assert (app.scopes, app.events) == ({"chat:write"}, {"message.im"})
    assert [command.command for command in app.commands] == ["/ask"]


def test_a_world_survives_its_file_and_refuses_strangers(make_world: Any, tmp_path: Path) -> None:
    file = tmp_path / "world.json"
    file.write_text(make_world().model_dump_json())
    assert World.read(file) == make_world()
    broken = make_world().model_dump()
    broken["channels"][0]["members"] = ["U0NOBODY"]
    with pytest.raises(ValueError, match="members that nobody knows"):
        World.model_validate(broken)


@pytest.mark.parametrize(
    ("typed", "marked"),
    [
        ("a & b <c>", "a &amp; b &lt;c&gt;"),
        ("a &amp; b &lt;c&gt;", "a &amp; b &lt;c&gt;"),
        ("hi @ada, @nobody", "hi <@U0ADA>, @nobody"),
        ("see <#C1|x> and <#C2|y>", "see <#C1|general> and &lt;#C2|y&gt;"),
        ("&lt;!channel&gt;", "&lt;!channel&gt;"),
        ("@here now", "<!here> now"),
        ("https://example.org/a?b=1&copy=2.", "<https://example.org/a?b=1&amp;copy=2>."),
        ("<https://example.org|this>", "<https://example.org|this>"),
        ("mail a@ada.example", "mail a@ada.example"),
        ("ü 𝄞 <@U0NOBODY>", "ü 𝄞 &lt;@U0NOBODY&gt;"),
    ],
)
def test_what_is_typed_arrives_as_from_slacks_client(typed: str, marked: str) -> None:
    people = {"U0ADA": Person(id="U0ADA", name="ada", real_name="Ada Okafor")}
    composer = Composer(people, {"C1": "general"})
    text, elements = composer.compose(typed)
    assert text == marked
    assert composer.compose(text) == (text, elements)
