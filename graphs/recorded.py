"""What rows are worth that give or withhold authority: what the record says of them, and no more.

Whoever has the database's password can write, change and delete them; nobody without the record's key can
write an event that counts. So a row is where to look, and an event is what is so: what no event tells is not
there, what was changed is put back, and the operator is told. Rows and events are written in one transaction,
so a row is never ahead of the record, but for what this very transaction has written itself.
"""

import hashlib
import json
import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from connectors.base import Act
from graphs import audit, cards, effects, erasing
from graphs.audit import Event
from graphs.effects import Effect
from graphs.plans import ONLY
from graphs.ports import Connection
from graphs.records import Actor, Approval, ApprovalStatus, Resolution, Run, Verdict

log = logging.getLogger(__name__)

_APPROVAL = ("approval.requested", "approval.voted", "approval.decided", "approval.expired", "approval.void")
_VOTED = ("approval.voted", "approval.decided")
_EFFECT = (
    "effect.intended",
    "effect.cleared",
    "effect.done",
    "effect.failed",
    "effect.unknown",
    "effect.resolved",
)
_READ_BACK = "effect.read_back"
_SHOWN = ("title", "lines", "reason", "beneficiary", "authors")  # what a card says in words
_ERASED = erasing.subject("")  # how rows name whoever has been erased; the directory knows nobody so
_RUN = ("run.started", "run.filled", "approval.void", "run.masked")
_MOMENT = timedelta(minutes=1)  # between a row and its event, which one transaction writes


def alarm(what: str, name: str) -> None:
    """Tell the operator that a row is not as the record has it."""
    log.error(
        "%s %s in the database is not as the record has it, and does not count. Somebody who has the"
        " database's password has written there: see who does, and change it.",
        what,
        name,
    )


Told = Sequence[Event] | None  # what the record tells of something; None: it has to be asked


async def told(conn: Connection, approval: str, *, run: str = "", of_run: Collection[str] = ()) -> Told:
    """Return what the record tells of an approval and what was done under it, and of its run, in one reading.

    `of_run` are kinds of events that the caller wants besides. Rows are read before it. None where something
    in it cannot be read: what does not rest on that is then asked for by itself.
    """
    kinds = (*_APPROVAL, *_EFFECT, _READ_BACK)
    try:
        return await audit.around(conn, approval, kinds, run=run, of_run=(*_RUN, *of_run))
    except (audit.ChainBroken, audit.Locked):
        return None


async def of_approval(conn: Connection, approval: str) -> Told:
    """Return what the record tells of an approval alone. None as in `told`."""
    try:
        return await audit.of_approval(conn, approval, _APPROVAL)
    except (audit.ChainBroken, audit.Locked):
        return None


def _about(told: Sequence[Event], approval: str, kinds: Collection[str]) -> list[Event]:
    return [event for event in told if event.kind in kinds and event.facts.get("approval") == approval]


async def approval(
    conn: Connection, found: Approval, *, fresh: Collection[str], ours: bool, kept: bool, told: Told = None
) -> Approval:
    """Return an approval with the votes and in the state that the record has.

    `fresh` are the subjects whose votes this transaction has written itself; `ours` says that it has written
    the approval's row, and `kept` that an erasure vouches for its digest. `intact` is false where the record
    has another digest, or where the card shows other words than were asked for.
    """
    told = told if told is not None else await of_approval(conn, found.id)
    if told is None:
        alarm("The approval", found.id)
        return replace(found, intact=False, votes=())
    events = _about(told, found.id, _APPROVAL)
    requested = next((event for event in events if event.kind == "approval.requested"), None)
    known = {_vote(event) for event in events if event.kind in _VOTED}
    votes = tuple(
        vote
        for vote in found.votes
        if vote.by.subject in fresh
        or vote.by.subject.startswith(_ERASED)
        or (vote.by.subject, vote.verdict.value, _subject(vote.stands_for)) in known
    )
    if len(votes) < len(found.votes):
        alarm("A vote on the approval", found.id)
    intact = found.intact and all(event.run == found.run for event in events)
    if requested is None:
        intact = intact and ours
    elif requested.erased:  # somebody whom it names: what is left of it can only be taken back
        intact = intact and await audit.is_erased(conn, requested)
    elif not kept:  # else an erasure has changed the words of the row, and comes to the record next
        intact = intact and await _is_as_requested(conn, found, requested)
    decided = next((event for event in events if event.kind == "approval.decided"), None)
    if decided is not None and found.decided_at is not None and found.decided_at > decided.at:
        intact = False
    return replace(
        found,
        status=found.status if ours or requested is None else _status(found.status, events),
        intact=intact,
        votes=votes,
        foreign_votes=len(found.votes) - len(votes),
    )


def _status(status: ApprovalStatus, events: Sequence[Event]) -> ApprovalStatus:
    """Return where the record says that an approval stands; of one that is void it may not know."""
    ended = [event for event in events if event.kind in _ENDS]
    if not ended:
        return ApprovalStatus.PENDING
    told = _ENDS[ended[-1].kind] or _DECIDED[str(ended[-1].facts.get("verdict"))]
    return status if status is ApprovalStatus.VOID else told


_DECIDED = {Verdict.APPROVE.value: ApprovalStatus.APPROVED, Verdict.DENY.value: ApprovalStatus.DENIED}
_ENDS = {
    "approval.decided": None,
    "approval.expired": ApprovalStatus.EXPIRED,
    "approval.void": ApprovalStatus.VOID,
}


def _vote(event: Event) -> tuple[str, str, str]:
    said = event.detail or {}
    by, holder = said.get("by") or {}, said.get("stands_for") or {}
    return str(by.get("subject")), str(event.facts.get("verdict")), str(holder.get("subject") or "")


def _subject(actor: Actor | None) -> str:
    return "" if actor is None else actor.subject


async def _is_as_requested(conn: Connection, found: Approval, requested: Event) -> bool:
    """Whether the approval is what people were asked for, in what is sent and in the words of its card.

    Words that named somebody who was erased since then are those that the record says took their place.
    """
    said = {**requested.facts, **(requested.detail or {})}
    if said.get("digest") != found.digest:
        return False
    shown, told = _words(cards.plain(found)), _words(cards.as_now(said.get("card") or {}))
    if all(shown[name] == told[name] for name in told):
        return True
    masked = await audit.last(conn, found.run, ("run.masked",), approval=found.id)
    return masked is not None and masked.facts.get("words") == _hashed(shown)


def shown_words(found: Approval) -> str:
    """Stand for the words of a card, as an erasure has left them."""
    return _hashed(_words(cards.plain(found)))


def _words(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a card says in words: what it changes stands in them beside what its digest covers."""
    steps = card.get("steps") or []
    changes = [[one["name"], one["before"], one["after"]] for one in steps]
    said = {name: card[name] for name in _SHOWN if name in card}
    if len(steps) == 1:
        return {**said, "before": steps[0]["before"], "after": steps[0]["after"]}
    return {**said, "steps": changes} if steps else said


def values_of(run: Run) -> str:
    """Stand for what a request asks for, as an erasure has left it."""
    return _hashed(dict(run.values))


def _hashed(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


async def is_edit(
    conn: Connection, run: str, approval: str, *, author: Actor, after: Mapping[str, str], narrows: bool
) -> bool:
    """Whether the record has it that this person changed a request so, on the card of this approval."""
    reason = "narrowed" if narrows else "edited"
    for event in await audit.every(conn, run, ("approval.void",), approval=approval, reason=reason):
        said = event.detail or {}
        if (said.get("by") or {}).get("subject") == author.subject and said.get("after") == dict(after):
            return True
    alarm("An edit of the approval", approval)
    return False


@dataclass(frozen=True, kw_only=True, slots=True)
class Ledger:
    """What was done under one approval, as the record has it, by step and act.

    `strays` are rows of which the record knows nothing; `seen` says how a step looked when it was read back.
    """

    effects: Mapping[tuple[str, Act], Effect]
    strays: Mapping[tuple[str, Act], Effect]
    seen: Mapping[str, str]  # by the effect's id

    def state(self, step: str, act: Act = "apply") -> str:
        """Return how a step stands; "" where nothing was ever intended."""
        found = self.effects.get((step, act))
        return "" if found is None else found.state

    @property
    def results(self) -> Mapping[str, Mapping[str, Any]]:
        """What the steps that are done have left behind, by step."""
        return {
            step: one.result or {}
            for (step, act), one in self.effects.items()
            if act == "apply" and one.state == "done"
        }


async def ledger(
    conn: Connection, approval: str, *, rows: Sequence[Effect] | None = None, told: Told = None
) -> Ledger:
    """Return the effects of an approval as the record has them, and put their rows right.

    Raises audit.ChainBroken and audit.Locked.
    """
    rows = await effects.of_approval(conn, approval) if rows is None else rows
    if not rows:
        return Ledger(effects={}, strays={}, seen={})
    kinds = (*_EFFECT, _READ_BACK)
    asked = await audit.of_approval(conn, approval, kinds) if told is None else told
    events = _about(asked, approval, kinds)
    for event in events:
        if event.erased and not await audit.is_erased(conn, event):
            raise audit.Locked("values beside the record are gone, and nothing in the record says why")
    known: dict[tuple[str, Act], Effect] = {}
    strays: dict[tuple[str, Act], Effect] = {}
    for row in rows:
        right = await _put_right(conn, row, events)
        if right is None:
            strays[row.step, row.act] = row
        else:
            known[row.step, row.act] = right
    seen = {
        str(event.facts["effect"]): str(event.facts["status"]) for event in events if event.kind == _READ_BACK
    }
    return Ledger(effects=known, strays=strays, seen=seen)


async def _put_right(conn: Connection, row: Effect, events: Sequence[Event]) -> Effect | None:
    """Return an effect as the record has it, and have its row say the same. None: nobody ever intended it."""
    found, told = row, _told(row, events)
    if told != found:  # a click may have changed both meanwhile
        found = await effects.find(conn, row.approval, row.step, row.act) or row
    if told is None:
        alarm("The effect", found.id)
    elif told != replace(found, settled_at=told.settled_at):
        alarm("The effect", found.id)
        await conn.execute(
            "UPDATE effect SET run = %s, operation = %s, key = %s, payload = %s, state = %s, found = %s,"
            " result = %s, intended_at = %s, ends_at = %s, resolved = %s WHERE id = %s",
            (
                told.run,
                told.operation,
                told.key,
                Jsonb(dict(told.payload)),
                told.state,
                told.found,
                None if told.result is None else Jsonb(dict(told.result)),
                told.intended_at,
                told.ends_at,
                told.resolved,
                told.id,
            ),
        )
    return told


def _told(found: Effect, events: Sequence[Event]) -> Effect | None:
    """Follow what the record tells of one effect. What has been erased there is taken from the row."""
    told: Effect | None = None
    for event in events:
        facts, said = event.facts, _whole(event)
        if event.kind == _READ_BACK or not _is_of(event, found):
            continue
        if event.kind == "effect.intended":
            told = _intended(found, event)
        elif told is None:
            continue
        elif event.kind == "effect.resolved":
            if told.state == "unknown":
                told = replace(told, resolved=Resolution(str(facts["answer"])))
        else:
            result = said.get("result", found.result)
            state: Any = event.kind.removeprefix("effect.")
            told = replace(
                told,
                state=state,
                found=bool(facts.get("found")),
                result=result or (found.result if not result and found.result == {} else None),
                resolved=told.resolved if state != "unknown" else None,
            )
    return told


def _is_of(event: Event, found: Effect) -> bool:
    """Whether an event is about an effect. Before there were plans, events named no step."""
    named = (
        event.facts.get("effect", found.id),
        event.facts.get("step", ONLY),
        event.facts.get("act", found.act),
    )
    return named == (found.id, found.step, found.act)


def _whole(event: Event) -> Mapping[str, Any]:
    """Return what stands beside an event, and nothing where some of it was erased."""
    return {} if event.erased or event.detail is None else event.detail


def _intended(found: Effect, event: Event) -> Effect:
    said = _whole(event)
    at = found.intended_at if abs(event.at - found.intended_at) < _MOMENT else event.at
    ends_at = found.ends_at
    if "ends_at" in event.facts:
        ends_at = moment(event.facts["ends_at"])
    return replace(
        found,
        run=event.run or found.run,
        operation=said.get("operation", found.operation),
        key=said.get("key", found.key),
        payload=said.get("payload", found.payload),
        recorded="payload" in said,
        state="intended",
        found=False,
        result=None,
        intended_at=at,
        ends_at=ends_at,
        resolved=None,
    )


def moment(text: object) -> datetime | None:
    """Return a time as facts of events hold it; empty: none."""
    return datetime.fromisoformat(str(text)) if text else None


async def is_run(conn: Connection, run: Run, told: Told = None) -> bool:
    """Whether the record has it that somebody asked for this: the requester, the workflow and every value.

    Of a run that ends what was granted: that the grant was recorded with this very end.
    """
    asked = await audit.every(conn, run.id, _RUN) if told is None else told
    events = [event for event in asked if event.run == run.id and event.kind in _RUN]
    started = next((event for event in events if event.kind == "run.started"), None)
    if started is None:
        return await _is_end(conn, run)
    said = started.detail or {}
    values = dict(said.get("values") or {})
    for event in events:
        filled = event.detail or {}
        values |= filled.get("values" if event.kind == "run.filled" else "after") or {}
    requester = (said.get("requester") or {}).get("subject")
    masked = [event.facts.get("values") for event in events if event.kind == "run.masked"]
    if masked and masked[-1] == values_of(run):
        values = dict(run.values)
    return (requester, started.facts["workflow"], values) == (
        run.requester.subject,
        run.workflow,
        dict(run.values),
    )


async def _is_end(conn: Connection, run: Run) -> bool:
    events = await audit.of_approval(conn, run.values.get("approval", ""), ("effect.done", "effect.overdue"))
    step = run.values.get("step", ONLY)
    events = [event for event in events if event.facts.get("step", ONLY) == step]
    done = [event for event in events if event.facts.get("act") == "apply" and event.kind == "effect.done"]
    if not done:
        return False
    planned = end_of(done[-1])
    if planned is None:  # granted by a release that did not write down its end
        return run.values.get("run") == done[-1].run
    named = {planned["run"], *(event.facts["run"] for event in events if event.kind == "effect.overdue")}
    return run.id in named and bool(dict(run.values) == planned["values"])


def end_of(done: Event) -> Mapping[str, Any] | None:
    """Return how a grant ends, as it was recorded with the grant: the run, its workflow and its values.

    None where that was not recorded, or some of it was erased.
    """
    end: Mapping[str, Any] | None = _whole(done).get("end")
    return end


async def review(conn: Connection, review: str, run: str) -> tuple[str | None, Event | None]:
    """Return who was asked to review, and how they signed it off. None for what the record does not tell."""
    events = await audit.every(conn, run, ("review.requested", "review.signed"), review=review)
    asked = next((event for event in events if event.kind == "review.requested"), None)
    signed = next((event for event in events if event.kind == "review.signed"), None)
    reviewers = None if asked is None else (asked.detail or {}).get("reviewers")
    return reviewers, signed
