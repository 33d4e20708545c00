"""The configured sources, made of the settings and their tokens."""

from collections.abc import Callable, Iterable
from pathlib import Path

from bot.source_settings import (
    AnySource,
    ConfluenceSettings,
    FolderSettings,
    GitSettings,
    WebSettings,
)
from knowledge.sources.base import Defaults
from knowledge.sources.confluence import ConfluenceSpace
from knowledge.sources.git import GitRepository
from knowledge.sources.local import LocalFolder
from knowledge.sources.mirror import Fetcher, Mirrored
from knowledge.sources.web import WebSite

Secret = Callable[[str], str]  # the token of that name, or ""


def configured(sources: Iterable[AnySource], home: Path, secret: Secret) -> list[Mirrored]:
    """Return the sources of the settings, in their order."""
    return [
        Mirrored(
            name=source.name,
            home=home,
            fetcher=_fetcher(source, secret),
            defaults=Defaults(
                owner=source.owner,
                audience=frozenset(source.audience),
                regions=frozenset(source.regions),
            ),
        )
        for source in sources
    ]


def _fetcher(source: AnySource, secret: Secret) -> Fetcher:
    match source:
        case FolderSettings():
            return LocalFolder(path=source.path)
        case GitSettings():
            return GitRepository(
                url=source.url,
                branch=source.branch,
                folder=source.folder,
                link=source.link,
                user=source.user,
                token=secret(source.secret),
            )
        case WebSettings():
            return WebSite(
                url=source.url,
                sitemap=source.sitemap,
                exclude=source.exclude,
                delay=source.delay,
                pages=source.pages,
                token=secret(source.secret),
            )
        case ConfluenceSettings():
            return ConfluenceSpace(
                url=source.url,
                space=source.space,
                page=source.page,
                product=source.product,
                user=source.user,
                token=secret(source.secret),
            )
