"""What somebody said to the bot, and what is done about it: the job behind mentions and direct messages."""

import hashlib
import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Protocol

import psycopg
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from bot import mishaps, sentences, troubles
from bot.answering import Answering, Reply
from bot.blocks import help as words
from bot.blocks.parts import Message
from bot.database import Pool
from bot.events import Events
from bot.identity import JOB, Identity, Refused, Unknown
from bot.outbox import Outbox
from bot.places import Places
from bot.refusals import NETWORK, key
from bot.render import ours
from bot.router import Kind, Route, WorkflowHints
from bot.sayings import Saying
from bot.understanding import Understanding
from connectors.directory import Person
from graphs.cases import TooManyOpen

logger = logging.getLogger(__name__)

# The database was away, or took no writes: the same works later, so the job is tried again.
PASSING = (psycopg.OperationalError, psycopg.InterfaceError, psycopg.InternalError)


class Starter(Protocol):
    """What of the runs is needed here."""

    async def start(
        self,
        *,
        workflow: str,
        values: Mapping[str, str],
        requester: Person,
        origin: Mapping[str, str],
        key: str,
    ) -> str:
        """Begin a run, or return the one of that key. Raises TooManyOpen."""

    async def begun(self, keys: Sequence[str]) -> bool:
        """Whether a run of one of these keys has begun."""


class Replies:
    """Finds out who said something and what it was, and answers it once."""

    def __init__(
        self,
        *,
        pool: Pool,
        events: Events,
        identity: Identity,
        answering: Answering,
        runs: Starter,
        outbox: Outbox,
        slack: AsyncWebClient,
        workflows: Mapping[str, WorkflowHints],
        understanding: Understanding | None = None,
        places: Places | None = None,
    ) -> None:
        """Take the thread that reads messages; without one, a thread for these replies alone.

        `places`: who hears a channel. Without it every channel may be heard by outsiders.
        """
        self._pool = pool
        self._events = events
        self._identity = identity
        self._answering = answering
        self._runs = runs
        self._outbox = outbox
        self._slack = slack
        self._understanding = understanding or Understanding(workflows)
        self._places = places

    async def reply(self, event_id: str) -> None:
        """Answer the event, unless it has its answer or its message is gone.

        Whatever goes wrong is told to the person and logged, once; where the database was away it is raised,
        to be tried again.
        """
        body = await self._events.body(event_id)
        saying = None if body is None else Saying.read(body)
        if saying is None or await self._outbox.has_replied(event_id):
            return
        try:
            reply = await self._answered(saying)
            if reply is not None:
                await self._say(saying, reply)
        except PASSING:
            raise
        except Exception:  # the edge of a job: nobody above could tell the person
            await self._fail(saying)

    async def give_up(self, event_id: str) -> None:
        """Tell whoever said it that the event was tried too often, unless it has its answer."""
        body = await self._events.body(event_id)
        saying = None if body is None else Saying.read(body)
        if saying is not None and not await self._outbox.has_replied(event_id):
            await self._fail(saying)

    async def _fail(self, saying: Saying) -> None:
        """Tell the person, and in the log the operator, that something went wrong with what was said."""
        logger.error("The message of event %s was not dealt with", saying.event, exc_info=True)
        said = words.said(mishaps.unanswered(saying.event))
        await self._say(saying, Reply(message=said, private=not saying.direct))
        await self._outbox.alert(saying.event, words.said(mishaps.alert(saying.event)))

    async def _answered(self, saying: Saying) -> Reply | None:
        if await self._events.has_newer(saying.event, channel=saying.channel, ts=saying.ts):
            return None  # it was changed or deleted meanwhile: that event is answered, or there is nothing to
        earlier = await self._events.text_before(saying.event, channel=saying.channel, ts=saying.ts)
        if saying.edited and saying.before is None:  # Slack mentions us anew, and leaves out what it was
            saying = replace(saying, before=earlier)
        if saying.before == saying.text:
            return None
        try:
            person = await self._identity.person(saying.user, within=JOB)
        except (Refused, Unknown) as error:
            said = words.said(troubles.refusal(error))
            return Reply(message=said, private=not saying.direct)
        if not saying.direct and await self._is_deleted(saying):
            return None
        return await self._understood(saying, person)

    async def _understood(self, saying: Saying, person: Person) -> Reply | None:
        understood = await self._understanding.message(saying.text)
        if understood.is_cut:
            return _public(words.said(mishaps.too_long(understood.length)))
        found = understood.route
        if not found.text and saying.more:
            return _public(words.said(ours(sentences.NO_WORDS)))
        if saying.before is not None and await self._runs.begun(_keys(saying)):
            return _public(words.said(ours(sentences.ASKED_ALREADY)))
        return await self._act(saying, found, person)

    async def _act(self, saying: Saying, found: Route, person: Person) -> Reply | None:
        match found.kind:
            case Kind.REQUEST:
                try:
                    await self._start(saying, found, person)
                except TooManyOpen as error:
                    return _public(words.said(ours(mishaps.too_many(error.most))))
                return None  # the run speaks for itself
            case Kind.QUESTION:
                await self._look_busy(saying)
                return await self._answer(saying, found.text, person)
            case Kind.HAND_OVER:
                named = words.hand_over(await self._answering.whom(found.text))
                return Reply(message=named, private=await self._has_outsiders(saying))
            case Kind.HELP:
                return _public(words.help_text())
            case Kind.SMALL_TALK:
                return _public(words.small_talk())

    async def _start(self, saying: Saying, found: Route, person: Person) -> None:
        assert found.workflow is not None  # a request names its workflow
        await self._runs.start(
            workflow=found.workflow,
            values=found.slots,
            requester=person,
            origin=await self._origin(saying),
            key=_keys(saying)[0],
        )

    async def _answer(self, saying: Saying, question: str, person: Person) -> Reply:
        history = await self._history(saying)
        if saying.direct:
            return _public(await self._answering.privately(question, person, history, key=saying.event))
        outsiders = await self._has_outsiders(saying)
        return await self._answering.among_others(
            question, person, history, key=saying.event, outsiders=outsiders
        )

    async def _origin(self, saying: Saying) -> dict[str, str]:
        """Return where a request is spoken of: where it was made, or with its requester alone."""
        if await self._has_outsiders(saying):
            return {"user": saying.user}
        return {"channel": saying.channel, "thread_ts": saying.thread, "user": saying.user}

    async def _has_outsiders(self, saying: Saying) -> bool:
        """Whether others than people of ours hear what is said there."""
        if saying.direct:
            return False
        return self._places is None or await self._places.has_outsiders(saying.channel)

    async def _history(self, saying: Saying) -> list[str]:
        texts = await self._events.earlier(
            channel=saying.channel, thread=saying.thread, user=saying.user, before=saying.ts
        )
        return await self._understanding.questions(texts)

    async def _say(self, saying: Saying, reply: Reply) -> None:
        async with self._pool.connection() as conn:
            await self._outbox.reply(
                conn,
                event=saying.event,
                channel=saying.channel,
                thread=None if reply.private and saying.thread == saying.ts else saying.thread,
                message=reply.message,
                to_user=saying.user if reply.private else None,
                for_user=saying.user,
            )

    async def _is_deleted(self, saying: Saying) -> bool:
        """Whether the message is gone from its channel. Of those we are not told; if in doubt it is there."""
        try:
            found = await self._slack.conversations_replies(
                channel=saying.channel,
                ts=saying.thread,
                oldest=saying.ts,
                latest=saying.ts,
                inclusive=True,
                limit=5,
            )
        except SlackApiError as error:
            return key(error) in {"thread_not_found", "message_not_found"}
        except NETWORK as error:
            logger.debug("Nobody knows whether the message is there still: %s", error)
            return False
        messages = [one for one in found["messages"] if one.get("ts") == saying.ts]
        return not messages or messages[0].get("subtype") == "tombstone"

    async def _look_busy(self, saying: Saying) -> None:
        """Show that somebody is at work. It does no harm if it fails."""
        try:
            await self._slack.assistant_threads_setStatus(
                channel_id=saying.channel, thread_ts=saying.thread, status="is looking it up…"
            )
        except (SlackApiError, *NETWORK) as error:
            logger.debug("No status shown: %s", error)


def _keys(saying: Saying) -> list[str]:
    """Name the run that a message begins: one, however often it is edited. Then how it was named before."""
    message = hashlib.sha256(f"{saying.channel} {saying.ts}".encode()).hexdigest()
    return [f"said:{message[:32]}", f"event:{saying.event}"]


def _public(message: Message) -> Reply:
    return Reply(message=message)
