"""From a row of the outbox to what it shows now."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

from bot import courses, undelivered
from bot.blocks import approval as approvals
from bot.blocks import beside, progress, refused
from bot.blocks import doubt as doubts
from bot.blocks import help as words
from bot.blocks import review as review_card
from bot.blocks.parts import Message
from bot.identity import Identity
from bot.messages import Messages, Row
from bot.outbox import Letter, NoChannel, NoLongerTrue, Nowhere
from bot.render import Markup
from bot.shares import share_of
from graphs.records import Actor, Alarm, Approval, ApprovalStatus, Beside, Doubt, Notice, Review, Run
from graphs.runs import Runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Channels:
    """The ids of the channels in which things are posted, by workflow."""

    cards: Mapping[str, str]
    reviews: Mapping[str, str]
    alarms: Mapping[str, str]


class RecordDrawing:
    """Draws cards, progress and notices from their records, and replies as they were written."""

    def __init__(self, runs: Runs, identity: Identity, messages: Messages, channels: Channels) -> None:
        """Take where cards, reviews and alarms are posted."""
        self._runs = runs
        self._identity = identity
        self._messages = messages
        self._channels = channels

    async def draw(self, row: Row) -> Letter:
        """Return the letter. Raises Nowhere."""
        if row.unwanted:
            return _taken_away(row)
        if row.kind in {"reply", "more", "operator"}:
            return _reply(row)
        draw = {
            "card": self._card,
            "doubt": self._doubt,
            "progress": self._progress,
            "notice": self._notice,
            "beside": self._beside,
            "review": self._review,
            "alarm": self._alarm,
        }
        return await draw[row.kind](row)

    async def _progress(self, row: Row) -> Letter:
        run = await self._runs.run(row.ref)
        channel, thread = _origin(run, row)
        async with self._messages.writing() as conn:
            trouble = await undelivered.trouble(conn, run.id)
            unseen = await undelivered.unseen(conn, run.id) if run.reason == "expired" else None
            course = await courses.of_run(conn, run)
        drawn = progress.progress(
            run,
            trouble=None if trouble is None else refused.standing(trouble),
            why=None if unseen is None else refused.unseen(unseen),
            course=course,
        )
        return self._of(run, Letter(channel=channel, thread=thread, message=drawn))

    async def _card(self, row: Row) -> Letter:
        approval = await self._approval_of(row.ref)
        users = await self._identity.users(_subjects(approval))
        editable = bool(self._runs.editable(approval.workflow))
        async with self._messages.writing() as conn:
            course = await courses.of_card(conn, approval)
        drawn = approvals.card(approval, users=users, editable=editable, course=course)
        return self._of(approval, Letter(channel=self._channel(approval, users), thread=None, message=drawn))

    async def _doubt(self, row: Row) -> Letter:
        doubt = await self._runs.doubt(row.ref)
        if doubt is None:
            raise Nowhere(f"there is no doubt {row.ref}")
        users = await self._identity.users(_subjects(doubt.approval) | _resolver(doubt))
        channel = self._channel(doubt.approval, users)
        letter = Letter(channel=channel, thread=None, message=doubts.card(doubt, users=users))
        return self._of(doubt.approval, letter)

    def _channel(self, approval: Approval, users: Mapping[str, str]) -> str:
        """Return where it is decided: what its requester confirms alone, in their direct messages."""
        if approval.confirmed:
            user = users.get(approval.requester.subject)
            if user is None:
                raise NoChannel("whoever asked has no Slack account that is known")
            return user
        channel = self._channels.cards.get(approval.workflow)
        if channel is None:
            raise NoChannel(f"no channel is set for approvals of {approval.workflow}")
        return channel

    async def _notice(self, row: Row) -> Letter:
        run = await self._runs.run(row.ref)
        payload = row.payload or {}
        news = Notice(key=str(payload["key"]), facts=payload["facts"])
        async with self._messages.writing() as conn:
            course = await courses.of_run(conn, run)
        said = await self._special(news, run)
        message = progress.notice(news, requester=run.origin.get("user"), said=said, course=course)
        channel, thread = _origin(run, row)
        root = await self._messages.place(f"progress:{run.id}")
        if root is not None and (thread is None or root.channel != channel):
            channel, thread = root.channel, root.ts
        return self._of(run, Letter(channel=channel, thread=thread, message=message))

    async def _special(self, news: Notice, run: Run) -> Markup | None:
        """Return what is said of a card that could not be posted, or None where that is not the news."""
        if news.key in refused.NOTICES:
            return refused.notice(news.key, news.facts)
        if news.key != "expired":
            return None
        async with self._messages.writing() as conn:
            unseen = await undelivered.unseen(conn, run.id)
        return None if unseen is None else refused.expired(unseen)

    async def _beside(self, row: Row) -> Letter:
        """Say something in the thread of a card, to those who can do something about it."""
        place = await self._messages.place(row.ref)
        if place is None:
            raise Nowhere(f"{row.ref} is not there")
        kind, _, name = row.ref.partition(":")
        news = cast("Beside", (row.payload or {})["key"])  # as `Outbox.beside_card` wrote it
        if kind == "review":
            review = await self._review_of(name)
            if review.finding is not None:
                raise NoLongerTrue(f"the review {name} is signed off")
            groups = await self._runs.groups.ids([review.reviewers])
            users = await self._identity.members(groups.values())
            part = {person.subject for person in await self._runs.took_part(review.approval.run)}
            said = beside.review_waits(review, _without(users, part))
        else:
            approval = await self._approval_of(name)
            if news == "not_ended":  # the directory may be what is in the way, so it is not asked
                users = await self._identity.users({vote.by.subject for vote in approval.votes})
                said = beside.waits(approval, news, sorted(users.values()))
                return Letter(channel=place.channel, thread=place.ts, message=said)
            if approval.status is not ApprovalStatus.PENDING:
                raise NoLongerTrue(f"the approval {name} is decided")
            second = approval.escalation.groups if approval.escalation and news == "escalated" else {}
            if approval.confirmed:
                users = await self._identity.users({approval.requester.subject})
                said = beside.waits(approval, news, sorted(users.values()))
                return Letter(channel=place.channel, thread=place.ts, message=said)
            users = await self._identity.members((*approval.approvers.values(), *second.values()))
            said = beside.waits(approval, news, _without(users, _involved(approval)))
        return Letter(channel=place.channel, thread=place.ts, message=said)

    def _of(self, subject: Run | Approval, letter: Letter) -> Letter:
        """Return the letter in the turn of whoever asked for what it is about; an emergency's comes first."""
        share, urgent = share_of(subject.requester.subject), self._runs.is_urgent(subject.workflow)
        return replace(letter, share=share, urgent=urgent)

    async def _review(self, row: Row) -> Letter:
        review = await self._review_of(row.ref)
        channel = self._channels.reviews.get(review.approval.workflow)
        if channel is None:
            raise NoChannel(f"no channel is set for reviews of {review.approval.workflow}")
        users = await self._identity.users(
            _subjects(review.approval) | ({review.by.subject} if review.by else set())
        )
        letter = Letter(channel=channel, thread=None, message=review_card.card(review, users=users))
        return self._of(review.approval, letter)

    async def _alarm(self, row: Row) -> Letter:
        run = await self._runs.run(row.ref)
        channels = self._channels
        channel = channels.alarms.get(run.workflow) or channels.cards.get(run.workflow)
        if channel is None:
            raise NoChannel(f"no channel is set for alarms of {run.workflow}")
        payload = row.payload or {}
        users = await self._identity.users({run.requester.subject})
        alarm = cast("Alarm", payload["key"])  # as `Outbox.alarm` wrote it
        said = beside.alarm(run, alarm, payload["facts"], users)
        return self._of(run, Letter(channel=channel, thread=None, message=said))

    async def _review_of(self, name: str) -> Review:
        review = await self._runs.review_of(name)
        if review is None:
            raise Nowhere(f"there is no review {name}")
        return review

    async def _approval_of(self, name: str) -> Approval:
        approval = await self._runs.approval(name)
        if approval is None:
            raise Nowhere(f"there is no approval {name}")
        return approval


def _taken_away(row: Row) -> Letter:
    """Return what stands where a message stood that showed somebody who has been erased."""
    if row.posted_in is None or row.ts is None:
        raise NoLongerTrue(f"the message {row.id} is about somebody who has been erased")
    return Letter(channel=row.posted_in, thread=None, message=words.taken_away())


def _origin(run: Run, row: Row) -> tuple[str, str | None]:
    channel = run.origin.get("channel") or run.origin.get("user") or row.posted_in
    if not channel:
        raise Nowhere(f"the run {run.id} belongs to no conversation")
    return channel, run.origin.get("thread_ts") or None


def _reply(row: Row) -> Letter:
    payload = row.payload or {}
    if row.channel is None:
        raise Nowhere(f"the message {row.id} belongs to no conversation")
    message = Message(text=payload["text"], blocks=tuple(payload["blocks"]))
    whose = str(payload.get("for") or row.to_user or "")
    return Letter(channel=row.channel, thread=row.thread, message=message, share=share_of(whose))


def _subjects(approval: Approval) -> set[str]:
    """Return everybody whom a card names."""
    held = (vote.stands_for for vote in approval.votes if vote.stands_for is not None)
    gets = (approval.beneficiary,) if isinstance(approval.beneficiary, Actor) else ()
    people = (approval.requester, *gets, *(vote.by for vote in approval.votes), *held)
    return {person.subject for person in people}


def _resolver(doubt: Doubt) -> set[str]:
    return set() if doubt.by is None else {doubt.by.subject}


def _involved(approval: Approval) -> set[str]:
    """Return those who cannot decide, or have."""
    return _subjects(approval) | {author.subject for author in approval.authors}


def _without(users: Mapping[str, str], subjects: set[str]) -> list[str]:
    return sorted(user for subject, user in users.items() if subject not in subjects)
