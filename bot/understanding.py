"""Reading what people write, beside the event loop and never for long.

What a message is, is worked out in plain Python. One thread does that, so that whoever writes a lot holds up
nobody's click; and it reads the first 4,000 characters of a message, which is more than anybody asks in.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import ParamSpec, TypeVar

from bot.router import Route, WorkflowHints, read_slots, route

LONGEST = 4_000  # characters that are read of one message

Given = ParamSpec("Given")
Read = TypeVar("Read")


@dataclass(frozen=True, kw_only=True, slots=True)
class Understood:
    """What a message is. `length` counts all its characters, `is_cut` says that not all were read."""

    route: Route
    length: int

    @property
    def is_cut(self) -> bool:
        """Whether a part of the message was not read. Nothing is done about such a message."""
        return self.length > LONGEST


class Understanding:
    """Reads messages and requests, one after another, in a thread of its own."""

    def __init__(self, workflows: Mapping[str, WorkflowHints]) -> None:
        self._workflows = workflows
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="understanding")

    async def message(self, text: str) -> Understood:
        """Say what a message is, of which the first 4,000 characters are read."""
        found = await self._apart(route, text[:LONGEST], workflows=self._workflows)
        return Understood(route=found, length=len(text))

    async def questions(self, texts: Sequence[str]) -> list[str]:
        """Return each text, or as much of it as is read, as a question: in the person's own words."""
        return await self._apart(_questions, [text[:LONGEST] for text in texts])

    async def slots(self, text: str) -> Mapping[str, Mapping[str, str]]:
        """Return, by workflow, what a text says of a request, for somebody who has chosen to make one."""
        return await self._apart(_slots, text[:LONGEST], self._workflows)

    def close(self) -> None:
        """End the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _apart(self, read: Callable[Given, Read], *given: Given.args, **named: Given.kwargs) -> Read:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, partial(read, *given, **named))


@asynccontextmanager
async def open_understanding(workflows: Mapping[str, WorkflowHints]) -> AsyncIterator[Understanding]:
    """Yield what reads messages, and end its thread afterwards."""
    understanding = Understanding(workflows)
    try:
        yield understanding
    finally:
        understanding.close()


def _questions(texts: Sequence[str]) -> list[str]:
    return [route(text, workflows={}).text for text in texts]


def _slots(text: str, workflows: Mapping[str, WorkflowHints]) -> Mapping[str, Mapping[str, str]]:
    return {name: read_slots(text, hints).slots for name, hints in workflows.items()}
