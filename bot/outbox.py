"""The only module that posts to Slack.

Whatever must not be lost is a row first, written in the transaction that makes it true, and delivered by a
job. Posting has no documented idempotency, so each post carries its row's name as metadata, and a post that
may have happened is looked for before it is repeated.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping
from typing import Any

import psycopg
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.webhook.async_client import AsyncWebhookClient

from bot import refusals, substitutes, undelivered
from bot.blocks import refused as words
from bot.blocks.parts import Message
from bot.letters import Drawing, Letter, NoChannel, NoLongerTrue, Nowhere, in_its_form
from bot.messages import BEHIND, MAYBE, UNANSWERED, Messages, Place, Row
from bot.refusals import NETWORK, Cure, come_back_in, cure, is_put_off, is_unsure, key
from bot.turns import LOOK, Turns
from bot.wanting import Defer, Wanting
from connectors.errors import ConnectorError
from graphs.ports import Connection
from graphs.records import Notice

__all__ = ["Drawing", "Letter", "NoChannel", "NoLongerTrue", "Nowhere", "Outbox"]

logger = logging.getLogger(__name__)

MARK = "countersign"
PATIENCE = 1.5  # seconds that a delivery waits for its channel's turn before it lets others go first
PAGES = 5

_GONE = {"message_not_found", "cant_update_message", "edit_window_closed"}
_THREAD_GONE = {"thread_not_found", "message_not_found", "cannot_reply_to_message"}


class Outbox(Wanting):
    """Wants messages (`graphs.ports.Notifier`), and delivers them."""

    def __init__(
        self, messages: Messages, slack: AsyncWebClient, defer: Defer, *, operator: str | None = None
    ) -> None:
        """Take a client without automatic retries: one dropped answer would become two posts.

        `operator`: the channel of those who run the bot, if there is one.
        """
        super().__init__(messages, defer)
        self._slack = slack
        self._turns = Turns(messages)
        self._operator = operator
        self._conversations: dict[str, str] = {}

    async def has_replied(self, event: str) -> bool:
        """Whether the event has its answer."""
        return await self._messages.exists(f"reply:{event}")

    async def is_first(self, conn: Connection, channel: str) -> bool:
        """Whether nothing was ever to be said there; who asks at the same time waits for the caller."""
        return await self._messages.is_first(conn, channel)

    async def has_posted(self, name: str, *, channel: str, ts: str) -> bool:
        """Whether that is the place of the message, or the channel into which it is just being posted."""
        return await self._messages.is_at(name, Place(channel=channel, ts=ts))

    async def knows(self, name: str, *, channel: str, ts: str) -> bool:
        """Whether this installation has wanted the message of that name, or posted the one at that place."""
        return await self._messages.exists(name) or await self._messages.is_ours(
            Place(channel=channel, ts=ts)
        )

    async def sweep(self, conn: Connection) -> None:
        """Have delivered, in the caller's transaction, whatever is due and has nobody at work on it."""
        due = await self._messages.claim(conn)
        for name in dict.fromkeys((*due, *await self._turns.firsts(conn))):
            await self._defer(conn, name)

    async def whisper(self, *, channel: str, user: str, message: Message, thread: str | None = None) -> None:
        """Tell one person something now; in their conversation with the bot where that is refused."""
        try:
            await self._slack.chat_postEphemeral(
                channel=channel, user=user, text=message.text, blocks=list(message.blocks), thread_ts=thread
            )
        except (SlackApiError, *NETWORK) as error:
            logger.warning("A private answer was lost; %s is written to: %s", user, _said(error))
            await self.write_to(user, message)

    async def respond(self, url: str, message: Message, *, user: str) -> None:
        """Answer a command or a click of `user`, for their eyes only.

        It is written to them in their conversation with the bot where that is refused or lost.
        """
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": message.text,
            "blocks": list(message.blocks),
            "unfurl_links": False,
            "unfurl_media": False,
        }
        try:
            answer = await AsyncWebhookClient(url, timeout=10, retry_handlers=[]).send_dict(body)
        except NETWORK as error:
            logger.warning("A private answer was lost; %s is written to: %s", user, _said(error))
        else:
            if answer.status_code == 200:
                return
            logger.warning(
                "A private answer was refused; %s is written to: %s %s",
                user,
                answer.status_code,
                answer.body[:100],
            )
        await self.write_to(user, message)

    async def write_to(self, user: str, message: Message) -> None:
        """Have a person told something in their conversation with the bot."""
        async with self._messages.writing() as conn:
            event = f"private:{secrets.token_hex(8)}"
            await self.reply(conn, event=event, channel=user, thread=None, message=message, for_user=user)

    async def alert(self, event: str, message: Message) -> None:
        """Have those who run the bot told of an event in their channel, if they have one, once for each."""
        if self._operator is not None:
            async with self._messages.writing() as conn:
                await self._alert(conn, event, self._operator, message)

    async def deliver(self, name: str, drawing: Drawing) -> None:
        """Post or update one message, so that it shows the record as it now stands."""
        row = await self._messages.due(name)
        if row is None:
            return
        if await self._messages.is_behind(row):
            await self._messages.later(name, error=BEHIND, seconds=5 if row.refused else 1)
            return
        letter = await self._drawn(row, drawing)
        if letter is None:
            return
        try:
            await self._send(row, in_its_form(row, letter))
        except SlackApiError as error:
            await self._refused(row, letter, error)
        except NETWORK as error:
            logger.warning("Slack did not answer; %s is tried again: %s", name, _said(error))
            await self._messages.later(name, error=_said(error), longest=UNANSWERED)

    async def _drawn(self, row: Row, drawing: Drawing) -> Letter | None:
        """Return what the message is to show, or None where it cannot be said now, or at all."""
        try:
            return await drawing.draw(row)
        except NoChannel as error:
            logger.error("%s cannot be posted: %s", row.id, error)  # noqa: TRY400  # a setting, not our mistake
            await self._wait(row, refusals.UNSET, None)
        except NoLongerTrue as error:
            logger.info("%s is not posted: %s", row.id, error)
            await self._messages.shown(row)
        except Nowhere as error:
            logger.error("%s cannot be posted: %s", row.id, error)  # noqa: TRY400  # nobody is left to read it
            await self._messages.failed(row.id, _said(error))
        except ConnectorError as error:  # whom to mention is asked of the directory
            logger.warning("%s cannot be drawn and is tried again: %s", row.id, _said(error))
            await self._messages.later(row.id, error=error.key)
        except (psycopg.Error, *NETWORK):  # the job is run again
            raise
        except Exception:  # a message that breaks its own drawing is shown to somebody, and holds up no other
            logger.exception("%s cannot be drawn", row.id)
            await self._wait(row, refusals.UNDRAWN, None)
        return None

    async def _send(self, row: Row, letter: Letter) -> None:
        channel = row.posted_in or await self._conversation(letter.channel)
        if row.to_user is not None and row.detour is None:
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
                await self._messages.shown(row)
                await self._accepted(row, place)
            return
        await self._messages.landed(row.id, place)
        if row.payload is None or row.refused is not None or row.wanted > 1:  # it shows something else now
            await self._update(row, letter, place)
        await self._messages.shown(row)
        if row.refused is not None:
            await self._accepted(row, place)

    async def _accepted(self, row: Row, place: Place) -> None:
        """Have tried what waited for this place; and say that a card is there after all."""
        async with self._messages.writing() as conn:
            await undelivered.open_again(conn, place.channel)
            run = await undelivered.run_of(conn, row) if row.refused is not None and row.form == 0 else None
            if run is not None:
                await self.progress(conn, run)
                await self._say(conn, f"notice:{run}:{row.seq}", "notice", run, Notice(key=words.POSTED))

    async def _post(self, row: Row, letter: Letter, channel: str) -> Place | None:
        if not await self._has_turn(row, letter, channel):
            return None
        try:
            return await self._post_now(row, letter, channel)
        finally:
            await self._wake_next(channel)

    async def _has_turn(self, row: Row, letter: Letter, channel: str) -> bool:
        """Wait for the channel's turn if the message is next, and not for long."""
        while True:
            turn = await self._turns.take(row.id, channel, share=letter.share, urgent=letter.urgent)
            if turn.is_taken:
                return True
            if turn.first != row.id or turn.wait > PATIENCE:
                await self._turns.wait(row.id, LOOK if turn.first != row.id else turn.wait)
                return False
            await asyncio.sleep(turn.wait)

    async def _wake_next(self, channel: str) -> None:
        async with self._messages.writing() as conn:
            name = await self._turns.first(conn, channel)
            if name is not None:
                await self._defer(conn, name)

    async def _post_now(self, row: Row, letter: Letter, channel: str) -> Place:
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
            await self._messages.failed(row.id, MAYBE)
            await self.write_to(row.to_user or "", substitutes.again(letter.message))
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
        await self._messages.shown(row)

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

    async def _refused(self, row: Row, letter: Letter, error: SlackApiError) -> None:
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
            self._conversations.pop(letter.channel, None)
            await self._put_elsewhere(row, letter, named)

    async def _put_elsewhere(self, row: Row, letter: Letter, error: str) -> None:
        """Say it in plainer words, or to the person in private; else keep it until why is mended."""
        place = row.posted_in or letter.channel
        if cure(error) is Cure.OTHER_WORDS and row.form < substitutes.LAST:
            await self._say_plainer(row, letter, error, place)
            return
        if cure(error) is Cure.OPERATOR_HERE and row.detour is None:
            async with self._messages.writing() as conn:
                if row.kind == "beside" and error in _THREAD_GONE and row.refused is None:
                    await undelivered.repost(conn, row, error)
                    await self._defer(conn, row.ref)
                    return
                person = await undelivered.person_of(conn, row)
                if person is not None and (letter.channel != person or letter.thread is not None):
                    await undelivered.detour(conn, row, error, place, person)
                    await self._defer(conn, row.id)
                    return
        await self._wait(row, error, None if cure(error) is Cure.OPERATOR else place)

    async def _say_plainer(self, row: Row, letter: Letter, error: str, place: str) -> None:
        async with self._messages.writing() as conn:
            await self._report(conn, row, error, place, words.plain(row, error))
            await undelivered.plainer(conn, row, error, place)
            if row.form == 0 and row.kind == "reply":
                await self._want_rest(conn, row, substitutes.pieces(letter.message)[1:])
            await self._say_to_requester(conn, row, error, place, words.PLAIN)
            await self._defer(conn, row.id)

    async def _wait(self, row: Row, error: str, place: str | None) -> None:
        async with self._messages.writing() as conn:
            await self._report(conn, row, error, place, words.waits(row, error, place))
            await undelivered.wait(conn, row, error, place)
            await self._say_to_requester(conn, row, error, place, words.REFUSED)

    async def _report(
        self, conn: Connection, row: Row, error: str, place: str | None, message: Message
    ) -> None:
        """Tell whoever runs the bot what Slack refuses: once for each cause."""
        if await undelivered.is_known(conn, row, error, place):
            return
        logger.error("Slack refuses %s (%s) in %s. %s", row.id, error, place or "all", refusals.mend(error))
        if self._operator is not None and row.kind != "operator":
            await self._tell_operator(conn, row, self._operator, message)

    async def _say_to_requester(
        self, conn: Connection, row: Row, error: str, place: str | None, news: str
    ) -> None:
        """Tell whoever waits for a decision that nobody can see the card, once for each reason."""
        if row.refused == error or (row.ts is not None and row.form == 0 and news == words.REFUSED):
            return  # they know, or the card is there and only shows what it showed before
        run = await undelivered.run_of(conn, row)
        if run is not None:
            await self.progress(conn, run)
            notice = Notice(key=news, facts={"error": error, "channel": place or ""})
            await self._say(conn, f"notice:{run}:{row.seq}", "notice", run, notice)


def _mark(row: Row) -> dict[str, Any]:
    return {"event_type": MARK, "event_payload": {"id": row.id}}


def _is_marked(message: Mapping[str, Any], row: Row) -> bool:
    metadata = message.get("metadata") or {}
    payload = metadata.get("event_payload") or {}
    return bool(message.get("bot_id")) and metadata.get("event_type") == MARK and payload.get("id") == row.id


def _said(error: BaseException) -> str:
    return str(error) or type(error).__name__
