"""start, submit, decide, advance: all that the bot may call."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Self

from psycopg_pool import AsyncConnectionPool

from connectors.base import Mint
from connectors.directory import Directory, Person
from connectors.registry import Registry
from graphs import approvals, audit, cases, doubts, drive, forms
from graphs.calls import Calls
from graphs.gate import Gate
from graphs.kit import Kit, Workflow
from graphs.policy.engine import AUTHORS, INACTIVE, OWN, Policy, Ruling
from graphs.ports import Clock, Connection, Evidence, Notifier, Queue
from graphs.records import Answered, Approval, ApprovalStatus, Doubt, Field, Resolution, Run, Verdict
from graphs.sealed import Seal, SealedSaver


class UnknownWorkflow(Exception):
    """There is no workflow of that name."""


class VersionMissing(Exception):
    """Open runs need a version of a workflow that this process does not have; it must not take them."""


class Runs:
    """The runs of one process. Make it with `Runs.open`."""

    def __init__(
        self, kit: Kit, workflows: Iterable[Workflow], machines: Mapping[tuple[str, int], drive.Machine]
    ) -> None:
        self._kit = kit
        self._workflows = {workflow.name: workflow for workflow in workflows}
        self._machines = machines

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        *,
        pool: AsyncConnectionPool[Connection],
        saver_pool: AsyncConnectionPool[Connection],
        workflows: Iterable[Workflow],
        clock: Clock,
        queue: Queue,
        notifier: Notifier,
        evidence: Evidence,
        directory: Directory,
        registry: Registry,
        mint: Mint,
        policy: Policy,
        seal: Seal,
    ) -> AsyncIterator[Self]:
        """Join the parts. Raises VersionMissing when open runs name a workflow this process lacks."""
        workflows = tuple(workflows)
        async with pool.connection() as conn:
            lacking = await cases.versions(conn) - {(known.name, known.version) for known in workflows}
        if lacking:
            names = ", ".join(f"{name} version {version}" for name, version in sorted(lacking))
            raise VersionMissing(f"open runs need {names}; start the release that has it")
        gate = Gate(
            pool=pool,
            clock=clock,
            policy=policy,
            directory=directory,
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
            policy=policy,
            gate=gate,
            saver=saver,
            titles={workflow.name: workflow.title for workflow in workflows},
        )
        machines = {
            (workflow.name, workflow.version): workflow.build().compile(checkpointer=saver)
            for workflow in workflows
        }
        yield cls(kit, workflows, machines)

    @property
    def titles(self) -> Mapping[str, str]:
        """The workflows that people can ask for, by name, with what they are called."""
        return {name: workflow.title for name, workflow in self._workflows.items() if workflow.fields}

    def fields(self, workflow: str) -> tuple[Field, ...]:
        """Return what the workflow must know. Raises UnknownWorkflow."""
        return self._workflow(workflow).fields

    async def start(
        self,
        *,
        workflow: str,
        values: Mapping[str, str],
        requester: Person,
        origin: Mapping[str, str],
        key: str,
    ) -> str:
        """Begin a run and return its id; the same key gives the same run. Raises UnknownWorkflow."""
        kind = self._workflow(workflow)
        known = {field.name: values[field.name] for field in kind.fields if values.get(field.name)}
        async with self._kit.pool.connection() as conn:
            run, fresh = await cases.create(
                conn,
                key=key,
                workflow=workflow,
                version=kind.version,
                requester=approvals.actor(requester),
                origin=origin,
                values=known,
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
        return run

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
        async with self._kit.pool.connection() as conn:
            approval = await approvals.load(conn, card)
            if approval is None:
                return Answered.NO_SUCH_CARD
            ruling = self._kit.policy.rule(
                "approve", by, approvals.resource(approval), approvals.context(approval)
            )
            if not (ruling.allowed and approval.intact):
                return await self._refuse(conn, approval, ruling, by, verdict)
            if approval.status is not ApprovalStatus.PENDING:
                return _ANSWERS[approval.status]
            if verdict is Verdict.DENY and not (reason or "").strip():
                return Answered.REASON_MISSING
            actor = approvals.actor(by)
            if not await approvals.vote(conn, card, verdict, by=actor, reason=reason):
                return await self._too_late(conn, card)
            counted = await approvals.load(conn, card)
            assert counted is not None
            decided = counted.status is not ApprovalStatus.PENDING
            if decided:
                await self._kit.queue.advance(conn, approval.run)
            await self._kit.notifier.card(conn, card)
            await audit.append(
                conn,
                "approval.decided" if decided else "approval.voted",
                run=approval.run,
                facts={
                    "approval": card,
                    "digest": approval.digest,
                    "verdict": verdict.value,
                    "assents": len(counted.assents),
                    "quorum": counted.quorum,
                    **ruling.facts,
                },
                detail={"by": asdict(actor), "reason": reason or ""},
            )
        return Answered.RECORDED

    async def _refuse(
        self, conn: Connection, approval: Approval, ruling: Ruling, by: Person, verdict: Verdict
    ) -> Answered:
        """Write down that somebody clicked who may not, and say why as precisely as the policies do."""
        await audit.append(
            conn,
            "approval.refused_click",
            run=approval.run,
            facts={"approval": approval.id, "intact": approval.intact, **ruling.facts},
            detail={"by": asdict(approvals.actor(by)), "verdict": verdict.value},
        )
        if not approval.intact:
            return Answered.DAMAGED
        if ruling.fault:
            return Answered.NOT_CHECKED
        if INACTIVE in ruling.policies:
            return Answered.NOT_ACTIVE
        if OWN in ruling.policies:
            return Answered.OWN_REQUEST
        if AUTHORS in ruling.policies:
            return Answered.OWN_CHANGE
        return Answered.FORBIDDEN if ruling.policies else Answered.NOT_ALLOWED

    async def _too_late(self, conn: Connection, card: str) -> Answered:
        approval = await approvals.load(conn, card)
        assert approval is not None
        if approval.status is ApprovalStatus.PENDING:
            if await approvals.is_open(conn, card):
                return Answered.ALREADY_VOTED
            await self._kit.queue.advance(conn, approval.run)  # nobody has looked since its time was over
            return Answered.EXPIRED
        return _ANSWERS[approval.status]

    async def resolve(self, doubt: str, answer: Resolution, *, by: Person) -> Answered:
        """Take a click on the card of an effect that nobody can tell about. See `doubts.resolve`."""
        return await doubts.resolve(self._kit, doubt, answer, by=by)

    async def doubt(self, doubt: str) -> Doubt | None:
        """Return the doubt that a card names, or None."""
        async with self._kit.pool.connection() as conn:
            return await doubts.load(self._kit, conn, doubt)

    async def advance(self, run: str) -> None:
        """Work on a run until it pauses or ends: the job."""
        await drive.advance(self._kit, self._machines, run)

    async def sweep(self) -> int:
        """Turn the timers that are due into jobs, and return how many there were."""
        async with self._kit.pool.connection() as conn:
            return await cases.ring(conn, self._kit.queue)

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

    def _workflow(self, name: str) -> Workflow:
        if name not in self._workflows:
            raise UnknownWorkflow(name)
        return self._workflows[name]


_ANSWERS = {
    ApprovalStatus.APPROVED: Answered.ALREADY_DECIDED,
    ApprovalStatus.DENIED: Answered.ALREADY_DECIDED,
    ApprovalStatus.EXPIRED: Answered.EXPIRED,
    ApprovalStatus.VOID: Answered.REPLACED,
}
