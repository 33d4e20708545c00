"""Old editions: listed, compared, verified, made to serve again, swept, and erased to the last byte."""

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner, Result

from bot.commands.editions import app
from knowledge import cache
from knowledge.edition import Edition, current_id
from knowledge.embedder import WIDTH, Reading, Spanned
from knowledge.errors import DamagedEdition, EditionInUse, StillServes
from knowledge.keeping import Retention, erase, ids, sweep
from knowledge.serving import CurrentFile
from knowledge.verify import damages
from tests.unit.knowledge.conftest import Heard, Words

Ingest = Callable[[dict[str, str | bytes]], Edition]
NOW = datetime.now(UTC)
LEAVE = "# Leave\n\nEverybody has 25 days.\n\n## Sick leave\n\nTell your manager by 9:00.\n"
CANARY = "Quillfeather"
SECRET = f"# {CANARY}\n\nThe {CANARY} bonus is seven zlotys, says {CANARY}.\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def three(ingest: Ingest) -> Iterator[list[Edition]]:
    """Three editions, of which the last serves."""
    found = [ingest({"leave.md": LEAVE.replace("25", str(days))}) for days in (25, 26, 27)]
    yield found
    for edition in found:
        edition.close()


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words], env={"COLUMNS": "200"})


def said(*words: str | Path) -> dict[str, object]:
    result = run(*words, "--json")
    assert result.exit_code == 0, result.output
    return dict(json.loads(result.stdout))


def test_the_list_says_what_each_holds_and_which_one_serves(three: list[Edition], home: Path) -> None:
    rows = said("list", "--home", home)
    found = {row["edition"]: row for row in rows["editions"]}  # type: ignore[attr-defined]
    assert found.keys() == {edition.id for edition in three}
    assert [row["edition"] for row in found.values() if row["serves"]] == [three[-1].id]
    assert {(row["documents"], row["passages"]) for row in found.values()} == {(1, 2)}
    assert [row["edition"] for row in rows["activations"]] == [  # type: ignore[attr-defined]
        edition.id for edition in three
    ]
    assert "serves" in run("list", "--home", home).stdout


def test_an_edition_shows_its_documents_and_what_was_left_out_or_hidden(ingest: Ingest, home: Path) -> None:
    edition = ingest(
        {
            "leave.md": f"---\nowner: people@x.example\nreview: 2027-01-01\n---\n{LEAVE}",
            "odd.md": "# Odd\n\nA\u200bB visible.\n",
            "bad.pdf": b"%PDF-1.4 broken",
        }
    )
    row = said("show", "--home", home)
    assert row["edition"] == edition.id
    leave, odd = row["documents"]  # type: ignore[misc]
    assert (leave["owner"], leave["review"], leave["effective"]) == ("people@x.example", "2027-01-01", None)
    assert len(leave["sha256"]) == 64
    assert sum(odd["hidden"].values()) == 1
    assert [problem["document"] for problem in row["problems"]] == ["bad.pdf"]  # type: ignore[attr-defined]
    text = run("show", edition.id[:6], "--home", home).stdout
    assert "people@x.example" in text
    assert "left out  bad.pdf" in text
    assert "removed   odd.md" in text


def test_the_difference_names_documents_terms_sections_and_lines(ingest: Ingest, home: Path) -> None:
    old = ingest({"leave.md": LEAVE, "gone.md": "# Gone\n\nSoon.\n"})
    (home.parent / "source" / "gone.md").unlink()
    new = ingest(
        {"leave.md": f"---\nowner: ada\n---\n{LEAVE.replace('25', '27')}", "new.md": "# New\n\nHere.\n"}
    )
    rows = said("diff", old.id, new.id, "--home", home)["documents"]
    assert [(row["document"], row["change"]) for row in rows] == [  # type: ignore[attr-defined]
        ("gone.md", "removed"),
        ("leave.md", "changed"),
        ("new.md", "added"),
    ]
    assert rows[1]["terms"] == {"owner": {"from": "", "to": "ada"}}  # type: ignore[index]
    (section,) = rows[1]["sections"]  # type: ignore[index]
    assert (section["anchor"], section["change"]) == ("leave", "changed")
    text = run("diff", old.id, new.id, "--text", "--home", home).stdout
    assert "-Everybody has 25 days." in text
    assert "+Everybody has 27 days." in text
    assert "Sick leave" not in text


def test_an_id_is_named_by_its_beginning_and_an_unknown_one_is_a_clear_error(
    three: list[Edition], home: Path
) -> None:
    assert run("verify", three[0].id[:8], "--home", home).exit_code == 0
    unknown = run("show", "zzzz", "--home", home)
    assert unknown.exit_code == 2
    assert "There is no edition zzzz" in unknown.stderr
    (home / "editions" / f"{three[0].id[:4]}ffffffffffff").mkdir()
    assert "More than one" in run("show", three[0].id[:4], "--home", home).stderr


def test_an_edition_serves_again_when_it_is_activated(three: list[Edition], home: Path) -> None:
    result = run("activate", three[0].id, "--home", home)
    assert result.exit_code == 0, result.output
    assert current_id(home) == three[0].id
    history = CurrentFile(home).history()
    assert (history[-1].edition, history[-1].why) == (three[0].id, "activate")
    assert history[-1].by


def _flip(path: Path) -> None:
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    path.write_bytes(raw)


@pytest.mark.parametrize(
    "name", ["texts.sqlite", "vectors.npy", "units.npy", "passages.npy", "wording.json", "lexical/counts.npy"]
)
def test_a_damaged_file_is_found_named_and_never_activated(
    three: list[Edition], home: Path, name: str
) -> None:
    folder = three[0].folder
    three[0].close()
    _flip(folder / name)
    result = run("verify", folder.name, "--home", home)
    assert result.exit_code == 1
    assert name in result.stdout
    refused = run("activate", folder.name, "--home", home)
    assert refused.exit_code == 2
    assert "damaged" in refused.stderr
    assert current_id(home) == three[-1].id


def test_a_changed_text_is_found_by_its_own_hash(three: list[Edition]) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(three[0].folder / "texts.sqlite")) as base:
        base.execute("UPDATE part SET body = replace(body, '25', '99')")
        base.commit()
    assert any(line.startswith("leave.md: its text is not") for line in damages(three[0].folder))


def test_vectors_that_chroma_does_not_hold_are_found(three: list[Edition], ingest: Ingest) -> None:
    import shutil

    shutil.rmtree(three[0].folder / "chroma")
    shutil.copytree(three[1].folder / "chroma", three[0].folder / "chroma")
    assert "Chroma does not hold the vectors that the manifest names" in list(damages(three[0].folder))
    shutil.rmtree(three[0].folder / "chroma")
    assert any("hroma" in line for line in damages(three[0].folder))


def test_retention_keeps_the_one_that_serves_and_the_one_before(three: list[Edition], home: Path) -> None:
    for edition in three:
        edition.close()
    late = NOW + timedelta(days=4000)
    assert sweep(home, CurrentFile(home), Retention(editions=20, days=365), now=NOW) == []
    assert sweep(home, CurrentFile(home), Retention(editions=1, days=1), now=late) == [three[0].id]
    assert set(ids(home)) == {three[1].id, three[2].id}


def test_an_edition_that_is_open_is_not_swept(three: list[Edition], home: Path) -> None:
    assert sweep(home, CurrentFile(home), Retention(editions=1, days=1), now=NOW) == []
    three[0].close()
    assert sweep(home, CurrentFile(home), Retention(editions=1, days=1), now=NOW) == [three[0].id]
    with pytest.raises(DamagedEdition):
        Edition(three[0].folder)


def test_what_is_activated_again_is_not_old(three: list[Edition], home: Path) -> None:
    for edition in three:
        edition.close()
    CurrentFile(home).activate(three[0].id, by="ada", why="activate")
    assert sweep(home, CurrentFile(home), Retention(editions=1, days=1), now=NOW) == [three[1].id]


def files_with(folder: Path, *needles: bytes) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and any(needle in path.read_bytes() for needle in needles)
    ]


class Dense(Words):
    """Vectors with something in every place, so that a piece of one can be looked for."""

    def __init__(self) -> None:
        super().__init__()
        self.made: dict[str, bytes] = {}

    def read(self, texts: Sequence[Spanned], done: Callable[[int], None] | None = None) -> list[Reading]:
        found = super().read(texts, done)
        for (text, _), reading in zip(texts, found, strict=True):
            seed = list(text.encode())
            noise = np.random.default_rng(seed).normal(size=WIDTH).astype(np.float32)
            reading.whole[:] = noise / np.linalg.norm(noise)
            self.made[text] = reading.whole.tobytes()
        return found


@pytest.fixture
def words() -> Dense:
    return Dense()


def test_erasing_a_document_leaves_no_byte_of_it(
    ingest: Ingest, home: Path, heard: Heard, words: Dense
) -> None:
    with_it = ingest({"leave.md": LEAVE, "secret.md": SECRET})
    place = next(n for n, head in enumerate(with_it.documents) if head.document == "secret.md")
    rows = [with_it.matrix[number].tobytes() for number in np.flatnonzero(with_it.owners == place)]
    rows += [
        row for text, row in words.made.items() if CANARY in text
    ]  # Chroma scales, and changes last bits
    vectors = [row[start : start + 64] for row in rows for start in range(0, len(row), 256)]
    needles = [CANARY.encode(), CANARY.lower().encode(), *vectors]
    assert files_with(with_it.folder, *needles)
    assert files_with(home / "cache", *vectors)
    with pytest.raises(StillServes, match="Remove it from its source"):
        erase(home, CurrentFile(home), "secret.md", heard)
    (home.parent / "source" / "secret.md").unlink()
    without = ingest({})
    assert files_with(without.folder, *needles) == []  # of the active edition at once
    assert files_with(home, *needles)
    with_it.close()
    done = erase(home, CurrentFile(home), "secret.md", heard)
    assert (done.editions, done.readings) == ([with_it.id], 1)
    assert files_with(home, *needles) == []
    assert list(damages(without.folder)) == []
    without.close()


def test_a_document_that_a_process_reads_from_is_not_said_to_be_erased(
    ingest: Ingest, home: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("knowledge.keeping._LETTING_GO", 0.3)
    open_one = ingest({"leave.md": LEAVE, "secret.md": SECRET})
    (home.parent / "source" / "secret.md").unlink()
    ingest({}).close()
    with pytest.raises(EditionInUse, match="has it open"):
        erase(home, CurrentFile(home), "secret.md", heard)
    open_one.close()
    assert erase(home, CurrentFile(home), "secret.md", heard).editions == [open_one.id]


def test_the_cache_keeps_what_other_editions_need(ingest: Ingest, home: Path, heard: Heard) -> None:
    ingest({"leave.md": LEAVE, "secret.md": SECRET}).close()
    (home.parent / "source" / "secret.md").unlink()
    without = ingest({})
    erase(home, CurrentFile(home), "secret.md", heard)
    assert cache.prune(home / cache.FILE, [np.load(without.folder / "keys.npy")]) == 0
    without.close()
