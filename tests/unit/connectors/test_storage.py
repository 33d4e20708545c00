"""The sandbox's storage keeps the contract that scim2-server asks of storages, in memory and from disk."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from scim2_models import PreconditionFailedException
from scim2_server.storage import ScimStorage
from scim2_server.testing import ScimStorageContract
from scim2_server.utils import load_default_provider

from connectors.sandbox import company
from connectors.sandbox.directory import seed
from connectors.sandbox.storage import SqliteStorage, StateInUse


class Reopened(ScimStorage):
    """Opens the file for every call: nothing can hide in memory."""

    supports_cursors = True

    def __init__(self, path: Path, provider: Any) -> None:
        self.path = path
        self.provider = provider

    @contextmanager
    def opened(self) -> Iterator[SqliteStorage]:
        storage = SqliteStorage(self.path, self.provider)
        try:
            yield storage
        finally:
            storage.close()

    def get(self, *args: Any, **kwargs: Any) -> Any:
        with self.opened() as storage:
            return storage.get(*args, **kwargs)

    def search(self, *args: Any, **kwargs: Any) -> Any:
        with self.opened() as storage:
            return storage.search(*args, **kwargs)

    def create(self, *args: Any, **kwargs: Any) -> Any:
        with self.opened() as storage:
            return storage.create(*args, **kwargs)

    def update(self, *args: Any, **kwargs: Any) -> Any:
        with self.opened() as storage:
            return storage.update(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> None:
        with self.opened() as storage:
            storage.delete(*args, **kwargs)


@pytest.fixture(scope="module")
def provider() -> Any:
    """Takes a while to build, and never changes."""
    return load_default_provider()


@pytest.fixture(scope="module")
def shared_provider(provider: Any) -> Any:
    """The same under another name, because the contract's own fixture hides it."""
    return provider


class Contract(ScimStorageContract):
    @pytest.fixture
    def provider(self, request: pytest.FixtureRequest) -> Any:
        return request.getfixturevalue("shared_provider")


class TestSqliteStorage(Contract):
    @pytest.fixture
    def storage(self, tmp_path: Path, provider: Any) -> Iterator[SqliteStorage]:
        storage = SqliteStorage(tmp_path / "directory.sqlite", provider)
        yield storage
        storage.close()


class TestReopenedStorage(Contract):
    @pytest.fixture
    def storage(self, tmp_path: Path, provider: Any) -> Reopened:
        return Reopened(tmp_path / "directory.sqlite", provider)


@pytest.fixture
def storage(tmp_path: Path, provider: Any) -> Iterator[SqliteStorage]:
    storage = SqliteStorage(tmp_path / "directory.sqlite", provider)
    yield storage
    storage.close()


def group_type(provider: Any) -> Any:
    return next(kind for kind in provider.resource_types if kind.name == "Group")


def with_members(storage: SqliteStorage, provider: Any, *members: str) -> Any:
    group = storage.get(group_type(provider), company.GROUPS[6].id)
    return type(group).model_validate(
        group.model_dump() | {"members": [{"value": member} for member in members]}
    )


def test_a_directory_is_filled_once_and_never_again(storage: SqliteStorage, provider: Any) -> None:
    seed(storage, provider)
    storage.delete(group_type(provider), company.GROUPS[0].id)
    before = storage.resources

    seed(storage, provider)

    assert storage.resources == before
    assert len(before) == len(company.PEOPLE) + len(company.GROUPS) - 1


def test_the_log_holds_every_change_of_a_membership_and_nothing_else(
    storage: SqliteStorage, provider: Any
) -> None:
    seed(storage, provider)
    assert storage.log() == []
    kind = group_type(provider)

    storage.update(kind, with_members(storage, provider, "one", "two"))
    storage.update(kind, with_members(storage, provider, "two"))
    storage.update(kind, with_members(storage, provider, "two"))

    assert [
        (entry["person"], entry["change"], entry["before"], entry["after"]) for entry in storage.log()
    ] == [
        ("one", "added", [], ["one", "two"]),
        ("two", "added", [], ["one", "two"]),
        ("one", "removed", ["one", "two"], ["two"]),
    ]


def test_a_refused_change_leaves_memory_disk_and_log_as_they_were(
    storage: SqliteStorage, provider: Any
) -> None:
    seed(storage, provider)
    before = storage.resources

    with pytest.raises(PreconditionFailedException):
        storage.update(group_type(provider), with_members(storage, provider, "one"), expected_version='W/"0"')

    assert storage.resources == before
    assert storage.log() == []


def test_versions_go_on_after_a_restart(tmp_path: Path, provider: Any) -> None:
    path = tmp_path / "directory.sqlite"
    storage = SqliteStorage(path, provider)
    seed(storage, provider)
    seen = {found.meta.version for found in storage.resources}
    storage.close()

    storage = SqliteStorage(path, provider)
    changed = storage.update(group_type(provider), with_members(storage, provider, "one"))
    storage.close()

    assert changed.meta.version not in seen


def test_two_servers_cannot_share_a_file(storage: SqliteStorage, tmp_path: Path, provider: Any) -> None:
    with pytest.raises(StateInUse):
        SqliteStorage(tmp_path / "directory.sqlite", provider)


def test_everybody_in_a_group_and_every_manager_works_at_the_company() -> None:
    names = {person.user_name for person in company.PEOPLE}

    assert {member for team in company.GROUPS for member in team.members} <= names
    assert {person.manager for person in company.PEOPLE} - {None} <= names
    assert set(company.REQUESTABLE) <= {team.name for team in company.GROUPS}
