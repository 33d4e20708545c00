"""`make tour`: the demo plays its steps by itself, in a home of its own, and all of it happens."""

import os
import subprocess
import sys
from pathlib import Path

from bot.demo.stage import free_port


def test_the_tour_plays_and_ends_well(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bot.cli", "demo", "--tour", "--home", tmp_path / "home"]
    done = subprocess.run(
        [*command, "--port", str(free_port())],
        env={key: value for key, value in os.environ.items() if key != "COUNTERSIGN_HOME"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    assert "All five steps happened." in done.stdout
