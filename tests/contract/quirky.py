"""A directory server on loopback that has, one by one, the quirks of servers that companies really run."""

import copy
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

USER = "urn:ietf:params:scim:schemas:core:2.0:User"
GROUP = "urn:ietf:params:scim:schemas:core:2.0:Group"
ENTERPRISE = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
MESSAGES = "urn:ietf:params:scim:api:messages:2.0"
EVERY = frozenset({"emails.value", "userName", "displayName", "members.value", "members", "id"})

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Quirks:
    """What is odd about a server. Without any it does as RFC 7643 and 7644 say."""

    filters: frozenset[str] = EVERY  # attributes that it filters by; another is refused with 400
    ignores: frozenset[str] = frozenset()  # attributes whose filter is ignored: everything comes back
    brief: bool = True  # honours `attributes`
    addresses: bool = True  # keeps e-mail addresses
    odd_address: bool = False  # one of them is malformed
    manager: Literal["object", "text", "reference", "list"] = "object"
    own_groups: bool = False  # a person's record names their groups
    members: bool = True  # a group's record has the list
    shows: int | None = None  # how many of a list it shows at most
    page: int = 100  # records of one answer at most
    removes: Literal["path", "list", "never"] = "path"  # how PATCH wants a removal
    patch: bool = True
    versions: bool = True
    silent: bool = False  # accepts every change and makes none
    lag: int = 0  # looks after a change that show what was before


@dataclass
class World:
    """The people and groups of one server, its quirks, and what was asked of it."""

    quirks: Quirks = field(default_factory=Quirks)
    people: dict[str, Json] = field(default_factory=dict)
    groups: dict[str, Json] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    changes: list[Json] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)  # instead of the next ones
    before: dict[str, Json] | None = None  # the groups that are still shown
    looks: int = 0  # how often
    version: int = 1

    def person(self, name: str, **values: Any) -> str:
        """Add somebody, and return their id."""
        self.people[name] = {
            "userName": f"{name}@x.example",
            "displayName": name.title(),
            "active": True,
            **values,
        }
        return name

    def group(self, name: str, *members: str) -> str:
        """Add a group, and return its id."""
        self.groups[f"id-{name}"] = {"displayName": name, "members": list(members)}
        return f"id-{name}"

    def members(self, group: str) -> set[str]:
        """Who is in a group, in truth."""
        return set(self.groups[group]["members"])

    def change(self, group: str, members: list[str], said: Json) -> None:
        """Make a change, as this server does."""
        self.changes.append(said)
        if self.quirks.silent:
            return
        if self.quirks.lag:
            self.before, self.looks = copy.deepcopy(self.groups), self.quirks.lag
        self.groups[group]["members"] = members
        self.version += 1

    def look(self) -> dict[str, Json]:
        """The groups as they are shown now."""
        if self.looks and self.before is not None:
            self.looks -= 1
            return self.before
        return self.groups


@contextmanager
def serving(world: World) -> Iterator[str]:
    """Serve a world, and say where."""

    class Handler(_Handler):
        pass

    Handler.world = world
    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/v2"
    finally:
        server.shutdown()
        server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Somebody who no longer waits for the answer is no error."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    world: World

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        kind, _, one = parts.path.removeprefix("/v2/").partition("/")
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.world.asked.append(f"{kind}{'/' + one if one else ''} {asked.get('filter', '')}".strip())
        if self._answered_otherwise():
            return
        if kind == "ServiceProviderConfig":
            quirks = self.world.quirks
            said = {"patch": {"supported": quirks.patch}, "etag": {"supported": quirks.versions}}
            self._send(200, {"schemas": [], **said})
        elif one:
            self._one(kind, unquote(one), asked)
        else:
            self._search(kind, asked)

    def do_PATCH(self) -> None:
        self._change()

    def do_PUT(self) -> None:
        self._change()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # as the base class calls it
        pass

    def _answered_otherwise(self) -> bool:
        if not self.world.answers:
            return False
        status, headers = self.world.answers.pop(0)
        self._send(status, {}, headers)
        return True

    def _one(self, kind: str, one: str, asked: Json) -> None:
        shown = self._shown(kind)
        if one not in shown:
            self._send(404, {})
        else:
            self._send(200, self._record(kind, one, shown[one], brief="attributes" in asked))

    def _search(self, kind: str, asked: Json) -> None:
        shown = self._shown(kind)
        found = [one for one, record in shown.items()]
        if "filter" in asked:
            try:
                found = [one for one in found if self._fits(one, shown[one], asked["filter"])]
            except LookupError:
                return self._send(400, {"schemas": [f"{MESSAGES}:Error"], "scimType": "invalidFilter"})
        start = int(asked.get("startIndex", "1")) - 1
        some = found[start : start + min(int(asked.get("count", "100")), self.world.quirks.page)]
        records = [self._record(kind, one, shown[one], brief="attributes" in asked) for one in some]
        self._send(
            200,
            {"schemas": [f"{MESSAGES}:ListResponse"], "totalResults": len(found), "Resources": records},
        )
        return None

    def _fits(self, one: str, record: Json, wanted: str) -> bool:
        """Whether a record fits a filter. Raises LookupError for one that this server does not know."""
        return all(self._fits_part(one, record, part) for part in wanted.split(" and "))

    def _fits_part(self, one: str, record: Json, part: str) -> bool:
        name, _, rest = part.partition(" ")
        if name in self.world.quirks.ignores:
            return True
        if name not in self.world.quirks.filters:
            raise LookupError(name)
        value = json.loads(rest.removeprefix("eq ")) if rest.startswith("eq ") else None
        members = record.get("members", [])
        if rest == "pr":
            return bool(members)
        known: dict[str, list[str]] = {
            "id": [one],
            "members": members,
            "members.value": members,
            "emails.value": [address for address in self._addresses(record) if isinstance(address, str)],
            "userName": [record.get("userName", "")],
            "displayName": [record.get("displayName", "")],
        }
        return value in known[name]

    def _shown(self, kind: str) -> dict[str, Json]:
        return self.world.people if kind == "Users" else self.world.look()

    def _addresses(self, record: Json) -> list[str]:
        return [record["userName"]] if self.world.quirks.addresses and "userName" in record else []

    def _record(self, kind: str, one: str, record: Json, *, brief: bool) -> Json:
        return self._user(one, record) if kind == "Users" else self._group(one, record, brief=brief)

    def _user(self, one: str, record: Json) -> Json:
        quirks = self.world.quirks
        said = {"schemas": [USER, ENTERPRISE], "id": one, **record}
        boss = said.pop("boss", None)
        if boss:
            ways: Json = {
                "object": {"value": boss},
                "text": boss,
                "reference": {"$ref": f"../Users/{boss}"},
                "list": [{"value": boss}],
            }
            said[ENTERPRISE] = {"manager": ways[quirks.manager]}
        emails: list[Any] = [{"value": address, "primary": True} for address in self._addresses(record)]
        if quirks.odd_address:
            emails = [{"value": ["not", "text"]}, {"type": "home"}, None, 7, *emails]
        if emails:
            said["emails"] = emails
        if quirks.own_groups:
            said["groups"] = [
                {"value": group, "display": found["displayName"]}
                for group, found in self.world.look().items()
                if one in found["members"]
            ]
        return said

    def _group(self, one: str, record: Json, *, brief: bool) -> Json:
        quirks = self.world.quirks
        said: Json = {"schemas": [GROUP], "id": one, "displayName": record["displayName"]}
        if quirks.versions:
            said["meta"] = {"version": f'W/"{self.world.version}"'}
        if quirks.members and record["members"] and not (brief and quirks.brief):
            said["members"] = [{"value": person} for person in record["members"][: quirks.shows]]
        return said

    def _change(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self._answered_otherwise():
            return None
        group = unquote(urlsplit(self.path).path.rpartition("/")[2])
        if group not in self.world.groups:
            return self._send(404, {})
        if self.command == "PUT":
            return self._put(group, body)
        if not self.world.quirks.patch:
            return self._send(501, {})
        (operation,) = body["Operations"]
        members = self._patched(self.world.groups[group]["members"], operation)
        if members is None:
            return self._send(400, {"schemas": [f"{MESSAGES}:Error"], "scimType": "invalidPath"})
        self.world.change(group, members, operation)
        return self._send(204, None)

    def _patched(self, members: list[str], operation: Json) -> list[str] | None:
        named = [one["value"] for one in operation.get("value", [])]
        if operation["op"] == "add":
            return [*members, *(one for one in named if one not in members)]
        if re.fullmatch(r"members\[value eq .*\]", operation["path"]) and self.world.quirks.removes == "path":
            gone = json.loads(operation["path"].removeprefix("members[value eq ").removesuffix("]"))
            return [one for one in members if one != gone]
        if operation["path"] == "members" and named and self.world.quirks.removes == "list":
            return [one for one in members if one not in named]
        return None

    def _put(self, group: str, body: Json) -> None:
        if self.headers["If-Match"] != f'W/"{self.world.version}"':
            return self._send(412, {})
        self.world.change(group, [one["value"] for one in body.get("members", [])], body)
        return self._send(204, None)

    def _send(self, status: int, said: Json | None, headers: dict[str, str] | None = None) -> None:
        body = b"" if said is None else json.dumps(said).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/scim+json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def http_date(moment: Any) -> str:
    """A moment as HTTP writes it."""
    return format_datetime(moment, usegmt=True)
