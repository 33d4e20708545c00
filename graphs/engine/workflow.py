"""What a workflow is: what must be asked, and stages that look at the world and say what comes next.

A stage only reads. It returns a plan of what is to be done, or raises Refused; everything that acts is the
engine's: asking for approval, carrying out, reading back, taking back, and telling people.
"""

from abc import ABC
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar, get_args

from connectors.base import Change, Operation
from connectors.directory import Directory, Person
from connectors.errors import Invalid, NotFound
from graphs.admission import Refused
from graphs.effects import Effect
from graphs.groups import GroupUnclear
from graphs.kit import Case, Kind
from graphs.plans import Plan, Step
from graphs.records import Approval, Field, Run
from graphs.sections import Section
from graphs.words import WorkflowHints

RulesT = TypeVar("RulesT")
ReadsT = TypeVar("ReadsT")
Next = Plan
Results = Mapping[str, Mapping[str, Any]]  # what the steps of a plan left behind, by name


class RunContext:
    """A run as a stage sees it. Everything here reads, and reads anew, but once in one pass of a stage."""

    def __init__(self, case: Case, run: Run) -> None:
        """Take the run as the record has it."""
        self._case = case
        self._seen: dict[str, Change] = {}
        self.run = run

    @property
    def id(self) -> str:
        """The id of the run."""
        return self.run.id

    @property
    def asked(self) -> Mapping[str, str]:
        """What was asked for, by the fields' names."""
        return self.run.values

    @property
    def directory(self) -> Directory:
        """The people and the groups of the company."""
        return self._case.kit.directory

    def use(self, reads: type[ReadsT]) -> ReadsT:
        """Return what an outside system may be asked, which only reads. Raises Refused."""
        try:
            return self._case.kit.registry.reads(reads)
        except Invalid as error:
            raise Refused("not_connected") from error

    async def requester(self, *, active: bool = True) -> Person:
        """Return whoever asked, as the directory has them now. Raises Refused for whoever has left.

        Also, unless `active` is False, for whoever is not active.
        """
        try:
            person = await self.directory.person_of(self.run.requester.subject)
        except NotFound as error:
            raise Refused("person_inactive", gone="yes") from error
        if active and not person.active:
            raise Refused("person_inactive")
        return person

    async def group_ids(self, *names: str) -> Mapping[str, str]:
        """Return the directory's ids of groups, by their names. Raises Refused."""
        try:
            return await self._case.kit.groups.ids(list(names))
        except GroupUnclear as error:
            raise Refused(error.key, group=error.name) from error

    async def preview(self, step: Step) -> Change:
        """Return what a step would change. Raises the connector's errors."""
        known = f"{step.operation} {step.payload.model_dump_json()}"
        if known not in self._seen:
            self._seen[known] = await self._case.kit.registry.operation(step.operation).preview(step.payload)
        return self._seen[known]


Stage = Callable[[RunContext], Awaitable[Next]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Declared:
    """What `stage` says of a method: whether it comes first, and which stages can follow."""

    name: str
    first: bool
    next: tuple[str, ...]


def stage(*, first: bool = False, next: tuple[str, ...] = ()) -> Callable[[Any], Any]:  # noqa: A002  # as people say it
    """Declare a method of a workflow as a stage. `next` are the stages that its plans can name as `then`."""

    def declared(method: Any) -> Any:
        method.stage = Declared(name=method.__name__, first=first, next=next)
        return method

    return declared


class Workflow(ABC, Generic[RulesT]):
    """One kind of request. Make one with the installation's rules.

    A changed shape (a stage more, less, or called otherwise) needs a new `version`; `continues` names the
    earlier ones whose open runs this one finishes.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    version: ClassVar[int]
    continues: ClassVar[tuple[int, ...]] = ()
    described: ClassVar[Mapping[str, type[str | int]]] = {}  # what `parameters` returns, for the policies
    examples: ClassVar[tuple[str, ...]] = ()  # how people ask for it: each is understood, or a test fails
    sentences: ClassVar[Mapping[str, str]] = {}  # of its own keys, "NAME.key", with facts in braces
    urgent: ClassVar[bool] = False  # for emergencies: its runs come before all others, and are announced
    ending: ClassVar[tuple[str, int]] = ("", 0)  # the workflow that ends what this one gives for a time

    settings: ClassVar[type[Section]] = Section  # from the class's parameter: its table in the settings

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        for base in getattr(cls, "__orig_bases__", ()):
            for rules in get_args(base):
                if isinstance(rules, type) and issubclass(rules, Section):
                    cls.settings = rules

    def __init__(self, rules: RulesT) -> None:
        """Take what the installation has decided."""
        self.rules = rules

    @property
    def needs(self) -> Sequence[type[Operation[Any, Any]]]:
        """The operations that its plans may have: without their connectors it does not start."""
        return ()

    @property
    def hints(self) -> WorkflowHints | None:
        """How people ask for it in their own words; None: by its form alone."""
        return None

    @property
    def channels(self) -> Mapping[str, str]:
        """The ids of the channels in which its "cards", "reviews" and "alarms" are posted."""
        return {}

    @classmethod
    def ends(cls) -> Iterable[Kind]:
        """Return what ends what this one gives for a time: it is there also where this is switched off."""
        return ()

    @property
    def fields(self) -> tuple[Field, ...]:
        """What must be known before anything is looked at."""
        return ()

    @property
    def stages(self) -> Mapping[str, Declared]:
        """The stages by name, the first one first."""
        found = [member.stage for member in vars(type(self)).values() if hasattr(member, "stage")]
        return {one.name: one for one in sorted(found, key=lambda one: not one.first)}

    def require_allowed(self, values: Mapping[str, str]) -> None:
        """Return if the rules let anybody ask for this. Raises Refused."""

    def parameters(self, values: Mapping[str, str]) -> Mapping[str, str | int]:
        """Return what the policies are told when they are asked whether somebody may request this."""
        return {}

    def facts(self, approval: Approval, results: Results) -> Mapping[str, str]:
        """Return what the sentences need that are said of a plan, and of what its steps left behind."""
        return {}

    def end_values(self, run: Run, effect: Effect) -> Mapping[str, str]:
        """Return what the run has to know that ends what was given for a time."""
        return {"run": run.id, "approval": effect.approval, "step": effect.step}
