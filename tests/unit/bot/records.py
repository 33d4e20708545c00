"""Records to draw, ordinary and hostile."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from graphs.records import (
    Actor,
    Approval,
    ApprovalStatus,
    Clause,
    Delegation,
    Difference,
    Doubt,
    Escalation,
    Field,
    Finding,
    Milestone,
    PlanStep,
    Resolution,
    Review,
    Run,
    RunStatus,
    Shown,
    Verdict,
    Void,
    Vote,
)
from knowledge.answer import Answer, Citation, Passage, Worded
from knowledge.documents import Section

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
ADA = Actor(subject="larkfield#ada", name="Ada Okafor", email="ada.okafor@larkfield.example")
GRACE = Actor(subject="larkfield#grace", name="Grace Lindqvist", email="grace.lindqvist@larkfield.example")

TOMAS = Actor(subject="larkfield#tomas", name="Tomas Varga", email="tomas.varga@larkfield.example")
INES = Actor(subject="larkfield#ines", name="Ines Moreau", email="ines.moreau@larkfield.example")

HOSTILE = (
    "<!channel> <!here> <!everyone> <@U0GRACE> <#C0GENERAL> <!subteam^S1> @channel "
    "<https://evil.example|Open the policy> https://evil.example *bold* `code` &amp; <script>"
)
INPUTS = {
    "long": "word " * 8000,
    "one long word": "x" * 40_000,
    "empty": "",
    "blank": "   \n ",
    "hostile": HOSTILE,
    "right to left": "\u202egpj.exe\u202c שלום مرحبا \u200b\u2066hidden\u2069",
    "emoji": "👩‍👩‍👧‍👦🏳️‍🌈" * 2000,
    "lone surrogate": "a\ud800b",
    "controls": "a\x00b\x1bc\u0007d\u2028e",
    "ampersands": "&<>" * 5000,
}


DAY = 86_400


def groups(*names: str) -> dict[str, str]:
    """Return groups by name, each with an id of the directory."""
    return {name: f"{name}-id" for name in names}


def step(text: str | None = None, **changes: Any) -> PlanStep:
    """Return one step, with `text` wherever a text can come from outside."""
    given: dict[str, Any] = {
        "name": "grant",
        "operation": "directory.add_to_group",
        "sends": {"group": "billing-db" if text is None else text, "person": "ada-id"},
        "before": "Ada Okafor is not a member of billing-db" if text is None else text,
        "after": "Ada Okafor is a member of billing-db" if text is None else text,
        "scope": "groups:write",
    }
    return PlanStep(**{**given, **changes})


def approval(text: str | None = None, **changes: Any) -> Approval:
    """Return an approval, with `text` wherever a text can come from outside."""
    actor = ADA if text is None else Actor(subject="larkfield#ada", name=text, email=text)
    given: dict[str, Any] = {
        "id": "c3Xo4Tn0iQ9dP2s8vLk1Yw",
        "run": "r7Hd0Gq2bN5mZx1cVt8Kpw",
        "workflow": "it_access",
        "title": "Access to data" if text is None else text,
        "status": ApprovalStatus.PENDING,
        "requester": actor,
        "beneficiary": actor,
        "lines": (
            Shown(label="Group", value="billing-db" if text is None else text),
            Shown(label="Days", value="3" if text is None else text),
        ),
        "steps": (step(text, lasts=3 * DAY),),
        "then": "granted",
        "level": 2,
        "clause": clause(text),
        "approvers": groups("data-owners") if text is None else groups(text, "data-owners"),
        "quorum": 1,
        "authors": (),
        "reason": "To close the quarter" if text is None else text,
        "digest": "9f2c" * 16,
        "intact": True,
        "created_at": NOON,
        "decide_by": NOON + timedelta(hours=24),
        "execute_within": 900,
    }
    return Approval(**{**given, **changes})


def doubt(text: str | None = None, *, answer: Resolution | None = None, undoable: bool = True) -> Doubt:
    """Return a doubt about what an approval approved."""
    return Doubt(
        id="d9Kx2Lw7uZq4Rt6yBn3Mvg",
        approval=decided(Verdict.APPROVE, text),
        act="apply",
        step="grant",
        sends={"group": "billing-db" if text is None else text, "person": "ada-id"},
        key="k5Jf8Sg1aPo3Ie7uYt9Wqw",
        intended_at=NOON + timedelta(minutes=1),
        opened_at=NOON + timedelta(minutes=2),
        undoable=undoable,
        answer=answer,
        by=None if answer is None else Actor(subject="larkfield#grace", name=text or "Grace", email=""),
        at=None if answer is None else NOON + timedelta(hours=1),
    )


def clause(text: str | None = None) -> Clause:
    """Return a clause."""
    return Clause(
        document="it-access.md",
        anchor="temporary-access-to-data",
        title="IT access" if text is None else text,
        section="Temporary access to data" if text is None else text,
        text="A data owner decides. Access lasts at most 30 days." if text is None else text,
        hash="ab" * 32,
        url=None if text is None else text,
        edition="e1",
    )


def decided(verdict: Verdict, reason: str | None = None) -> Approval:
    """Return an approval that Grace has decided."""
    status = ApprovalStatus.APPROVED if verdict is Verdict.APPROVE else ApprovalStatus.DENIED
    vote = Vote(by=GRACE, verdict=verdict, at=NOON + timedelta(minutes=7), reason=reason)
    return approval(status=status, votes=(vote,), decided_at=vote.at)


def replacing(text: str | None = None) -> Approval:
    """Return an approval that replaces an earlier one."""
    difference = Difference(name="clause", before="30 days", after="14 days" if text is None else text)
    why = Void(key="changed", facts={} if text is None else {"by": text})
    return approval(
        text,
        replaces="older",
        replaced=why,
        differences=(difference,) * 12,
        clause_before="A data owner decides. Access lasts at most 90 days." if text is None else text * 2,
    )


def halfway(text: str | None = None) -> Approval:
    """Return an approval that one of two people has given, and that members of two groups may give."""
    grace = GRACE if text is None else Actor(subject="larkfield#grace", name=text, email=text)
    vote = Vote(by=grace, verdict=Verdict.APPROVE, at=NOON + timedelta(minutes=7))
    return approval(text, quorum=2, approvers=groups("data-owners", text or "security"), votes=(vote,))


def void(text: str | None = None, key: str = "voter_lost") -> Approval:
    """Return an approval that counts no more."""
    said = {"by": "Ben Castellanos", "changes": "For how many days: 9 → 3"}
    why = Void(key=key, facts=said if text is None else dict.fromkeys(said, text))
    return approval(text, status=ApprovalStatus.VOID, void=why)


def escalating(text: str | None = None) -> Approval:
    """Return an approval on which a second group may decide later."""
    second = groups("it-leads" if text is None else text)
    return approval(text, escalation=Escalation(groups=second, at=NOON + timedelta(hours=18)))


def stood_in() -> Approval:
    """Return an approval that Tomas has decided for Grace."""
    vote = Vote(by=TOMAS, stands_for=GRACE, verdict=Verdict.APPROVE, at=NOON)
    return approval(status=ApprovalStatus.APPROVED, votes=(vote,), decided_at=NOON)


def delegation(text: str | None = None) -> Delegation:
    """Return a delegation."""
    holder = GRACE if text is None else Actor(subject="larkfield#grace", name=text, email=text)
    return Delegation(
        id="d7Hd0Gq2bN5mZx1cVt8Kpw",
        holder=holder,
        stand_in=TOMAS,
        starts_at=NOON,
        ends_at=NOON + timedelta(days=3),
    )


def review(text: str | None = None, finding: Finding | None = None) -> Review:
    """Return the review of an emergency, open or signed off by Ines."""
    vote = Vote(by=TOMAS, stands_for=GRACE, verdict=Verdict.APPROVE, at=NOON)
    given: dict[str, Any] = {
        "id": "v7Hd0Gq2bN5mZx1cVt8Kpw",
        "run": "e7Hd0Gq2bN5mZx1cVt8Kpw",
        "approval": approval(
            text, status=ApprovalStatus.APPROVED, votes=(vote,), decided_at=NOON, title="Emergency access"
        ),
        "reviewers": "people-team" if text is None else text,
        "created_at": NOON,
    }
    if finding is not None:
        given |= {"finding": finding, "by": INES, "at": NOON, "reason": "" if text is None else text}
    return Review(**given)


FIELDS = (
    Field(name="group", label="Which access", kind="choice", options=("billing-db", "crm-readers")),
    Field(name="days", label="For how many days", kind="number", least=1, most=30),
    Field(name="reason", label="What for", kind="text", most=500, help="The approver reads this."),
)


def run(text: str | None = None, **changes: Any) -> Run:
    """Return a run."""
    given: dict[str, Any] = {
        "id": "r7Hd0Gq2bN5mZx1cVt8Kpw",
        "workflow": "it_access",
        "title": "Access to data" if text is None else text,
        "status": RunStatus.WAITING,
        "requester": ADA,
        "authors": (),
        "origin": {"channel": "D1", "thread_ts": "1.0", "user": "U0ADA"},
        "values": {
            "group": "billing-db",
            "days": "3",
            "reason": "close the quarter" if text is None else text,
        },
        "missing": (),
        "problems": {},
        "milestones": tuple(
            Milestone(key=key, at=NOON, facts={} if text is None else {"by": text, "approvers": text})
            for key in ("requested", "checked", "planned", "approved")
        ),
        "reason": None,
        "facts": {},
        "due_at": None,
        "created_at": NOON,
    }
    return Run(**{**given, **changes})


def worded(text: str | None) -> tuple[Worded, ...]:
    """Return one sentence in a model's words."""
    return (Worded(text="You get 27 days a year." if text is None else text, marks=(1, 2)),)


def answer(status: Any = "answered", text: str | None = None, **changes: Any) -> Answer:
    """Return an answer with two citations."""
    said = "Every employee gets 27 days of paid annual leave a year." if text is None else text
    citations = tuple(
        Citation(
            document=f"leave-{number}.md",
            title="Leave" if text is None else text,
            section="Leave > Annual leave" if text is None else text,
            anchor="annual-leave",
            quote=said,
            url=url,
            edition="e1",
        )
        for number, url in enumerate(["", "https://handbook.larkfield.example/leave#annual-leave", said])
    )
    passages = tuple(
        Passage(
            document=f"near-{number}.md",
            title="Travel" if text is None else text,
            section="Booking" if text is None else text,
            anchor="booking",
            url="",
            owner="people@larkfield.example" if text is None else text,
            score=0.4,
        )
        for number in range(4)
    )
    given: dict[str, Any] = {
        "question": "How much leave do I get?",
        "status": status,
        "answer": said,
        "citations": () if status == "not_covered" else citations,
        "passages": passages,
        "confidence": 0.7,
        "notes": () if text is None else (text,) * 7,
        "edition": "e1",
        "owner": "people@larkfield.example" if text is None else text,
        "timings_ms": {},
    }
    return Answer(**{**given, **changes})


def section(text: str | None = None) -> Section:
    """Return a section of a policy."""
    said = "Every employee gets 27 days." if text is None else text
    return Section(
        document="leave.md",
        title="Leave" if text is None else text,
        path=("Leave", "Annual leave" if text is None else text),
        anchor="annual-leave",
        text=said,
        body=said,
        hash="ab" * 32,
        url="" if text is None else text,
        owner="people@larkfield.example" if text is None else text,
        effective=date(2025, 1, 1),
        expires=None,
        review=None,
        audience=frozenset({"everyone"}),
    )
