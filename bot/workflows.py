"""From the settings to the workflows: what can be asked for, in which words, and where it is decided."""

from collections.abc import Iterable, Mapping

from bot.drawing import Channels
from bot.language import vocabulary
from bot.router import WorkflowHints
from bot.settings import AccessSettings, EmergencySettings, Settings, TimeSettings
from graphs.engine import machine
from graphs.kit import Kind
from graphs.plans import Deadlines
from graphs.workflows import break_glass, break_glass_end, it_access, it_access_end
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.it_access import ItAccess


def workflows(settings: Settings) -> Iterable[Kind]:
    """Yield what the settings switch on, and what ends what was once granted."""
    if settings.workflows.it_access is not None:
        yield _access(settings.workflows.it_access)
    if settings.workflows.break_glass is not None:
        yield _emergency(settings.workflows.break_glass)
    yield it_access_end.workflow()
    yield break_glass_end.workflow()


def hints(settings: Settings) -> Mapping[str, WorkflowHints]:
    """Return the words by which a workflow is asked for. Emergency access has a form alone."""
    access = settings.workflows.it_access
    return {} if access is None else {ItAccess.name: vocabulary.it_access(access.groups)}


def groups(settings: Settings) -> frozenset[str]:
    """Return the groups that the settings name: those that can be asked for, that decide, and that review."""
    access, emergency = settings.workflows.it_access, settings.workflows.break_glass
    names: set[str] = set()
    if access is not None:
        names |= access.groups.keys()
        for group in access.groups.values():
            names |= {*group.approvers, *([group.escalate_to] if group.escalate_to else [])}
    if emergency is not None:
        names |= emergency.groups.keys() | {one.approvers for one in emergency.groups.values()}
        names.add(emergency.reviewers)
    return frozenset(names)


def channels(settings: Settings) -> Channels:
    """Return where cards, reviews and alarms are posted."""
    access, emergency = settings.workflows.it_access, settings.workflows.break_glass
    cards = {} if access is None else {ItAccess.name: access.channel}
    if emergency is None:
        return Channels(cards=cards, reviews={}, alarms={})
    return Channels(
        cards={**cards, BreakGlass.name: emergency.channel},
        reviews={BreakGlass.name: emergency.review_channel},
        alarms={BreakGlass.name: emergency.alarm_channel},
    )


def _access(access: AccessSettings) -> Kind:
    groups = {
        name: it_access.RequestableGroup(
            approvers=group.approvers,
            max_days=group.max_days,
            quorum=group.quorum,
            escalate_to=(group.escalate_to,) if group.escalate_to else (),
        )
        for name, group in access.groups.items()
    }
    rules = it_access.Rules(
        groups=groups,
        clause_document=access.clause.document,
        clause_anchor=access.clause.anchor,
        deadlines=_deadlines(access.times),
    )
    return machine.kind(ItAccess(rules))


def _emergency(emergency: EmergencySettings) -> Kind:
    groups = {
        name: break_glass.EmergencyGroup(approvers=(group.approvers,), max_minutes=group.max_minutes)
        for name, group in emergency.groups.items()
    }
    rules = break_glass.Rules(
        groups=groups,
        clause_document=emergency.clause.document,
        clause_anchor=emergency.clause.anchor,
        reviewers=emergency.reviewers,
        review_every=emergency.review_every,
        deadlines=_deadlines(emergency.times),
    )
    return machine.kind(BreakGlass(rules))


def _deadlines(times: TimeSettings) -> Deadlines:
    return Deadlines(
        decide_within=times.decide,
        execute_within=times.execute,
        remind_after=times.decide * times.remind / 100 if times.remind else None,
        escalate_after=times.decide * times.escalate / 100,
    )
