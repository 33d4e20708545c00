"""Reading the record back, with the personal values beside it as far as they have not been erased."""

import json
import logging
from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphs.audit import keyed, people
from graphs.audit.chain import place
from graphs.audit.events import GENESIS, ChainBroken, Event, canonical, commit
from graphs.audit.values import merged, persons
from graphs.audit.vault import Locked, Someone, book_of, unseal, vault_of
from graphs.ports import Connection
from graphs.records import Actor

log = logging.getLogger(__name__)

_PORTION = 500  # events
_REMEMBERED = 500  # events whose rows are not verified again while they are the same


@dataclass(frozen=True, kw_only=True, slots=True)
class Detail:
    """One part of an event's values, opened."""

    part: int
    salt: str
    values: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """An event as the database keeps it: the bytes that were hashed, and what stands beside them.

    Of a foreign one `body` is whatever somebody wrote, and nothing is opened.
    """

    seq: int
    hash: str
    body: str
    details: tuple[Detail, ...]
    foreign: bool = False


async def read(conn: Connection, trace: str | None = None) -> AsyncIterator[Event]:
    """Yield our events in order, of one request or all. Raises ChainBroken where one is not as written.

    What is foreign is passed over.
    """
    seq, last = 0, GENESIS
    async for kept in kept_events(conn, trace=trace):
        if kept.foreign:
            seq += kept.seq == seq + 1
            continue
        body = json.loads(kept.body)
        _check(kept, body, None if trace else (seq, last))
        seq, last = kept.seq, kept.hash
        yield _event(kept, body)


async def kept_events(conn: Connection, *, after: int = 0, trace: str | None = None) -> AsyncIterator[Kept]:
    """Yield the events behind `after` as they are kept, in portions, however long the record is."""
    vault = vault_of(conn)
    while True:
        cursor = await conn.execute(_READ, {"after": after, "trace": trace, "limit": _PORTION})
        rows = await cursor.fetchall()
        if not rows:
            return
        ours = await keyed.own(conn, rows)
        tenant = str(rows[0]["tenant"])
        wanted = {
            owner
            for row, mine in zip(rows, ours, strict=True)
            if mine
            for part in row["parts"]
            for owner in part["owners"]
        }
        known = await people.keys(conn, vault, tenant, wanted)
        for row, mine in zip(rows, ours, strict=True):
            details = _open_to(row, known) if mine else ()
            yield Kept(seq=row["seq"], hash=row["hash"], body=row["body"], details=details, foreign=not mine)
        after = rows[-1]["seq"]


async def last(conn: Connection, run: str | None, kinds: Collection[str], **fact: str) -> Event | None:
    """Return the last event of ours of a run, or of none, that is of one of these kinds and tells this fact.

    Raises ChainBroken where it is not as it was written, and Locked where what stands beside it is not.
    """
    condition = _OF_RUN if run is not None else f"run IS NULL AND {_of(kinds)}"
    found = await _found(conn, condition, {"run": run, "kinds": list(kinds)}, fact, one=True)
    return found[0] if found else None


async def every(conn: Connection, run: str, kinds: Collection[str], **fact: str) -> list[Event]:
    """Return all of them, the oldest first. Raises as `last` does."""
    found = await _found(conn, _OF_RUN, {"run": run, "kinds": list(kinds)}, fact, one=False)
    return found[::-1]


async def of_approval(conn: Connection, approval: str, kinds: Collection[str]) -> list[Event]:
    """Return all events of ours about an approval, of whatever run. Raises as `last` does.

    These are kinds of the index `audit_event_approval`. The oldest is first.
    """
    condition = f"{_of(kinds)} AND event.approval = %(approval)s"
    about = {"kinds": list(kinds), "approval": approval}
    return (await _found(conn, condition, about, {"approval": approval}, one=False))[::-1]


async def around(
    conn: Connection, approval: str, kinds: Collection[str], *, run: str, of_run: Collection[str]
) -> list[Event]:
    """Return what `of_approval` returns, and the events of these kinds of a run, read at once.

    The oldest is first. Raises as `last` does.
    """
    about = {"approval": approval, "run": run, "of_run": list(of_run)}
    rows = await (await conn.execute(_AROUND.format(of=_of(kinds)).encode(), about)).fetchall()
    events = [_read(conn, row) for row, ours in zip(rows, await keyed.own(conn, rows), strict=True) if ours]
    return [
        one
        for one in events
        if (one.kind in kinds and one.facts.get("approval") == approval)
        or (one.run == run and one.kind in of_run)
    ]


async def standing(conn: Connection, kinds: Collection[str], *, naming: str = "", **fact: str) -> list[Event]:
    """Return all events of ours, of whatever run or none, of kinds that stand until something ends them.

    These are kinds of the index `audit_event_standing`, or of events of no run. They tell this fact, and one
    of their facts is the text `naming`. The oldest is first. Raises as `last` does.
    """
    found = await _found(conn, _of(kinds), {"kinds": list(kinds)}, fact, one=False, naming=naming)
    return [event for event in found[::-1] if not naming or naming in event.facts.values()]


async def done(conn: Connection, *, after: int, limit: int) -> tuple[int | None, list[Event]]:
    """Return what is told behind one event to have been done or taken back, and where that reading ended.

    None where there is nothing more. What was changed is passed over, and the operator is told.
    """
    cursor = await conn.execute(
        f"{_KNOWN} WHERE kind = 'effect.done' AND seq > %s ORDER BY seq LIMIT %s", (after, limit)
    )
    rows = await cursor.fetchall()
    ours = await keyed.own(conn, rows)
    events = [_bare(conn, row) for row, mine in zip(rows, ours, strict=True) if mine]
    about = {"kinds": ["effect.done"]}
    told = [event for event in events if event is not None and _is_about(event, about, {})]
    return (rows[-1]["seq"] if rows else None), told


def _bare(conn: Connection, row: Mapping[str, Any]) -> Event | None:
    """Return an event, without what stands beside it where that cannot be read; None where it was changed."""
    try:
        return _read(conn, row)
    except Locked:
        return _event(
            Kept(seq=row["seq"], hash=row["hash"], body=row["body"], details=()), json.loads(row["body"])
        )
    except ChainBroken:
        log.exception("The event %d cannot be read", row["seq"])
        return None


async def is_erased(conn: Connection, event: Event) -> bool:
    """Whether the record says that all that is gone beside an event was erased, with one of its owners.

    Values that somebody has deleted, so that nobody can see what they were, are gone without such a word.
    """
    known: dict[str, bool] = {}
    for owner in {owner for owners in event.lost for owner in owners}:
        said = await last(conn, None, ("audit.erased",), erased=owner)
        known[owner] = said is not None and said.seq > event.seq
    return all(any(known[owner] for owner in owners) for owners in event.lost)


def _of(kinds: Collection[str]) -> str:
    """Return the condition, in literals, so that an index of some kinds answers."""
    return "kind IN ({})".format(", ".join(f"'{kind}'" for kind in sorted(kinds)))


async def _found(
    conn: Connection,
    condition: str,
    about: Mapping[str, Any],
    fact: Mapping[str, str],
    *,
    one: bool,
    naming: str = "",
) -> list[Event]:
    """Return what there is of ours, the latest first, or the latest alone."""
    found: list[Event] = []
    told = [canonical({name: value}).decode()[1:-1] for name, value in fact.items()]
    told += [json.dumps(naming)] if naming else []
    before: int | None = None
    portion = 2 if one else _PORTION
    while True:
        cursor = await conn.execute(
            f"{_KNOWN} WHERE {condition} AND (%(before)s::bigint IS NULL OR seq < %(before)s)"
            " AND (SELECT coalesce(bool_and(position(told IN body) > 0), true)"
            "  FROM unnest(%(told)s::text[]) AS told) ORDER BY seq DESC LIMIT %(portion)s",
            {**about, "told": told, "before": before, "portion": portion},
        )
        rows = await cursor.fetchall()
        for row, ours in zip(rows, await keyed.own(conn, rows), strict=True):
            event = _read(conn, row) if ours else None
            if event is None or not _is_about(event, about, fact):
                continue
            found.append(event)
            if one:
                return found
        if len(rows) < portion:
            return found
        before, portion = rows[-1]["seq"], _PORTION


def _is_about(event: Event, about: Mapping[str, Any], fact: Mapping[str, str]) -> bool:
    """Whether the event itself says what the columns beside it say."""
    of_run = "run" not in about or event.run == about["run"]
    return of_run and event.kind in about["kinds"] and fact.items() <= event.facts.items()


def _read(conn: Connection, row: Mapping[str, Any]) -> Event:
    """Return an event, opened and verified: once for each content of its row, which is all that it rests on.

    Whether it is ours is asked each time, for that rests on our keys.
    """
    read = book_of(conn).read
    content = _content(row)
    found = read.get(content)
    if found is None:
        found = _verified(conn, row)
        if len(read) >= _REMEMBERED:
            del read[next(iter(read))]
        read[content] = found
    return found


def _content(row: Mapping[str, Any]) -> tuple[object, ...]:
    parts = tuple((one["part"], *one["owners"], one["sealed"]) for one in row["parts"])
    keys = tuple((one["pseudonym"], one["key_id"], one["sealed"]) for one in row["known"])
    return row["tenant"], row["seq"], row["hash"], row["body"], parts, keys


def _verified(conn: Connection, row: Mapping[str, Any]) -> Event:
    known = {one["pseudonym"]: people.someone(vault_of(conn), row["tenant"], one) for one in row["known"]}
    details = tuple(_opened(row, known))
    kept = Kept(seq=row["seq"], hash=row["hash"], body=row["body"], details=details)
    body = json.loads(kept.body)
    _check(kept, body, None)
    return _event(kept, body)


def people_in(event: Event) -> list[Actor]:
    """Return everybody whom the values of an event name by their subject, as far as they are not erased."""
    known = ("email", "human")
    return [
        Actor(subject=one["subject"], name=one["name"], **{name: str(one.get(name) or "") for name in known})
        for one in persons(event.detail or {})
        if one.get("subject")
    ]


_EVENTS = (
    f"SELECT tenant, seq, hash, body, {keyed.MAC},"
    " coalesce((SELECT jsonb_agg(jsonb_build_object("
    "   'part', part, 'owners', owners, 'sealed', encode(sealed, 'hex')) ORDER BY part)"
    "  FROM audit_part AS kept"
    "  WHERE kept.tenant = event.tenant AND kept.seq = event.seq), '[]') AS parts{more}"
    " FROM audit_event AS event"
)
_KNOWN = _EVENTS.format(more=f", ARRAY({people.OWNERS}) AS known")
_AROUND = (  # two looks, each with its index
    f"{_KNOWN} WHERE seq = ANY(ARRAY(SELECT seq FROM audit_event WHERE {{of}} AND approval = %(approval)s"
    " UNION ALL SELECT seq FROM audit_event WHERE run = %(run)s AND kind = ANY(%(of_run)s))) ORDER BY seq"
)
_OF_RUN = "run = %(run)s AND kind = ANY(%(kinds)s)"
_READ = (
    _EVENTS.format(more="") + " WHERE seq > %(after)s AND (%(trace)s::text IS NULL OR trace = %(trace)s)"
    " ORDER BY seq LIMIT %(limit)s"
)


def _opened(row: Mapping[str, Any], known: Mapping[str, Someone]) -> Iterable[Detail]:
    """Open what stands beside an event of ours, as far as it has not been erased. Raises Locked.

    What the event does not commit to was put there by somebody else, and is passed over.
    """
    count = len(commitments(json.loads(row["body"]))) if row["parts"] else 0
    for part in row["parts"]:
        with suppress(KeyError):  # somebody whose key is gone has been erased
            owners = [known[one] for one in part["owners"]]
            if part["part"] >= count:
                continue
            where = place(row["tenant"], row["seq"], part["part"])
            plain = unseal(owners, where, bytes.fromhex(part["sealed"]))
            yield Detail(part=part["part"], **json.loads(plain))


def _open_to(row: Mapping[str, Any], known: Mapping[str, Someone]) -> tuple[Detail, ...]:
    """The same for whoever shows or exports it: what does not open is missing, and is found by a verifier."""
    opened = []
    with suppress(Locked):
        for one in _opened(row, known):
            opened.append(one)  # noqa: PERF402  # what was opened before one that does not open is kept
    return tuple(opened)


def _event(kept: Kept, body: Mapping[str, Any]) -> Event:
    committed = commitments(body)
    return Event(
        seq=kept.seq,
        at=datetime.fromisoformat(body["at"]),
        kind=body["kind"],
        run=body["run"],
        trace=body.get("trace", body["run"]),
        actor=body.get("actor"),
        approvers=tuple(body.get("approvers", ())),
        policies=tuple(body.get("policies", ())),
        policy=body.get("policy"),
        level=body.get("level"),
        outcome=body.get("outcome"),
        parameters=body.get("parameters"),
        versions=body.get("versions", {}),
        facts=body["facts"],
        detail=merged(one.values for one in kept.details) if kept.details or not committed else None,
        erased=len(kept.details) < len(committed),
        hash=kept.hash,
        lost=_lost(kept, body),
    )


def _lost(kept: Kept, body: Mapping[str, Any]) -> tuple[tuple[str, ...], ...]:
    there = {one.part for one in kept.details}
    parts = enumerate(body.get("details", ()))
    return tuple(tuple(one["of"]) for part, one in parts if part not in there)


def commitments(body: Mapping[str, Any]) -> list[str]:
    """Return what an event commits to, part by part. Before version 2 there was one part."""
    if "v" not in body:
        return [body["commitment"]]
    return [one["commitment"] for one in body["details"]]


def _check(kept: Kept, body: Mapping[str, Any], last: tuple[int, str] | None) -> None:
    committed = commitments(body)
    intact = (
        keyed.is_whole(kept.body, kept.hash)
        and body["seq"] == kept.seq
        and (last is None or (body["seq"], body["previous"]) == (last[0] + 1, last[1]))
        and all(
            commit(one.salt, canonical(one.values).decode()) == committed[one.part] for one in kept.details
        )
    )
    if not intact:
        raise ChainBroken(f"event {kept.seq} is not as it was written, or the one before it is missing")
