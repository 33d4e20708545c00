"""What an ingest reads: the configured sources with their tokens, or the paths it was given."""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from bot import credentials, serving
from bot.demo import home as demo
from bot.settings import CONFIG, Settings, SettingsError, load
from bot.source_settings import (
    ANSWERS,
    AnySource,
    ConfluenceSettings,
    FolderSettings,
    GitSettings,
    SharePointSettings,
    WebSettings,
)
from connectors.secrets import demo_key
from knowledge.errors import KnowledgeError, NoEdition, Unreachable
from knowledge.sources import mirror
from knowledge.sources.base import Defaults, Source
from knowledge.sources.folder import Folder
from knowledge.sources.mirror import Fetcher, Mirrored

Note = Callable[[str], None]


class Lost(KnowledgeError):
    """A source is neither reachable nor kept, and documents of it are being served."""


def named(paths: Sequence[Path], home: Path) -> list[Source]:
    """Return sources for paths given by hand, and the reviewed answers of this home."""
    return [*(Folder(path) for path in paths), *_answers(home)]


@contextmanager
def fetched(home: Path, config: Path | None, only: Collection[str], note: Note) -> Iterator[list[Source]]:
    """Fetch the configured sources and yield them, with the reviewed answers of this home.

    With `only`, the others stay as they were fetched last. Until the block ends nobody else fetches here.
    Raises SettingsError, and Lost.
    """
    settings = load(home, config)
    if not settings.sources:
        raise SettingsError(
            f"Name what to read: countersign ingest FOLDER; or list [[sources]] in {config or home / CONFIG}."
        )
    every = configured(settings)
    unknown = sorted(set(only) - {source.name for source in every})
    if unknown:
        raise SettingsError(f"No source has the name {unknown[0]}; countersign sources lists them.")
    with mirror.alone(home, note):
        mirror.forget(home, [source.name for source in every])
        ready = [
            source
            for source in every
            if (only and source.name not in only and source.is_kept) or _fetch(source, home, config, note)
        ]
        yield [*ready, *_answers(home)]


def configured(settings: Settings) -> list[Mirrored]:
    """Return the sources of the settings, in their order. Tokens are read when a source is fetched first."""
    key = demo_key(settings.home) if demo.is_demo(settings.home) else None
    return [
        Mirrored(
            name=source.name,
            home=settings.home,
            fetcher=_fetcher(source, credentials.source_token(settings, source.name, key=key)),
            defaults=Defaults(
                owner=source.owner,
                audience=frozenset(source.audience),
                regions=frozenset(source.regions),
                standing=source.standing,
                addresses=source.addresses,
            ),
        )
        for source in settings.sources
    ]


def _fetch(source: Mirrored, home: Path, config: Path | None, note: Note) -> bool:
    """Fetch a source; where that fails say so. False when there is nothing to read."""
    try:
        source.fetch()
    except Unreachable as error:
        if source.is_kept:
            note(f"{source.name}: {error}. Its documents stay as they were fetched last.")
            return True
        if _serves(source.name, home, config):
            raise Lost(
                f"{source.name}: {error}. No copy of it is kept here, so an edition now would lack its "
                "documents. What served before still serves."
            ) from error
        note(f"{source.name}: {error}. It has never been fetched, and is left out.")
        return False
    return True


def _serves(name: str, home: Path, config: Path | None) -> bool:
    from knowledge.edition import open_current  # noqa: PLC0415 - takes a second to import

    try:
        edition = open_current(home, serving.of_home(home, config))
    except NoEdition:
        return False
    except KnowledgeError:
        return True  # nobody knows; better to wait than to lose
    try:
        return any(head.document.startswith(f"{name}/") for head in edition.documents)
    finally:
        edition.close()


def _answers(home: Path) -> list[Source]:
    folder = home / ANSWERS
    return [Folder(folder, prefix=ANSWERS)] if any(folder.glob("*.md")) else []


def _fetcher(source: AnySource, token: Callable[[], str]) -> Fetcher:
    # Each kind has libraries of its own, and an ingest of a folder needs none of them.
    match source:
        case FolderSettings():
            from knowledge.sources.local import LocalFolder  # noqa: PLC0415

            return LocalFolder(path=source.path)
        case GitSettings():
            from knowledge.sources.git import GitRepository  # noqa: PLC0415

            return GitRepository(
                url=source.url,
                branch=source.branch,
                folder=source.folder,
                link=source.link,
                user=source.user,
                token=token,
            )
        case WebSettings():
            from knowledge.sources.web import WebSite  # noqa: PLC0415

            return WebSite(
                url=source.url,
                sitemap=source.sitemap,
                exclude=source.exclude,
                delay=source.delay,
                pages=source.pages,
                token=token,
            )
        case SharePointSettings():
            from knowledge.sources.drive import Drive  # noqa: PLC0415

            return Drive(
                drive=source.drive,
                tenant=source.tenant,
                client=source.client,
                folder=source.folder,
                graph=source.graph.rstrip("/"),
                login=source.login.rstrip("/"),
                token=token,
            )
        case ConfluenceSettings():
            from knowledge.sources.confluence import ConfluenceSpace  # noqa: PLC0415

            return ConfluenceSpace(
                url=source.url,
                space=source.space,
                page=source.page,
                product=source.product,
                user=source.user,
                token=token,
            )
