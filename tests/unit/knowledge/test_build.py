"""Editions: built beside the one that serves, swapped at once, never half there."""

import fcntl
import resource
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from knowledge.build import build
from knowledge.edition import Edition, current_id, open_current
from knowledge.errors import BuildFailed, DamagedEdition, KnowledgeError, NoEdition, NothingToIngest
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import Heard, Words

Ingest = Callable[[dict[str, str | bytes]], Edition]
LEAVE = "# Leave\n\nEverybody has 25 days.\n\n## Sick leave\n\nTell your manager by 9:00.\n"


def left_over(home: Path) -> list[str]:
    return [path.name for path in (home / "editions").glob(".building-*")]


def test_an_edition_serves_after_it_is_built(ingest: Ingest, tmp_path: Path) -> None:
    edition = ingest({"leave.md": LEAVE})
    assert current_id(tmp_path / "home") == edition.id
    opened = open_current(tmp_path / "home")
    assert [head.document for head in opened.documents] == ["leave.md"]
    assert opened.passages == 2
    assert (tmp_path / "home" / "editions").stat().st_mode & 0o077 == 0


def test_before_the_first_ingest_there_is_no_edition(tmp_path: Path) -> None:
    assert current_id(tmp_path) is None
    with pytest.raises(NoEdition, match="countersign ingest"):
        open_current(tmp_path)


def test_a_section_is_found_by_document_and_anchor(ingest: Ingest) -> None:
    edition = ingest({"leave.md": "---\nurl: https://x.example/leave\nowner: people\n---\n" + LEAVE})
    section = edition.section("leave.md", "sick-leave")
    assert section is not None
    assert section.text == "## Sick leave\nTell your manager by 9:00."
    assert section.path == ("Leave", "Sick leave")
    assert (section.url, section.owner) == ("https://x.example/leave#sick-leave", "people")
    assert len(section.hash) == 64
    assert edition.section("leave.md", "no-such") is None
    assert edition.section("other.md", "sick-leave") is None


def test_nothing_is_built_when_nothing_has_changed(ingest: Ingest, words: Words, heard: Heard) -> None:
    first = ingest({"leave.md": LEAVE, "bad.pdf": b"%PDF-1.4 broken"})
    heard.problems.clear()
    heard.steps.clear()
    again = ingest({})
    assert again.id == first.id
    assert not heard.steps
    assert [problem.document for problem in heard.problems] == ["bad.pdf"]


def test_unchanged_text_is_never_embedded_twice(ingest: Ingest, words: Words) -> None:
    ingest({"leave.md": LEAVE, "pay.md": "# Pay\n\nPaid on the 25th.\n"})
    words.embedded.clear()
    edition = ingest({"pay.md": "# Pay\n\nPaid on the 26th.\n"})
    assert words.embedded == ["pay\nPaid on the 26th."]
    assert edition.passages == 3


def test_the_same_documents_make_the_same_edition_anywhere(tmp_path: Path, heard: Heard) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "leave.md").write_text(LEAVE)
    ids = {build(tmp_path / name, [Folder(source)], Words(), heard).id for name in ("one", "two")}
    assert len(ids) == 1


def test_a_reader_keeps_its_edition_while_another_is_built(ingest: Ingest, tmp_path: Path) -> None:
    first = ingest({"leave.md": LEAVE})
    second = ingest({"leave.md": LEAVE.replace("25", "26")})
    assert first.id != second.id
    old, new = first.section("leave.md", "leave"), second.section("leave.md", "leave")
    assert old is not None
    assert new is not None
    assert "25 days" in old.text
    assert "26 days" in new.text


def test_the_served_vectors_are_those_that_chroma_holds(ingest: Ingest) -> None:
    from knowledge import vectors

    edition = ingest({"leave.md": LEAVE})
    assert np.array_equal(edition.matrix, vectors.read(edition.folder / "chroma"))


def test_a_lost_or_changed_copy_of_the_vectors_is_read_from_chroma_again(
    ingest: Ingest, tmp_path: Path
) -> None:
    edition = ingest({"leave.md": LEAVE})
    expected = np.array(edition.matrix)
    np.save(edition.folder / "vectors.npy", expected[::-1])
    assert np.array_equal(open_current(tmp_path / "home").matrix, expected)
    (edition.folder / "vectors.npy").unlink()
    assert np.array_equal(open_current(tmp_path / "home").matrix, expected)


def test_a_changed_manifest_is_not_believed(ingest: Ingest, tmp_path: Path) -> None:
    edition = ingest({"leave.md": LEAVE})
    manifest = edition.folder / "manifest.json"
    manifest.write_text(manifest.read_text().replace("leave.md", "other.md"))
    with pytest.raises(DamagedEdition):
        open_current(tmp_path / "home")
    assert ingest({}).id == edition.id  # and the next ingest repairs it
    assert open_current(tmp_path / "home").section("leave.md", "leave") is not None


@pytest.mark.parametrize("content", ["", "../../etc\n", "0123456789abcdef\n"])
def test_a_current_file_that_names_no_edition_is_a_clear_error(tmp_path: Path, content: str) -> None:
    (tmp_path / "editions").mkdir()
    (tmp_path / "editions" / "current").write_text(content)
    with pytest.raises(KnowledgeError):
        open_current(tmp_path)


def test_what_cannot_be_read_is_reported_and_the_rest_is_there(ingest: Ingest, heard: Heard) -> None:
    edition = ingest(
        {"leave.md": LEAVE, "bad.pdf": b"%PDF-1.4 broken", "closed.md": "---\naudience: []\n---\nSecret"}
    )
    assert [head.document for head in edition.documents] == ["leave.md"]
    assert sorted(problem.document for problem in heard.problems) == ["bad.pdf", "closed.md"]


def test_an_empty_or_useless_source_leaves_the_old_edition_serving(
    ingest: Ingest, tmp_path: Path, words: Words, heard: Heard
) -> None:
    edition = ingest({"leave.md": LEAVE})
    empty = tmp_path / "empty"
    empty.mkdir()
    useless = tmp_path / "useless"
    useless.mkdir()
    (useless / "a.pdf").write_bytes(b"no")
    for source in (empty, useless, tmp_path / "missing"):
        with pytest.raises(NothingToIngest):
            build(tmp_path / "home", [Folder(source)], words, heard)
    assert current_id(tmp_path / "home") == edition.id
    assert left_over(tmp_path / "home") == []


def test_two_sources_may_not_name_one_document(tmp_path: Path, words: Words, heard: Heard) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "leave.md").write_text(f"# Leave {name}\n\nText of {name}.\n")
    edition = build(tmp_path / "home", [Folder(tmp_path / "one"), Folder(tmp_path / "two")], words, heard)
    section = edition.section("leave.md", "leave-one")
    assert section is not None
    assert "same name" in heard.problems[0].reason


def test_a_second_ingest_waits_for_the_first(
    ingest: Ingest, tmp_path: Path, words: Words, heard: Heard
) -> None:
    ingest({"leave.md": LEAVE})
    with (tmp_path / "home" / "editions" / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=ingest, args=({"pay.md": "# Pay\n\nMonthly.\n"},))
        second.start()
        deadline = time.monotonic() + 10
        while not heard.notes and time.monotonic() < deadline:
            time.sleep(0.01)
        assert "waiting" in heard.notes[0]
        assert len(open_current(tmp_path / "home").documents) == 1
        fcntl.flock(lock, fcntl.LOCK_UN)
        second.join(30)
    assert len(open_current(tmp_path / "home").documents) == 2


def test_what_a_killed_ingest_left_is_cleared_away(ingest: Ingest, tmp_path: Path) -> None:
    ingest({"leave.md": LEAVE})
    (tmp_path / "home" / "editions" / ".building-dead" / "edition").mkdir(parents=True)
    ingest({"pay.md": "# Pay\n\nMonthly.\n"})
    assert left_over(tmp_path / "home") == []


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of two megabytes; where none may be mounted, files of at most 400 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(place)]
    if subprocess.run(mount, capture_output=True, check=False).returncode == 0:
        yield place
        subprocess.run(["umount", "-l", str(place)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, before[1]))
    yield place
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_leaves_the_old_edition_serving_and_nothing_half_built(
    small_disk: Path, tmp_path: Path, words: Words, heard: Heard
) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "leave.md").write_text(LEAVE)
    edition = build(small_disk, [Folder(source)], words, heard)
    for number in range(300):
        (source / f"policy-{number}.md").write_text(
            f"# Policy {number}\n\nRule {number} is {number}. {'Word ' * 60}\n"
        )
    with pytest.raises(BuildFailed, match="still serves"):
        build(small_disk, [Folder(source)], words, heard)
    assert current_id(small_disk) == edition.id
    assert left_over(small_disk) == []
    serving = open_current(small_disk)
    assert serving.section("leave.md", "leave") is not None
    shutil.rmtree(source)
