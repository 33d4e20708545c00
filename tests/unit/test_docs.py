"""The documents speak of tests, files, settings and links that exist; the handbook of the demo is whole."""

import calendar
import re
import tomllib
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from bot.settings import load

ROOT = Path(__file__).resolve().parents[2]
HANDBOOK = ROOT / "bot" / "demo" / "handbook"
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
POLICIES = sorted(HANDBOOK.glob("*.md"))


def named(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in paths]


def anchors(text: str) -> set[str]:
    """The anchors of the headings, as the pages that show them make them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("path", named(DOCUMENTS))
def test_every_link_leads_somewhere(path: Path) -> None:
    for link in re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8")):
        if not link.startswith("http"):
            place, _, anchor = link.partition("#")
            target = (path.parent / place).resolve() if place else path
            assert target.exists(), link
            assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("path", named(DOCUMENTS))
def test_every_test_and_module_that_a_document_names_exists(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for file, name in re.findall(r"`(tests/[\w/]+\.py)(?:::(test_\w+))?`", text):
        source = (ROOT / file).read_text(encoding="utf-8")
        assert not name or f"def {name}(" in source, f"{file}::{name}"
    for module in re.findall(r"`((?:bot|graphs|knowledge|connectors)/[\w/.]+\.(?:py|cedar|sql))`", text):
        assert (ROOT / module).is_file(), module


def test_every_decision_says_its_status_context_decision_and_consequences() -> None:
    for number, path in enumerate(sorted((ROOT / "docs" / "adr").glob("*.md")), start=1):
        text = path.read_text(encoding="utf-8")
        assert path.name.startswith(f"{number:04}-")
        assert text.startswith(f"# {number}. ")
        assert [f"## {part}" in text for part in ("Context", "Decision", "Consequences")] == [True] * 3
        assert "**Status:**" in text


@pytest.mark.parametrize("document", ["configuration.md", "slack.md"])
def test_the_settings_in_the_documents_are_accepted(document: str, tmp_path: Path) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    for example in re.findall(r"```toml\n(.*?)```", text, re.DOTALL):
        tomllib.loads(example)
        (tmp_path / "countersign.toml").write_text(example, encoding="utf-8")
        settings = load(tmp_path)
        assert settings.workflows.get("it_access") is not None


def test_the_sources_in_their_document_are_accepted(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "sources.md").read_text(encoding="utf-8")
    common, *kinds = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    shared = re.sub(r"^kind = .*$", "", common, flags=re.MULTILINE)
    for kind in kinds:
        (tmp_path / "countersign.toml").write_text(f"{shared}\n{kind}", encoding="utf-8")
        assert load(tmp_path).sources[0].schedule
    assert len(kinds) == 5


def front(path: Path) -> tuple[dict[str, object], str]:
    _, head, body = path.read_text(encoding="utf-8").split("---\n", 2)
    return yaml.safe_load(head), body


@pytest.mark.parametrize("path", named(POLICIES))
def test_a_policy_says_whose_it_is_and_reads_as_one(path: Path) -> None:
    head, body = front(path)
    assert head.keys() <= {"title", "owner", "effective", "expires", "review", "audience"}
    assert str(head["owner"]).endswith("@larkfield.example")
    assert isinstance(head["effective"], date)
    levels = [len(marks) for marks in re.findall(r"^(#+) ", body, re.MULTILINE)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert 300 <= len(body.split()) <= 900


def test_the_handbook_has_what_the_demo_relies_on() -> None:
    assert len(POLICIES) >= 25
    assert "temporary-access-to-data" in anchors((HANDBOOK / "it-access.md").read_text(encoding="utf-8"))
    audiences = {path.name: front(path)[0]["audience"] for path in POLICIES}
    assert {name for name, audience in audiences.items() if audience != "everyone"} == {
        "compensation-bands.md"
    }
    assert audiences["compensation-bands.md"] == ["people-team"]


def test_the_dates_of_the_holiday_calendar_fall_on_the_days_it_says() -> None:
    text = (HANDBOOK / "holiday-calendar.md").read_text(encoding="utf-8")
    months = list(calendar.month_name)
    found = 0
    for row in re.findall(r"^\|(.+)\|$", text, re.MULTILINE):
        _, *cells = (cell.strip() for cell in row.split("|"))
        for year, cell in zip((2026, 2027), cells, strict=False):
            if day := re.fullmatch(r"(\w+day) (\d+) (\w+)", cell):
                weekday = date(year, months.index(day[3]), int(day[2])).strftime("%A")
                assert weekday == day[1], f"{cell} {year}"
                found += 1
    assert found == 38
