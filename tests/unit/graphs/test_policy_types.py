"""What the policies know of an operation: its payload's type in Cedar, a value of it, and what is refused."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal, NewType, Optional, get_args, get_origin

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import Field, create_model

from connectors.base import Change, Health, Operation, Payload, Referable, Result
from graphs.policy import types
from graphs.policy.cases import Someone
from graphs.policy.engine import Policy, Resource, Ruling

NAME = "made.do"
GRACE = Someone(subject="grace", groups=frozenset({"owners"}))
CONTEXT = {
    "effect": "write",
    "scope": "made:write",
    "plan": {"operations": [NAME], "steps": 1},
    "level": 2,
    "escalated": False,
}


class Made(Operation[Payload, Result]):
    """An operation that is only described."""

    name = NAME
    effect = "write"
    repeat = "keyed"
    scope = "made:write"

    async def preview(self, data: Payload) -> Change:
        raise NotImplementedError

    async def find(self, data: Payload, key: str) -> Result | None:
        raise NotImplementedError

    async def apply(self, data: Payload, key: str) -> Result:
        raise NotImplementedError

    async def undo(self, data: Payload, result: Result, key: str) -> None:
        raise NotImplementedError

    async def ping(self) -> Health:
        raise NotImplementedError


def operation(payload: type[Payload], name: str = NAME) -> type[Operation[Any, Any]]:
    one: type[Operation[Any, Any]] = type("One", (Made,), {"name": name})
    one.payload = payload  # a class takes it from its parameters when it is made
    return one


def payload(**fields: Any) -> type[Payload]:
    """Return a payload of these fields, each with its annotation; what may be None may be missing."""
    made = {name: (kind, None if _may_be_none(kind) else ...) for name, kind in fields.items()}
    model: type[Payload] = create_model("Order", __base__=Payload, **made)  # type: ignore[call-overload]  # at run time
    return model


def _may_be_none(kind: Any) -> bool:
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return type(None) in get_args(inner)


def loaded(model: type[Payload], *conditions: str) -> Policy:
    """Return the policies for one operation, with one that forbids where all the conditions hold."""
    own = f"when {{ {' && '.join(conditions)} }}" if conditions else ""
    return Policy.shipped(
        '@id("own") @says("Ours.")'
        f' forbid (principal, action in [Action::"approve", Action::"execute"], resource) {own};',
        operations=[operation(model)],
    )


def plain(model: type[Payload]) -> Policy:
    """Return the shipped policies, for one operation."""
    return Policy.shipped(operations=[operation(model)])


def resource() -> Resource:
    nobody: dict[str, list[str]] = {"requester": ["ada"], "beneficiary": [], "authors": [], "escalation": []}
    made: dict[str, object] = {
        "workflow": "orders",
        "operation": NAME,
        "approvers": ["owners"],
        "quorum": 1,
        "confirmed": False,
    }
    return "Approval", "card", {**nobody, **made}


def approve(policy: Policy, parameters: object) -> Ruling:
    return policy.rule("approve", GRACE, resource(), {**CONTEXT, "parameters": parameters})


def execute(policy: Policy, parameters: object) -> Ruling:
    context = {**CONTEXT, "parameters": parameters, "requester_active": True}
    return policy.rule("execute", GRACE, resource(), context)


def quoted(text: str) -> str:
    """Return a string as Cedar writes it."""
    return (
        '"'
        + "".join(f"\\u{{{ord(one):x}}}" if one in '"\\' or not one.isprintable() else one for one in text)
        + '"'
    )


NOTE = Annotated[str, Referable(pattern=r"\w*", most=20)]
REF = {"$ref": "first.number"}
CENTS = Annotated[Decimal, Field(decimal_places=2)]
FINE = Annotated[Decimal, Field(decimal_places=4)]


# Every kind of field: described, filled in, compared.


class Colour(StrEnum):
    RED = "red"
    GREEN = "green"


class Place(Payload):
    street: str
    floor: int


Compared = Callable[[str, Any], str]  # where it stands, its JSON -> a condition that holds for it alone
Customer = NewType("Customer", str)


def alike(where: str, value: Any) -> str:
    if isinstance(value, bool):
        return f"{where} == {str(value).lower()}"
    return f"{where} == {value if isinstance(value, int) else quoted(value)}"


def amount(where: str, value: str) -> str:
    return f'{where} == decimal("{Decimal(value):.4f}")'


def exact(where: str, value: str) -> str:
    text = f"{Decimal(value):f}"
    return f'{where} == "{text.rstrip("0").rstrip(".") if "." in text else text}"'


def place(where: str, value: Mapping[str, Any]) -> str:
    return f"{alike(f'{where}.street', value['street'])} && {alike(f'{where}.floor', value['floor'])}"


def texts(where: str, value: list[str]) -> str:
    return " && ".join(
        [f"{where}_count == {len(value)}", *(f"{where}.contains({quoted(one)})" for one in value)]
    )


def amounts(where: str, value: list[str]) -> str:
    held = [f'{where}.contains(decimal("{Decimal(one):.4f}"))' for one in value]
    return " && ".join([f"{where}_count == {len(value)}", *held])


def places(where: str, value: list[Mapping[str, Any]]) -> str:
    held = [
        f'{where}.contains({{"street": {quoted(one["street"])}, "floor": {one["floor"]}}})' for one in value
    ]
    return " && ".join([f"{where}_count == {len(value)}", *held])


@dataclass(frozen=True)
class Kind:
    """An annotation, what fits it as JSON, how a policy compares it, and a value that is never drawn."""

    annotation: Any
    values: st.SearchStrategy[Any]
    compared: Compared
    otherwise: Any


def decimals(places: int) -> st.SearchStrategy[str]:
    return st.decimals(min_value=-(10**9), max_value=10**9, places=places).map(str)


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\"'\\\0\n{}"), max_size=12)
INTS = st.integers(-(2**53) + 1, 2**53 - 1)
PLACES = st.fixed_dictionaries({"street": TEXT, "floor": INTS})
BASEMENT = {"street": "never drawn, because it is too long", "floor": 0}
NEVER = "never drawn, because it is too long"
SHORT = Annotated[str, Field(max_length=40)]
SIX = Annotated[Decimal, Field(decimal_places=6)]
SOME = st.lists(TEXT, max_size=4)
KINDS: Mapping[str, Kind] = {
    "str": Kind(str, TEXT, alike, NEVER),
    "constrained": Kind(SHORT, TEXT, alike, NEVER),
    "new type": Kind(Customer, TEXT, alike, NEVER),
    "int": Kind(int, INTS, alike, 2**53),
    "bool": Kind(bool, st.just(True), alike, False),
    "decimal 2": Kind(CENTS, decimals(2), amount, "-1000000000.01"),
    "decimal 4": Kind(FINE, decimals(4), amount, "-1000000000.0001"),
    "decimal 6": Kind(SIX, decimals(6), exact, "-1000000000.000001"),
    "decimal": Kind(Decimal, decimals(6), exact, "-1000000000.000001"),
    "literal": Kind(Literal["a", "b"], st.just("a"), alike, "b"),
    "numbers": Kind(Literal[1, 2], st.just(1), alike, 2),
    "enum": Kind(Colour, st.just("red"), alike, "green"),
    "record": Kind(Place, PLACES, place, BASEMENT),
    "texts": Kind(list[str], SOME, texts, ["x"] * 9),
    "constrained texts": Kind(Annotated[tuple[SHORT, ...], Field(max_length=9)], SOME, texts, ["x"] * 9),
    "amounts": Kind(tuple[CENTS, ...], st.lists(decimals(2), max_size=4), amounts, ["1.00"] * 9),
    "records": Kind(list[Place], st.lists(PLACES, max_size=3), places, [BASEMENT]),
    "referable": Kind(Annotated[str, Referable(pattern=r"(?s).*", most=40)], TEXT, alike, NEVER),
}


@dataclass(frozen=True, kw_only=True)
class Example:
    """A payload, its plain JSON, one that differs in every field, and conditions that hold for the first."""

    model: type[Payload]
    sent: Mapping[str, Any]
    other: Mapping[str, Any]
    conditions: tuple[str, ...]


@st.composite
def examples(draw: st.DrawFn) -> Example:
    chosen = draw(st.lists(st.sampled_from(sorted(KINDS)), min_size=1, max_size=6))
    annotations, sent, other, conditions = {}, {}, {}, []
    for number, name in enumerate(chosen):
        kind, field = KINDS[name], f"field{number}"
        optional = draw(st.booleans())
        annotations[field] = Optional[kind.annotation] if optional else kind.annotation  # noqa: UP045  # of any kind
        value = draw(st.none() | kind.values) if optional else draw(kind.values)
        sent[field], other[field] = value, kind.otherwise
        there = f"context.parameters has {field}"
        if name == "referable" or optional:
            conditions.append(f"!({there})" if value is None else there)
        if isinstance(value, list) and optional:
            conditions.append(f"{there}_count")
        if value is not None:
            conditions.append(kind.compared(f"context.parameters.{field}", value))
    return Example(model=payload(**annotations), sent=sent, other=other, conditions=tuple(conditions))


@given(examples())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_policy_can_compare_whatever_a_payload_holds(example: Example) -> None:
    policy = loaded(example.model, *example.conditions)
    sent = example.model.model_validate(example.sent).model_dump(mode="json")  # as an approval holds it
    for ask, allows in ((approve, "approvers-decide"), (execute, "approved-actions-run")):
        assert ask(policy, sent) == Ruling(allowed=False, policies=("own",), hash=policy.hash)
        assert ask(policy, example.other) == Ruling(allowed=True, policies=(allows,), hash=policy.hash)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_field_can_be_missing_and_a_policy_sees_it(kind: str) -> None:
    """Whichever way it is written that something may be missing."""
    inner = KINDS[kind].annotation
    for annotation in (
        Optional[inner],  # noqa: UP045  # as older code has it
        Annotated[inner, Field(title="x")] | None,
        Annotated[inner | None, "x"],
    ):
        policy = loaded(payload(field=annotation), "!(context.parameters has field)")
        assert execute(policy, {}).policies == ("own",)
        assert execute(policy, {"field": None}).policies == ("own",)
        assert execute(policy, {"field": KINDS[kind].otherwise}).allowed


@pytest.mark.parametrize("sent", ["1.5", "1.50", "1.500000", "0.15E+1", "15E-1", "01.5", "+1.5"])
def test_a_decimal_that_is_told_as_text_is_told_in_one_way(sent: str) -> None:
    policy = loaded(payload(rate=Decimal), 'context.parameters.rate == "1.5"')
    assert execute(policy, {"rate": sent}).policies == ("own",)


@pytest.mark.parametrize(
    ("sent", "told"), [("-0.000000", "0"), ("1E+3", "1000"), ("1E-7", "0.0000001"), ("-20", "-20")]
)
def test_a_decimal_that_is_told_as_text_has_no_exponent(sent: str, told: str) -> None:
    assert types.plain({"rate": sent}, payload(rate=Decimal)) == {"rate": told}


def test_entries_that_are_there_twice_count_twice() -> None:
    model = payload(to=tuple[str, ...])
    assert execute(loaded(model, "context.parameters.to_count == 3"), {"to": ["a", "b", "a"]}).policies == (
        "own",
    )
    assert execute(
        loaded(model, 'context.parameters.to == ["b", "a"]'), {"to": ["a", "b", "a"]}
    ).policies == ("own",)


KEYWORDS = (
    "true",
    "false",
    "if",
    "then",
    "else",
    "in",
    "is",
    "like",
    "has",
    "permit",
    "forbid",
    "when",
    "unless",
)
WORDS = (
    *KEYWORDS,
    "principal",
    "action",
    "resource",
    "context",
    "type",
    "id",
    "fn",
    "arg",
    "Set",
    "Long",
    "decimal",
)


@pytest.mark.parametrize("name", WORDS)
def test_a_field_may_be_called_as_cedar_calls_something(name: str) -> None:
    model = payload(**{name: str | None, "other": str})
    policy = loaded(model, f'context.parameters has "{name}"', f'context.parameters["{name}"] == "x"')
    assert execute(policy, {name: "x", "other": "x"}).policies == ("own",)
    assert execute(policy, {"other": "x"}).allowed


def test_a_record_that_looks_like_an_entity_or_a_function_is_a_record() -> None:
    for names in (("type", "id"), ("fn", "arg")):
        inner = payload(**dict.fromkeys(names, str))
        sent = {"inner": dict.fromkeys(names, "decimal")}
        assert execute(plain(payload(inner=inner)), sent).allowed


def test_a_count_beside_something_that_is_no_list_is_a_field_like_any_other() -> None:
    policy = loaded(payload(items=str, items_count=int), "context.parameters.items_count == 7")
    assert execute(policy, {"items": "x", "items_count": 7}).policies == ("own",)


@pytest.mark.parametrize("sent", [2**63 - 1, -(2**63), 0])
def test_the_largest_whole_numbers_can_be_compared(sent: int) -> None:
    assert execute(
        loaded(payload(field=int), f"context.parameters.field == {sent}"), {"field": sent}
    ).policies


@pytest.mark.parametrize(
    "sent", ["922337203685477.5807", "-922337203685477.5808", "0.0001", "-0.0000", "0E+3"]
)
def test_the_largest_decimals_can_be_compared(sent: str) -> None:
    condition = f'context.parameters.field == decimal("{Decimal(sent):.4f}")'
    assert execute(loaded(payload(field=FINE), condition), {"field": sent}).policies == ("own",)


def test_the_order_of_the_operations_changes_nothing() -> None:
    """Two processes that register them in another order write the same hash into the record."""
    one, other = operation(payload(x=str)), operation(payload(x=int), "made.other")
    assert Policy.shipped(operations=[one, other]).hash == Policy.shipped(operations=[other, one]).hash


def test_an_operation_without_parameters_is_an_operation() -> None:
    assert execute(plain(payload()), {}).allowed


def test_the_types_are_those_that_the_documentation_names() -> None:
    model = payload(
        text=str,
        number=int,
        yes=bool,
        amount=CENTS,
        rate=Decimal,
        tags=list[str],
        note=NOTE,
        inner=Place,
        later=int | None,
    )
    assert types.record(model) == (
        '{"text": String, "number": Long, "yes": Bool, "amount": decimal, "rate": String, '
        '"tags": Set<String>, "tags_count": Long, "note": String, '
        '"inner": {"street": String, "floor": Long}, "later"?: Long}'
    )
    assert '"note"?: String' in types.record(model, partial=True)
