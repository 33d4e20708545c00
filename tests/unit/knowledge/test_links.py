"""A document's links to its neighbours lead to their public addresses; to anywhere else they lead nowhere."""

import hashlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from bot.blocks.answer import section as window
from knowledge.build import build
from knowledge.documents import Terms
from knowledge.sources import formats
from knowledge.sources.base import Defaults, Entry, Problem
from tests.unit.knowledge.conftest import Heard, Words

LEAVE = """# Leave

See [the pay page](../pay.md#on-the-25th) and [this](#forms) and [evil](https://evil.example/x).

- Use [the form](forms/leave.md).

## Forms

| What | Where |
|---|---|
| Leave | [list](/blob/main/list.md) |

[Mail](mailto:a@b.example) [Run](javascript:alert(1)) [Odd](http://[::1)
"""
URL = "https://git.larkfield.example/blob/main/docs/leave.md"


class One:
    """A source of one document."""

    name = "handbook"
    state = ""

    def __init__(self, path: Path, url: str) -> None:
        self._path, self._url = path, url

    def entries(self) -> Iterator[Entry | Problem]:
        sha256 = hashlib.sha256(self._path.read_bytes()).hexdigest()
        read = partial(
            formats.document_of,
            self._path,
            document="handbook/docs/leave.md",
            sha256=sha256,
            defaults=Defaults(),
            given=Terms(url=self._url),
        )
        yield Entry(document="handbook/docs/leave.md", sha256=sha256, reader=read, basis=self._url)


def test_links_within_the_site_lead_to_their_targets(tmp_path: Path, words: Words, heard: Heard) -> None:
    (tmp_path / "leave.md").write_text(LEAVE)
    edition = build(tmp_path / "home", [One(tmp_path / "leave.md", URL)], words, heard)
    whole = edition.section("handbook/docs/leave.md", "leave")
    forms = edition.section("handbook/docs/leave.md", "forms")
    assert whole is not None
    assert forms is not None
    site = "https://git.larkfield.example/blob/main"
    assert whole.links == (
        ("the pay page", f"{site}/pay.md#on-the-25th"),
        ("the form", f"{site}/docs/forms/leave.md"),
        ("list", f"{site}/list.md"),
    )
    assert forms.links == (("list", f"{site}/list.md"),)
    drawn = str(window(whole))
    assert f"<{site}/pay.md#on-the-25th|the pay page>" in drawn
    assert "evil" not in str(whole.links)
    assert "evil.example" not in drawn


def test_a_document_without_an_address_has_no_links(tmp_path: Path, words: Words, heard: Heard) -> None:
    (tmp_path / "leave.md").write_text(LEAVE)
    edition = build(tmp_path / "home", [One(tmp_path / "leave.md", "")], words, heard)
    section = edition.section("handbook/docs/leave.md", "leave")
    assert section is not None
    assert section.links == ()
    assert "Leads to" not in str(window(section))
