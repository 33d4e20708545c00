"""A SharePoint library as a source, from a server on loopback that answers as Microsoft Graph does."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qs

import pytest

from knowledge.errors import Unreachable
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.drive import Drive
from knowledge.sources.mirror import Mirrored
from tests.scenario.web_server import Asked, Said, Site, serving


@dataclass
class Graph:
    """A drive, three items to an answer; contents lie on another host and want no credential."""

    site: Site
    store: Site
    items: dict[str, dict[str, Any]] = field(default_factory=dict)

    def folder(self, name: str, title: str, parent: str) -> None:
        self.items[name] = {"id": name, "name": title, "folder": {}, "parentReference": {"id": parent}}

    def file(self, name: str, title: str, parent: str, text: str, stamp: str = "1") -> None:
        self.items[name] = {
            "id": name,
            "name": title,
            "file": {"mimeType": "text/markdown"},
            "size": len(text),
            "cTag": f"c:{name},{stamp}",
            "webUrl": f"https://larkfield.sharepoint.example/{title}",
            "lastModifiedDateTime": f"2026-01-0{stamp}T10:00:00Z",
            "parentReference": {"id": parent, "driveId": "d"},
        }
        self.store.pages[f"/{name}"] = Said(body=text, kind="application/octet-stream")

    def answer(self, asked: Asked) -> Said:
        self.site.asked.append(asked)
        if asked.headers.get("authorization") != "Bearer access":
            return Said(status=401)
        path, _, query = asked.path.partition("?")
        if path == "/v1.0/drives/b%21d/root/delta":
            first = int(query.removeprefix("token=") or 0)
            rows = list(self.items.values())
            more = first + 3 < len(rows)
            link = f"{self.site.url}{path}?token={first + 3}"
            answer = {
                "value": rows[first : first + 3],
                "@odata.nextLink" if more else "@odata.deltaLink": link,
            }
            return Said(body=json.dumps(answer), kind="application/json")
        name = path.removesuffix("/content").rpartition("/")[2]
        return Said(status=302, headers={"Location": f"{self.store.url}/{name}"})


@pytest.fixture
def login() -> Iterator[str]:
    """A server that gives the app with the right secret an access token."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
            right = self.path == "/larkfield/oauth2/v2.0/token" and asked["client_secret"] == ["s3cret"]
            body = json.dumps({"access_token": "access"} if right else {"error": "invalid_client"}).encode()
            self.send_response(200 if right else 401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def graph() -> Iterator[Graph]:
    with serving() as site, serving() as store:
        server = Graph(site, store)
        site.answer = server.answer  # type: ignore[method-assign]  # the whole of it answers otherwise
        server.items["root"] = {"id": "root", "name": "root", "root": {}, "folder": {}}
        server.folder("f1", "Policies", "root")
        server.folder("f2", "HR", "f1")
        server.file("a", "leave.md", "f2", "# Leave\n\n25 days.\n")
        server.file("b", "pay.md", "f1", "# Pay\n\nOn the 25th.\n")
        server.file("c", "canteen.md", "root", "# Canteen\n\nSoup.\n")
        server.file("d", "film.mp4", "f1", "x")
        yield server


def source(graph: Graph, login: str, tmp_path: Path, secret: str = "s3cret") -> Mirrored:
    drive = Drive(
        drive="b!d",
        tenant="larkfield",
        client="app",
        folder="Policies",
        graph=f"{graph.site.url}/v1.0",
        login=login,
        token=lambda: secret,
    )
    return Mirrored(name="hr", home=tmp_path / "home", fetcher=drive, defaults=Defaults())


def found(mirrored: Mirrored) -> dict[str, Entry]:
    return {one.document: one for one in mirrored.entries() if isinstance(one, Entry)}


def test_the_files_below_a_folder_are_read(graph: Graph, login: str, tmp_path: Path) -> None:
    mirrored = source(graph, login, tmp_path)
    mirrored.fetch()
    assert sorted(found(mirrored)) == ["hr/HR/leave.md", "hr/pay.md"]
    terms = found(mirrored)["hr/HR/leave.md"].read().terms
    assert terms.url == "https://larkfield.sharepoint.example/leave.md"
    assert terms.version == "2026-01-01T10:00:00Z"
    assert not [one for one in graph.store.asked if "authorization" in one.headers]


def test_only_what_changed_is_fetched_and_moves_and_deletions_are_seen(
    graph: Graph, login: str, tmp_path: Path
) -> None:
    mirrored = source(graph, login, tmp_path)
    mirrored.fetch()
    graph.store.asked.clear()
    graph.file("b", "pay.md", "f1", "# Pay\n\nOn the 26th.\n", stamp="2")
    graph.items["f2"]["name"] = "People"
    graph.file("e", "new.md", "f1", "# New\n\nNews.\n")
    mirrored.fetch()
    assert graph.store.paths() == ["/b", "/e"]
    assert sorted(found(mirrored)) == ["hr/People/leave.md", "hr/new.md", "hr/pay.md"]
    graph.items["f2"]["deleted"] = {"state": "deleted"}
    graph.items["e"] = {"id": "e", "deleted": {}}
    mirrored.fetch()
    assert sorted(found(mirrored)) == ["hr/pay.md"]


def test_a_wrong_secret_and_a_missing_one_are_said(graph: Graph, login: str, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match="refuses the app's secret") as refused:
        source(graph, login, tmp_path, secret="wr0ng").fetch()
    assert "wr0ng" not in str(refused.value)
    with pytest.raises(Unreachable, match="secret of its app is missing"):
        source(graph, login, tmp_path, secret="").fetch()


def test_a_large_file_is_left_out_and_the_rest_is_read(graph: Graph, login: str, tmp_path: Path) -> None:
    graph.items["b"]["size"] = 200 * 2**20
    mirrored = source(graph, login, tmp_path)
    mirrored.fetch()
    (problem,) = [one for one in mirrored.entries() if isinstance(one, Problem)]
    assert (problem.document, problem.reason) == ("hr/pay.md", "it is larger than 50 MB")
    assert sorted(found(mirrored)) == ["hr/HR/leave.md"]
    assert "/b" not in graph.store.paths()
