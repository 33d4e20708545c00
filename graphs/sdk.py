"""All that a workflow needs of Countersign, and stays as it is: import from here.

A workflow is one room: a class with its settings, what must be asked, and stages that look at the world and
say what comes next. A stage only reads; everything that acts is the core's. Nothing else in Countersign names
it.
"""

from connectors.base import Operation
from connectors.directory import Person
from graphs.admission import Refused
from graphs.engine.workflow import Next, Results, RunContext, Workflow, stage
from graphs.plans import REQUESTER, Approvers, Deadlines, Plan, Step, ref, step
from graphs.records import Approval, Field, Party, Run, Shown
from graphs.sections import Channel, ClauseRef, GroupName, Groups, Section, Span, Times
from graphs.words import WorkflowHints

__all__ = [
    "REQUESTER",
    "Approval",
    "Approvers",
    "Channel",
    "ClauseRef",
    "Deadlines",
    "Field",
    "GroupName",
    "Groups",
    "Next",
    "Operation",
    "Party",
    "Person",
    "Plan",
    "Refused",
    "Results",
    "Run",
    "RunContext",
    "Section",
    "Shown",
    "Span",
    "Step",
    "Times",
    "Workflow",
    "WorkflowHints",
    "ref",
    "stage",
    "step",
]
