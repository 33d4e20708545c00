"""`countersign demo` as somebody's terminal runs it: however it ends, nothing is left of it."""

import asyncio
import json
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot import serving
from connectors.sandbox.supervision import python
from knowledge.edition import open_current
from tests.town import copied, free_port, nothing_left, processes, until

pytestmark = [pytest.mark.crash, pytest.mark.asyncio(loop_scope="session")]

ALONE_WITHIN = 60.0  # seconds after which nothing may be left of a demo whose supervisor was killed


class Demo:
    """A demo that runs, and what it has said."""

    def __init__(self, home: Path, process: asyncio.subprocess.Process) -> None:
        self.home = home
        self.process = process
        self.said = ""

    async def says(self, words: str) -> None:
        """Read on until it says these words."""
        assert self.process.stdout is not None
        async with asyncio.timeout(120):
            while words not in self.said:
                line = await self.process.stdout.readline()
                assert line, f"it ended: {self.said}"
                self.said += line.decode()

    async def ends(self) -> int:
        async with asyncio.timeout(60):
            output, _ = await self.process.communicate()
        self.said += output.decode()
        assert self.process.returncode is not None
        return self.process.returncode


@asynccontextmanager
async def demo(home: Path, port: int) -> AsyncIterator[Demo]:
    with nothing_left(home):
        process = await asyncio.create_subprocess_exec(
            *python("bot.cli", "demo", "--home", str(home), "--port", str(port)),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield Demo(home, process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()


@pytest.fixture
def home(prepared_home: Path, tmp_path: Path) -> Path:
    return copied(prepared_home, tmp_path / "home")


async def test_ctrl_c_leaves_nothing_and_the_next_start_is_quick(home: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        begun = time.monotonic()
        async with demo(home, free_port()) as running:
            await running.says("Ready after")
            took = time.monotonic() - begun
            running.process.send_signal(number)
            running.process.send_signal(number)  # by somebody impatient
            assert await running.ends() == 0
            assert "Stopping." in running.said
            assert "Traceback" not in running.said
            assert not processes(home)
        seconds = re.search(r"Ready after ([\d.]+) s", running.said)
        assert seconds
        print(f"ready after {seconds[1]} s, {took:.1f} s with the interpreter's own start")


async def test_ctrl_c_while_it_starts_leaves_nothing(home: Path) -> None:
    async with demo(home, free_port()) as running:
        await running.says("Starting")

        async def begun() -> bool:
            return sum("bot.demo.part" in command for command in processes(home).values()) == 3

        await until(begun, "the processes of the demo")
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == 130
        assert "Stopped before it was ready." in running.said
        assert not processes(home)


async def test_a_home_of_another_release_reads_its_handbook_anew(home: Path) -> None:
    served = home / "editions" / (home / "editions" / "current").read_text().strip()
    manifest = json.loads((served / "manifest.json").read_text())
    (served / "manifest.json").write_text(json.dumps({**manifest, "format": 0}))
    async with demo(home, free_port()) as running:
        await running.says("Ready after")
        assert "Reading the sample handbook" in running.said
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == 0
    edition = await asyncio.to_thread(lambda: open_current(home, serving.of_home(home)))
    edition.close()


async def test_a_demo_whose_supervisor_is_killed_ends_by_itself(home: Path) -> None:
    async with demo(home, free_port()) as running:
        await running.says("Ready after")
        running.process.kill()
        await running.process.wait()

        async def gone() -> bool:
            return not processes(home)

        await until(gone, "the end of every process", within=ALONE_WITHIN)


async def test_a_taken_port_is_named_and_nothing_is_started(home: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        async with demo(home, port) as running:
            assert await running.ends() != 0
    assert f"Port {port} on this machine is taken" in " ".join(running.said.split())
    assert "--port" in running.said
    assert "Traceback" not in running.said


async def test_a_part_that_dies_is_started_again_and_leaves_nothing_either(home: Path) -> None:
    """Whoever is killed cannot tidy up; whoever ends the demo does."""
    async with demo(home, free_port()) as running:
        await running.says("Ready after")
        for part in ("bot", "directory", "workspace"):
            former = part_of(home, part)
            os.kill(former, signal.SIGKILL)

            async def back(part: str = part, former: int = former) -> bool:
                return part_of(home, part) not in {0, former}

            await until(back, f"the {part}")
        running.process.send_signal(signal.SIGINT)
        assert await running.ends() == 0
        assert not processes(home)


def part_of(home: Path, part: str) -> int:
    wanted = f"bot.demo.part {part} "
    return next((one for one, command in processes(home).items() if wanted in command), 0)
