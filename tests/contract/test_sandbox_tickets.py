"""The sandbox's ticket system as a process: it keeps what it answered, and says why it cannot start."""

import asyncio
import signal
import socket
import threading
from contextlib import closing, suppress
from itertools import count
from pathlib import Path

import httpx
import pytest

from connectors.sandbox.process import tickets
from connectors.sandbox.supervision import PartFailed
from tests.contract.tracker import Tracker, as_account

PORT_TAKEN, STATE_UNUSABLE = 3, 4  # as its launcher says it, which imports nothing of ours


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
async def test_state_and_credentials_survive_the_end_of_the_process(
    tmp_path: Path, end: signal.Signals
) -> None:
    async with tickets(tmp_path) as first:
        with as_account(first.url, first.token) as http:
            Tracker(running=first, state=tmp_path, http=http).ticket("The balance drifts")
        first.process.send_signal(end)
        code = await asyncio.wait_for(first.process.wait(), 10)

    assert code == (-end if end is signal.SIGKILL else 0)
    async with tickets(tmp_path, port=first.port) as second:
        assert second.url == first.url
        with as_account(second.url, first.token) as http:  # whoever was connected stays so
            tracker = Tracker(running=second, state=tmp_path, http=http)
            assert [row[1] for row in tracker.tickets()] == ["The balance drifts"]
            assert http.get("rest/data/issue/1").status_code == 200


@pytest.mark.crash
async def test_every_ticket_that_was_answered_survives_a_kill_at_any_moment(tmp_path: Path) -> None:
    answered: list[str] = []
    for round_number in range(3):
        async with tickets(tmp_path) as running:
            with closing(as_account(running.url, running.token)) as http:
                tracker = Tracker(running=running, state=tmp_path, http=http)
                enough = threading.Event()
                writing = asyncio.create_task(
                    asyncio.to_thread(keep_opening, tracker, answered, 4 + 3 * round_number, enough)
                )
                assert await asyncio.to_thread(enough.wait, 60)
                running.process.kill()
                await writing
    async with tickets(tmp_path) as running:
        with as_account(running.url, running.token) as http:
            kept = {str(row[0]) for row in Tracker(running=running, state=tmp_path, http=http).tickets()}
            assert set(answered) <= kept
            assert len(kept) <= len(answered) + 3  # the one under way may have been kept
            last = http.get(f"rest/data/issue/{answered[-1]}").json()["data"]["attributes"]["messages"]
            shown = http.get(f"rest/data/msg/{last[0]['id']}", params={"@verbose": "3"}).json()
            assert shown["data"]["attributes"]["content"].startswith("words ")


def keep_opening(tracker: Tracker, answered: list[str], many: int, enough: threading.Event) -> None:
    with suppress(httpx.TransportError):
        for number in count():
            message = tracker.post("msg", author="countersign", content=f"words {number}")
            answered.append(tracker.ticket(f"ticket {len(answered)}", messages=[message]))
            if number == many:
                enough.set()


async def test_a_taken_port_and_a_state_in_use_are_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PartFailed, match=f"port {port} on 127.0.0.1 cannot be used") as caught:
            async with tickets(tmp_path, port=port):
                pass
    assert caught.value.code == PORT_TAKEN
    async with tickets(tmp_path):
        with pytest.raises(PartFailed, match="another ticket system uses") as caught:
            async with tickets(tmp_path):
                pass
    assert caught.value.code == STATE_UNUSABLE


async def test_one_that_was_killed_while_it_was_made_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "tracker/db").mkdir(parents=True)
    (tmp_path / "tracker/db/db").write_bytes(b"half")
    async with tickets(tmp_path) as running:
        with as_account(running.url, running.token) as http:
            assert http.get("rest/data/issue").status_code == 200


async def test_only_this_machine_can_connect(tmp_path: Path) -> None:
    async with tickets(tmp_path) as running:
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.2", running.port), timeout=5)  # answers on 0.0.0.0 only
