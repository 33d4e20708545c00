"""The workflows' machines, as they are drawn in the documentation."""

import ast
from pathlib import Path

import pytest

from graphs.engine.machine import kind
from graphs.kit import Kind
from graphs.sections import ClauseRef
from graphs.workflows import break_glass, it_access
from graphs.workflows.break_glass import BreakGlass
from graphs.workflows.break_glass import end as break_glass_end
from graphs.workflows.it_access import ItAccess, Rules
from graphs.workflows.it_access import end as it_access_end

DOCS = Path(__file__).resolve().parents[3] / "docs" / "workflows.md"
RULES = Rules(
    channel="C0ACCESS",
    groups={"billing-db": {"approvers": "data-owners"}},
    clause=ClauseRef(document="it-access.md", anchor="temporary-access-to-data"),
)
EMERGENCIES = break_glass.Rules(
    channel="C0ACCESS",
    alarm_channel="C0ALARMS",
    review_channel="C0REVIEWS",
    groups={"prod-logs": {"approvers": "data-owners"}},
    clause=ClauseRef(document="it-access.md", anchor="emergency-access"),
    reviewers="security",
)
WORKFLOWS = (
    kind(ItAccess(RULES)),
    it_access_end.workflow(),
    kind(BreakGlass(EMERGENCIES)),
    break_glass_end.workflow(),
)


def drawing(workflow: Kind) -> str:
    drawn = str(workflow.build().compile().get_graph().draw_mermaid(with_styles=False))
    return "\n".join(line.rstrip() for line in drawn.splitlines() if line.strip())


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda workflow: workflow.name)
def test_the_machine_is_the_one_that_is_documented(workflow: Kind) -> None:
    """A changed machine needs a new version: checkpoints name its nodes."""
    assert f"## {workflow.name}, version {workflow.version}\n" in DOCS.read_text(encoding="utf-8")
    assert drawing(workflow) in DOCS.read_text(encoding="utf-8"), drawing(workflow)


SHAPES = {  # of every version that requests can ask for; add a line for a new one, and change none
    ("it_access", 3): "fa8769d99e664340",
    ("break_glass", 2): "fa8769d99e664340",
}


@pytest.mark.parametrize("workflow", [one for one in WORKFLOWS if one.fields], ids=lambda one: one.name)
def test_a_changed_shape_has_a_new_version(workflow: Kind) -> None:
    """Open runs go on where their rows say only in a machine that has the stages which the rows name."""
    assert SHAPES.get((workflow.name, workflow.version)) == workflow.shape


def test_a_machine_is_run_with_durable_checkpoints_only() -> None:
    """`durability="sync"`: a step's checkpoint is in the database before the next step begins."""
    runs = [
        call
        for path in (Path(it_access.__file__).parents[2]).rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"invoke", "ainvoke", "stream", "astream", "batch", "abatch"}
    ]
    assert runs
    for call in runs:
        given = {keyword.arg: ast.unparse(keyword.value) for keyword in call.keywords}
        assert given.get("durability") == "'sync'", ast.unparse(call)


def acts(function: ast.AST) -> int:
    """How often the source asks the gate to act."""
    return sum(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in {"execute", "reverse"}
        and "gate" in ast.unparse(call.func.value)
        for call in ast.walk(function)
    )


@pytest.mark.parametrize(
    "module", sorted(Path(it_access.__file__).parents[2].rglob("*.py")), ids=lambda path: path.name
)
def test_a_node_has_one_effect_and_it_is_outside_every_loop(module: Path) -> None:
    """A node runs again from its top, so a second effect would be done again with the first."""
    for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            assert acts(function) <= 1, f"{module.name}: {function.name}"
        if isinstance(function, ast.For | ast.AsyncFor | ast.While):
            assert acts(function) == 0, f"{module.name}: a loop in line {function.lineno}"


def test_two_effects_in_a_node_are_seen() -> None:
    planted = "async def node():\n    await kit.gate.execute(1)\n    await kit.gate.reverse(2)\n"
    assert acts(ast.parse(planted)) == 2


@pytest.mark.parametrize(
    "module", sorted(Path(it_access.__file__).parent.parent.rglob("*.py")), ids=lambda path: path.name
)
def test_an_interrupt_stands_alone_in_its_node(module: Path) -> None:
    """A resume runs the node again from its top, so nothing else may happen in it."""
    for function in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        calls = [ast.unparse(call.func) for call in ast.walk(function) if isinstance(call, ast.Call)]
        if "interrupt" in calls:
            assert set(calls) == {"interrupt", "Command"}, function.name
