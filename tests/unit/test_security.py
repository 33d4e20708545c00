"""No release with a known weakness is admitted, and what has no fixed release is accounted for."""

import json
import re
import tomllib
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WEAKNESSES: list[dict[str, str]] = tomllib.loads(
    (ROOT / "docs/security/fixed-in.toml").read_text(encoding="utf-8")
)["weakness"]
VEX: dict[str, Any] = json.loads((ROOT / "docs/security/countersign.openvex.json").read_text("utf-8"))
FIXED = [one for one in WEAKNESSES if "fixed" in one]

# From the OpenVEX specification 0.2.0: what a document and a statement must have.
_DOCUMENT = {"@context", "@id", "author", "timestamp", "version", "statements"}
_STATUSES = {"not_affected", "affected", "fixed", "under_investigation"}
_JUSTIFICATIONS = {
    "component_not_present",
    "vulnerable_code_not_present",
    "vulnerable_code_not_in_execute_path",
    "vulnerable_code_cannot_be_controlled_by_adversary",
    "inline_mitigations_already_exist",
}
_PYTHONS = ("3.11.0", "3.11.4", "3.11.5", "3.12.0", "3.13.0", "3.14.0")


def requirements(package: str) -> list[Requirement]:
    named = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
    return [one for one in named if one.name.lower() == package]


def floor(requirement: Requirement) -> Version:
    floors = [Version(one.version) for one in requirement.specifier if one.operator in {">=", "==", "~="}]
    assert floors, f"{requirement} has no floor"
    return max(floors)


def applies(marker: Marker | None, python: str) -> bool:
    return marker is None or marker.evaluate({"python_full_version": python, "python_version": python[:4]})


def locked(package: str) -> Iterator[tuple[Version, Marker | None]]:
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    for version, marker in re.findall(rf"^{re.escape(package)}==(\S+?)(?: ; (.+?))? \\$", text, re.MULTILINE):
        yield Version(version), Marker(marker) if marker else None


@pytest.mark.parametrize("weakness", FIXED, ids=[f"{one['package']}-{one['id']}" for one in FIXED])
def test_every_floor_and_every_pin_has_it_fixed(weakness: dict[str, str]) -> None:
    fixed, where = Version(weakness["fixed"]), weakness.get("where")
    assert requirements(weakness["package"]), f"{weakness['package']} is not among the dependencies"
    for python in _PYTHONS:
        if where is not None and not Marker(where).evaluate({"python_full_version": python}):
            assert weakness["id"] in accounted()
            continue
        floors = [floor(one) for one in requirements(weakness["package"]) if applies(one.marker, python)]
        pins = [version for version, marker in locked(weakness["package"]) if applies(marker, python)]
        assert floors
        assert pins
        assert min(floors) >= fixed, f"Python {python} may get {min(floors)}: raise the floor to {fixed}"
        assert min(pins) >= fixed, f"Python {python} gets {min(pins)}: renew the lock"


def test_every_pin_satisfies_its_requirement() -> None:
    for text in PROJECT["project"]["dependencies"]:
        requirement = Requirement(text)
        for version, marker in locked(requirement.name):
            together = [one for one in _PYTHONS if applies(requirement.marker, one) and applies(marker, one)]
            assert not together or version in requirement.specifier, (
                f"{version} is pinned, and {text} is asked"
            )


def accounted() -> set[str]:
    return {one["vulnerability"]["name"] for one in VEX["statements"]}


def test_what_has_no_fixed_release_is_accounted_for() -> None:
    open_ones = {one["id"] for one in WEAKNESSES if "fixed" not in one or "where" in one}
    assert open_ones == accounted()


def test_the_statement_has_what_openvex_requires() -> None:
    assert VEX.keys() >= _DOCUMENT
    assert VEX["@context"] == "https://openvex.dev/ns/v0.2.0"
    assert datetime.fromisoformat(VEX["timestamp"]).tzinfo is not None
    assert isinstance(VEX["version"], int)
    assert VEX["statements"]
    for statement in VEX["statements"]:
        assert statement["vulnerability"]["name"]
        assert statement["status"] in _STATUSES
        assert [product["@id"] for product in statement["products"]] == ["pkg:pypi/countersign-bot"]
        if statement["status"] == "not_affected":
            assert statement["justification"] in _JUSTIFICATIONS
            assert statement["impact_statement"]
        if statement["status"] == "affected":
            assert statement["action_statement"]


def test_chroma_is_embedded_and_its_server_is_never_started() -> None:
    """What the statement says of CVE-2026-45829."""
    rooms = [ROOT / room for room in ("bot", "graphs", "knowledge", "connectors")]
    code = [path.read_text(encoding="utf-8") for room in rooms for path in room.rglob("*.py")]
    used = {
        name for text in code for name in re.findall(r"\bchromadb\.(\w*(?:Client|server|app|cli))\b", text)
    }
    assert used == {"PersistentClient"}


def test_the_documents_say_where_to_report() -> None:
    security = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    for heading in ("Report a weakness", "What is supported", "What is in scope"):
        assert f"## {heading}" in security
    assert "SECURITY.md" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def test_no_check_hides_its_exit_code_behind_a_pipe() -> None:
    """A pipe returns what its last command returns: `lint-imports | tail` never failed."""
    scripts = {"Makefile": r"^\t.*", ".ci/run": r"^[^#\n].*"}
    for name, line in scripts.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        for command in re.findall(line, text, re.MULTILINE):
            piped = re.search(r"(?<!\|)\|(?!\|)", command)
            allowed = "pipefail" in text or command.startswith("\t@sed")  # of `make help`
            assert not piped or allowed, f"{name}: {command.strip()}"
