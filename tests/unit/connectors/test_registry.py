"""Operations are registered explicitly, once each."""

import subprocess
import sys
from dataclasses import replace

import pytest

from connectors.base import Mint
from connectors.directory import Membership
from connectors.errors import ConnectorError, Invalid, NotPermitted
from connectors.registry import DirectorySettings, Registry, connect

NOWHERE = DirectorySettings(
    url="http://127.0.0.1:9/v2", token="a-token-that-nobody-sees", write_token="another-that-nobody-sees"
)


async def test_the_directory_operations_are_there_by_name() -> None:
    async with connect(directory=NOWHERE) as (connectors, _):
        registry = connectors.registry
        assert [operation.name for operation in registry] == [
            "directory.add_to_group",
            "directory.remove_from_group",
        ]
        assert len(registry) == 2
        assert "directory.add_to_group" in registry
        assert registry.operation("directory.add_to_group").repeat == "findable"


async def test_an_unknown_name_is_invalid_and_a_taken_one_is_refused() -> None:
    async with connect(directory=NOWHERE) as (connectors, _):
        first = next(iter(connectors.registry))
        with pytest.raises(Invalid, match=r"no operation directory\.rename"):
            connectors.registry.operation("directory.rename")
        with pytest.raises(Invalid, match="registered already"):
            connectors.registry.register(first)
        with pytest.raises(Invalid, match="registered already"):
            Registry([first, first])


async def test_the_mint_ends_with_the_connection() -> None:
    async with connect(directory=NOWHERE) as (_, mint):
        with pytest.raises(NotPermitted):
            Mint()
    with pytest.raises(NotPermitted):
        mint.permit("directory.add_to_group", Membership(group="billing-db", person="p"), "k")


async def test_a_connection_that_cannot_be_made_leaves_no_mint_behind() -> None:
    for _ in range(2):
        with pytest.raises(Invalid):
            async with connect(directory=replace(NOWHERE, url="http://elsewhere.example")):
                pass


def test_settings_do_not_show_the_token() -> None:
    assert "nobody-sees" not in repr(NOWHERE)


def test_every_error_has_a_key_of_its_own() -> None:
    kinds = ConnectorError.__subclasses__()
    assert len({kind.key for kind in kinds}) == len(kinds)


def test_the_records_and_the_registry_are_light_to_import() -> None:
    heavy = {"scim2_models", "scim2_client", "httpx", "keyring", "uvicorn"}
    code = "import sys, connectors.base, connectors.directory, connectors.registry; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not heavy & set(loaded.split())
