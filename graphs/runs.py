"""start, submit, decide, advance: all that the bot may call."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, replace
from typing import Self

from psycopg_pool import AsyncConnectionPool

from connectors.base import Mint
from connectors.directory import Directory, Person
from connectors.errors import ConnectorError, Unavailable
from connectors.registry import Registry
from graphs import (
    approvals,
    audit,
    cases,
    clauses,
    delegations,
    doubts,
    drive,
    editing,
    forms,
    reviews,
    rights,
    unfinished,
    votes,
)
from graphs.admission import Admission
from graphs.calls import Calls
from graphs.gate import Gate
from graphs.groups import Groups, GroupUnclear
from graphs.kit import Kind, Kit
from graphs.policy.engine import Policy
from graphs.policy.views import People
from graphs.ports import Clock, Connection, Evidence, Notifier, Queue
from graphs.reconcile import Queued, Reconciler, nothing_queued
from graphs.records import (
    Actor,
    Answered,
    Approval,
    Doubt,
    Field,
    Finding,
    Resolution,
    Review,
    Run,
    Verdict,
)
from graphs.rights import Right
from graphs.sealed import Seal, SealedSaver
from graphs.withdrawals import Withdrawals


class UnknownWorkflow(Exception):
    """There is no workflow of that name."""


class VersionMissing(Exception):
    """Open runs need a version of a workflow that this process does not have; it must not take them."""


class Runs:
    """The runs of one process. Make it with `Runs.open`."""

    def __init__(
        self,
        kit: Kit,
        workflows: Iterable[Kind],
        machines: Mapping[tuple[str, int], drive.Machine],
        most_open: int | None = None,
        queued: Queued = nothing_queued,
    ) -> None:
        self._kit = kit
        self._most_open = most_open
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._machines = machines
        self._reconciler = Reconciler(kit, queued)

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        pool: AsyncConnectionPool[Connection],
        saver_pool: AsyncConnectionPool[Connection],
        workflows: Iterable[Kind],
        clock: Clock,
        queue: Queue,
        notifier: Notifier,
        evidence: Evidence,
        directory: Directory,
        registry: Registry,
        mint: Mint,
        policy: Policy,
        seal: Seal,
        most_open: int | None = None,
        queued: Queued = nothing_queued,
    ) -> AsyncIterator[Self]:
        """Join the parts. `most_open`: how many requests a person may have open at a time; None: any number.
        `queued` says whether a run waits in the queue already.


        Raises VersionMissing when open runs name a workflow this process lacks, and GroupUnclear or the
        directory's errors where the policies name a group that nobody knows.
        """
        workflows = tuple(workflows)
        async with pool.connection() as conn:
            served = {
                (kind.name, version) for kind in workflows for version in (kind.version, *kind.continues)
            }
            lacking = await cases.versions(conn) - served
        if lacking:
            names = ", ".join(f"{name} version {version}" for name, version in sorted(lacking))
            raise VersionMissing(f"open runs need {names}; start the release that has it")
        groups = Groups(pool, directory)
        policy = replace(policy, groups=await groups.ids(sorted(policy.group_names)))
        gate = Gate(
            pool=pool,
            admission=Admission(pool=pool, policy=policy, directory=directory),
            calls=Calls(registry=registry, mint=mint),
        )
        saver = SealedSaver(saver_pool, seal)
        kit = Kit(
            pool=pool,
            clock=clock,
            queue=queue,
            notifier=notifier,
            evidence=evidence,
            directory=directory,
            registry=registry,
            groups=groups,
            policy=policy,
            gate=gate,
            saver=saver,
            titles={workflow.name: workflow.title for workflow in workflows},
        )
        machines: dict[tuple[str, int], drive.Machine] = {}
        for kind in workflows:
            machine = drive.Machine(graph=kind.build().compile(checkpointer=saver), shape=kind.shape)
            machines |= {(kind.name, version): machine for version in (kind.version, *kind.continues)}
        yield cls(kit, workflows, machines, most_open, queued)

    @property
    def groups(self) -> Groups:
        """The groups that the configuration names."""
        return self._kit.groups

    @property
    def titles(self) -> Mapping[str, str]:
        """The workflows that people can ask for, by name, with what they are called."""
        return {name: workflow.title for name, workflow in self._workflows.items() if workflow.fields}

    def fields(self, workflow: str) -> tuple[Field, ...]:
        """Return what the workflow must know. Raises UnknownWorkflow."""
        return self._workflow(workflow).fields

    def is_urgent(self, workflow: str) -> bool:
        """Whether the workflow is for emergencies."""
        known = self._workflows.get(workflow)
        return known is not None and known.urgent

    def editable(self, workflow: str) -> tuple[Field, ...]:
        """Return what approvers may change in a request."""
        known = self._workflows.get(workflow)
        return () if known is None else tuple(field for field in known.fields if not field.requester_only)

    async def start(
        self,
        *,
        workflow: str,
        values: Mapping[str, str],
        requester: Person,
        origin: Mapping[str, str],
        key: str,
    ) -> str:
        """Begin a run and return its id; the same key gives the same run.

        Raises UnknownWorkflow, and TooManyOpen where the requester has as many open as anybody may have.
        """
        async with self._kit.pool.connection() as conn:
            run, _ = await self._begin(
                conn, key=key, workflow=workflow, requester=requester, origin=origin, values=values
            )
        return run

    async def begun(self, keys: Sequence[str]) -> bool:
        """Whether a run of one of these keys has begun, however it stands."""
        async with self._kit.pool.connection() as conn:
            return await cases.exists(conn, keys)

    async def _begin(
        self,
        conn: Connection,
        *,
        key: str,
        workflow: str,
        requester: Person,
        origin: Mapping[str, str],
        values: Mapping[str, str],
    ) -> tuple[str, bool]:
        kind = self._workflow(workflow)
        known = forms.canonical(kind.fields, values)
        if self._most_open is not None:
            await cases.admit(
                conn,
                key,
                approvals.actor(requester),
                urgent=kind.urgent,
                of=self.titles,
                most=self._most_open,
            )
        run, fresh = await cases.create(
            conn,
            key=key,
            workflow=workflow,
            version=kind.version,
            requester=approvals.actor(requester),
            origin=origin,
            values=known,
            urgent=kind.urgent,
        )
        if fresh:
            await cases.note(conn, run, "requested")
            await self._kit.queue.advance(conn, run)
            await self._kit.notifier.progress(conn, run)
            await audit.append(
                conn,
                "run.started",
                run=run,
                facts={"workflow": workflow, "version": kind.version},
                detail={"requester": asdict(approvals.actor(requester)), "values": known},
            )
        return run, fresh

    async def submit(self, run: str, values: Mapping[str, str], *, by: Person) -> Mapping[str, str]:
        """Take what the requester filled in. Returns what is wrong, by field; empty means taken."""
        async with self._kit.pool.connection() as conn:
            row = await cases.load(conn, run, self._kit.titles)
            if by.subject != row.run.requester.subject:
                return dict.fromkeys(values, "not_yours")
            fields = self.fields(row.run.workflow)
            given = {field.name: values[field.name].strip() for field in fields if field.name in values}
            problems = forms.examine([field for field in fields if field.name in given], given)
            if problems:
                return problems
            given = forms.canonical(fields, given)
            if not await cases.fill(conn, run, given):
                return dict.fromkeys(values, "closed")
            await self._kit.queue.advance(conn, run)
            await self._kit.notifier.progress(conn, run)
            await audit.append(conn, "run.filled", run=run, facts={}, detail={"values": given})
        return {}

    async def decide(self, card: str, verdict: Verdict, *, by: Person, reason: str | None = None) -> Answered:
        """Take a click on a card. It has been committed when this returns; each person counts once.

        `by` is the person as the directory has them at this moment.
        """
        try:
            held, people = await self._rights(by, card)
        except ConnectorError as error:
            return _unread(error)
        async with self._kit.pool.connection() as conn:
            approval = await approvals.load(conn, card)
            if approval is None:
                return Answered.NO_SUCH_CARD
            return await votes.cast(
                self._kit, conn, approval, verdict, reason=reason, held=held, people=people
            )

    async def _rights(self, by: Person, card: str) -> tuple[list[Right], People]:
        """Return the rights that somebody has, their own first, and those whom the card's approval concerns.

        They themselves have been read for this; the others are read now. Raises the directory's errors.
        """
        async with self._kit.pool.connection() as conn:
            approval = await approvals.load(conn, card)
            lent = await delegations.lent_to(conn, by.human)
        wanted = {one.holder.subject for one in lent}
        wanted |= rights.concerned(approval) if approval else set()
        people = await rights.look(self._kit.directory, wanted, within=rights.CLICK)
        return rights.held(by, lent, people), people

    async def changeable(
        self, card: str, *, by: Person
    ) -> Answered | tuple[tuple[Field, ...], Mapping[str, str]]:
        """Return the fields that this person may change on the card, and what is asked for; or why not."""
        try:
            held, people = await self._rights(by, card)
        except ConnectorError as error:
            return _unread(error)
        return await editing.changeable(self._kit, card, held, people, self.editable)

    async def edit(
        self, card: str, values: Mapping[str, str], *, by: Person
    ) -> tuple[Answered, Mapping[str, str]]:
        """Change what is asked for, and have it planned anew. Returns also what is wrong, by field.

        If it only takes away, it approves what is left; otherwise others have to approve it.
        """
        try:
            held, people = await self._rights(by, card)
            return await editing.edit(self._kit, card, values, held, people, editable=self.editable)
        except ConnectorError as error:
            return _unread(error), {}

    async def again(self, run: str, *, by: Person) -> bool | None:
        """Ask for the same once more, after it was denied or nobody decided: a new run, one for each run.

        False where it has been asked again before, None where this person or this run cannot. Raises
        TooManyOpen.
        """
        async with self._kit.pool.connection() as conn:
            row = await cases.load(conn, run, self._kit.titles)
            former = row.run
            if by.subject != former.requester.subject or not former.can_be_asked_again:
                return None
            _, fresh = await self._begin(
                conn,
                key=f"again {run}",
                workflow=former.workflow,
                requester=by,
                origin=former.origin,
                values=former.values,
            )
        return fresh

    async def withdraw(self, run: str, *, by: Person) -> Answered:
        """Take back a request of which nothing has begun. Only RECORDED changed anything, and is committed.

        Raises cases.NoSuchRun.
        """
        ending = Withdrawals(queue=self._kit.queue, notifier=self._kit.notifier)
        async with self._kit.pool.connection() as conn:
            found = (await cases.load(conn, run, self._kit.titles)).run
            return await ending.by_requester(conn, found, approvals.actor(by))

    async def resolve(self, doubt: str, answer: Resolution, *, by: Person) -> Answered:
        """Take a click on the card of an effect that nobody can tell about. See `doubts.resolve`."""
        try:
            return await doubts.resolve(self._kit, doubt, answer, by=by)
        except ConnectorError:
            return Answered.UNREACHABLE

    async def look_after(self, card: str, *, by: Person) -> Answered:
        """Take a click on the card of a plan that ended in the middle. See `unfinished.look_after`."""
        try:
            return await unfinished.look_after(self._kit, card, by=by)
        except ConnectorError as error:
            return _unread(error)

    async def doubt(self, doubt: str) -> Doubt | None:
        """Return the doubt that a card names, or None."""
        async with self._kit.pool.connection() as conn:
            return await doubts.load(self._kit, conn, doubt)

    async def review(self, review: str, finding: Finding, *, by: Person, reason: str = "") -> Answered:
        """Take a click on a review's card. See `reviews.sign`."""
        try:
            return await reviews.sign(self._kit, review, finding, by=by, reason=reason)
        except ConnectorError:
            return Answered.UNREACHABLE
        except GroupUnclear:
            return Answered.NOT_CHECKED

    async def took_part(self, run: str) -> tuple[Actor, ...]:
        """Return everybody who had a part in a run, and so reviews nothing of it."""
        async with self._kit.pool.connection() as conn:
            return await reviews.took_part(conn, run)

    async def review_of(self, review: str) -> Review | None:
        """Return the review that a card names, or None."""
        async with self._kit.pool.connection() as conn:
            return await reviews.load(conn, review)

    async def advance(self, run: str) -> None:
        """Work on a run until it pauses or ends: the job."""
        await drive.advance(self._kit, self._machines, run)

    async def sweep(self) -> int:
        """Turn the timers that are due into jobs, and return how many there were.

        Before that, at start and every hour, what must have ended is ended whatever has become of its timer.
        Then approvals that wait on a clause which has changed become void. The timers come first: whatever is
        wrong with the clauses, what was granted for a time ends.
        """
        try:
            await self._reconciler.sweep()
        finally:
            async with self._kit.pool.connection() as conn:
                rung = await cases.ring(conn, self._kit.queue)
        await clauses.sweep(self._kit)
        return rung

    async def run(self, run: str) -> Run:
        """Return the run as it stands. Raises cases.NoSuchRun."""
        async with self._kit.pool.connection() as conn:
            return (await cases.load(conn, run, self._kit.titles)).run

    async def read(self, run: str, *, by: Person) -> Run | None:
        """Return the run as it stands, if the policies let this person see it. Raises cases.NoSuchRun."""
        async with self._kit.pool.connection() as conn:
            found = (await cases.load(conn, run, self._kit.titles)).run
            resource = {"workflow": found.workflow, "requester": found.requester.subject}
            ruling = self._kit.policy.rule("read", by, ("Run", run, resource))
            if ruling.allowed:
                return found
            await audit.append(
                conn,
                "run.refused_reading",
                run=run,
                facts={**ruling.facts},
                detail={"by": asdict(approvals.actor(by))},
            )
        return None

    async def approval(self, card: str) -> Approval | None:
        """Return the approval that a card names, or None."""
        async with self._kit.pool.connection() as conn:
            return await approvals.load(conn, card)

    def _workflow(self, name: str) -> Kind:
        if name not in self._workflows:
            raise UnknownWorkflow(name)
        return self._workflows[name]


def _unread(error: ConnectorError) -> Answered:
    """Say of a click that came to nothing whether the directory could not answer, or not so that it helps."""
    return Answered.UNREACHABLE if isinstance(error, Unavailable) else Answered.UNREADABLE
