"""From the settings to the workflows: what can be asked for, in which words, and where it is decided."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot.drawing import Channels
from bot.settings import Settings, SettingsError
from bot.systems import operations
from graphs.engine.workflow import Workflow
from graphs.kit import Kind
from graphs.sections import CHANNEL, GROUP, ClauseRef, Mark, marked
from graphs.words import WorkflowHints


def switched_on(settings: Settings) -> Sequence[Workflow[Any]]:
    """Return the workflows that the settings switch on, each with its settings."""
    found = []
    for name, rules in settings.workflows.items():
        workflow = settings.rooms.workflow(name)
        assert workflow is not None  # or there were no such settings
        found.append(workflow(rules))
    return found


def workflows(settings: Settings) -> Iterable[Kind]:
    """Yield what the settings switch on, and what ends what was once granted. Raises SettingsError."""
    from graphs.engine import machine  # noqa: PLC0415  # LangGraph takes seconds to import

    require_served(settings)
    for workflow in switched_on(settings):
        yield machine.kind(workflow)
    for every in settings.rooms.every_workflow():
        yield from every.ends()


def require_served(settings: Settings) -> None:
    """Return if everything that the workflows may plan can be done here. Raises SettingsError."""
    known = {one.name for one in operations(settings)}
    on = {one.name for one in switched_on(settings)}
    for workflow in switched_on(settings):
        for needed in workflow.needs:
            if needed.name not in known:
                system = needed.name.partition(".")[0]
                raise SettingsError(
                    f"The workflow {workflow.name} needs {needed.name}, and nothing is connected that can do"
                    f" it: add [connectors.{system}]."
                )
    for name in settings.confirm.workflows:
        if name not in on:
            raise SettingsError(f"[confirm] workflows names {name}, and no such workflow is switched on.")


def hints(settings: Settings) -> Mapping[str, WorkflowHints]:
    """Return the words by which a workflow is asked for. What has none is asked for by its form alone."""
    return {one.name: hints for one in switched_on(settings) if (hints := one.hints) is not None}


def sentences(settings: Settings) -> Mapping[str, str]:
    """Return what the workflows say for themselves, by key."""
    return {key: text for one in switched_on(settings) for key, text in one.sentences.items()}


def parameters(settings: Settings) -> Mapping[str, type[str | int]]:
    """Return what requests ask for, for the policies. Raises SettingsError where two workflows differ."""
    found: dict[str, type[str | int]] = {}
    for workflow in settings.rooms.every_workflow():
        for name, kind in workflow.described.items():
            if found.setdefault(name, kind) is not kind:
                raise SettingsError(
                    f"The workflow {workflow.name} describes {name} as another type than one before it does:"
                    " give the parameter another name."
                )
    return found


def named_groups(settings: Settings) -> Mapping[str, str]:
    """Return the groups that the settings name (to be asked for, to decide, to review), and where."""
    return _named(settings, GROUP)


def named_channels(settings: Settings) -> Mapping[str, str]:
    """Return the ids of the channels that the settings name, and where."""
    return _named(settings, CHANNEL)


def clauses(settings: Settings) -> Iterator[tuple[str, ClauseRef]]:
    """Yield the sections of policies that govern workflows, each with the workflow's name."""
    for name, rules in settings.workflows.items():
        for _, clause in marked(rules, ClauseRef):
            yield name, clause


def channels(settings: Settings) -> Channels:
    """Return where cards, reviews and alarms are posted."""
    every = {one.name: one.channels for one in switched_on(settings)}
    return Channels(
        **{
            what: {name: known[what] for name, known in every.items() if what in known}
            for what in ("cards", "reviews", "alarms")
        }
    )


def _named(settings: Settings, mark: Mark) -> Mapping[str, str]:
    """Return what is marked in the settings, each once, with every place where it stands."""
    places: dict[str, list[str]] = {}
    for name, rules in settings.workflows.items():
        for at, value in marked(rules, mark):
            known = places.setdefault(value, [])
            if (place := f"{name} {at}") not in known:
                known.append(place)
    return {value: ", ".join(known) for value, known in places.items()}
