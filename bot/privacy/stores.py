"""Every store of an installation: the tables of all packages, and the kinds of files in a home."""

from dataclasses import dataclass
from enum import Enum

from graphs import stores
from graphs.stores import Fate, Table, columns

_EVENT = "event_id = ANY(%(events)s)"

OWN = (
    Table(
        name="event",  # what Slack sent; theirs is emptied, and its id stays, so that it is not taken twice
        key=("event_id",),
        columns=columns(
            words="body",
            names="about thread",
            nobody="tenant event_id share received_at taken_at tries next_at",
        ),
        theirs=_EVENT,
    ),
    Table(name="signature", key=("signature",), columns=columns(nobody="tenant signature seen_at")),
    Table(
        name="slack_person",
        key=("team", "slack_user"),
        columns=columns(names="slack_user subject", nobody="tenant team pinned_at"),
        theirs="subject = ANY(%(subjects)s)",
        fate=Fate.DELETED,
    ),
    Table(
        name="message",
        key=("id",),
        columns=columns(
            names="channel to_user posted_in thread error detour refused_in queued_in",
            words="payload",
            nobody="tenant id seq kind ref ts wanted sent attempted_at tries next_at state created_at"
            " unwanted form refused refused_at shown_at queued_until rank share",
        ),
        theirs="id = ANY(%(messages)s)",
    ),
    Table(
        name="channel_pace",
        key=("channel",),
        columns=columns(names="channel", nobody="tenant free_at lasts"),
        theirs="channel = ANY(%(accounts)s)",
        fate=Fate.DELETED,
    ),
    Table(
        name="channel_turn",
        key=("channel", "share"),
        columns=columns(names="channel", nobody="tenant share at"),
        theirs="channel = ANY(%(accounts)s)",
        fate=Fate.DELETED,
    ),
    Table(
        name="edition_activation",
        key=("seq",),
        columns=columns(names="by", nobody="tenant seq edition at why"),
    ),
    Table(name="asker_salt", key=(), columns=columns(nobody="tenant salt")),
    Table(
        name="question",
        key=("id",),
        columns=columns(
            names="said earlier owner nearest answer reason asker",
            nobody="tenant id private audience status confidence edition asked_at vector embedder state"
            " ended_at",
        ),
        theirs="asker = ANY(%(hashes)s)",
        fate=Fate.DELETED,
    ),
    Table(
        name="rating",
        key=("question", "rater"),
        columns=columns(names="note rater", nobody="tenant question good rated_at"),
        theirs="rater = ANY(%(hashes)s)",
        fate=Fate.DELETED,
    ),
    Table(
        name="sync",
        key=("source",),
        columns=columns(names="detail", nobody="tenant source schedule due_at wanted_at ended_at outcome"),
    ),
    Table(
        name="bot_process",
        key=("id",),
        columns=columns(nobody="tenant id app sockets refused started_at seen_at"),
    ),
    Table(name="key_in_use", key=("name", "id"), columns=columns(nobody="tenant name id since")),
    # what brings the database up to date
    Table(
        name="migration",
        key=("package", "name"),
        columns=columns(nobody="package name sha256 applied_at"),
        tenant=False,
    ),
    Table(name="library", key=("name",), columns=columns(nobody="name version"), tenant=False),
    # procrastinate's: a job carries the id of a run, a message or an event, and nothing else
    Table(
        name="procrastinate_jobs",
        key=("id",),
        columns=columns(
            nobody="id queue_name task_name priority lock queueing_lock args status scheduled_at attempts"
            " abort_requested worker_id"
        ),
        tenant=False,
    ),
    Table(
        name="procrastinate_events", key=("id",), columns=columns(nobody="id job_id type at"), tenant=False
    ),
    Table(
        name="procrastinate_periodic_defers",
        key=("id",),
        columns=columns(nobody="id task_name defer_timestamp job_id periodic_id"),
        tenant=False,
    ),
    Table(
        name="procrastinate_workers", key=("id",), columns=columns(nobody="id last_heartbeat"), tenant=False
    ),
)
TABLES: tuple[Table, ...] = (*stores.TABLES, *OWN)


class Erases(Enum):
    """How a kind of file loses a person."""

    NOBODY = "holds nobody"
    ROWS = "its tables are erased, and their dead rows are vacuumed away"
    EDITIONS = "old editions that name them are removed; the one that serves waits for its document"
    SOURCE = "the operator changes the document, which the command names"
    OPERATOR = "written by the operator, who is told where it names them"
    OUTSIDE = "stands for an outside system, which is not ours to erase"


@dataclass(frozen=True, kw_only=True, slots=True)
class Files:
    """One kind of file in a home, by patterns that begin at the home; `**` is whatever is below."""

    kind: str
    patterns: tuple[str, ...]
    erases: Erases


FILES = (
    Files(kind="the database", patterns=("postgres/**",), erases=Erases.ROWS),
    Files(kind="editions", patterns=("editions/**",), erases=Erases.EDITIONS),
    Files(kind="cached embeddings", patterns=("cache/vectors*",), erases=Erases.EDITIONS),
    Files(kind="copies of sources", patterns=("cache/**",), erases=Erases.SOURCE),
    Files(kind="reviewed answers", patterns=("answers/**",), erases=Erases.SOURCE),
    Files(kind="copies of checkpoints", patterns=("audit-checkpoints/**",), erases=Erases.NOBODY),
    Files(kind="the sentence model", patterns=("models/**",), erases=Erases.NOBODY),
    Files(kind="secrets", patterns=("secrets*", "*.key", "demo-key*", "DEMO"), erases=Erases.NOBODY),
    Files(kind="settings", patterns=("*.toml", "*.cedar", "*.yaml"), erases=Erases.OPERATOR),
    Files(kind="logs", patterns=("logs/**", "*.log"), erases=Erases.OPERATOR),
    Files(kind="the demo's directory", patterns=("directory/**",), erases=Erases.OUTSIDE),
    Files(kind="the demo's Slack", patterns=("workspace/**",), erases=Erases.OUTSIDE),
)
