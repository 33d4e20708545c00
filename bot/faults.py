"""What has gone wrong with which system, in half a sentence, and who can do something about it.

Every error that can reach a person is one of these faults. A fault says that a system "cannot be reached"
only where no answer came, and asks for patience only where time alone can mend it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import psycopg
from psycopg_pool import PoolTimeout
from slack_sdk.errors import SlackApiError

from bot import lexicon, refusals
from bot.refusals import Cure
from bot.render import Markup, join, ours, safe
from connectors.errors import ConnectorError
from knowledge.errors import BadQuestion, KnowledgeError

Mends = Literal["time", "operator", "nobody"]

SLACK, DATABASE, POLICIES, KEYRING = "slack", "database", "policies", "keyring"
INTERNAL = "internal"

SYSTEMS: Mapping[str, str] = {
    "directory": "the company directory",
    SLACK: "Slack",
    DATABASE: "my own database",
    KEYRING: "the place where my secrets are kept",
    POLICIES: "the store of the policies",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Fault:
    """What has gone wrong, and with which system; "" where nobody noted which."""

    system: str
    key: str

    @property
    def mends(self) -> Mends:
        """Who can mend it: time alone, whoever operates the bot, or nobody, because it is final."""
        return _FAULTS[self.known][1]

    @property
    def answered(self) -> bool:
        """Whether the system has answered."""
        return self.known not in _SILENT

    @property
    def known(self) -> str:
        """The key, or the one of all connectors for one that an extension brings."""
        return self.key if self.key in _FAULTS else _OTHER

    def said(self) -> Markup:
        """Say it in half a sentence that begins with the system."""
        before, named, after = _FAULTS[self.known][0].partition("{}")
        return join(ours(before), name(self.system) if named else ours(""), ours(after))


def name(system: str) -> Markup:
    """Say which system it is. Its own name is used where we have no word for it."""
    system = system.partition(".")[0]  # an operation is called SYSTEM.VERB
    if not system:
        return ours("a system that I need")
    known = SYSTEMS.get(system) or lexicon.SYSTEMS.get(system)
    return ours(known) if known is not None else join(ours("the system “"), safe(system, 60), ours("”"))


def capital(text: Markup) -> Markup:
    """Begin a sentence with it."""
    return Markup(text[:1].upper() + text[1:])


def of_facts(facts: Mapping[str, str]) -> Fault:
    """Read the fault that a record names in its facts."""
    return Fault(system=facts.get("system", ""), key=facts.get("error", _OTHER))


def of(error: BaseException) -> Fault:
    """Say what an error means, whatever library it comes from."""
    match error:
        case ConnectorError():
            of_secrets = error.key.startswith("secrets.")
            return Fault(system=KEYRING if of_secrets else error.system, key=error.key)
        case SlackApiError():
            return Fault(system=SLACK, key=_of_slack(error))
        case psycopg.Error() | PoolTimeout():
            return Fault(system=DATABASE, key=_of_database(error))
        case BadQuestion():
            return Fault(system=POLICIES, key="policies.question")
        case KnowledgeError():
            return Fault(system=POLICIES, key="policies.unreadable")
        case _:
            return Fault(system="", key=INTERNAL)


def of_slack(error: BaseException) -> Fault:
    """Say what an error of a call to Slack means; one of the network then means that no answer came."""
    if isinstance(error, refusals.NETWORK) and not isinstance(error, SlackApiError):
        return Fault(system=SLACK, key="slack.unavailable")
    return of(error)


def _of_slack(error: SlackApiError) -> str:
    named = refusals.key(error)
    if refusals.is_put_off(error):
        return "slack.busy"
    if named in {"expired_trigger_id", "trigger_expired", "trigger_exchanged", "exchanged_trigger_id"}:
        return "slack.late"
    if refusals.cure(named) is Cure.TIME:
        return "slack.failed"
    return "slack.denied" if refusals.cure(named) is Cure.OPERATOR else "slack.refused"


def _of_database(error: BaseException) -> str:
    match error:
        case psycopg.errors.ReadOnlySqlTransaction():
            return "database.read_only"
        case psycopg.errors.LockNotAvailable() | psycopg.errors.DeadlockDetected() | PoolTimeout():
            return "database.busy"
        case psycopg.errors.QueryCanceled() | psycopg.errors.SerializationFailure():
            return "database.busy"
        case psycopg.errors.DiskFull() | psycopg.errors.OutOfMemory():
            return "database.full"
        case psycopg.OperationalError() if error.sqlstate is None or error.sqlstate[:2] in {"08", "57"}:
            return "database.unavailable"
        case _:
            return "database.failed"


_OTHER = ConnectorError.key
_SILENT = {
    "connector.unavailable",
    "connector.ambiguous",
    "slack.unavailable",
    "database.unavailable",
    INTERNAL,
}
_FAULTS: Mapping[str, tuple[str, Mends]] = {
    "connector.failed": ("{} did not do what I asked of it", "operator"),
    "connector.denied": ("{} refuses my access", "operator"),
    "connector.unavailable": ("{} cannot be reached", "time"),
    "connector.busy": ("{} asks me to wait", "time"),
    "connector.failing": ("{} answers that it has failed", "time"),
    "connector.unsupported": ("{} answers, and lacks something that I need of it", "operator"),
    "connector.resting": (
        "{} has failed several times in a row, so I am leaving it alone for some seconds",
        "time",
    ),
    "connector.not_found": (
        "{} has no record any more of somebody or something that this is about",
        "operator",
    ),
    "connector.conflict": ("{} has records that contradict each other, or that keep changing", "operator"),
    "connector.ambiguous": ("{} did not confirm what I sent", "time"),
    "connector.invalid": ("{} does not accept what I ask of it", "operator"),
    "connector.mismatch": ("{} answers, and not with what I asked for", "operator"),
    "connector.not_permitted": (
        "I was about to change something in {} without a permit, and was stopped",
        "operator",
    ),
    "secrets.no_keyring": ("{} cannot be opened", "operator"),
    "secrets.wrong_key": ("{} does not open with the key that I have", "operator"),
    "secrets.not_kept": ("{} refuses, or did not keep what I gave it", "operator"),
    "slack.unavailable": ("{} cannot be reached", "time"),
    "slack.busy": ("{} asks me to wait", "time"),
    "slack.failed": ("{} answers that it failed", "time"),
    "slack.late": ("{} allows three seconds to answer a click, and I needed longer", "time"),
    "slack.denied": ("{} refuses my access", "operator"),
    "slack.refused": ("{} does not accept what I ask of it", "operator"),
    "database.unavailable": ("{} cannot be reached", "time"),
    "database.busy": ("{} is busy", "time"),
    "database.read_only": ("{} takes no changes at the moment", "time"),
    "database.full": ("{} has no room left", "operator"),
    "database.failed": ("{} refuses what I ask of it", "operator"),
    "policies.unreadable": ("{} cannot be read", "operator"),
    "policies.question": ("{} has no answer to a question of this form", "nobody"),
    "plan.held": (
        "the plan can only go forward, and its next step cannot be finished at the moment",
        "time",
    ),
    INTERNAL: ("something went wrong in me", "operator"),
}
