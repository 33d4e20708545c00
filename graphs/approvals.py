"""Approvals: who decided what about which exact action. One row is one card, at one version."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from psycopg.types.json import Jsonb

from connectors.directory import Person
from graphs import authority, effects, erasing, ids, recorded
from graphs.authority import Level
from graphs.digests import differences, digest
from graphs.plans import Proposal, Proposed, comparable, upgraded
from graphs.ports import Connection
from graphs.recorded import Ledger, Told
from graphs.records import (
    Actor,
    Approval,
    ApprovalStatus,
    Clause,
    Difference,
    Escalation,
    Party,
    PlanStep,
    Run,
    Shown,
    Verdict,
    Void,
    Vote,
)


async def latest(conn: Connection, run: str) -> str | None:
    """Return the approval that a run asked for last, or None where it has asked for none."""
    cursor = await conn.execute("SELECT id FROM approval WHERE run = %s ORDER BY round DESC LIMIT 1", (run,))
    row = await cursor.fetchone()
    return None if row is None else str(row["id"])


async def propose(conn: Connection, run: Run, proposal: Proposal, *, version: int, level: int) -> str:
    """Store the approval of a run's next round and return its id.

    What an earlier round asked for has been made void before: of one run, one approval can be pending.
    """
    round_, former = await _former(conn, run.id)
    cursor = await conn.execute("SELECT moment() AS now, current_setting('countersign.tenant') AS tenant")
    here = await cursor.fetchone()
    assert here is not None
    decide_by = here["now"] + proposal.deadlines.decide_within
    action = proposal.action(run, version=version, level=level, decide_by=decide_by)
    card = {
        "title": run.title,
        "lines": [asdict(line) for line in proposal.lines],
        "steps": [_seen(one) for one in proposal.steps],
        "clause": asdict(proposal.clause),
        "beneficiary": asdict(proposal.beneficiary) if proposal.beneficiary else None,
        "authors": [asdict(author) for author in run.authors],
        "reason": proposal.reason,
        "differences": [asdict(one) for one in _changed(former, action)],
    }
    card_id = ids.fresh()
    await conn.execute(
        "INSERT INTO approval (id, run, round, digest, action, card, replaces, decide_by, remind_at,"
        " escalate_at, clause_document, clause_anchor, clause_hash, clause_seen)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            card_id,
            run.id,
            round_,
            digest(here["tenant"], action),
            Jsonb(action),
            Jsonb(card),
            former["id"] if former else None,
            decide_by,
            here["now"] + proposal.deadlines.remind_after if proposal.deadlines.remind_after else None,
            action["escalation"].get("at"),
            proposal.clause.document,
            proposal.clause.anchor,
            proposal.clause.hash,
            proposal.clause.edition,
        ),
    )
    return card_id


def _seen(proposed: Proposed) -> dict[str, str]:
    """Return what a card says of a step besides what the digest covers."""
    change = proposed.change
    seen = {"before": "", "after": ""} if change is None else {"before": change.before, "after": change.after}
    return {"name": proposed.step.name, **seen}


async def _former(conn: Connection, run: str) -> tuple[int, Mapping[str, Any] | None]:
    """Return the number of the next round, and the approval of the one before.

    None where there is none, and where it was carried out: then nothing replaces it.
    """
    cursor = await conn.execute(
        "SELECT id, round, action, EXISTS"
        " (SELECT FROM effect WHERE approval = approval.id AND state = 'done') AS carried_out"
        " FROM approval WHERE run = %s ORDER BY round DESC LIMIT 1",
        (run,),
    )
    former = await cursor.fetchone()
    if former is None:
        return 1, None
    return former["round"] + 1, None if former["carried_out"] else former


def _changed(former: Mapping[str, Any] | None, action: Mapping[str, Any]) -> Iterable[Difference]:
    if former is None:
        return ()
    moved = {"decide_by", "escalation.at"}  # with the time at which it is asked
    before, after = comparable(upgraded(former["action"]), action)
    return (one for one in differences(before, after) if one.name not in moved)


_APPROVALS = (  # with room for `more` columns
    "SELECT approval.*, run.workflow, run.requester, former.void AS replaced,"
    " former.card->'clause'->>'text' AS former_clause,"
    " approval.xmin = pg_current_xact_id_if_assigned()::xid AS ours,"
    " ARRAY(SELECT to_jsonb(vote) || jsonb_build_object('fresh',"
    "   coalesce(vote.xmin = pg_current_xact_id_if_assigned()::xid, false))"
    "  FROM vote WHERE (vote.tenant, approval) = (approval.tenant, approval.id)"
    "  ORDER BY at, subject) AS votes{more} FROM approval"
    " JOIN run ON (run.tenant, run.id) = (approval.tenant, approval.run)"
    " LEFT JOIN approval AS former ON (former.tenant, former.id) = (approval.tenant, approval.replaces)"
)


async def load(conn: Connection, card: str) -> Approval | None:
    """Return the approval that a card names, or None where there is none."""
    cursor = await conn.execute(_ONE, (card,))
    row = await cursor.fetchone()
    return await _recorded(conn, await erasing.opened(conn, row, "action")) if row else None


async def follow(
    conn: Connection, card: str, *, run: str = "", of_run: Collection[str] = ()
) -> tuple[Approval, Ledger, Told]:
    """Return an approval that is there, what was done under it, and what the record tells of both.

    `run` and `of_run` are as in `recorded.told`. Raises audit.ChainBroken and audit.Locked.
    """
    cursor = await conn.execute(_ONE, (card,))
    row = await cursor.fetchone()
    assert row is not None
    rows = await effects.of_approval(conn, card)
    told = await recorded.told(conn, card, run=run, of_run=of_run)
    approval = await _recorded(conn, await erasing.opened(conn, row, "action"), told=told)
    return approval, await recorded.ledger(conn, card, rows=rows, told=told), told


async def asked(conn: Connection, card: str) -> Approval | None:
    """Return what a card asked for, as the record has it: without its votes, and however it stands.

    Only what the application's role cannot change is read, so that nothing that is written there meanwhile
    keeps from its end what was granted.
    """
    cursor = await conn.execute(_ASKED, (card,))
    row = await cursor.fetchone()
    if row is None:
        return None
    row = await erasing.opened(conn, row, "action")
    return await recorded.approval(conn, _approval(row), fresh=(), ours=False, kept=bool(row.get("kept")))


_ASKED = (
    "SELECT approval.tenant, approval.id, run, digest, action, card, approval.created_at, decide_by,"
    " remind_at, replaces, workflow, requester, 'approved' AS status, NULL AS decided_at, NULL AS void,"
    " NULL AS replaced, NULL AS former_clause, '{}'::jsonb[] AS votes FROM approval"
    " JOIN run ON (run.tenant, run.id) = (approval.tenant, approval.run) WHERE approval.id = %s"
)


async def status(conn: Connection, card: str) -> ApprovalStatus:
    """Return where the approval stands."""
    found = await load(conn, card)
    assert found is not None
    return found.status


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """An approval at this moment, with what it is measured by before anything is done under it."""

    approval: Approval
    action: Mapping[str, Any]  # what its digest covers, in today's form
    level: Level  # that its operations have now
    now: datetime
    told: Told  # by the record, of the approval


async def stand(conn: Connection, card: str) -> Standing | None:
    """Return how the approval that a card names stands now, or None where there is none."""
    cursor = await conn.execute(_STANDING, (card,))
    row = await cursor.fetchone()
    if row is None:
        return None
    row = await erasing.opened(conn, row, "action")
    told = await recorded.of_approval(conn, card)
    return Standing(
        approval=await _recorded(conn, row, told=told),
        told=told,
        action=upgraded(row["action"]),
        level=authority.lowest(
            row["levels"], of=len({one["operation"] for one in upgraded(row["action"])["steps"]})
        ),
        now=row["now"],
    )


_ONE = f"{_APPROVALS.format(more='')} WHERE approval.id = %s"
_STANDING = (
    _APPROVALS.format(
        more=", moment() AS now, ARRAY(SELECT level FROM authority_level WHERE operation IN"
        " (SELECT step->>'operation' FROM jsonb_array_elements(approval.action->'steps') AS step"
        "  UNION SELECT approval.action->>'operation')) AS levels"
    )
    + " WHERE approval.id = %s"
)


async def of_run(conn: Connection, run: str) -> list[Approval]:
    """Return all approvals of a run, oldest first."""
    cursor = await conn.execute(_OF_RUN, (run,))
    return [
        await _recorded(conn, await erasing.opened(conn, row, "action")) for row in await cursor.fetchall()
    ]


_OF_RUN = f"{_APPROVALS.format(more='')} WHERE approval.run = %s ORDER BY round"


async def _recorded(
    conn: Connection, row: Mapping[str, Any], *, told: Told = None, sure: bool = False
) -> Approval:
    """Return the approval of a row as the record has it; its row is put right where it says another thing.

    `told` is what the record tells, if it was read after the row. `sure`: it has been read twice, so it was
    not decided between the reading of the row and of the record.
    """
    fresh = {vote["subject"] for vote in row["votes"] if vote["fresh"]}
    found = _approval(row)
    so = await recorded.approval(
        conn, found, fresh=fresh, ours=bool(row["ours"]), kept=bool(row.get("kept")), told=told
    )
    if so.status is found.status:
        return so
    if sure:
        recorded.alarm("The state of the approval", found.id)
        await _put_right(conn, found.id, so)
    cursor = await conn.execute(_ONE, (found.id,))
    again = await cursor.fetchone()
    assert again is not None
    again = await erasing.opened(conn, again, "action")
    if sure:
        return replace(so, decided_at=again["decided_at"])
    return await _recorded(conn, again, sure=True)


async def _put_right(conn: Connection, card: str, told: Approval) -> None:
    decided = told.status in {ApprovalStatus.APPROVED, ApprovalStatus.DENIED}
    at = max((vote.at for vote in told.votes), default=None)  # none where the vote's row is not ours either
    await conn.execute(
        "UPDATE approval SET status = %s,"
        " decided_at = CASE WHEN %s THEN coalesce(%s, decided_at, moment()) END,"
        " void = CASE WHEN %s = 'void' THEN coalesce(void, %s) END WHERE id = %s",
        (told.status.value, decided, at, told.status.value, Jsonb({"key": "changed", "facts": {}}), card),
    )


def _vote(row: Mapping[str, Any]) -> Vote:
    return Vote(
        by=Actor(**row["person"]),
        verdict=Verdict(row["verdict"]),
        at=datetime.fromisoformat(row["at"]),
        reason=row["reason"],
        stands_for=Actor(**row["stands_for"]) if row["stands_for"] else None,
    )


def _approval(row: Mapping[str, Any]) -> Approval:
    action, card = upgraded(row["action"]), row["card"]
    seen = {one["name"]: one for one in card.get("steps", ())} or {action["steps"][0]["name"]: card}
    return Approval(
        id=row["id"],
        run=row["run"],
        workflow=row["workflow"],
        title=card["title"],
        status=ApprovalStatus(row["status"]),
        requester=Actor(**{**row["requester"], "subject": action["requester"]}),
        beneficiary=_beneficiary(card["beneficiary"], action["beneficiary"]),
        lines=tuple(Shown(**line) for line in card["lines"]),
        steps=tuple(_step(one, seen.get(one["name"], {})) for one in action["steps"]),
        then=action.get("then", ""),
        level=action["level"],
        clause=Clause(**card["clause"]),
        approvers=_groups(action["approvers"]),
        quorum=action["quorum"],
        confirmed=action.get("confirmed", False),
        authors=tuple(Actor(**author) for author in card.get("authors", ())),
        reason=card["reason"],
        digest=row["digest"],
        intact=digest(row["tenant"], row["action"]) == row["digest"],
        created_at=row["created_at"],
        decide_by=row["decide_by"],
        execute_within=action["execute_within"],
        remind_at=row["remind_at"],
        escalation=_escalation(action["escalation"]),
        votes=tuple(map(_vote, row["votes"])),
        decided_at=row["decided_at"],
        void=Void(**row["void"]) if row["void"] else None,
        replaces=row["replaces"],
        replaced=Void(**row["replaced"]) if row["replaced"] else None,
        differences=tuple(Difference(**one) for one in card["differences"]),
        clause_before=row["former_clause"] or "",
    )


def _step(action: Mapping[str, Any], seen: Mapping[str, Any]) -> PlanStep:
    """Return a step: what the digest covers, and what the card says it changes."""
    told = ("name", "operation", "target", "undo", "lasts", "effect", "scope", "reversible")
    return PlanStep(
        **{name: action[name] for name in told if name in action},
        sends=action["parameters"],
        basis=action["preconditions"],
        before=seen.get("before", ""),
        after=seen.get("after", ""),
    )


def _beneficiary(shown: Mapping[str, Any] | None, bound: Mapping[str, str]) -> Actor | Party | None:
    """Return who gets it: whom the digest names, under the name that the card has for them."""
    if not bound:
        return None
    if "person" in bound:
        return Actor(**{**(shown or {}), "subject": bound["person"]})
    return Party(name=str((shown or {}).get("name", "")), system=bound["system"], id=bound["id"])


def _escalation(second: Mapping[str, Any]) -> Escalation | None:
    if not second:
        return None
    return Escalation(groups=_groups(second["groups"]), at=datetime.fromisoformat(second["at"]))


def _groups(known: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    return {one["name"]: one["id"] for one in known}


async def vote(
    conn: Connection,
    card: str,
    verdict: Verdict,
    *,
    by: Actor,
    reason: str | None = None,
    stands_for: Actor | None = None,
) -> bool:
    """Take one person's word on a card by one compare-and-set. True for the click that counts.

    It counts while the approval is pending and its time is not over, once for each person and once for each
    right that is used: of somebody and their stand-in, the first. The vote that makes the quorum approves,
    the first denial ends it.
    """
    # The row is held first: a statement of its own then sees whatever has happened meanwhile, also the time.
    await conn.execute("SELECT FROM approval WHERE id = %s FOR UPDATE", (card,))
    cursor = await conn.execute(
        "INSERT INTO vote (approval, subject, human, holder, person, stands_for, verdict, reason)"
        " SELECT id, %s, %s, %s, %s, %s, %s, %s FROM approval"
        " WHERE id = %s AND status = 'pending' AND decide_by > moment() ON CONFLICT DO NOTHING",
        (
            by.subject,
            by.human or by.subject,
            (stands_for or by).human or (stands_for or by).subject,
            Jsonb(asdict(by)),
            Jsonb(asdict(stands_for)) if stands_for else None,
            verdict.value,
            reason,
            card,
        ),
    )
    if cursor.rowcount == 0:
        return False
    counted = await load(conn, card)  # the votes that the record has, and this one
    assert counted is not None
    said = [vote for vote in counted.votes if vote.verdict is verdict]
    if verdict is Verdict.DENY or len(said) >= counted.quorum:
        await conn.execute(
            "UPDATE approval SET status = %s, decided_at = %s WHERE id = %s",
            (_DECIDED[verdict].value, max(vote.at for vote in said), card),
        )
    return True


_DECIDED = {Verdict.APPROVE: ApprovalStatus.APPROVED, Verdict.DENY: ApprovalStatus.DENIED}


async def void(conn: Connection, card: str, why: Void) -> bool:
    """Let an approval count no more, because something has changed. True when this call did it.

    What has been carried out, denied or expired stays as it is.
    """
    cursor = await conn.execute(
        "UPDATE approval SET status = 'void', void = %s WHERE id = %s AND status IN ('pending', 'approved')"
        " AND NOT EXISTS (SELECT FROM effect WHERE approval = %s AND state = 'done')",
        (Jsonb(asdict(why)), card, card),
    )
    return cursor.rowcount == 1


async def withdraw(conn: Connection, card: str, why: Void) -> bool:
    """Let an approval that can still be decided count no more, by one compare-and-set. True for one alone."""
    cursor = await conn.execute(
        "UPDATE approval SET status = 'void', void = %s"
        " WHERE id = %s AND status = 'pending' AND decide_by > moment()",
        (Jsonb(asdict(why)), card),
    )
    return cursor.rowcount == 1


async def is_open(conn: Connection, card: str) -> bool:
    """Whether the approval can still be decided at this moment."""
    cursor = await conn.execute(
        "SELECT FROM approval WHERE id = %s AND status = 'pending' AND decide_by > moment()", (card,)
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


def names(approval: Approval) -> str:
    """Name those who approved, for people to read."""
    return ", ".join(vote.by.name for vote in approval.assents)


def actor(person: Person) -> Actor:
    """Return how the records name a person."""
    return Actor(subject=person.subject, name=person.name, email=person.email, human=person.human)
