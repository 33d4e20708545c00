"""From a workflow to its LangGraph machine: one node for each stage, and the nodes that all share."""

import hashlib
from collections.abc import Callable
from typing import Any

from langgraph.graph import END, START, StateGraph

from graphs.engine import nodes
from graphs.engine.nodes import Nodes, State
from graphs.engine.workflow import Workflow
from graphs.kit import Case, Kind

_SHARED = frozenset({"position", "collect", "wait", "approve", "step", "back", "end"})


class WorkflowInvalid(Exception):
    """A workflow cannot be used. The message says what to change in it."""


def kind(workflow: Workflow[Any]) -> Kind:
    """Return what the rest knows of a workflow. Raises WorkflowInvalid."""
    require_sound(workflow)
    return Kind(
        name=workflow.name,
        title=workflow.title,
        version=workflow.version,
        continues=workflow.continues,
        fields=workflow.fields,
        urgent=workflow.urgent,
        shape=shape(workflow),
        build=_building(workflow),
    )


def require_sound(workflow: Workflow[Any]) -> None:
    """Return if the stages are declared so that a machine can be made of them. Raises WorkflowInvalid."""
    stages = workflow.stages
    if sum(one.first for one in stages.values()) != 1:
        raise WorkflowInvalid(f"the workflow {workflow.name} needs one stage with first=True")
    if taken := _SHARED & stages.keys():
        raise WorkflowInvalid(f"a stage of {workflow.name} cannot be called {min(taken)}: that is a node")
    for key in workflow.sentences:
        if not key.startswith(f"{workflow.name}."):
            raise WorkflowInvalid(f"the sentence {key} of {workflow.name} needs a key {workflow.name}.WORD")
    for one in stages.values():
        for name in one.next:
            if name not in stages:
                raise WorkflowInvalid(
                    f"the stage {one.name} of {workflow.name} names {name}, which is no stage"
                )


def shape(workflow: Workflow[Any]) -> str:
    """Stand for the nodes of the machine and where they lead; another shape is another machine."""
    lines = [f"{one.name} -> {', '.join(sorted(one.next))}" for one in workflow.stages.values()]
    return hashlib.sha256("\n".join([*sorted(_SHARED), *lines]).encode()).hexdigest()[:16]


def _building(workflow: Workflow[Any]) -> Callable[[], StateGraph[State, Case, State, State]]:
    def build() -> StateGraph[State, Case, State, State]:
        made, stages = Nodes(workflow), tuple(workflow.stages)
        graph = StateGraph(State, context_schema=Case)
        graph.add_node(
            "position", made.position, destinations=("collect", *stages, "approve", "step", "back")
        )
        graph.add_node("collect", made.collect, destinations=("wait", stages[0]))
        graph.add_node("wait", nodes.wait, destinations=("collect",))
        for name in stages:
            graph.add_node(name, made.stage(name), destinations=("approve", "end"))
        graph.add_node("approve", nodes.approve, destinations=("step",))
        graph.add_node("step", made.step, destinations=("step", *stages, "back", "end", END))
        graph.add_node("back", made.back, destinations=("back", "end"))
        graph.add_node("end", made.end, destinations=(END,))
        graph.add_edge(START, "position")
        return graph

    return build
