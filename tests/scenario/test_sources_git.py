"""A Git repository as a source, from a real git server on loopback."""

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.errors import Unreachable
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.git import GitRepository
from knowledge.sources.mirror import Mirrored

LEAVE = "---\ntitle: Leave\naudience: [people-team, everyone]\n---\n# Leave\n\nEverybody has 25 days.\n"
IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@larkfield.example")


def git(folder: Path, *words: str) -> str:
    done = subprocess.run(["git", *IDENTITY, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def commit(folder: Path, files: dict[str, str | None]) -> str:
    """Write files, delete those of None, and commit; return the commit's id."""
    for name, text in files.items():
        path = folder / name
        if text is None:
            path.unlink()
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "Change")
    return git(folder, "rev-parse", "HEAD")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A repository with a handbook in the folder docs."""
    folder = tmp_path / "served" / "handbook"
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main")
    commit(folder, {"docs/leave.md": LEAVE, "docs/logo.png": "x", "README.md": "# Other\n\nNot this.\n"})
    return folder


@pytest.fixture
def server(work: Path) -> Iterator[str]:
    """`git daemon` over the repository."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["git", "daemon", "--reuseaddr", "--export-all", "--listen=127.0.0.1", f"--port={port}"]
    process = subprocess.Popen([*command, f"--base-path={work.parent}", str(work.parent)])
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            break
        except OSError:
            time.sleep(0.05)
    yield f"git://127.0.0.1:{port}/handbook"
    process.terminate()
    process.wait(10)


def mirrored(home: Path, repository: GitRepository, **defaults: object) -> Mirrored:
    return Mirrored(name="handbook", home=home, fetcher=repository, defaults=Defaults(**defaults))  # type: ignore[arg-type]


def found(source: Mirrored) -> dict[str, Entry]:
    return {one.document: one for one in source.entries() if isinstance(one, Entry)}


LINK = "https://git.larkfield.example/handbook/blob/{branch}/{path}"


def test_a_branch_and_folder_are_read_with_their_commit_and_address(
    server: str, work: Path, tmp_path: Path
) -> None:
    first = git(work, "rev-parse", "HEAD")
    source = mirrored(tmp_path / "home", GitRepository(url=server, folder="docs", link=LINK), owner="people")
    source.fetch()
    assert list(found(source)) == ["handbook/leave.md"]
    document = found(source)["handbook/leave.md"].read()
    assert document.terms.version == first[:12]
    assert document.terms.url == "https://git.larkfield.example/handbook/blob/main/docs/leave.md"
    assert document.terms.owner == "people"
    assert source.state == first


def test_only_what_changed_has_a_new_version_and_what_was_deleted_is_gone(
    server: str, work: Path, tmp_path: Path
) -> None:
    first = commit(
        work, {"docs/pay.md": "# Pay\n\nOn the 25th.\n", "docs/old.md": "# Old\n\nSecretly old.\n"}
    )
    source = mirrored(tmp_path / "home", GitRepository(url=server, folder="docs"))
    source.fetch()
    second = commit(work, {"docs/pay.md": "# Pay\n\nOn the 26th.\n", "docs/old.md": None})
    source.fetch()
    versions = {name: entry.read().terms.version for name, entry in found(source).items()}
    assert versions == {"handbook/leave.md": first[:12], "handbook/pay.md": second[:12]}
    assert source.state == second
    kept = [path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not any(b"Secretly old" in content for content in kept)
    objects = git(
        tmp_path / "home" / "cache" / "sources" / "handbook" / "repository", "rev-list", "--all", "--objects"
    )
    assert "old.md" not in objects


def test_an_unchanged_branch_gives_the_same_entries(server: str, work: Path, tmp_path: Path) -> None:
    source = mirrored(tmp_path / "home", GitRepository(url=server))
    source.fetch()
    before = [(entry.document, entry.sha256, entry.basis) for entry in found(source).values()]
    commit(work, {"docs/logo.png": "y"})
    source.fetch()
    assert [(entry.document, entry.sha256, entry.basis) for entry in found(source).values()] == before


def test_a_server_that_is_down_takes_nothing_away(server: str, work: Path, tmp_path: Path) -> None:
    source = mirrored(tmp_path / "home", GitRepository(url=server))
    source.fetch()
    before = list(found(source))
    shutil.move(work, work.parent / "moved")
    with pytest.raises(Unreachable):
        source.fetch()
    assert list(found(source)) == before
    assert source.status()["problem"]


def test_a_branch_that_is_not_there_is_said(server: str, tmp_path: Path) -> None:
    source = mirrored(tmp_path / "home", GitRepository(url=server, branch="release"))
    with pytest.raises(Unreachable, match="release"):
        source.fetch()
    assert not source.is_kept


def test_a_repository_on_this_machine_is_read_too(work: Path, tmp_path: Path) -> None:
    source = mirrored(tmp_path / "home", GitRepository(url=f"file://{work}"))
    source.fetch()
    assert sorted(found(source)) == ["handbook/README.md", "handbook/docs/leave.md"]


def test_a_transport_that_runs_commands_is_refused(tmp_path: Path) -> None:
    trap = tmp_path / "trap"
    source = mirrored(tmp_path / "home", GitRepository(url=f"ext::touch {trap}", branch="main"))
    with pytest.raises(Unreachable):
        source.fetch()
    assert not trap.exists()


def test_a_token_goes_over_https_only_and_never_into_a_message(tmp_path: Path) -> None:
    repository = GitRepository(url="http://git.larkfield.example/handbook", token=lambda: "s3cret")
    with pytest.raises(Unreachable, match="https") as refused:
        mirrored(tmp_path / "home", repository).fetch()
    assert "s3cret" not in str(refused.value)
    assert "s3cret" not in repr(repository)


def test_a_link_out_of_the_repository_is_not_followed(work: Path, tmp_path: Path) -> None:
    (work / "docs" / "passwords.md").symlink_to("/etc/passwd")
    commit(work, {})
    source = mirrored(tmp_path / "home", GitRepository(url=str(work)))
    source.fetch()
    assert "handbook/docs/passwords.md" not in found(source)


def test_the_audience_of_a_source_is_a_bound(work: Path, tmp_path: Path) -> None:
    commit(work, {"docs/board.md": "---\naudience: [board]\n---\n# Board\n\nNumbers.\n"})
    source = mirrored(tmp_path / "home", GitRepository(url=str(work)), audience=frozenset({"people-team"}))
    source.fetch()
    assert found(source)["handbook/docs/leave.md"].read().terms.audience == {"people-team"}
    from knowledge.errors import Unreadable

    with pytest.raises(Unreadable, match="lies outside its source's"):
        found(source)["handbook/docs/board.md"].read()


def test_another_repository_under_the_same_name_is_not_taken_for_the_old_one(
    server: str, work: Path, tmp_path: Path
) -> None:
    repository = GitRepository(url=server)
    mirrored(tmp_path / "home", repository).fetch()
    other = mirrored(tmp_path / "home", replace(repository, folder="docs"))
    assert not other.is_kept
    other.fetch()
    assert list(found(other)) == ["handbook/leave.md"]
    assert not [one for one in other.entries() if isinstance(one, Problem)]


def test_what_a_killed_fetch_left_does_not_stop_the_next_one(server: str, work: Path, tmp_path: Path) -> None:
    source = mirrored(tmp_path / "home", GitRepository(url=server, folder="docs"))
    source.fetch()
    place = tmp_path / "home" / "cache" / "sources" / "handbook"
    (place / "repository" / "shallow.lock").touch()
    (place / "repository" / "refs" / "heads" / "fetched.lock").touch()
    (place / "files" / "tmp-half").write_text("Half a secret.")
    (place / ".writing-half").write_text("Half an index.")
    commit(work, {"docs/pay.md": "# Pay\n\nOn the 25th.\n"})
    source.fetch()
    assert sorted(found(source)) == ["handbook/leave.md", "handbook/pay.md"]
    assert not (place / "files" / "tmp-half").exists()
    assert not (place / ".writing-half").exists()
