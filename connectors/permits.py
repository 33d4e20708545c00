"""Permits: the reason why nothing but the gate can write.

A process has one `Mint`, handed once to the gate. The mint writes every permit down; a permit is only the
handle of that entry, so one that was not issued, was altered, was used, or outlived its mint opens nothing.

A permit is also a lease: what it allows is sent within `LEASE` seconds of its opening, or not at all. A
worker that was stopped in between, and whose run another one has taken since, sends nothing when it goes on.
"""

import hashlib
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, final

import rfc8785
from pydantic import BaseModel

from connectors.errors import Ambiguous, Invalid, NotPermitted, Unavailable
from connectors.references import Ref

Act = Literal["apply", "undo"]
LEASE = 5.0  # seconds; less than it takes until the run of a worker that fell silent is given to another


def canonical(data: BaseModel) -> bytes:
    """The canonical JSON (RFC 8785) of a record.

    Raises `Invalid` for what has no single form: floats (write decimals as strings), sets, and integers that
    JSON readers round.
    """
    _refuse_formless(data.model_dump(mode="python"))
    try:
        return rfc8785.dumps(data.model_dump(mode="json"))
    except ValueError as error:  # of pydantic or rfc8785: half a surrogate pair, an integer beyond 2**53
        raise Invalid("the payload has no canonical form") from error


def digest(data: BaseModel) -> str:
    """SHA-256 of the canonical JSON, as 64 hexadecimal digits."""
    return hashlib.sha256(canonical(data)).hexdigest()


def _refuse_formless(value: Any) -> None:
    if isinstance(value, float | set | frozenset | bytes | Ref):
        raise Invalid(f"a {type(value).__name__} has no canonical form")
    if isinstance(value, dict):
        for key, inner in value.items():
            _refuse_formless(key)
            _refuse_formless(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            _refuse_formless(inner)


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant:
    """What one permit allows: one act of one operation, on one payload, under one idempotency key."""

    operation: str
    digest: str
    key: str
    act: Act


@final
class Permit:
    """One act that the gate allowed, once. Issued by `Mint.permit`; building one by hand is refused."""

    __slots__ = ("__weakref__",)

    def __init__(self) -> None:
        raise NotPermitted("a permit is issued by the mint, never built")

    @property
    def grant(self) -> Grant:
        """What this permit allows. Raises `NotPermitted` when the mint does not know it."""
        return _entry(self).grant

    @contextmanager
    def open(self) -> Iterator[None]:
        """Let the act that it names run once within this block. Leaving the block spends the permit."""
        entry = _entry(self)
        if entry.state != "issued":
            raise NotPermitted("this permit has been used")
        entry.state, entry.until = "open", time.monotonic() + LEASE
        token = _open.set(self)
        try:
            yield
        finally:
            entry.state = "spent"
            _open.reset(token)

    def __copy__(self) -> "Permit":
        raise NotPermitted("a permit cannot be copied")

    def __deepcopy__(self, _memo: dict[int, Any]) -> "Permit":
        raise NotPermitted("a permit cannot be copied")

    def __reduce__(self) -> str:
        raise NotPermitted("a permit stays in the process that issued it")


@dataclass(kw_only=True, slots=True)
class _Entry:
    grant: Grant
    state: Literal["issued", "open", "spent"] = "issued"
    until: float = 0.0  # on the monotonic clock, which goes on while the process is stopped


@dataclass(kw_only=True, slots=True)
class _Acting:
    grant: Grant
    until: float
    sent: bool = False


@final
class Mint:
    """The one source of permits in a process. A second one is refused until the first is retired."""

    _living: ClassVar["Mint | None"] = None

    def __init__(self) -> None:
        if Mint._living is not None:
            raise NotPermitted("this process has its mint already")
        Mint._living = self
        self._issued: weakref.WeakKeyDictionary[Permit, _Entry] = weakref.WeakKeyDictionary()

    def permit(self, operation: str, data: BaseModel, key: str, act: Act = "apply") -> Permit:
        """A permit for `act` of the operation of that name, on exactly this payload, under this key."""
        if Mint._living is not self:
            raise NotPermitted("this mint is retired")
        if not key:
            raise Invalid("an act needs an idempotency key")
        permit = object.__new__(Permit)
        self._issued[permit] = _Entry(grant=Grant(operation=operation, digest=digest(data), key=key, act=act))
        return permit

    def retire(self) -> None:
        """End this mint: the permits it issued open nothing any more."""
        self._issued.clear()
        if Mint._living is self:
            Mint._living = None


_open: ContextVar[Permit | None] = ContextVar("the permit that is open", default=None)
_acting: ContextVar[_Acting | None] = ContextVar("the act that is running", default=None)


def _entry(permit: Permit) -> _Entry:
    mint = Mint._living
    entry = mint._issued.get(permit) if mint is not None else None
    if entry is None:
        raise NotPermitted("no living mint issued this permit")
    return entry


@contextmanager
def act_under(wanted: Grant) -> Iterator[None]:
    """Run one act: uses up the open permit that allows it, or raises `NotPermitted`.

    An act may call itself through `super()`: the same act, already running, needs no second permit.
    """
    acting = _acting.get()
    if acting is not None and acting.grant == wanted:
        yield
        return
    permit = _open.get()
    if permit is None:
        raise NotPermitted(f"{wanted.operation} may only {wanted.act} under an open permit")
    entry = _entry(permit)
    if entry.state != "open":
        raise NotPermitted("this permit has been used")
    if entry.grant != wanted:
        raise NotPermitted(f"the open permit does not allow this {wanted.act} of {wanted.operation}")
    entry.state = "spent"
    token = _acting.set(_Acting(grant=wanted, until=entry.until))
    try:
        yield
    finally:
        _acting.reset(token)


def running_act() -> Grant:
    """The act that this code runs under. A connector asks before it sends anything that writes.

    Raises `NotPermitted` outside of an act; `Unavailable` when the permit's lease is over, or `Ambiguous`
    when it ended after the act had begun to send.
    """
    acting = _acting.get()
    if acting is None:
        raise NotPermitted("nothing is written outside of a permitted act")
    if time.monotonic() > acting.until:
        error = Ambiguous if acting.sent else Unavailable
        raise error("this worker was held up for too long; it sends nothing more")
    acting.sent = True
    return acting.grant
