"""The page of figures: what was measured is written there, and what was not stays."""

import re
from pathlib import Path

import pytest

from tests.figures import page
from tests.figures.__main__ import names
from tests.figures.record import Figure, none_wrong

OLD = """# Figures

## abuse

<!-- abuse -->
formerly
<!-- /abuse -->

## rows

<!-- rows -->
kept
<!-- /rows -->

## Shown by tests and by other commands

| What |
"""


@pytest.fixture
def at(tmp_path: Path) -> Path:
    path = tmp_path / "figures.md"
    path.write_text(OLD)
    return path


def test_a_measure_takes_the_place_of_its_last_figures(at: Path) -> None:
    slow = Figure(promise="cost", what="a | b", tried=1000, wrong=0, value=7.0, goal="2.5", holds=False)
    page.write("abuse", [none_wrong("A1", "what", tried=3, wrong=0), slow], page=at)
    text = at.read_text()
    assert "| what | 3 | 0 | 0 of at least 1 | yes |" in text
    assert "| a \\| b | 1,000 | 7.0 | 2.5 | **no** |" in text
    assert "formerly" not in text
    assert "kept" in text


def test_a_new_measure_gets_a_section_before_the_tests(at: Path) -> None:
    page.write("plans", [none_wrong("A10", "what", tried=3, wrong=0)], page=at)
    text = at.read_text()
    assert text.index("## rows") < text.index("## plans") < text.index("## Shown by tests")


def test_every_section_of_the_page_is_a_measure() -> None:

    known = re.findall(r"^<!-- (\w+) -->$", page.PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(known) <= set(names())


def test_the_readme_is_short() -> None:
    readme = (page.PAGE.parents[1] / "README.md").read_text(encoding="utf-8")
    assert len(readme.split()) < 900
