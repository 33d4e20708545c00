"""Payloads that Slack sends: every known shape goes through, by HTTP and by socket; nothing forged does."""

import json
import logging
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest
from slack_bolt.adapter.socket_mode.async_internals import run_async_bolt_app
from slack_bolt.async_app import AsyncApp
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.signature import SignatureVerifier
from slack_sdk.socket_mode.request import SocketModeRequest

from bot.app import make_app
from bot.database import Database
from bot.installation import Installation
from bot.wiring import Parts
from tests.scenario.slack_office import SIGNING_SECRET, open_parts

Json = dict[str, Any]
INSTALLATIONS = {
    "workspace": ("A111", "T111", None),
    "workspace of an organisation": ("A111", "T111", "E111"),
    "shared channel": ("A111", "T_INSTALLED", "E_INSTALLED"),
    "other side of a shared channel": ("A04TEM7H4S0", "T03E94MJU", None),
    "another app": ("A0COUNTERSIGN", "T0LARKFIELD", None),
}


@pytest.fixture
async def parts(database: Database, slack_home: Path) -> AsyncIterator[Parts]:
    nowhere = "http://127.0.0.1:9/v2"  # no payload here gets as far as the directory
    async with open_parts(database, slack_home, url=nowhere, token="none") as (_, parts):
        yield parts


def installed(parts: Parts, name: str = "workspace") -> AsyncApp:
    app, team, enterprise = INSTALLATIONS[name]
    installation = Installation(app=app, team=team, enterprise=enterprise, bot="B111", bot_user="UB111")
    return make_app(replace(parts, installation=installation), signing_secret=SIGNING_SECRET)[0]


def payloads(shared: Path) -> Iterator[tuple[str, Json]]:
    """Yield each payload as it arrives, each event under an id of its own."""
    text = (shared / "slack" / "inbound-payloads.jsonl").read_text(encoding="utf-8")
    for number, line in enumerate(text.splitlines()):
        found = json.loads(line)
        payload = found["payload"]
        if found["kind"] == "envelope":
            payload = payload["payload"]
        if payload.get("event_id"):
            payload = {**payload, "event_id": f"Ev{number}"}
        yield f"{number} {found['kind']}", payload


def envelope(payload: Json) -> SocketModeRequest:
    kind = "slash_commands" if "command" in payload else "interactive"
    if payload.get("type") == "event_callback":
        kind = "events_api"
    request = SocketModeRequest.from_dict(
        {"type": kind, "envelope_id": "e1", "payload": payload, "accepts_response_payload": True}
    )
    assert request is not None
    return request


def body_of(payload: Json) -> tuple[str, str]:
    """Return the body and its content type as Slack sends it over HTTP."""
    if payload.get("type") == "event_callback":
        return json.dumps(payload), "application/json"
    if "command" in payload:
        return urlencode(payload), "application/x-www-form-urlencoded"
    return urlencode({"payload": json.dumps(payload)}), "application/x-www-form-urlencoded"


def signed(payload: Json, *, at: int | None = None, secret: str = SIGNING_SECRET) -> AsyncBoltRequest:
    body, kind = body_of(payload)
    timestamp = str(int(time.time()) if at is None else at)
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=body)
    assert signature is not None
    return request(body, kind, timestamp, signature)


def request(body: str, kind: str, timestamp: str, signature: str) -> AsyncBoltRequest:
    headers = {
        "content-type": [kind],
        "x-slack-request-timestamp": [timestamp],
        "x-slack-signature": [signature],
    }
    return AsyncBoltRequest(body=body, headers=headers)


@pytest.mark.parametrize("name", INSTALLATIONS)
async def test_every_payload_that_slack_is_known_to_send_is_answered_over_http_and_by_socket(
    parts: Parts, shared_data: Path, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    app = installed(parts, name)
    found = list(payloads(shared_data))
    assert len(found) >= 71
    for where, payload in found:
        answer = await app.async_dispatch(signed(payload))
        assert answer.status == 200, where
        answer = await run_async_bolt_app(app, envelope(payload))
        assert answer.status == 200, where
    assert not [record for record in caplog.records if record.levelno >= logging.ERROR]


async def test_a_payload_for_another_installation_is_refused_without_a_trace(
    parts: Parts, shared_data: Path
) -> None:
    app = installed(parts, "another app")
    for _, payload in payloads(shared_data):
        await app.async_dispatch(signed(payload))
    assert await count(parts, "event") == 0


async def test_an_event_that_nobody_listens_to_is_not_kept(parts: Parts, shared_data: Path) -> None:
    app = installed(parts)
    for kind, payload in payloads(shared_data):
        if "reaction_added" in kind:
            assert (await app.async_dispatch(signed(payload))).status == 200
    assert await count(parts, "event") == 0


async def test_a_mention_is_stored_before_it_is_acknowledged_and_only_once(
    parts: Parts, shared_data: Path
) -> None:
    app, mention = installed(parts, "workspace of an organisation"), _mention(shared_data)
    for _ in range(3):
        assert (await run_async_bolt_app(app, envelope(mention))).status == 200
    assert await count(parts, "event") == 1


async def test_an_event_that_cannot_be_stored_is_not_acknowledged(
    parts: Parts, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, mention = installed(parts, "workspace of an organisation"), _mention(shared_data)

    async def full(body: Json) -> bool:
        raise psycopg.errors.DiskFull

    with monkeypatch.context() as patched:
        patched.setattr(parts.events, "store", full)
        assert (await run_async_bolt_app(app, envelope(mention))).status == 500
    mention["event"]["text"] = "\0"  # PostgreSQL keeps no such character: it is replaced
    assert (await run_async_bolt_app(app, envelope(mention))).status == 200
    assert await count(parts, "event") == 1


@pytest.mark.parametrize(
    ("timestamp", "signature"),
    [
        ("soon", "v0=" + "0" * 64),
        ("", ""),
        ("-1", "v0=" + "0" * 64),
        ("9" * 40, "v0=" + "0" * 64),
        ("1e9", "v0=" + "0" * 64),
        ("now", "v0=" + "0" * 64),
        ("now", "none"),
        ("now", "v0=é" + "0" * 63),
    ],
)
async def test_a_request_that_slack_did_not_sign_is_refused_without_a_trace(
    parts: Parts, shared_data: Path, timestamp: str, signature: str, caplog: pytest.LogCaptureFixture
) -> None:
    body, kind = body_of(_mention(shared_data))
    at = str(int(time.time())) if timestamp == "now" else timestamp
    answer = await installed(parts).async_dispatch(request(body, kind, at, signature))
    await refused(parts, answer, caplog)


async def test_a_request_signed_with_another_secret_or_too_long_ago_is_refused(
    parts: Parts, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, mention = installed(parts), _mention(shared_data)
    await refused(parts, await app.async_dispatch(signed(mention, secret="another")), caplog)
    await refused(parts, await app.async_dispatch(signed(mention, at=int(time.time()) - 301)), caplog)


async def test_a_request_without_its_headers_is_refused(
    parts: Parts, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answer = await installed(parts).async_dispatch(AsyncBoltRequest(body=body_of(_mention(shared_data))[0]))
    await refused(parts, answer, caplog)


async def test_the_same_signed_request_is_taken_once(parts: Parts, shared_data: Path) -> None:
    app, payload = installed(parts), _mention(shared_data)
    body, kind = body_of(payload)
    timestamp = str(int(time.time()))
    signature = SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=timestamp, body=body)
    assert signature is not None
    statuses = [
        (await app.async_dispatch(request(body, kind, timestamp, signature))).status for _ in range(3)
    ]
    assert statuses == [200, 401, 401]


async def test_without_a_signing_secret_nothing_is_taken_over_http(
    parts: Parts, shared_data: Path, caplog: pytest.LogCaptureFixture
) -> None:
    app, _ = make_app(parts)
    await refused(parts, await app.async_dispatch(signed(_mention(shared_data))), caplog)


async def refused(parts: Parts, answer: BoltResponse, caplog: pytest.LogCaptureFixture) -> None:
    assert answer.status == 401
    assert await count(parts, "event") == 0
    assert await count(parts, "signature") == 0
    assert "Hi there" not in caplog.text


async def count(parts: Parts, table: str) -> int:
    async with parts.pool.connection() as conn:
        cursor = await conn.execute(f"SELECT count(*) AS rows FROM {table}".encode())
        row = await cursor.fetchone()
    assert row is not None
    return int(row["rows"])


def _mention(shared: Path) -> Json:
    return next(payload for kind, payload in payloads(shared) if kind.endswith("event:app_mention"))
