"""A run in its own thread: where it stands, what has happened, and what news there is."""

from collections.abc import Iterator

from bot import sentences
from bot.blocks import parts
from bot.blocks.parts import Block, Message
from bot.course import Course
from bot.render import Markup, bold, date, join, line, mention, ours
from graphs.records import Notice, Run, RunStatus

FILL_IN = "request.fill_in"
WITHDRAW = "request.withdraw"
AGAIN = "request.again"


def progress(
    run: Run, *, trouble: Markup | None = None, why: Markup | None = None, course: Course | None = None
) -> Message:
    """Draw the run as its record now stands.

    `trouble`: what keeps its card from being seen. `why`: why it ended, where the record does not know it.
    `course`: how far its plan has come, where that has several steps and has been begun.
    """
    standing = sentences.standing(run.status, run.facts)
    body = [*_standing(run, standing, trouble, why), *_stand(run, course), *_rest(run)]
    return parts.message(f"{line(run.title, 300)}: {standing}", body)


def notice(
    news: Notice, *, requester: str | None, said: Markup | None = None, course: Course | None = None
) -> Message:
    """Say something new, to the requester by Slack user id where the news is theirs.

    `said`: the sentence, where the record does not know it. `course` as in `progress`.
    """
    stand = None if course is None else course.told
    said = sentences.notice(news.key, news.facts, stand=stand) if said is None else said
    shown = said if requester is None else join(mention(requester), ours(" "), said)
    return parts.message(said, [parts.section(shown)])


def _standing(run: Run, standing: Markup, trouble: Markup | None, why: Markup | None) -> Iterator[Block]:
    yield parts.section(join(bold(line(run.title, 300)), ours("\n"), standing))
    if trouble is not None:
        yield parts.section(trouble)
    if run.values:
        yield parts.section(_values(run))
    if run.status is RunStatus.COLLECTING:
        yield from _missing(run)
    if run.status in {RunStatus.REFUSED, RunStatus.FAILED} and run.reason:
        known = sentences.reason(run.reason, run.facts) if why is None else why
        yield parts.section(join(ours("Why: "), known, ours(".")))


def _stand(run: Run, course: Course | None) -> Iterator[Block]:
    """Say what of the run's doing stands outside."""
    if course is None:
        if stands := sentences.stands(run.facts):
            yield parts.section(stands)
        return
    yield parts.section(join(bold(ours("Steps")), ours("\n"), course.lines))
    if course.stopped:
        yield parts.section(course.told)


def _rest(run: Run) -> Iterator[Block]:
    if run.can_be_asked_again:
        again = parts.button("Ask again", action=AGAIN, value=run.id, label="Ask for the same again")
        yield parts.actions("request", [again])
    if run.can_be_withdrawn:
        yield parts.actions("withdraw", [withdraw(run.id)])
    if run.status is RunStatus.SCHEDULED and run.due_at is not None:
        yield parts.section(join(ours("Begins "), date(run.due_at)))
    if run.milestones:
        yield parts.context(_steps(run))
    yield parts.context(line(f"Request {run.id}", 100))


def withdraw(run: str) -> Block:
    """A button with which whoever asked withdraws their request; Slack asks first if they mean it."""
    button = parts.button("Withdraw", action=WITHDRAW, value=run, label="Withdraw this request")
    return parts.confirmed(
        button,
        title="Withdraw the request?",
        text="Nothing is done, and nobody has to decide on it any more. You can ask again later.",
        yes="Withdraw it",
        no="Keep it",
    )


def _values(run: Run) -> Markup:
    lines = [
        join(line(name.replace("_", " ").capitalize(), 60), ours(": "), line(value, 250))
        for name, value in list(run.values.items())[:8]
    ]
    return join(*lines, by="\n")


def _missing(run: Run) -> Iterator[Block]:
    wanted = [
        join(ours("• "), line(field.label, 100), _wrong(run.problems.get(field.name)))
        for field in run.missing[:10]
    ]
    if wanted:
        yield parts.section(join(ours("I still need:\n"), *[join(line, ours("\n")) for line in wanted]))
    fill = parts.button(
        "Fill in", action=FILL_IN, value=run.id, style="primary", label="Fill in what is missing"
    )
    yield parts.actions("request", [fill])


def _wrong(key: str | None) -> Markup:
    return ours("") if key in {None, "required"} else join(ours(": "), ours(sentences.problem(key or "")))


def _steps(run: Run) -> Markup:
    lines = [
        join(ours("• "), sentences.step(step.key, step.facts), ours(" · "), date(step.at))
        for step in run.milestones[-6:]
    ]
    return join(*lines, by="\n")
