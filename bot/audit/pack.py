"""The evidence of one request in one file: request, clause, cards, decisions, effects, receipts, read-backs.

A zip archive. Its events come with proofs that they are among those of signed checkpoints, so that it stands
without the rest of the record; the list of its files is signed as well.
"""

import hashlib
import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO

from pydantic import ValidationError

from bot.audit.export import checkpoint_line, event_lines
from bot.blocks.approval import card
from graphs import cards
from graphs.audit import Event, checkpoints, head, merkle, plain, read
from graphs.audit.checkpoints import Checkpoint
from graphs.audit.events import canonical
from graphs.audit.reading import Kept, kept_events
from graphs.audit.vault import Vault, vault_of
from graphs.ports import Connection

FORMAT = "countersign evidence pack 1"
PURPOSE = b"countersign evidence pack\0"

_READ_ME = """\
Evidence of the request {trace}, from the record of Countersign.

record.jsonl   the events, the personal values beside them as far as they have not been erased, for each
               event a proof that it is among those of a signed checkpoint, and these checkpoints
story.json     the same to read: the request, the clause, the cards, decisions, effects, receipts, read-backs
cards/         each approval card, drawn from the record as Slack's Block Kit
manifest.json  the SHA-256 of every other file, signed

To verify it, offline, with the public key that you were given by other means:

    countersign audit verify {trace}.zip --key PUBLIC_KEY
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Evidence:
    """What the record holds of one request."""

    trace: str
    events: Sequence[Event]
    kept: Sequence[Kept]
    lines: bytes


async def pack(conn: Connection, trace: str, file: BinaryIO) -> int:
    """Write the pack of a request, and return how many events are in it; with none, nothing is written."""
    await checkpoints.sign(conn)
    tenant = await head.tenant(conn)
    evidence = await _gather(conn, tenant, trace)
    await conn.commit()  # lets others write on, however slow the disk is
    if not evidence.events:
        return 0
    files = {
        "README.txt": _READ_ME.format(trace=trace).encode(),
        "record.jsonl": evidence.lines,
        "story.json": _pretty(_story(evidence)),
        **{f"cards/{name}.json": _pretty(blocks) for name, blocks in _cards(evidence.events)},
    }
    files["manifest.json"] = _manifest(vault_of(conn), tenant, trace, files)
    with zipfile.ZipFile(file, "w", compression=zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return len(evidence.events)


async def _gather(conn: Connection, tenant: str, trace: str) -> Evidence:
    events = [event async for event in read(conn, trace)]
    kept = [one async for one in kept_events(conn, trace=trace) if not one.foreign]
    lines = [canonical({"format": FORMAT, "tenant": tenant, "trace": trace}) + b"\n"]
    covering: dict[int, Checkpoint] = {}
    for one in kept:
        made = await _covering(conn, one.seq)
        covering[made.seq] = made
        lines += [event_lines(one), await _proof(conn, one, made)]
    lines += [checkpoint_line(made) for made in covering.values()]
    return Evidence(trace=trace, events=events, kept=kept, lines=b"".join(lines))


async def _covering(conn: Connection, seq: int) -> Checkpoint:
    """Return the first checkpoint that covers the event; there is one, because the end has been signed."""
    return (await checkpoints.after(conn, seq - 1))[0]


async def _proof(conn: Connection, kept: Kept, made: Checkpoint) -> bytes:
    said = made.said
    foreign = [one["seq"] for one in said.get("foreign", ())]
    cursor = await conn.execute(
        "SELECT seq, hash FROM audit_event WHERE seq > %s AND seq <= %s AND seq <> ALL(%s) ORDER BY seq",
        (said["after"], made.seq, foreign),
    )
    hashes = {row["seq"]: row["hash"] for row in await cursor.fetchall()}
    path = merkle.proof(list(hashes.values()), list(hashes).index(kept.seq))
    return canonical({"proof": {"seq": kept.seq, "checkpoint": made.seq, "path": path}}) + b"\n"


def _story(evidence: Evidence) -> dict[str, Any]:
    """Return the events in chapters. What is missing has been erased, or did not happen."""
    chapters: dict[str, list[dict[str, Any]]] = {}
    for event in evidence.events:
        chapters.setdefault(_chapter(event.kind), []).append(plain(event))
    return {"request": evidence.trace, **chapters}


def _chapter(kind: str) -> str:
    if kind == "effect.read_back":
        return "read_backs"
    if kind in {"effect.done", "effect.failed", "effect.unknown"}:
        return "receipts"
    return {"run": "course", "approval": "approvals", "effect": "effects"}.get(
        kind.partition(".")[0], "other"
    )


def _cards(events: Iterable[Event]) -> Iterable[tuple[str, dict[str, Any]]]:
    """Yield each card as it was posted, by its approval's id; one of which parts were erased is left out."""
    for event in events:
        shown = event.detail.get("card") if event.detail else None
        if event.kind != "approval.requested" or not isinstance(shown, Mapping) or event.detail is None:
            continue
        try:
            approval = cards.approval({**shown, "clause": event.detail.get("clause")})
        except (KeyError, ValidationError):
            continue
        message = card(approval, users={})
        yield approval.id, {"text": str(message.text), "blocks": list(message.blocks)}


def _manifest(vault: Vault, tenant: str, trace: str, files: Mapping[str, bytes]) -> bytes:
    said = {
        "tenant": tenant,
        "trace": trace,
        "key": vault.public_keys[0],
        "files": {name: hashlib.sha256(content).hexdigest() for name, content in files.items()},
    }
    body = canonical(said)
    return b'{"pack":%b,"signature":"%b"}\n' % (body, vault.signer.sign(PURPOSE + body).hex().encode())


def _pretty(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, ensure_ascii=False).encode()
