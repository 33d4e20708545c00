"""The pages of a Confluence space, over its REST interface: version 2 of Cloud, or that of Data Center."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal
from urllib.parse import quote, urlencode, urljoin

from knowledge.errors import Unreachable
from knowledge.sources.base import Problem, Token, no_token
from knowledge.sources.fetching import Host, Refused
from knowledge.sources.mirror import Copy, Item, Keep
from knowledge.sources.storage_format import to_html

_PAGES = 50_000  # listed; more is a loop


@dataclass(frozen=True, kw_only=True, slots=True)
class _Page:
    id: str
    title: str
    version: str
    above: frozenset[str]  # ids of its ancestors, as far as the listing says
    link: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ConfluenceSpace:
    """The current pages of `space`, or those below `page` (an id). `url` ends in /wiki for Cloud.

    With `user` (an e-mail address) the token is an API token, without it a personal access token.
    """

    url: str
    space: str
    page: str = ""
    product: Literal["cloud", "data-center"] = "cloud"
    user: str = ""
    token: Token = no_token

    @property
    def identity(self) -> str:
        """Server, space and page."""
        return f"confluence {self.url} {self.space} {self.page}"

    def fetch(self, before: Copy, keep: Keep) -> Copy:
        """Return what the space holds now; only pages with a new version are fetched. Raises Unreachable."""
        earlier = {item.document: item for item in before.items}
        items: list[Item] = []
        problems: list[Problem] = []
        with Host(self.url, headers=self._credential()) as host:
            for page in self._tree(list(self._listed(host))):
                known = earlier.get(page.id)
                if known is None or known.version != page.version or not keep.holds(known):
                    try:
                        known = self._fetched(host, page, keep)
                    except Refused as error:
                        if not error.gone:
                            problems.append(Problem(document=page.id, reason=str(error)))
                        continue
                items.append(known)
        return Copy(items=tuple(items), problems=tuple(problems))

    def _credential(self) -> dict[str, str]:
        token = self.token()
        if not token:
            return {}
        if not self.user:
            return {"Authorization": f"Bearer {token}"}
        return {"Authorization": f"Basic {base64.b64encode(f'{self.user}:{token}'.encode()).decode()}"}

    def _listed(self, host: Host) -> Iterator[_Page]:
        if self.product == "cloud":
            spaces = self._get(host, f"api/v2/spaces?{urlencode({'keys': self.space})}").get("results") or []
            if len(spaces) != 1:
                raise Unreachable(f"it shows us no space with the key {self.space}")
            start = f"api/v2/spaces/{quote(str(spaces[0]['id']))}/pages?limit=250&status=current"
        else:
            asked = {"spaceKey": self.space, "type": "page", "status": "current"}
            start = f"rest/api/content?{urlencode(asked)}&expand=version,ancestors&limit=100"
        address: str | None = start
        count = 0
        while address and count < _PAGES:
            answer = self._get(host, address)
            for row in answer.get("results") or []:
                count += 1
                yield self._page(row)
            following = (answer.get("_links") or {}).get("next")
            address = self._next(following) if following else None

    def _next(self, link: str) -> str:
        """Return the next part of a listing: Data Center's links leave out where the server lies."""
        return link if link.startswith("http") or self.product == "cloud" else link.lstrip("/")

    def _page(self, row: dict[str, Any]) -> _Page:
        above = {str(one["id"]) for one in row.get("ancestors") or []} | {str(row.get("parentId") or "")}
        try:
            return _Page(
                id=str(row["id"]),
                title=str(row["title"]),
                version=str(row["version"]["number"]),
                above=frozenset(above - {""}),
                link=str((row.get("_links") or {}).get("webui") or ""),
            )
        except (KeyError, TypeError) as error:
            raise Unreachable("it answers in a form that is not known here") from error

    def _tree(self, pages: list[_Page]) -> list[_Page]:
        """Return the wanted page and those below it, or all where none is named."""
        if not self.page:
            return pages
        inside = {self.page}
        while True:
            more = {page.id for page in pages if page.above & inside} - inside
            if not more:
                break
            inside |= more
        if not any(page.id == self.page for page in pages):
            raise Unreachable(f"it shows us no page {self.page} in the space {self.space}")
        return [page for page in pages if page.id in inside]

    def _fetched(self, host: Host, page: _Page, keep: Keep) -> Item:
        asked = (
            f"api/v2/pages/{quote(page.id)}?body-format=storage"
            if self.product == "cloud"
            else f"rest/api/content/{quote(page.id)}?expand=body.storage,version"
        )
        row = self._get(host, asked)
        storage = ((row.get("body") or {}).get("storage") or {}).get("value")
        if not isinstance(storage, str):
            raise Refused("the server gives it no text")
        content = to_html(storage, title=page.title, anchor=partial(_anchor, self.product, page.title))
        return Item(
            document=page.id,
            sha256=keep.put(content.encode(), ".html"),
            suffix=".html",
            title=page.title,
            url=f"{self.url.rstrip('/')}/{page.link.lstrip('/')}" if page.link else "",
            version=page.version,
        )

    def _get(self, host: Host, address: str) -> dict[str, Any]:
        """Ask for an address relative to the server's own. Raises Unreachable, and Refused for one page."""
        try:
            answer = host.get(urljoin(f"{self.url.rstrip('/')}/", address))
            found = json.loads(answer.content or b"")
        except Refused as error:
            if "/pages/" in address or "/content/" in address:
                raise
            raise Unreachable(f"{self.url}: {error}") from error
        except ValueError as error:
            raise Unreachable(f"{self.url} does not answer as Confluence does") from error
        if not isinstance(found, dict):
            raise Unreachable(f"{self.url} does not answer as Confluence does")
        return found


def _anchor(product: str, title: str, heading: str) -> str:
    """Return what Confluence calls a heading in an address."""
    if product == "cloud":
        return quote(re.sub(r"\s+", "-", heading), safe="-_.!~*'()")
    return quote(re.sub(r"\s+", "", f"{title}-{heading}"), safe="-_.!~*'()")
