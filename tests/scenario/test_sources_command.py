"""`countersign ingest` and `sources` over configured sources, as an operator meets them."""

import json
import shutil
import zipfile
from pathlib import Path

import pypdf
import pytest
from typer.testing import CliRunner, Result

from bot.cli import app
from knowledge.edition import open_current
from tests.scenario.web_server import Said, Site, serving
from tests.unit.knowledge.test_reading import simple_pdf


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "policies"
    folder.mkdir()
    (folder / "leave.md").write_text("# Leave\n\nEverybody has 25 days of paid leave.<!-- trick -->\n")
    (folder / "pay.md").write_text("---\naudience: [people-team]\n---\n# Pay\n\nBand C7 earns 5,000 euros.\n")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 broken")
    return folder


@pytest.fixture
def home(tmp_path: Path, slack_home: Path, folder: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(slack_home / "models", home / "models")
    configure(home, folder)
    return home


def configure(home: Path, folder: Path, more: str = "", audience: str = "everyone") -> None:
    (home / "countersign.toml").write_text(
        f'[[sources]]\nname = "files"\nkind = "folder"\npath = "{folder}"\n'
        f'owner = "people@larkfield.example"\naudience = ["{audience}"]\nschedule = "1h"\n{more}'
    )


def web(site: Site) -> str:
    site.pages["/rules"] = "<main><h1>Rules</h1><p>Visitors sign the book.</p></main>"
    site.pages["/sitemap.xml"] = f"<urlset><url><loc>{site.url}/rules</loc></url></urlset>"
    return f'[[sources]]\nname = "site"\nkind = "web"\nurl = "{site.url}"\ndelay = 0\n'


def served(home: Path) -> list[str]:
    edition = open_current(home)
    names = [head.document for head in edition.documents]
    edition.close()
    return sorted(names)


def test_all_sources_are_read_and_what_was_removed_and_left_out_is_told(home: Path, folder: Path) -> None:
    with serving() as site:
        configure(home, folder, web(site))
        said = run("ingest", "--home", home)
        assert said.exit_code == 0, said.output
        assert "3 documents" in said.stdout
        assert "removed   files/leave.md: 1 comment" in said.stderr
        assert "left out  files/bad.pdf: it is not a sound PDF" in " ".join(said.stderr.split("\n"))
        report = json.loads(run("ingest", "--home", home, "--json").stdout)
    assert report["removed"] == [{"document": "files/leave.md", "hidden": {"comment": 1}}]
    assert [one["document"] for one in report["left_out"]] == ["files/bad.pdf"]
    assert served(home) == ["files/leave.md", "files/pay.md", "site/rules"]


def test_a_source_that_is_down_keeps_its_documents_and_is_named(home: Path, folder: Path) -> None:
    with serving() as site:
        configure(home, folder, web(site))
        assert run("ingest", "--home", home).exit_code == 0
        site.pages["/sitemap.xml"] = Said(status=500)
        (folder / "new.md").write_text("# New\n\nSomething new.\n")
        said = run("ingest", "--home", home)
    assert said.exit_code == 0
    assert "stay as they were fetched last" in " ".join(said.stderr.split())
    assert "site/rules" in served(home)
    assert "files/new.md" in served(home)
    listed = {
        row["name"]: row for row in json.loads(run("sources", "--home", home, "--json").stdout)["sources"]
    }
    assert "500" in listed["site"]["problem"]
    assert (listed["site"]["documents"], listed["files"]["documents"]) == (1, 3)
    assert listed["files"]["problem"] == ""
    assert [one["document"] for one in listed["files"]["left_out"]] == ["files/bad.pdf"]
    shown = run("sources", "--home", home).stdout
    assert "files" in shown
    assert "1h" in shown


def test_a_source_that_is_down_and_not_kept_stops_an_ingest_that_would_drop_it(
    home: Path, folder: Path
) -> None:
    assert run("ingest", "--home", home).exit_code == 0
    before = served(home)
    shutil.rmtree(home / "cache" / "sources")
    shutil.move(folder, folder.parent / "away")
    said = run("ingest", "--home", home)
    assert said.exit_code == 2
    assert "What served before still serves" in " ".join(said.stderr.split())
    assert served(home) == before


def test_a_source_taken_out_of_the_settings_goes_with_its_copy(home: Path, folder: Path) -> None:
    with serving() as site:
        configure(home, folder, web(site))
        run("ingest", "--home", home)
        configure(home, folder)
        assert run("ingest", "--home", home).exit_code == 0
    assert served(home) == ["files/leave.md", "files/pay.md"]
    assert not (home / "cache" / "sources" / "site").exists()


def test_the_audience_of_a_source_bounds_its_documents(home: Path, folder: Path) -> None:
    configure(home, folder, audience="board")
    said = run("ingest", "--home", home)
    assert "lies outside its source's" in " ".join(said.stderr.split())
    question = "How many days of paid leave do I have?"
    assert "25 days" not in run("ask", question, "--home", home).stdout
    assert served(home) == ["files/leave.md"]


def test_reviewed_answers_are_read_with_whatever_is_read(home: Path, folder: Path) -> None:
    (home / "answers").mkdir()
    (home / "answers" / "parking.md").write_text("---\ntitle: Parking\n---\n# Parking\n\nParking is free.\n")
    assert run("ingest", "--home", home).exit_code == 0
    assert "answers/parking.md" in served(home)
    assert run("ingest", folder, "--home", home).exit_code == 0
    assert served(home) == ["answers/parking.md", "leave.md", "pay.md"]


def test_mistakes_are_told_and_nothing_changes(home: Path, folder: Path) -> None:
    for words, said in {
        ("--only", "nobody"): "No source has the name nobody",
        ("--only", "files", str(folder)): "--only names configured sources",
        ("--config", str(home / "missing.toml")): "There is no settings file",
    }.items():
        result = run("ingest", "--home", home, *words)
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
    empty = home.parent / "empty"
    empty.mkdir()
    assert "[[sources]]" in run("ingest", "--home", empty).stderr


def test_files_of_every_bad_kind_are_told_and_the_rest_is_read(home: Path, folder: Path) -> None:
    with (folder / "huge.pdf").open("wb") as file:
        file.truncate(200 * 2**20)
    simple_pdf(folder / "locked.pdf", ["Secret"])
    locked = pypdf.PdfWriter(clone_from=folder / "locked.pdf")
    locked.encrypt("a password", algorithm="RC4-128")
    locked.write(folder / "locked.pdf")
    with zipfile.ZipFile(folder / "bomb.docx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("word/document.xml", b"0" * (201 * 2**20))
    (folder / "binary.md").write_bytes(bytes(range(256)) * 100)
    (folder / "open.md").write_text("---\naudience: {a: b}\n---\nFor whom?\n")
    report = json.loads(run("ingest", "--home", home, "--json").stdout)
    reasons = {one["document"]: one["reason"] for one in report["left_out"]}
    assert reasons.keys() == {
        f"files/{name}" for name in ("bad.pdf", "huge.pdf", "locked.pdf", "bomb.docx", "binary.md", "open.md")
    }
    assert reasons["files/huge.pdf"] == "it is larger than 50 MB"
    assert reasons["files/locked.pdf"] == "it is protected by a password"
    assert reasons["files/bomb.docx"] == "it unpacks to more than 200 MB"
    assert served(home) == ["files/leave.md", "files/pay.md"]
    assert not any(path.stat().st_size > 50 * 2**20 for path in (home / "cache" / "sources").rglob("*"))
