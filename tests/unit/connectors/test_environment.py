"""The environment of the sandbox's servers: where it is, when it is made, what is said when it cannot be."""

from pathlib import Path

import pytest

from connectors.sandbox import environment

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """An installer that installs nothing; what it was asked."""
    asked: list[tuple[str, ...]] = []

    def run(*command: str) -> None:
        asked.append(command)
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin/python").touch()

    monkeypatch.setattr(environment, "_run", run)
    return asked


def test_it_is_beside_the_other_one_in_a_checkout(tmp_path: Path) -> None:
    assert environment.folder(tmp_path) == ROOT / ".venv-sandbox"


def test_it_is_in_the_home_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    installed = tmp_path / "site-packages/connectors/sandbox/environment.py"
    monkeypatch.setattr(environment, "__file__", str(installed))
    assert environment.folder(tmp_path / "home") == tmp_path / "home/sandbox/.venv"


def test_it_is_made_once_and_again_for_another_lock(
    tmp_path: Path, made: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    assert not environment.is_ready(tmp_path)
    assert environment.ensure(tmp_path, said.append) == tmp_path / "bin/python"
    asked = len(made)
    environment.ensure(tmp_path, said.append)
    assert (len(made), len(said)) == (asked, 1)

    other = tmp_path / "other.lock"
    other.write_text("roundup==99 --hash=sha256:00\n")
    monkeypatch.setattr(environment, "LOCK", other)
    environment.ensure(tmp_path, said.append)
    assert (len(made), len(said)) == (2 * asked, 2)


@pytest.mark.parametrize("uv", ["/usr/bin/uv", None], ids=["uv", "pip"])
def test_nothing_is_installed_without_its_hash(
    tmp_path: Path, made: list[tuple[str, ...]], monkeypatch: pytest.MonkeyPatch, uv: str | None
) -> None:
    monkeypatch.setattr(environment, "_uv", lambda: uv)
    environment.ensure(tmp_path, lambda _: None)
    assert "--require-hashes" in made[-1]
    assert str(environment.LOCK) in made[-1]


def test_a_failed_installation_says_why_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "uv"
    broken.write_text("#!/bin/sh\necho 'error: no such host' >&2\nexit 2\n")
    broken.chmod(0o700)
    monkeypatch.setattr(environment, "_uv", lambda: str(broken))
    with pytest.raises(environment.EnvironmentFailed, match=r"error: no such host\. .* try again"):
        environment.ensure(tmp_path / "venv", lambda _: None)
    assert not environment.is_ready(tmp_path / "venv")


def test_the_lock_names_no_index_and_a_hash_for_every_package() -> None:
    text = environment.LOCK.read_text(encoding="utf-8")
    assert "http" not in text
    packages = [line for line in text.splitlines() if "==" in line and not line.startswith(" ")]
    assert packages
    assert all(line.endswith("\\") for line in packages)
