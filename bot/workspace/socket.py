"""The Socket Mode endpoint: tickets, greetings, refreshes, and at most ten connections."""

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import WSMsgType, web

from bot.workspace.delivery import Delivery
from bot.workspace.ids import Ids
from bot.workspace.timing import Timing

_HOST = "applink-local"


class Sockets:
    """Opens the app's connections. `clock` is monotonic."""

    def __init__(
        self, *, app_id: str, delivery: Delivery, ids: Ids, timing: Timing, clock: Callable[[], float]
    ) -> None:
        self._app_id = app_id
        self._delivery = delivery
        self._ids = ids
        self._timing = timing
        self._clock = clock
        self._tickets: dict[str, float] = {}

    def ticket(self) -> str:
        """Return a ticket that opens one connection, soon."""
        now = self._clock()
        self._tickets = {
            key: made for key, made in self._tickets.items() if now - made <= self._timing.ticket
        }
        ticket = self._ids.uuid()
        self._tickets[ticket] = now
        return ticket

    async def serve(self, request: web.Request) -> web.StreamResponse:
        """Hold one connection of the app until either side closes it."""
        made = self._tickets.pop(request.query.get("ticket", ""), None)
        if made is None or self._clock() - made > self._timing.ticket:
            return web.json_response({"ok": False, "error": "invalid_ticket"}, status=401)
        socket = web.WebSocketResponse(heartbeat=30, timeout=1.0)
        await socket.prepare(request)
        full = "too_many_websockets" if self._delivery.connections >= self._timing.connections else ""
        if refusal := full or self._delivery.refusal():
            await socket.send_json(_disconnect(refusal))
            await socket.close()
            return socket
        await socket.send_json(self._hello())
        self._delivery.attach(socket)
        refresh = asyncio.get_running_loop().create_task(self._age(socket))
        try:
            async for frame in socket:
                if frame.type is WSMsgType.TEXT:
                    self._delivery.answered(frame.data)
        finally:
            self._delivery.detach(socket)
            refresh.cancel()
        return socket

    def _hello(self) -> dict[str, Any]:
        return {
            "type": "hello",
            "num_connections": self._delivery.connections + 1,
            "debug_info": {
                "host": _HOST,
                "build_number": 1,
                "approximate_connection_time": int(self._timing.connection),
            },
            "connection_info": {"app_id": self._app_id},
        }

    async def _age(self, socket: web.WebSocketResponse) -> None:
        await asyncio.sleep(max(0.0, self._timing.connection - self._timing.connection_warning))
        await self._retire(socket)

    async def refresh(self) -> int:
        """Ask the app to reconnect, now, on every connection. Returns how many."""
        sockets = self._delivery.sockets()
        for socket in sockets:
            self._delivery.background(self._retire(socket))
        return len(sockets)

    async def _retire(self, socket: web.WebSocketResponse) -> None:
        """Warn, wait, and close; meanwhile the app opens another connection."""
        try:
            await socket.send_json(_disconnect("warning"))
            await asyncio.sleep(self._timing.connection_warning)
            if not socket.closed:
                await socket.send_json(_disconnect("refresh_requested"))
        except (ConnectionError, RuntimeError):
            pass  # it is gone already
        self._delivery.detach(socket)
        await socket.close()


def _disconnect(reason: str) -> dict[str, Any]:
    return {"type": "disconnect", "reason": reason, "debug_info": {"host": _HOST}}
