"""The ticket system of the fictional company: a real Roundup tracker on loopback.

`python -I tracker.py --port N --state DIR --company FILE --token-file FILE --read-token-file FILE`

Its classic template, with two roles more for service accounts: one reads, the other also opens issues and
writes messages. Each has a JSON Web Token that is minted at every start, because it names the address. People
have no password: look at the address in a browser, or log in there as admin (STATE/password.admin).
"""

import argparse
import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import jwt
import waitress
from roundup import init, instance, password
from roundup.cgi.wsgi_handler import RequestDispatcher
from roundup.configuration import CoreConfig

PORT_TAKEN = 3  # as the directory server says it
STATE_UNUSABLE = 4

TEMPLATE = Path(sys.prefix) / "share/roundup/templates/classic"
TOKEN_DAYS = 365
READER, WRITER = "countersign-reader", "countersign"

# A real tracker's schema.py says who may do what. REST is closed to everybody else.
ROLES = """

#
# SERVICE ACCOUNTS
#
for role in 'Reader', 'Writer':
    db.security.addRole(name=role, description='Countersign: ' + role)
    db.security.addPermissionToRole(role, 'Rest Access')
    for cl in 'issue', 'msg', 'file', 'keyword', 'priority', 'status':
        db.security.addPermissionToRole(role, 'View', cl)
    p = db.security.addPermission(name='View', klass='user', properties=('id', 'username', 'realname'))
    db.security.addPermissionToRole(role, p)
for cl in 'issue', 'msg':
    db.security.addPermissionToRole('Writer', 'Create', cl)
p = db.security.addPermission(name='Edit', klass='issue',
    properties=('messages', 'status', 'assignedto', 'priority', 'keyword', 'nosy'))
db.security.addPermissionToRole('Writer', p)
"""


class Unusable(Exception):
    """The state cannot be used. The message says why."""


def prepared(state: Path, company: dict[str, Any], url: str) -> Path:
    """The folder of the tracker, made and seeded where it is missing, with this address in its settings."""
    home = state / "tracker"
    if not (home / "made").exists():
        shutil.rmtree(home, ignore_errors=True)  # half made, by somebody who was killed
        _make(home, company, url)
        (home / "made").touch()
    config = CoreConfig(str(home))
    if config["TRACKER_WEB"] != url:
        config["TRACKER_WEB"] = url
        config.save()
    return home


def _make(home: Path, company: dict[str, Any], url: str) -> None:
    settings = {
        "tracker_name": f"{company['company']} help desk",
        "tracker_web": url,
        "mail_domain": company["domain"],
        "mail_host": "localhost",
        "mail_debug": str(home.parent / "mail.txt"),  # what would be mailed is written down instead
        "admin_email": f"admin@{company['domain']}",
        "rdbms_backend": "sqlite",
        "web_jwt_secret": company["secret"],
    }
    init.install(str(home), str(TEMPLATE), settings=settings)
    with (home / "schema.py").open("a", encoding="utf-8") as schema:
        schema.write(ROLES)
    admin = home.parent / "password.admin"
    _write(admin, secrets.token_urlsafe(16))
    tracker = instance.open(str(home))
    tracker.init(password.Password(admin.read_text(), config=tracker.config))
    db = tracker.open("admin")
    try:
        _seed(db, company)
        db.commit()
    finally:
        db.close()


def _seed(db: Any, company: dict[str, Any]) -> None:
    for name in company["keywords"]:
        db.keyword.create(name=name)
    for number, name in enumerate(company["statuses"]):
        db.status.create(name=name, order=20 + number)
    for person in company["people"]:
        user = db.user.create(
            username=person["user_name"],
            realname=person["name"],
            address=person["email"],
            organisation=person["department"],
            roles="User",
        )
        if not person["active"]:
            db.user.retire(user)
    db.user.create(username=READER, realname="Countersign (reads)", roles="Reader")
    db.user.create(username=WRITER, realname="Countersign", roles="Writer")


def mint(home: Path, account: str, role: str) -> str:
    """A token that lets in as this account, with this role and no other."""
    tracker = instance.open(str(home))
    db = tracker.open("admin")
    try:
        subject = db.user.lookup(account)
    finally:
        db.close()
    now = int(time.time())
    web = tracker.config["TRACKER_WEB"]
    claims = {"sub": str(subject), "iss": web, "aud": web, "roles": [role], "iat": now}
    claims["exp"] = now + TOKEN_DAYS * 24 * 3600
    token: str = jwt.encode(claims, tracker.config["WEB_JWT_SECRET"][0], algorithm="HS256")
    return token


def _write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, in one step."""
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    draft.touch(mode=0o600)
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _locked(state: Path) -> int:
    """Take the state for this process alone. Raises Unusable while another process has it."""
    handle = os.open(state / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise Unusable(f"another ticket system uses {state}") from None
    return handle


def _leave(_number: int, _frame: object) -> None:
    raise SystemExit(0)


def main() -> int:
    """Run the server; the exit code says what went wrong."""
    options = _parser().parse_args()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", options.port))
    except OSError as error:
        return _fail(PORT_TAKEN, f"port {options.port} on 127.0.0.1 cannot be used: {error.strerror}")
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
    try:
        options.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        _locked(options.state)
        home = prepared(options.state, json.loads(options.company.read_text(encoding="utf-8")), url)
        _write(options.token_file, mint(home, WRITER, "writer"))
        _write(options.read_token_file, mint(home, READER, "reader"))
        application = RequestDispatcher(str(home))
        for number in (signal.SIGTERM, signal.SIGINT):  # the second may have come to us ignored
            signal.signal(number, _leave)
        server = waitress.create_server(application, sockets=[listener], threads=4, ident=None)
    except Unusable as error:
        return _fail(STATE_UNUSABLE, str(error))
    except (OSError, ValueError, KeyError, LookupError, sqlite3.Error) as error:
        return _fail(STATE_UNUSABLE, f"cannot keep the tickets in {options.state}: {error}")
    print(f"tickets ready on {url}", flush=True)  # noqa: T201  # the supervisor reads it
    server.run()  # until SIGTERM or SIGINT
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tracker.py", description=__doc__)
    parser.add_argument("--port", type=int, required=True, help="port on 127.0.0.1; 0 takes a free one")
    parser.add_argument("--state", type=Path, required=True, help="folder for what must survive a restart")
    parser.add_argument("--company", type=Path, required=True, help="JSON: people, keywords, statuses")
    parser.add_argument("--token-file", type=Path, required=True, help="where to write the token that writes")
    parser.add_argument("--read-token-file", type=Path, required=True, help="and the one that only reads")
    return parser


def _fail(code: int, sentence: str) -> int:
    print(sentence, file=sys.stderr)  # noqa: T201  # for whoever started the process
    return code


if __name__ == "__main__":
    sys.exit(main())
