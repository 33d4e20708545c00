"""What a session with the database is set to, and that nothing connects past that."""

import re
from pathlib import Path

import psycopg

from bot.storage.session import split

ROOT = Path(__file__).parents[3]
_CONNECTS = re.compile(r"psycopg\.connect\(|\bConnection(?:\[[^\]]*\])?\.connect\(|PsycopgConnector\([^)]*\)")


def test_settings_are_taken_out_of_a_connection_string_and_the_rest_stays() -> None:
    plain, settings = split(r"host=h options='-c search_path=a\\ b,c --time-zone=UTC -crole=app -d 5'")
    assert settings == {"search_path": "a b,c", "time_zone": "UTC", "role": "app"}
    assert psycopg.conninfo.conninfo_to_dict(plain) == {"host": "h", "options": "-d 5"}


def test_nothing_connects_but_through_the_session() -> None:
    """Startup options are refused, or dropped without a word, by a pooler."""
    rooms = [ROOT / room for room in ("bot", "graphs", "knowledge", "connectors")]
    found = {
        str(path.relative_to(ROOT)): said
        for room in rooms
        for path in sorted(room.rglob("*.py"))
        for said in _CONNECTS.findall(path.read_text(encoding="utf-8"))
        if "connection_class=SessionConnection" not in said
    }
    assert found.keys() == {
        "bot/storage/session.py",
        "bot/storage/embedded.py",  # which asks our own server whether it runs
    }
