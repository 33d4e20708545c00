"""What the records say around an event: the request it belongs to, its approval, and who is concerned."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphs.audit import head, keyed, people
from graphs.audit.events import Envelope, Fact, release
from graphs.audit.values import HOUSE, Owners, People, is_person, subject_of
from graphs.audit.vault import book_of
from graphs.ports import Connection

_BY_REQUESTER = frozenset({"run.started", "run.filled"})
_VOTED = frozenset({"approval.voted", "approval.decided"})
_ASSENT = "approve"
_PERSONAL = frozenset({"digest"})  # covers the requester: unsalted, it would confirm a guessed person
_ENVELOPE = frozenset({"policies", "policy"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Context:
    """The rows that an event is about, as plain JSON, and what it was told."""

    kind: str
    id: str | None  # of the run
    run: Mapping[str, Any] | None
    approvals: tuple[Mapping[str, Any], ...]  # of the request, each with its votes
    approved_by: tuple[str, ...]  # pseudonyms of those of whom the record has it already
    facts: Mapping[str, Fact]
    detail: Mapping[str, Any]

    @property
    def actor(self) -> str | None:
        """The subject of who did it; None for the bot itself."""
        by = self.detail.get("by")
        if is_person(by):
            return subject_of(by)
        if self.run is not None and self.kind in _BY_REQUESTER:
            return subject_of(self.run["requester"])
        return None

    @property
    def people(self) -> People:
        """Everybody whom the values may name."""
        requester = self.run["requester"] if self.run is not None else None
        return People.found_in(requester, *self.approvals, self.detail)

    @property
    def concerned(self) -> Owners:
        """Whose the values are that name nobody: of who did it and of whom the request is about."""
        found = {self.actor} if self.actor is not None else set()
        if self.run is not None:
            found.add(subject_of(self.run["requester"]))
        if self._approval is not None and is_person(self._approval["card"].get("beneficiary")):
            found.add(subject_of(self._approval["card"]["beneficiary"]))
        return frozenset(found) or frozenset({HOUSE})

    @property
    def values(self) -> dict[str, Any]:
        """What stands beside the chain: the detail, and the facts that would give a person away."""
        return {**self.detail, **{name: self.facts[name] for name in _PERSONAL & self.facts.keys()}}

    def envelope(self, pseudonyms: Mapping[str, str]) -> Envelope:
        """Return what stands in the chain. `pseudonyms` names the actor."""
        run, facts = self.run, self.facts
        actor = None if self.actor is None else pseudonyms[self.actor]
        fresh = [actor] if actor and self.kind in _VOTED and facts.get("verdict") == _ASSENT else []
        return Envelope(
            kind=self.kind,
            run=self.id,
            trace=self.id if run is None else run["trace"],
            actor=actor,
            approvers=[*dict.fromkeys([*self.approved_by, *fresh])],
            policies=[name for name in str(facts.get("policies", "")).split(", ") if name],
            policy=str(facts["policy"]) if "policy" in facts else None,
            level=None if self._approval is None else self._approval["action"].get("level"),
            outcome=str(facts.get("verdict") or facts.get("status") or self.kind.rpartition(".")[2]),
            versions=self._versions,
            facts={name: value for name, value in facts.items() if name not in _PERSONAL | _ENVELOPE},
        )

    @property
    def _approval(self) -> Mapping[str, Any] | None:
        return next((one for one in self.approvals if one["id"] == self.facts.get("approval")), None)

    @property
    def _versions(self) -> dict[str, str | None]:
        run, approval = self.run, self._approval
        action = (approval or {"action": {}})["action"]
        operations = sorted({one["operation"] for one in action.get("steps", ())}) or [
            action.get("operation")
        ]
        operation = self.detail.get("operation") or ", ".join(filter(None, operations)) or None
        return {
            "workflow": None if run is None else f"{run['workflow']} {run['version']}",
            "edition": None if approval is None else approval["card"]["clause"]["edition"],
            "connector": None if operation is None else f"{operation} {release()}",
            "model": None,  # no model has a part in what is recorded today
            "prompt": None,
        }


async def hold(
    conn: Connection,
    kind: str,
    run: str | None,
    facts: Mapping[str, Fact],
    detail: Mapping[str, Any],
    *,
    handles: Sequence[str],
) -> tuple[Mapping[str, Any], Context]:
    """Hold the end of the record, and read what there is around an event that is about to be written.

    Returns the tenant too, and what `look` does: as it was when this began to wait for the end.
    """
    about = {
        "run": run,
        "approval": facts.get("approval"),
        "handles": list(handles),
        "end": book_of(conn).end,
    }
    cursor = await conn.execute(_HOLD, about)
    row = await cursor.fetchone()
    assert row is not None
    return row, Context(
        kind=kind,
        id=run,
        run=row["run"],
        approvals=tuple(row["approvals"] or ()),
        approved_by=await _approved_by(conn, row["voted"]),
        facts=facts,
        detail=detail,
    )


async def look(conn: Connection, handles: Sequence[str]) -> Mapping[str, Any]:
    """Return the time, the end of the record, and who of these people is known. The caller holds the end."""
    cursor = await conn.execute(f"SELECT {_SEEN}", {"handles": list(handles), "end": book_of(conn).end})
    row = await cursor.fetchone()
    assert row is not None
    return row


async def _approved_by(conn: Connection, voted: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """Return who has approved, by what the record tells: rows of votes are worth nothing."""
    bodies = [
        json.loads(row["body"])
        for row, ours in zip(voted, await keyed.own(conn, voted), strict=True)
        if ours and keyed.is_whole(row["body"], row["hash"])
    ]
    return tuple(
        one["actor"]
        for one in bodies
        if one.get("actor") and one["kind"] in _VOTED and one["facts"].get("verdict") == _ASSENT
    )


NEAR = 8  # events at the end that are read at once: those since the last that this process knows
_END = (  # from the last event of ours that this process knows, else the last event there is
    "SELECT jsonb_build_object('tenant', tenant, 'seq', seq, 'hash', hash, 'mac', mac) FROM"
    f" (SELECT tenant, seq, hash, {keyed.MAC} FROM audit_event AS event"
    "  WHERE seq >= coalesce(%(end)s, (SELECT max(seq) FROM audit_event))"
    f"  ORDER BY seq LIMIT {NEAR}) AS ending"
)
_SEEN = f"moment() AS at, ARRAY({people.KNOWN}) AS found, ARRAY({_END}) AS ending"
_HOLD = (
    f"SELECT {head.HOLD}, {_SEEN}, around.*, ARRAY(SELECT to_jsonb(told) FROM"
    f"  (SELECT tenant, seq, hash, body, {keyed.MAC} FROM audit_event AS event"
    "   WHERE kind IN ('approval.voted', 'approval.decided')"
    "   AND event.approval = %(approval)s ORDER BY seq) AS told) AS voted"
    " FROM (SELECT 1) AS one LEFT JOIN"
    " (SELECT to_jsonb(run) || jsonb_build_object('trace', coalesce(slots ->> 'run', id)) AS run,"
    "   (SELECT jsonb_agg(to_jsonb(approval) || jsonb_build_object('votes',"
    "    coalesce((SELECT jsonb_agg(to_jsonb(vote) ORDER BY vote.at, subject) FROM vote"
    "     WHERE vote.approval = approval.id), '[]'))) FROM approval"
    "    WHERE approval.run = coalesce(run.slots ->> 'run', run.id)) AS approvals"
    "  FROM run WHERE id = %(run)s) AS around ON true"
)
