"""The control API: the page and the tests act through it as any person. JSON in, JSON out.

`as` names the person. Beyond the answers of one method, the page hears through `GET /control/stream`.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

from aiohttp import WSMsgType, web

from bot.workspace import actions, interactions, memberships, messages, modals, reactions
from bot.workspace.actions import Place
from bot.workspace.core import Workspace
from bot.workspace.errors import Refused
from bot.workspace.hooks import Hooks
from bot.workspace.state import Conversation, direct_message_id
from bot.workspace.stream import Note
from bot.workspace.timing import PostLimit
from bot.workspace.world import Person

Body = dict[str, Any]
Answer = dict[str, Any]
Handler = Callable[[Body], Awaitable[Answer]]


class Control:
    """Answers /control/NAME."""

    def __init__(self, workspace: Workspace, hooks: Hooks | None) -> None:
        self._workspace = workspace
        self._hooks = hooks or Hooks()
        self._reads: dict[str, Handler] = {
            "bootstrap": self._bootstrap,
            "messages": self._messages,
            "views": self._views,
            "log": self._log,
            "deliveries": self._deliveries,
            "clock": self._clock,
            "directory": self._directory,
        }
        self._writes: dict[str, Handler] = {
            "message": self._message,
            "edit": self._edit,
            "delete": self._delete,
            "react": self._react,
            "invite": self._invite,
            "leave": self._leave,
            "command": self._command,
            "action": self._action,
            "options": self._options,
            "submit": self._submit,
            "close": self._close,
            "home": self._home,
            "shortcut": self._shortcut,
            "faults": self._faults,
            "refresh": self._refresh,
            "limits": self._limits,
            "clock": self._move_clock,
        }

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        handlers = self._reads if request.method == "GET" else self._writes
        handler = handlers.get(request.match_info["name"], _unknown)
        try:
            body = dict(request.query) if request.method == "GET" else await _body(request)
            answer = {"ok": True, **await handler(body)}
        except Refused as refused:
            answer = refused.answer()
        self._workspace.store.flush()
        return web.json_response(answer)

    async def stream(self, request: web.Request) -> web.StreamResponse:
        """Tell one person's page what happens, until it closes."""
        try:
            person = self._person(dict(request.query))
        except Refused as refused:
            return web.json_response(refused.answer(), status=400)
        socket = web.WebSocketResponse(heartbeat=30, timeout=1.0)
        await socket.prepare(request)
        async with self._workspace.streams.listen(person.id) as notes:
            sender = asyncio.get_running_loop().create_task(_send(socket, notes))
            try:
                async for frame in socket:
                    if frame.type is WSMsgType.ERROR:
                        break
            finally:
                sender.cancel()
        return socket

    # who and where

    def _person(self, body: Body) -> Person:
        """Return who acts: `as`, or without it the first active person."""
        wanted = body.get("as")
        people = [one for one in self._workspace.world.people if not one.is_bot]
        if wanted is None:
            return next(one for one in people if not one.deleted)
        found = self._workspace.state.person(wanted)
        if found.is_bot:
            raise Refused("user_not_found")
        if found.deleted:
            raise Refused("account_inactive")
        return found

    def _visible(self, person: Person, channel: object) -> Conversation:
        found = self._workspace.state.conversation(channel)
        if person.id not in self._workspace.viewers(found):
            raise Refused("channel_not_found")
        return found

    def _joined(self, body: Body) -> tuple[Person, Conversation]:
        person = self._person(body)
        found = self._visible(person, body.get("channel"))
        if person.id not in found.members:
            raise Refused("not_in_channel")
        if found.archived:
            raise Refused("is_archived")
        return person, found

    def _place(self, body: Body) -> tuple[Person, Place]:
        person = self._person(body)
        if body.get("view_id") is not None:
            return person, Place(view=self._workspace.views.shown(person.id, body["view_id"]))
        found = self._visible(person, body.get("channel"))
        message = self._workspace.state.message(found, body.get("message_ts"), seen_by=person.id)
        return person, Place(conversation=found, message=message)

    # reading

    async def _bootstrap(self, body: Body) -> Answer:
        person = self._person(body)
        world, state = self._workspace.world, self._workspace.state
        shown = {"id", "name", "real_name", "title", "email", "is_bot", "is_restricted", "deleted", "color"}
        seen = [one for one in state.conversations.values() if person.id in self._workspace.viewers(one)]
        app = world.app
        return {
            "team": world.team.model_dump(),
            "me": person.id,
            "people": [one.model_dump(include=shown) for one in state.people.values()],
            "conversations": [_described(one, self._workspace.bot_user, person) for one in seen],
            "app": {
                "id": app.id,
                "name": app.name,
                "bot_user": app.bot_user,
                "commands": [command.model_dump() for command in app.commands],
                "shortcuts": [shortcut.model_dump() for shortcut in app.shortcuts],
            },
            "features": {
                "clock": self._hooks.clock is not None,
                "directory": self._hooks.directory is not None,
            },
        }

    async def _messages(self, body: Body) -> Answer:
        person = self._person(body)
        found = self._visible(person, body.get("channel"))
        seen = found.seen_by(person.id)
        assistant, thread_ts = self._workspace.assistant, body.get("thread_ts")
        if thread_ts is not None:
            shown = [one for one in seen if thread_ts in (one["ts"], one.get("thread_ts"))]
            title = assistant.titles.get(f"{found.id}/{thread_ts}")
            return {"messages": shown, "status": assistant.status(found.id, thread_ts), "title": title}
        top = [
            one
            for one in seen
            if one.get("thread_ts", one["ts"]) == one["ts"] or one.get("subtype") == "thread_broadcast"
        ]
        prompts = {"prompts": assistant.prompts(found.id)} if found.kind == "im" else {}
        return {"messages": top, **prompts}

    async def _views(self, body: Body) -> Answer:
        person, views = self._person(body), self._workspace.views
        return {"stack": views.stack(person.id), "home": views.home(person.id)}

    async def _log(self, _: Body) -> Answer:
        return {"calls": list(self._workspace.calls)}

    async def _deliveries(self, _: Body) -> Answer:
        delivery = self._workspace.delivery
        return {"deliveries": list(delivery.log), "connections": delivery.connections}

    # acting

    async def _message(self, body: Body) -> Answer:
        person, found = self._joined(body)
        text = body.get("text")
        if not isinstance(text, str):
            raise Refused("no_text")
        message = messages.say(self._workspace, found, person.id, text, body.get("thread_ts"))
        return {"ts": message["ts"]}

    def _own(self, body: Body, refusal: str) -> tuple[Conversation, dict[str, Any]]:
        person, found = self._joined(body)
        message = self._workspace.state.message(found, body.get("ts"))
        if message["user"] != person.id:
            raise Refused(refusal)
        return found, message

    async def _edit(self, body: Body) -> Answer:
        found, message = self._own(body, "cant_update_message")
        if not str(body.get("text") or "").strip():
            raise Refused("no_text")
        messages.rewrite(self._workspace, found, message, str(body["text"]))
        return {}

    async def _delete(self, body: Body) -> Answer:
        found, message = self._own(body, "cant_delete_message")
        messages.remove(self._workspace, found, message)
        return {}

    async def _react(self, body: Body) -> Answer:
        person, found = self._joined(body)
        message = self._workspace.state.message(found, body.get("ts"))
        name = str(body.get("name") or "").strip(":")
        if not name or not reactions.add(self._workspace, found, message, person.id, name):
            raise Refused("already_reacted" if name else "invalid_name")
        return {}

    async def _invite(self, body: Body) -> Answer:
        person, found = self._joined(body)
        invited = self._workspace.state.person(body.get("user"))
        if found.kind == "im" or not memberships.join(self._workspace, found, invited.id, person.id):
            raise Refused("already_in_channel")
        return {}

    async def _leave(self, body: Body) -> Answer:
        person, found = self._joined(body)
        leaving = body.get("user") or person.id
        if found.kind == "im" or not memberships.leave(self._workspace, found, leaving):
            raise Refused("not_in_channel")
        return {}

    async def _command(self, body: Body) -> Answer:
        person, found = self._joined(body)
        name, text = str(body.get("command")), str(body.get("text") or "")
        return await interactions.command(self._workspace, person, found, name, text.strip())

    async def _action(self, body: Body) -> Answer:
        person, place = self._place(body)
        return await actions.act(self._workspace, person, place, body)

    async def _options(self, body: Body) -> Answer:
        person, place = self._place(body)
        return await actions.suggest(self._workspace, person, place, body)

    async def _submit(self, body: Body) -> Answer:
        person = self._person(body)
        view = self._workspace.views.shown(person.id, body.get("view_id"))
        values = body.get("values") or {}
        if not isinstance(values, dict) or not all(isinstance(one, dict) for one in values.values()):
            raise Refused("invalid_value", detail="values are {block_id: {action_id: value}}")
        return await modals.submit(self._workspace, person, view, values)

    async def _close(self, body: Body) -> Answer:
        person = self._person(body)
        view = self._workspace.views.shown(person.id, body.get("view_id"))
        return await modals.close(self._workspace, person, view, everything=bool(body.get("all")))

    async def _home(self, body: Body) -> Answer:
        person, tab = self._person(body), body.get("tab")
        if tab not in ("home", "messages"):
            raise Refused("invalid_arguments", detail="tab is home or messages")
        event: dict[str, Any] = {
            "type": "app_home_opened",
            "user": person.id,
            "channel": direct_message_id(person.id),
            "tab": tab,
            "event_ts": self._workspace.state.next_ts(),
        }
        home = self._workspace.views.home(person.id)
        self._workspace.publish(event | ({"view": home} if tab == "home" and home else {}))
        return {"view": home}

    async def _shortcut(self, body: Body) -> Answer:
        where = None
        person = self._person(body)
        if body.get("message_ts") is not None:
            found = self._visible(person, body.get("channel"))
            where = found, self._workspace.state.message(found, body["message_ts"])
        return await interactions.shortcut(self._workspace, person, str(body.get("callback_id")), where)

    # the world around

    async def _faults(self, body: Body) -> Answer:
        if body.get("clear"):
            self._workspace.faults.clear()
        else:
            self._workspace.faults.plan(body)
        return {}

    async def _refresh(self, _: Body) -> Answer:
        return {"connections": await self._workspace.sockets.refresh()}

    async def _limits(self, body: Body) -> Answer:
        """Switch the limit on posts: `{posts: false}`, or `{posts: true, burst?, per_second?}`."""
        fields = {name: body[name] for name in ("burst", "per_second") if body.get(name) is not None}
        if any(not isinstance(value, int | float) or value <= 0 for value in fields.values()):
            raise Refused("invalid_arguments", detail="burst and per_second are numbers above 0")
        self._workspace.post_limit.limit = PostLimit(**fields) if body.get("posts") else None
        return {}

    async def _clock(self, _: Body) -> Answer:
        if self._hooks.clock is None:
            raise Refused("unknown_method")
        return await self._hooks.clock()

    async def _move_clock(self, body: Body) -> Answer:
        if self._hooks.move_clock is None:
            raise Refused("unknown_method")
        days, hours = body.get("days") or 0, body.get("hours") or 0
        if not isinstance(days, int | float) or not isinstance(hours, int | float):
            raise Refused("invalid_arguments", detail="days and hours are numbers")
        answer = await self._hooks.move_clock(days, hours)
        everyone = {one.id for one in self._workspace.world.people}
        self._workspace.streams.tell(everyone, {"type": "clock"})
        return answer

    async def _directory(self, _: Body) -> Answer:
        if self._hooks.directory is None:
            raise Refused("unknown_method")
        return await self._hooks.directory()


async def _unknown(_: Body) -> Answer:
    raise Refused("unknown_method")


def _described(conversation: Conversation, bot_user: str, person: Person) -> Answer:
    shown: Answer = {
        "id": conversation.id,
        "name": conversation.name,
        "kind": conversation.kind,
        "topic": conversation.topic,
        "is_member": person.id in conversation.members,
        "archived": conversation.archived,
    }
    return shown | ({"with": bot_user} if conversation.kind == "im" else {})


async def _body(request: web.Request) -> Body:
    try:
        body = json.loads(await request.text() or "{}")
    except ValueError:
        raise Refused("invalid_json") from None
    if not isinstance(body, dict):
        raise Refused("invalid_json")
    return body


async def _send(socket: web.WebSocketResponse, notes: asyncio.Queue[Note | None]) -> None:
    while (note := await notes.get()) is not None:
        try:
            await socket.send_json(note)
        except (ConnectionError, RuntimeError):
            return
    await socket.close(code=1001)
