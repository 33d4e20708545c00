"""What a source is: a name, and the documents that it holds now, in a stable order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from knowledge.documents import EVERYONE, PUBLIC, Document, Standing, Terms
from knowledge.errors import Closed
from knowledge.hidden import ADDRESS, OWNER

Token = Callable[[], str]  # reads a source's token when it is needed; "" where there is none


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """Something in a source that was left out, and why.

    `closed`: it says something of itself, such as who may read it, that is not understood.
    """

    document: str
    reason: str
    closed: bool = False

    def __str__(self) -> str:
        return f"{self.document}: {self.reason}"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One document that a source holds, not yet read into sections.

    `sha256` is of its bytes. `basis` is what else decides what is read: its source's terms, its address.
    """

    document: str
    sha256: str
    reader: Callable[[], Document] = field(repr=False)
    basis: str = ""

    def read(self) -> Document:
        """Return the document. Raises Unreadable with the reason when it cannot be one."""
        return self.reader()


def no_token() -> str:
    """Return nothing: the source asks for none."""
    return ""


class Source(Protocol):
    """Where documents come from."""

    @property
    def name(self) -> str:
        """What a person calls it."""

    @property
    def state(self) -> str:
        """What it is at, where it has a word for that: a Git commit. Nothing is rebuilt for this alone."""

    def entries(self) -> Iterator[Entry | Problem]:
        """Yield what it holds, in the same order for the same content. Asks no network.

        Raises NothingToIngest when it cannot be read at all.
        """


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What a source says of all its documents.

    Owner and regions hold where a document is silent. The audience is a bound: a document may be for fewer
    people, never for more. The standing is the source's alone: what a reference says is heard only where no
    policy answers, and no page of it chooses its owner or its address.

    `addresses` are the beginnings of those that a policy may call its own. None is a folder that somebody
    named by hand: there any https address may be.
    """

    owner: str = ""
    audience: frozenset[str] = frozenset({EVERYONE})
    regions: frozenset[str] = frozenset()
    standing: Standing = "policy"
    addresses: tuple[str, ...] | None = None

    def applied(self, terms: Terms, given: Terms) -> tuple[Terms, Counter[str]]:
        """Return a document's terms within this source, and what it may not say of itself, by kind.

        `given` is what the source knows of the document. Raises Closed where nobody could read it.
        """
        refused: Counter[str] = Counter()
        url = given.url
        if terms.url and terms.url != given.url:
            if self._allows(terms.url, given):
                url = terms.url
            else:
                refused[ADDRESS] += 1
        owner = given.owner or ("" if self.standing == "reference" else terms.owner) or self.owner
        if terms.owner and terms.owner != owner:
            refused[OWNER] += 1
        bounded = replace(
            terms,
            url=url,
            owner=owner,
            audience=self._bounded(terms.audience),
            regions=terms.regions or self.regions,
            standing=self.standing,
        )
        return bounded, refused

    def _allows(self, url: str, given: Terms) -> bool:
        """Tell whether a document may say that this is its address."""
        if self.standing == "reference":
            return False
        if self.addresses is None:
            return not given.url and url.startswith("https://")
        return any(within(url, place) for place in self.addresses)

    def _bounded(self, audience: frozenset[str]) -> frozenset[str]:
        """Return whom a document may be for. What a source for the public says of nobody is public."""
        if PUBLIC in self.audience:
            return frozenset({PUBLIC}) if EVERYONE in audience else audience
        if PUBLIC in audience:  # that is for the source to say
            audience = audience - {PUBLIC} | {EVERYONE}
        if EVERYONE in self.audience:
            return audience
        if EVERYONE in audience:
            return self.audience
        both = audience & self.audience
        if not both:
            raise Closed(
                f"its audience ({', '.join(sorted(audience))}) lies outside its source's "
                f"({', '.join(sorted(self.audience))})"
            )
        return both

    def as_basis(self) -> dict[str, Any]:
        """Return it as plain values, the same for the same terms."""
        return {
            "owner": self.owner,
            "audience": sorted(self.audience),
            "regions": sorted(self.regions),
            "standing": self.standing,
            "addresses": None if self.addresses is None else list(self.addresses),
        }


def within(url: str, place: str) -> bool:
    """Tell whether an https address lies at a place or below it, however a browser would read it."""
    try:
        one, other = urlsplit(url), urlsplit(place)
        same = (one.scheme, one.hostname, one.port) == (other.scheme, other.hostname, other.port)
    except ValueError:
        return False
    path = unquote(unquote(one.path))  # some servers take it apart twice
    plain = not ("\\" in url or "@" in one.netloc or ".." in path.split("/") or not url.isprintable())
    below = f"{other.path.rstrip('/')}/"
    return one.scheme == "https" and same and plain and f"{one.path.rstrip('/')}/".startswith(below)
