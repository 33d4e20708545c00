"""How far the plan of an approval has come: which steps are done, taken back, or stand."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from bot.blocks import plan
from bot.render import Markup, exact, join, line, ours, size
from graphs.effects import Effect
from graphs.recorded import Ledger
from graphs.records import Approval, PlanStep

State = Literal[
    "waiting",
    "begun",
    "failed",
    "unknown",
    "done",
    "unseen",
    "undoing",
    "undone",
    "over",
    "kept",
    "undo_unknown",
]

_WORDS: Mapping[State, str] = {
    "waiting": "not begun",
    "begun": "begun, not confirmed yet",
    "failed": "not done",
    "unknown": "done or not, I cannot tell; a person has to look",
    "done": "done",
    "unseen": "reported as done, but I do not see it there",
    "undoing": "being taken back",
    "undone": "taken back",
    "over": "done, and ended since",
    "kept": "could not be taken back",
    "undo_unknown": "taken back or not, I cannot tell; a person has to look",
}
_STANDS: frozenset[State] = frozenset(
    {"done", "unseen", "kept", "undoing", "undo_unknown", "unknown", "begun"}
)
_DONE: frozenset[State] = _STANDS - {"unknown", "begun"} | {"undone", "over"}
_SHOWN = 2700  # characters of a section that the steps of a run may take


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """A plan and how far it has come. `stopped`: nothing more of it will be done or taken back by itself."""

    approval: Approval
    states: Mapping[str, State]
    stopped: bool = False

    @property
    def words(self) -> Mapping[str, Markup]:
        """Return in words how each step stands, by its name."""
        return {step.name: ours(self._word(step)) for step in self.approval.steps}

    @property
    def lines(self) -> Markup:
        """Every step with how it stands, a line each; of very many those that fit."""
        shown: list[Markup] = []
        steps = self.approval.steps
        for number, step in enumerate(steps, start=1):
            one = join(ours(f"{number}. "), named(step), ours(f": {self._word(step)}"))
            if size(join(*shown, one, by="\n")) > _SHOWN:
                shown.append(ours(f"… and {len(steps) - len(shown)} more steps"))
                break
            shown.append(one)
        return join(*shown, by="\n")

    @property
    def told(self) -> Markup:
        """Say what was done, what was taken back, what stands, and who looks after that."""
        return join(*filter(None, (self.stand, self._owner if self.unfinished else ours(""))), by=" ")

    @property
    def unfinished(self) -> bool:
        """Whether the plan stopped and somebody has to look after what was not taken back."""
        return self.stopped and bool(self._left)

    @property
    def stand(self) -> Markup:
        """Say what was done, what was taken back, and what stands."""
        done, back = self._where(_DONE), self._where({"undone"})
        if not self._where(_STANDS) and not done:
            return ours("I have changed nothing.")
        said = [f"I had done {_steps(done, len(self.approval.steps))}." if self.stopped and done else ""]
        said += [_sentence(back, "is taken back", "are taken back")]
        if not self.stopped:
            said += [_sentence(self._where({"done"}), "is done", "are done")]
        else:
            said += [_sentence(self._as_approved, "stays, as approved", "stay, as approved")]
        said += [
            _sentence(self._where({state}), *_PLURALS[state])
            for state in ("over", "kept", "unseen", "undoing", "undo_unknown", "unknown", "begun")
        ]
        still = [number for number in self._left if self.stopped and self._state(number) == "done"]
        said += [_sentence(still, "still stands", "still stand")]
        return ours(" ".join(one for one in said if one))

    @property
    def _owner(self) -> Markup:
        """Say who looks after what was to be taken back and was not."""
        if self.approval.confirmed:
            return ours(
                "Please look after what was not taken back: the card that you confirmed shows it too."
            )
        groups = line(", ".join(self.approval.approvers), 300)
        return join(
            ours("Please ask the approvers (members of "),
            groups,
            ours(") to look after what was not taken back: their card shows it too."),
        )

    @property
    def _as_approved(self) -> list[int]:
        return [at for at in self._where({"done"}) if self.approval.steps[at - 1].undo == "leave"]

    @property
    def _left(self) -> list[int]:
        """The steps that stand, or may, although nobody has approved that they stay."""
        stays = self._as_approved
        return [at for at in self._where(_STANDS) if at not in stays]

    def _where(self, wanted: frozenset[State] | set[State]) -> list[int]:
        return [at for at in range(1, len(self.approval.steps) + 1) if self._state(at) in wanted]

    def _state(self, number: int) -> State:
        return self.states.get(self.approval.steps[number - 1].name, "waiting")

    def _word(self, step: PlanStep) -> str:
        state = self.states.get(step.name, "waiting")
        if not self.stopped:
            return _WORDS[state]
        if state == "waiting":
            return "not done"
        if state == "done":
            return "done, and stays as approved" if step.undo == "leave" else "done, and still stands"
        return _WORDS[state]


_PLURALS: Mapping[State, tuple[str, str]] = {
    "over": ("is done, and has ended since", "are done, and have ended since"),
    "kept": ("could not be taken back", "could not be taken back"),
    "unseen": (
        "is reported as done, but I do not see it there",
        "are reported as done, but I do not see them there",
    ),
    "undoing": ("is being taken back", "are being taken back"),
    "undo_unknown": ("may have been taken back or not", "may have been taken back or not"),
    "unknown": ("may have been carried out or not", "may have been carried out or not"),
    "begun": ("is begun, and not confirmed yet", "are begun, and not confirmed yet"),
}


def states(approval: Approval, ledger: Ledger) -> Mapping[str, State]:
    """Say of each step how it stands, as the ledger has it."""
    return {
        step.name: _state(
            ledger.effects.get((step.name, "apply")), ledger.effects.get((step.name, "undo")), ledger.seen
        )
        for step in approval.steps
    }


def _state(done: Effect | None, undo: Effect | None, seen: Mapping[str, str]) -> State:
    if done is None:
        return "waiting"
    if done.state != "done":
        found: Mapping[str, State] = {"failed": "failed", "unknown": "unknown"}
        return found.get(done.state, "begun")
    if undo is None:
        return "unseen" if seen.get(done.id) == "differs" else "done"
    if undo.state == "done":
        if seen.get(undo.id) == "differs":
            return "kept"
        return "undone" if undo.run == done.run else "over"
    settled: Mapping[str, State] = {"failed": "kept", "unknown": "undo_unknown"}
    return settled.get(undo.state, "undoing")


def named(step: PlanStep) -> Markup:
    """Name a step in a few words: what it changes or, where that is not known yet, what it does."""
    return line(exact(step.after).replace("`", r"\u0060"), 160) if step.after else plan.operation(step)


def _sentence(numbers: Sequence[int], one: str, several: str) -> str:
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f"Step {numbers[0]} {one}."
    return f"Steps {plan.counted(numbers)} {several}."


def _steps(numbers: Sequence[int], of: int) -> str:
    known = f"step {numbers[0]}" if len(numbers) == 1 else f"steps {plan.counted(numbers)}"
    return f"{known} of {of}"
