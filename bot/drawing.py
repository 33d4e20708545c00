"""From a row of the outbox to what it shows now."""

from collections.abc import Mapping

from bot.blocks import approval as approvals
from bot.blocks import doubt as doubts
from bot.blocks import progress
from bot.blocks.parts import Message
from bot.identity import Identity
from bot.messages import Messages, Row
from bot.outbox import Letter, Nowhere
from graphs.records import Approval, Doubt, Notice, Run
from graphs.runs import Runs


class RecordDrawing:
    """Draws cards, progress and notices from their records, and replies as they were written."""

    def __init__(
        self, runs: Runs, identity: Identity, messages: Messages, channels: Mapping[str, str]
    ) -> None:
        """Take the approvers' channel of each workflow in `channels`."""
        self._runs = runs
        self._identity = identity
        self._messages = messages
        self._channels = channels

    async def draw(self, row: Row) -> Letter:
        """Return the letter. Raises Nowhere."""
        match row.kind:
            case "card":
                return await self._card(row)
            case "doubt":
                return await self._doubt(row)
            case "progress":
                run = await self._runs.run(row.ref)
                channel, thread = _origin(run)
                return Letter(channel=channel, thread=thread, message=progress.progress(run))
            case "notice":
                return await self._notice(row)
            case "reply":
                return _reply(row)

    async def _card(self, row: Row) -> Letter:
        approval = await self._runs.approval(row.ref)
        if approval is None:
            raise Nowhere(f"there is no approval {row.ref}")
        users = await self._identity.users(_subjects(approval))
        editable = bool(self._runs.editable(approval.workflow))
        return Letter(
            channel=self._channel(approval),
            thread=None,
            message=approvals.card(approval, users=users, editable=editable),
        )

    async def _doubt(self, row: Row) -> Letter:
        doubt = await self._runs.doubt(row.ref)
        if doubt is None:
            raise Nowhere(f"there is no doubt {row.ref}")
        users = await self._identity.users(_subjects(doubt.approval) | _resolver(doubt))
        channel = self._channel(doubt.approval)
        return Letter(channel=channel, thread=None, message=doubts.card(doubt, users=users))

    def _channel(self, approval: Approval) -> str:
        channel = self._channels.get(approval.workflow)
        if channel is None:
            raise Nowhere(f"no channel is set for approvals of {approval.workflow}")
        return channel

    async def _notice(self, row: Row) -> Letter:
        run = await self._runs.run(row.ref)
        payload = row.payload or {}
        news = Notice(key=str(payload["key"]), facts=payload["facts"])
        message = progress.notice(news, requester=run.origin.get("user"))
        channel, thread = _origin(run)
        if thread is None:
            root = await self._messages.place(f"progress:{run.id}")
            if root is not None:
                channel, thread = root.channel, root.ts
        return Letter(channel=channel, thread=thread, message=message)


def _origin(run: Run) -> tuple[str, str | None]:
    channel = run.origin.get("channel") or run.origin.get("user")
    if not channel:
        raise Nowhere(f"the run {run.id} belongs to no conversation")
    return channel, run.origin.get("thread_ts") or None


def _reply(row: Row) -> Letter:
    payload = row.payload or {}
    if row.channel is None:
        raise Nowhere(f"the message {row.id} belongs to no conversation")
    message = Message(text=payload["text"], blocks=tuple(payload["blocks"]))
    return Letter(channel=row.channel, thread=row.thread, message=message)


def _subjects(approval: Approval) -> set[str]:
    people = (approval.requester, approval.beneficiary, *(vote.by for vote in approval.votes))
    return {person.subject for person in people}


def _resolver(doubt: Doubt) -> set[str]:
    return set() if doubt.by is None else {doubt.by.subject}
