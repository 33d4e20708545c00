"""The mutable workspace: conversations, their messages, and the clock that stamps them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from bot.workspace.errors import Refused
from bot.workspace.ids import as_ts
from bot.workspace.store import Store
from bot.workspace.world import Channel, Person, World

Message = dict[str, Any]
Kind = Literal["channel", "private", "im"]


@dataclass(kw_only=True)
class Conversation:
    """A channel, a private channel, or a direct message between the bot and one person."""

    id: str
    name: str
    kind: Kind
    topic: str = ""
    archived: bool = False
    members: list[str] = field(default_factory=list)
    shared: frozenset[str] = frozenset()
    partner: str | None = None  # the person at the other end of a direct message
    messages: dict[str, Message] = field(default_factory=dict)  # by ts, oldest first
    ephemerals: dict[str, Message] = field(default_factory=dict)  # each seen by its `ephemeral_for` alone

    @property
    def channel_type(self) -> str:
        """The kind, in the words of the Events API."""
        return {"channel": "channel", "private": "group", "im": "im"}[self.kind]

    def replies(self, thread_ts: str) -> Iterator[Message]:
        """Return the replies of a thread, oldest first, without its root."""
        return (
            message
            for message in self.messages.values()
            if message.get("thread_ts") == thread_ts and message["ts"] != thread_ts
        )

    def seen_by(self, person: str) -> list[Message]:
        """Return what one person sees here: the messages, and the ephemeral ones shown to them alone."""
        private = [
            {key: value for key, value in message.items() if key != "ephemeral_for"} | {"ephemeral": True}
            for message in self.ephemerals.values()
            if message["ephemeral_for"] == person
        ]
        return sorted([*self.messages.values(), *private], key=lambda message: str(message["ts"]))


def direct_message_id(person: str) -> str:
    """Return the id of the direct message between the bot and `person`."""
    return f"D{person[1:]}" if person[:1] in "UW" else f"D{person}"


class State:
    """Conversations and messages, kept in `store`. `clock` returns seconds since the epoch."""

    def __init__(self, world: World, store: Store, clock: Callable[[], float]) -> None:
        self.world = world
        self.people: dict[str, Person] = world.everyone
        self.store = store
        self._clock = clock
        self._last = int(store.load("counter").get("ts", 0))
        self.conversations: dict[str, Conversation] = {}
        self._seed()
        self._restore()

    def _seed(self) -> None:
        for channel in self.world.channels:
            self.conversations[channel.id] = _conversation(channel)
        for person in self.world.people:
            if not person.is_bot:
                direct = direct_message_id(person.id)
                self.conversations[direct] = Conversation(
                    id=direct,
                    name=person.id,
                    kind="im",
                    partner=person.id,
                    members=[self.world.app.bot_user, person.id],
                )

    def _restore(self) -> None:
        for key, members in self.store.load("members").items():
            if key in self.conversations:
                self.conversations[key].members = members
        for kind in ("message", "ephemeral"):
            for key, message in self.store.load(kind).items():
                channel, _, ts = key.partition("/")
                if (conversation := self.conversations.get(channel)) is not None:
                    target = conversation.messages if kind == "message" else conversation.ephemerals
                    target[ts] = message

    def now(self) -> float:
        """Return the moment, in seconds since the epoch."""
        return self._clock()

    def next_ts(self) -> str:
        """Return a timestamp for something new: never the same twice, also across a restart."""
        self._last = max(int(self._clock() * 1_000_000), self._last + 1)
        self.store.put("counter", "ts", self._last)
        return as_ts(self._last)

    def conversation(self, channel: object) -> Conversation:
        """Return the conversation with this id. Raises `channel_not_found`."""
        found = self.conversations.get(channel) if isinstance(channel, str) else None
        if found is None:
            raise Refused("channel_not_found")
        return found

    def person(self, user: object) -> Person:
        """Return the account with this id. Raises `user_not_found`."""
        found = self.people.get(user) if isinstance(user, str) else None
        if found is None:
            raise Refused("user_not_found")
        return found

    def keep(self, conversation: Conversation, message: Message) -> None:
        """Add or replace a message, also on disk."""
        ephemeral = "ephemeral_for" in message
        target = conversation.ephemerals if ephemeral else conversation.messages
        target[message["ts"]] = message
        kind = "ephemeral" if ephemeral else "message"
        self.store.put(kind, f"{conversation.id}/{message['ts']}", message)

    def drop(self, conversation: Conversation, ts: str) -> None:
        """Remove a message, also from disk."""
        kind = "ephemeral" if ts in conversation.ephemerals else "message"
        conversation.ephemerals.pop(ts, None)
        conversation.messages.pop(ts, None)
        self.store.remove(kind, f"{conversation.id}/{ts}")

    def set_members(self, conversation: Conversation, members: list[str]) -> None:
        """Change who belongs to a conversation."""
        conversation.members = members
        self.store.put("members", conversation.id, members)

    def message(self, conversation: Conversation, ts: object, *, seen_by: str | None = None) -> Message:
        """Return a message; an ephemeral one only for who sees it. Raises `message_not_found`."""
        found = conversation.messages.get(ts) if isinstance(ts, str) else None
        if found is None and seen_by is not None and isinstance(ts, str):
            shown = conversation.ephemerals.get(ts)
            found = shown if shown is not None and shown["ephemeral_for"] == seen_by else None
        if found is None:
            raise Refused("message_not_found")
        return found


def _conversation(channel: Channel) -> Conversation:
    return Conversation(
        id=channel.id,
        name=channel.name,
        kind="private" if channel.private else "channel",
        topic=channel.topic,
        archived=channel.archived,
        members=sorted(channel.members),
        shared=channel.shared,
    )
