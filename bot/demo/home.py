"""A home that is marked as demo: its settings, its secrets, and what may happen in it alone."""

import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from bot import homes
from bot.demo.world import ALARMS, APPROVALS, DESK
from connectors.sandbox import company
from connectors.sandbox.catalogue import ticket_tokens
from connectors.sdk import secret_of
from connectors.secrets import Secrets, demo_key, open_secrets

logger = logging.getLogger(__name__)

MARK = "DEMO"

_SETTINGS = """\
# Written by `countersign demo` at every start.
slack_api_url = "{slack}/api/"

[directory]
url = "{directory}"
issuer = "{issuer}"

[workflows.break_glass]
channel = "{channel}"
alarm_channel = "{alarms}"
review_channel = "{alarms}"
reviewers = "people-team"
clause = {{ document = "it-access.md", anchor = "emergency-access" }}

[workflows.break_glass.groups]
prod-logs = {{ approvers = "data-owners", max_minutes = 60 }}

[workflows.it_access]
channel = "{channel}"
clause = {{ document = "it-access.md", anchor = "temporary-access-to-data" }}
{tickets}

[workflows.it_access.groups]
billing-db = {{ approvers = "data-owners", max_days = 30, title = "Billing database, read only" }}
crm-readers = {{ approvers = "data-owners", max_days = 30, title = "Customer records, read only" }}
prod-logs = {{ approvers = "data-owners", max_days = 7, title = "Production logs" }}
"""


_TICKETS = """
[connectors.tickets]
url = "{url}"

[confirm]
workflows = ["service_ticket"]

[workflows.service_ticket]
channel = "{desk}"
desk = "it"
clause = {{ document = "it-access.md", anchor = "questions" }}
"""


class NotADemo(Exception):
    """The home holds something else, which a demo must not touch."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Tokens:
    """What lets the bot into the workspace and the directory of the demo."""

    bot: str
    app: str
    directory: str
    directory_writes: str


def is_demo(home: Path) -> bool:
    """Whether the home is marked as demo."""
    return (home / MARK).exists()


def mark(home: Path) -> None:
    """Make a home a demo's. Raises NotADemo for one that is in use otherwise."""
    if is_demo(home):
        _close(home)
        return
    if home.exists() and any(home.iterdir()):
        raise NotADemo(
            f"{home} is in use and not by a demo. Give the demo a folder of its own: "
            "countersign demo --home DIR"
        )
    _close(home)
    home.mkdir(parents=True, exist_ok=True, mode=0o700)
    (home / MARK).write_text("The clock of this home can be moved, and its data mean nothing.\n")


def _close(home: Path) -> None:
    try:
        for done in homes.secure(home):
            logger.warning("%s", done)
    except homes.HomeRefused as error:
        raise NotADemo(str(error)) from error


def configure(home: Path, *, slack: str, directory: str, tickets: str = "") -> None:
    """Write the settings for where the workspace, the directory and the ticket system are this time."""
    text = _SETTINGS.format(
        slack=slack,
        directory=directory,
        issuer=company.ISSUER,
        channel=APPROVALS,
        alarms=ALARMS,
        tickets="tickets = true" if tickets else "",
    )
    if tickets:
        kept = open_secrets(home=home, key=demo_key(home))
        for scope, token in ticket_tokens(home / "tickets", tickets).items():
            kept.set(secret_of(scope), token)
        text += _TICKETS.format(url=tickets, desk=DESK)
    (home / "countersign.toml").write_text(text, encoding="utf-8")


def tokens(home: Path) -> Tokens:
    """Return the demo's own tokens, made at first use and kept encrypted."""
    kept = open_secrets(home=home, key=demo_key(home))
    return Tokens(
        bot=_kept(kept, "slack_bot_token", "xoxb-"),
        app=_kept(kept, "slack_app_token", "xapp-"),
        directory=_kept(kept, "directory_token", ""),
        directory_writes=_kept(kept, "directory_write_token", ""),
    )


def _kept(kept: Secrets, name: str, prefix: str) -> str:
    value = kept.get(name)
    if value is None:
        value = prefix + secrets.token_urlsafe(32)
        kept.set(name, value)
    return value
