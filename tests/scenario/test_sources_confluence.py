"""A Confluence space as a source, from a server on loopback that answers as its REST interfaces do."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from knowledge.documents import Document
from knowledge.errors import Unreachable
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.confluence import ConfluenceSpace
from knowledge.sources.mirror import Mirrored
from tests.scenario.web_server import Asked, Said, Site, serving


@dataclass
class Page:
    id: str
    title: str
    storage: str
    version: int = 1
    parent: str = ""


@dataclass
class Confluence:
    """The two interfaces over the same pages, two pages of a space to an answer."""

    site: Site
    pages: dict[str, Page] = field(default_factory=dict)
    token: str = ""

    def add(self, page: Page) -> None:
        self.pages[page.id] = page

    def answer(self, asked: Asked) -> Said:
        self.site.asked.append(asked)
        if self.token and asked.headers.get("authorization") != self.token:
            return Said(status=401)
        parts = urlsplit(asked.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        path = parts.path
        if path == "/wiki/api/v2/spaces":
            return said({"results": [{"id": "77", "key": "HR"}] if query["keys"] == "HR" else []})
        if path == "/wiki/api/v2/spaces/77/pages":
            return said(self._listed(query.get("cursor", "0"), "/wiki/api/v2/spaces/77/pages?cursor="))
        if path == "/conf/rest/api/content":
            found = self._listed(query.get("start", "0"), "/rest/api/content?spaceKey=HR&start=")
            return said(found if query["spaceKey"] == "HR" else {"results": []})
        return self._page(path.rpartition("/")[2])

    def _listed(self, start: str, following: str) -> dict[str, Any]:
        rows = list(self.pages.values())
        first = int(start)
        links = {"next": f"{following}{first + 2}"} if first + 2 < len(rows) else {}
        return {"results": [self._row(page) for page in rows[first : first + 2]], "_links": links}

    def _row(self, page: Page) -> dict[str, Any]:
        above = []
        parent = page.parent
        while parent:
            above.append({"id": parent})
            parent = self.pages[parent].parent
        return {
            "id": page.id,
            "title": page.title,
            "parentId": page.parent or None,
            "ancestors": above,
            "version": {"number": page.version},
            "_links": {"webui": f"/spaces/HR/pages/{page.id}"},
        }

    def _page(self, name: str) -> Said:
        if name not in self.pages:
            return Said(status=404)
        body = {"storage": {"value": self.pages[name].storage, "representation": "storage"}}
        return said(self._row(self.pages[name]) | {"body": body})

    def read(self) -> list[str]:
        """Return the ids of the pages whose text was asked for since the last time."""
        found = [urlsplit(one.path).path.rpartition("/")[2] for one in self.site.asked if "body" in one.path]
        self.site.asked.clear()
        return found


def said(value: dict[str, Any]) -> Said:
    return Said(body=json.dumps(value), kind="application/json")


LEAVE = """
<h2>How long&nbsp;it lasts</h2>
<p>Everybody has <strong>25&nbsp;days</strong>.<!-- hidden --></p>
<ac:structured-macro ac:name="info" ac:schema-version="1">
<ac:parameter ac:name="title">Part time</ac:parameter>
<ac:rich-text-body><p>Part-time staff have a share.</p></ac:rich-text-body></ac:structured-macro>
<ac:structured-macro ac:name="toc"><ac:parameter ac:name="maxLevel">2</ac:parameter></ac:structured-macro>
<ac:structured-macro ac:name="code">
<ac:plain-text-body><![CDATA[if a < b: ask()]]></ac:plain-text-body></ac:structured-macro>
<table><tbody><tr><th>Group</th><th>Days</th></tr><tr><td>Interns</td><td>20</td></tr></tbody></table>
<ac:task-list><ac:task><ac:task-id>1</ac:task-id><ac:task-status>incomplete</ac:task-status>
<ac:task-body>Ask your manager.</ac:task-body></ac:task></ac:task-list>
<p>See <ac:link><ri:page ri:content-title="Pay" /><ac:link-body>the pay page</ac:link-body></ac:link>
from <time datetime="2026-01-31" />.<ac:image><ri:attachment ri:filename="x.png" /></ac:image></p>
<p><span style="display: none">HIDDEN</span></p>
"""


@pytest.fixture
def confluence() -> Iterator[Confluence]:
    with serving() as site:
        server = Confluence(site)
        site.answer = server.answer  # type: ignore[method-assign]  # the whole of it answers otherwise
        server.add(Page("1", "Policies", "<p>All of them.</p>"))
        server.add(Page("2", "Leave", LEAVE, parent="1", version=7))
        server.add(Page("3", "Pay", "<p>On the 25th.</p>", parent="2"))
        server.add(Page("4", "Canteen", "<p>Soup.</p>"))
        yield server


def space(confluence: Confluence, product: str = "cloud", **options: Any) -> ConfluenceSpace:
    base = f"{confluence.site.url}/{'wiki' if product == 'cloud' else 'conf'}"
    return ConfluenceSpace(url=base, space="HR", product=product, **options)  # type: ignore[arg-type]


def mirrored(tmp_path: Path, fetcher: ConfluenceSpace) -> Mirrored:
    return Mirrored(name="hr", home=tmp_path / "home", fetcher=fetcher, defaults=Defaults())


def documents(source: Mirrored) -> dict[str, Document]:
    return {one.document: one.read() for one in source.entries() if isinstance(one, Entry)}


@pytest.mark.parametrize("product", ["cloud", "data-center"])
def test_a_space_is_read_with_its_macros_tables_versions_and_addresses(
    confluence: Confluence, tmp_path: Path, product: str
) -> None:
    source = mirrored(tmp_path, space(confluence, product))
    source.fetch()
    found = documents(source)
    assert sorted(found) == ["hr/1", "hr/2", "hr/3", "hr/4"]
    leave = found["hr/2"]
    assert (leave.title, leave.terms.version) == ("Leave", "7")
    assert leave.terms.url.endswith("/spaces/HR/pages/2")
    assert [unit.text for part in leave.parts for unit in part.units] == [
        "Everybody has 25 days.",
        "Part time",
        "Part-time staff have a share.",
        "if a < b: ask()",
        "Interns | 20",
        "Ask your manager.",
        "See the pay page from 2026-01-31.",
    ]
    anchor = "How-long-it-lasts" if product == "cloud" else "Leave-Howlongitlasts"
    assert leave.parts[0].anchor == anchor
    assert dict(leave.hidden) == {"comment": 1, "hidden element": 1}


@pytest.mark.parametrize("product", ["cloud", "data-center"])
def test_only_a_new_version_is_fetched_and_a_deleted_page_goes(
    confluence: Confluence, tmp_path: Path, product: str
) -> None:
    source = mirrored(tmp_path, space(confluence, product))
    source.fetch()
    assert confluence.read() == ["1", "2", "3", "4"]
    confluence.add(Page("3", "Pay", "<p>On the 26th.</p>", parent="2", version=2))
    del confluence.pages["4"]
    source.fetch()
    assert confluence.read() == ["3"]
    found = documents(source)
    assert sorted(found) == ["hr/1", "hr/2", "hr/3"]
    assert found["hr/3"].parts[0].units[0].text == "On the 26th."


@pytest.mark.parametrize("product", ["cloud", "data-center"])
def test_a_page_and_what_is_below_it(confluence: Confluence, tmp_path: Path, product: str) -> None:
    source = mirrored(tmp_path, space(confluence, product, page="2"))
    source.fetch()
    assert sorted(documents(source)) == ["hr/2", "hr/3"]
    with pytest.raises(Unreachable, match="no page 99"):
        mirrored(tmp_path, space(confluence, product, page="99")).fetch()


def test_the_token_lets_us_in_and_a_wrong_one_is_said(confluence: Confluence, tmp_path: Path) -> None:
    confluence.token = "Basic " + base64.b64encode(b"bot@larkfield.example:s3cret").decode()
    known = space(confluence, user="bot@larkfield.example", token=lambda: "s3cret")
    source = mirrored(tmp_path, known)
    source.fetch()
    confluence.token = "Bearer other"
    with pytest.raises(Unreachable, match="does not let us read it") as refused:
        source.fetch()
    assert "s3cret" not in str(refused.value)
    assert len(documents(source)) == 4


def test_a_space_that_is_not_there_and_a_server_that_is_none_are_said(
    confluence: Confluence, tmp_path: Path
) -> None:
    other = ConfluenceSpace(url=f"{confluence.site.url}/wiki", space="XX")
    with pytest.raises(Unreachable, match="no space with the key XX"):
        mirrored(tmp_path, other).fetch()
    confluence.site.answer = lambda asked: Said(body="<html>Log in</html>")  # type: ignore[method-assign]
    with pytest.raises(Unreachable, match="does not answer as Confluence does"):
        mirrored(tmp_path, space(confluence)).fetch()


def test_a_page_that_cannot_be_read_leaves_the_others(confluence: Confluence, tmp_path: Path) -> None:
    whole = confluence.answer

    def answer(asked: Asked) -> Said:
        if asked.path.startswith("/wiki/api/v2/pages/3"):
            return Said(status=403)
        return whole(asked)

    confluence.site.answer = answer  # type: ignore[method-assign]
    source = mirrored(tmp_path, space(confluence))
    source.fetch()
    assert sorted(documents(source)) == ["hr/1", "hr/2", "hr/4"]
    (problem,) = [one for one in source.entries() if isinstance(one, Problem)]
    assert problem.document == "hr/3"
