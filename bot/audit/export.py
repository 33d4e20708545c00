"""The record as a file: every event, the values beside it where they have not been erased, the checkpoints.

One JSON object a line. A file that exists is continued behind its last whole event, so an export that was
interrupted is simply made again. It ends with a signed checkpoint over its last event.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, BinaryIO

from bot.audit import ocsf
from graphs.audit import checkpoints, head
from graphs.audit.checkpoints import Checkpoint
from graphs.audit.events import canonical
from graphs.audit.reading import Kept, kept_events
from graphs.ports import Connection

FORMAT = "countersign audit export 1"

Write = Callable[[bytes], object]
Progress = Callable[[int, int], None]  # events written, events there are


class NotContinued(Exception):
    """The file cannot be continued. The message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class End:
    """Where an export goes on: behind event `seq`, after `size` bytes that stay as they are."""

    seq: int = 0
    size: int = 0
    checkpoint: int = 0  # the last one that has been written
    hash: str | None = None  # of event `seq`


def quiet(done: int, total: int) -> None:
    """Show nobody how far it has come."""


async def export(conn: Connection, write: Write, end: End, progress: Progress = quiet) -> int:
    """Write the record behind `end`, and return how many events that were. Raises NotContinued."""
    tenant, until = await _sealed(conn, end)
    if end.size == 0:
        write(canonical({"format": FORMAT, "tenant": tenant, "after": end.seq}) + b"\n")
    written = 0
    async for lines, count in _lines(conn, end, until):
        await conn.commit()  # whoever reads the file may be slow, and no transaction stays open so long
        write(lines)
        written += count
        progress(written, until - end.seq)
    return written


async def export_ocsf(conn: Connection, write: Write, end: End, progress: Progress = quiet) -> int:
    """Write the events behind `end` as OCSF, and return how many. No value of a person is in them."""
    tenant, until = await _sealed(conn, end)
    written = 0
    async for kept in kept_events(conn, after=end.seq):
        if kept.seq > until:
            break
        await conn.commit()  # as above
        if kept.foreign:  # an event of ours, `audit.foreign`, tells of it
            continue
        write(canonical(ocsf.activity(json.loads(kept.body), digest=kept.hash, tenant=tenant)) + b"\n")
        written += 1
        progress(written, until - end.seq)
    return written


async def _sealed(conn: Connection, end: End) -> tuple[str, int]:
    """Sign the end of the record. Returns the tenant, and the number of the last event."""
    await checkpoints.sign(conn)
    last = await checkpoints.latest(conn)
    tenant = await head.tenant(conn)
    if end.hash is not None:
        cursor = await conn.execute("SELECT hash FROM audit_event WHERE seq = %s", (end.seq,))
        row = await cursor.fetchone()
        if row is None or row["hash"] != end.hash:
            raise NotContinued(
                f"In the file, event {end.seq} is another one than in the record. Verify both."
            )
    await conn.commit()  # lets others write on
    return tenant, last.seq if last is not None else 0


async def _lines(conn: Connection, end: End, until: int) -> AsyncIterator[tuple[bytes, int]]:
    """Yield the lines behind `end`, and how many events are in them."""
    waiting = await checkpoints.after(conn, end.checkpoint)
    if waiting and waiting[0].seq == end.seq:
        yield checkpoint_line(waiting.pop(0)), 0
    async for kept in kept_events(conn, after=end.seq):
        if kept.seq > until:
            return
        lines = event_lines(kept)
        if waiting and waiting[0].seq == kept.seq:
            lines += checkpoint_line(waiting.pop(0))
        yield lines, 1


def event_lines(kept: Kept) -> bytes:
    """Return an event and the values beside it. The event's bytes are those that were hashed.

    Of a foreign one it is told that it is there, and what it says as a text: it has no form.
    """
    if kept.foreign:
        said = {"seq": kept.seq, "sha256": _sha256(kept), "body": kept.body}
        return canonical({"foreign": said}) + b"\n"
    lines = [f'{{"event":{kept.body},"hash":"{kept.hash}"}}'.encode()]
    for one in kept.details:
        detail = {"seq": kept.seq, "part": one.part, "salt": one.salt, "values": dict(one.values)}
        lines.append(canonical({"detail": detail}))
    return b"\n".join([*lines, b""])


def _sha256(kept: Kept) -> str:
    return hashlib.sha256(kept.body.encode()).hexdigest()


def checkpoint_line(made: Checkpoint) -> bytes:
    """Return a checkpoint with its signature."""
    return f'{{"checkpoint":{made.body},"signature":"{made.signature}"}}\n'.encode()


def resume(file: BinaryIO, tenant: str, *, after: int = 0) -> End:
    """Find where a file goes on, and cut off what is not whole. Raises NotContinued.

    The last event is written again unless a checkpoint follows: its values may have been cut off.
    """
    file.seek(0)
    header = file.readline()
    if not header.endswith(b"\n"):
        return _cut(file, End(seq=after, checkpoint=after))
    begun = _json(header)
    if begun.get("format") != FORMAT or begun.get("tenant") != tenant:
        raise NotContinued("The file is not an export of this record. Give another name.")
    end = whole = End(size=len(header), seq=begun["after"], checkpoint=begun["after"])
    for line in file:
        if not line.endswith(b"\n"):
            break
        if line.startswith(b'{"event":'):
            whole, said = end, _json(line)
            end = replace(end, seq=said["event"]["seq"], hash=said["hash"])
        elif line.startswith(b'{"foreign":'):
            whole, said = end, _json(line)
            end = replace(end, seq=said["foreign"]["seq"], hash=None)
        end = replace(end, size=end.size + len(line))
        if line.startswith(b'{"checkpoint":'):
            end = whole = replace(end, checkpoint=end.seq)
    return _cut(file, whole)


def resume_ocsf(file: BinaryIO, tenant: str, *, after: int = 0) -> End:
    """The same for a file of OCSF events, each of which is whole by itself. Raises NotContinued."""
    file.seek(0)
    end = End(seq=after)
    for line in file:
        if not line.endswith(b"\n"):
            break
        said = _json(line)
        about: Mapping[str, Any] = said.get("metadata") or {}
        if about.get("tenant_uid") != tenant or "sequence" not in about:
            raise NotContinued("The file holds other things than this record. Give another name.")
        end = End(seq=about["sequence"], size=end.size + len(line), hash=said["unmapped"]["hash"])
    return _cut(file, end)


def _cut(file: BinaryIO, end: End) -> End:
    file.seek(end.size)
    file.truncate()
    return end


def _json(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise NotContinued("The file was changed: a line of it is not JSON. Give another name.") from error
    if not isinstance(value, dict):
        raise NotContinued("The file is not an export. Give another name.")
    return value
