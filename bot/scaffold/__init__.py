"""`countersign new`: a room that loads and runs, and a test that says what to write in it next."""

import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

from bot.rooms import Rooms, Sort, extensions

_HERE = Path(__file__).parent
_NAME = re.compile(r"[a-z][a-z0-9_]{1,39}")
_PLACES = {"workflow": "graphs/workflows", "connector": "connectors"}


class NotMade(Exception):
    """The room cannot be made. The message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Made:
    """What was made, and what the settings need so that it runs."""

    room: Path
    test: Path
    settings: str


def make(sort: Sort, name: str, *, home: Path, checkout: Path | None) -> Made:
    """Make a room: in its place in a checkout, else in the home's extensions. Raises NotMade.

    Nothing that exists is overwritten.
    """
    if not _NAME.fullmatch(name):
        raise NotMade(f"{name} is no name for a {sort}: take small letters, digits and _ (visitor_pass).")
    if name in Rooms(allowed={}).names(sort):
        raise NotMade(f"There is a {sort} {name} already.")
    if checkout is not None:
        room, test = checkout / _PLACES[sort] / name, checkout / "tests/scenario" / f"test_{name}.py"
    else:
        room, test = home / "extensions" / name, home / "extensions" / f"test_{name}.py"
    for path in (room, test):
        if path.exists():
            raise NotMade(f"{path} exists already. Take another name, or go on there.")
    words = {
        "name": name,
        "Class": "".join(part.capitalize() for part in name.split("_")),
        "words": name.replace("_", " "),
        "found": _import(sort, name, in_home=checkout is None),
    }
    for path, kind in ((room / "__init__.py", "room"), (test, "test")):
        path.parent.mkdir(parents=True, exist_ok=True)
        text = (_HERE / f"{sort}_{kind}.txt").read_text(encoding="utf-8")
        path.write_text(Template(text).substitute(words), encoding="utf-8")
    pin = "" if checkout else f'[extensions]\n{name} = "{extensions(home)[name].hash}"\n\n'
    settings = Template((_HERE / f"{sort}_settings.txt").read_text(encoding="utf-8")).substitute(words)
    return Made(room=room, test=test, settings=pin + settings)


def _import(sort: Sort, name: str, *, in_home: bool) -> str:
    if in_home:
        return (
            "from pathlib import Path\n\nfrom bot.rooms import extensions, rooms_in\n\n"
            f'(ROOM,) = rooms_in(extensions(Path(__file__).parents[1])["{name}"].load())'
        )
    package = _PLACES[sort].replace("/", ".")
    return f'from bot.rooms import Rooms\n\nROOM = Rooms(allowed={{}}).{sort}("{name}")  # {package}.{name}'
