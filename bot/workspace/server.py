"""The workspace as an HTTP server on loopback."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.workspace import interactions, static
from bot.workspace.control import Control
from bot.workspace.core import Clocks, Workspace
from bot.workspace.errors import Refused
from bot.workspace.faults import RESPONSE_URL
from bot.workspace.guard import guard, seal
from bot.workspace.hooks import Hooks
from bot.workspace.timing import PostLimit, Timing
from bot.workspace.webapi import WebApi, before
from bot.workspace.world import World

_LARGEST_BODY = 8 * 1024 * 1024
_HOST = "127.0.0.1"


@dataclass(frozen=True, kw_only=True)
class Server:
    """A running workspace and where it listens."""

    workspace: Workspace
    port: int

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://{_HOST}:{self.port}"

    @property
    def api_url(self) -> str:
        """What `SLACK_API_URL` is to be."""
        return f"{self.url}/api/"


def build(workspace: Workspace, hooks: Hooks | None) -> web.Application:
    """Return the application that serves `workspace`."""
    application = web.Application(middlewares=[guard], client_max_size=_LARGEST_BODY)
    application.on_response_prepare.append(seal)
    api, control = WebApi(workspace), Control(workspace, hooks)

    async def hook(request: web.Request) -> web.StreamResponse:
        return await _respond(workspace, request)

    application.router.add_route("*", "/api/{method}", api.answer)
    application.router.add_get("/link/", workspace.sockets.serve)
    application.router.add_post("/hooks/{key:.+}", hook)
    application.router.add_get("/control/stream", control.stream)
    application.router.add_get("/control/{name}", control.answer)
    application.router.add_post("/control/{name}", control.answer)
    application.router.add_get("/", static.entrance)
    application.router.add_get("/archives/{path:.*}", static.entrance)
    application.router.add_get("/page/{path:.*}", static.serve)
    return application


async def _respond(workspace: Workspace, request: web.Request) -> web.StreamResponse:
    """Take what the app says through a response URL."""
    try:
        body: Any = json.loads(await request.text())
    except ValueError:
        body = None
    if not isinstance(body, dict):
        return web.Response(status=400, text="invalid_payload")
    fault = workspace.faults.take(RESPONSE_URL)
    if fault is not None and (failed := before(fault, request)) is not None:
        return failed
    try:
        entry = workspace.responses.use(request.match_info["key"])
    except Refused as refused:
        return web.json_response(refused.answer(), status=404)
    try:
        conversation = workspace.state.conversation(entry["channel"])
        interactions.respond(workspace, conversation, entry["user"], body, message_ts=entry["message_ts"])
    except Refused as refused:
        return web.Response(status=400, text=refused.error)
    finally:
        workspace.store.flush()
    return web.Response(text="ok")


@contextlib.asynccontextmanager
async def running(
    world: World,
    *,
    port: int = 0,
    hooks: Hooks | None = None,
    state: Path | None = None,
    timing: Timing | None = None,
    post_limit: PostLimit | None = None,
    clocks: Clocks | None = None,
) -> AsyncIterator[Server]:
    """Run a workspace on loopback; port 0 takes a free one. Raises OSError when the port is taken."""
    workspace = Workspace(world, folder=state, timing=timing, post_limit=post_limit, clocks=clocks)
    runner = web.AppRunner(build(workspace, hooks), access_log=None, shutdown_timeout=1.0)
    try:
        await runner.setup()
        site = web.TCPSite(runner, _HOST, port)
        await site.start()
        server = Server(workspace=workspace, port=runner.addresses[0][1])
        workspace.origin = server.url
        workspace.delivery.resume()
        yield server
    finally:
        await workspace.close()
        await runner.cleanup()


async def serve(world: World, *, port: int, hooks: Hooks | None = None, state: Path | None = None) -> None:
    """Run a workspace until cancelled. Its state survives in the folder `state`."""
    async with running(world, port=port, hooks=hooks, state=state, post_limit=PostLimit()):
        await asyncio.Event().wait()
