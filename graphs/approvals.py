"""Approvals: who decided what about which exact action. One row is one card, at one version."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from psycopg.types.json import Jsonb

from connectors.base import Change, Payload
from connectors.directory import Person
from graphs import authority, erasing, ids, recorded
from graphs.authority import Level
from graphs.digests import differences, digest
from graphs.ports import Connection
from graphs.records import (
    Actor,
    Approval,
    ApprovalStatus,
    Clause,
    Difference,
    Escalation,
    Run,
    Shown,
    Verdict,
    Void,
    Vote,
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
    approvers: Mapping[str, str]  # the groups whose members may decide, by name, each with the directory's id
    quorum: int  # how many distinct people have to approve
    lines: tuple[Shown, ...]
    reason: str
    decide_within: timedelta
    execute_within: timedelta
    remind_after: timedelta | None = None  # from when it is asked, as the next one is
    escalate_after: timedelta = timedelta(0)
    escalation: Mapping[str, str] = field(default_factory=dict)  # who may decide as well from then on

    def __post_init__(self) -> None:
        names = self.terms.keys() & type(self.payload).model_fields.keys()
        assert not names, f"{names} are both sent and agreed: the policies could not tell which is which"

    def action(self, run: Run, *, version: int, level: int, decide_by: datetime) -> dict[str, Any]:
        """Return exactly what an approval of this is bound to, as plain JSON."""
        asked_at = decide_by - self.decide_within
        second = {
            "groups": sorted(self.escalation),
            "ids": _ids(self.escalation),
            "at": _text(asked_at + self.escalate_after),
        }
        return {
            "workflow": run.workflow,
            "version": version,
            "operation": self.operation,
            "parameters": self.payload.model_dump(mode="json"),
            "terms": dict(self.terms),
            "target": self.change.target,
            "requester": run.requester.subject,
            "beneficiary": self.beneficiary.subject,
            "authors": sorted(author.subject for author in run.authors),
            "approvers": sorted(self.approvers),
            "quorum": self.quorum,
            "escalation": second if self.escalation else {},
            "clause": self.clause.hash,
            "level": level,
            "preconditions": {**dict(self.change.basis), "approvers_id": _ids(self.approvers)},
            "decide_by": _text(decide_by),
            "execute_within": int(self.execute_within.total_seconds()),
        }


def _ids(groups: Mapping[str, str]) -> str:
    """Name groups by their ids: another group of the same name is another one."""
    return ", ".join(groups[name] for name in sorted(groups))


def _text(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds")


async def propose(
    conn: Connection, run: Run, proposal: Proposal, *, round_: int, version: int, level: int
) -> str:
    """Store the approval of one round of a run and return its id; the same round gives the same approval.

    What an earlier round asked for has been made void before: of one run, one approval can be pending.
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
            here["now"] + proposal.remind_after if proposal.remind_after else None,
            action["escalation"].get("at"),
            proposal.clause.document,
            proposal.clause.anchor,
            proposal.clause.hash,
            proposal.clause.edition,
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
    return None if former is None or former["carried_out"] else former


def _changed(former: Mapping[str, Any] | None, action: Mapping[str, Any]) -> Iterable[Difference]:
    if former is None:
        return ()
    moved = {"decide_by", "escalation.at"}  # with the time at which it is asked
    return (one for one in differences(former["action"], action) if one.name not in moved)


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
    action: Mapping[str, Any]  # what its digest covers
    tenant: str
    level: Level
    now: datetime


async def stand(conn: Connection, card: str) -> Standing | None:
    """Return how the approval that a card names stands now, or None where there is none."""
    cursor = await conn.execute(_STANDING, (card,))
    row = await cursor.fetchone()
    if row is None:
        return None
    row = await erasing.opened(conn, row, "action")
    return Standing(
        approval=await _recorded(conn, row),
        action=row["action"],
        tenant=row["tenant"],
        level=authority.written(row["level"]),
        now=row["now"],
    )


_ONE = f"{_APPROVALS.format(more='')} WHERE approval.id = %s"
_STANDING = (
    _APPROVALS.format(
        more=", moment() AS now, (SELECT level FROM authority_level"
        " WHERE operation = approval.action->>'operation') AS level"
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


async def _recorded(conn: Connection, row: Mapping[str, Any], *, sure: bool = False) -> Approval:
    """Return the approval of a row as the record has it; its row is put right where it says another thing.

    `sure`: it has been read twice, so it was not decided between the reading of the row and of the record.
    """
    fresh = {vote["subject"] for vote in row["votes"] if vote["fresh"]}
    found = _approval(row)
    told = await recorded.approval(
        conn, found, fresh=fresh, ours=bool(row["ours"]), kept=bool(row.get("kept"))
    )
    if told.status is found.status:
        return told
    if sure:
        recorded.alarm("The state of the approval", found.id)
        await _put_right(conn, found.id, told)
    cursor = await conn.execute(_ONE, (found.id,))
    again = await cursor.fetchone()
    assert again is not None
    again = await erasing.opened(conn, again, "action")
    if sure:
        return replace(told, decided_at=again["decided_at"])
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
    action, card = row["action"], row["card"]
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
        approvers=_groups(action["approvers"], action["preconditions"]["approvers_id"]),
        quorum=action.get("quorum", 1),
        authors=tuple(Actor(**author) for author in card.get("authors", ())),
        reason=card["reason"],
        digest=row["digest"],
        intact=digest(row["tenant"], action) == row["digest"],
        created_at=row["created_at"],
        decide_by=row["decide_by"],
        execute_within=action["execute_within"],
        remind_at=row["remind_at"],
        escalation=_escalation(action.get("escalation")),
        votes=tuple(map(_vote, row["votes"])),
        decided_at=row["decided_at"],
        void=Void(**row["void"]) if row["void"] else None,
        replaces=row["replaces"],
        replaced=Void(**row["replaced"]) if row["replaced"] else None,
        differences=tuple(Difference(**one) for one in card["differences"]),
        clause_before=row["former_clause"] or "",
    )


def _escalation(second: Mapping[str, Any] | None) -> Escalation | None:
    if not second:
        return None
    groups = _groups(second["groups"], second["ids"])
    return Escalation(groups=groups, at=datetime.fromisoformat(second["at"]))


def _groups(names: str | Sequence[str], ids: str) -> Mapping[str, str]:
    """Return the groups with their ids, as `_ids` had joined them."""
    # before there were quorums, an action named one group as a string
    known = [names] if isinstance(names, str) else names
    return dict(zip(known, ids.split(", "), strict=False))  # a row that was tampered with is not intact


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
