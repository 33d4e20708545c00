"""Keys of our own: made once for a database, found again, and never made a second time behind its back."""

import asyncio
from pathlib import Path

import pytest

from bot import keys
from bot.database import Database
from bot.settings import SettingsError
from connectors.keys import Keys
from connectors.secrets import Secrets, open_secrets

NAME = "checkpoint_key"


def store(home: Path) -> keys.Store:
    def opened() -> Secrets:
        return open_secrets(home=home, key="a key of the file")

    return opened


async def test_a_key_is_made_at_the_first_start_and_found_at_the_second(
    database: Database, tmp_path: Path
) -> None:
    made = await keys.own(database.pool, NAME, store(tmp_path))
    assert await keys.own(database.pool, NAME, store(tmp_path)) == made
    kept = open_secrets(home=tmp_path, key="a key of the file").get(NAME)
    assert kept is not None
    assert Keys.parse(kept) == made


async def test_of_processes_that_start_at_once_one_makes_the_key(database: Database, tmp_path: Path) -> None:
    found = await asyncio.gather(*(keys.own(database.pool, NAME, store(tmp_path)) for _ in range(3)))
    assert found == [found[0]] * 3


async def test_a_machine_without_the_key_is_told_where_it_comes_from(
    database: Database, tmp_path: Path
) -> None:
    made = await keys.own(database.pool, NAME, store(tmp_path / "one"))
    other = store(tmp_path / "other")
    with pytest.raises(SettingsError, match=f"{made.newest.id}.*countersign secrets set {NAME}"):
        await keys.own(database.pool, NAME, other)
    assert other().get(NAME) is None, "and makes none of its own"
    other().set(NAME, Keys.fresh().text())
    with pytest.raises(SettingsError, match=made.newest.id):
        await keys.own(database.pool, NAME, other)
    other().set(NAME, made.text())
    assert await keys.own(database.pool, NAME, other) == made


async def test_a_rotated_key_comes_into_use_at_the_next_start(database: Database, tmp_path: Path) -> None:
    made = await keys.own(database.pool, NAME, store(tmp_path))
    store(tmp_path)().set(NAME, made.rotated().text())
    rotated = await keys.own(database.pool, NAME, store(tmp_path))
    assert rotated.newest != made.newest
    assert rotated.find(made.newest.id) == made.newest
    with pytest.raises(SettingsError):  # a machine that still has only keys of somebody else
        await keys.own(database.pool, NAME, store(tmp_path / "other"))


async def test_a_key_that_was_cut_off_is_refused_and_not_shown(database: Database, tmp_path: Path) -> None:
    made = await keys.own(database.pool, NAME, store(tmp_path))
    store(tmp_path)().set(NAME, made.text()[:-3])
    with pytest.raises(SettingsError, match=r"cut off|not a key") as refused:
        await keys.own(database.pool, NAME, store(tmp_path))
    assert made.text()[15:30] not in str(refused.value)
