"""A distribution of somebody else's, installed and named in the settings: nothing in the core knows it."""

import json
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from importlib import invalidate_caches
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot import app, lexicon, policies, router, sentences, systems, workflows
from bot.cli import app as cli
from bot.database import Database
from bot.rooms import extensions
from bot.settings import Settings, SettingsError, load
from connectors.sandbox.process import Running
from graphs import audit
from graphs.engine.machine import kind
from graphs.records import RunStatus
from tests.scenario.desk import Office, open_office
from tests.scenario.lab_calendar import READS, WRITES, Entries, calendar

ROOT = Path(__file__).resolve().parents[2]
ASKED = {"device": "balance-3", "day": "2026-03-02", "note": "level it"}
SETTINGS = """
[connectors.lab]
url = "{url}"

[workflows.loan]
channel = "C0LAB"
keepers = "data-owners"
clause = {{ document = "loans.md", anchor = "the-rule" }}
devices = ["balance-3", "sensor-1"]
"""

RULE = """
@id("no-sensors")
@says("Sensors stay here.")
forbid (principal, action == Action::"execute:lab.reserve", resource)
when { context.parameters.device == "sensor-1" };
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The distribution, installed by pip where this process finds it."""
    source, site = tmp_path_factory.mktemp("source") / "lab", tmp_path_factory.mktemp("site")
    shutil.copytree(ROOT / "tests" / "extension", source)
    command = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, "--python", sys.executable, "--target", site, source], check=True)
    sys.path.insert(0, str(site))
    invalidate_caches()
    yield site
    sys.path.remove(str(site))
    for name in [one for one in sys.modules if one.startswith("larkfield_lab")]:
        del sys.modules[name]


@pytest.fixture
def entries() -> Iterator[Entries]:
    with calendar() as opened:
        yield opened


def written(home: Path, entries: Entries, *, pin: str | None = None) -> Path:
    home.mkdir(exist_ok=True)
    named = f'[extensions]\nlab = "{pin}"\n' if pin else ""
    (home / "countersign.toml").write_text(named + SETTINGS.format(url=entries.url))
    return home


@pytest.fixture
def settings(installed: Path, tmp_path: Path, entries: Entries) -> Settings:
    pin = extensions(tmp_path)["lab"].hash
    return load(written(tmp_path / "home", entries, pin=pin))


@dataclass(frozen=True, kw_only=True)
class Lab:
    """An office with the extension in it."""

    office: Office
    entries: Entries


@pytest.fixture
async def lab(
    settings: Settings, entries: Entries, database: Database, database_home: Path, server: Running
) -> AsyncIterator[Lab]:
    tokens = {"lab:read": READS, "lab:write": WRITES}
    lexicon.learn(systems=systems.titles(settings), operations={}, sentences=workflows.sentences(settings))
    async with open_office(
        database,
        database_home,
        server,
        more=[kind(one) for one in workflows.switched_on(settings)],
        systems=systems.connectors(settings, tokens),
        policy=policies.of(settings),
    ) as office:
        yield Lab(office=office, entries=entries)


async def test_both_effects_land_under_one_approval(lab: Lab) -> None:
    run = await lab.office.ask(ASKED, workflow="loan")
    card = await lab.office.pending(run)
    assert [step.operation for step in card.steps] == ["lab.reserve", "lab.prepare"]
    assert lab.entries.made == []
    await lab.office.click(card.id, "grace.lindqvist")
    assert (await lab.office.runs.run(run)).status is RunStatus.DONE
    assert lab.entries.made == ["lab.reserve R-1", "lab.prepare R-1"]
    _, notice = lab.office.desk.told[-1]
    said = str(sentences.notice(notice.key, notice.facts))
    assert said == "The balance-3 is yours on 2026-03-02, reservation R-1."


async def test_a_day_that_is_none_is_asked_for_again(lab: Lab) -> None:
    run = await lab.office.ask({**ASKED, "day": "2026-02-30"}, workflow="loan")
    found = await lab.office.runs.run(run)
    assert (found.status, found.problems) == (RunStatus.COLLECTING, {"day": "not_a_date"})
    assert [field.kind for field in found.missing] == ["date"]
    ada = await lab.office.person("ada.okafor")
    assert await lab.office.runs.submit(run, {"day": "2 March"}, by=ada) == {"day": "not_a_date"}
    assert not await lab.office.runs.submit(run, {"day": " 2026-03-02 "}, by=ada)
    await lab.office.work()
    assert (await lab.office.runs.run(run)).values == ASKED
    assert (await lab.office.pending(run)).lines[1].value == "2026-03-02"


async def test_what_its_system_refuses_takes_back_what_was_done(lab: Lab) -> None:
    lab.entries.broken = "lab.prepare"
    run = await lab.office.ask(ASKED, workflow="loan")
    await lab.office.click((await lab.office.pending(run)).id, "grace.lindqvist")
    found = await lab.office.runs.run(run)
    assert (found.status, found.reason) == (RunStatus.REFUSED, "connector_refused")
    assert lab.entries.made == ["lab.reserve R-1", "struck R-1"]


async def test_it_refuses_in_its_own_words(lab: Lab) -> None:
    first = await lab.office.ask(ASKED, workflow="loan")
    await lab.office.click((await lab.office.pending(first)).id, "grace.lindqvist")
    second = await lab.office.runs.run(await lab.office.ask(ASKED, workflow="loan"))
    assert second.status is RunStatus.REFUSED
    assert str(sentences.reason(second.reason, second.facts)) == "somebody else has the balance-3 on that day"


def test_its_examples_are_understood(settings: Settings) -> None:
    for workflow in workflows.switched_on(settings):
        for example in workflow.examples:
            assert router.route(example, workflows=workflows.hints(settings)).workflow == workflow.name


def test_its_channels_groups_and_clauses_are_found(settings: Settings) -> None:
    assert workflows.named_channels(settings) == {"C0LAB": "loan channel"}
    assert workflows.named_groups(settings) == {"data-owners": "loan keepers"}
    assert [name for name, _ in workflows.clauses(settings)] == ["loan"]


def test_a_policy_of_the_installation_sees_its_parameters(settings: Settings, tmp_path: Path) -> None:
    own = tmp_path / "own.cedar"
    rule = (
        '@id("no-sensors")\n@says("Sensors stay here.")\nforbid (principal, action == Action::"{}", resource)'
    )
    own.write_text(
        rule.format("execute:lab.reserve") + '\nwhen { context.parameters.device == "sensor-1" };\n'
    )
    assert policies.of(settings, own).rules[-1].id == "no-sensors"
    own.write_text(own.read_text().replace("parameters.device", "parameters.devcie"))
    with pytest.raises(SettingsError, match="devcie"):
        policies.of(settings, own)


def test_nothing_runs_that_the_settings_do_not_name(
    installed: Path, tmp_path: Path, entries: Entries
) -> None:
    with pytest.raises(SettingsError, match=r"'workflows\.loan' is not known"):
        load(written(tmp_path / "home", entries))


def test_changed_files_do_not_run(installed: Path, tmp_path: Path, entries: Entries) -> None:
    home = written(tmp_path / "home", entries, pin=extensions(tmp_path)["lab"].hash)
    file = installed / "larkfield_lab" / "workflow.py"
    before = file.read_bytes()
    file.write_bytes(before + b"# changed\n")
    try:
        with pytest.raises(SettingsError, match=r"lab is not what \[extensions\] allows"):
            load(home)
    finally:
        file.write_bytes(before)
    assert load(home).workflows.get("loan") is not None


def test_a_distribution_is_whole_in_its_hash_whatever_it_consists_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A single module, and another package beside it: a change of any file is another extension."""
    site, info = tmp_path / "site", tmp_path / "site" / "lone-1.0.dist-info"
    (site / "beside").mkdir(parents=True)
    info.mkdir()
    (site / "lone.py").write_text("import beside\n")
    (site / "beside" / "__init__.py").write_text("x = 1\n")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: lone\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[countersign.extensions]\nlone = lone\n")
    (info / "RECORD").write_text("lone.py,,\nbeside/__init__.py,,\nlone-1.0.dist-info/METADATA,,\n")
    monkeypatch.syspath_prepend(site)
    invalidate_caches()
    seen = {extensions(tmp_path)["lone"].hash}
    for name in ("lone.py", "beside/__init__.py"):
        (site / name).write_text("# changed\n")
        seen.add(extensions(tmp_path)["lone"].hash)
    assert len(seen) == 3


def test_a_folder_of_the_home_runs_as_well(tmp_path: Path, entries: Entries) -> None:
    home = tmp_path / "home"
    folder = home / "extensions" / "lab_home"
    shutil.copytree(ROOT / "tests" / "extension" / "larkfield_lab", folder)
    for file in folder.glob("*.py"):
        file.write_text(file.read_text().replace("from larkfield_lab.", "from ."))
    pin: Any = extensions(home)["lab_home"].hash
    written(home, entries)
    text = (home / "countersign.toml").read_text()
    (home / "countersign.toml").write_text(f'[extensions]\nlab_home = "{pin}"\n{text}')
    assert [one.name for one in workflows.switched_on(load(home))] == ["loan"]


async def test_which_of_its_files_ran_stands_in_the_record(settings: Settings, lab: Lab) -> None:
    database = lab.office.database
    for _ in range(2):
        await app.extensions_recorded(database, settings.rooms)
    async with database.pool.connection() as conn:
        said = await audit.standing(conn, ("extension.runs",))
    assert [one.facts["hash"] for one in said] == [settings.rooms.allowed["lab"].hash]


def test_the_command_says_what_runs_and_how_to_allow_what_does_not(
    installed: Path, tmp_path: Path, entries: Entries
) -> None:
    home = written(tmp_path / "home", entries, pin=(known := extensions(tmp_path)["lab"]).hash)

    def told() -> dict[str, dict[str, Any]]:
        said = CliRunner().invoke(cli, ["extensions", "--home", str(home), "--json"])
        assert said.exit_code == 0, said.output
        return {one["name"]: one for one in json.loads(said.stdout)["rooms"]}

    assert told()["loan"] | {"why": ""} == {
        "name": "loan", "sort": "workflow", "origin": "installed (lab)", "version": "1.0",
        "hash": known.hash, "runs": True, "why": "",
    }  # fmt: skip
    (home / "countersign.toml").write_text("")
    assert not told()["lab"]["runs"]
    said = CliRunner().invoke(cli, ["extensions", "--home", str(home)]).output
    assert f'lab = "{known.hash}"' in said
    (home / "countersign.toml").write_text(f'[extensions]\nlab = "sha256:{"0" * 64}"\n')
    assert told()["lab"]["why"] == "its files are not those that [extensions] names"


def test_nothing_of_the_core_knows_it() -> None:
    found = subprocess.run(
        ["grep", "-rlE", r"larkfield_lab|lab\.reserve", "bot", "graphs", "knowledge", "connectors"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert found.stdout == ""
