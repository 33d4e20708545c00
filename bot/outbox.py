"""The only module that posts to Slack.

Whatever must not be lost is a row first, written in the transaction that makes it true, and delivered by a
job. Posting has no documented idempotency, so each post carries its row's name as metadata, and a post that
may have happened is looked for before it is repeated.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot.blocks.parts import Message
from bot.messages import Kind, Messages, Place, Row
from bot.refusals import NETWORK, come_back_in, is_put_off, is_unsure, key
from connectors.errors import ConnectorError
from graphs.ports import Connection
from graphs.records import Alarm, Beside, Notice

logger = logging.getLogger(__name__)

MARK = "countersign"
PATIENCE = 1.5  # seconds that a delivery waits for its channel's turn before it lets others go first
PAGES = 5

_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message with its address. `channel` may be a person's id: their conversation with the bot."""

    channel: str
    thread: str | None
    message: Message


class Nowhere(Exception):
    """There is no place for a message: the settings name none, or its record is gone."""


class Drawing(Protocol):
    """Draws what a row is to show, from the record as it now stands."""

    async def draw(self, row: Row) -> Letter:
        """Return the letter. Raises Nowhere."""


Defer = Callable[[Connection, str], Awaitable[None]]


class Outbox:
    """Wants messages (`graphs.ports.Notifier`), and delivers them."""

    def __init__(self, messages: Messages, slack: AsyncWebClient, defer: Defer) -> None:
        """Take a client without automatic retries: one dropped answer would become two posts."""
        self._messages = messages
        self._slack = slack
        self._defer = defer
        self._conversations: dict[str, str] = {}

    async def card(self, conn: Connection, approval: str) -> None:
        """Have the approval's card posted, or drawn again as the record now stands."""
        await self._messages.want(conn, name=f"card:{approval}", kind="card", ref=approval)
        await self._defer(conn, f"card:{approval}")

    async def doubt(self, conn: Connection, doubt: str) -> None:
        """Have the card of an effect that nobody can tell about posted, or drawn again."""
        await self._messages.want(conn, name=f"doubt:{doubt}", kind="doubt", ref=doubt)
        await self._defer(conn, f"doubt:{doubt}")

    async def progress(self, conn: Connection, run: str) -> None:
        """Have the run's own message in its thread posted, or drawn again as the record now stands."""
        await self._messages.want(conn, name=f"progress:{run}", kind="progress", ref=run)
        await self._defer(conn, f"progress:{run}")

    async def tell(self, conn: Connection, run: str, notice: Notice) -> None:
        """Have something new said in the run's thread, once."""
        await self._say(conn, f"notice:{run}", "notice", run, notice)

    async def _say(self, conn: Connection, prefix: str, kind: Kind, ref: str, notice: Notice) -> bool:
        name = f"{prefix}:{notice.key}"
        payload = {"key": notice.key, "facts": dict(notice.facts)}
        wanted = await self._messages.want(conn, name=name, kind=kind, ref=ref, payload=payload)
        if wanted:
            await self._defer(conn, name)
        return wanted

    async def review(self, conn: Connection, review: str) -> None:
        """Have the review's card posted, or drawn again as the record now stands."""
        await self._messages.want(conn, name=f"review:{review}", kind="review", ref=review)
        await self._defer(conn, f"review:{review}")

    async def beside_card(self, conn: Connection, approval: str, news: Beside) -> None:
        """Have something new said in the thread of the approval's card, once."""
        await self._say(conn, f"beside:{approval}", "beside", f"card:{approval}", Notice(key=news))

    async def beside_review(self, conn: Connection, review: str, number: int) -> None:
        """Have said in the thread of the review's card that it waits: its reminder of that number, once."""
        await self._say(conn, f"beside:{review}", "beside", f"review:{review}", Notice(key=str(number)))

    async def alarm(self, conn: Connection, run: str, alarm: Alarm, facts: Mapping[str, str]) -> bool:
        """Have said aloud what happens with emergency access, once. Says whether it is new."""
        return await self._say(conn, f"alarm:{run}", "alarm", run, Notice(key=alarm, facts=facts))

    async def reply(
        self,
        conn: Connection,
        *,
        event: str,
        channel: str,
        thread: str | None,
        message: Message,
        to_user: str | None = None,
    ) -> None:
        """Have an event answered, once: in the thread, or for one person's eyes only."""
        name = f"reply:{event}"
        payload = {"text": message.text, "blocks": list(message.blocks)}
        wanted = await self._messages.want(
            conn,
            name=name,
            kind="reply",
            ref=event,
            channel=channel,
            thread=thread,
            to_user=to_user,
            payload=payload,
        )
        if wanted:
            await self._defer(conn, name)

    async def has_replied(self, event: str) -> bool:
        """Whether the event has its answer."""
        return await self._messages.exists(f"reply:{event}")

    async def has_posted(self, name: str, *, channel: str, ts: str) -> bool:
        """Whether that is the place of the message, or the channel into which it is just being posted."""
        return await self._messages.is_at(name, Place(channel=channel, ts=ts))

    async def sweep(self, conn: Connection) -> None:
        """Have delivered, in the caller's transaction, whatever is due and has nobody at work on it."""
        for name in await self._messages.claim(conn):
            await self._defer(conn, name)

    async def whisper(self, *, channel: str, user: str, message: Message, thread: str | None = None) -> None:
        """Tell one person something now. It is not repeated if it is lost."""
        try:
            await self._slack.chat_postEphemeral(
                channel=channel, user=user, text=message.text, blocks=list(message.blocks), thread_ts=thread
            )
        except (SlackApiError, *NETWORK) as error:
            logger.warning("A private answer was lost: %s", _said(error))

    async def respond(self, url: str, message: Message) -> None:
        """Answer a command or a click, for that person's eyes only. It is not repeated if it is lost."""
        try:
            answer = await AsyncWebhookClient(url, timeout=10, retry_handlers=[]).send_dict(
                {
                    "response_type": "ephemeral",
                    "replace_original": False,
                    "text": message.text,
                    "blocks": list(message.blocks),
                    "unfurl_links": False,
                    "unfurl_media": False,
                }
            )
        except NETWORK as error:
            logger.warning("A private answer was lost: %s", _said(error))
            return
        if answer.status_code != 200:
            logger.warning("A private answer was refused: %s %s", answer.status_code, answer.body[:100])

    async def deliver(self, name: str, drawing: Drawing) -> None:
        """Post or update one message, so that it shows the record as it now stands."""
        row = await self._messages.due(name)
        if row is None:
            return
        if await self._messages.is_behind(row):
            await self._messages.later(name, error="waits for an earlier one", seconds=1)
            return
        try:
            letter = await drawing.draw(row)
            await self._send(row, letter)
        except Nowhere as error:
            logger.error("%s cannot be posted: %s", name, error)  # noqa: TRY400  # a setting, not our mistake
            await self._messages.failed(name, _said(error))
        except SlackApiError as error:
            await self._refused(row, error)
        except ConnectorError as error:  # whom to mention is asked of the directory
            logger.warning("%s cannot be drawn and is tried again: %s", name, _said(error))
            await self._messages.later(name, error=error.key)
        except NETWORK as error:
            logger.warning("Slack did not answer; %s is tried again: %s", name, _said(error))
            await self._messages.later(name, error=_said(error))

    async def _send(self, row: Row, letter: Letter) -> None:
        channel = row.posted_in or await self._conversation(letter.channel)
        if row.to_user is not None:
            await self._show_once(row, letter, channel)
            return
        place = (
            Place(channel=channel, ts=row.ts)
            if row.ts is not None
            else await self._find(row, letter, channel)
        )
        if place is None:
            place = await self._post(row, letter, channel)
            if place is not None:
                await self._messages.shown(row.id, row.wanted)
            return
        await self._messages.landed(row.id, place)
        if row.kind in {"card", "progress", "review"}:
            await self._update(row, letter, place)
        await self._messages.shown(row.id, row.wanted)

    async def _post(self, row: Row, letter: Letter, channel: str) -> Place | None:
        wait = await self._messages.reserve(channel)
        if 0 < wait <= PATIENCE:
            await asyncio.sleep(wait)
            wait = await self._messages.reserve(channel)
        if wait > 0:
            await self._messages.later(row.id, error="waits for its turn", seconds=wait)
            return None
        await self._messages.attempted(row.id, channel)
        try:
            answer = await self._slack.chat_postMessage(
                channel=channel,
                thread_ts=letter.thread,
                text=letter.message.text,
                blocks=list(letter.message.blocks),
                metadata=_mark(row),
                unfurl_links=False,
                unfurl_media=False,
            )
        except SlackApiError as error:
            if not is_unsure(error):
                await self._messages.not_attempted(row.id)
            raise
        place = Place(channel=str(answer["channel"]), ts=str(answer["ts"]))
        await self._messages.landed(row.id, place)
        return place

    async def _update(self, row: Row, letter: Letter, place: Place) -> None:
        await self._slack.chat_update(
            channel=place.channel,
            ts=place.ts,
            text=letter.message.text,
            blocks=list(letter.message.blocks),
            metadata=_mark(row),
        )

    async def _show_once(self, row: Row, letter: Letter, channel: str) -> None:
        if row.attempted_at is not None:
            await self._messages.failed(row.id, "may have been shown")
            return
        await self._messages.attempted(row.id, channel)
        try:
            await self._slack.chat_postEphemeral(
                channel=channel,
                user=row.to_user or "",
                thread_ts=letter.thread,
                text=letter.message.text,
                blocks=list(letter.message.blocks),
            )
        except SlackApiError as error:
            if not is_unsure(error):
                await self._messages.not_attempted(row.id)
            raise
        await self._messages.shown(row.id, row.wanted)

    async def _find(self, row: Row, letter: Letter, channel: str) -> Place | None:
        """Look for a post that may have happened, by its mark."""
        if row.attempted_at is None:
            return None
        oldest = f"{row.attempted_at.timestamp() - 600:.6f}"
        cursor: str | None = None
        for _ in range(PAGES):
            listing: dict[str, Any] = {"channel": channel, "oldest": oldest, "limit": 200, "cursor": cursor}
            if letter.thread is not None:
                page = await self._slack.conversations_replies(
                    ts=letter.thread, include_all_metadata=True, **listing
                )
            else:
                page = await self._slack.conversations_history(include_all_metadata=True, **listing)
            for message in page["messages"]:
                if _is_marked(message, row):
                    return Place(channel=channel, ts=str(message["ts"]))
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                break
        return None

    async def _conversation(self, address: str) -> str:
        """Return the id of the channel, or of the conversation with the person."""
        if address[:1] not in {"U", "W"}:
            return address
        if address not in self._conversations:
            answer = await self._slack.conversations_open(users=address)
            self._conversations[address] = str(answer["channel"]["id"])
        return self._conversations[address]

    async def _refused(self, row: Row, error: SlackApiError) -> None:
        named = key(error)
        if is_put_off(error):
            seconds = come_back_in(error)
            channel = row.posted_in or row.channel
            if channel is not None:
                await self._messages.hold(channel, seconds)
            await self._messages.later(row.id, error="ratelimited", seconds=seconds)
        elif is_unsure(error):
            logger.warning("Slack answered %s; %s is tried again", named, row.id)
            await self._messages.later(row.id, error=named)
        elif named in _GONE and row.ts is not None:
            logger.warning("The message %s is gone (%s); it is posted again", row.id, named)
            await self._messages.not_attempted(row.id)
            await self._messages.later(row.id, error=named, seconds=0)
        else:
            logger.error("Slack refuses the message %s for good: %s", row.id, named)
            await self._messages.failed(row.id, named)


def _mark(row: Row) -> dict[str, Any]:
    return {"event_type": MARK, "event_payload": {"id": row.id}}


def _is_marked(message: Mapping[str, Any], row: Row) -> bool:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return bool(message.get("bot_id")) and metadata.get("event_type") == MARK and payload.get("id") == row.id


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
