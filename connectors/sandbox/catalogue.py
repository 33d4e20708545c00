"""Which servers the sandbox has, and how each is started."""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from connectors.sandbox import company

TOKEN, READ_TOKEN = "token", "token.read"  # files in a server's state
_TRACKER = Path(__file__).parent / "servers" / "tracker.py"


@dataclass(frozen=True, kw_only=True, slots=True)
class Server:
    """A server of the sandbox.

    `prepare` writes what it wants to find in the folder of its state. `command` is what starts it there with
    that interpreter, on that port of 127.0.0.1 (0: a free one); it says ` ready on URL` when it answers.
    """

    name: str
    title: str
    foreign: bool  # runs in `.venv-sandbox`
    prepare: Callable[[Path], None]
    command: Callable[[str, Path, int], tuple[str, ...]]
    alive: str = ""  # what to ask for below its URL, to see whether it answers


def _tokens(state: Path) -> tuple[str, ...]:
    return ("--token-file", str(state / TOKEN), "--read-token-file", str(state / READ_TOKEN))


def _directory_tokens(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name in (TOKEN, READ_TOKEN):
        path = state / name
        if not path.exists():
            path.touch(mode=0o600)
            path.write_text(secrets.token_urlsafe(32))


def _directory(python: str, state: Path, port: int) -> tuple[str, ...]:
    where = ("--port", str(port), "--state", str(state))
    return (python, "-m", "connectors.sandbox.directory", *where, *_tokens(state))


def _company(state: Path) -> None:
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    people = [
        {
            "user_name": person.user_name,
            "name": person.name,
            "email": person.email,
            "department": person.department,
            "active": person.active,
        }
        for person in company.PEOPLE
    ]
    seed = {
        "company": company.COMPANY,
        "domain": company.DOMAIN,
        "people": people,
        "keywords": company.TICKET_KEYWORDS,
        "statuses": (company.RETRACTED,),
    }
    (state / "company.json").write_text(json.dumps(seed, indent=1), encoding="utf-8")


def _tickets(python: str, state: Path, port: int) -> tuple[str, ...]:
    where = ("--port", str(port), "--state", str(state), "--company", str(state / "company.json"))
    # Isolated: it finds neither our modules nor what the environment names.
    return (python, "-I", str(_TRACKER), *where, *_tokens(state))


DIRECTORY = Server(
    name="directory",
    title="directory (SCIM 2.0)",
    foreign=False,
    prepare=_directory_tokens,
    command=_directory,
    alive="/ServiceProviderConfig",
)
TICKETS = Server(
    name="tickets",
    title="ticket system (Roundup)",
    foreign=True,
    prepare=_company,
    command=_tickets,
    alive="rest/",
)
SERVERS: tuple[Server, ...] = (DIRECTORY, TICKETS)
