"""Larkfield Instruments: the fictional company of the demo and the tests. Plain data, the single source.

It makes laboratory balances and sensors, in Utrecht and Halifax. Nobody here exists.
"""

import hashlib
from dataclasses import dataclass

COMPANY = "Larkfield Instruments"
DOMAIN = "larkfield.example"
ISSUER = f"https://directory.{DOMAIN}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Employee:
    """Somebody whom the directory knows. `manager` is a user name."""

    user_name: str
    given_name: str
    family_name: str
    title: str
    department: str
    manager: str | None = None
    active: bool = True
    country: str = "NL"  # of the office
    guest: bool = False  # works here without being employed here; restricted in chat

    @property
    def id(self) -> str:
        """The id in the directory: the same wherever this company is set up."""
        return record_id("User", self.user_name)

    @property
    def name(self) -> str:
        """Given name and family name."""
        return f"{self.given_name} {self.family_name}"

    @property
    def email(self) -> str:
        """The address at work."""
        return f"{self.user_name}@{DOMAIN}"

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups that they are in at the start."""
        return tuple(team.name for team in GROUPS if self.user_name in team.members)


@dataclass(frozen=True, kw_only=True, slots=True)
class Team:
    """A group in the directory, and the user names of its members at the start."""

    name: str
    members: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """The id in the directory: the same wherever this company is set up."""
        return record_id("Group", self.name)


def record_id(kind: str, name: str) -> str:
    """An id that says nothing and never changes."""
    return hashlib.sha256(f"{ISSUER}/{kind}/{name}".encode()).hexdigest()[:32]


ADA = Employee(
    user_name="ada.okafor",
    given_name="Ada",
    family_name="Okafor",
    title="Financial analyst",
    department="Finance",
    manager="grace.lindqvist",
)
GRACE = Employee(
    user_name="grace.lindqvist",
    given_name="Grace",
    family_name="Lindqvist",
    title="Finance director",
    department="Finance",
)
BEN = Employee(
    user_name="ben.castellanos",
    given_name="Ben",
    family_name="Castellanos",
    title="Platform engineer",
    department="IT",
    manager="grace.lindqvist",
)
INES = Employee(
    user_name="ines.moreau",
    given_name="Ines",
    family_name="Moreau",
    title="People operations lead",
    department="People",
    manager="grace.lindqvist",
)
TOMAS = Employee(
    user_name="tomas.varga",
    given_name="Tomas",
    family_name="Varga",
    title="Customer support agent",
    department="Support",
    country="CA",
    manager="ines.moreau",
)
NOOR = Employee(
    user_name="noor.haddad",
    given_name="Noor",
    family_name="Haddad",
    title="Contractor",
    department="IT",
    manager="ben.castellanos",
    guest=True,
)
JUN = Employee(
    user_name="jun.park",
    given_name="Jun",
    family_name="Park",
    title="Account manager",
    department="Sales",
    country="CA",
    manager="grace.lindqvist",
    active=False,
)

PEOPLE: tuple[Employee, ...] = (ADA, GRACE, BEN, INES, TOMAS, NOOR, JUN)

GROUPS: tuple[Team, ...] = (
    Team(
        name="employees",
        members=("ada.okafor", "grace.lindqvist", "ben.castellanos", "ines.moreau", "tomas.varga"),
    ),
    Team(name="contractors", members=("noor.haddad",)),
    Team(name="finance", members=("ada.okafor", "grace.lindqvist")),
    Team(name="it", members=("ben.castellanos",)),
    Team(name="people-team", members=("ines.moreau",)),
    Team(name="data-owners", members=("grace.lindqvist", "ben.castellanos")),
    Team(name="billing-db"),
    Team(name="crm-readers", members=("tomas.varga",)),
    Team(name="prod-logs", members=("ben.castellanos",)),
)

REQUESTABLE: tuple[str, ...] = ("billing-db", "crm-readers", "prod-logs")
APPROVERS = "data-owners"

TICKET_KEYWORDS: tuple[str, ...] = ("access", "hardware", "software", "building", "people")
RETRACTED = "retracted"
"""The status of a ticket that was opened and taken back."""
