"""An audience that is there and not understood closes its document; a text about audiences stays open."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import docx
import pypdf
import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.documents import EVERYONE
from knowledge.errors import Closed
from knowledge.sources import declared, front
from knowledge.sources.base import Entry, Problem
from knowledge.sources.folder import Folder
from tests.unit.knowledge.conftest import Heard, Ingest
from tests.unit.knowledge.test_reading import read, simple_pdf, written

BODY = "# Bands\n\nThe secret bonus of grade nine is 12 percent.\n"
LINES = "audience: [people-team]\ntitle: Secret bands"

FENCES = {
    "blank line first": f"\n---\n{LINES}\n---\n{BODY}",
    "space first": f" ---\n{LINES}\n---\n{BODY}",
    "tab first": f"\t---\n{LINES}\n---\n{BODY}",
    "comment first": f"<!-- SPDX-License-Identifier: CC-BY -->\n---\n{LINES}\n---\n{BODY}",
    "long comment first": f"<!--\nA licence.\nOf two lines.\n-->\n\n---\n{LINES}\n---\n{BODY}",
    "two dashes": f"--\n{LINES}\n--\n{BODY}",
    "four dashes": f"----\n{LINES}\n----\n{BODY}",
    "long dashes": f"\u2014\n{LINES}\n\u2014\n{BODY}",
    "three long dashes": f"\u2014\u2014\u2014\n{LINES}\n\u2014\u2014\u2014\n{BODY}",
    "stars": f"***\n{LINES}\n***\n{BODY}",
    "equals": f"===\n{LINES}\n===\n{BODY}",
    "a word after the dashes": f"--- yaml\n{LINES}\n---\n{BODY}",
    "unclosed": f"---\n{LINES}\n{BODY}",
    "closed too late": f"---\n{LINES}\n\n{BODY}",
    "no fence": f"{LINES}\n\n{BODY}",
    "spaced key": f"audience : people team\n\n{BODY}",
    "toml": f'+++\naudience = ["people-team"]\ntitle = "Secret"\n+++\n{BODY}',
    "toml table": f'+++\n[extra]\naudience = ["people-team"]\n+++\n{BODY}',
    "ini": f"[meta]\naudience=people team\n\n{BODY}",
    "json": f'{{\n"audience": ["people-team"], "title": "Secret"\n}}\n\n{BODY}',
    "json on one line": f'{{"title": "Secret", "audience": "people-team"}}\n\n{BODY}',
    "json fenced": f';;;\n"audience": ["people-team"]\n;;;\n{BODY}',
    "code fence": f"```yaml\n{LINES}\n```\n\n{BODY}",
    "code fence with dashes": f"```\n---\n{LINES}\n---\n```\n\n{BODY}",
    "waves": f"~~~ yaml\n{LINES}\n~~~\n\n{BODY}",
    "indented": "".join(f"    {line}\n" for line in f"---\n{LINES}\n---".split("\n")) + f"\n{BODY}",
    "quoted": "".join(f"> {line}\n" for line in f"---\n{LINES}\n---".split("\n")) + f"\n{BODY}",
    "as a comment": f"<!--\n{LINES}\n-->\n{BODY}",
    "as a comment on one line": f"<!-- audience: people-team -->\n{BODY}",
    "as a link's comment": f"[//]: # (audience: people-team)\n\n{BODY}",
    "as a list": f"- audience: people-team\n- title: Secret\n\n{BODY}",
    "as a field": f":audience: people-team\n:title: Secret\n\n{BODY}",
    "as an org keyword": f"#+AUDIENCE: people-team\n\n{BODY}",
    "as a tag": f"<audience>people-team</audience>\n\n{BODY}",
    "as meta": f'<meta name="audience" content="people-team">\n\n{BODY}',
    "as a table": f"| Audience | people-team |\n|---|---|\n| Owner | Ines |\n\n{BODY}",
    "as code": f"export const meta = {{ audience: ['people-team'] }}\n\n{BODY}",
    "below the title": f"# Bands\n---\n{LINES}\n---\n\n{BODY}",
    "below the title, no fence": f"# Bands\n\n{LINES}\n\nSome text.\n",
    "bold below the title": f"# Bands\n\n**Audience:** people-team\n\n{BODY}",
    "a question below the title": f'# Bands\n\n"audience?": [people-team]\n\n{BODY}',
    "below the text": f"{BODY}\n---\naudience: People team\n---\n",
    "at the end, no fence": f"{BODY}\n{LINES}\n",
    "a list at the end": f"{BODY}\naudience:\n  - people-team\n",
    "a second block": f"---\ntitle: Bands\n---\n---\n{LINES}\n---\n{BODY}",
    "a second document": f"---\ntitle: Bands\n---\n{LINES}\n---\n{BODY}",
    "a second audience": f"---\naudience: everyone\n---\n{BODY}\n---\naudience: [people-team]\n---\n",
    "nested": f"---\naccess:\n  audience: [people-team]\n---\n{BODY}",
    "nested deeply": f"---\na: [{{b: {{c: [{{audience: x}}]}}}}]\n---\n{BODY}",
    "merged": f"---\nbase: &b {{audience: [people-team]}}\n<<: *b\n---\n{BODY}",
    "a list of records": f"---\n- audience: [people-team]\n---\n{BODY}",
    "twice": f"---\naudience: [people-team]\naudience: everyone\n---\n{BODY}",
    "twice in two cases": f"---\naudience: [people-team]\nAudience: everyone\n---\n{BODY}",
    "twice the same": f"---\naudience: everyone\naudience: everyone\n---\n{BODY}",
    "wrong YAML": f"---\naudience: [people-team\n---\n{BODY}",
    "tabs in YAML": f"---\naudience:\n\t- people-team\n---\n{BODY}",
    "no space": f"---\naudience:[people-team]\n---\n{BODY}",
}
VALUES = (
    *("", "null", "~", "[]", "{}", "''", "[null]", "['']", "7", "[7]", "true", "2026-01-01"),
    *("{people-team: yes}", "[[people-team]]", "people-team]", "'[people-team]'"),
    *(
        "people-team; finance",
        "a|b",
        "!!set {people-team}",
        "'\"people-team\"'",
        "people-team\\,",
        "<people>",
    ),
)
KEYS = (
    *(
        "audiences",
        "audiance",
        "audence",
        "audeince",
        "adience",
        "audienc",
        "audince",
        "Audiences",
        "AUDIANCE",
    ),
    *(
        "auidence",
        "audiencia",
        "audienza",
        "audi\u00ebntie",
        "audience?",
        "*audience*",
        "_audience",
        "audience_",
    ),
    *("target-audience", "target audience", "audience_groups", "docAudience", "ms.audience", "x-audience"),
    *("\u0430udience", "audi\u0435nce", "\uff41\uff55\uff44\uff49\uff45\uff4e\uff43\uff45", "audi\u00e9nce"),
    *("Zielgruppe", "readers", "visible_to", "restricted-to", "doelgroep", "Visibility"),
)
OPEN = {
    "prose": "# Talks\n\nKnow your audience: it decides what you say. The audience is the company.\n",
    "a heading": "# Audience\n\nEverybody who travels.\n\n## Audience: who reads this\n\nStaff.\n",
    "a label": "# Travel\n\n**Audience:** All employees who travel\n\nBook early.\n",
    "a quoted label": "# Travel\n\n> **Audience**: engineers\n\nBook early.\n",
    "a label in a sentence": "# Travel\n\nAudience: All employees, and whoever travels for us.\n",
    "a list": "# Talks\n\nBefore you write:\n\n- Audience: Who reads it?\n- Purpose: Why?\n",
    "a table": "# Plan\n\nOur channels.\n\n| Audience | Channel |\n|---|---|\n| Managers | mail |\n",
    "a table first": "| Audience | Channel |\n|---|---|\n| Managers | mail |\n",
    "a code span": "# Pages\n\n`audience: [people-team]` in front matter closes a page.\n",
    "an example": "# Pages\n\nWrite it like this:\n\n```yaml\n---\naudience: [people-team]\n---\n```\n",
    "an indented example": "# Pages\n\nWrite it like this:\n\n    audience: [people-team]\n",
    "a link": "# Talks\n\nAudience: [the list](list.md)\n",
    "an empty label": "# Talks\n\nAudience:\n\n- Managers\n- Everybody who travels\n",
    "near words": "# Guidance\n\nguidance: none\nevidence: [mail]\ncadence: weekly\nambience: calm\n",
    "a ruler": "---\nJust a line\n---\nMore about the audience.\n",
    "other keys": "---\ntags: [audience, audiences]\ndescription: 'audience: [x]'\n---\nText.\n",
}


def pages(text: str) -> Iterator[tuple[str, str]]:
    yield "a.md", text
    yield "a.txt", text
    yield "a.html", f"<!DOCTYPE html>\n<html><body>\n{text}\n<p>Text.</p></body></html>"


def of_value(value: str) -> str:
    return f"---\naudience: {value}\n---\n{BODY}"


def of_key(key: str) -> str:
    return f'---\n"{key}": [people-team]\n---\n{BODY}'


def is_closed(folder: Path, name: str, content: str | bytes) -> bool:
    """Whether a file of this content is closed when it is read."""
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    try:
        read(folder / name)
    except Closed:
        return True
    return False


@pytest.mark.parametrize("case", FENCES)
def test_an_audience_that_is_not_understood_closes_the_document(case: str) -> None:
    with pytest.raises(Closed):
        front.separate(FENCES[case])


@pytest.mark.parametrize("value", VALUES)
def test_a_value_that_is_no_list_of_groups_closes_the_document(value: str) -> None:
    with pytest.raises(Closed):
        front.separate(of_value(value))


@pytest.mark.parametrize("key", KEYS)
def test_a_key_that_may_mean_an_audience_closes_the_document(key: str) -> None:
    with pytest.raises(Closed, match="may mean its audience"):
        front.separate(of_key(key))


LETTERS = st.sampled_from("abcdefghijklmnopqrstuvwxyz\u00e9\u0430-")


@given(st.data())
def test_any_two_typing_errors_are_seen_through(data: st.DataObject) -> None:
    letters = list(declared.AUDIENCE)
    for _ in range(data.draw(st.integers(0, 2))):
        place = data.draw(st.integers(0, len(letters) - 1))
        match data.draw(st.sampled_from(("wrong", "missing", "added", "swapped"))):
            case "wrong":
                letters[place] = data.draw(LETTERS)
            case "missing":
                del letters[place]
            case "added":
                letters.insert(place, data.draw(LETTERS))
            case _:
                letters[place : place + 2] = reversed(letters[place : place + 2])
    key = "".join(letters)
    assert declared.near(key) or "-" in key or key in {"ambience", "audition"}
    assert declared.near(key.upper()) == declared.near(key)


@pytest.mark.parametrize("case", OPEN)
def test_a_text_that_speaks_of_an_audience_stays_open(tmp_path: Path, case: str) -> None:
    terms, _ = front.separate(OPEN[case])
    assert terms.audience == {EVERYONE}
    assert written(tmp_path / "a.md", OPEN[case]).terms.audience == {EVERYONE}


@pytest.mark.parametrize("mark", ["\ufeff", "", "\u200b"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_what_an_editor_adds_changes_nothing(tmp_path: Path, mark: str, end: str) -> None:
    text = f"{mark}---\n{LINES}\n---\n{BODY}".replace("\n", end)
    for coding in ("utf-8", "utf-16"):
        (tmp_path / "a.md").write_bytes(text.encode(coding))
        assert read(tmp_path / "a.md").terms.audience == {"people-team"}


@pytest.mark.parametrize(
    "case", ["no fence", "four dashes", "toml", "json", "below the text", "as a comment"]
)
def test_every_kind_of_text_is_searched(tmp_path: Path, case: str) -> None:
    for name, text in pages(FENCES[case]):
        assert is_closed(tmp_path, name, text), name


PARTS = (
    '<meta name="audience" content="people-team">',
    '<meta property="article:audience" content="people-team">',
    '<meta content="people-team" name="Audiance">',
    "<!-- audience: people-team -->",
    '<div data-audience="people-team"></div>',
    '<script type="application/ld+json">{"@type": "WebPage", "audience": {"name": "x"}}</script>',
    "<audience>people-team</audience>",
    "<p>audience: [people-team]</p>",
)


def with_part(part: str) -> str:
    """Return a page with something in it where no reader looks."""
    return f"<html><head><title>Bands</title></head><body><h1>Bands</h1><p>Text.</p>{part}</body></html>"


@pytest.mark.parametrize("part", PARTS)
def test_a_page_of_html_is_searched_where_no_reader_looks(tmp_path: Path, part: str) -> None:
    assert is_closed(tmp_path, "a.html", with_part(part))


def test_a_page_with_programs_and_examples_stays_open(tmp_path: Path) -> None:
    page = (
        "<html><head><script>login({audience: 'https://api.example'})</script><style>a{color:red}</style></head>"
        "<body><h1>Talks</h1><p>Know your audience.</p><pre>audience: [people-team]</pre>"
        "<table><tr><th>Audience</th><th>Channel</th></tr><tr><td>Managers</td><td>mail</td></tr></table></body>"
    )
    (tmp_path / "a.html").write_text(page, encoding="utf-8")
    assert read(tmp_path / "a.html").terms.audience == {EVERYONE}


def word(path: Path, *paragraphs: str) -> None:
    document = docx.Document()
    for text in paragraphs:
        document.add_paragraph(text)
    document.save(str(path))


def test_a_word_document_is_searched_in_its_text_and_its_properties(tmp_path: Path) -> None:
    word(tmp_path / "text.docx", "---", "audience: [people-team]", "---", "The bonus is 12 percent.")
    word(tmp_path / "lines.docx", "---\naudience: People team\n---", "The bonus is 12 percent.")
    word(tmp_path / "plain.docx", "The bonus is 12 percent. Know your audience.")
    document = docx.Document(str(tmp_path / "plain.docx"))
    document.core_properties.keywords = "audience: people-team"
    document.save(str(tmp_path / "keywords.docx"))
    custom(tmp_path / "plain.docx", tmp_path / "custom.docx")
    for name in ("text", "lines", "keywords", "custom"):
        with pytest.raises(Closed):
            read(tmp_path / f"{name}.docx")
    assert read(tmp_path / "plain.docx").terms.audience == {EVERYONE}


def custom(path: Path, target: Path) -> None:
    """Copy a Word document, with a property of its maker's own."""
    kind = "http://schemas.openxmlformats.org/officeDocument/2006"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "_rels/.rels":
                row = f'<Relationship Id="rId99" Type="{kind}/relationships/custom-properties" '
                row += 'Target="docProps/custom.xml"/></Relationships>'
                content = content.replace(b"</Relationships>", row.encode())
            if name == "[Content_Types].xml":
                row = '<Override PartName="/docProps/custom.xml" ContentType="application/xml"/></Types>'
                content = content.replace(b"</Types>", row.encode())
            new.writestr(name, content)
        new.writestr(
            "docProps/custom.xml",
            f'<Properties xmlns="{kind}/custom-properties"><property name="Audience"><v>people-team</v>'
            "</property></Properties>",
        )


def test_a_pdf_is_searched_in_its_text_and_its_properties(tmp_path: Path) -> None:
    simple_pdf(tmp_path / "plain.pdf", ["The bonus is 12 percent."])
    simple_pdf(tmp_path / "text.pdf", ["audience: [people-team]", "The bonus is 12 percent."])
    for name, key, value in (("own", "/Audience", "people-team"), ("words", "/Keywords", "audience: a-team")):
        writer = pypdf.PdfWriter(clone_from=tmp_path / "plain.pdf")
        writer.add_metadata({key: value})
        writer.write(tmp_path / f"{name}.pdf")
    writer = pypdf.PdfWriter(clone_from=tmp_path / "plain.pdf")
    writer.xmp_metadata = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><pdfx:audience>a</pdfx:audience></x:xmpmeta>'
    writer.write(tmp_path / "packet.pdf")
    for name in ("text", "own", "words", "packet"):
        with pytest.raises(Closed):
            read(tmp_path / f"{name}.pdf")
    assert read(tmp_path / "plain.pdf").terms.audience == {EVERYONE}


@pytest.mark.parametrize(
    "more",
    [
        '"Audiance": "people-team"',
        '"metadata": {"audience": ["people-team"]}',
        '"audience": ["people-team"], "audience": "everyone"',
        '"audience": 7',
        '"audience": ["people-team"], "AUDIENCE": "everyone"',
    ],
)
def test_a_row_of_json_is_held_to_the_same(tmp_path: Path, more: str) -> None:
    rows = [
        f'{{"doc_id": "closed", "text": "Secret.", {more}}}',
        json.dumps({"doc_id": "inside", "text": f"----\n{LINES}\n----\nSecret."}),
        json.dumps({"doc_id": "mine", "text": "Secret.", "Audience": ["people-team"]}),
        json.dumps({"doc_id": "open", "text": "Open."}),
        "[" * 100_000,
    ]
    (tmp_path / "pool.jsonl").write_text("\n".join(rows), encoding="utf-8")
    found = list(Folder(tmp_path / "pool.jsonl").entries())
    closed, inside, mine, opened, deep = found
    for entry in (closed, inside):
        assert isinstance(entry, Entry)
        with pytest.raises(Closed):
            entry.read()
    assert isinstance(mine, Entry)
    assert isinstance(opened, Entry)
    assert mine.read().terms.audience == {"people-team"}
    assert opened.read().terms.audience == {EVERYONE}
    assert isinstance(deep, Problem)


def test_one_closed_document_is_told_and_the_others_are_read(ingest: Ingest, heard: Heard) -> None:
    edition = ingest({"leave.md": "# Leave\n\n25 days.\n", "bands.md": FENCES["four dashes"]})
    assert [head.document for head in edition.documents] == ["leave.md"]
    (problem,) = heard.problems
    assert (problem.document, problem.closed) == ("bands.md", True)
    assert "line 2: audience" in problem.reason
    assert "between two lines of ---" in problem.reason
    assert edition.manifest["problems"][0]["closed"] is True
    assert "12 percent" not in io.StringIO(str(edition.manifest)).getvalue()


RIGHT = {"ok.md", "bom.md", "crlf.md", "utf16.md"}


def malformed(shared: Path) -> list[Path]:
    """Return the files whose front matter is not as it should be."""
    files = sorted((shared / "inputs" / "front-matter").iterdir())
    assert {path.name for path in files} > RIGHT
    return [path for path in files if path.name not in RIGHT]


def handbooks(shared: Path) -> list[Path]:
    """Return the pages of the real handbooks."""
    found = sorted((shared / "handbooks").rglob("*.md"))
    assert len(found) >= 148
    return found


def is_open(text: str) -> bool:
    """Whether everyone may read a page of Markdown."""
    try:
        return front.separate(text)[0].audience == {EVERYONE}
    except Closed:
        return False


def test_of_the_malformed_files_none_is_open(shared_data: Path, tmp_path: Path) -> None:
    for path in malformed(shared_data):
        assert is_closed(tmp_path, path.name, path.read_bytes()), path
    for name in RIGHT:
        assert read(shared_data / "inputs" / "front-matter" / name).terms.audience == {"people-team"}


def test_of_the_real_handbooks_none_is_closed(shared_data: Path) -> None:
    for path in handbooks(shared_data):
        assert is_open(path.read_text(encoding="utf-8")), path
