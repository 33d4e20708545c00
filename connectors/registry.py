"""The operations that this process can carry out, and the mint that lets the gate carry them out."""

from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from connectors.base import Mint, Operation
from connectors.directory import AddToGroup, Directory, RemoveFromGroup, open_directory
from connectors.errors import Invalid
from connectors.sdk import Connector

ReadsT = TypeVar("ReadsT")
SHIPPED: tuple[type[Operation[Any, Any]], ...] = (AddToGroup, RemoveFromGroup)  # what this package can do


class Registry:
    """Operations by name. Each is registered explicitly; a name is taken once."""

    def __init__(self, operations: Iterable[Operation[Any, Any]] = (), reads: Iterable[object] = ()) -> None:
        """Take the operations, and what stages may ask of outside systems, which only reads."""
        self._operations: dict[str, Operation[Any, Any]] = {}
        self._reads = tuple(reads)
        for operation in operations:
            self.register(operation)

    def register(self, operation: Operation[Any, Any]) -> None:
        """Add an operation. Raises `Invalid` when its name is taken."""
        if operation.name in self._operations:
            raise Invalid(f"the operation {operation.name} is registered already")
        self._operations[operation.name] = operation

    def operation(self, name: str) -> Operation[Any, Any]:
        """The operation of that name. Raises `Invalid` when there is none."""
        try:
            return self._operations[name]
        except KeyError:
            raise Invalid(f"there is no operation {name}") from None

    def reads(self, kind: type[ReadsT]) -> ReadsT:
        """What a system may be asked, by its class. Raises `Invalid` where it is not connected."""
        for one in self._reads:
            if isinstance(one, kind):
                return one
        raise Invalid(f"nothing is connected that answers as {kind.__module__}.{kind.__qualname__}")

    def __iter__(self) -> Iterator[Operation[Any, Any]]:
        return iter(self._operations.values())

    def __len__(self) -> int:
        return len(self._operations)

    def __contains__(self, name: object) -> bool:
        return name in self._operations


@dataclass(frozen=True, kw_only=True, slots=True)
class DirectorySettings:
    """Where the directory is, and how to be let in: `token` to read, `write_token` to change memberships.

    `timeout` is seconds for one request.

    `issuer` names the directory in every person's subject, also after it moved; the URL where it is empty.
    """

    url: str
    token: str = field(repr=False)
    write_token: str = field(repr=False)
    issuer: str = ""
    timeout: float = 10.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Connectors:
    """Every outside system, connected: the directory, which only reads, and the operations."""

    directory: Directory
    registry: Registry


@asynccontextmanager
async def connect(
    *, directory: DirectorySettings, more: Sequence[Connector[Any]] = ()
) -> AsyncIterator[tuple[Connectors, Mint]]:
    """Connect every outside system for as long as the block lasts, and hand out the mint, once.

    The mint belongs to the gate. Leaving the block retires it and closes the connections.
    """
    mint = Mint()
    async with AsyncExitStack() as stack:
        stack.callback(mint.retire)
        opened = partial(
            open_directory, directory.url, directory.token, within=directory.timeout, issuer=directory.issuer
        )
        people = await stack.enter_async_context(opened())
        groups = await stack.enter_async_context(opened(write_token=directory.write_token))
        systems = [await stack.enter_async_context(one.open()) for one in more]
        operations: list[Operation[Any, Any]] = [AddToGroup(groups), RemoveFromGroup(groups)]
        reads: list[object] = []
        for system in systems:
            operations += system.operations
            reads += system.reads
        registry = Registry(operations, reads)
        yield Connectors(directory=people, registry=registry), mint
