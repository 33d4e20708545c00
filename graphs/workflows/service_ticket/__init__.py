"""Something does not work: it is sorted, compared with the open tickets, and a ticket is opened for it."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from pydantic import Field as Limit

from connectors.base import Operation
from connectors.tickets import NewTicket, OpenTicket, Ticket, Tickets
from graphs.sdk import (
    REQUESTER,
    Approval,
    Approvers,
    Channel,
    ClauseRef,
    Field,
    Groups,
    Next,
    Plan,
    Results,
    RunContext,
    Section,
    Shown,
    Times,
    Workflow,
    WorkflowHints,
    stage,
    step,
)
from graphs.workflows.service_ticket.triage import CATEGORIES, PRIORITIES, TROUBLES, Category, first, title

LIKE = 3  # tickets about the same that a card names
ENDED = frozenset({"resolved", "done-cbb", "retracted"})  # statuses of tickets that nobody works on


class Rules(Section):
    """What the installation has decided about tickets."""

    channel: Channel
    desk: Groups  # whose members approve tickets of the priorities `approve`
    clause: ClauseRef
    approve: tuple[str, ...] = ("critical",)
    # The most urgent first, each with the words that say so; the last one is for everything else.
    priorities: dict[str, tuple[str, ...]] = Limit(default_factory=lambda: dict(PRIORITIES), min_length=1)
    categories: dict[str, Category] = Limit(default_factory=lambda: dict(CATEGORIES))
    times: Times = Times()


class ServiceTicket(Workflow[Rules]):
    """Told in somebody's own words, sorted, compared with the open tickets, and opened."""

    name, title, version = "service_ticket", "Service ticket", 1
    described: ClassVar[Mapping[str, type[str | int]]] = {"category": str, "priority": str}
    examples = (
        "My VPN is down since this morning, I cannot work",
        "the label printer in the Halifax warehouse prints everything twice",
        "my laptop won't charge anymore, tried two cables",
        "Heating broken in meeting room Kelvin",
    )
    sentences: ClassVar[Mapping[str, str]] = {
        "service_ticket.opened": "Ticket {ticket} is open: {title}. The service desk sees it now.",
    }

    @property
    def fields(self) -> tuple[Field, ...]:
        """What is the matter, in their own words."""
        return (
            Field(
                name="words",
                label="What does not work",
                kind="text",
                most=2000,
                requester_only=True,
                help="What you see, since when, and whom it keeps from working.",
            ),
        )

    @property
    def needs(self) -> Sequence[type[Operation[Any, Any]]]:
        """A ticket."""
        return (OpenTicket,)

    @property
    def hints(self) -> WorkflowHints:
        """How people say that something does not work."""
        things = {word for category in self.rules.categories.values() for word in category.words}
        return WorkflowHints(
            nouns=frozenset({"ticket", "incident"}),
            verbs=frozenset({"open", "file", "raise", "log"}),
            things=frozenset(things),
            troubles=frozenset(TROUBLES),
            text="words",
        )

    @property
    def channels(self) -> Mapping[str, str]:
        """Where urgent ones are decided."""
        return {"cards": self.rules.channel}

    def parameters(self, values: Mapping[str, str]) -> Mapping[str, str | int]:
        """Return what the policies are told of a request."""
        return {"category": self._category(values["words"]), "priority": self._priority(values["words"])}

    @stage(first=True)
    async def open(self, run: RunContext) -> Next:
        """Sort what was said, look whether it is known, and open a ticket."""
        said, person = run.asked["words"], await run.requester()
        category, priority = self._category(said), self._priority(said)
        known = self.rules.categories.get(category)
        about = await self._about_the_same(run, said, known)
        ticket = NewTicket(
            title=title(said),
            text=f"{said}\n\n{person.name} ({person.email})",
            priority=priority,
            keywords=(known.keyword,) if known is not None and known.keyword else (),
            about=(person.user_name,),
        )
        return Plan(
            steps=(step("ticket", OpenTicket, ticket),),
            approvers=Approvers(groups=self.rules.desk) if priority in self.rules.approve else REQUESTER,
            clause=(self.rules.clause.document, self.rules.clause.anchor),
            beneficiary=person,
            lines=(
                Shown(label="Category", value=category),
                Shown(label="Priority", value=priority),
                *(Shown(label="Perhaps the same", value=f"ticket {one.id}, {one.title}") for one in about),
            ),
            reason=said,
            deadlines=self.rules.times.deadlines,
            then="service_ticket.opened",
        )

    async def _about_the_same(
        self, run: RunContext, said: str, category: Category | None
    ) -> Sequence[Ticket]:
        """Return open tickets whose title names the same thing."""
        thing = first(category.words, said) if category is not None else ""
        if not thing:
            return ()
        hits = await run.use(Tickets).like([thing])
        return [one for one in hits.tickets if one.status not in ENDED][:LIKE]

    def _category(self, said: str) -> str:
        found = ((name, first(one.words, said)) for name, one in self.rules.categories.items())
        return next((name for name, word in found if word), "other")

    def _priority(self, said: str) -> str:
        *ranks, (usual, _) = self.rules.priorities.items()
        return next((name for name, words in ranks if first(words, said)), usual)

    def facts(self, approval: Approval, results: Results) -> Mapping[str, str]:
        """Return which ticket it is."""
        opened = results.get("ticket", {})
        return {"ticket": str(opened.get("ticket", "")), "title": str(approval.steps[0].sends["title"])}
