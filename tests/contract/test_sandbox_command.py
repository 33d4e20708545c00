"""`countersign sandbox`: its servers go on after the command, are found again, and only they are ended."""

import asyncio
import json
import os
import signal
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from connectors.sandbox.supervision import python
from tests.town import nothing_left


@dataclass(frozen=True, kw_only=True)
class Done:
    """How a command ended."""

    code: int
    said: str
    progress: str

    @property
    def servers(self) -> dict[str, dict[str, Any]]:
        return {one["name"]: one for one in json.loads(self.said)["servers"]}


@dataclass(frozen=True, kw_only=True)
class Sandbox:
    """The sandbox of one home, as a terminal sees it."""

    home: Path

    async def __call__(self, *words: str) -> Done:
        process = await asyncio.create_subprocess_exec(
            *python("bot.cli", "sandbox", *words, "--home", str(self.home)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        said, progress = await asyncio.wait_for(process.communicate(), 180)
        assert process.returncode is not None
        assert b"Traceback" not in progress, progress.decode()
        return Done(code=process.returncode, said=said.decode(), progress=progress.decode())

    async def json(self, *words: str) -> dict[str, dict[str, Any]]:
        return (await self(*words, "--json")).servers

    def record(self, name: str) -> dict[str, Any]:
        return json.loads((self.home / "sandbox" / name / "server.json").read_text())  # type: ignore[no-any-return]

    def write(self, name: str, **values: Any) -> None:
        path = self.home / "sandbox" / name / "server.json"
        path.write_text(json.dumps(self.record(name) | values))


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    sandbox = Sandbox(home=tmp_path / "home")
    with nothing_left(tmp_path):
        yield sandbox
        subprocess.run(
            python("bot.cli", "sandbox", "stop", "--home", str(sandbox.home)), check=True, capture_output=True
        )


def tickets(sandbox: Sandbox) -> list[str]:
    """The titles of the tickets, as the database of the tracker has them."""
    where = sandbox.home / "sandbox/tickets/state/tracker/db/db"
    with sqlite3.connect(f"file:{where}?mode=ro", uri=True) as db:
        found = [row[0] for row in db.execute("SELECT _title FROM _issue ORDER BY id")]
    db.close()
    return found


def open_ticket(sandbox: Sandbox, url: str, title: str) -> None:
    token = (sandbox.home / "sandbox/tickets/state/token").read_text()
    headers = {
        "Authorization": f"Bearer {token}",
        "Origin": url.rstrip("/"),
        "Referer": url,
        "X-Requested-With": "tests",
    }
    with httpx.Client(trust_env=False, verify=False, headers=headers) as http:
        http.post(f"{url}rest/data/issue", json={"title": title}).raise_for_status()


async def test_both_start_go_on_and_are_stopped(sandbox: Sandbox) -> None:
    nothing = await sandbox("status")
    assert nothing.code == 1
    assert "does not run. Start it: countersign sandbox start tickets" in nothing.said

    first = await sandbox.json("start")
    assert {one["healthy"] for one in first.values()} == {True}
    again = await sandbox("start", "--json")
    assert again.servers == first
    assert "runs already on" in again.progress
    shown = await sandbox("status")
    assert shown.code == 0
    assert f"{first['tickets']['url']} (process {first['tickets']['pid']}, since 20" in shown.said

    stopped = await sandbox.json("stop")
    assert {one["running"] for one in stopped.values()} == {False}
    assert (await sandbox("stop")).code == 0


async def test_what_was_killed_is_started_where_it_was_with_what_it_held_and_reset_empties_it(
    sandbox: Sandbox,
) -> None:
    first = (await sandbox.json("start", "tickets"))["tickets"]
    open_ticket(sandbox, first["url"], "The balance drifts")
    os.kill(first["pid"], signal.SIGKILL)
    assert (await sandbox.json("status", "tickets"))["tickets"]["running"] is False

    second = (await sandbox.json("start", "tickets"))["tickets"]
    assert (second["url"], second["healthy"]) == (first["url"], True)
    assert second["pid"] != first["pid"]
    assert tickets(sandbox) == ["The balance drifts"]

    third = (await sandbox.json("reset", "tickets"))["tickets"]
    assert (third["url"], third["healthy"]) == (first["url"], True)
    assert tickets(sandbox) == []


async def test_a_process_that_was_given_the_number_of_ours_is_left_alone(sandbox: Sandbox) -> None:
    await sandbox.json("start", "directory")
    await sandbox.json("stop", "directory")
    stranger = await asyncio.create_subprocess_exec("sleep", "600")
    try:
        sandbox.write("directory", pid=stranger.pid)
        done = await sandbox("stop", "directory")
        assert "does not run" in done.progress
        assert stranger.returncode is None
        assert (await sandbox.json("status", "directory"))["directory"]["running"] is False
    finally:
        stranger.kill()
        await stranger.wait()


async def test_a_port_that_another_program_took_is_named_and_another_one_is_chosen(sandbox: Sandbox) -> None:
    first = (await sandbox.json("start", "directory"))["directory"]
    await sandbox.json("stop")
    port = httpx.URL(first["url"]).port
    assert port is not None
    with socket.create_server(("127.0.0.1", port)):
        done = await sandbox("start", "directory", "--json")
    assert f"another program took port {port}" in done.progress
    assert done.servers["directory"]["url"] != first["url"]
    assert done.servers["directory"]["healthy"] is True


async def test_one_that_hangs_is_said_to_and_started_again(sandbox: Sandbox) -> None:
    first = (await sandbox.json("start", "directory"))["directory"]
    os.kill(first["pid"], signal.SIGSTOP)
    shown = await sandbox("status", "directory")
    assert (shown.code, "does not answer" in shown.said) == (1, True)
    second = await sandbox("start", "directory", "--json")
    assert "does not answer; starting it again" in second.progress
    assert second.servers["directory"]["pid"] != first["pid"]


async def test_a_state_that_cannot_be_used_is_named_with_its_log(sandbox: Sandbox) -> None:
    await sandbox.json("start", "directory")
    await sandbox.json("stop")
    (sandbox.home / "sandbox/directory/state/directory.sqlite").write_bytes(b"this is no database" * 100)
    done = await sandbox("start", "directory")
    assert done.code == 2
    assert "The directory (SCIM 2.0) did not start: cannot keep the directory in" in done.progress
    assert "server.log" in done.progress


async def test_two_starts_at_once_start_one(sandbox: Sandbox) -> None:
    one, other = await asyncio.gather(sandbox.json("start", "tickets"), sandbox.json("start", "tickets"))
    assert one == other


async def test_a_name_that_is_unknown_is_answered_with_those_there_are(sandbox: Sandbox) -> None:
    done = await sandbox("start", "ticket")
    assert done.code == 2
    assert "It has: directory, tickets." in done.progress
