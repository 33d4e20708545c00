"""Socket Mode: each envelope goes to one of the app's connections and is to be acknowledged in time."""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from bot.workspace.faults import CONNECTION, SOCKET, Fault, Faults
from bot.workspace.ids import Ids
from bot.workspace.store import Store
from bot.workspace.timing import Timing

EnvelopeType = Literal["events_api", "interactive", "slash_commands"]
_KEPT_DELIVERIES = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Ack:
    """How the app answered: in time or not (`error` is then Slack's word for it), and with what."""

    acknowledged: bool
    payload: dict[str, Any] = field(default_factory=dict)
    error: Literal["", "dispatch_failed", "operation_timeout"] = ""


class Delivery:
    """The app's open sockets and what is on its way to it."""

    def __init__(
        self, *, ids: Ids, timing: Timing, faults: Faults, store: Store, clock: Callable[[], float]
    ) -> None:
        self._ids = ids
        self._timing = timing
        self._faults = faults
        self._store = store
        self._clock = clock
        self._sockets: deque[web.WebSocketResponse] = deque()
        self._waiting: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._connected = asyncio.Event()
        self.log: deque[dict[str, Any]] = deque(maxlen=_KEPT_DELIVERIES)

    @property
    def connections(self) -> int:
        """How many sockets the app has open."""
        return len(self._sockets)

    def refusal(self) -> str:
        """Return why the next socket is to be refused, as a test has planned, or ""."""
        fault = self._faults.take(CONNECTION)
        return "" if fault is None else fault.error

    def attach(self, socket: web.WebSocketResponse) -> None:
        """Let `socket` take part in the delivery."""
        self._sockets.append(socket)
        self._connected.set()

    def detach(self, socket: web.WebSocketResponse) -> None:
        """Send nothing more to `socket`."""
        if socket in self._sockets:
            self._sockets.remove(socket)
        if not self._sockets:
            self._connected.clear()

    def sockets(self) -> list[web.WebSocketResponse]:
        """Return the open sockets."""
        return list(self._sockets)

    def answered(self, raw: str) -> None:
        """Take what the app sent. An acknowledgement may come on any connection; a late one is ignored."""
        try:
            body = json.loads(raw)
        except ValueError:
            return
        if not isinstance(body, dict):
            return
        payload = body.get("payload")
        future = self._waiting.get(str(body.get("envelope_id")))
        if future is not None and not future.done():
            future.set_result(payload if isinstance(payload, dict) else {"text": payload} if payload else {})

    async def interact(self, kind: EnvelopeType, payload: dict[str, Any], *, accepts: bool = False) -> Ack:
        """Deliver what a person did, once, and wait for the acknowledgement."""
        return await self._deliver(kind, payload, {"accepts_response_payload": accepts})

    def publish(self, callback: dict[str, Any]) -> None:
        """Deliver an event in the background, again and again as Slack does until it is acknowledged."""
        self._store.put("event", callback["event_id"], {"attempt": 0, "reason": "", "callback": callback})
        self.background(self._insist(callback, attempt=0, reason=""))

    def resume(self) -> None:
        """Take up the events that an earlier process had not delivered."""
        for entry in self._store.load("event").values():
            self.background(self._insist(entry["callback"], attempt=entry["attempt"], reason=entry["reason"]))

    async def _insist(self, callback: dict[str, Any], *, attempt: int, reason: str) -> None:
        event_id = callback["event_id"]
        while attempt <= len(self._timing.retries):
            if attempt:
                await self._pause(self._timing.retries[attempt - 1], reason)
            extra = {"accepts_response_payload": False, "retry_attempt": attempt, "retry_reason": reason}
            ack = await self._deliver("events_api", callback, extra)
            if ack.acknowledged:
                break
            attempt += 1
            reason = "connection_failed" if ack.error == "dispatch_failed" else "timeout"
            self._store.put("event", event_id, {"attempt": attempt, "reason": reason, "callback": callback})
            self._store.flush()
        self._store.remove("event", event_id)
        self._store.flush()

    async def _pause(self, delay: float, reason: str) -> None:
        """Wait before a retry; an app that was away hears from us as soon as it is back."""
        if reason == "connection_failed":
            try:
                async with asyncio.timeout(delay or self._timing.acknowledge):
                    await self._connected.wait()
            except TimeoutError:
                pass
            return
        await asyncio.sleep(delay)

    async def _deliver(self, kind: EnvelopeType, payload: dict[str, Any], extra: dict[str, Any]) -> Ack:
        envelope = {"envelope_id": self._ids.uuid(), "payload": payload, "type": kind, **extra}
        future: asyncio.Future[dict[str, Any]] = asyncio.get_running_loop().create_future()
        self._waiting[envelope["envelope_id"]] = future
        try:
            sent = await self._send(envelope)
            async with asyncio.timeout(self._timing.acknowledge if sent else 0):
                ack = Ack(acknowledged=True, payload=await future)
        except TimeoutError:
            ack = Ack(acknowledged=False, error="operation_timeout" if sent else "dispatch_failed")
        finally:
            del self._waiting[envelope["envelope_id"]]
        self._record(envelope, ack)
        return ack

    def _record(self, envelope: dict[str, Any], ack: Ack) -> None:
        payload = envelope["payload"]
        entry = {
            "at": self._clock(),
            "envelope_id": envelope["envelope_id"],
            "type": envelope["type"],
            "kind": payload.get("event", payload).get("type") or payload.get("command"),
            "event_id": payload.get("event_id"),
            "retry_attempt": envelope.get("retry_attempt", 0),
            "retry_reason": envelope.get("retry_reason", ""),
            "acknowledged": ack.acknowledged,
            "error": ack.error,
        }
        self.log.append(entry)

    async def _send(self, envelope: dict[str, Any]) -> bool:
        fault = self._faults.take(SOCKET)
        if fault is not None and fault.kind == "delay":
            await asyncio.sleep(fault.seconds)
        while (socket := self._next()) is not None:
            if fault is not None and fault.kind == "drop":
                self._cut(socket)
                return True
            try:
                await socket.send_json(envelope)
            except (ConnectionError, RuntimeError):
                self.detach(socket)
                continue
            await self._misbehave(fault, envelope, socket)
            return True
        return False

    async def _misbehave(
        self, fault: Fault | None, envelope: dict[str, Any], socket: web.WebSocketResponse
    ) -> None:
        if fault is not None and fault.kind == "duplicate":
            target = self._next() or socket
            await target.send_json(envelope | {"envelope_id": self._ids.uuid()})
        if fault is not None and fault.kind == "drop_after":
            self._cut(socket)

    def _next(self) -> web.WebSocketResponse | None:
        """Return the connection whose turn it is: one of them gets each envelope."""
        while self._sockets:
            self._sockets.rotate(-1)
            if not self._sockets[-1].closed:
                return self._sockets[-1]
            self.detach(self._sockets[-1])
        return None

    def _cut(self, socket: web.WebSocketResponse) -> None:
        """Break a connection as a network does: without a word."""
        self.detach(socket)
        transport = socket._req.transport if socket._req is not None else None  # no public way leads there
        if transport is not None:
            transport.abort()

    def background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run `work` beside the requests, until it ends or the workspace closes."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def close(self) -> None:
        """Stop delivering. What was not acknowledged is kept for the next start."""
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for socket in self.sockets():
            await socket.close(code=1001)
