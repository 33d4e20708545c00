"""Nobody who writes to a folder leads the reading out of it, and one odd entry ends nothing but itself."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from knowledge.build import build
from knowledge.errors import Unreadable
from knowledge.sources import folder as folder_source
from knowledge.sources import opening
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.folder import Folder
from knowledge.sources.local import LocalFolder
from knowledge.sources.mirror import Mirrored
from tests.unit.knowledge.conftest import Heard, Words

SECRET = "The signing key of the company is 12345.\n"
Act = Callable[[Path, Path], None]


ODD = ("a.md", "sub/b.md")  # what is exchanged; z.md stays as it is


def laid(folder: Path) -> tuple[Path, Path]:
    """Lay out a folder that is shared, and one that is secret."""
    share, secret = folder / "share", folder / "secret"
    (share / "sub").mkdir(parents=True)
    for name in (*ODD, "z.md"):
        (share / name).write_text("# A\n\nInnocent text of the policy.\n")
    secret.mkdir()
    for name in ("a.md", "b.md"):
        (secret / name).write_text(SECRET)
        (secret / name).chmod(0o600)
    return share, secret


@pytest.fixture
def share(tmp_path: Path) -> Path:
    return laid(tmp_path)[0]


@pytest.fixture
def secret(share: Path) -> Path:
    return share.parent / "secret"


def linked(share: Path, secret: Path) -> None:
    for name in ODD:
        (share / name).unlink()
        (share / name).symlink_to(secret / Path(name).name)


def above(share: Path, secret: Path) -> None:
    (share / "a.md").unlink()
    (share / "sub").rename(share / "old")
    (share / "sub").symlink_to(secret)


def hard(share: Path, secret: Path) -> None:
    for name in ODD:
        (share / name).unlink()
        (share / name).hardlink_to(secret / Path(name).name)


def other(share: Path, secret: Path) -> None:
    for name in ODD:
        (share / name).unlink()
        (share / name).write_text(SECRET)


def pipes(share: Path, secret: Path) -> None:
    for name in ODD:
        (share / name).unlink()
        os.mkfifo(share / name)


def circle(share: Path, secret: Path) -> None:
    for name in ODD:
        (share / name).unlink()
        (share / name).symlink_to(Path(name).name)


def gone(share: Path, secret: Path) -> None:
    (share / "a.md").unlink()
    (share / "sub" / "b.md").unlink()


ACTS: tuple[Act, ...] = (linked, above, hard, other, pipes, circle, gone)
ODD_AT_ONCE: tuple[Act, ...] = (linked, hard, pipes, circle)
WHILE_COPIED = tuple(act for act in ACTS if act is not other)


def exchanged_after_the_listing(folder: Path, act: Act) -> None:
    """Assert that what was exchanged between listing and reading is refused, and the rest is read."""
    share, secret = laid(folder)
    found = {one.document: one for one in Folder(share).entries()}
    act(share, secret)
    for name in ODD:
        assert _is_refused(found[name]), name
    last = found["z.md"]
    assert isinstance(last, Entry)
    assert last.read().words


def odd_from_the_start(folder: Path, act: Act) -> None:
    """Assert that what was odd when it was listed is a problem of its own, and the rest is read."""
    share, secret = laid(folder)
    act(share, secret)
    found = {one.document: one for one in Folder(share).entries()}
    assert [isinstance(found[name], Problem) for name in (*ODD, "z.md")] == [True, True, False]


def exchanged_while_copied(folder: Path, act: Act) -> None:
    """Assert that what is exchanged while its source is copied is left out, and nothing secret is kept."""
    share, secret = laid(folder)
    source = Mirrored(
        name="files", home=folder / "home", fetcher=LocalFolder(path=share), defaults=Defaults()
    )
    before = folder_source.File.content

    def exchanged(file: folder_source.File) -> bytes:
        if file.name == "a.md":
            act(share, secret)
        return before(file)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder_source.File, "content", exchanged)
        source.fetch()
    found = {one.document: one for one in source.entries()}
    assert [isinstance(found[f"files/{name}"], Problem) for name in (*ODD, "z.md")] == [True, True, False]
    kept = (folder / "home").rglob("*")
    assert not any(SECRET in path.read_text() for path in kept if path.is_file())


def _is_refused(entry: Entry | Problem) -> bool:
    assert isinstance(entry, Entry)
    try:
        entry.read()
    except Unreadable:
        return True
    return False


@pytest.mark.parametrize("act", ACTS)
def test_what_was_exchanged_after_the_listing_is_refused(tmp_path: Path, act: Act) -> None:
    exchanged_after_the_listing(tmp_path, act)


@pytest.mark.parametrize("act", ODD_AT_ONCE)
def test_what_is_odd_from_the_start_is_a_problem_of_its_own(tmp_path: Path, act: Act) -> None:
    odd_from_the_start(tmp_path, act)


@pytest.mark.parametrize("act", WHILE_COPIED)
def test_what_is_exchanged_while_a_source_is_copied_is_left_out(tmp_path: Path, act: Act) -> None:
    exchanged_while_copied(tmp_path, act)


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
