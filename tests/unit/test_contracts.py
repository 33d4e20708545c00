"""Every import rule of the house catches the import that it forbids."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bot", "graphs", "knowledge", "connectors")


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages' modules and the rules about them, to be spoilt."""
    folder = tmp_path_factory.mktemp("house")
    for package in PACKAGES:
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__", "page")
        )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).with_name("lint-imports"))]
    environment = {"PYTHONPATH": str(folder), "PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def test_the_house_keeps_its_rules(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(
    ("module", "planted", "rule"),
    [
        ("connectors/errors.py", "import graphs.records", "bot stands on graphs and knowledge"),
        ("graphs/forms.py", "import knowledge.errors", "bot stands on graphs and knowledge"),
        ("knowledge/errors.py", "import bot.settings", "bot stands on graphs and knowledge"),
        ("graphs/forms.py", "import slack_sdk", "Slack is known in bot only"),
        ("bot/router.py", "import chromadb", "Chroma is known in knowledge only"),
        ("graphs/forms.py", "import keyring", "The keyring is opened in connectors.secrets only"),
        (
            "graphs/workflows/it_access/end.py",
            "import graphs.workflows.break_glass",
            "Workflows do not know each other",
        ),
        (
            "connectors/directory/operations.py",
            "import connectors.sandbox.company",
            "Outside systems do not know each other",
        ),
        (
            "connectors/tickets/client.py",
            "import connectors.sandbox.company",
            "Outside systems do not know each other",
        ),
        ("connectors/sandbox/detached.py", "import roundup", "The sandbox's servers are other programs"),
        (
            "connectors/sandbox/servers/tracker.py",
            "import connectors.sandbox.company",
            "Launchers of servers run elsewhere",
        ),
        ("bot/router.py", "import connectors.secrets", "What reads strangers' text"),
        ("bot/audit/verifier.py", "import graphs.audit", "The verifier knows nothing of the writer"),
        ("graphs/forms.py", "import tests.conftest", "Nothing needs the tests"),
    ],
)
def test_a_forbidden_import_is_caught(copy: Path, module: str, planted: str, rule: str) -> None:
    path = copy / module
    before = path.read_text(encoding="utf-8")
    path.write_text(f"{before}\n{planted}\n", encoding="utf-8")
    try:
        result = lint(copy)
    finally:
        path.write_text(before, encoding="utf-8")
    assert result.returncode == 1
    broken = [line for line in result.stdout.splitlines() if " BROKEN" in line]
    assert any(rule in line for line in broken), result.stdout


@pytest.mark.parametrize(
    "reading", ["import os\n\nHOME = os.environ['HOME']\n", "import os\n\nHOME = os.getenv('HOME')\n"]
)
def test_the_environment_is_read_in_the_settings_only(reading: str) -> None:
    command = [str(Path(sys.executable).with_name("ruff")), "check", "--no-cache", "--select", "TID251", "-"]

    def found(name: str) -> int:
        return subprocess.run(
            [*command, "--stdin-filename", name],
            cwd=ROOT,
            input=reading,
            capture_output=True,
            text=True,
            check=False,
        ).returncode

    assert (found("graphs/gate.py"), found("bot/settings.py")) == (1, 0)
