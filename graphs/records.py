"""What the rest of the bot may know of runs and approvals: frozen records, read from the database.

They carry facts and keys. The sentences that people read are made in `bot`.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Literal, get_args


class Verdict(StrEnum):
    """What an approver says."""

    APPROVE = "approve"
    DENY = "deny"


class ApprovalStatus(StrEnum):
    """Where an approval stands. PENDING can become anything, and whatever was not carried out VOID."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    VOID = "void"  # counts no more, whatever was said to it; `Approval.void` says why


class Resolution(StrEnum):
    """What a person says of an effect that nobody else can tell about."""

    HAPPENED = "happened"
    DID_NOT = "did_not"  # and is to be done now
    UNDO = "undo"  # whichever it is, it is to be taken back


class Finding(StrEnum):
    """What a reviewer says of an emergency."""

    IN_ORDER = "in_order"
    NOT_IN_ORDER = "not_in_order"


class RunStatus(StrEnum):
    """Where a run stands. COLLECTING to RETRYING are open, the others are its end."""

    STARTED = "started"
    COLLECTING = "collecting"  # waits for the requester to fill in `Run.missing`
    CHECKING = "checking"
    WAITING = "waiting"  # for an approval
    EXECUTING = "executing"
    RETRYING = "retrying"  # an outside system failed, `Run.facts` say which and how; tried again by itself
    DEAD = "dead"  # tried too often: rests until somebody has it tried again
    SCHEDULED = "scheduled"  # begins at `Run.due_at`
    UNKNOWN = "unknown"  # an interrupted call that nobody but a person can resolve
    DONE = "done"
    REFUSED = "refused"  # by a rule, an approver or the time; `Run.reason` says which
    FAILED = "failed"

    @property
    def is_open(self) -> bool:
        """Whether something can still happen."""
        return self not in {RunStatus.DONE, RunStatus.REFUSED, RunStatus.FAILED}


class Answered(StrEnum):
    """How a click on a card ended. Only RECORDED changed anything."""

    RECORDED = "recorded"
    ALREADY_DECIDED = "already_decided"
    ALREADY_VOTED = "already_voted"  # by this person, or by whoever stands in for them
    REPLACED = "replaced"  # the card is stale: a newer one shows what has changed
    EXPIRED = "expired"
    OWN_REQUEST = "own_request"
    OWN_CHANGE = "own_change"  # they wrote what is to be decided on
    NOT_ALLOWED = "not_allowed"  # no rule lets them decide: not of the group that may
    NOT_ACTIVE = "not_active"
    FORBIDDEN = "forbidden"  # by a rule of the installation's own
    NOT_CHECKED = "not_checked"  # the rules could not be asked
    TOO_FEW_LEFT = "too_few_left"  # who changes it may not approve it, and without them too few could
    NOT_CHANGED = "not_changed"  # an edit that changes nothing, or does not fit
    NOT_YOURS = "not_yours"  # whoever asked for it confirms it alone, or withdraws it
    FOR_REQUESTER = "for_requester"  # they stand in for somebody who has a part in it
    TOOK_PART = "took_part"  # in what is to be reviewed
    UNREACHABLE = "unreachable"  # the directory cannot say at the moment whom they stand in for
    UNREADABLE = "unreadable"  # the directory answers, and what it says cannot be used
    REASON_MISSING = "reason_missing"  # a denial gives its reason
    NO_SUCH_CARD = "no_such_card"
    WITHDRAWN = "withdrawn"  # by whoever had asked
    BEGUN = "begun"  # so it cannot be withdrawn
    CLOSED = "closed"  # there is nothing to withdraw any more
    DAMAGED = "damaged"  # the record is not what it was when the card was made


@dataclass(frozen=True, kw_only=True, slots=True)
class Actor:
    """A person as the records name them: `subject` is the identity, name and address are for reading.

    `human` is the same for accounts that the directory links, and empty where it was not known.
    """

    subject: str
    name: str
    email: str
    human: str = ""

    @property
    def identities(self) -> list[str]:
        """Every name under which this may be the same person as another account."""
        return sorted({self.subject, self.human or self.subject})


@dataclass(frozen=True, kw_only=True, slots=True)
class Party:
    """Somebody outside the company, as an outside system has them: a customer, a supplier."""

    system: str
    id: str
    name: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Clause:
    """The section of a policy that governs a request, as it read when the request was planned."""

    document: str
    anchor: str
    title: str
    section: str
    text: str
    hash: str
    url: str | None
    edition: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """One line of a card: what it is called and what it says."""

    label: str
    value: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanStep:
    """One effect of a plan, as it was approved: `sends` is what the other system is sent.

    A value that only an earlier step can give stands in `sends` as a reference, `{"$ref": "step.field"}`.
    """

    name: str
    operation: str
    sends: Mapping[str, Any]
    before: str = ""  # both empty where it rests on what an earlier step leaves behind
    after: str = ""
    target: str = ""
    basis: Mapping[str, str] = field(default_factory=dict)  # what was found, and must still be so
    undo: Literal["undo", "leave", "pivot"] = "undo"  # what becomes of it when a later step fails
    lasts: int | None = None  # seconds, after which it ends by itself
    effect: str = "write"
    scope: str = ""
    reversible: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Difference:
    """One thing that is no longer as the former card showed it."""

    name: str
    before: str
    after: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Vote:
    """What one person said about an approval, when, and why."""

    by: Actor
    verdict: Verdict
    at: datetime
    reason: str | None = None
    stands_for: Actor | None = None  # whose right they used, where it was not their own


@dataclass(frozen=True, kw_only=True, slots=True)
class Void:
    """Why an approval counts no more: a key, and what the sentence about it needs."""

    key: str
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Delegation:
    """Who decides for whom, until when."""

    id: str
    holder: Actor
    stand_in: Actor
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Escalation:
    """Who may decide as well, from when on."""

    groups: Mapping[str, str]  # by what they are called, each with the directory's id
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Approval:
    """One approval at one version of its content: what a card shows. `id` is on its buttons."""

    id: str
    run: str
    workflow: str
    title: str
    status: ApprovalStatus
    requester: Actor
    beneficiary: Actor | Party | None
    lines: tuple[Shown, ...]  # what is asked for, in words
    steps: tuple[PlanStep, ...]  # in the order in which they are carried out
    then: str  # how the run ends when all is done
    level: int  # of the plan, when the card was made
    clause: Clause
    approvers: Mapping[str, str]  # groups whose members may decide, by what they are called, with their ids
    quorum: int  # how many of them have to approve
    authors: tuple[Actor, ...]  # who wrote what is asked for, besides the requester
    reason: str  # the requester's own words; "" where none were given
    digest: str
    intact: bool  # whether the row still is what the digest was made of, and the record has that digest
    created_at: datetime
    decide_by: datetime
    execute_within: int  # seconds, from `decided_at`
    remind_at: datetime | None = None
    escalation: Escalation | None = None
    confirmed: bool = False  # by its requester alone: nobody else is asked
    votes: tuple[Vote, ...] = ()  # those that the record has, oldest first
    foreign_votes: int = 0  # rows of votes that it has not
    decided_at: datetime | None = None  # when the quorum was reached, or one denied
    void: Void | None = None
    replaces: str | None = None
    replaced: Void | None = None  # why the one that this replaces counts no more
    differences: tuple[Difference, ...] = ()
    clause_before: str = ""  # what the clause said on the card that this replaces, if it said something else

    @property
    def people(self) -> tuple[Actor, ...]:
        """Everybody whom it names but those who voted: who asked, who gets it, who wrote it."""
        gets = (self.beneficiary,) if isinstance(self.beneficiary, Actor) else ()
        return (self.requester, *gets, *self.authors)

    @property
    def changes(self) -> str:
        """What it changes, in a line of words."""
        return "; ".join(step.after or step.operation for step in self.steps)

    def step(self, name: str) -> PlanStep | None:
        """Return the step of that name, or None where none is approved."""
        return next((step for step in self.steps if step.name == name), None)

    @property
    def assents(self) -> tuple[Vote, ...]:
        """Those who approved."""
        return tuple(vote for vote in self.votes if vote.verdict is Verdict.APPROVE)

    @property
    def denial(self) -> Vote | None:
        """The one who denied, which ended it."""
        return next((vote for vote in self.votes if vote.verdict is Verdict.DENY), None)


@dataclass(frozen=True, kw_only=True, slots=True)
class Doubt:
    """One effect that may have landed or not, and what a person said of it. `id` is on its buttons."""

    id: str
    approval: Approval
    act: Literal["apply", "undo"]
    step: str
    sends: Mapping[str, Any]
    key: str  # the idempotency key that the other side was given
    intended_at: datetime
    opened_at: datetime
    undoable: bool  # whether it can be taken back without knowing whether it landed
    effect: str = ""
    answer: Resolution | None = None
    by: Actor | None = None
    at: datetime | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Review:
    """What was done in an emergency, and what somebody found about it. `id` is on the buttons of its card."""

    id: str
    run: str  # that waits for it
    approval: Approval
    reviewers: str  # the directory group whose members may sign it off
    created_at: datetime
    finding: Finding | None = None
    by: Actor | None = None
    at: datetime | None = None
    reason: str = ""


_UNIT = re.compile(r"[^\s0-9.,'](.*\S)?")


def _is_pattern(text: str) -> bool:
    try:
        re.compile(text)
    except re.error:
        return False
    return True


FieldKind = Literal["choice", "date", "money", "number", "quantity", "several", "text", "time", "yes_no"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One thing a workflow must know before it can be checked. `graphs.forms` reads its values.

    Raises ValueError with a sentence for whoever declares a field that cannot work.
    """

    name: str
    label: str
    kind: FieldKind
    help: str = ""
    options: tuple[str, ...] = ()  # of a choice or several; of money its currencies, of a quantity its units
    least: int | None = None  # of a number or an amount; of a text, its characters; of several, how many
    most: int | None = None  # as `least`
    places: int = 2  # of money or a quantity: its decimal places
    pattern: str = ""  # of a text: what all of it matches
    narrows: Literal["less"] | None = None  # of a number: the direction in which a change only takes away
    requester_only: bool = False  # the requester's own words, which no approver rewrites
    binds: str = ""  # how what it becomes is called in a step of the plan; by default as it is called itself

    def __post_init__(self) -> None:
        """Refuse a declaration that nobody could fill in, or that says what its kind does not know."""
        for wrong in self._faults():
            raise ValueError(f"field {self.name}: {wrong}")

    def _faults(self) -> Iterator[str]:
        kind, bounded = self.kind, {"money", "number", "quantity", "several", "text"}
        if kind not in get_args(FieldKind):
            yield f"there is no kind {kind!r}; use one of {', '.join(get_args(FieldKind))}"
        if kind in {"money", "quantity"} and not self.options:
            yield f"name the {'currencies' if kind == 'money' else 'units'} in options"
        if kind in {"money", "quantity"} and not all(map(_UNIT.fullmatch, self.options)):
            yield "a unit begins with no digit, space or mark of a number, and ends with no space"
        if kind in {"money", "quantity", "several"} and len(set(self.options)) < len(self.options):
            yield "options name the same twice"
        if kind not in bounded and (self.least, self.most) != (None, None):
            yield f"a {kind} takes neither least nor most"
        if self.least is not None and self.most is not None and self.least > self.most:
            yield "least is more than most"
        if not 0 <= self.places <= 4:  # as many as a decimal of Cedar has
            yield "places are 0 to 4"
        if self.narrows and kind != "number":
            yield "only a number narrows"
        if self.pattern and (kind != "text" or not _is_pattern(self.pattern)):
            yield "pattern is a regular expression, of a text alone"


@dataclass(frozen=True, kw_only=True, slots=True)
class Milestone:
    """One thing that happened in a run. `facts` hold what the sentence about it needs."""

    key: str
    at: datetime
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One case of a workflow. `origin` is the conversation it belongs to, opaque to `graphs`."""

    id: str
    workflow: str
    title: str
    status: RunStatus
    requester: Actor
    authors: tuple[Actor, ...]  # who wrote some of `values`, besides the requester
    origin: Mapping[str, str]
    values: Mapping[str, str]
    missing: tuple[Field, ...]
    problems: Mapping[str, str]  # field name -> key of what is wrong with its value
    milestones: tuple[Milestone, ...]
    reason: str | None  # key of the reason of a refusal or failure
    facts: Mapping[str, str]  # what the sentence about `reason`, or about what goes wrong, needs
    due_at: datetime | None
    created_at: datetime
    begun: bool = False  # something of it was done outside, or was about to be

    @property
    def can_be_asked_again(self) -> bool:
        """Whether it ended because somebody or the time said no, so that asking anew may help."""
        said_no = {"denied", "expired", "window_passed"}
        theirs = self.reason == "withdrawn" and self.facts.get("of") == "requester"  # else they were erased
        return self.status is RunStatus.REFUSED and (self.reason in said_no or theirs)

    @property
    def can_be_withdrawn(self) -> bool:
        """Whether whoever asked can still say that they want it no more."""
        return self.status.is_open and not self.begun and self.due_at is None


# What is said in the thread of an approval. Of a plan: that it stopped, that it did with something left, or
# that it was tried too often.
Beside = Literal["reminder", "escalated", "not_ended", "stopped", "unfinished", "held"]
Emergency = Literal["asked", "granted", "ended", "not_ended", "not_in_order"]
# Of what was granted for a time: nothing was left to end it, or what tries to end it gets nowhere.
Alarm = Literal[Emergency, "overdue", "late"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Notice:
    """Something new to be said in a run's thread. `key` is said at most once in a run."""

    key: str
    facts: Mapping[str, str] = field(default_factory=dict)
