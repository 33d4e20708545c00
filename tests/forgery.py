"""Forgers of exports: outsiders, whoever owns the database, and an insider with the signing key.

Every function takes the lines of a true export and returns another list of lines that is not the record.
"""

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from random import Random
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from graphs.audit import merkle
from graphs.audit.checkpoints import PURPOSE
from graphs.audit.events import GENESIS, canonical

Lines = list[bytes]
Forger = Callable[[Lines, Random], Lines]


def byte_edits(lines: Lines, rng: Random) -> Iterator[tuple[str, Lines]]:
    """Yield every byte changed, removed, and another one put before it, one at a time."""
    for number, line in enumerate(lines):
        for place, byte in enumerate(line):
            other = rng.choice(
                [value for value in (byte ^ 1, byte ^ 0x20, rng.randrange(256)) if value != byte]
            )
            for what, new in (
                ("changed", bytes([other])),
                ("removed", b""),
                ("put in", bytes([rng.randrange(256), byte])),
            ):
                yield what, [*lines[:number], line[:place] + new + line[place + 1 :], *lines[number + 1 :]]


def edit_a_byte(lines: Lines, rng: Random) -> Lines:
    at = rng.randrange(len(lines))
    line = bytearray(lines[at])
    place = rng.randrange(len(line))
    line[place] ^= rng.randrange(1, 256)
    return [*lines[:at], bytes(line), *lines[at + 1 :]]


def edit_a_value(lines: Lines, rng: Random) -> Lines:
    """Change what an event or the values beside it say, in canonical form; its hash stays."""
    at = rng.choice(_places(lines, b'{"event":', b'{"detail":'))
    said = json.loads(lines[at])
    if "event" in said:
        said["event"][rng.choice(["kind", "outcome", "at", "actor"])] = "forged"
        return [*lines[:at], _event(said["event"], said["hash"]), *lines[at + 1 :]]
    said["detail"]["values"]["forged"] = rng.randrange(1000)
    return [*lines[:at], canonical(said) + b"\n", *lines[at + 1 :]]


def edit_and_chain_anew(lines: Lines, rng: Random) -> Lines:
    """Change an event, and compute every hash behind it again, as whoever owns the database can."""
    at = rng.choice(_places(lines, b'{"event":'))
    body = json.loads(lines[at])["event"]
    body["facts"] = {**body["facts"], "forged": True}
    return chained([*lines[:at], _event(body), *lines[at + 1 :]])


def delete_a_line(lines: Lines, rng: Random) -> Lines:
    at = rng.randrange(len(lines))
    return [*lines[:at], *lines[at + 1 :]]


def delete_events(lines: Lines, rng: Random) -> Lines:
    """Take out one event or several, with the values beside them."""
    first, behind = _span(lines, rng, most=5)
    return [*lines[:first], *lines[behind:]]


def delete_and_chain_anew(lines: Lines, rng: Random) -> Lines:
    first, behind = _span(lines, rng, most=5)
    return chained([*lines[:first], *lines[behind:]], renumber=True)


def swap_neighbours(lines: Lines, rng: Random) -> Lines:
    starts = _places(lines, b'{"event":')
    at = rng.randrange(len(starts) - 2)
    one, two, end = starts[at], starts[at + 1], starts[at + 2]
    return [*lines[:one], *lines[two:end], *lines[one:two], *lines[end:]]


def swap_lines(lines: Lines, rng: Random) -> Lines:
    one, two = sorted(rng.sample(range(len(lines)), 2))
    if lines[one] == lines[two]:
        return delete_a_line(lines, rng)
    return [*lines[:one], lines[two], *lines[one + 1 : two], lines[one], *lines[two + 1 :]]


def swap_and_chain_anew(lines: Lines, rng: Random) -> Lines:
    return chained(swap_neighbours(lines, rng), renumber=True)


def repeat_events(lines: Lines, rng: Random) -> Lines:
    first, behind = _span(lines, rng, most=3)
    at = rng.choice([*_places(lines, b'{"event":'), len(lines)])
    return [*lines[:at], *lines[first:behind], *lines[at:]]


def put_in_an_event(lines: Lines, rng: Random) -> Lines:
    """Put in an event that follows the one before it as it should."""
    at = rng.choice(_places(lines, b'{"event":')[1:])
    before = json.loads(lines[_before(lines, at)])
    body = {**before["event"], "seq": before["event"]["seq"] + 1, "previous": before["hash"], "details": []}
    return [*lines[:at], _event(body), *lines[at:]]


def put_in_and_chain_anew(lines: Lines, rng: Random) -> Lines:
    return chained(put_in_an_event(lines, rng), renumber=True)


def append_without_a_key(lines: Lines, rng: Random) -> Lines:
    """Append an event that follows the last one as it should, and that no checkpoint covers."""
    before = json.loads(lines[_places(lines, b'{"event":')[-1]])
    body = {**before["event"], "seq": before["event"]["seq"] + 1, "previous": before["hash"], "details": []}
    return [*lines, _event({**body, "kind": "approval.decided", "outcome": "approve"})]


def call_an_event_foreign(lines: Lines, rng: Random) -> Lines:
    """Say of an event of the bot's that somebody else wrote it."""
    first, behind = _span(lines, rng, most=1)
    body = canonical(json.loads(lines[first])["event"]).decode()
    said = {"seq": json.loads(body)["seq"], "body": body, "sha256": hashlib.sha256(body.encode()).hexdigest()}
    return [*lines[:first], canonical({"foreign": said}) + b"\n", *lines[behind:]]


def cut_anywhere(lines: Lines, rng: Random) -> Lines:
    whole = b"".join(lines)
    return whole[: rng.randrange(len(whole))].splitlines(keepends=True)


def cut_at_a_line(lines: Lines, rng: Random) -> Lines:
    return lines[: rng.randrange(len(lines))]


def cut_at_a_checkpoint(lines: Lines, rng: Random) -> Lines:
    """Show an older export as the newest: whole in itself, rightly signed."""
    return lines[: rng.choice(_places(lines, b'{"checkpoint":')[:-1]) + 1]


def fork_with_another_key(lines: Lines, rng: Random) -> Lines:
    """Write another history from some event on, and sign it with a key of the forger's own."""
    return signed(edit_and_chain_anew(lines, rng), Ed25519PrivateKey.generate())


FORGERS: dict[str, Sequence[Forger]] = {
    "edited": (edit_a_byte, edit_a_value, edit_and_chain_anew),
    "deleted": (delete_a_line, delete_events, delete_and_chain_anew),
    "reordered": (swap_neighbours, swap_lines, swap_and_chain_anew),
    "inserted": (repeat_events, put_in_an_event, put_in_and_chain_anew, append_without_a_key),
    "called foreign": (call_an_event_foreign,),
    "truncated": (cut_anywhere, cut_at_a_line, cut_at_a_checkpoint),
    "forked": (fork_with_another_key,),
}


def insider(key: Ed25519PrivateKey) -> Forger:
    """Return who writes another history and signs it with the true key."""
    return lambda lines, rng: signed(edit_and_chain_anew(lines, rng), key)


def chained(lines: Lines, *, renumber: bool = False) -> Lines:
    """Compute the chain through these events again, as it would be had they happened so."""
    last, seq, anew = GENESIS, 0, []
    for line in lines:
        said = json.loads(line)
        if "event" in said:
            seq = seq + 1 if renumber else said["event"]["seq"]
            anew.append(_event({**said["event"], "previous": last, "seq": seq}))
            last = json.loads(anew[-1])["hash"]
        elif "detail" in said and renumber:
            anew.append(canonical({"detail": {**said["detail"], "seq": seq}}) + b"\n")
        else:
            anew.append(line)
    return anew


def signed(lines: Lines, key: Ed25519PrivateKey) -> Lines:
    """Sign every checkpoint again, over the events as they stand here."""
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw).hex()
    hashes: list[str] = []
    previous, anew = GENESIS, []
    for line in lines:
        said = json.loads(line)
        if "checkpoint" not in said:
            hashes += [said["hash"]] if "event" in said else []
            anew.append(line)
            continue
        body = {**said["checkpoint"], "hash": hashes[-1], "root": merkle.root(hashes)}
        text = canonical({**body, "previous": previous, "key": public})
        previous, hashes = hashlib.sha256(text).hexdigest(), []
        signature = key.sign(PURPOSE + text).hex().encode()
        anew.append(b'{"checkpoint":%b,"signature":"%b"}\n' % (text, signature))
    return anew


def _event(body: dict[str, Any], digest: str | None = None) -> bytes:
    text = canonical(body)
    return b'{"event":%b,"hash":"%b"}\n' % (text, (digest or hashlib.sha256(text).hexdigest()).encode())


def _places(lines: Lines, *begins: bytes) -> list[int]:
    return [number for number, line in enumerate(lines) if line.startswith(begins)]


def _before(lines: Lines, at: int) -> int:
    """Return the event before a line."""
    return next(number for number in range(at - 1, -1, -1) if lines[number].startswith(b'{"event":'))


def _span(lines: Lines, rng: Random, *, most: int) -> tuple[int, int]:
    """Choose some events between two checkpoints: their first line, and the line behind them."""
    starts = [*_places(lines, b'{"event":', b'{"checkpoint":')]
    whole = [(one, two) for one, two in pairwise(starts) if lines[one].startswith(b'{"event":')]
    at = rng.randrange(len(whole))
    last = min(len(whole) - 1, at + rng.randrange(most))
    return whole[at][0], whole[last][1]
