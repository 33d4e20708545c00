"""What is wanted in Slack: a row for each message, written in the transaction that makes it true."""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence

from bot import courses
from bot.blocks.parts import Message
from bot.messages import Kind, Messages, Row
from bot.render import Markup
from graphs.ports import Connection
from graphs.records import Alarm, Beside, Notice

Defer = Callable[[Connection, str], Awaitable[None]]


class Wanting:
    """Wants messages (`graphs.ports.Notifier`). `Outbox` delivers them."""

    def __init__(self, messages: Messages, defer: Defer) -> None:
        self._messages = messages
        self._defer = defer

    async def card(self, conn: Connection, approval: str) -> None:
        """Have the approval's card posted, or drawn again as the record now stands."""
        await self._messages.want(conn, name=f"card:{approval}", kind="card", ref=approval)
        await self._defer(conn, f"card:{approval}")

    async def doubt(self, conn: Connection, doubt: str) -> None:
        """Have the card of an effect that nobody can tell about posted, or drawn again."""
        await self._messages.want(conn, name=f"doubt:{doubt}", kind="doubt", ref=doubt)
        await self._defer(conn, f"doubt:{doubt}")

    async def progress(self, conn: Connection, run: str) -> None:
        """Have the run's own message in its thread posted, or drawn again as the record now stands.

        So is the card of a plan of several steps, once it is approved: both say how far each step has come.
        """
        await self._messages.want(conn, name=f"progress:{run}", kind="progress", ref=run)
        await self._defer(conn, f"progress:{run}")
        card = await courses.card_of(conn, run)
        if card is not None:
            await self.card(conn, card)

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
        for_user: str | None = None,
    ) -> None:
        """Have an event answered, once: in the thread, or for one person's eyes only.

        `for_user` is told in their conversation with the bot where the thread does not take it.
        """
        name = f"reply:{event}"
        payload = {"text": message.text, "blocks": list(message.blocks), "for": to_user or for_user}
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

    async def _want_rest(self, conn: Connection, row: Row, texts: Sequence[Markup]) -> None:
        """Have the rest of a message that was too long said after it, in its place."""
        for number, text in enumerate(texts, start=2):
            name = f"more:{row.id}:{number}"
            payload: dict[str, object] = {"text": text, "blocks": [], "for": (row.payload or {}).get("for")}
            wanted = await self._messages.want(
                conn,
                name=name,
                kind="more",
                ref=row.id,
                channel=row.detour or row.channel,
                thread=None if row.detour else row.thread,
                to_user=None if row.detour else row.to_user,
                payload=payload,
            )
            if wanted:
                await self._defer(conn, name)

    async def _tell_operator(self, conn: Connection, row: Row, channel: str, message: Message) -> None:
        """Have those who run the bot told that Slack refuses a message."""
        await self._alert(conn, f"{row.id}:{secrets.token_hex(4)}", channel, message, ref=row.id)

    async def _alert(
        self, conn: Connection, name: str, channel: str, message: Message, *, ref: str = ""
    ) -> None:
        name = f"operator:{name}"
        payload: dict[str, object] = {"text": message.text, "blocks": list(message.blocks)}
        wanted = await self._messages.want(
            conn, name=name, kind="operator", ref=ref or name, channel=channel, payload=payload
        )
        if wanted:
            await self._defer(conn, name)
