"""Larkfield's Slack workspace: the company's people, its channels, and Countersign installed in it."""

from collections.abc import Mapping
from typing import Any

from bot.workspace.world import App, Channel, Person, Team, World
from connectors.sandbox import company
from connectors.sandbox.company import Employee

TEAM = "T0LARKFIELD"
APP = "A0COUNTERSIGN"
BOT = "U0COUNTERSIGN"
APPROVALS = "C0APPROVALS"
ALARMS = "C0ALARMS"
DESK = "C0SERVICEDESK"

_COLORS = ("2f6f8f", "8a4f7d", "3f7d4e", "a3562f", "4a5fa5", "7a6a1f", "6b6b6b")
_ZONES = {"Halifax": "America/Halifax", "Utrecht": "Europe/Amsterdam"}


def world(manifest: Mapping[str, Any], *, bot_token: str, app_token: str) -> World:
    """Return the workspace, with the app that the manifest describes."""
    app = App.from_manifest(
        manifest, id=APP, bot_id="B0COUNTERSIGN", bot_user=BOT, bot_token=bot_token, app_token=app_token
    )
    employed = frozenset(user(one) for one in company.PEOPLE if one.active and not one.guest)
    approvers = frozenset(user(one) for one in company.PEOPLE if "data-owners" in one.groups)
    reviewers = frozenset(user(one) for one in company.PEOPLE if "people-team" in one.groups)
    desk = frozenset(user(one) for one in company.PEOPLE if "it" in one.groups)
    finance = frozenset(user(one) for one in company.PEOPLE if "finance" in one.groups)
    everyone = employed | {user(one) for one in company.PEOPLE if one.active}
    return World(
        team=Team(id=TEAM, name=company.COMPANY, domain="larkfield"),
        app=app,
        people=tuple(_person(one, color) for one, color in zip(company.PEOPLE, _COLORS, strict=False)),
        channels=(
            Channel(
                id="C0ASKPOLICY",
                name="ask-policy",
                topic="Questions about how we work. Countersign answers from the handbook.",
                members=employed | {BOT},
            ),
            Channel(id="C0GENERAL", name="general", topic="All of Larkfield", members=everyone | {BOT}),
            Channel(
                id=APPROVALS,
                name="access-approvals",
                topic="Requests for access to data wait here for a data owner",
                private=True,
                members=approvers | {BOT},
            ),
            Channel(
                id=ALARMS,
                name="access-alarms",
                topic="Emergency access is said aloud here, and reviewed afterwards",
                private=True,
                members=approvers | reviewers | {BOT},
            ),
            Channel(
                id=DESK,
                name="service-desk",
                topic="Troubles that were told to Countersign, for those who look after them",
                private=True,
                members=desk | {BOT},
            ),
            Channel(id="C0FINANCE", name="finance", private=True, members=finance),
        ),
    )


def user(person: Employee) -> str:
    """Return the person's Slack user id."""
    return "U0" + person.user_name.split(".")[0].upper()


def _person(person: Employee, color: str) -> Person:
    return Person(
        id=user(person),
        name=person.user_name.split(".")[0],
        real_name=person.name,
        title=person.title,
        email=person.email,
        color=color,
        tz=_ZONES["Halifax" if person.department in {"Support", "IT"} else "Utrecht"],
        is_restricted=person.guest,
        deleted=not person.active,
    )
