"""The socket over which Slack sends events and clicks: kept open, with growing pauses where Slack refuses it.

Slack: at most ten sockets an app, each payload goes to one of them, and each socket is replaced after some
hours. What it says about that comes in messages of the types `hello` and `disconnect`.
"""

import asyncio
import json
import logging
import random
import time
from collections.abc import Coroutine, Mapping
from contextlib import suppress
from typing import Any

import aiohttp
import psycopg
from aiohttp import ClientWebSocketResponse, WSMsgType
from psycopg_pool import PoolTimeout
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app, send_async_response
from slack_bolt.async_app import AsyncApp
from slack_sdk.errors import SlackApiError
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse

from bot import refusals
from bot.bots import BEAT, Bots
from bot.installation import SlackRefused
from bot.refusals import NETWORK, come_back_in, is_put_off, key

logger = logging.getLogger(__name__)

HEARTBEAT = 10.0  # seconds between two pings
GREETING = 10.0  # seconds that Slack has to say hello
LONGEST = 60.0  # seconds between two attempts, where Slack refuses
STEADY = 30.0  # seconds after which a socket was a good one
RECHECKS = (
    1.0,
    BEAT + 1,
)  # seconds after which it is counted again, before another deployment is believed in
_LATER = frozenset({"warning", "refresh_requested"})  # Slack only wants another socket in its place
_CREDENTIALS = "Set SLACK_APP_TOKEN to a token (xapp-…) with the scope connections:write, and start again."
_MEND: Mapping[str, str] = {
    "too_many_websockets": "The app has ten sockets open already: stop the bots that are not needed.",
    "link_disabled": "Switch Socket Mode on in the app's settings.",
    **dict.fromkeys(
        ("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive", "missing_scope"),
        _CREDENTIALS,
    ),
    "not_allowed_token_type": _CREDENTIALS,
}
_SLOWLY = 5  # failures whose pause comes at once after what only an operator can mend
_SOON = 3  # failures whose pause, of four seconds, is the longest while nobody answers


class Connection:
    """Keeps the app connected."""

    def __init__(self, app: AsyncApp, token: str, bots: Bots) -> None:
        """`token`: of the app, with the scope connections:write."""
        self._app = app
        self._token = token
        self._bots = bots
        self._open: list[ClientWebSocketResponse] = []  # that have been greeted
        self._every: set[ClientWebSocketResponse] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._failures = 0
        self._refused: str | None = None
        self.connected = asyncio.Event()  # has been, once
        self.attempted = asyncio.Event()  # has been tried, whatever came of it

    async def check(self) -> None:
        """Raise SlackRefused where Slack opens no socket for the token, with what to change."""
        try:
            await self._app.client.apps_connections_open(app_token=self._token)
        except SlackApiError as error:
            raise SlackRefused(
                f"Slack opens no socket for the app-level token ({key(error)}). Set SLACK_APP_TOKEN to a "
                "token (xapp-…) with the scope connections:write, and switch Socket Mode on in the app's "
                "settings."
            ) from error
        except NETWORK as error:
            raise SlackRefused(f"Slack's socket cannot be reached: {error}. Check the network.") from error

    async def keep(self) -> None:
        """Stay connected until cancelled. Raises SlackRefused where another deployment uses the same app."""
        async with aiohttp.ClientSession(trust_env=True) as session:
            self._background(self._beat())
            try:
                while True:
                    socket = await self._connect(session)
                    replaced = asyncio.Event()
                    self._background(self._read(socket, replaced))
                    await replaced.wait()
            finally:
                for task in self._tasks:
                    task.cancel()
                await asyncio.gather(*self._tasks, return_exceptions=True)
                for left in tuple(self._every):
                    await self._close(left)
                with suppress(psycopg.Error, PoolTimeout):
                    await self._bots.leave()

    async def _connect(self, session: aiohttp.ClientSession) -> ClientWebSocketResponse:
        """Return an open socket that has been greeted, after as many attempts as it takes."""
        suspicions = 0
        while True:
            await asyncio.sleep(self._pause())
            await self._note(1)
            try:
                socket, greeting = await self._opened(session)
            except SlackApiError as error:
                if is_put_off(error):
                    await asyncio.sleep(min(come_back_in(error), LONGEST))
                await self._failed(key(error))
                continue
            except NETWORK as error:  # no answer
                await self._failed(str(error) or type(error).__name__, answered=False)
                continue
            except (ValueError, TypeError) as error:  # no JSON, or no text
                await self._failed(str(error) or type(error).__name__)
                continue
            if greeting.get("type") == "disconnect":
                await self._close(socket)
                await self._failed(str(greeting.get("reason")))
                continue
            if await self._is_shared(greeting):
                await self._close(socket)
                if suspicions == len(RECHECKS):
                    raise SlackRefused(_shared(greeting))
                await asyncio.sleep(RECHECKS[suspicions])
                suspicions += 1
                continue
            return await self._greeted(socket)

    async def _opened(self, session: aiohttp.ClientSession) -> tuple[ClientWebSocketResponse, dict[str, Any]]:
        answer = await self._app.client.apps_connections_open(app_token=self._token)
        socket = await session.ws_connect(str(answer["url"]), heartbeat=HEARTBEAT)
        self._every.add(socket)
        try:
            async with asyncio.timeout(GREETING):
                greeting = json.loads(await socket.receive_str())
        except BaseException:
            await self._close(socket)
            raise
        return socket, greeting if isinstance(greeting, dict) else {}

    async def _close(self, socket: ClientWebSocketResponse) -> None:
        self._every.discard(socket)
        await socket.close()

    async def _greeted(self, socket: ClientWebSocketResponse) -> ClientWebSocketResponse:
        self._open.append(socket)
        if self._refused is not None:
            logger.info("Connected to Slack again")
        self._refused = None
        await self._note()
        self.attempted.set()
        self.connected.set()
        return socket

    async def _is_shared(self, greeting: Mapping[str, Any]) -> bool:
        """Whether Slack counts more sockets than the bots of this database hold."""
        counted = greeting.get("num_connections")
        if not isinstance(counted, int):
            return False
        try:
            return counted > await self._bots.sockets()
        except (psycopg.Error, PoolTimeout):
            return False  # nobody can say

    async def _read(self, socket: ClientWebSocketResponse, replaced: asyncio.Event) -> None:
        began = time.monotonic()
        reason = "the connection was closed"
        try:
            async for frame in socket:
                if frame.type is not WSMsgType.TEXT:
                    continue
                message = json.loads(frame.data)
                if message.get("type") == "disconnect":
                    reason = str(message.get("reason"))
                    self._count(reason, lived=time.monotonic() - began)
                    replaced.set()
                    if reason not in _LATER:
                        break
                elif (request := SocketModeRequest.from_dict(message)) is not None:
                    self._background(self._answer(request, socket))
        except (*NETWORK, ValueError) as error:
            reason = str(error) or type(error).__name__
        except asyncio.CancelledError:  # the bot ends
            replaced.set()
            raise
        finally:
            self._open.remove(socket)
            if not replaced.is_set():
                self._count(reason, lived=time.monotonic() - began)
            replaced.set()
            await self._close(socket)

    async def _answer(self, request: SocketModeRequest, socket: ClientWebSocketResponse) -> None:
        began = time.time()
        try:
            response = await run_async_bolt_app(self._app, request)
            answering: Any = _Answering(self, socket)
            await send_async_response(answering, request, response, began)
        except NETWORK as error:
            logger.warning("An acknowledgement did not reach Slack: %s", error)
        except Exception:
            logger.exception("A payload from Slack could not be answered")

    async def send(self, text: str, socket: ClientWebSocketResponse) -> None:
        """Send something on this socket, or on the newest where it is closed: Slack takes it on any."""
        usable = [each for each in (socket, *reversed(self._open)) if not each.closed]
        await (usable[0] if usable else socket).send_str(text)

    def _count(self, reason: str, *, lived: float) -> None:
        """Take note of a socket that ended. One that was good for a while is no failure."""
        if lived >= STEADY:
            self._failures = 0
        if lived < 1 or (lived < STEADY and reason not in _LATER):
            self._failures += 1
        if reason not in _LATER:
            self._say(reason)
            self._refused = reason

    async def _failed(self, reason: str, *, answered: bool = True) -> None:
        """Take note of an attempt that failed. Slack is not pressed; a network may soon be back."""
        if answered:
            self._failures = max(self._failures + 1, _SLOWLY if reason in _MEND else 0)
        else:
            self._failures = min(self._failures + 1, _SOON)
        self._say(reason)
        self._refused = reason
        await self._note()
        self.attempted.set()

    def _say(self, reason: str) -> None:
        """Say it in the log, once for each reason until there is a connection again."""
        if reason == self._refused:
            return
        helps = mend(reason)
        level = logging.ERROR if reason in _MEND else logging.WARNING
        logger.log(level, "Not connected to Slack (%s). %s I keep trying.", reason, helps)

    def _pause(self) -> float:
        """Return the seconds before the next attempt: none at first, then more and more, with some chance."""
        if self._failures == 0:
            return 0.0
        return min(LONGEST, 2.0 ** (self._failures - 1)) * random.uniform(0.5, 1.0)  # noqa: S311  # no secret

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            await self._note()

    async def _note(self, more: int = 0) -> None:
        """Write down how many sockets there are, with those about to be opened."""
        try:
            await self._bots.hold(len(self._open) + more, self._refused)
        except (psycopg.Error, PoolTimeout) as error:
            logger.debug("The database does not take the number of sockets: %s", error)

    def _background(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


class _Answering:
    """What Bolt answers through."""

    logger = logger

    def __init__(self, connection: Connection, socket: ClientWebSocketResponse) -> None:
        self._connection = connection
        self._socket = socket

    async def send_socket_mode_response(self, response: SocketModeResponse) -> None:
        """Send an acknowledgement."""
        await self._connection.send(json.dumps(response.to_dict()), self._socket)


def mend(reason: str) -> str:
    """Say to whoever runs the bot what to change, where Slack opens no socket for a reason."""
    known = refusals.mend(reason) if reason in refusals.DOCUMENTED else "Look at the network."
    return _MEND.get(reason, known)


def _shared(greeting: Mapping[str, Any]) -> str:
    return (
        "Another deployment uses this Slack app: Slack counts "
        f"{greeting.get('num_connections')} connections, and the bots that share this database hold fewer. "
        "Slack sends each message and each click to one of them alone, so both would miss some. Stop the "
        "other one, or give this one an app of its own: a new app from manifest.yml, with its own tokens. "
        "Bots that belong together share one database "
        "(COUNTERSIGN_DATABASE_URL)."
    )
