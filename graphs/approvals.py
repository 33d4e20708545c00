"""Approvals: who decided what about which exact action. One row is one card, at one version."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import rfc8785
from psycopg.types.json import Jsonb

from connectors.base import Change, Payload
from connectors.directory import Person
from graphs import ids
from graphs.ports import Connection
from graphs.records import (
    Actor,
    Approval,
    ApprovalStatus,
    Clause,
    Decision,
    Difference,
    Run,
    Shown,
    Verdict,
)

Plain = str | int


@dataclass(frozen=True, kw_only=True, slots=True)
class Proposal:
    """What a workflow wants done, with everything that was read to arrive at it. It decides nothing."""

    operation: str
    payload: Payload
    terms: Mapping[str, Plain]  # what was agreed besides the payload, such as a duration
    change: Change
    clause: Clause
    beneficiary: Actor
    approvers: str
    approvers_id: str  # of that group: another one of its name is another one
    lines: tuple[Shown, ...]
    reason: str
    decide_within: timedelta
    execute_within: timedelta

    def __post_init__(self) -> None:
        names = self.terms.keys() & type(self.payload).model_fields.keys()
        assert not names, f"{names} are both sent and agreed: the policies could not tell which is which"

    def action(self, run: Run, *, version: int, level: int, decide_by: datetime) -> dict[str, Any]:
        """Return exactly what an approval of this is bound to, as plain JSON."""
        return {
            "workflow": run.workflow,
            "version": version,
            "operation": self.operation,
            "parameters": self.payload.model_dump(mode="json"),
            "terms": dict(self.terms),
            "target": self.change.target,
            "requester": run.requester.subject,
            "beneficiary": self.beneficiary.subject,
            "approvers": self.approvers,
            "clause": self.clause.hash,
            "level": level,
            "preconditions": {**dict(self.change.basis), "approvers_id": self.approvers_id},
            "decide_by": decide_by.isoformat(timespec="milliseconds"),
            "execute_within": int(self.execute_within.total_seconds()),
        }


def digest(tenant: str, action: Mapping[str, Any]) -> str:
    """SHA-256 over the canonical JSON (RFC 8785) of the tenant and the action, in hexadecimal."""
    return hashlib.sha256(rfc8785.dumps({"tenant": tenant, **action})).hexdigest()


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[Difference, ...]:
    """Name what is no longer as it was, one line for each value."""
    old, new = dict(_leaves(before)), dict(_leaves(after))
    return tuple(
        Difference(name=name, before=old.get(name, ""), after=new.get(name, ""))
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )


def _leaves(value: Mapping[str, Any], path: str = "") -> Iterable[tuple[str, str]]:
    for key, inner in value.items():
        if isinstance(inner, Mapping):
            yield from _leaves(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}", str(inner)


async def propose(
    conn: Connection, run: Run, proposal: Proposal, *, round_: int, version: int, level: int
) -> str:
    """Store the approval of one round of a run and return its id; the same round gives the same approval.

    An earlier round's pending approval becomes void: its card says that a newer one replaced it.
    """
    cursor = await conn.execute("SELECT id FROM approval WHERE run = %s AND round = %s", (run.id, round_))
    if row := await cursor.fetchone():
        return str(row["id"])
    former = await _former(conn, run.id)
    cursor = await conn.execute("SELECT moment() AS now, current_setting('countersign.tenant') AS tenant")
    here = await cursor.fetchone()
    assert here is not None
    decide_by = here["now"] + proposal.decide_within
    action = proposal.action(run, version=version, level=level, decide_by=decide_by)
    card = {
        "title": run.title,
        "lines": [asdict(line) for line in proposal.lines],
        "before": proposal.change.before,
        "after": proposal.change.after,
        "clause": asdict(proposal.clause),
        "beneficiary": asdict(proposal.beneficiary),
        "reason": proposal.reason,
        "differences": [asdict(one) for one in _changed(former, action)],
    }
    card_id = ids.fresh()
    await conn.execute(
        "INSERT INTO approval (id, run, round, digest, action, card, replaces, decide_by)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
        (
            card_id,
            run.id,
            round_,
            digest(here["tenant"], action),
            Jsonb(action),
            Jsonb(card),
            former["id"] if former else None,
            decide_by,
        ),
    )
    return card_id


async def _former(conn: Connection, run: str) -> Mapping[str, Any] | None:
    """Return the approval of the round before, unless it was carried out: then nothing replaces it."""
    cursor = await conn.execute(
        "SELECT id, action, EXISTS (SELECT 1 FROM effect WHERE approval = approval.id AND state = 'done')"
        " AS carried_out FROM approval WHERE run = %s ORDER BY round DESC LIMIT 1",
        (run,),
    )
    former = await cursor.fetchone()
    if former is not None and former["carried_out"]:
        return None
    if former is not None:
        await conn.execute(
            "UPDATE approval SET status = 'void' WHERE id = %s AND status = 'pending'", (former["id"],)
        )
    return former


def _changed(former: Mapping[str, Any] | None, action: Mapping[str, Any]) -> Iterable[Difference]:
    if former is None:
        return ()
    return (one for one in differences(former["action"], action) if one.name != "decide_by")


_COLUMNS = (
    "SELECT approval.*, run.workflow, run.requester FROM approval"
    " JOIN run ON (run.tenant, run.id) = (approval.tenant, approval.run)"
)


async def load(conn: Connection, card: str) -> Approval | None:
    """Return the approval that a card names, or None where there is none."""
    cursor = await conn.execute(f"{_COLUMNS} WHERE approval.id = %s", (card,))
    row = await cursor.fetchone()
    return _approval(row) if row else None


async def action_of(conn: Connection, card: str) -> Mapping[str, Any]:
    """Return what the approval's digest covers."""
    cursor = await conn.execute("SELECT action FROM approval WHERE id = %s", (card,))
    row = await cursor.fetchone()
    assert row is not None
    action: Mapping[str, Any] = row["action"]
    return action


async def of_run(conn: Connection, run: str) -> list[Approval]:
    """Return all approvals of a run, oldest first."""
    cursor = await conn.execute(f"{_COLUMNS} WHERE approval.run = %s ORDER BY round", (run,))
    return [_approval(row) for row in await cursor.fetchall()]


def _approval(row: Mapping[str, Any]) -> Approval:
    action, card = row["action"], row["card"]
    decision = None
    if row["decided_at"]:
        verdict = Verdict.APPROVE if row["status"] == "approved" else Verdict.DENY
        decision = Decision(
            by=Actor(**row["decided_by"]), verdict=verdict, at=row["decided_at"], reason=row["reason"]
        )
    return Approval(
        id=row["id"],
        run=row["run"],
        workflow=row["workflow"],
        title=card["title"],
        operation=action["operation"],
        status=ApprovalStatus(row["status"]),
        requester=Actor(**{**row["requester"], "subject": action["requester"]}),
        beneficiary=Actor(**{**card["beneficiary"], "subject": action["beneficiary"]}),
        lines=tuple(Shown(**line) for line in card["lines"]),
        sends=action["parameters"],
        terms=action["terms"],
        level=action["level"],
        before=card["before"],
        after=card["after"],
        clause=Clause(**card["clause"]),
        approvers=action["approvers"],
        reason=card["reason"],
        digest=row["digest"],
        intact=digest(row["tenant"], action) == row["digest"],
        created_at=row["created_at"],
        decide_by=row["decide_by"],
        execute_within=action["execute_within"],
        decision=decision,
        replaces=row["replaces"],
        differences=tuple(Difference(**one) for one in card["differences"]),
    )


async def settle(conn: Connection, card: str, verdict: Verdict, *, by: Actor, reason: str | None) -> bool:
    """Decide by one compare-and-set. True for the one click that decided."""
    status = ApprovalStatus.APPROVED if verdict is Verdict.APPROVE else ApprovalStatus.DENIED
    cursor = await conn.execute(
        "UPDATE approval SET status = %s, decided_by = %s, decided_at = moment(), reason = %s"
        " WHERE id = %s AND status = 'pending' AND decide_by > moment()",
        (status.value, Jsonb(asdict(by)), reason, card),
    )
    return cursor.rowcount == 1


async def expire(conn: Connection, card: str) -> bool:
    """Let the approval expire if its time to decide is over. True when this call did it."""
    cursor = await conn.execute(
        "UPDATE approval SET status = 'expired'"
        " WHERE id = %s AND status = 'pending' AND decide_by <= moment()",
        (card,),
    )
    return cursor.rowcount == 1


def resource(approval: Approval) -> tuple[str, str, Mapping[str, str]]:
    """Return the approval as the policies see it."""
    return (
        "Approval",
        approval.id,
        {
            "workflow": approval.workflow,
            "operation": approval.operation,
            "requester": approval.requester.subject,
            "beneficiary": approval.beneficiary.subject,
            "approvers": approval.approvers,
        },
    )


def context(approval: Approval, *, level: int | None = None) -> dict[str, Any]:
    """Return what the policies are told besides; `level` is that of the card where none is given."""
    parameters = {**approval.terms, **approval.sends}
    return {"parameters": parameters, "level": approval.level if level is None else level}


def actor(person: Person) -> Actor:
    """Return how the records name a person."""
    return Actor(subject=person.subject, name=person.name, email=person.email)
