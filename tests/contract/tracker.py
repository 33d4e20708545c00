"""A real Roundup tracker on loopback, a scene for each operation, and the database as the witness."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import httpx

from connectors.base import Mint, Operation, Payload, Result
from connectors.sandbox.process import Running
from connectors.tickets.client import Tickets, open_tickets
from connectors.tickets.operations import (
    Assign,
    Assignment,
    Close,
    Closing,
    Comment,
    NewTicket,
    OpenTicket,
    Remark,
)

ADA, BEN = "ada.okafor", "ben.castellanos"
ACCOUNT = "countersign"
_numbers = count(1)

Row = tuple[Any, ...]


@dataclass(frozen=True, kw_only=True)
class Tracker:
    """The tracker as its operator sees it: its database, and what anybody may send."""

    running: Running
    state: Path
    http: httpx.Client

    def rows(self, query: str, *values: object) -> list[Row]:
        where = self.state / "tracker/db/db"
        with closing(sqlite3.connect(f"file:{where}?mode=ro", uri=True, timeout=10)) as db:
            return db.execute(query, values).fetchall()

    def tickets(self) -> list[Row]:
        """Every ticket: number, title, status, assignee, messages."""
        return self.rows(
            "SELECT i.id, i._title, s._name, u._username,"
            " (SELECT group_concat(linkid) FROM issue_messages WHERE nodeid = i.id)"
            " FROM _issue i LEFT JOIN _status s ON s.id = i._status"
            " LEFT JOIN _user u ON u.id = i._assignedto WHERE i.__retired__ = 0 ORDER BY i.id"
        )

    def writes(self) -> int:
        """How often anything was written."""
        return sum(self.rows(f"SELECT count(*) FROM {kind}__journal")[0][0] for kind in ("issue", "msg"))

    def post(self, kind: str, **values: Any) -> str:
        made = self.http.post(f"rest/data/{kind}", json=values).raise_for_status()
        return str(made.json()["data"]["id"])

    def ticket(self, title: str = "", **values: Any) -> str:
        """Open a ticket as somebody would in the browser, and return its number."""
        return self.post(
            "issue", title=title or f"Balance {next(_numbers)} drifts", status="unread", **values
        )

    def patch(self, ticket: str, **values: Any) -> None:
        etag = self.http.get(f"rest/data/issue/{ticket}").raise_for_status().headers["ETag"]
        self.http.patch(
            f"rest/data/issue/{ticket}", json=values, headers={"If-Match": etag}
        ).raise_for_status()


def as_account(url: str, token: str) -> httpx.Client:
    """A client for what the connector has no method for."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Origin": url.rstrip("/"),
        "Referer": url,
        "X-Requested-With": "tests",
    }
    return httpx.Client(base_url=url, headers=headers, trust_env=False, verify=False)


@dataclass(frozen=True, kw_only=True)
class Desk:
    """A connection to the tracker, and the mint that lets it act."""

    tickets: Tickets
    mint: Mint

    def operation(self, kind: type[Operation[Any, Any]]) -> Operation[Any, Any]:
        return kind(self.tickets)  # type: ignore[call-arg]  # each takes them

    async def apply(self, kind: type[Operation[Any, Any]], data: Payload, key: str) -> Any:
        with self.mint.permit(kind.name, data, key).open():
            return await self.operation(kind).apply(data, key)

    async def undo(self, kind: type[Operation[Any, Any]], data: Payload, result: Result, key: str) -> None:
        with self.mint.permit(kind.name, data, key, "undo").open():
            await self.operation(kind).undo(data, result, key)


@asynccontextmanager
async def desk(
    running: Running,
    *,
    url: str | None = None,
    token: str | None = None,
    write_token: str | None = None,
    within: float = 10.0,
) -> AsyncIterator[Desk]:
    """Connect, by default as the tracker wants it."""
    mint = Mint()
    try:
        async with open_tickets(
            url or running.url,
            token or running.read_token,
            account=ACCOUNT,
            write_token=write_token or running.token,
            within=within,
        ) as tickets:
            yield Desk(tickets=tickets, mint=mint)
    finally:
        mint.retire()


@asynccontextmanager
async def beside(other: Desk, running: Running) -> AsyncIterator[Desk]:
    """Connect once more, with the mint of another connection: a process has one."""
    async with open_tickets(
        running.url, running.read_token, account=ACCOUNT, write_token=running.token
    ) as tickets:
        yield Desk(tickets=tickets, mint=other.mint)


@dataclass(frozen=True, kw_only=True)
class Scene:
    """An operation, what it is asked to do, and the request line of the one that matters."""

    kind: type[Operation[Any, Any]]
    payload: Callable[[Tracker], Payload]
    decisive: str


def _new(_tracker: Tracker) -> NewTicket:
    return NewTicket(
        title=f"Laptop {next(_numbers)} for Ada",
        text="Please.",
        priority="bug",
        keywords=("hardware",),
        about=(ADA,),
    )


def _assignment(tracker: Tracker) -> Assignment:
    return Assignment(ticket=tracker.ticket(assignedto=ADA), to=BEN, instead_of=ADA)


SCENES = {
    "open": Scene(kind=OpenTicket, payload=_new, decisive="POST .*/issue/@poe/"),
    "comment": Scene(
        kind=Comment, payload=lambda it: Remark(ticket=it.ticket(), text="Done."), decisive="PATCH"
    ),
    "assign": Scene(kind=Assign, payload=_assignment, decisive="PATCH"),
    "close": Scene(
        kind=Close,
        payload=lambda it: Closing(ticket=it.ticket(), was="unread", text="Replaced."),
        decisive="PATCH",
    ),
}


def keys() -> Iterator[str]:
    """Keys that were never used."""
    return (f"run-{number}/step" for number in _numbers)
