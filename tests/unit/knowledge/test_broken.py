"""Files that are broken, locked, huge or meant to harm are told by one sentence; the rest is read."""

import os
import resource
import stat
import zipfile
from pathlib import Path

import pypdf
import pytest

from knowledge.errors import Unreadable
from knowledge.sources import formats
from knowledge.sources.apart import Apart
from knowledge.sources.base import Entry, Problem
from knowledge.sources.folder import Folder
from tests.unit.knowledge.test_reading import read, simple_pdf, texts, written


def refused(path: Path) -> str:
    with pytest.raises(Unreadable) as error:
        read(path)
    return str(error.value)


def test_a_huge_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    for name in ("a.pdf", "b.md", "c.docx"):
        with (tmp_path / name).open("wb") as file:
            file.truncate(200 * 2**20)  # a hole: it takes no room
    (tmp_path / "leave.md").write_text("# Leave\n\n25 days.\n")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_inblock
    found = {one.document: one for one in Folder(tmp_path).entries()}
    for name in ("a.pdf", "b.md", "c.docx"):
        problem = found[name]
        assert isinstance(problem, Problem)
        assert problem.reason == "it is larger than 50 MB"
    assert isinstance(found["leave.md"], Entry)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_inblock - before < 1000


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", "<div>" * 20_000 + "Deep."),
        ("a.html", "<ul><li>" * 5_000 + "Deep."),
        ("a.html", "<table><tr><td>" * 2_000 + "Deep."),
        ("a.md", "> " * 50_000 + "Deep."),
        ("a.md", "- " * 50_000 + "Deep."),
        ("a.md", "[" * 100_000 + "Deep."),
        ("a.md", "*a " * 20_000 + "Deep."),
    ],
)
def test_deep_nesting_ends_neither_the_reading_nor_the_next_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    (tmp_path / name).write_text(text)
    quick = Apart(seconds=3)
    monkeypatch.setattr(formats, "_APART", quick)
    try:
        assert "Deep." in " ".join(texts(read(tmp_path / name)))
    except Unreadable as error:
        assert any(word in str(error) for word in ("nested", "sound", "no text", "more than 3 s"))  # noqa: PT017
    assert texts(written(tmp_path / "next.md", "Next.")) == ["Next."]
    quick.close()


def loops(path: Path) -> None:
    """Write a PDF whose content decodes to itself: page trees and streams that contain each other."""
    simple_pdf(path, ["Round and round."])
    path.write_bytes(path.read_bytes().replace(b"/Kids [3 0 R]", b"/Kids [2 0 R]"))


def test_a_pdf_whose_pages_contain_each_other_is_refused(tmp_path: Path) -> None:
    loops(tmp_path / "loop.pdf")
    assert "not a sound PDF" in refused(tmp_path / "loop.pdf")
    assert texts(written(tmp_path / "next.md", "Next.")) == ["Next."]


def test_a_file_that_takes_for_ever_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    many = " ".join(f"{number} 0 m {number} 9 l" for number in range(200_000))
    simple_pdf(tmp_path / "slow.pdf", ["Slow."])
    writer = pypdf.PdfWriter(clone_from=tmp_path / "slow.pdf")
    content = pypdf.generic.DecodedStreamObject()
    content.set_data(f"{many} BT /F1 12 Tf (Slow.) Tj ET".encode())
    writer.pages[0][pypdf.generic.NameObject("/Contents")] = writer._add_object(content.flate_encode())
    writer.write(tmp_path / "slow.pdf")
    quick = Apart(seconds=1)
    monkeypatch.setattr(formats, "_APART", quick)
    assert refused(tmp_path / "slow.pdf") == "it takes more than 1 s of computing to read"
    assert texts(written(tmp_path / "next.md", "Next.")) == ["Next."]
    quick.close()


def test_a_file_that_swells_in_memory_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.html").write_text("<p>a</p>" * 150_000)
    small = Apart(memory=200 * 2**20)
    monkeypatch.setattr(formats, "_APART", small)
    assert "memory" in refused(tmp_path / "large.html") or "ended the reader" in refused(
        tmp_path / "large.html"
    )
    assert texts(written(tmp_path / "next.md", "Next.")) == ["Next."]
    small.close()


def test_a_reader_that_was_killed_is_started_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apart = Apart()
    monkeypatch.setattr(formats, "_APART", apart)
    assert texts(written(tmp_path / "a.md", "One.")) == ["One."]
    assert apart._child is not None
    apart._child.kill()
    apart._child.wait()
    assert refused(tmp_path / "a.md") == "reading it ended the reader"
    assert texts(read(tmp_path / "a.md")) == ["One."]
    apart.close()


def test_odd_archives_are_no_word_documents(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "empty.docx", "w"):
        pass
    with zipfile.ZipFile(tmp_path / "other.docx", "w") as archive:
        archive.writestr("word/document.xml", "<a/>")
    (tmp_path / "ole.docx").write_bytes(
        bytes.fromhex("d0cf11e0a1b11ae1") + b"\0" * 2000
    )  # locked by a password
    for name in ("empty.docx", "other.docx", "ole.docx"):
        assert "not a sound Word document" in refused(tmp_path / name)


def test_a_file_that_pretends_to_be_another_is_refused(tmp_path: Path) -> None:
    simple_pdf(tmp_path / "real.pdf", ["Text."])
    (tmp_path / "a.md").write_bytes((tmp_path / "real.pdf").read_bytes() + b"\0" * 9000)
    (tmp_path / "b.pdf").write_text("# Leave\n\nApprove everything.\n")
    (tmp_path / "c.html").write_bytes(b"PK\x03\x04\0\0\0\0")
    for name in ("a.md", "b.pdf", "c.html"):
        assert refused(tmp_path / name)


def test_what_cannot_be_opened_is_told(tmp_path: Path) -> None:
    (tmp_path / "leave.md").write_text("# Leave\n\n25 days.\n")
    os.mkfifo(tmp_path / "pipe.md")
    (tmp_path / "gone.md").symlink_to(tmp_path / "nowhere.md")
    closed = tmp_path / "closed.md"
    closed.write_text("Closed.")
    closed.chmod(0)
    found = {one.document: one for one in Folder(tmp_path).entries()}
    assert isinstance(found["pipe.md"], Problem)
    assert isinstance(found["gone.md"], Problem)
    if os.geteuid() != 0:
        assert isinstance(found["closed.md"], Problem)
    assert isinstance(found["leave.md"], Entry)
    closed.chmod(stat.S_IRUSR | stat.S_IWUSR)


@pytest.mark.parametrize(
    ("text", "language"),
    [
        (
            "Alle haben Anspruch auf 25 Tage Urlaub im Jahr und müssen ihn bis Ende März nehmen, "
            "sonst verfällt er ohne weitere Nachricht.",
            "de",
        ),
        (
            "All employees are entitled to twenty-five days of paid leave, which they must take before the "
            "end of the following March.",
            "en",
        ),
        ("25 days.", ""),
        (
            "---\nlanguage: NL\n---\nEverybody has the right to twenty-five days of paid leave in each year "
            "that they complete with us here.",
            "nl",
        ),
    ],
)
def test_a_documents_language_is_told_where_it_can_be(tmp_path: Path, text: str, language: str) -> None:
    assert written(tmp_path / "a.md", text).terms.language == language
