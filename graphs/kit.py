"""What the nodes of every workflow work with."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg_pool import AsyncConnectionPool

from connectors.directory import Directory
from connectors.registry import Registry
from graphs import audit, cases, effects, recorded
from graphs.admission import Refused
from graphs.effects import Held
from graphs.gate import Gate
from graphs.groups import Groups
from graphs.policy.engine import Policy
from graphs.pools import reading
from graphs.ports import Clock, Connection, Evidence, Notifier, Queue
from graphs.recorded import Told
from graphs.records import Field

if TYPE_CHECKING:
    from graphs.sealed import SealedSaver  # slow to import


@dataclass(frozen=True, kw_only=True, slots=True)
class Kind:
    """One kind of request. `build` returns its state machine; a changed machine needs a new `version`.

    `continues` names the earlier versions whose open runs this one finishes, and `shape` stands for the nodes
    of the machine: a checkpoint of another shape is forgotten, and the run goes on from its rows.
    """

    name: str
    title: str
    version: int
    fields: tuple[Field, ...]
    continues: tuple[int, ...] = ()
    shape: str = ""
    urgent: bool = False  # for emergencies: its runs come before all others
    build: Callable[[], Any]  # a StateGraph, imported only when a process runs workflows


@dataclass(frozen=True, kw_only=True, slots=True)
class Kit:
    """The parts around the workflows, wired once."""

    pool: AsyncConnectionPool[Connection]
    clock: Clock
    queue: Queue
    notifier: Notifier
    evidence: Evidence
    directory: Directory
    registry: Registry
    groups: Groups
    policy: Policy
    gate: Gate
    saver: "SealedSaver"
    titles: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One run in the hands of one worker: the context of its nodes."""

    kit: Kit
    id: str
    token: int

    async def row(self) -> cases.Row:
        """Return the run as it stands now."""
        async with reading(self.kit.pool) as conn:
            return await cases.load(conn, self.id, self.kit.titles)

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Connection]:
        """Open a transaction of the worker that holds the run. Raises effects.Fenced."""
        async with self.kit.pool.connection() as conn:
            await effects.fence(conn, self.id, self.token)
            yield conn

    async def recorded(self) -> cases.Row:
        """Return the run as it stands now, if the record has it so. Raises Refused."""
        async with reading(self.kit.pool) as conn:
            row = await cases.load(conn, self.id, self.kit.titles)
            await self._require_recorded(conn, row, None)
        return row

    async def held(self, row: cases.Row | None = None, told: Told = None) -> Held:
        """Return the run as the gate wants it, if the record has it so. Raises Refused.

        `row` is what the caller has just read of it, and `told` what the record tells.
        """
        if row is None:
            row = await self.recorded()
        else:
            async with reading(self.kit.pool) as conn:
                await self._require_recorded(conn, row, told)
        return Held(run=row.run, version=row.version, token=self.token)

    async def _require_recorded(self, conn: Connection, row: cases.Row, told: Told) -> None:
        try:
            so = await recorded.is_run(conn, row.run, told)
        except (audit.ChainBroken, audit.Locked) as error:
            raise Refused("record_changed") from error
        if not so:
            recorded.alarm("The run", self.id)
            raise Refused("record_changed")
