"""Checkpoints, sealed and fenced: LangGraph's PostgreSQL saver sees only what nobody else can read or forge.

What a checkpoint or a pending write holds is one AES-GCM ciphertext, bound to its tenant, run, namespace,
checkpoint and key (a write also to its task and channel). Anything else is refused: plain rows, and
ciphertext that was moved. Each write is a transaction that first looks whether the worker still has the run.
"""

import base64
import os
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    WRITES_IDX_MAP,
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    PendingWrite,
    get_checkpoint_id,
    get_serializable_checkpoint_metadata,
)
from langgraph.checkpoint.base import (
    id as ids,
)
from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from psycopg.types.json import Jsonb
from psycopg_pool import AsyncConnectionPool

from connectors.keys import Keys
from graphs import cases
from graphs.effects import Fenced
from graphs.ports import Connection

FENCE = "fence"  # in the config: the token of the worker that holds the run

_FORM = b"\x01"
_KEY_ID, _NONCE = 12, 12  # bytes
_SEALED = "sealed"


class NotSealed(Exception):
    """A checkpoint is plain, was changed, or belongs elsewhere. Its run does not go on from it."""


class KeyMissing(NotSealed):
    """A checkpoint was sealed with a key that this process has not been given."""


class Seal:
    """Seals values of one tenant. What comes back is of LangGraph's own safe types and plain data only."""

    def __init__(self, keys: Keys, tenant: str) -> None:
        self._ciphers = {key.id: AESGCM(key.value) for key in keys.keys}
        self._newest = keys.newest.id
        self._tenant = tenant
        self._content = JsonPlusSerializer(allowed_msgpack_modules=None)  # strict

    def close(self, value: Any, *place: str) -> bytes:
        """Return `value` sealed for one place."""
        form, content = self._content.dumps_typed(value)
        nonce = os.urandom(_NONCE)
        plain = form.encode() + b"\0" + content
        closed = self._ciphers[self._newest].encrypt(nonce, plain, self._bound(self._newest, place))
        return _FORM + self._newest.encode() + nonce + closed

    def open(self, sealed: bytes, *place: str) -> Any:
        """Return what was sealed for exactly that place. Raises NotSealed."""
        key_id, rest = sealed[1 : 1 + _KEY_ID].decode("ascii", "replace"), sealed[1 + _KEY_ID :]
        if sealed[:1] != _FORM:
            raise NotSealed("a checkpoint is not sealed")
        if key_id not in self._ciphers:
            raise KeyMissing(f"a checkpoint needs the checkpoint_key {key_id}, which the secrets lack")
        try:
            plain = self._ciphers[key_id].decrypt(rest[:_NONCE], rest[_NONCE:], self._bound(key_id, place))
        except InvalidTag as error:
            raise NotSealed("a checkpoint was changed, or belongs elsewhere") from error
        form, _, content = plain.partition(b"\0")
        return self._content.loads_typed((form.decode(), content))

    def _bound(self, key_id: str, place: Sequence[str]) -> bytes:
        parts = [part.encode() for part in ("countersign checkpoint", self._tenant, key_id, *place)]
        return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


class SealedSaver(BaseCheckpointSaver[str]):
    """The saver of every workflow. The config names the run (`thread_id`) and the worker's token (`FENCE`).

    Writing raises effects.Fenced once another worker has taken the run; nothing is changed then. Reading
    raises NotSealed. There is no way to write in plain.
    """

    def __init__(self, pool: AsyncConnectionPool[Connection], seal: Seal) -> None:
        super().__init__(serde=JsonPlusSerializer(allowed_msgpack_modules=None))
        self._pool = pool
        self._seal = seal
        self._versions = AsyncPostgresSaver(pool)

    def get_next_version(self, current: str | None, channel: None) -> str:
        """Return the version after `current`, as LangGraph's saver counts them."""
        return self._versions.get_next_version(current, channel)

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save a checkpoint, if the worker still holds the run."""
        whole = get_serializable_checkpoint_metadata(config, metadata)
        async with self._pool.connection() as conn:
            return await self._put(conn, config, checkpoint, whole)

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Save what a node has written, if the worker still holds the run."""
        async with self._pool.connection() as conn:
            await self._put_writes(conn, config, writes, task_id, task_path)

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Return the checkpoint that the config names, or the latest one.

        Whatever this process saves from now on is later than that: see `_save_later_than`.
        """
        async with self._pool.connection() as conn:
            found = await _inner(conn).aget_tuple(config)
        if found is None:
            return None
        opened = self._opened(found)
        _save_later_than(opened.checkpoint["id"])
        return opened

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,  # noqa: A002  # LangGraph's name
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Yield the checkpoints of a run, newest first. Nothing filters by what they hold."""
        if filter:
            raise NotImplementedError("sealed checkpoints cannot be searched")
        async with self._pool.connection() as conn:
            found = [one async for one in _inner(conn).alist(config, before=before, limit=limit)]
        for one in found:
            yield self._opened(one)

    async def forget(self, conn: Connection, run: str) -> int:
        """Delete the checkpoints of a run, fence off whoever works on it, and return the new token."""
        token = await cases.fence_off(conn, run)
        await _inner(conn).adelete_thread(run)
        return token

    async def adopt(self, conn: Connection) -> int:
        """Seal what an earlier release has left in plain, in the caller's transaction; return how many runs.

        Of open runs the latest checkpoint is kept, of others none.
        """
        plain = AsyncPostgresSaver(conn, serde=self.serde)
        cursor = await conn.execute(
            "SELECT id, token, status = ANY(%s) AS closed FROM run"
            " WHERE EXISTS (SELECT FROM checkpoints WHERE thread_id = run.id) FOR UPDATE",
            (list(cases.CLOSED),),
        )
        rows = await cursor.fetchall()
        for row in rows:
            last = await plain.aget_tuple({"configurable": {"thread_id": row["id"]}})
            await plain.adelete_thread(row["id"])
            if last is not None and not row["closed"]:
                await self._adopt(conn, last, row["token"])
        return sum(not row["closed"] for row in rows)

    async def _adopt(self, conn: Connection, last: CheckpointTuple, token: int) -> None:
        here = {**last.config["configurable"], FENCE: token}
        above = get_checkpoint_id(last.parent_config) if last.parent_config else None
        behind: RunnableConfig = {"configurable": {**here, "checkpoint_id": above}}
        await self._put(conn, behind, last.checkpoint, last.metadata)
        for task, writes in groupby(last.pending_writes or (), key=lambda write: write[0]):
            pairs = [(channel, value) for _, channel, value in writes]
            await self._put_writes(conn, {"configurable": here}, pairs, task, "")

    async def _put(
        self, conn: Connection, config: RunnableConfig, checkpoint: Checkpoint, metadata: CheckpointMetadata
    ) -> RunnableConfig:
        place = config["configurable"]
        run, namespace, parent = place["thread_id"], place["checkpoint_ns"], place.get("checkpoint_id")
        body = {"checkpoint": checkpoint, "metadata": metadata, "parent": parent}
        sealed = self._seal.close(body, run, namespace, checkpoint["id"])
        outside = {
            "v": checkpoint["v"],
            "id": checkpoint["id"],
            "ts": checkpoint["ts"],
            "channel_values": {_SEALED: base64.b64encode(sealed).decode()},
            "channel_versions": {},
            "versions_seen": {},
            "updated_channels": None,
        }
        values = {"id": checkpoint["id"], "parent": parent, "checkpoint": Jsonb(outside)}
        await _save(conn, _CHECKPOINT, config, values)
        where = {"thread_id": run, "checkpoint_ns": namespace, "checkpoint_id": checkpoint["id"]}
        return {"configurable": where}

    async def _put_writes(
        self,
        conn: Connection,
        config: RunnableConfig,
        writes: Sequence[tuple[str, Any]],
        task_id: str,
        task_path: str,
    ) -> None:
        place = _place(config)
        again = all(channel in WRITES_IDX_MAP for channel, _ in writes)
        indexes = [WRITES_IDX_MAP.get(channel, position) for position, (channel, _) in enumerate(writes)]
        values = {
            "id": place[-1],
            "task": task_id,
            "path": task_path,
            "indexes": indexes,
            "channels": [channel for channel, _ in writes],
            "sealed": [
                self._seal.close([index, value], *place, task_id, channel)
                for index, (channel, value) in zip(indexes, writes, strict=True)
            ],
        }
        await _save(conn, _WRITES_AGAIN if again else _WRITES, config, values)

    def _opened(self, found: CheckpointTuple) -> CheckpointTuple:
        place = _place(found.config)
        body = self._seal.open(_sealed(found.checkpoint), *place)
        parent = get_checkpoint_id(found.parent_config) if found.parent_config else None
        if body["parent"] != parent:
            raise NotSealed("a checkpoint was put behind another one")
        return CheckpointTuple(
            found.config,
            body["checkpoint"],
            body["metadata"],
            found.parent_config,
            self._opened_writes(found.pending_writes or [], place),
        )

    def _opened_writes(self, writes: Sequence[PendingWrite], place: tuple[str, ...]) -> list[PendingWrite]:
        last: dict[str, int] = {}
        opened = []
        for task_id, channel, sealed in writes:  # in the order of their tasks and indexes
            index, value = self._seal.open(sealed, *place, task_id, channel)
            if index <= last.get(task_id, min(WRITES_IDX_MAP.values()) - 1):
                raise NotSealed("what a node has written was reordered")
            last[task_id] = index
            opened.append((task_id, channel, value))
        return opened


class _Envelope(SerializerProtocol):
    """What LangGraph's saver reads for us: sealed bytes as they are, and nothing else."""

    def dumps_typed(self, obj: Any) -> tuple[str, bytes]:
        """Nothing is written through it."""
        raise NotImplementedError("what is sealed is written by the saver itself")

    def loads_typed(self, data: tuple[str, bytes]) -> bytes:
        """Pass on what is sealed. Raises NotSealed for what claims to be anything else."""
        if data[0] != _SEALED:
            raise NotSealed("a checkpoint is not sealed")
        return bytes(data[1])


_ENVELOPE = _Envelope()


def _inner(conn: Connection) -> AsyncPostgresSaver:
    """LangGraph's saver on one connection, and so in its transaction; it has no state of its own."""
    return AsyncPostgresSaver(conn, serde=_ENVELOPE)


# What LangGraph's saver writes, in its tables, as one statement with the fence: whoever would take the run
# waits until it is committed, others that write checkpoints do not. It returns a row if the worker holds it.
_FENCED = (
    "WITH held AS (SELECT FROM run WHERE id = %(run)s AND token = %(token)s FOR SHARE),"
    " saved AS ({}) SELECT FROM held"
)
_CHECKPOINT = _FENCED.format(
    "INSERT INTO checkpoints"
    " (thread_id, checkpoint_ns, checkpoint_id, parent_checkpoint_id, checkpoint, metadata)"
    " SELECT %(run)s, %(namespace)s, %(id)s, %(parent)s, %(checkpoint)s, '{}' FROM held"
    " ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id)"
    " DO UPDATE SET checkpoint = excluded.checkpoint, metadata = excluded.metadata"
)
_WRITE = (
    "INSERT INTO checkpoint_writes"
    " (thread_id, checkpoint_ns, checkpoint_id, task_id, task_path, idx, channel, type, blob)"
    " SELECT %(run)s, %(namespace)s, %(id)s, %(task)s, %(path)s, one.idx, one.channel, 'sealed', one.blob"
    " FROM held, unnest(%(indexes)s::int[], %(channels)s::text[], %(sealed)s::bytea[])"
    " AS one (idx, channel, blob)"
    " ON CONFLICT (thread_id, checkpoint_ns, checkpoint_id, task_id, idx) "
)
_WRITES = _FENCED.format(f"{_WRITE} DO NOTHING")
_WRITES_AGAIN = _FENCED.format(
    f"{_WRITE} DO UPDATE SET channel = excluded.channel, type = excluded.type, blob = excluded.blob"
)


async def _save(conn: Connection, query: str, config: RunnableConfig, values: Mapping[str, Any]) -> None:
    place = config["configurable"]
    where = {"run": place["thread_id"], "namespace": place["checkpoint_ns"], "token": place[FENCE]}
    cursor = await conn.execute(query.encode(), {**where, **values})
    if cursor.rowcount == 0:
        raise Fenced("another worker has taken the run")


def _save_later_than(checkpoint: str) -> None:
    """Let every checkpoint that this process makes from now on have a greater id.

    The latest checkpoint is that of the greatest id, and an id begins with the time: one that was made while
    a clock was ahead would be the latest for as long as that clock was wrong, and its run would stand still.
    LangGraph's own generator knows only the ids that its process has made.
    """
    made = ids.UUID(checkpoint).time
    known = vars(ids)["_last_v6_timestamp"] or 0
    vars(ids)["_last_v6_timestamp"] = max(made, known)


def _place(config: RunnableConfig) -> tuple[str, str, str]:
    place: Mapping[str, str] = config["configurable"]
    return place["thread_id"], place["checkpoint_ns"], place["checkpoint_id"]


def _sealed(checkpoint: Checkpoint) -> bytes:
    held = checkpoint["channel_values"].get(_SEALED)
    if not isinstance(held, str):
        raise NotSealed("a checkpoint is not sealed")
    try:
        return base64.b64decode(held, validate=True)
    except ValueError as error:
        raise NotSealed("a checkpoint was changed") from error
