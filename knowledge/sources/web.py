"""The pages of a web site that its sitemap lists and its robots.txt allows."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from io import BytesIO
from urllib.parse import unquote, urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup
from lxml import etree  # type: ignore[import-untyped]  # ships no stubs
from protego import Protego

from knowledge.errors import Unreachable
from knowledge.hidden import visible
from knowledge.sources.base import Problem, Token, no_token
from knowledge.sources.fetching import AGENT, Answer, Host, Refused, origin
from knowledge.sources.mirror import Copy, Item, Keep

_SUFFIXES = {
    "text/html": ".html",
    "application/xhtml+xml": ".html",
    "text/markdown": ".md",
    "text/plain": ".txt",
    "application/pdf": ".pdf",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
}
_LARGEST_MAP = 50 * 2**20  # bytes, unpacked: sitemaps.org's own limit
_MAPS = 200
_CRAWL_DELAY = 30.0  # seconds: a longer one is taken as this
_FAILURES = 5  # pages in a row that the server fails to give, after which it is left alone


@dataclass(frozen=True, kw_only=True, slots=True)
class WebSite:
    """Pages below `url`; `sitemap` where it is neither in robots.txt nor at /sitemap.xml."""

    url: str
    sitemap: str = ""
    exclude: Sequence[str] = ()  # beginnings of paths
    delay: float = 1.0
    pages: int = 2000
    token: Token = no_token

    @property
    def identity(self) -> str:
        """Where it is."""
        return f"web {self.url}"

    def fetch(self, before: Copy, keep: Keep) -> Copy:
        """Return what the site holds now. Raises Unreachable."""
        token = self.token()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        with Host(self.url, delay=self.delay, headers=headers) as host:
            robots = _robots(host, self.url)
            asked = robots.crawl_delay(AGENT)
            if asked:
                host.slow_down(min(float(asked), _CRAWL_DELAY))
            maps = [self.sitemap] if self.sitemap else _own(self.url, robots.sitemaps)
            problems: list[Problem] = []
            found = self._wanted(_listed(host, maps or [urljoin(self.url, "/sitemap.xml")]), robots, problems)
            return _Visit(host, before, keep, problems, self._covers).all(found)

    def _covers(self, url: str) -> bool:
        """Tell whether an address lies below the site's own and is not excluded."""
        path = urlsplit(url).path or "/"
        return (
            origin(url) == origin(self.url)
            and _below(path, urlsplit(self.url).path or "/")
            and not any(path.startswith(prefix) for prefix in self.exclude)
        )

    def _wanted(self, urls: Iterator[str], robots: Protego, problems: list[Problem]) -> list[str]:
        kept: dict[str, None] = {}
        for listed in urls:
            url = urldefrag(listed)[0]
            if not self._covers(url) or url in kept:
                continue
            if not robots.can_fetch(url, AGENT):
                problems.append(Problem(document=_name(url), reason="robots.txt asks us not to read it"))
                continue
            if len(kept) >= self.pages:
                reason = f"the site lists more than {self.pages} pages; raise 'pages' to read them all"
                problems.append(Problem(document=_name(url), reason=reason))
                break
            kept[url] = None
        return list(kept)


class _Visit:
    """One walk over the pages, leaning on what the last one kept."""

    def __init__(
        self,
        host: Host,
        before: Copy,
        keep: Keep,
        problems: list[Problem],
        covers: Callable[[str], bool],
    ) -> None:
        self._host = host
        self._covers = covers
        self._keep = keep
        self._earlier = {item.memo["page"]: item for item in before.items}
        self._problems = problems
        self._failures = 0
        self._items: dict[str, Item] = {}

    def all(self, pages: Sequence[str]) -> Copy:
        """Fetch every page; one that fails for now keeps its last form."""
        for page in pages:
            try:
                self._page(page)
                self._failures = 0
            except Refused as error:
                if not error.gone:
                    self._problems.append(Problem(document=_name(page), reason=str(error)))
            except Unreachable as error:
                self._failed(page, error)
        return Copy(items=tuple(self._items.values()), problems=tuple(self._problems))

    def _failed(self, page: str, error: Unreachable) -> None:
        self._failures += 1
        if self._failures >= _FAILURES:
            raise error
        known = self._earlier.get(page)
        if known is None:
            self._problems.append(Problem(document=_name(page), reason=str(error)))
        else:
            self._add(known)

    def _page(self, page: str) -> None:
        known = self._earlier.get(page)
        if known is not None and not self._keep.holds(known):
            known = None
        answer = self._host.get(page, headers=_conditions(known))
        if answer.content is None:
            if known is None:
                raise Refused("the server answers with 304 to a first request")
            self._add(known)
            return
        suffix = _SUFFIXES.get(answer.kind)
        if suffix is None:
            raise Refused(f"it is of a kind that is not read here ({answer.kind or 'none is named'})")
        address = _canonical(answer) if suffix == ".html" else answer.url
        if not self._covers(address):  # a page may not call itself what its source leaves out
            address = answer.url
        self._add(
            Item(
                document=_name(address),
                sha256=self._keep.put(_decoded(answer, suffix), suffix),
                suffix=suffix,
                url=address,
                memo={
                    "page": page,
                    "etag": answer.headers.get("etag", ""),
                    "modified": answer.headers.get("last-modified", ""),
                },
            )
        )

    def _add(self, item: Item) -> None:
        self._items.setdefault(item.document, item)  # two addresses of one page are one document


def _conditions(known: Item | None) -> dict[str, str]:
    if known is None:
        return {}
    pairs = (("If-None-Match", known.memo["etag"]), ("If-Modified-Since", known.memo["modified"]))
    return {name: value for name, value in pairs if value}


def _decoded(answer: Answer, suffix: str) -> bytes:
    """Return text as UTF-8 where the server names its characters' encoding."""
    assert answer.content is not None
    charset = answer.headers.get("content-type", "").lower().partition("charset=")[2].strip(" \"';")
    if suffix in {".pdf", ".docx"} or not charset or charset == "utf-8":
        return answer.content
    try:
        return answer.content.decode(charset).encode()
    except (LookupError, UnicodeDecodeError):
        return answer.content


def _robots(host: Host, url: str) -> Protego:
    """Return the site's rules. A site without a file has none; one that cannot say is not read (RFC 9309)."""
    try:
        content = host.get(urljoin(url, "/robots.txt"), largest=2**20).content or b""
    except Refused:
        content = b""
    return Protego.parse(content.decode("utf-8", "replace"))


def _own(url: str, maps: Iterator[str]) -> list[str]:
    return [found for found in maps if origin(found) == origin(url)]


def _listed(host: Host, maps: Sequence[str]) -> Iterator[str]:
    """Yield the addresses in sitemaps, those in a sitemap's index too."""
    waiting, seen = list(maps), set(maps)
    while waiting:
        url = waiting.pop(0)
        try:
            answer = host.get(url, largest=_LARGEST_MAP)
        except Refused as error:
            raise Unreachable(f"its sitemap {url} cannot be read: {error}") from error
        index, addresses = _sitemap(answer.content or b"", url)
        if not index:
            yield from addresses
            continue
        for address in addresses:
            if address not in seen and len(seen) < _MAPS and origin(address) == origin(url):
                seen.add(address)
                waiting.append(address)


def _sitemap(content: bytes, url: str) -> tuple[bool, list[str]]:
    """Return whether a sitemap is an index, and its addresses."""
    if content.startswith(b"\x1f\x8b"):
        try:
            content = gzip.GzipFile(fileobj=BytesIO(content)).read(_LARGEST_MAP)
        except (OSError, EOFError, zlib.error) as error:
            raise Unreachable(f"its sitemap {url} does not unpack") from error
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        root = etree.fromstring(content, parser)
    except (etree.LxmlError, ValueError) as error:
        raise Unreachable(f"its sitemap {url} is not sound XML") from error
    # Only <loc> of a page or of a sitemap: extensions for pictures have others.
    found = [
        (loc.text or "").strip()
        for entry in root
        if isinstance(entry.tag, str)
        for loc in entry
        if isinstance(loc.tag, str) and etree.QName(loc).localname == "loc" and _same_space(loc, root)
    ]
    return etree.QName(root).localname == "sitemapindex", [urljoin(url, place) for place in found if place]


def _same_space(element: etree._Element, root: etree._Element) -> bool:
    return bool(etree.QName(element).namespace == etree.QName(root).namespace)


def _canonical(answer: Answer) -> str:
    """Return the address that a page calls its own, if it is one of the same host."""
    soup = BeautifulSoup(answer.content or b"", "lxml")
    link = soup.find("link", rel="canonical")
    said = link.get("href") if link is not None else None
    url = urldefrag(urljoin(answer.url, said))[0] if isinstance(said, str) and said else answer.url
    return url if origin(url) == origin(answer.url) else answer.url


def _below(path: str, under: str) -> bool:
    return path == under.rstrip("/") or path.startswith(under if under.endswith("/") else f"{under}/")


def _name(url: str) -> str:
    """Return a page's path as a document's name."""
    parts = urlsplit(url)
    path = " ".join(visible(unquote(parts.path))[0].split()).strip("/") or "index"
    return f"{path}?{parts.query}" if parts.query else path
