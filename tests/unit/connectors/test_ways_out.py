"""There is no other way out than an act: whatever writes asks for the act that it runs under."""

import ast
from pathlib import Path

import pytest

import connectors

FOLDER = Path(connectors.__file__).parent
MODULES = sorted(path for path in FOLDER.rglob("*.py") if "sandbox" not in path.parts)
SENDS = {"request", "send", "post", "put", "patch", "delete", "stream"}
NETWORK = {"httpx", "aiohttp", "requests", "urllib", "socket", "smtplib", "imaplib", "http", "subprocess"}


def functions(source: str) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions that send something over a client, by themselves."""
    return [
        one
        for one in ast.walk(ast.parse(source))
        if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef) and sends(one)
    ]


def sends(function: ast.AST) -> bool:
    return any(
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in SENDS
        and any(name in ast.unparse(call.func.value) for name in ("http", "client", "session"))
        and ast.unparse(call.func.value).rpartition(".")[2] != "_client"
        for call in ast.walk(function)
    )


def asks_for_its_act(function: ast.AST) -> bool:
    return any(
        isinstance(call, ast.Call) and ast.unparse(call.func) == "running_act" for call in ast.walk(function)
    )


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_what_sends_asks_for_its_act(path: Path) -> None:
    for function in functions(path.read_text(encoding="utf-8")):
        assert asks_for_its_act(function), f"{path.name}: {function.name} sends, and asks for no act"


def test_there_is_something_to_check() -> None:
    found = {path.name: len(functions(path.read_text(encoding="utf-8"))) for path in MODULES}
    assert found["http.py"] == 1


def imported(path: Path) -> set[str]:
    """The packages that a module imports, wherever it does."""
    names: list[str] = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names += [one.name for one in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
    return {name.partition(".")[0] for name in names if name != "urllib.parse"}


def test_every_connector_goes_out_through_the_one_client() -> None:
    assert [path.name for path in MODULES if imported(path) & NETWORK] == ["http.py"]


def test_a_planted_way_out_is_seen() -> None:
    planted = "async def quick(self):\n    await self._http.post('/v2/Groups', json={})\n"
    (function,) = functions(planted)
    assert not asks_for_its_act(function)


@pytest.mark.parametrize("package", ["graphs", "bot/listeners", "bot/commands"])
def test_nothing_else_reaches_an_outside_system_by_itself(package: str) -> None:
    for path in sorted((FOLDER.parent / package).rglob("*.py")):
        assert not imported(path) & NETWORK, f"{path.name} imports {imported(path) & NETWORK}"
