"""The steps of a plan in words: what each changes, what is sent for it, and what becomes of it.

Lines come as markup, one line each, whatever is in them: what other people or systems wrote is set as code or
as a quote, so that no value passes for a line, a step or a sentence of ours.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from bot import lexicon
from bot.render import Markup, bold, code, exact, join, line, ours, pieces, size
from graphs.records import PlanStep

PIECE = 2800  # characters of one section
SEVERAL = 12  # steps that have a section each; more of them share some
MOST_NAMED = 30  # steps that a sentence names
_LEAST = 300  # characters that are shown of each step of a plan that is too long
_DAY, _HOUR, _MINUTE = 86_400, 3_600, 60
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]*")
_PLACE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:\.[A-Za-z][A-Za-z0-9_]*|\[\d+\])*")
# Words that cannot be mistaken for markup, for a reference or for what is no text.
_WORD = r"[^\W_](?:[\w.@/+#-]*[^\W_])?"
_BARE = re.compile(rf"{_WORD}(?: {_WORD})*")
_NUMBER = re.compile(r"[\d.,eE+-]+|true|false")


def warnings(steps: Sequence[PlanStep]) -> Markup:
    """Say what an approver must not miss: what cannot be undone, and from where there is no way back.

    Nothing where there is nothing of the kind.
    """
    numbered = list(enumerate(steps, start=1))
    both = [number for number, step in numbered if not step.reversible and step.effect == "destructive"]
    final = [number for number, step in numbered if not step.reversible and step.effect != "destructive"]
    harmful = [number for number, step in numbered if step.reversible and step.effect == "destructive"]
    said = [
        f"{_named(both, len(steps))} destructive and cannot be undone." if both else "",
        f"{_named(final, len(steps), verb='')} cannot be undone." if final else "",
        f"{_named(harmful, len(steps))} destructive." if harmful else "",
    ]
    if len(steps) > 1:
        said += [_pivot(number, len(steps)) for number, step in numbered if step.undo == "pivot"][:1]
    return ours(" ".join(one for one in said if one))


def _named(numbers: Sequence[int], of: int, *, verb: str | None = None) -> str:
    if of == 1:
        return "This is" if verb is None else "This"
    subject = f"Step {numbers[0]}" if len(numbers) == 1 else f"Steps {counted(numbers)}"
    return subject if verb is not None else f"{subject} {'is' if len(numbers) == 1 else 'are'}"


def counted(numbers: Sequence[int]) -> str:
    """Return numbers as they are said: "1, 2 and 5"; of very many the first ones."""
    shown = [str(number) for number in numbers[:MOST_NAMED]]
    if len(numbers) > MOST_NAMED:
        return f"{', '.join(shown)} and {len(numbers) - MOST_NAMED} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _pivot(number: int, of: int) -> str:
    if number == of:
        return f"Once step {number} is done, nothing is taken back."
    return (
        f"Once step {number} is done, there is no way back: what follows is tried until it is done, or until "
        "a person decides."
    )


def fate(number: int, steps: Sequence[PlanStep]) -> str:
    """Say what becomes of the step of that number when a later one fails, and how long it stays."""
    step = steps[number - 1]
    pivot = next((place for place, one in enumerate(steps, start=1) if one.undo == "pivot"), None)
    said = [] if step.reversible else ["This cannot be undone."]
    if step.undo == "pivot":
        said.append("From here on there is no way back.")
    elif number < len(steps):
        said.append(_when_a_later_one_fails(number, step, pivot, len(steps)))
    if step.lasts is not None:
        said.append(f"{ends(step.lasts)}.")
    return " ".join(said)


def _when_a_later_one_fails(number: int, step: PlanStep, pivot: int | None, of: int) -> str:
    if pivot is not None and number > pivot:
        return "This stays if a later step fails."
    if step.undo == "leave" or not step.reversible:
        return "This stays if a later step fails."
    last = of if pivot is None else pivot
    if last == number + 1:
        return f"If step {last} fails, this is taken back."
    if last == number + 2:
        return f"If step {number + 1} or {last} fails, this is taken back."
    return f"If one of steps {number + 1} to {last} fails, this is taken back."


def ends(seconds: int) -> str:
    """Say when it ends what is given for a time."""
    return f"Ends by itself {span(seconds)} after it is done"


def span(seconds: int) -> str:
    """Return a length of time in words."""
    for length, name in ((_DAY, "day"), (_HOUR, "hour"), (_MINUTE, "minute"), (1, "second")):
        if seconds % length == 0:
            count = seconds // length
            return f"{count} {name}{'' if count == 1 else 's'}"
    return f"{seconds} seconds"


def change(step: PlanStep) -> Iterator[Markup]:
    """Yield what a step changes, in quoted lines: a name in it may look like a line of ours."""
    for text in (step.before, f"→ {step.after}" if step.after else ""):
        yield from (join(ours(">"), one) for one in words(text))
    if not step.before and not step.after:
        yield ours(">What it changes can be seen only when the steps before it are done.")


def words(text: str) -> list[Markup]:
    """Return a text from outside on one line or, where it is long, on as many as it takes."""
    return pieces(exact(text).replace("`", r"\u0060"), PIECE - 200)


def sent(step: PlanStep, steps: Sequence[PlanStep]) -> Iterator[Markup]:
    """Yield exactly what a step sends, a line for each value. `steps` are those of its plan."""
    numbers = {one.name: number for number, one in enumerate(steps, start=1)}
    nothing = True
    for place, value in flat(step.sends):
        nothing = False
        yield from _line(place, _value(value, numbers))
    if nothing:
        yield ours("(no values)")


def flat(sends: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield every value that is sent, with its place, as in `items[2].sku`.

    A reference comes as it stands, and so does a list or a record in which there is nothing.
    """
    for name, value in sorted(sends.items()):
        yield from _flat(value, _joined("", name))


def _flat(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value and not _is_reference(value):
        for name, inner in sorted(value.items()):
            yield from _flat(inner, _joined(place, name))
    elif isinstance(value, list | tuple) and value:
        for number, inner in enumerate(value, start=1):
            yield from _flat(inner, f"{place}[{number}]")
    else:
        yield place, value


def _is_reference(value: Mapping[str, Any]) -> bool:
    return value.keys() == {"$ref"} and isinstance(value["$ref"], str)


def _joined(place: str, name: str) -> str:
    if _NAME.fullmatch(name):
        return f"{place}.{name}" if place else name
    return f"{place}[{json.dumps(name, ensure_ascii=False)}]"


def _line(place: str, value: Sequence[Markup]) -> Iterator[Markup]:
    """Yield one value with its place; what is too long for a line goes on behind an ellipsis."""
    named = [Markup(place)] if _PLACE.fullmatch(place) and len(place) < PIECE // 4 else code(place)
    *more, last = named
    yield from more
    yield join(last, ours(" = "), value[0])
    yield from (join(ours("… "), rest) for rest in value[1:])


def _value(value: Any, numbers: Mapping[str, int]) -> list[Markup]:
    """Return a value. What stands in brackets is ours: a text that begins so is set as code."""
    if isinstance(value, Mapping | list | tuple):
        return [_reference(str(value["$ref"]), numbers) if value else ours("(none)")]  # type: ignore[call-overload]
    if isinstance(value, bool) or value is None:
        return [ours({None: "(nothing)", True: "true", False: "false"}[value])]
    text = str(value)
    if not text:
        return [ours("(empty)")]
    shown = code(text)
    if shown != [f"`{text}`"] or len(text) > 60:
        return shown
    plain = not isinstance(value, str) or (_BARE.fullmatch(text) and not _NUMBER.fullmatch(text))
    return [ours(text)] if plain else shown


def _reference(text: str, numbers: Mapping[str, int]) -> Markup:
    step, _, field = text.partition(".")
    known = ours(f"step {numbers[step]}") if step in numbers else join(ours("step "), *code(step)[:1])
    named = Markup(field) if _NAME.fullmatch(field) and len(field) <= 60 else join(*code(field)[:1])
    return join(ours("(the "), named, ours(" that "), known, ours(" gives)"))


def lines(
    number: int, steps: Sequence[PlanStep], state: Markup | None = None, *, most: int | None = None
) -> list[Markup]:
    """Return one step of several in lines. `state`: how far it has come. `most`: what can be shown of it."""
    step = steps[number - 1]
    heading = join(ours(f"Step {number} of {len(steps)}: "), operation(step))
    body = [
        *change(step),
        *sent(step, steps),
        *((ours(said),) if (said := fate(number, steps)) else ()),
    ]
    shown = bold(heading) if state is None else join(bold(heading), ours(", "), state)
    return [shown, *(body if most is None else cut(body, most))]


def operation(step: PlanStep) -> Markup:
    """Name what a step does. Operations are named in the connectors' code."""
    name = line(exact(step.operation).replace("*", "").replace("`", ""), 120)
    title = lexicon.OPERATIONS.get(step.operation)
    return name if title is None else join(ours(title), ours(" ("), name, ours(")"))


def cut(found: Iterable[Markup], most: int) -> list[Markup]:
    """Return the lines that fit, and say how many do not."""
    kept: list[Markup] = []
    left, room = list(found), most
    while left and size(left[0]) < room:
        room -= size(left[0]) + 1
        kept.append(left.pop(0))
    count = len(left)
    return kept if not count else [*kept, ours(f"… {count} more line{'' if count == 1 else 's'} not shown")]


def whole(steps: Sequence[PlanStep]) -> int:
    """Return how many characters it takes to show every step whole."""
    return sum(size(one) + 1 for number in range(1, len(steps) + 1) for one in lines(number, steps))


def sections(steps: Sequence[PlanStep], states: Mapping[str, Markup], *, room: int) -> Iterator[Markup]:
    """Yield several steps in order, in texts of sections. Of what takes more than `room` each step is cut."""
    most = None if whole(steps) <= room else max(_LEAST, room // len(steps) - 100)
    listed = [
        lines(number, steps, states.get(step.name), most=most) for number, step in enumerate(steps, start=1)
    ]
    if len(steps) <= SEVERAL:
        for one in listed:
            yield from packed(one)
        return
    if most is not None and len(steps) * _LEAST > room:
        listed = [one[:1] for one in listed]
    yield from packed([one for step in listed for one in step])


def packed(found: Iterable[Markup]) -> Iterator[Markup]:
    """Yield lines joined to texts that fit in a section."""
    text = ours("")
    for one in found:
        if text and size(text) + size(one) + 1 > PIECE:
            yield text
            text = ours("")
        text = join(text, ours("\n"), one) if text else one
    if text:
        yield text
