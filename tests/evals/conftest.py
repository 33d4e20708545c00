"""A home with the real handbook, ingested once."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from bot.commands import evaluate, knowledge

app = typer.Typer()
app.command("ingest")(knowledge.ingest)
app.command("ask")(knowledge.ask)
app.command("evaluate")(evaluate.evaluate)


@pytest.fixture(scope="session")
def civicactions(tmp_path_factory: pytest.TempPathFactory, shared_data: Path) -> Path:
    """A home that answers from the CivicActions guidebook."""
    home = tmp_path_factory.mktemp("civicactions")
    source = shared_data / "handbooks" / "civicactions" / "docs"
    result = CliRunner().invoke(app, ["ingest", str(source), "--home", str(home)])
    assert result.exit_code == 0, result.output
    return home
