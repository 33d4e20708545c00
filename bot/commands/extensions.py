"""`countersign extensions`: which workflows and connectors run here, where they are from, and why."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bot.commands.options import Config, Home, Json, failing, write_json
from bot.rooms import Extension, Sort, extensions, rooms_in, sort_of
from bot.settings import Settings, home_from, load, pins


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One room, or an extension that is not looked into."""

    name: str
    sort: str  # workflow, connector, or "extension" where its rooms are not known
    origin: str
    version: str
    hash: str
    runs: bool
    why: str


def list_extensions(home: Home = None, config: Config = None, as_json: Json = False) -> None:
    """List the workflows and connectors that there are: what runs, what does not, and why."""
    place = home_from(home)
    with failing():
        pinned = pins(place, config)
        unusable = {one.name for one in _unusable(place, pinned)}
        settings = None if unusable else load(place, config)
        found = [*_rooms(settings), *_others(place, pinned)]
    if as_json:
        write_json({"rooms": [asdict(one) for one in found]})
        return
    table = Table("Name", "What", "From", "Version", "Runs", "Why", box=None, pad_edge=False)
    for one in found:
        cells = (one.name, one.sort, one.origin, one.version, "yes" if one.runs else "no", one.why)
        table.add_row(*map(Text, cells))
    Console().print(table)
    for one in found:
        if one.sort == "extension":
            allow = f'{one.name} = "{one.hash}"'
            said = f"\nTo let {one.name} run, look at what it does, then write under [extensions]:\n{allow}"
            Console(soft_wrap=True).print(Text(said))


def _rooms(settings: Settings | None) -> Iterator[Shown]:
    """Yield the rooms that may run."""
    if settings is None:  # an extension is not what it was: nothing runs until that is settled
        return
    tables: dict[Sort, str] = {"workflow": "workflows", "connector": "connectors"}
    for sort, table in tables.items():
        on = dict(getattr(settings, table).items())
        known = {
            room.name: extension
            for extension in settings.rooms.allowed.values()
            for room in rooms_in(extension.load())
            if sort_of(room) == sort
        }
        for name in sorted(settings.rooms.names(sort)):
            extension = known.get(name)
            yield Shown(
                name=name,
                sort=sort,
                origin="shipped" if extension is None else f"{extension.origin} ({extension.name})",
                version="" if extension is None else extension.version,
                hash="" if extension is None else extension.hash,
                runs=name in on,
                why=f"the settings have [{table}.{name}]"
                if name in on
                else f"add [{table}.{name}] to have it",
            )


def _others(home: Path, pinned: dict[str, str]) -> Iterator[Shown]:
    """Yield what is there and may not run."""
    for one in extensions(home).values():
        if pinned.get(one.name) == one.hash:
            continue
        named = one.name in pinned
        why = "its files are not those that [extensions] names" if named else "[extensions] does not name it"
        yield Shown(
            name=one.name,
            sort="extension",
            origin=one.origin,
            version=one.version,
            hash=one.hash,
            runs=False,
            why=why,
        )


def _unusable(home: Path, pinned: dict[str, str]) -> Iterator[Extension]:
    return (one for one in extensions(home).values() if pinned.get(one.name, one.hash) != one.hash)
