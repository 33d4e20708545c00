"""The Web API over HTTP: tokens, arguments, scopes, faults, and Slack's envelope around each answer."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.workspace.core import Workspace
from bot.workspace.errors import Refused
from bot.workspace.faults import RESPONSE_URL, Fault
from bot.workspace.methods import assistant, chat, conversations, platform, reactions, streaming, users, views
from bot.workspace.methods.base import Call, Method

_FAMILIES = (assistant, chat, conversations, platform, reactions, streaming, users, views)
METHODS: dict[str, Method] = {
    name: method for module in _FAMILIES for name, method in module.family.methods.items()
}
_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data", "text/plain", ""})


class WebApi:
    """Answers /api/METHOD."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call, or fail as a planned fault says."""
        name = request.match_info["method"]
        at = self._workspace.state.now()
        try:
            args, warning = await _arguments(request)
        except Refused as refused:
            self._record(name, {}, refused.error, at)
            return self._response(name, refused.answer(), frozenset(), None)
        fault = self._workspace.faults.take(name)
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        if fault is not None and (failed := before(fault, request)) is not None:
            self._record(name, args, fault.kind, at)
            return failed
        body, scopes = self._call(name, request, args)
        self._workspace.store.flush()
        self._record(name, args, body.get("error"), at)
        if fault is not None and fault.kind == "drop_after":
            _drop(request)
        return self._response(name, body, scopes, warning)

    def _call(
        self, name: str, request: web.Request, args: dict[str, Any]
    ) -> tuple[dict[str, Any], frozenset[str]]:
        scopes: frozenset[str] = frozenset()
        try:
            method = _method(name)
            scopes = self._scopes(method, _token(request, args))
            call = Call(workspace=self._workspace, args=args, scopes=scopes)
            call.need(*method.scopes)
            return {"ok": True, **method.handler(call)}, scopes
        except Refused as refused:
            return refused.answer(), scopes

    def _scopes(self, method: Method, token: str | None) -> frozenset[str]:
        """Return what the token may do. Raises `not_authed`, `invalid_auth`, `not_allowed_token_type`."""
        app = self._workspace.world.app
        if method.auth == "none":
            return frozenset()
        if token is None:
            raise Refused("not_authed")
        known = {app.bot_token: ("bot", app.scopes), app.app_token: ("app", app.app_scopes)}
        if token not in known:
            raise Refused("invalid_auth")
        kind, scopes = known[token]
        if kind != method.auth:
            raise Refused("not_allowed_token_type")
        return scopes

    def _record(self, name: str, args: dict[str, Any], error: str | None, at: float) -> None:
        shown = {key: value for key, value in args.items() if key != "token"}
        self._workspace.calls.append({"method": name, "args": shown, "error": error, "at": at})

    def _response(
        self, name: str, body: dict[str, Any], scopes: frozenset[str], warning: str | None
    ) -> web.StreamResponse:
        headers = {"x-oauth-scopes": ",".join(sorted(scopes)), "x-slack-req-id": self._workspace.ids.secret()}
        if name in METHODS:
            headers["x-accepted-oauth-scopes"] = ",".join(METHODS[name].scopes)
        if body.get("error") == "ratelimited":
            return _limited(int(body["retry_after"]), headers)
        if warning is not None:
            body = _warned(body, warning)
        return web.json_response(body, headers=headers)


def _method(name: str) -> Method:
    if (found := METHODS.get(name)) is None:
        raise Refused("unknown_method", req_method=name)
    return found


def _warned(body: dict[str, Any], warning: str) -> dict[str, Any]:
    metadata = body.get("response_metadata", {})
    warnings = [*metadata.get("warnings", []), warning]
    return body | {"warning": ",".join(warnings), "response_metadata": metadata | {"warnings": warnings}}


def _limited(seconds: int, headers: Mapping[str, str] | None = None) -> web.Response:
    headers = {**(headers or {}), "Retry-After": str(seconds)}
    return web.json_response({"ok": False, "error": "ratelimited"}, status=429, headers=headers)


def before(fault: Fault, request: web.Request) -> web.Response | None:
    """Return the failure of a fault that strikes before anything is done, or None."""
    match fault.kind:
        case "ratelimited":
            return _limited(fault.retry_after)
        case "refused":
            status = 404 if fault.target == RESPONSE_URL else 200
            return web.json_response({"ok": False, "error": fault.error}, status=status)
        case "http_500":
            return web.json_response({"ok": False, "error": "internal_error"}, status=500)
        case "drop":
            _drop(request)
            return web.Response(status=500)  # nobody receives it
        case _:
            return None


def _drop(request: web.Request) -> None:
    """Break the connection, so that the caller cannot know what happened."""
    if request.transport is not None:
        request.transport.abort()


def _token(request: web.Request, args: Mapping[str, Any]) -> str | None:
    header = request.headers.get("Authorization", "")
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    given = args.get("token")
    return given if isinstance(given, str) and given and "token" not in request.query else None


async def _arguments(request: web.Request) -> tuple[dict[str, Any], str | None]:
    """Return the arguments of a call, and a warning about its form if Slack gives one."""
    args: dict[str, Any] = dict(request.query)
    if request.method == "GET" or not request.body_exists:
        return args, None
    kind = request.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind == "application/json":
        try:
            body = json.loads(await request.text() or "{}")
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise Refused("invalid_json")
        return args | body, None if request.charset else "missing_charset"
    if kind in _FORMS:
        form = await request.post()
        return args | {key: value for key, value in form.items() if isinstance(value, str)}, None
    raise Refused("invalid_post_type")
