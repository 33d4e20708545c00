"""The ledger as a connector, and the processes around it."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE
from typing import Annotated, ClassVar

import httpx

from connectors.base import Change, Health, Operation, Payload, Referable, Repeat, Result
from connectors.directory import Directory, Group, Named, Person, Some
from connectors.errors import Ambiguous, Denied, NotFound, Unavailable
from connectors.permits import running_act
from connectors.registry import SHIPPED, Registry
from graphs.policy.engine import Policy

KINDS: tuple[Repeat, ...] = ("keyed", "findable", "blind")
APPROVERS = "ledger-owners"


class Entry(Payload):
    """One line of the ledger; `follows` names another one."""

    ref: str
    follows: Annotated[str, Referable(pattern=r"[-\w+=]*", most=200)] = ""


class Posted(Result):
    """An entry is in the ledger."""

    ref: str


class Http:
    """What is asked of the server, and what its failures mean."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def there(self, path: str) -> int:
        """How often the entry is in the ledger."""
        try:
            answer = await self._client.get(path)
        except httpx.TransportError as error:
            raise Unavailable("the ledger does not answer") from error
        return int(answer.json()["there"])

    async def change(self, method: str, path: str, key: str) -> None:
        """Make an entry or take it back."""
        running_act()
        try:
            answer = await self._client.request(method, path, headers={"Idempotency-Key": key})
        except httpx.ConnectError as error:
            raise Unavailable("the ledger does not answer") from error
        except httpx.TransportError as error:
            raise Ambiguous("the ledger did not say whether it did it") from error
        if answer.status_code == 403:
            raise Denied("the ledger refuses")
        if answer.status_code == 503:
            raise Unavailable("the ledger is away")
        if answer.status_code >= 500:
            raise Ambiguous("the ledger failed")
        if answer.status_code == 404 and method != "DELETE":
            raise NotFound("there is no such ledger")


class Post(Operation[Entry, Posted]):
    """Make an entry. Each kind is a class of its own."""

    name = "ledger.post"
    effect = "write"
    repeat = "blind"
    scope = "ledger:write"
    within: ClassVar[float] = 2.0

    def __init__(self, http: Http) -> None:
        self._http = http

    def _path(self, data: Entry) -> str:
        return f"/{self.repeat}/{data.ref}"

    async def preview(self, data: Entry) -> Change:
        now = 0 if self.repeat == "blind" else await self._http.there(self._path(data))
        return Change(
            target=data.ref,
            before="no entry" if not now else "an entry",
            after="an entry",
            needed=not now,
            basis=(("entries", str(now)),),
        )

    async def find(self, data: Entry, key: str) -> Posted | None:
        if self.repeat == "blind":
            return None
        return Posted(ref=data.ref) if await self._http.there(self._path(data)) else None

    async def apply(self, data: Entry, key: str) -> Posted:
        await self._http.change("PUT", self._path(data), key)
        return Posted(ref=data.ref)

    async def undo(self, data: Entry, result: Posted, key: str) -> None:
        await self._http.change("DELETE", self._path(data), key)

    def assumed(self, data: Entry, key: str) -> Posted | None:
        return Posted(ref=data.ref)

    async def ping(self) -> Health:
        await self._http.there("/keyed/ping")
        return Health(system="ledger", detail="the tests' own")


class PostKeyed(Post):
    name = "ledger.post_keyed"
    repeat = "keyed"


class PostFindable(Post):
    name = "ledger.post_findable"
    repeat = "findable"


class PostBlind(Post):
    name = "ledger.post_blind"
    repeat = "blind"


class PostFinal(Post):
    """Blind, and for good."""

    name = "ledger.post_final"
    repeat = "blind"
    reversible = False


OPERATIONS: tuple[type[Post], ...] = (PostKeyed, PostFindable, PostBlind, PostFinal)


def policy() -> Policy:
    """The shipped policies, which know the ledger's operations beside the shipped ones."""
    return Policy.shipped(operations=(*SHIPPED, *OPERATIONS))


def registry(client: httpx.AsyncClient) -> Registry:
    """The ledger's operations."""
    http = Http(client)
    return Registry([operation(http) for operation in OPERATIONS])


class People(Directory):
    """Ada, who asks, and Grace and Ben, who own the ledger. No server stands behind it."""

    def __init__(self) -> None:
        self.issuer = "ledger"
        self.known = {
            one.subject: one
            for one in (person("ada"), person("grace", APPROVERS), person("ben", APPROVERS), person("tomas"))
        }

    async def person(self, person_id: str, *, within: float | None = None) -> Person:
        try:
            return self.known[f"ledger#{person_id}"]
        except KeyError:
            raise NotFound("nobody of that id") from None

    async def person_by_email(self, email: str, *, within: float | None = None) -> Person:
        return next(one for one in self.known.values() if one.email == email)

    async def find_group(self, name: str, *, within: float | None = None) -> Named:
        return Named(id=name, name=name)

    async def group_by_name(self, name: str, *, within: float | None = None) -> Group:
        return await self.group(name)

    async def group(self, group_id: str, *, within: float | None = None) -> Group:
        members = frozenset(one.id for one in self.known.values() if group_id in one.groups)
        return Group(id=group_id, name=group_id, members=members)

    async def some_members(self, group_id: str, most: int, *, within: float | None = None) -> Some:
        members = sorted((await self.group(group_id)).members)
        return Some(ids=tuple(members[:most]), every=len(members) <= most)


def person(name: str, *groups: str) -> Person:
    """Somebody of the tests' company."""
    return Person(
        id=name,
        issuer="ledger",
        user_name=name,
        name=name.title(),
        email=f"{name}@larkfield.example",
        title="",
        active=True,
        manager=None,
        groups=frozenset(groups),
    )


@asynccontextmanager
async def running(state: Path) -> AsyncIterator[str]:
    """Run the ledger's server, and say where."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.ledger.server", str(state)),
        stdout=PIPE,
        cwd=Path(__file__).parents[2],
        start_new_session=True,  # Ctrl-C is for whoever reads the terminal
    )
    try:
        assert process.stdout is not None
        yield (await process.stdout.readline()).decode().strip()
    finally:
        process.kill()
        await process.communicate()
