"""Which servers the sandbox has, and how each is started."""

import base64
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from connectors.sandbox import company

TOKEN, READ_TOKEN = "token", "token.read"  # files in a server's state
SIGNING = "signing-key"  # likewise: what signs the tokens of the ticket system
_LIFETIME = 365 * 24 * 3600  # seconds for which a token lets in
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
        _kept(state / name)


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
        "secret": _kept(state / SIGNING),
    }
    (state / "company.json").write_text(json.dumps(seed, indent=1), encoding="utf-8")


def ticket_tokens(state: Path, url: str) -> dict[str, str]:
    """Return what the ticket system of that state will let in with at that address, by scope.

    It need not have begun: a token is signed with the secret that it gets, for accounts whose number in it is
    known (after its own two come the people, then the account that reads, then the one that writes).
    """
    _company(state)
    people = len(company.PEOPLE)
    return {
        "tickets:read": _token(state, url, str(people + 3), "reader"),
        "tickets:write": _token(state, url, str(people + 4), "writer"),
    }


def _token(state: Path, url: str, account: str, role: str) -> str:
    """Return a signed token (RFC 7519, HS256)."""
    now = int(time.time())
    claims = {"sub": account, "iss": url, "aud": url, "roles": [role], "iat": now, "exp": now + _LIFETIME}
    signed = f"{_encoded({'alg': 'HS256', 'typ': 'JWT'})}.{_encoded(claims)}"
    secret = (state / SIGNING).read_bytes()
    mac = hmac.new(secret, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def _encoded(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def _kept(path: Path) -> str:
    """Return the secret in a file that only its owner may read, made at the first time."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(48), encoding="utf-8")
    return path.read_text(encoding="utf-8")


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
