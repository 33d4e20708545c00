"""The sandbox directory as a process: it keeps what it answered, says why it cannot start, and leaves."""

import asyncio
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.registry import DirectorySettings, connect
from connectors.sandbox import company
from connectors.sandbox.directory import PORT_TAKEN, STATE_UNUSABLE, TOKEN_UNUSABLE
from connectors.sandbox.process import Running, directory
from connectors.sandbox.supervision import PartFailed


def as_administrator(running: Running) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        base_url=running.url.removesuffix("/v2"),
        headers={"Authorization": f"Bearer {running.token}", "Content-Type": "application/scim+json"},
        trust_env=False,
        verify=False,
    )


async def add_ada(running: Running) -> None:
    settings = DirectorySettings(url=running.url, token=running.read_token, write_token=running.token)
    async with connect(directory=settings) as (connectors, mint):
        operation = connectors.registry.operation("directory.add_to_group")
        payload = operation.payload.model_validate({"group": "billing-db", "person": company.ADA.id})
        with mint.permit(operation.name, payload, "k").open():
            await operation.apply(payload, "k")


async def members(running: Running) -> frozenset[str]:
    settings = DirectorySettings(url=running.url, token=running.read_token, write_token=running.token)
    async with connect(directory=settings) as (connectors, _):
        return (await connectors.directory.group_by_name("billing-db")).members


async def changes(running: Running) -> list[dict[str, Any]]:
    async with as_administrator(running) as http:
        return (await http.get("/_sandbox/log")).json()["changes"]  # type: ignore[no-any-return]


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_state_token_and_log_survive_the_end_of_the_process(
    tmp_path: Path, end: signal.Signals
) -> None:
    async with directory(tmp_path) as first:
        await add_ada(first)
        first.process.send_signal(end)
        code = await asyncio.wait_for(first.process.wait(), 10)

    assert code == (-end if end is signal.SIGKILL else 0)
    async with directory(tmp_path, port=first.port) as second:
        assert second.url == first.url
        assert second.token == first.token
        assert await members(second) == {company.ADA.id}
        assert [entry["change"] for entry in await changes(second)] == ["added"]


@pytest.mark.crash
async def test_every_change_that_was_answered_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    """Changes follow each other without pause; the server is killed in between, several times."""
    path = f"/v2/Groups/{company.record_id('Group', 'billing-db')}"
    answered = 0
    for round_number in range(4):
        async with directory(tmp_path) as running, as_administrator(running) as http:
            log = await changes(running)
            assert len(log) in (answered, answered + 1)  # the one under way may have been kept
            answered = len(log)
            enough = asyncio.Event()
            writer = asyncio.create_task(keep_changing(http, path, answered, 5 + 3 * round_number, enough))
            await enough.wait()
            running.process.kill()
            answered += await writer


async def keep_changing(
    http: httpx.AsyncClient, path: str, already: int, enough_after: int, enough: asyncio.Event
) -> int:
    done = 0
    with suppress(httpx.TransportError):
        while True:
            person = f"person {already + done}"
            body = {
                "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"],
                "Operations": [{"op": "add", "path": "members", "value": [{"value": person}]}],
            }
            (await http.patch(path, json=body)).raise_for_status()
            done += 1
            if done == enough_after:
                enough.set()
    return done


async def test_without_our_token_nothing_is_told(tmp_path: Path) -> None:
    async with directory(tmp_path) as running, httpx.AsyncClient(trust_env=False, verify=False) as http:
        root = running.url.removesuffix("/v2")
        for token in (None, "Bearer wrong", f"Basic {running.token}", f"Bearer {running.token}x", "Bearer ä"):
            headers = {"Authorization": token.encode("latin-1")} if token else {}
            for path in (
                "/v2/Users",
                "/Users",
                "/v2/Groups",
                "/_sandbox/log",
                "/_sandbox/faults",
                "/v2/Bulk",
            ):
                answer = await http.get(f"{root}{path}", headers=headers)
                assert answer.status_code == 401, path
                assert "larkfield" not in answer.text


async def test_faults_cannot_be_armed_unless_asked_for(tmp_path: Path) -> None:
    async with directory(tmp_path) as running, as_administrator(running) as http:
        assert (await http.post("/_sandbox/faults", json={"kind": "down"})).status_code == 404
        assert (await http.get("/v2/Users")).status_code == 200


async def test_only_this_machine_can_connect(tmp_path: Path) -> None:
    async with directory(tmp_path) as running:
        assert running.url.startswith("http://127.0.0.1:")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", running.port), timeout=5)  # answers on 0.0.0.0 only


async def test_a_taken_port_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PartFailed, match=f"port {port} on 127.0.0.1 cannot be used") as caught:
            async with directory(tmp_path, port=port):
                pass
    assert caught.value.code == PORT_TAKEN


async def test_a_state_in_use_is_named(tmp_path: Path) -> None:
    async with directory(tmp_path):
        with pytest.raises(PartFailed, match="another directory server uses") as caught:
            async with directory(tmp_path):
                pass
    assert caught.value.code == STATE_UNUSABLE


async def test_a_damaged_state_is_named(tmp_path: Path) -> None:
    (tmp_path / "directory.sqlite").write_bytes(b"this is no database" * 100)
    with pytest.raises(PartFailed, match="cannot keep the directory in") as caught:
        async with directory(tmp_path):
            pass
    assert caught.value.code == STATE_UNUSABLE


@pytest.mark.parametrize("content", [None, "", "short", "with spaces in the middle", "ä" * 20])
async def test_a_token_that_cannot_be_used_is_named(tmp_path: Path, content: str | None) -> None:
    token_file = tmp_path / "token"
    if content is not None:
        token_file.write_text(content)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "connectors.sandbox.directory",
        *("--port", "0", "--state", str(tmp_path), "--token-file", str(token_file)),
        *("--read-token-file", str(token_file)),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()

    assert process.returncode == TOKEN_UNUSABLE
    assert out == b""
    assert str(token_file) in err.decode()
    assert b"Traceback" not in err


async def test_the_block_leaves_no_process_behind(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="inside"):
        async with directory(tmp_path) as running:
            raise ValueError("inside")

    assert running.process.returncode == 0
