"""Requests by form: `/request`, its shortcut, and the button that fills in what a request still lacks."""

from collections.abc import Mapping

from slack_bolt.async_app import AsyncAck

from bot import mishaps, sentences, troubles
from bot.blocks import help as words
from bot.blocks import progress
from bot.blocks import request as forms
from bot.blocks.parts import View
from bot.identity import Refused, Unknown
from bot.listeners import private
from bot.listeners.surfaces import Body, Surfaces
from bot.render import ours
from bot.wiring import Parts
from graphs.cases import NoSuchRun, TooManyOpen
from graphs.forms import examine
from graphs.records import Answered, RunStatus

COMMAND = "/request"
SHORTCUT = "request.new"


def register(on: Surfaces, parts: Parts) -> None:
    """Listen to the command, the shortcut, the forms and the button."""
    on.command(COMMAND, _Opening(parts))
    on.shortcut(SHORTCUT, _Opening(parts))
    on.view(forms.CHOOSE, _Choosing(parts))
    on.view(forms.FORM, _Sending(parts))
    on.action(progress.FILL_IN, _Resuming(parts))
    on.view(forms.FILL, _Completing(parts))
    on.action(progress.AGAIN, _Again(parts))
    on.action(progress.WITHDRAW, _Withdrawing(parts))


class _Opening:
    """Opens the form of the only workflow, or of the one that the words are about, or asks which."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts = self._parts
        await ack()
        titles = parts.runs.titles
        if not titles:
            await private.tell(parts, body, words.said(ours("There is nothing that can be asked for here.")))
            return
        if await private.person(parts, body) is None:
            return
        text = str(body.get("text") or "")
        known = await parts.understanding.slots(text) if text.strip() else {}
        meant = [name for name, slots in known.items() if slots] if len(titles) > 1 else list(titles)
        if len(meant) == 1:
            await private.show(parts, body, _form(parts, meant[0], known.get(meant[0], {})))
        else:
            await private.show(parts, body, forms.choose(titles))


class _Choosing:
    """Replaces the choice by the form of the workflow that was chosen."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        chosen = forms.values(private.state(body)).get(forms.WORKFLOW, "")
        if chosen in self._parts.runs.titles:
            await ack(response_action="update", view=_form(self._parts, chosen, {}))
        else:
            await _object(ack, {forms.WORKFLOW: "not_an_option"}, body)


class _Sending:
    """Begins a run from a filled-in form. The form's id is the run's key: sent twice, it is one run."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts, view = self._parts, body["view"]
        workflow = str(view.get("private_metadata") or "")
        if workflow not in parts.runs.titles:
            await _object(ack, dict.fromkeys(private.state(body), "closed"), body)
            return
        filled = forms.values(private.state(body))
        problems = examine(parts.runs.fields(workflow), filled)
        if problems:
            await _object(ack, problems, body)
            return
        try:
            person = await parts.identity.person(private.user(body))
        except (Refused, Unknown) as error:
            await _refuse(ack, error, body)
            return
        try:
            await parts.runs.start(
                workflow=workflow,
                values=filled,
                requester=person,
                origin={"user": private.user(body)},
                key=f"view:{view['id']}",
            )
        except TooManyOpen as error:
            first = private.inputs(body)[:1]
            await _errors(ack, dict.fromkeys(first, mishaps.too_many(error.most)), body)
            return
        await ack()


class _Again:
    """Asks for the same once more, after it was denied or nobody decided: for the person who had asked."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts = self._parts
        person = await private.person(parts, body)
        try:
            asked = None if person is None else await parts.runs.again(private.value(body), by=person)
        except NoSuchRun:
            asked = None
        except TooManyOpen as error:
            await ack()
            await private.tell(parts, body, words.said(ours(mishaps.too_many(error.most))))
            return
        await ack()
        if person is not None and not asked:
            said = "You have asked again already." if asked is False else "Only whoever asked can ask again."
            await private.tell(parts, body, words.said(ours(said)))


class _Withdrawing:
    """Withdraws a request, for the person who asked."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts = self._parts
        person = await private.person(parts, body)
        if person is None:
            await ack()
            return
        try:
            answered = await parts.runs.withdraw(private.value(body), by=person)
        except NoSuchRun:
            answered = Answered.CLOSED
        await ack()
        if answered is not Answered.RECORDED:
            await private.tell(parts, body, words.said(ours(sentences.ANSWERS[answered])))


class _Resuming:
    """Opens the form with what a run still lacks, for the person who asked."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts = self._parts
        await ack()
        person = await private.person(parts, body)
        if person is None:
            return
        try:
            run = await parts.runs.read(private.value(body), by=person)
        except NoSuchRun:
            await private.tell(parts, body, words.said(ours(sentences.problem("closed"))))
            return
        if run is None:
            await private.tell(parts, body, words.said(ours(sentences.problem("not_yours"))))
        elif run.status is not RunStatus.COLLECTING:
            await private.tell(parts, body, words.said(ours("Nothing is missing any more.")))
        else:
            form = forms.form(run.title, run.missing, run.values, metadata=run.id, callback=forms.FILL)
            await private.show(parts, body, form)


class _Completing:
    """Takes what a run lacked."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    async def __call__(self, body: Body, ack: AsyncAck) -> None:
        parts = self._parts
        run = str(body["view"].get("private_metadata") or "")
        filled = forms.values(private.state(body))
        blank = [name for name in private.inputs(body) if name not in filled]
        if blank:
            await _object(ack, dict.fromkeys(blank, "required"), body)
            return
        try:
            person = await parts.identity.person(private.user(body))
            problems = await parts.runs.submit(run, filled, by=person)
        except (Refused, Unknown) as error:
            await _refuse(ack, error, body)
            return
        except NoSuchRun:
            problems = dict.fromkeys(private.state(body), "closed")
        if problems:
            await _object(ack, problems, body)
        else:
            await ack()


def _form(parts: Parts, workflow: str, values: Mapping[str, str]) -> View:
    title = parts.runs.titles[workflow]
    return forms.form(title, parts.runs.fields(workflow), values, metadata=workflow, callback=forms.FORM)


async def _object(ack: AsyncAck, problems: Mapping[str, str], body: Body) -> None:
    await _errors(ack, {name: sentences.problem(key) for name, key in problems.items()}, body)


async def _refuse(ack: AsyncAck, error: Refused | Unknown, body: Body) -> None:
    await _errors(ack, dict.fromkeys(private.inputs(body)[:1], str(troubles.refusal(error))), body)


async def _errors(ack: AsyncAck, errors: Mapping[str, str], body: Body) -> None:
    """Show what is wrong beside the fields. Slack refuses errors for blocks that the window lacks."""
    blocks = private.inputs(body)
    shown = {name: text for name, text in errors.items() if name in blocks}
    if not shown:
        shown = dict.fromkeys(blocks[:1], next(iter(errors.values()), sentences.problem("")))
    await ack(response_action="errors", errors=shown)
