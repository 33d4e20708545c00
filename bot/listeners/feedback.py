"""The ratings below answers: one for each person and answer, which they may change."""

from slack_bolt.async_app import AsyncAck

from bot.blocks import feedback
from bot.gaps.questions import Rated
from bot.listeners import private
from bot.listeners.surfaces import Body, Surfaces
from bot.wiring import Parts


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the buttons and to the window."""

    async def rated(body: Body, ack: AsyncAck) -> None:
        await ack()
        person = await private.person(parts, body)
        if person is None:
            return
        question, good = feedback.vote(private.value(body))
        match await parts.questions.rate(question, person.subject, good=good):
            case Rated.GONE:
                await private.tell(parts, body, feedback.gone())
            case Rated.NOT_THEIRS:
                await private.tell(parts, body, feedback.not_theirs())
            case Rated.RECORDED if good:
                await private.tell(parts, body, feedback.thanks())
            case Rated.RECORDED:
                await private.show(parts, body, feedback.wrong(question), stands="Your rating is kept.")

    async def explained(body: Body, ack: AsyncAck) -> None:
        await ack()
        note = private.state(body).get(feedback.NOTE, {}).get("value", {}).get("value")
        person = await private.person(parts, body) if note else None
        if person is not None:
            await parts.questions.note(str(body["view"]["private_metadata"]), person.subject, str(note))

    on.action(feedback.RATE, rated)
    on.view(feedback.WRONG, explained)
