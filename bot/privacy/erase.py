"""Erasing a person: end what is theirs, change every row, show it in Slack, forget their key."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from bot.database import Database
from bot.privacy import people, rows
from bot.privacy.files import Mentions
from bot.privacy.people import Traces
from bot.privacy.rows import Owner, Touched
from bot.privacy.working import Hands
from graphs import audit, digests, erasing, withdrawals
from graphs.audit import Held, head, keeping, vault_of
from graphs.erasing import GONE, Kept, Mask, Sealed
from graphs.withdrawals import Open, Withdrawals

_ATTEMPTS = 3  # at an end, after which nobody waits for it
_PASSES = 3  # over the rows, for what is written meanwhile
Files = Callable[[frozenset[str]], Awaitable[Mentions]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """What an erasure did. It is over when `is_complete`; until then what is still needed is kept, sealed."""

    person: str  # the pseudonym
    withdrawn: int = 0
    asked_again: int = 0
    delegations: int = 0
    ended: int = 0
    rows: Mapping[str, int] = field(default_factory=dict)
    left: tuple[Open, ...] = ()
    posted: int = 0  # messages that Slack still shows as they were
    mentions: Mentions = field(default_factory=Mentions)
    why: str = ""  # why this command could not work on the queue itself

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left to do."""
        return not (self.left or self.posted or self.mentions.documents or self.mentions.files)


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasing:
    """One erasure at work. `harmless` are the fields of requests that hold nobody's words."""

    database: Database
    owner: Owner  # in autocommit mode
    hands: Hands
    files: Files
    by: str
    harmless: frozenset[str]

    async def erase(self, traces: Traces) -> Report:
        """Erase a person, as far as it goes; called again, it goes on. Raises Held before it begins."""
        tenant = await self._require_free(traces)
        kept = traces.begun.kept if traces.begun is not None else Kept()
        pseudonym = await self._keep(tenant, traces, replace(kept, marks=people.plain(traces.marks)))
        known = _known(traces, pseudonym)
        report = await self._end(Report(person=pseudonym, why=self.hands.why), known, traces)
        traces, report = await self._change(tenant, traces, report, known)
        mentions = await self.files(traces.marks.findable)
        report = replace(
            report, mentions=mentions, posted=await self._unshown(), left=tuple(await self._left(known))
        )
        await self._conclude(tenant, traces, report, known)
        return report

    async def _require_free(self, traces: Traces) -> str:
        """Return the tenant. Raises Held where a request that names them is under a legal hold."""
        async with self.database.pool.connection() as conn:
            traced = set[str]()
            for subject in sorted(traces.marks.subjects):
                traced |= {*await keeping.held_of(conn, subject)}
            cursor = await conn.execute(
                "SELECT DISTINCT coalesce(slots ->> 'run', id) AS trace FROM run WHERE id = ANY(%s)",
                (sorted(traces.runs),),
            )
            traced |= {row["trace"] for row in await cursor.fetchall()} & {*await keeping.held(conn)}
            if traced:
                raise Held(sorted(traced))
            return await head.tenant(conn)

    async def _keep(self, tenant: str, traces: Traces, kept: Kept) -> str:
        """Keep, sealed, what is needed to go on. Returns the pseudonym."""
        names = traces.marks.subjects | traces.marks.emails
        pseudonym = traces.begun.pseudonym if traces.begun is not None else None
        async with self.database.pool.connection() as conn:
            sealed = erasing.close(vault_of(conn), tenant, names, kept, pseudonym=pseudonym)
        await _store(self.owner, tenant, sealed)
        return sealed.pseudonym

    async def _end(self, report: Report, known: list[str], traces: Traces) -> Report:
        """End what is theirs, through the gate, and wait for it and for what people are told of it."""
        ending = Withdrawals(queue=self.hands.queue, notifier=self.hands.notifier)
        pool = self.database.pool
        withdrawn = 0
        for run in sorted(traces.runs):
            async with pool.connection() as conn:
                withdrawn += await ending.request(conn, run)
        async with pool.connection() as conn:
            lent = await ending.delegations(conn, known, by=self.by)
        async with pool.connection() as conn:
            ended = await ending.grants(conn, known)
        if withdrawn or ended:
            tried = {one.run: one.attempts for one in await self._left(known)}
            await self.hands.until(lambda: self._is_still(known, traces, tried))
        return replace(report, withdrawn=withdrawn, delegations=lent, ended=ended)

    async def _ask_again(self, known: list[str]) -> int:
        """Have asked again what rests on them and is not carried out; rows name the pseudonym by now."""
        ending = Withdrawals(queue=self.hands.queue, notifier=self.hands.notifier)
        asked = 0
        async with self.database.pool.connection() as conn:
            cards = await withdrawals.decided(conn, known)
        for card in cards:
            async with self.database.pool.connection() as conn:
                asked += await ending.decision(conn, card)
        return asked

    async def _left(self, known: list[str]) -> list[Open]:
        async with self.database.pool.connection() as conn:
            return await withdrawals.left(conn, known)

    async def _is_still(self, known: list[str], traces: Traces, tried: Mapping[str, int]) -> bool:
        """Whether nothing of theirs moves any more, or has been tried in vain since."""
        for one in await self._left(known):
            if one.moving and one.attempts < tried.get(one.run, 0) + _ATTEMPTS:
                return False
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT FROM message WHERE state = 'due' AND tries < 3 AND (ref = ANY(%(runs)s)"
                " OR ref IN (SELECT id FROM approval WHERE run = ANY(%(runs)s))) LIMIT 1",
                {"runs": sorted(traces.runs)},
            )
            return await cursor.fetchone() is None

    async def _change(
        self, tenant: str, traces: Traces, report: Report, known: list[str]
    ) -> tuple[Traces, Report]:
        """Change every row that names them, and have Slack show it; again, for what that has written."""
        counts: dict[str, int] = {}
        for _ in range(_PASSES):
            traces = await people.again(self.database.pool, traces, harmless=self.harmless)
            mask = Mask(traces.marks, report.person)
            needed = {one.approval for one in await self._left(known) if one.approval is not None}
            kept = await self._needed(tenant, needed, mask, traces)
            async with self.owner.transaction():
                touched = await rows.erase(self.owner, tenant, traces, mask, self.harmless)
                await self._keep(tenant, traces, kept)
                await self.owner.execute(_DRAWN_ANEW, {"tenant": tenant, **_shown_by(touched)})
            await self._mask(tenant, touched, traces)
            report = replace(report, asked_again=report.asked_again + await self._ask_again(known))
            if not any(touched.values()):
                break
            for table, keys in touched.items():
                counts[table] = counts.get(table, 0) + len(keys)
            await self.hands.until(self._is_shown)
        return traces, replace(report, rows=counts)

    async def _mask(self, tenant: str, touched: Touched, traces: Traces) -> None:
        """Have the record say what is left of others' words that named them."""
        runs = {key[0] for key in touched.get("run", ())} - traces.runs
        cards = [key[0] for key in touched.get("approval", ())]
        cursor = await self.owner.execute(
            "SELECT DISTINCT run FROM approval WHERE tenant = %s AND id = ANY(%s)", (tenant, cards)
        )
        runs |= {run for (run,) in await cursor.fetchall()} - traces.runs
        for run in sorted(runs):
            async with self.database.pool.connection() as conn:
                await withdrawals.masked(conn, [run])

    async def _needed(self, tenant: str, approvals: Iterable[str], mask: Mask, traces: Traces) -> Kept:
        """Return what has to be kept so that what rests on these approvals can end, and to go on by."""
        assert traces.begun is not None  # by `erase`
        marks, wanted = people.plain(traces.marks), sorted(approvals)
        if not wanted:
            return Kept(marks=marks)
        ids = {
            name: one for one, name in erasing.tokens(traces.begun.pseudonym, traces.marks.subjects).items()
        }
        known, kept = traces.begun.kept.digests, dict[str, str]()
        cursor = await self.owner.execute(
            "SELECT id, action, digest FROM approval WHERE tenant = %s AND id = ANY(%s)", (tenant, wanted)
        )
        for name, action, digest in await cursor.fetchall():
            if digest == GONE and name in known:
                kept[name] = known[name]
            elif digests.digest(tenant, action) == digest:
                kept[name] = digests.digest(tenant, erasing.put_back(mask.value(action), ids))
        return Kept(ids=ids, digests=kept, marks=marks)

    async def _is_shown(self) -> bool:
        return await self._unshown() == 0

    async def _unshown(self) -> int:
        """Return how many messages Slack still shows as they were."""
        async with self.database.pool.connection() as conn:
            cursor = await conn.execute(
                "SELECT count(*) AS n FROM message WHERE ts IS NOT NULL"
                " AND (unwanted AND state <> 'done' OR state = 'due' AND wanted > 1 AND sent > 0)"
            )
            row = await cursor.fetchone()
        assert row is not None
        return int(row["n"])

    async def _conclude(self, tenant: str, traces: Traces, report: Report, known: Iterable[str]) -> None:
        """Erase them from the record, write there that it was done, and keep no more than is needed."""
        for subject in sorted(known):
            await keeping.erase(self.database.pool, self.owner, subject, by=self.by)
        if report.is_complete:
            await self.owner.execute(
                "DELETE FROM erasure WHERE tenant = %s AND pseudonym = %s", (tenant, report.person)
            )
        elif not (report.posted or report.mentions.documents or report.mentions.files):
            async with self.database.pool.connection() as conn:
                begun = await erasing.begun(conn, min(traces.marks.subjects))
            assert begun is not None  # by `_change`
            await self._keep(tenant, traces, replace(begun.kept, marks={}))
        async with self.database.pool.connection() as conn:
            await audit.append(
                conn,
                "person.erased",
                run=None,
                facts={"person": report.person, "complete": report.is_complete},
                detail={"by": {"name": self.by}},
            )


def _known(traces: Traces, pseudonym: str) -> list[str]:
    """Return their subjects, and what takes the place of these."""
    stand_ins = erasing.tokens(pseudonym, traces.marks.subjects).values()
    return sorted(traces.marks.subjects | {erasing.subject(one) for one in stand_ins})


async def _store(owner: Owner, tenant: str, sealed: Sealed) -> None:
    await owner.execute(
        "INSERT INTO erasure (tenant, pseudonym, handles, key_id, wrapped, sealed)"
        " VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (tenant, pseudonym) DO UPDATE SET"
        " handles = excluded.handles, key_id = excluded.key_id, wrapped = excluded.wrapped,"
        " sealed = excluded.sealed",
        (tenant, sealed.pseudonym, sealed.handles, sealed.key_id, sealed.wrapped, sealed.sealed),
    )


def _shown_by(touched: Touched) -> Mapping[str, list[str]]:
    """Return which approvals, doubts, reviews, runs and messages show what was changed."""
    cards = {key[0] for name in ("approval", "vote", "edit") for key in touched.get(name, ())}
    return {
        "cards": sorted(cards),
        "doubts": sorted(key[0] for key in touched.get("doubt", ())),
        "reviews": sorted(key[0] for key in touched.get("review", ())),
        "runs": sorted(key[0] for name in ("run", "run_step") for key in touched.get(name, ())),
        "messages": sorted(key[0] for key in touched.get("message", ())),
    }


_DRAWN_ANEW = (
    "WITH card AS (SELECT id FROM approval WHERE tenant = %(tenant)s"
    "  AND (id = ANY(%(cards)s) OR replaces = ANY(%(cards)s))),"
    " drawn AS (SELECT 'card:' || id AS name FROM card"
    "  UNION SELECT 'doubt:' || doubt.id FROM doubt JOIN effect ON effect.id = doubt.effect"
    "   WHERE doubt.id = ANY(%(doubts)s) OR effect.approval IN (TABLE card)"
    "  UNION SELECT 'review:' || id FROM review WHERE id = ANY(%(reviews)s) OR approval IN (TABLE card)"
    "  UNION SELECT 'progress:' || run FROM unnest(%(runs)s::text[]) AS run"
    "  UNION SELECT id FROM unnest(%(messages)s::text[]) AS id)"
    " UPDATE message SET wanted = wanted + 1, state = 'due', tries = 0, next_at = clock_timestamp()"
    " WHERE tenant = %(tenant)s AND ts IS NOT NULL AND NOT unwanted"
    " AND (id IN (TABLE drawn) OR kind = 'beside' AND ref IN (TABLE drawn))"
)
