"""Verify an export or an evidence pack of Countersign's record, offline and without trusting Countersign.

This file stands alone: it needs Python 3.11 and the package `cryptography`, and nothing of what wrote the
record. `python verifier.py EXPORT --key PUBLIC_KEY [--checkpoints COPY]` says what is wrong and where, and
exits with 1 if anything is. The formats are described in docs/audit.md.
"""

import argparse
import hashlib
import json
import sys
import time
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

GENESIS = "0" * 64
EXPORT, PACK = "countersign audit export 1", "countersign evidence pack 1"
RECORD, MANIFEST = "record.jsonl", "manifest.json"  # in a pack
_CHECKPOINT, _PACK = (
    b"countersign audit checkpoint\0",
    b"countersign evidence pack\0",
)  # before what is signed
_HEX = frozenset("0123456789abcdef")
_MOST = 100  # findings, after which the rest is not read

Owners = Sequence[str] | None  # pseudonyms; not known of events before version 2


class Unusable(Exception):
    """The files or keys given cannot be verified with at all. The message says why."""


class Malformed(Exception):
    """A line is not what it should be. The message says what is wrong with it."""


@dataclass(kw_only=True)
class Report:
    """What was verified, and what is wrong. `sealed` is the last event that a signed checkpoint covers."""

    events: int = 0
    first: int | None = None
    last: int | None = None
    sealed: int = 0
    checkpoints: int = 0
    missing: int = 0  # sets of values that are gone, and the record says why
    foreign: list[int] = field(default_factory=list)  # events that the bot did not write, as it says itself
    findings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def find(self, what: str, *, line: int | None = None, seq: int | None = None) -> None:
        """Note something that is wrong, in which line and about which event."""
        places = [f"line {line}"] * (line is not None) + [f"event {seq}"] * (seq is not None)
        self.findings.append(f"{', '.join(places)}: {what}" if places else what)

    def sentences(self) -> list[str]:
        """Return the report for a person."""
        span = f" ({self.first} to {self.last})" if self.events else ""
        told = [*self.findings]
        told.append(
            f"{self.events} events{span}; {self.checkpoints} signed checkpoints, up to {self.sealed}."
        )
        if self.missing:
            told.append(f"{self.missing} sets of personal values are gone: erased, or past their time.")
        return [*told, *self.notes, self._verdict()]

    def _verdict(self) -> str:
        if not self.findings:
            return "Each as it was written."
        if len(self.findings) == len(self.foreign):
            return "Every other event is as it was written."
        return "NOT as it was written."

    def find_foreign(self, seq: int) -> None:
        """Note an event that somebody else wrote, which is a finding however well the rest holds."""
        self.foreign.append(seq)
        self.find(
            "foreign: somebody who has not the record's key wrote it into the database; it counts nowhere",
            seq=seq,
        )


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a signed checkpoint says."""

    tenant: str
    after: int
    seq: int
    hash: str
    root: str
    previous: str
    foreign: Mapping[int, str]  # events that the bot did not write, each with the SHA-256 of what it says
    digest: str  # of the bytes that were signed


class Keys:
    """The public keys that are trusted, in hexadecimal. Raises Unusable for what is none."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._keys = {key: Ed25519PublicKey.from_public_bytes(_unhex(key, 64, Unusable)) for key in keys}
        if not self._keys:
            raise Unusable("no public key was given")

    def check(self, key: object, signature: str, signed: bytes) -> None:
        """Raise Malformed unless one of our keys has signed these bytes."""
        trusted = self._keys.get(str(key))
        if trusted is None:
            raise Malformed("it was signed with a key that is not among those given")
        try:
            trusted.verify(bytes.fromhex(signature), signed)
        except InvalidSignature as error:
            raise Malformed("its signature is wrong: it was not signed so, or changed since") from error

    def checkpoint(self, line: bytes) -> Checkpoint:
        """Read a line with a checkpoint. Raises Malformed."""
        body, signature = _enclosed(line, b'{"checkpoint":', b',"signature":"', 128)
        said = _object(body)
        self.check(said.get("key"), signature, _CHECKPOINT + body)
        names = ("tenant", "after", "seq", "hash", "root", "previous")
        foreign = {int(one["seq"]): str(one["sha256"]) for one in said.get("foreign", ())}
        return Checkpoint(
            **{name: said[name] for name in names}, foreign=foreign, digest=hashlib.sha256(body).hexdigest()
        )


class _Record:
    """What exports and packs have in common: events, and the values beside them."""

    format: str

    def __init__(self, keys: Keys, report: Report, *, most: int = _MOST) -> None:
        self.keys, self.report, self._most = keys, report, most
        self.tenant: str | None = None
        self.last: tuple[int, str] | None = None  # the event before: number and hash
        self._due: dict[int, tuple[str, Owners]] = {}  # what it commits to and has not come yet, by part
        self.missing: list[tuple[int, int, Owners]] = []  # line, event, whose

    def read(self, lines: Iterable[bytes]) -> None:
        """Judge every line, given with its line feed."""
        number = 0
        for number, line in enumerate(lines, start=1):
            try:
                if not line.endswith(b"\n"):
                    self.report.find("the last line is cut off", line=number)
                self._take(number, line.removesuffix(b"\n"))
            except (Malformed, KeyError, TypeError, ValueError, AttributeError) as error:
                what = (
                    str(error)
                    if isinstance(error, Malformed)
                    else f"the line lacks what it needs ({error!r})"
                )
                self.report.find(what, line=number, seq=self.last[0] if self.last else None)
            if len(self.report.findings) >= self._most:
                self.report.notes.append("There may be more: reading was given up here.")
                return
        if number == 0:
            self.report.find("it is empty")
        self.close(number)
        self.finish()

    def _take(self, number: int, line: bytes) -> None:
        if number == 1:
            said = _canonical(line)
            if said.get("format") != self.format:
                raise Malformed(f"the first line does not say that this is a {self.format!r}")
            self.begin(said)
        elif line.startswith(b'{"event":'):
            self._event(number, line)
        elif line.startswith(b'{"detail":'):
            self._detail(line)
        elif line.startswith(b'{"foreign":'):
            self.close(number - 1)
            self.foreign(number, _canonical(line)["foreign"])
        elif line.startswith(b'{"checkpoint":'):
            self.close(number - 1)
            made = self.keys.checkpoint(line)
            if made.tenant != self.tenant:
                raise Malformed("the checkpoint is of another tenant's record")
            self.covered(made)
        else:
            self.other(_canonical(line))

    def _event(self, number: int, line: bytes) -> None:
        self.close(number - 1)
        body, digest = _enclosed(line, b'{"event":', b',"hash":"', 64)
        said, report = _object(body), self.report
        seq = int(said["seq"])
        if hashlib.sha256(body).hexdigest() != digest:
            report.find(
                "it was changed: it does not have the hash that stands beside it", line=number, seq=seq
            )
        self.follows(number, seq, digest, said)
        self.last = (seq, digest)
        report.events, report.last = report.events + 1, seq
        report.first = seq if report.first is None else report.first
        self._due = dict(enumerate(_commitments(said)))

    def _detail(self, line: bytes) -> None:
        said = _object(line)["detail"]
        seq, part, salt = said["seq"], said["part"], said["salt"]
        begin = f'{{"detail":{{"part":{part},"salt":"{salt}","seq":{seq},"values":'.encode()
        if not (line.startswith(begin) and line.endswith(b"}}")):
            raise Malformed("the line was changed: it does not have the form of its kind")
        if self.last is None or seq != self.last[0] or part not in self._due:
            raise Malformed("these values belong to another event, or stand here twice")
        committed = f"{salt}\0".encode() + line[len(begin) : -2]
        if hashlib.sha256(committed).hexdigest() != self._due.pop(part)[0]:
            raise Malformed("these values are not those that the event commits to")

    def close(self, number: int) -> None:
        """Leave the event before: what it commits to and did not come is missing."""
        if self.last is not None:
            self.missing += [(number, self.last[0], owners) for _, owners in self._due.values()]
        self._due = {}

    def begin(self, said: Mapping[str, Any]) -> None:
        """Take what the first line says."""
        self.tenant = str(said["tenant"])

    def other(self, said: Mapping[str, Any]) -> None:
        """Take a line of another kind."""
        raise Malformed("this line does not belong here")

    def foreign(self, number: int, said: Mapping[str, Any]) -> None:
        """Take an event that the export says is foreign."""
        raise Malformed("this line does not belong here")

    def follows(self, number: int, seq: int, digest: str, said: Mapping[str, Any]) -> None:
        """Judge the place of an event."""

    def covered(self, made: Checkpoint) -> None:
        """Judge a checkpoint, rightly signed."""

    def finish(self) -> None:
        """Judge what can be judged only at the end."""


class _Export(_Record):
    """An export: all events in order, each with the hash of the one before it, up to a checkpoint."""

    format = EXPORT

    def __init__(
        self, keys: Keys, report: Report, copies: Mapping[int, Checkpoint], *, most: int = _MOST
    ) -> None:
        super().__init__(keys, report, most=most)
        self._copies = copies
        self._after = 0
        self._open: list[str] = []  # hashes since the last checkpoint
        self._foreign: dict[int, str] = {}  # what stands here as foreign since then, to be found in the next
        self._filled = self._after  # up to which number no event is missing
        self._checkpoint: Checkpoint | None = None
        self._erased: dict[str, int] = {}  # pseudonym -> the event that says so
        self._expired: list[tuple[int, int]] = []  # values up to event .. are gone, says event ..

    def begin(self, said: Mapping[str, Any]) -> None:
        super().begin(said)
        self._after = self._filled = int(said["after"])
        if self._after:
            self.report.notes.append(f"What came before event {self._after + 1} is not in this export.")

    def follows(self, number: int, seq: int, digest: str, said: Mapping[str, Any]) -> None:
        """Find events that are missing, moved, put in, or chained to another past."""
        previous = said["previous"]
        before, expected = self.last or (self._after, previous if self._after else GENESIS)
        filled, self._filled = max(self._filled, before), max(self._filled, seq)
        if seq > filled + 1:
            gone = f"{filled + 1} to {seq - 1} are" if seq > filled + 2 else f"{seq - 1} is"
            self.report.find(f"{gone} missing before it", line=number, seq=seq)
        elif seq <= filled:
            self.report.find(
                f"it stands behind event {filled}: put in, repeated or moved", line=number, seq=seq
            )
        elif previous != expected:
            self.report.find(f"it does not follow event {before} as that stands here", line=number, seq=seq)
        if seq in self._copies and self._copies[seq].hash != digest:
            self.report.find("it is another one than in a copied checkpoint: a fork", line=number, seq=seq)
        self._open.append(digest)
        if said["kind"] == "audit.erased":
            self._erased[str(said["facts"]["erased"])] = seq
        elif said["kind"] == "audit.expired":
            self._expired.append((int(said["facts"]["through"]), seq))

    def foreign(self, number: int, said: Mapping[str, Any]) -> None:
        """Take an event that the export says is foreign; the next checkpoint must say so too."""
        seq, digest = int(said["seq"]), str(said["sha256"])
        if seq != self._filled + 1:
            raise Malformed(f"a foreign event {seq} stands behind event {self._filled}")
        if hashlib.sha256(str(said["body"]).encode()).hexdigest() != digest:
            raise Malformed("this foreign event was changed: it does not have the hash that stands beside it")
        self._foreign[seq], self._filled = digest, seq

    def covered(self, made: Checkpoint) -> None:
        """Compare a checkpoint with the events before it."""
        before = self._checkpoint
        begins = before.seq if before is not None else self._after
        partly = before is None and made.after < begins  # of a part, the first may cover events before it
        if self.last is None or made.seq != self.last[0]:
            raise Malformed(f"this checkpoint covers the record up to event {made.seq}, and stands elsewhere")
        if made.hash != self.last[1]:
            raise Malformed("this checkpoint was signed over other events: the record was rewritten")
        if not partly and (made.after != begins or _root(self._open) != made.root):
            raise Malformed("this checkpoint was signed over other events than those that stand here")
        if (before is not None or made.after == 0) and made.previous != (
            before.digest if before else GENESIS
        ):
            raise Malformed("this checkpoint does not follow the one before it")
        for seq in sorted(made.foreign.keys() | self._foreign.keys()):
            if made.foreign.get(seq) == self._foreign.get(seq):
                self.report.find_foreign(seq)
            elif seq > self._after:
                self.report.find(
                    "the checkpoint that covers it says another thing of what is foreign there", seq=seq
                )
        self._checkpoint, self._open, self._foreign = made, [], {}
        self.report.checkpoints, self.report.sealed = self.report.checkpoints + 1, made.seq

    def finish(self) -> None:
        report, last = self.report, self.last[0] if self.last else self._after
        for line, seq, owners in self.missing:
            if self._explained(seq, owners):
                report.missing += 1
            else:
                report.find(
                    "values of it are missing, and nothing in the record says why", line=line, seq=seq
                )
        if self._open or self._foreign:
            report.find(
                f"not yet signed: no checkpoint covers the end, event {last}; the file was cut off, is not"
                " finished, or holds what only the bot's next checkpoint can prove"
            )
        if self._copies and max(self._copies) > last:
            more = f"a copied checkpoint proves event {max(self._copies)}"
            report.find(f"the record ends at event {last}, but {more}: it was cut off, or is an older one")

    def _explained(self, seq: int, owners: Owners) -> bool:
        """Whether a later event says why values of this one are gone. Version 1 kept no word of it."""
        erased = owners is None or any(self._erased.get(owner, 0) > seq for owner in owners)
        return erased or any(seq <= through < by for through, by in self._expired)


class _Evidence(_Record):
    """The record in a pack: some events, each with a proof that it is among those of a signed checkpoint."""

    format = PACK

    def __init__(self, keys: Keys, report: Report) -> None:
        super().__init__(keys, report)
        self._events: dict[int, str] = {}
        self._proofs: dict[int, tuple[int, Sequence[str]]] = {}
        self._checkpoints: dict[int, Checkpoint] = {}

    def follows(self, number: int, seq: int, digest: str, said: Mapping[str, Any]) -> None:
        if self.last is not None and seq <= self.last[0]:
            self.report.find("it is repeated or moved", line=number, seq=seq)
        self._events[seq] = digest

    def covered(self, made: Checkpoint) -> None:
        self._checkpoints[made.seq] = made
        if made.foreign:
            named = ", ".join(map(str, made.foreign))
            self.report.notes.append(
                f"The record holds foreign events, of which none is in this pack: {named}."
            )

    def other(self, said: Mapping[str, Any]) -> None:
        proof = said["proof"]
        self._proofs[proof["seq"]] = (proof["checkpoint"], proof["path"])

    def finish(self) -> None:
        report = self.report
        for seq, digest in self._events.items():
            covering, path = self._proofs.get(seq, (0, ()))
            made = self._checkpoints.get(covering)
            if made is None or not made.after < seq <= made.seq or _climbed(digest, path) != made.root:
                report.find("nothing proves that it was in the record", seq=seq)
        report.checkpoints, report.sealed = len(self._checkpoints), max(self._checkpoints, default=0)
        report.missing = len(self.missing)


def verify(
    lines: Iterable[bytes], keys: Sequence[str], copies: Iterable[bytes] = (), *, most: int = _MOST
) -> Report:
    """Verify an export, given as lines with their line feeds. Raises Unusable for keys that are none.

    `copies` are checkpoints from a second place: they prove what the record held, whatever the export says.
    Reading ends after `most` findings.
    """
    report, trusted = Report(), Keys(keys)
    _Export(trusted, report, _copied(copies, trusted, report), most=most).read(lines)
    return report


def _copied(lines: Iterable[bytes], keys: Keys, report: Report) -> dict[int, Checkpoint]:
    """Read copies of checkpoints. One that is not as signed proves nothing, and is found."""
    found: dict[int, Checkpoint] = {}
    for number, line in enumerate(lines, start=1):
        try:
            made = keys.checkpoint(line.removesuffix(b"\n"))
        except (Malformed, KeyError, TypeError, ValueError) as error:
            report.find(f"in the copied checkpoints, line {number}: {error}")
            continue
        if found.setdefault(made.seq, made).hash != made.hash:
            report.find("two copied checkpoints of it differ: the record was forked", seq=made.seq)
    return found


def verify_pack(path: Path, keys: Sequence[str]) -> Report:
    """Verify an evidence pack: the files are those that were packed, and each event was in the record.

    Raises Unusable.
    """
    report, trusted = Report(), Keys(keys)
    try:
        with zipfile.ZipFile(path) as pack:
            files = {name: pack.read(name) for name in pack.namelist()}
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise Unusable(f"{path} is not a pack: {error}") from error
    try:
        _packed(files, trusted, report)
    except (Malformed, KeyError, TypeError, ValueError, AttributeError) as error:
        report.find(f"{MANIFEST}: {error}")
    _Evidence(trusted, report).read(files.get(RECORD, b"").splitlines(keepends=True))
    return report


def _packed(files: Mapping[str, bytes], keys: Keys, report: Report) -> None:
    """Compare the files with the signed list of them."""
    line = files.get(MANIFEST, b"").removesuffix(b"\n")
    body, signature = _enclosed(line, b'{"pack":', b',"signature":"', 128)
    said = _object(body)
    keys.check(said.get("key"), signature, _PACK + body)
    listed: Mapping[str, str] = said["files"]
    for name in sorted({*listed, *files} - {MANIFEST}):
        if name not in files:
            report.find(f"the file {name} is missing from the pack")
        elif listed.get(name) != hashlib.sha256(files[name]).hexdigest():
            report.find(f"the file {name} was {'changed' if name in listed else 'put into the pack'}")


def _commitments(said: Mapping[str, Any]) -> Iterator[tuple[str, Owners]]:
    """Yield what an event commits to, and whose it is."""
    if "v" not in said:
        yield said["commitment"], None
        return
    for one in said["details"]:
        yield one["commitment"], one["of"]


def _root(hashes: Sequence[str]) -> str:
    """Return the top of the tree over these hashes (RFC 6962), by joining neighbours of one size."""
    stack: list[tuple[int, bytes]] = []  # how many are below, hash
    for one in hashes:
        stack.append((1, hashlib.sha256(b"\0" + bytes.fromhex(one)).digest()))
        while len(stack) > 1 and stack[-1][0] == stack[-2][0]:
            _join(stack)
    while len(stack) > 1:
        _join(stack)
    return stack[0][1].hex() if stack else ""


def _join(stack: list[tuple[int, bytes]]) -> None:
    (many, right), (more, left) = stack.pop(), stack.pop()
    stack.append((many + more, hashlib.sha256(b"\1" + left + right).digest()))


def _climbed(digest: str, path: Sequence[str]) -> str:
    """Follow a proof from an event's hash to the top of the tree."""
    here = hashlib.sha256(b"\0" + bytes.fromhex(digest)).digest()
    for step in path:
        beside = _unhex(step[1:], 64, Malformed)
        here = hashlib.sha256(b"\1" + (beside + here if step[0] == "L" else here + beside)).digest()
    return here.hex()


def _enclosed(line: bytes, begin: bytes, middle: bytes, digits: int) -> tuple[bytes, str]:
    """Take a line apart unread: the exact bytes that were hashed or signed, and that hash or signature."""
    end = len(line) - len(middle) - digits - 2
    digest = line[-digits - 2 : -2].decode("ascii", errors="replace")
    whole = line.startswith(begin) and line[end : end + len(middle)] == middle and line.endswith(b'"}')
    if not whole or not _HEX.issuperset(digest):
        raise Malformed("the line was changed: it does not have the form of its kind")
    return line[len(begin) : end], digest


def _object(text: bytes) -> dict[str, Any]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed("the line was changed: it is not JSON") from error
    if not isinstance(value, dict):
        raise Malformed("the line was changed: it is not a JSON object")
    return value


def _canonical(line: bytes) -> dict[str, Any]:
    """Read a line of which there is one form only."""
    value = _object(line)
    if _dumps(value).encode(errors="surrogatepass") != line:
        raise Malformed("the line was changed: it is not in its canonical form")
    return value


def _dumps(value: object) -> str:
    """Return canonical JSON (RFC 8785), for the strings and whole numbers that records hold."""
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def _unhex(text: str, digits: int, error: type[Exception]) -> bytes:
    if len(text) != digits or not _HEX.issuperset(text):
        raise error(f"not {digits} digits of lower-case hexadecimal: {text[:80]}")
    return bytes.fromhex(text)


def keys_from(given: Sequence[str]) -> list[str]:
    """Read public keys: each as it is, or the name of a file that holds some. Raises Unusable."""
    found: list[str] = []
    for one in given:
        try:
            found += [one] if len(one) == 64 and _HEX.issuperset(one) else Path(one).read_text().split()
        except (OSError, ValueError) as error:
            raise Unusable(f"{one} is neither a public key nor a file that holds one") from error
    return found


def verify_file(path: Path, keys: Sequence[str], copies: Path | None = None) -> Report:
    """Verify a file, an evidence pack or an export. Raises Unusable."""
    try:
        if zipfile.is_zipfile(path):
            return verify_pack(path, keys)
        copied = copies.read_bytes().splitlines(keepends=True) if copies is not None else []
        with path.open("rb") as file:
            return verify(file, keys, copied)
    except OSError as error:
        raise Unusable(f"{error.filename} cannot be read: {error.strerror}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """Verify what the command line names. Returns 0 if it holds, 1 if not, 2 if it cannot be verified."""
    parser = argparse.ArgumentParser(
        description="Verify an export or an evidence pack of Countersign, offline."
    )
    parser.add_argument("file", type=Path, help="the export (JSON lines) or the pack (zip)")
    parser.add_argument(
        "--key", action="append", required=True, help="the public key, or a file that holds it"
    )
    parser.add_argument("--checkpoints", type=Path, help="copies of checkpoints from a second place")
    given = parser.parse_args(arguments)
    began = time.monotonic()
    try:
        report = verify_file(given.file, keys_from(given.key), given.checkpoints)
    except Unusable as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write("\n".join([*report.sentences(), f"({time.monotonic() - began:.2f} s)"]) + "\n")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
