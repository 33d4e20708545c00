"""What no policy can speak of is not loaded, and what no policy can compare is refused."""

import logging
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal

import pytest
from pydantic import ConfigDict, Field, create_model

from connectors.base import Payload
from connectors.registry import SHIPPED
from graphs.policy.engine import Policy, PolicyInvalid
from tests.unit.graphs.test_policy_types import (
    CENTS,
    CONTEXT,
    FINE,
    GRACE,
    NAME,
    REF,
    Colour,
    Place,
    approve,
    execute,
    operation,
    payload,
    plain,
    resource,
)

# What no policy could speak of is refused when the policies are loaded.


class Size(Enum):
    SMALL = "small"


class Loop(Payload):
    again: "Loop | None" = None


class Tree(Payload):
    branches: tuple["Tree", ...] = ()


class Free(Payload):
    model_config = ConfigDict(extra="allow")

    street: str


@pytest.mark.parametrize(
    ("annotation", "says"),
    [
        (float, "Order.field: Cedar has no type for float; write text, a whole number"),
        (dict[str, str], "Order.field: Cedar has no type for dict"),
        (set[str], "Order.field: Cedar has no type for set"),
        (frozenset[str], "Order.field: Cedar has no type for frozenset"),
        (bytes, "Order.field: Cedar has no type for bytes"),
        (date, "Order.field: Cedar has no type for date"),
        (Any, "Order.field: Cedar has no type for Any"),
        (object, "Order.field: Cedar has no type for object"),
        (Size, "Order.field: Cedar has no type for Size"),
        (list, "Order.field: Cedar has no type for list"),
        (tuple[str, int], "Order.field: Cedar has no type for tuple"),
        (tuple[()], "Order.field: Cedar has no type for tuple"),
        (None, "Order.field: Cedar has no type for NoneType"),
        (Literal[b"x"], "Order.field: Cedar has no type for bytes"),
        (list[float], "Order.field: Cedar has no type for float"),
        (list[Any] | None, "Order.field: Cedar has no type for Any"),
        (payload(inner=float), "Order.inner: Cedar has no type for float"),
        (str | int, "Order.field holds one of several types: give each a field"),
        (Place | Free, "Order.field holds one of several types"),
        (Literal["a", 1], "Order.field holds one of several types"),
        (list[str | int], "Order.field holds one of several types"),
        (list[str | None], "Order.field: an entry of a list cannot be missing"),
        (Loop, "Loop holds itself"),
        (Tree, "Tree holds itself"),
        (Free, "Free takes any name: give each a field"),
    ],
)
def test_an_operation_that_no_policy_can_describe_is_not_loaded(annotation: Any, says: str) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        plain(create_model("Order", __base__=Payload, field=(annotation, ...)))
    assert str(refused.value).startswith(f"the operation {NAME} cannot be described to the policies: {says}")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"größe": str}, "Order.größe: the name of a field is written in ASCII letters, digits and _"),
        ({'a"b': str}, 'Order.a"b: the name of a field is written in ASCII'),
        ({"a b": str}, "Order.a b: the name of a field is written in ASCII"),
        ({"items": list[str], "items_count": int}, "Order.items_count is how many items there are"),
        (
            {"items_count": int, "items": tuple[str, ...] | None},
            "Order.items_count is how many items there are",
        ),
    ],
)
def test_a_field_that_no_policy_can_name_is_not_loaded(fields: Mapping[str, Any], says: str) -> None:
    with pytest.raises(PolicyInvalid, match=f"{says}"):
        plain(payload(**fields))


@pytest.mark.parametrize("name", ['made."do', "made.do\\", "made.dö", "made.\ndo"])
def test_an_operation_whose_name_no_policy_can_write_is_not_loaded(name: str) -> None:
    with pytest.raises(PolicyInvalid, match="is written in ASCII, without quotes"):
        Policy.shipped(operations=[operation(payload(x=str), name)])


def test_two_operations_of_one_name_are_not_loaded() -> None:
    """The policies would see one as the other."""
    with pytest.raises(PolicyInvalid, match=r"two operations are called made\.do"):
        Policy.shipped(operations=[operation(payload(x=str)), operation(payload(x=int))])
    twice = operation(payload(x=str))
    assert Policy.shipped(operations=[*SHIPPED, twice, twice]).operations.keys() == {
        *(one.name for one in SHIPPED),
        NAME,
    }


# What does not fit is refused when it is asked about, and the log does not repeat it.

WILD = Annotated[Decimal, Field(allow_inf_nan=True)]


@pytest.mark.parametrize(
    ("annotation", "sent"),
    [
        (int, 2**63),
        (int, -(2**63) - 1),
        (int, 10**400),
        (list[int], [1, 2**70]),
        (CENTS, "922337203685477.59"),
        (CENTS, "-922337203685477.59"),
        (FINE, "922337203685477.5808"),
        (FINE, "-922337203685477.5809"),
        (CENTS, "1E+40"),
        (CENTS, "1E+999999"),
        (Decimal, "1E+999999"),
        (Decimal, "1E-999999"),
        (CENTS, "0.001"),
        (WILD, "NaN"),
        (WILD, "Infinity"),
        (str, "half a pair \ud800"),
        (str, 4711),
        (int, "4711.5"),
        (int, None),
        (Literal["a", "b"], "4711"),
        (Colour, "4711"),
        (Place, {"street": "4711"}),
        (Place, {"street": "4711", "floor": 1, "colour": "red"}),
        (list[str], "4711"),
        (list[str], {"4711": "4711"}),
        (str, REF),
    ],
)
def test_a_value_that_no_policy_can_compare_is_refused(
    annotation: Any, sent: Any, caplog: pytest.LogCaptureFixture
) -> None:
    policy = plain(payload(field=annotation))
    for ask in (approve, execute):
        ruling = ask(policy, {"field": sent})
        assert (ruling.allowed, ruling.policies, ruling.fault) == (False, (), "unclear")
    assert caplog.records
    assert "4711" not in caplog.text
    assert all(record.exc_info is None for record in caplog.records)


@pytest.mark.parametrize("given", [None, "text", [], {}, {"x": "a", "y": "a"}, {"y": "a"}])
def test_parameters_of_another_shape_are_refused(given: object) -> None:
    policy = plain(payload(x=str))
    for ask in (approve, execute):
        assert (ask(policy, given).allowed, ask(policy, given).fault) == (False, "unclear")


def test_an_operation_that_the_policies_do_not_know_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    kind, card, attributes = resource()
    for name in ("made.other", 7, None, ["made.do"]):
        asked = kind, card, {**attributes, "operation": name}
        ruling = plain(payload(x=str)).rule("approve", GRACE, asked, {**CONTEXT, "parameters": {"x": "a"}})
        assert (ruling.allowed, ruling.fault) == (False, "unclear")
    assert caplog.record_tuples[0][1:] == (
        logging.ERROR,
        "the policies could not be asked: the policies know no such operation",
    )
