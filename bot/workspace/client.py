"""The control API from Python: what tests and the tour use to act as people."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

Json = dict[str, Any]
Seen = TypeVar("Seen")
_STEP = 0.02


class ControlError(Exception):
    """The workspace refused. `error` is its code, `answer` the whole body."""

    def __init__(self, answer: Json) -> None:
        super().__init__(str(answer.get("error")))
        self.error = str(answer.get("error"))
        self.answer = answer


class WorkspaceClient:
    """Acts as any person in the workspace at `url`. Use it as an asynchronous context manager.

    `as_` is a Slack user id. Methods raise ControlError when the workspace refuses.
    """

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()

    @property
    def _http(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise RuntimeError("enter the client first: async with WorkspaceClient(url) as client")
        return self._session

    async def _get(self, name: str, **query: str | None) -> Json:
        given = {key: value for key, value in query.items() if value is not None}
        async with self._http.get(f"{self._url}/control/{name}", params=given) as response:
            return _checked(await response.json())

    async def _post(self, name: str, body: Mapping[str, Any]) -> Json:
        given = {key: value for key, value in body.items() if value is not None}
        async with self._http.post(f"{self._url}/control/{name}", json=given) as response:
            return _checked(await response.json())

    async def bootstrap(self, *, as_: str) -> Json:
        """Return what a page starts with."""
        return await self._get("bootstrap", **{"as": as_})

    async def message(self, text: str, *, as_: str, channel: str, thread_ts: str | None = None) -> str:
        """Say something. Returns the message's ts."""
        body = {"as": as_, "channel": channel, "text": text, "thread_ts": thread_ts}
        return str((await self._post("message", body))["ts"])

    async def edit(self, ts: str, text: str, *, as_: str, channel: str) -> None:
        """Change what one has said."""
        await self._post("edit", {"as": as_, "channel": channel, "ts": ts, "text": text})

    async def delete(self, ts: str, *, as_: str, channel: str) -> None:
        """Delete what one has said."""
        await self._post("delete", {"as": as_, "channel": channel, "ts": ts})

    async def react(self, ts: str, name: str, *, as_: str, channel: str) -> None:
        """React to a message."""
        await self._post("react", {"as": as_, "channel": channel, "ts": ts, "name": name})

    async def invite(self, user: str, *, as_: str, channel: str) -> None:
        """Bring somebody, or the bot, into a channel."""
        await self._post("invite", {"as": as_, "channel": channel, "user": user})

    async def command(self, command: str, text: str = "", *, as_: str, channel: str) -> Json:
        """Run a slash command. Returns `{acknowledged, response?, error?}`."""
        return await self._post("command", {"as": as_, "channel": channel, "command": command, "text": text})

    async def action(
        self,
        action_id: str,
        *,
        as_: str,
        channel: str | None = None,
        message_ts: str | None = None,
        view_id: str | None = None,
        block_id: str | None = None,
        **chosen: Any,
    ) -> Json:
        """Use an element: `selected_option=…`, `value=…`, `confirm=True`, `state=…`."""
        place = {"channel": channel, "message_ts": message_ts, "view_id": view_id, "block_id": block_id}
        return await self._post("action", {"as": as_, "action_id": action_id, **place, **chosen})

    async def options(self, action_id: str, value: str, *, as_: str, **place: Any) -> list[Json]:
        """Type into an external select. Returns the options that the app offers."""
        body = {"as": as_, "action_id": action_id, "value": value, **place}
        answer = await self._post("options", body)
        grouped = [option for group in answer.get("option_groups", ()) for option in group["options"]]
        return [*answer.get("options", ()), *grouped]

    async def submit(self, view_id: str, values: Mapping[str, Any] | None = None, *, as_: str) -> Json:
        """Submit a modal with `{block_id: {action_id: value}}`.

        Returns `{acknowledged, response_action?, errors?}`.
        """
        return await self._post("submit", {"as": as_, "view_id": view_id, "values": values or {}})

    async def close(self, view_id: str, *, as_: str, everything: bool = False) -> Json:
        """Close a modal, or with `everything` the whole stack."""
        return await self._post("close", {"as": as_, "view_id": view_id, "all": everything})

    async def home(self, tab: str = "home", *, as_: str) -> Json | None:
        """Open a tab of the app's home. Returns the home view that is published now."""
        view: Json | None = (await self._post("home", {"as": as_, "tab": tab}))["view"]
        return view

    async def shortcut(
        self, callback_id: str, *, as_: str, channel: str | None = None, message_ts: str | None = None
    ) -> Json:
        """Run a global shortcut, or one on a message."""
        body = {"as": as_, "callback_id": callback_id, "channel": channel, "message_ts": message_ts}
        return await self._post("shortcut", body)

    async def messages(self, *, as_: str, channel: str, thread_ts: str | None = None) -> list[Json]:
        """Return what a person sees in a channel, or in a thread, the oldest first."""
        answer = await self._get("messages", **{"as": as_}, channel=channel, thread_ts=thread_ts)
        return list(answer["messages"])

    async def prompts(self, *, as_: str, channel: str) -> list[Json]:
        """Return the prompts that the app suggests in a direct message."""
        answer = await self._get("messages", **{"as": as_}, channel=channel)
        return list(answer.get("prompts", {}).get("prompts", ()))

    async def views(self, *, as_: str) -> list[Json]:
        """Return a person's open modals, the one on top last."""
        return list((await self._get("views", **{"as": as_}))["stack"])

    async def home_view(self, *, as_: str) -> Json | None:
        """Return a person's published home."""
        view: Json | None = (await self._get("views", **{"as": as_}))["home"]
        return view

    async def faults(self, method: str, kind: str, times: int = 1, **details: float | str) -> None:
        """Plan that the next calls of `method`, envelopes of `socket` or uses of a `response_url` go wrong.

        `refused` takes `error`: Slack's word for why.
        """
        await self._post("faults", {"method": method, "kind": kind, "times": times, **details})

    async def clear_faults(self) -> None:
        """Let nothing more go wrong."""
        await self._post("faults", {"clear": True})

    async def log(self, method: str | None = None) -> list[Json]:
        """Return the Web API calls received, of one method if it is named."""
        calls = (await self._get("log"))["calls"]
        return [call for call in calls if method is None or call["method"] == method]

    async def deliveries(self) -> list[Json]:
        """Return the socket envelopes that were acknowledged or given up, in that order."""
        return list((await self._get("deliveries"))["deliveries"])

    async def connections(self) -> int:
        """Return how many sockets the app has open."""
        return int((await self._get("deliveries"))["connections"])

    async def clock(self, *, days: float = 0, hours: float = 0) -> Json:
        """Return the demo's clock, moved first if a step is given."""
        return await (
            self._post("clock", {"days": days, "hours": hours}) if days or hours else self._get("clock")
        )

    async def directory(self) -> Json:
        """Return the demo's directory."""
        return await self._get("directory")

    async def connected(self, timeout: float = 10.0) -> None:  # noqa: ASYNC109 - the deadline is what this is about
        """Wait until the app is connected. Raises TimeoutError."""
        await self.wait_for(self.connections, timeout=timeout, what="the app's connection")

    async def wait_for(
        self,
        look: Callable[[], Awaitable[Seen | None]],
        *,
        timeout: float = 10.0,  # noqa: ASYNC109 - the deadline is what this is about
        what: str = "what was waited for",
    ) -> Seen:
        """Call `look` until it returns something true, and return that. Raises TimeoutError naming `what`."""
        try:
            async with asyncio.timeout(timeout):
                while True:
                    if seen := await look():
                        return seen
                    await asyncio.sleep(_STEP)
        except TimeoutError:
            raise TimeoutError(f"{what} did not come within {timeout:g} s") from None

    async def wait_for_message(
        self,
        matches: Callable[[Json], bool],
        *,
        as_: str,
        channel: str,
        thread_ts: str | None = None,
        timeout: float = 10.0,  # noqa: ASYNC109 - the deadline is what this is about
    ) -> Json:
        """Wait until a person sees a message that matches, and return it."""

        async def look() -> Json | None:
            seen = await self.messages(as_=as_, channel=channel, thread_ts=thread_ts)
            return next((message for message in seen if matches(message)), None)

        return await self.wait_for(look, timeout=timeout, what=f"a message for {as_} in {channel}")

    async def wait_for_view(
        self,
        *,
        as_: str,
        callback_id: str | None = None,
        timeout: float = 10.0,  # noqa: ASYNC109 - the deadline is what this is about
    ) -> Json:
        """Wait until a modal, with this callback id if given, is on top for a person, and return it."""

        async def look() -> Json | None:
            stack = await self.views(as_=as_)
            top = stack[-1] if stack else None
            return top if top and callback_id in {None, top["callback_id"]} else None

        return await self.wait_for(look, timeout=timeout, what=f"a modal for {as_}")

    @contextlib.asynccontextmanager
    async def stream(self, *, as_: str) -> AsyncIterator[AsyncIterator[Json]]:
        """Hear what a person's page hears.

        `async with client.stream(as_=…) as notes: async for note in notes: …`
        """
        async with self._http.ws_connect(f"{self._url}/control/stream", params={"as": as_}) as socket:
            yield _notes(socket)


async def _notes(socket: aiohttp.ClientWebSocketResponse) -> AsyncIterator[Json]:
    async for frame in socket:
        if frame.type is aiohttp.WSMsgType.TEXT:
            yield frame.json()


def _checked(answer: Json) -> Json:
    if not answer.get("ok"):
        raise ControlError(answer)
    return answer
