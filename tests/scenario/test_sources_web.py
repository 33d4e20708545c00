"""A web site as a source, from a server on loopback."""

import gzip
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from knowledge.documents import Document
from knowledge.errors import Unreachable
from knowledge.sources.base import Defaults, Entry, Problem
from knowledge.sources.mirror import Mirrored
from knowledge.sources.web import WebSite
from tests.scenario.web_server import Said, Site, serving


def page(title: str, text: str, head: str = "") -> str:
    return (
        f"<html lang='en'><head><title>{title}</title>{head}</head><body><nav>Menu</nav>"
        f"<main><h1>{title}</h1><h2 id='rule'>Rule</h2><p>{text}</p></main>"
        "<footer>Imprint</footer></body></html>"
    )


def sitemap(site: Site, *paths: str) -> str:
    rows = "".join(f"<url><loc>{site.url}{path}</loc></url>" for path in paths)
    return f"<?xml version='1.0'?><urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>{rows}</urlset>"


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as opened:
        opened.pages["/leave"] = Said(body=page("Leave", "Everybody has 25 days."), etag='"1"')
        opened.pages["/pay/day"] = Said(body=page("Pay", "On the 25th."), etag='"2"')
        opened.pages["/sitemap.xml"] = sitemap(opened, "/leave", "/pay/day")
        yield opened


@pytest.fixture
def source(site: Site, tmp_path: Path) -> Mirrored:
    return mirrored(tmp_path, WebSite(url=f"{site.url}/", delay=0))


def mirrored(tmp_path: Path, web: WebSite) -> Mirrored:
    return Mirrored(name="site", home=tmp_path / "home", fetcher=web, defaults=Defaults())


def documents(source: Mirrored) -> dict[str, Document]:
    return {one.document: one.read() for one in source.entries() if isinstance(one, Entry)}


def problems(source: Mirrored) -> dict[str, str]:
    return {one.document: one.reason for one in source.entries() if isinstance(one, Problem)}


def texts(document: Document) -> str:
    return " ".join(unit.text for part in document.parts for unit in part.units)


def test_the_pages_of_the_sitemap_are_read_with_their_addresses(site: Site, source: Mirrored) -> None:
    source.fetch()
    found = documents(source)
    assert sorted(found) == ["site/leave", "site/pay/day"]
    leave = found["site/leave"]
    assert (leave.title, leave.terms.url, leave.terms.language) == ("Leave", f"{site.url}/leave", "en")
    assert [part.anchor for part in leave.parts][-1] == "rule"
    assert texts(leave) == "Everybody has 25 days."  # no menu, no imprint


def test_a_second_visit_asks_only_whether_something_changed(site: Site, source: Mirrored) -> None:
    source.fetch()
    before = [(one.document, getattr(one, "sha256", "")) for one in source.entries()]
    site.asked.clear()
    source.fetch()
    conditions = {one.path: one.headers.get("if-none-match") for one in site.asked}
    assert (conditions["/leave"], conditions["/pay/day"]) == ('"1"', '"2"')
    assert [(one.document, getattr(one, "sha256", "")) for one in source.entries()] == before
    site.pages["/leave"] = Said(body=page("Leave", "Everybody has 26 days."), etag='"3"')
    source.fetch()
    assert "26 days" in texts(documents(source)["site/leave"])


def test_robots_txt_is_respected_and_names_the_sitemap(site: Site, source: Mirrored) -> None:
    site.pages["/robots.txt"] = Said(
        body=f"User-agent: *\nDisallow: /pay/*\nSitemap: {site.url}/maps/all.xml\n", kind="text/plain"
    )
    site.pages["/maps/all.xml"] = sitemap(site, "/leave", "/pay/day")
    source.fetch()
    assert list(documents(source)) == ["site/leave"]
    assert "robots.txt" in problems(source)["site/pay/day"]
    assert "/pay/day" not in site.paths()
    assert "/sitemap.xml" not in site.paths()


def test_rules_that_cannot_be_read_close_the_site(site: Site, source: Mirrored) -> None:
    site.pages["/robots.txt"] = Said(status=500)
    with pytest.raises(Unreachable):
        source.fetch()
    assert site.paths() == ["/robots.txt"]


def test_an_index_of_packed_sitemaps_is_followed(site: Site, source: Mirrored) -> None:
    site.pages["/sitemap.xml"] = (
        "<sitemapindex xmlns='http://www.sitemaps.org/schemas/sitemap/0.9'>"
        f"<sitemap><loc>{site.url}/a.xml.gz</loc></sitemap>"
        f"<sitemap><loc>{site.url}/sitemap.xml</loc></sitemap>"
        "<sitemap><loc>https://elsewhere.example/b.xml</loc></sitemap></sitemapindex>"
    )
    site.pages["/a.xml.gz"] = Said(
        body=gzip.compress(sitemap(site, "/leave").encode()), kind="application/gzip"
    )
    source.fetch()
    assert list(documents(source)) == ["site/leave"]


def test_only_this_host_is_asked(site: Site, source: Mirrored) -> None:
    with serving() as other:
        other.pages["/secret"] = page("Secret", "Inside.")
        site.pages["/away"] = Said(status=302, headers={"Location": f"{other.url}/secret"})
        site.pages["/metadata"] = Said(status=302, headers={"Location": "http://169.254.169.254/latest"})
        site.pages["/near"] = Said(status=301, headers={"Location": "/leave"})
        listed = sitemap(site, "/away", "/metadata", "/near")
        site.pages["/sitemap.xml"] = listed.replace(
            "</urlset>", f"<url><loc>{other.url}/secret</loc></url></urlset>"
        )
        source.fetch()
        assert other.asked == []
    assert list(documents(source)) == ["site/leave"]
    assert {"site/away", "site/metadata"} == set(problems(source))
    assert "another host" in problems(source)["site/away"]


def test_a_page_that_fails_for_now_stays_and_one_that_is_gone_goes(site: Site, source: Mirrored) -> None:
    source.fetch()
    site.pages["/leave"] = Said(status=500)
    del site.pages["/pay/day"]
    source.fetch()
    assert list(documents(source)) == ["site/leave"]


def test_a_site_that_is_down_takes_nothing_away(site: Site, source: Mirrored) -> None:
    source.fetch()
    site.pages["/sitemap.xml"] = Said(status=503, headers={"Retry-After": "0"})
    with pytest.raises(Unreachable, match="503"):
        source.fetch()
    site.pages.clear()
    with pytest.raises(Unreachable, match="sitemap"):
        source.fetch()
    site.pages["/sitemap.xml"] = sitemap(site)
    with pytest.raises(Unreachable, match="no document any more"):
        source.fetch()
    assert len(documents(source)) == 2
    assert "no document any more" in source.status()["problem"]


def test_a_server_that_fails_again_and_again_is_left_alone(site: Site, source: Mirrored) -> None:
    paths = [f"/broken/{number}" for number in range(20)]
    site.pages |= {path: Said(status=500) for path in paths}
    site.pages["/sitemap.xml"] = sitemap(site, *paths)
    with pytest.raises(Unreachable):
        source.fetch()
    assert len([path for path in site.paths() if path.startswith("/broken")]) == 5


def test_what_is_not_a_document_or_too_large_is_said(
    site: Site, source: Mirrored, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.pages["/film"] = Said(body=b"x", kind="video/mp4")
    site.pages["/large"] = Said(body=b"x", headers={"X": "y"})
    site.pages["/bomb"] = Said(
        body=gzip.compress(b"0" * 60 * 2**20), headers={"Content-Encoding": "gzip"}, kind="text/plain"
    )
    site.pages["/sitemap.xml"] = sitemap(site, "/leave", "/film", "/bomb", "/private")
    site.pages["/private"] = Said(status=403)
    source.fetch()
    assert list(documents(source)) == ["site/leave"]
    said = problems(source)
    assert "video/mp4" in said["site/film"]
    assert "larger than 50 MB" in said["site/bomb"]
    assert "does not let us read it" in said["site/private"]


def test_a_page_says_its_own_address_on_the_same_host_only(site: Site, source: Mirrored) -> None:
    site.pages["/a?print=1"] = page("A", "One.", f"<link rel='canonical' href='{site.url}/a'>")
    site.pages["/a"] = page("A", "One.")
    site.pages["/b"] = page("B", "Two.", "<link rel='canonical' href='https://evil.example/b'>")
    site.pages["/sitemap.xml"] = sitemap(site, "/a?print=1", "/a", "/b")
    source.fetch()
    assert {name: one.terms.url for name, one in documents(source).items()} == {
        "site/a": f"{site.url}/a",
        "site/b": f"{site.url}/b",
    }


def test_pages_outside_the_part_that_was_asked_for_are_left(site: Site, tmp_path: Path) -> None:
    site.pages["/pay/bands"] = page("Bands", "Closed.")
    site.pages["/sitemap.xml"] = sitemap(site, "/leave", "/pay/day", "/pay/bands", "/payroll")
    source = mirrored(tmp_path, WebSite(url=f"{site.url}/pay", exclude=("/pay/bands",), delay=0))
    source.fetch()
    assert list(documents(source)) == ["site/pay/day"]
    assert not {"/leave", "/payroll", "/pay/bands"} & set(site.paths())


def test_no_more_pages_are_asked_for_than_allowed(site: Site, tmp_path: Path) -> None:
    source = mirrored(tmp_path, WebSite(url=site.url, pages=1, delay=0))
    source.fetch()
    assert list(documents(source)) == ["site/leave"]
    assert "more than 1 pages" in problems(source)["site/pay/day"]


def test_a_broken_sitemap_is_said(site: Site, source: Mirrored) -> None:
    site.pages["/sitemap.xml"] = "<urlset><url>"
    with pytest.raises(Unreachable, match="not sound XML"):
        source.fetch()
    entity = (
        "<!DOCTYPE u [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><urlset><url><loc>&x;</loc></url></urlset>"
    )
    site.pages["/sitemap.xml"] = entity
    source.fetch()
    assert not documents(source)


def test_a_token_is_sent_and_never_shown(site: Site, tmp_path: Path) -> None:
    web = WebSite(url=site.url, delay=0, token=lambda: "s3cret")
    mirrored(tmp_path, web).fetch()
    assert {one.headers.get("authorization") for one in site.asked} == {"Bearer s3cret"}
    kept = [path.read_bytes() for path in (tmp_path / "home").rglob("*") if path.is_file()]
    assert not any(b"s3cret" in content for content in kept)
    assert replace(web, delay=1).identity == web.identity
