"""The parts of a running bot, as the composition root hands them out."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from slack_sdk.web.async_client import AsyncWebClient

from bot.answering import Answering
from bot.audit.rounds import Rounds
from bot.database import Pool
from bot.events import Events
from bot.gaps.questions import Questions
from bot.gaps.review import Reviews
from bot.identity import Identity
from bot.installation import Installation
from bot.jobs import Jobs
from bot.outbox import Drawing, Outbox
from bot.replies import Replies
from bot.router import WorkflowHints
from bot.sync import Sync
from bot.understanding import Understanding
from graphs.runs import Runs


@dataclass(frozen=True, kw_only=True, slots=True)
class Parts:
    """Everything that listeners and jobs work with, wired once."""

    pool: Pool
    slack: AsyncWebClient
    installation: Installation
    events: Events
    identity: Identity
    answering: Answering
    questions: Questions
    reviews: Reviews
    runs: Runs
    outbox: Outbox
    drawing: Drawing
    jobs: Jobs
    replies: Replies
    sync: Sync
    record: Rounds
    workflows: Mapping[str, WorkflowHints]
    groups: frozenset[str]  # that the settings name
    understanding: Understanding = field(default_factory=lambda: Understanding({}))
    time_zone: str = "UTC"  # of the office, for whom Slack names none
