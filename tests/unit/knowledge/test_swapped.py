"""Nobody who writes to a folder leads the reading out of it, and one odd entry ends nothing but itself."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.build import build
from knowledge.errors import Unreadable
from knowledge.sources import folder, opening
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.folder import Folder
from knowledge.sources.local import LocalFolder
from knowledge.sources.mirror import Mirrored
from tests.unit.knowledge.conftest import Heard, Words

SECRET = "The signing key of the company is 12345.\n"
Act = Callable[[Path, Path], None]


@pytest.fixture
def share(tmp_path: Path) -> Path:
    share = tmp_path / "share"
    (share / "sub").mkdir(parents=True)
    for name in ("a.md", "sub/b.md", "z.md"):
        (share / name).write_text("# A\n\nInnocent text of the policy.\n")
    return share


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    secret = tmp_path / "secret"
    secret.mkdir()
    for name in ("a.md", "b.md"):
        (secret / name).write_text(SECRET)
        (secret / name).chmod(0o600)
    return secret


def linked(share: Path, secret: Path) -> None:
    for name in ("a.md", "sub/b.md"):
        (share / name).unlink()
        (share / name).symlink_to(secret / Path(name).name)


def above(share: Path, secret: Path) -> None:
    (share / "a.md").unlink()
    (share / "sub").rename(share / "old")
    (share / "sub").symlink_to(secret)


def hard(share: Path, secret: Path) -> None:
    for name in ("a.md", "sub/b.md"):
        (share / name).unlink()
        (share / name).hardlink_to(secret / Path(name).name)


def other(share: Path, secret: Path) -> None:
    for name in ("a.md", "sub/b.md"):
        (share / name).unlink()
        (share / name).write_text(SECRET)


def pipes(share: Path, secret: Path) -> None:
    for name in ("a.md", "sub/b.md"):
        (share / name).unlink()
        os.mkfifo(share / name)


def circle(share: Path, secret: Path) -> None:
    for name in ("a.md", "sub/b.md"):
        (share / name).unlink()
        (share / name).symlink_to(Path(name).name)


def gone(share: Path, secret: Path) -> None:
    (share / "a.md").unlink()
    (share / "sub" / "b.md").unlink()


ACTS: tuple[Act, ...] = (linked, above, hard, other, pipes, circle, gone)


@pytest.mark.parametrize("act", ACTS)
def test_what_was_exchanged_after_the_listing_is_refused(share: Path, secret: Path, act: Act) -> None:
    found = {one.document: one for one in Folder(share).entries()}
    act(share, secret)
    for name in ("a.md", "sub/b.md"):
        entry = found[name]
        assert isinstance(entry, Entry)
        with pytest.raises(Unreadable):
            entry.read()
    last = found["z.md"]
    assert isinstance(last, Entry)
    assert last.read().words


@pytest.mark.parametrize("act", [linked, hard, pipes, circle])
def test_what_is_odd_from_the_start_is_a_problem_of_its_own(share: Path, secret: Path, act: Act) -> None:
    act(share, secret)
    found = {one.document: one for one in Folder(share).entries()}
    assert [isinstance(found[name], Problem) for name in ("a.md", "sub/b.md", "z.md")] == [True, True, False]


@pytest.mark.parametrize("act", [act for act in ACTS if act is not other])
def test_what_is_exchanged_while_a_source_is_copied_is_left_out(
    share: Path, secret: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, act: Act
) -> None:
    source = Mirrored(
        name="files", home=tmp_path / "home", fetcher=LocalFolder(path=share), defaults=Defaults()
    )
    before = folder.File.content

    def exchanged(file: folder.File) -> bytes:
        if file.name == "a.md":
            act(share, secret)
        return before(file)

    monkeypatch.setattr(folder.File, "content", exchanged)
    source.fetch()
    found = {one.document: one for one in source.entries()}
    assert isinstance(found["files/a.md"], Problem)
    assert isinstance(found["files/sub/b.md"], Problem)
    assert isinstance(found["files/z.md"], Entry)
    kept = (tmp_path / "home").rglob("*")
    assert not any(SECRET in path.read_text() for path in kept if path.is_file())


def test_a_circle_in_one_source_ends_no_ingest(
    share: Path, secret: Path, tmp_path: Path, words: Words, heard: Heard
) -> None:
    circle(share, secret)
    (share / "c.md").symlink_to("d.md")
    (share / "d.md").symlink_to("c.md")
    (share / "round").symlink_to(".")
    (share / "out.md").symlink_to(secret / "a.md")
    (share / "nowhere.md").symlink_to("gone.md")
    other_source = tmp_path / "other"
    other_source.mkdir()
    (other_source / "leave.md").write_text("# Leave\n\n25 days.\n")
    edition = build(tmp_path / "home", [Folder(share), Folder(other_source)], words, heard)
    assert {head.document for head in edition.documents} == {"z.md", "leave.md"}
    told = {problem.document: problem.reason for problem in heard.problems}
    assert {"a.md", "sub/b.md", "c.md", "d.md"} <= {name for name in told if "leads to itself" in told[name]}
    assert "outside the source" in told["out.md"]
    assert "leads nowhere" in told["nowhere.md"]


def test_a_link_within_the_source_is_what_it_leads_to(share: Path) -> None:
    (share / "link.md").symlink_to("sub/b.md")
    found = {one.document: one for one in Folder(share).entries()}
    entry = found["link.md"]
    assert isinstance(entry, Entry)
    assert "Innocent" in str(entry.read().parts)


def test_a_second_name_of_a_public_file_of_ones_own_is_read(share: Path, tmp_path: Path) -> None:
    (share / "copy.md").hardlink_to(share / "a.md")
    found = {one.document: one for one in Folder(share).entries()}
    assert isinstance(found["copy.md"], Entry)
    assert opening.content(share / "copy.md")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_second_name_of_somebody_elses_file_is_refused(share: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.md"
    foreign.write_text(SECRET)
    foreign.chmod(0o644)
    os.chown(foreign, 12345, 12345)
    (share / "foreign.md").hardlink_to(foreign)
    found = {one.document: one for one in Folder(share).entries()}
    problem = found["foreign.md"]
    assert isinstance(problem, Problem)
    assert "hard link" in problem.reason
