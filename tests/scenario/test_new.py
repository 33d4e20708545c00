"""`countersign new`: what it makes loads, runs as far as it is written, and says what to write next."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from bot import policies, router, systems, workflows
from bot.cli import app
from bot.rooms import extensions
from bot.settings import load

ROOT = Path(__file__).resolve().parents[2]


def new(sort: str, name: str, *more: str | Path) -> Result:
    return CliRunner().invoke(app, ["new", sort, name, *map(str, more)])


@pytest.fixture
def home(tmp_path: Path) -> Path:
    place = tmp_path / "home"
    place.mkdir(mode=0o700)
    return place


def test_what_it_makes_in_a_home_loads_with_the_settings_that_it_says(home: Path) -> None:
    settings = ""
    for sort, name in (("workflow", "visitor_pass"), ("connector", "badges")):
        made = new(sort, name, "--home", home)
        assert made.exit_code == 0, made.output
        pin = f'[extensions]\n{name} = "{extensions(home)[name].hash}"\n'
        assert pin in made.output
        settings += made.output.partition(pin)[2].partition("The hash")[0]
    pins = "".join(f'{name} = "{one.hash}"\n' for name, one in extensions(home).items())
    (home / "countersign.toml").write_text(f"[extensions]\n{pins}{settings}")
    found = load(home)
    assert [one.name for one in workflows.switched_on(found)] == ["visitor_pass"]
    assert [one.name for one in systems.operations(found)][-1] == "badges.make"
    assert policies.of(found).rules
    asked = router.route("I need a visitor pass", workflows=workflows.hints(found))
    assert asked.workflow == "visitor_pass"


@pytest.mark.parametrize(("sort", "steps"), [("workflow", 3), ("connector", 3)])
def test_its_test_says_what_to_write_next(home: Path, sort: str, steps: int) -> None:
    new(sort, "badges", "--home", home)
    test = home / "extensions" / "test_badges.py"
    said = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", ROOT / "pyproject.toml", test],
        cwd=ROOT, env={**os.environ, "PYTEST_ADDOPTS": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert f"{steps} failed" in said.stdout, said.stdout
    assert said.stdout.count("AssertionError: Next: ") >= steps


def test_in_a_checkout_it_is_made_in_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "countersign-bot"\n')
    monkeypatch.chdir(tmp_path)
    assert new("workflow", "visitor_pass").exit_code == 0
    assert new("connector", "badges").exit_code == 0
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.py"))
    assert found == [
        "connectors/badges/__init__.py",
        "graphs/workflows/visitor_pass/__init__.py",
        "tests/scenario/test_badges.py",
        "tests/scenario/test_visitor_pass.py",
    ]
    lint = [
        sys.executable,
        "-m",
        "ruff",
        "check",
        "--quiet",
        "--ignore",
        "I001",
        "--config",
        ROOT / "pyproject.toml",
    ]
    checked = subprocess.run([*lint, *found[:2]], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert checked.stdout == ""


@pytest.mark.parametrize(
    ("name", "said"),
    [("Visitor", "no name for a workflow"), ("../x", "no name"), ("a", "no name"), ("it_access", "already")],
)
def test_a_name_that_cannot_be_taken_is_refused(home: Path, name: str, said: str) -> None:
    refused = new("workflow", name, "--home", home)
    assert refused.exit_code == 2
    assert said in refused.output
    assert not (home / "extensions").exists()


def test_nothing_that_exists_is_overwritten(home: Path) -> None:
    new("workflow", "visitor_pass", "--home", home)
    room = home / "extensions" / "visitor_pass" / "__init__.py"
    room.write_text("# mine")
    assert new("workflow", "visitor_pass", "--home", home).exit_code == 2
    assert room.read_text() == "# mine"
