"""What a policy can ask after, and the mistakes that Cedar's own validation lets pass. Pure.

Cedar takes `context.parameters has amuont && ...`, `resource has quorun && ...` and a comparison of `action`
with a group of actions for conditions that never hold: the policy loads, and forbids nothing.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Tree = Mapping[str, Any]  # names, each with the names below it
Path = tuple[str, ...]  # from a variable of Cedar downwards
OF_OPERATIONS = frozenset({"approve", "confirm", "execute"})  # groups; each operation has an action in each
_TOKEN = re.compile(r'"([^"]*)"|((?:\w|::)+)|([{}\[\]<>,;?=:])')


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """An action of the schema: its groups, who does it, to what, and what the policies are told."""

    groups: Sequence[str]
    principals: Sequence[str]
    resources: Sequence[str]
    context: Tree


@dataclass(frozen=True, kw_only=True, slots=True)
class Names:
    """The names in a schema: what entities consist of, and the actions that the policies are asked about."""

    entities: Mapping[str, Tree]
    questions: Mapping[str, Question]

    def mistakes(self, policy: Mapping[str, Any]) -> Iterator[str]:
        """Say what can never hold in a policy, which is given as JSON, as Cedar has it."""
        known = self._scope(policy)
        if policy["action"]["op"] == "==" and policy["action"]["entity"]["id"] in OF_OPERATIONS:
            yield _is_group(policy["action"]["entity"]["id"])
        for condition in policy["conditions"]:
            for path in _asked_after(condition["body"]):
                if not any(_has(tree, path) for tree in known):
                    yield f"asks for {'.'.join(path)}, which no action in its scope has; is it misspelt?"
            for group in _compared(condition["body"]):
                yield _is_group(group)

    def _scope(self, policy: Mapping[str, Any]) -> list[Tree]:
        """Return what there is in each of the questions that a policy can be about."""
        scope = policy["action"]
        named = {one["id"] for one in scope.get("entities", [scope.get("entity")]) if one}
        asked = [one for name, one in self.questions.items() if not named or named & {name, *one.groups}]
        return [
            {"principal": self.entities[who], "resource": self.entities[what], "context": one.context}
            for one in asked
            for who in one.principals
            if _may_be(policy["principal"], who)
            for what in one.resources
            if _may_be(policy["resource"], what)
        ]


def read(schema: str) -> Names:
    """Read the names in a schema, as Cedar prints it. Raises ValueError."""
    return _Reader(schema).names()


class _Reader:
    """Reads types, entities and actions, one after the other."""

    def __init__(self, text: str) -> None:
        self._rest = [one[one.lastindex or 0] for one in _TOKEN.finditer(text)][::-1]
        self._types: dict[str, Tree] = {}

    def names(self) -> Names:
        entities: dict[str, Tree] = {}
        questions: dict[str, Question] = {}
        while self._rest:
            kind, name = self._rest.pop(), self._rest.pop()
            if kind == "action":
                groups = self._names() if self._skip("in") else []
                if self._skip("appliesTo"):
                    questions[name] = self._question(groups)
            else:
                known = {"type": self._types, "entity": entities}[kind]
                known[name] = self._type() if self._skip("=") else {}
            self._require(";")
        return Names(entities=entities, questions=questions)

    def _question(self, groups: Sequence[str]) -> Question:
        told: dict[str, Any] = {"context": {}}
        self._require("{")
        while not self._skip("}"):
            part = self._rest.pop()
            self._require(":")
            told[part] = self._type() if part == "context" else self._names()
            self._skip(",")
        return Question(
            groups=groups, principals=told["principal"], resources=told["resource"], context=told["context"]
        )

    def _names(self) -> list[str]:
        """Read a list of names of entities, or of actions."""
        found = []
        self._require("[")
        while not self._skip("]"):
            name = self._rest.pop()
            found.append(self._rest.pop() if name == "Action::" else name)
            self._skip(",")
        return found

    def _type(self) -> Tree:
        """Read a type. Nothing can be asked after below a set or what has no parts."""
        if not self._skip("{"):
            name = self._rest.pop()
            if self._skip("<"):
                self._type()
                self._require(">")
            return self._types.get(name, {})
        found: dict[str, Tree] = {}
        while not self._skip("}"):
            name = self._rest.pop()
            self._skip("?")
            self._require(":")
            found[name] = self._type()
            self._skip(",")
        return found

    def _skip(self, token: str) -> bool:
        if self._rest[-1] != token:
            return False
        self._rest.pop()
        return True

    def _require(self, token: str) -> None:
        if not self._skip(token):
            raise ValueError(f"the schema has {self._rest[-1]} in place of {token}")


def _is_group(name: str) -> str:
    return (
        f'compares the action with Action::"{name}", which is a group: '
        f'each operation has an action of its own; write `action in Action::"{name}"`'
    )


def path(expression: Mapping[str, Any]) -> Path | None:
    """Return the names by which an expression goes down from a variable; None where it is none."""
    if "Var" in expression:
        return (expression["Var"],)
    if "." not in expression:
        return None
    above = path(expression["."]["left"])
    return None if above is None else (*above, expression["."]["attr"])


def nodes(expression: object) -> Iterator[tuple[str, Any]]:
    """Yield every operator of an expression, or of several, with what it is applied to."""
    if isinstance(expression, list):
        for inner in expression:
            yield from nodes(inner)
    elif isinstance(expression, dict):
        for operator, inner in expression.items():
            if operator == "Record":  # its names are no operators
                yield from nodes([*inner.values()])
            else:
                yield operator, inner
                yield from nodes(inner)


def _asked_after(body: object) -> Iterator[Path]:
    """Yield the paths for which a condition asks whether they are there."""
    for operator, inner in nodes(body):
        if operator == "has" and (above := path(inner["left"])) is not None:
            yield (*above, inner["attr"])


def _compared(expression: object) -> Iterator[str]:
    """Yield the groups of actions with which a condition compares in another way than by `in`."""
    if isinstance(expression, list):
        for inner in expression:
            yield from _compared(inner)
    elif isinstance(expression, dict):
        for operator, inner in expression.items():
            if operator == "Record":
                yield from _compared([*inner.values()])
            elif operator == "in":
                yield from _compared(inner.get("left"))  # `is Action in` has none
            elif operator == "__entity" and inner["type"] == "Action" and inner["id"] in OF_OPERATIONS:
                yield inner["id"]
            else:
                yield from _compared(inner)


def _has(tree: Tree, path: Path) -> bool:
    for name in path:
        if name not in tree:
            return False
        tree = tree[name]
    return True


def _may_be(scope: Mapping[str, Any], kind: str) -> bool:
    """Whether somebody or something of this type fits the scope of a policy."""
    named = scope.get("entity_type") or scope.get("entity", {}).get("type", kind)
    return bool(named == kind)
