"""The workspace as a whole: its parts, and who sees what."""

import copy
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.workspace import events
from bot.workspace.assistant import Assistant
from bot.workspace.delivery import Delivery
from bot.workspace.entries import Entries
from bot.workspace.faults import Faults
from bot.workspace.ids import Ids
from bot.workspace.ratelimit import RateLimit
from bot.workspace.responses import ResponseUrls
from bot.workspace.socket import Sockets
from bot.workspace.state import Conversation, Message, State
from bot.workspace.store import Store
from bot.workspace.stream import Note, Streams
from bot.workspace.timing import PostLimit, Timing
from bot.workspace.triggers import Triggers
from bot.workspace.views import Views
from bot.workspace.world import World

_KEPT_CALLS = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Clocks:
    """Where time comes from: the wall for timestamps, a monotonic clock for what expires."""

    wall: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic


class Workspace:
    """One workspace with one installed app. Its state is kept in `folder` when that is given."""

    def __init__(
        self,
        world: World,
        *,
        folder: Path | None = None,
        timing: Timing | None = None,
        post_limit: PostLimit | None = None,
        clocks: Clocks | None = None,
        ids: Ids | None = None,
    ) -> None:
        self.world = world
        self.timing = timing or Timing()
        self.clocks = clocks or Clocks()
        self.ids = ids or Ids()
        wall, monotonic = self.clocks.wall, self.clocks.monotonic
        self.store = Store(folder)
        self.state = State(world, self.store, wall)
        self.faults = Faults()
        self.streams = Streams()
        self.post_limit = RateLimit(post_limit, monotonic)
        self.triggers = Triggers(self.ids, monotonic, self.timing.trigger)
        self.responses = ResponseUrls(ids=self.ids, store=self.store, timing=self.timing, clock=wall)
        self.delivery = Delivery(
            ids=self.ids, timing=self.timing, faults=self.faults, store=self.store, clock=wall
        )
        self.sockets = Sockets(
            app_id=world.app.id, delivery=self.delivery, ids=self.ids, timing=self.timing, clock=monotonic
        )
        self.views = Views(world, self.ids, self.store, wall)
        self.assistant = Assistant(self.store, monotonic, self.timing.status)
        self.entries = Entries()
        self.streaming: dict[str, dict[str, Any]] = self.store.load(
            "streaming"
        )  # by ts of the growing message
        self.origin = "http://127.0.0.1"
        self.calls: deque[dict[str, Any]] = deque(maxlen=_KEPT_CALLS)

    @property
    def bot_user(self) -> str:
        """The id of the app's bot user."""
        return self.world.app.bot_user

    def viewers(self, conversation: Conversation) -> set[str]:
        """Return who may read a conversation: members, and for a public channel everyone but guests."""
        people = set(conversation.members)
        if conversation.kind == "channel":
            everyone = self.world.people
            people |= {one.id for one in everyone if not one.is_restricted and not one.deleted}
        return people - {self.bot_user}

    def tell(self, conversation: Conversation, note: Note) -> None:
        """Tell the open pages of everyone who may read `conversation`."""
        self.streams.tell(self.viewers(conversation), note | {"channel": conversation.id})

    def warn(self, person: str, text: str, **extra: Any) -> None:
        """Show one person that something they did got no answer."""
        self.streams.tell({person}, {"type": "warning", "text": text, **extra})

    def tell_views(self, person: str) -> None:
        """Tell a person's pages which modals are open for them, and what their home tab shows."""
        note = {"type": "views", "stack": self.views.stack(person), "home": self.views.home(person)}
        self.streams.tell({person}, note)

    def publish(self, event: events.Event, *, conversation: Conversation | None = None) -> None:
        """Send `event` to the app, if it subscribed and, in a conversation, if its bot belongs there."""
        if events.subscription(event) not in self.world.app.events:
            return
        if conversation is not None and self.bot_user not in conversation.members:
            return
        wrapped = events.callback(self.world, self.ids, copy.deepcopy(event), at=self.state.now())
        self.delivery.publish(wrapped)

    def changed(self, conversation: Conversation, message: Message, previous: Message) -> None:
        """Keep a changed message and tell the pages and the app."""
        self.state.keep(conversation, message)
        self.tell(conversation, {"type": "message_changed", "message": message})
        self.publish(
            events.changed(conversation, message, previous, self.state.next_ts()), conversation=conversation
        )

    async def close(self) -> None:
        """End streams and sockets, and write what is left."""
        self.streams.close()
        await self.delivery.close()
        self.store.close()
