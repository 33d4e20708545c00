"""What the ledger's effects mean to an outside system: looking whether one landed, and making the call.

Only the gate calls this. An operation says how it may be repeated (`connectors.base.Repeat`): a findable call
is looked for before it is made again, so is a keyed one, which is then made with its key in any case, and a
blind one is never repeated by itself. A reversal counts as made only by a positive sign: what is not seen may
be there all the same.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from connectors.base import Mint, Operation, Payload, Repeat, Sight, parse
from connectors.errors import Ambiguous, Unavailable, naming
from connectors.registry import Registry
from graphs.effects import Effect, Unknown

Found = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Calls:
    """The operations, and the mint that lets them act."""

    registry: Registry
    mint: Mint

    async def look(self, effect: Effect, done: Effect | None) -> Found | None:
        """Return what an interrupted call left behind, or None where the call may be made (again).

        `done` is what an undo undoes: it is looked for under the key with which it was done. Raises Unknown
        where nobody but a person can tell.
        """
        operation, data = self._of(effect)
        if operation.repeat == "blind":
            raise Unknown(effect.id)
        async with _within(operation):
            if effect.act == "undo":
                assert done is not None
                return {} if await operation.sight(data, done.key) is Sight.GONE else None
            there = await operation.find(data, effect.key)
        return None if there is None else _plain(there)

    async def make(self, effect: Effect, done: Effect | None) -> Found:
        """Make the call, under a permit for exactly it. `done` is what an undo undoes.

        Raises Unknown where a blind call may have landed, Ambiguous where another may have, and otherwise the
        connector's own errors: then nothing was written.
        """
        operation, data = self._of(effect)
        try:
            with self.mint.permit(operation.name, data, effect.key, effect.act).open():
                async with _within(operation, writes=True):
                    if effect.act == "apply":
                        return _plain(await operation.apply(data, effect.key))
                    assert done is not None
                    await operation.undo(data, operation.result.model_validate(done.result), effect.key)
                    return {}
        except Ambiguous as error:
            if operation.repeat == "blind":
                raise Unknown(effect.id) from error
            raise

    def sends_again(self, effect: Effect) -> bool:
        """Whether a call that was interrupted is made again in any case, whatever a look shows."""
        return effect.act == "undo" and self.registry.operation(effect.operation).undo_again

    def assumed(self, effect: Effect) -> Found | None:
        """Return what a call must have left behind if it landed, as far as the request alone tells it."""
        if effect.act == "undo":
            return {}
        operation, data = self._of(effect)
        there = operation.assumed(data, effect.key)
        return None if there is None else _plain(there)

    def undoable(self, effect: Effect) -> bool:
        """Whether what was done can be taken back."""
        return effect.result is not None and self.registry.operation(effect.operation).reversible

    def repeat(self, effect: Effect) -> Repeat:
        """How the call may be repeated."""
        return self.registry.operation(effect.operation).repeat

    def _of(self, effect: Effect) -> tuple[Operation[Any, Any], Payload]:
        operation = self.registry.operation(effect.operation)
        return operation, parse(operation, effect.payload)


def _plain(result: Any) -> Found:
    return dict(result.model_dump(mode="json"))


@asynccontextmanager
async def _within(operation: Operation[Any, Any], *, writes: bool = False) -> AsyncIterator[None]:
    """Give an operation its time, and no more: a system that hangs must not occupy a worker."""
    with naming(operation.name.partition(".")[0]):
        try:
            async with asyncio.timeout(operation.within):
                yield
        except TimeoutError as error:
            message = f"{operation.name} did not end within {operation.within:g} s"
            raise (Ambiguous(message) if writes else Unavailable(message)) from error
