"""Modals and home tabs. A person has one stack of modals, of at most three."""

from collections.abc import Callable, Mapping
from typing import Any

from bot.workspace.elements import initial_values, merged_values
from bot.workspace.errors import Refused
from bot.workspace.ids import Ids
from bot.workspace.store import Store
from bot.workspace.world import World

View = dict[str, Any]
_DEEPEST = 3
_GIVEN = ("private_metadata", "callback_id", "external_id")


class Views:
    """The open modals and the published homes, by person. `clock` returns seconds since the epoch."""

    def __init__(self, world: World, ids: Ids, store: Store, clock: Callable[[], float]) -> None:
        self._world = world
        self._ids = ids
        self._store = store
        self._clock = clock
        self._stacks: dict[str, list[View]] = store.load("stack")
        self._homes: dict[str, View] = store.load("home")

    def stack(self, user: str) -> list[View]:
        """Return the person's open modals, the one on top last."""
        return self._stacks.get(user, [])

    def home(self, user: str) -> View | None:
        """Return the home tab published for a person."""
        return self._homes.get(user)

    def open(self, user: str, given: View) -> View:
        """Open a modal, in place of whatever modal was open."""
        self._check_external_id(user, given, None)
        view = self._made(given)
        self._set(user, [view])
        return view

    def push(self, user: str, given: View) -> View:
        """Put a modal on top of the open ones. Raises `push_limit_reached` and `view_not_found`."""
        stack = self.stack(user)
        if not stack:
            raise Refused("view_not_found")
        if len(stack) >= _DEEPEST:
            raise Refused("push_limit_reached")
        self._check_external_id(user, given, None)
        view = self._made(given)
        view["previous_view_id"] = stack[-1]["id"]
        view["root_view_id"] = stack[0]["id"]
        self._set(user, [*stack, view])
        return view

    def update(self, user: str, view: View, given: View) -> View:
        """Replace an open view. What was typed into blocks that stay is kept."""
        self._check_external_id(user, given, view["id"])
        fresh = self._made(given) | {
            key: view[key] for key in ("id", "type", "root_view_id", "previous_view_id")
        }
        fresh["state"] = {"values": merged_values(fresh["blocks"], view["state"]["values"])}
        if view["type"] == "home":
            self._set_home(user, fresh)
        else:
            self._set(user, [fresh if each["id"] == view["id"] else each for each in self.stack(user)])
        return fresh

    def publish(self, user: str, given: View, expected: object) -> View:
        """Set a person's home tab. Raises `hash_conflict`."""
        current = self.home(user)
        if expected is not None and (current is None or current["hash"] != expected):
            raise Refused("hash_conflict")
        view = self._made(given)
        if current is not None:
            view["id"] = view["root_view_id"] = current["id"]
        self._set_home(user, view)
        return view

    def find(self, view_id: object, external_id: object) -> tuple[str, View]:
        """Return whose view it is and the view, open now. Raises `not_found`."""
        candidates = [(user, view) for user, stack in self._stacks.items() for view in stack]
        candidates += list(self._homes.items())
        for user, view in candidates:
            if view["id"] == view_id or (external_id and view["external_id"] == external_id):
                return user, view
        raise Refused("not_found")

    def shown(self, user: str, view_id: object) -> View:
        """Return a view that this person has open, or their home. Raises `view_not_found`."""
        home = self.home(user)
        for view in [*self.stack(user), *([home] if home else [])]:
            if view["id"] == view_id:
                return view
        raise Refused("view_not_found")

    def enter(self, user: str, view: View, values: Mapping[str, Mapping[str, Any]]) -> None:
        """Remember what a person has entered into a view so far."""
        view["state"] = {"values": merged_values(view["blocks"], view["state"]["values"], values)}
        if view["type"] == "home":
            self._set_home(user, view)
        else:
            self._set(user, self.stack(user))

    def close(self, user: str, view: View) -> list[View]:
        """Close a view and those above it. Returns them, the top first."""
        stack = self.stack(user)
        index = next((index for index, each in enumerate(stack) if each["id"] == view["id"]), len(stack))
        self._set(user, stack[:index])
        return stack[index:][::-1]

    def clear(self, user: str) -> list[View]:
        """Close the whole stack. Returns its views, the top first."""
        stack = self.stack(user)
        self._set(user, [])
        return stack[::-1]

    def _made(self, given: View) -> View:
        view_id = self._ids.named("V")
        return {
            "id": view_id,
            "team_id": self._world.team.id,
            "type": given["type"],
            "blocks": given["blocks"],
            "state": {"values": initial_values(given["blocks"])},
            "hash": f"{self._clock():.0f}.{self._ids.short()}{self._ids.short()}",
            "title": given.get("title") or {"type": "plain_text", "text": "View Title", "emoji": True},
            "clear_on_close": bool(given.get("clear_on_close", False)),
            "notify_on_close": bool(given.get("notify_on_close", False)),
            "close": given.get("close"),
            "submit": given.get("submit"),
            "previous_view_id": None,
            "root_view_id": view_id,
            "app_id": self._world.app.id,
            "app_installed_team_id": self._world.team.id,
            "bot_id": self._world.app.bot_id,
        } | {key: given.get(key) or "" for key in _GIVEN}

    def _check_external_id(self, user: str, given: View, own: str | None) -> None:
        wanted = given.get("external_id")
        open_views = [view for stack in self._stacks.values() for view in stack] + list(self._homes.values())
        if wanted and any(view["external_id"] == wanted and view["id"] != own for view in open_views):
            raise Refused("duplicate_external_id")

    def _set(self, user: str, stack: list[View]) -> None:
        self._stacks[user] = stack
        self._store.put("stack", user, stack)

    def _set_home(self, user: str, view: View) -> None:
        self._homes[user] = view
        self._store.put("home", user, view)
