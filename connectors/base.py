"""What a connector is made of: payloads, changes, results, and operations that act only under a permit."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from inspect import getmembers
from typing import Any, ClassVar, Generic, Literal, TypeVar, get_args

from pydantic import BaseModel, ConfigDict

from connectors.errors import Invalid, naming
from connectors.permits import Act, Grant, Mint, Permit, act_under, canonical, digest
from connectors.references import Ref, Referable

__all__ = [
    "Act",
    "Change",
    "Effect",
    "Finding",
    "Health",
    "Mint",
    "Operation",
    "Payload",
    "Permit",
    "Ref",
    "Referable",
    "Repeat",
    "Result",
    "Sight",
    "canonical",
    "digest",
]

Effect = Literal["read", "write", "destructive"]
Repeat = Literal["keyed", "findable", "blind"]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Payload(_Frozen):
    """What one effect needs to know. ASCII keys; strings, integers, decimals, and lists and records of them.

    A field that a step may fill from what an earlier step left behind is declared `Annotated[str, Referable(
    pattern=..., most=...)]`. Never declare so who or where: a person, group, recipient, address or amount.
    """


class Result(_Frozen):
    """What one effect left behind: enough to show it, to find it, and to undo it."""


class Change(_Frozen):
    """What would change, in words that a person understands, and the facts that it rests on.

    `basis` holds what was read, as (name, value) pairs in a fixed order: an approval is bound to it, so it
    names what must still hold at execution and leaves out what may move meanwhile (time stamps, versions).
    `needed` is False when things are already as asked.
    """

    target: str
    before: str
    after: str
    needed: bool
    basis: tuple[tuple[str, str], ...] = ()


class Health(_Frozen):
    """A system that answered and accepted our credential; what it called itself."""

    system: str
    detail: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing that a connector needs of its system, and whether the system serves it.

    `detail` is what was seen, in exact words and without a credential or a person's data. `mend` is what to
    change, and where; it is empty where `ok`, and holds advice where something is served in a slower way.
    """

    name: str
    ok: bool
    detail: str
    mend: str


class Sight(StrEnum):
    """What can be seen of something. Absence is not proof: NOT_SEEN does not say that it is not there."""

    THERE = "there"
    GONE = "gone"  # by a positive sign, such as a question that shows what else there is
    NOT_SEEN = "not_seen"


DataT = TypeVar("DataT", bound=Payload)
ResultT = TypeVar("ResultT", bound=Result)


class Operation(ABC, Generic[DataT, ResultT]):
    """One thing that a connector can do.

    `apply` and `undo` raise `NotPermitted` unless they run inside `with permit.open():` of an unused permit
    that names this operation, this payload, this key and this act. Everything else only reads.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""  # as people read it: "Open a ticket"
    effect: ClassVar[Effect]
    repeat: ClassVar[Repeat]
    scope: ClassVar[str]  # of the credential that it acts with: one for each connector and scope
    reversible: ClassVar[bool] = True  # whether `undo` can restore what `apply` changed
    undo_again: ClassVar[bool] = False  # an undo that may have landed is sent again, whatever can be seen
    within: ClassVar[float] = 30.0  # seconds for one call of any method; then it counts as unanswered
    payload: ClassVar[type[Payload]]  # from the class's parameters: how to read one back from JSON
    result: ClassVar[type[Result]]

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            parameters = get_args(base)
            if len(parameters) == 2 and all(isinstance(parameter, type) for parameter in parameters):
                cls.payload, cls.result = parameters
        for method in ("preview", "find", "apply", "undo", "ping"):
            if method in vars(cls):
                setattr(cls, method, _named(vars(cls)[method]))
        if "apply" in vars(cls):
            cls.apply = _guard_apply(cls.apply)  # type: ignore[method-assign,assignment]  # the permit's one way in
        if "undo" in vars(cls):
            cls.undo = _guard_undo(cls.undo)  # type: ignore[method-assign,assignment]  # likewise
        if not any(getattr(value, "__isabstractmethod__", False) for _, value in getmembers(cls)):
            _check_declaration(cls)

    @abstractmethod
    async def preview(self, data: DataT) -> Change:
        """What `apply` would change. Reads only."""

    @abstractmethod
    async def find(self, data: DataT, key: str) -> ResultT | None:
        """The result of an `apply` of this payload and key that has happened, or None when it has not."""

    @abstractmethod
    async def apply(self, data: DataT, key: str) -> ResultT:
        """Make the change. Applied twice with one key, it equals once."""

    async def sight(self, data: DataT, key: str, result: ResultT | None = None) -> Sight:
        """What can be seen of an `apply` of this payload and key, which left `result`. Reads only.

        An operation whose `find` may miss what is there (a list that is cut, a replica that lags) says so
        here: unless it does, what is not found is gone.
        """
        return Sight.GONE if await self.find(data, key) is None else Sight.THERE

    @abstractmethod
    async def undo(self, data: DataT, result: ResultT, key: str) -> None:
        """Restore what `apply` changed, as far as its result says that it changed anything.

        `key` is the reversal's own, the same when it is sent again; what is undone is named by `result`, while
        `find` and `sight` are asked with the key of the `apply`. Returns only when it is so for certain, and
        otherwise raises `Ambiguous`.
        """

    def assumed(self, data: DataT, key: str) -> ResultT | None:
        """The result of an `apply` whose answer never came, as far as the request alone tells it.

        `undo` with it takes back what is there, and does nothing where nothing is. None, unless said
        otherwise: without its answer it cannot be undone.
        """
        return None

    @abstractmethod
    async def ping(self) -> Health:
        """Ask the system for a sign of life, with our credential. Reads only."""


def _named(method: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    """Have every error of an operation name its system: the first part of the operation's name."""

    @functools.wraps(method)
    async def naming_its_system(self: Operation[Any, Any], *given: Any, **named: Any) -> Any:
        with naming(self.name.partition(".")[0]):
            return await method(self, *given, **named)

    return _sealed(naming_its_system)


def _guard_apply(apply: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(apply)
    async def permitted(self: Operation[Any, Any], data: Payload, key: str) -> Any:
        with act_under(Grant(operation=self.name, digest=digest(data), key=key, act="apply")):
            return await apply(self, data, key)

    return _sealed(permitted)


def _guard_undo(undo: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @functools.wraps(undo)
    async def permitted(self: Operation[Any, Any], data: Payload, result: Result, key: str) -> None:
        with act_under(Grant(operation=self.name, digest=digest(data), key=key, act="undo")):
            await undo(self, data, result, key)

    return _sealed(permitted)


def _sealed(permitted: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    vars(permitted).pop("__wrapped__")  # left by wraps, it would lead around the permit
    return permitted


def _check_declaration(cls: type[Operation[Any, Any]]) -> None:
    if "." not in getattr(cls, "name", ""):
        raise TypeError(f"{cls.__name__} needs a name like 'system.verb'")
    if getattr(cls, "effect", None) not in get_args(Effect):
        raise TypeError(f"{cls.__name__} needs an effect: {', '.join(get_args(Effect))}")
    if getattr(cls, "repeat", None) not in get_args(Repeat):
        raise TypeError(f"{cls.__name__} says how it may be repeated: {', '.join(get_args(Repeat))}")
    if not getattr(cls, "scope", ""):
        raise TypeError(f"{cls.__name__} names the scope of its credential, such as 'groups:write'")
    if not hasattr(cls, "payload"):
        raise TypeError(f"{cls.__name__} names its payload and result: Operation[Payload, Result]")


def parse(operation: Operation[Any, Any], data: object) -> Payload:
    """The payload of an operation from plain JSON. Raises `Invalid` and never repeats the values."""
    try:
        return operation.payload.model_validate(data)
    except ValueError as error:
        raise Invalid(f"the payload does not fit {operation.name}") from error
