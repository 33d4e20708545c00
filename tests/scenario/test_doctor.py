"""`countersign doctor`: one thing is wrong at a time, and it says exactly that, and what to change."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bot import cli, doctor, strength
from bot.database import Database
from bot.demo.world import ALARMS, APPROVALS, world
from bot.doctor import Part
from bot.examinations import database as of_database
from bot.examinations import directory as of_directory
from bot.examinations import slack as of_slack
from bot.examinations import work as of_work
from bot.examinations.patient import Patient
from bot.settings import Settings
from bot.workspace.server import Server, running
from connectors.sandbox.process import Running
from tests.scenario.slack_office import APP_TOKEN, BOT_TOKEN, MANIFEST

SETTINGS = """\
slack_api_url = "{slack}"

[directory]
url = "{directory}"
issuer = "larkfield"

[workflows.it_access]
channel = "{approvals}"
clause = {{ document = "it-access.md", anchor = "{anchor}" }}

[workflows.it_access.groups]
billing-db = {{ approvers = "{approvers}", max_days = 30 }}

[workflows.break_glass]
channel = "{approvals}"
alarm_channel = "{alarms}"
review_channel = "{alarms}"
reviewers = "people-team"
clause = {{ document = "it-access.md", anchor = "temporary-access-to-data" }}

[workflows.break_glass.groups]
prod-logs = {{ approvers = "data-owners" }}
"""
NOWHERE = "http://127.0.0.1:9/"


@dataclass(frozen=True, kw_only=True)
class Installation:
    """A home in which all is well, and the systems that its settings name."""

    home: Path
    workspace: Server
    directory: Running
    monkeypatch: pytest.MonkeyPatch

    def configure(self, **changes: str) -> None:
        given = {
            "slack": self.workspace.api_url,
            "directory": self.directory.url,
            "approvals": APPROVALS,
            "alarms": ALARMS,
            "anchor": "temporary-access-to-data",
            "approvers": "data-owners",
        }
        (self.home / "countersign.toml").write_text(SETTINGS.format(**{**given, **changes}))

    def env(self, name: str, value: str) -> None:
        self.monkeypatch.setenv(name, value)

    def restore(self) -> None:
        self.configure()
        self.home.chmod(0o700)
        if (self.home / "away").exists():
            (self.home / "away").rename(self.home / "editions")

    async def examined(self) -> Mapping[str, Part]:
        return {part.name: part async for part in doctor.examine(self.home)}


@pytest.fixture
async def installation(
    slack_home: Path, server: Running, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Installation]:
    slack_home.chmod(0o700)
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    async with running(world(manifest, bot_token=BOT_TOKEN, app_token=APP_TOKEN)) as workspace:
        made = Installation(home=slack_home, workspace=workspace, directory=server, monkeypatch=monkeypatch)
        made.configure()
        made.env("COUNTERSIGN_SECRETS_KEY", strength.fresh())
        made.env("SLACK_BOT_TOKEN", BOT_TOKEN)
        made.env("SLACK_APP_TOKEN", APP_TOKEN)
        made.env("COUNTERSIGN_DIRECTORY_TOKEN", server.read_token)
        made.env("COUNTERSIGN_DIRECTORY_WRITE_TOKEN", server.token)
        yield made


def wrong(parts: Mapping[str, Part]) -> dict[str, list[str]]:
    """Return what is wrong, by part; each finding says what to change."""
    found = [(name, one) for name, part in parts.items() for one in part.findings if not one.ok]
    assert all(one.mend for _, one in found)
    return {name: [one.name for of, one in found if of == name] for name, _ in found}


Break = Callable[[Installation], object]


def damaged(made: Installation) -> None:
    edition = next(path for path in (made.home / "editions").iterdir() if path.is_dir())
    file = next(
        path for path in sorted(edition.iterdir()) if path.suffix in {".jsonl", ".npy", ".db", ".json"}
    )
    file.write_bytes(bytes(byte ^ 1 for byte in file.read_bytes()))


ONE_AT_A_TIME: Mapping[str, tuple[Break, str, Sequence[str]]] = {
    "a weak key": (
        lambda made: made.env("COUNTERSIGN_SECRETS_KEY", "abc"), "secrets", ["COUNTERSIGN_SECRETS_KEY"],
    ),
    "a bot token of another app": (
        lambda made: made.env("SLACK_BOT_TOKEN", "xoxb-no"), "slack", ["bot token"],
    ),
    "an app-level token that is none": (
        lambda made: made.env("SLACK_APP_TOKEN", "xapp-no"), "slack", ["app-level token"],
    ),
    "a channel without the bot": (
        lambda made: made.configure(alarms="C0FINANCE"),
        "slack",
        ["channel C0FINANCE (break_glass alarm_channel, break_glass review_channel)"],
    ),
    "Slack is down": (
        lambda made: made.configure(slack=NOWHERE), "slack", ["bot token", "app-level token"],
    ),
    "the directory is down": (
        lambda made: made.configure(directory=NOWHERE),
        "directory",
        ["token for reading", "token for changing groups"],
    ),
    "a token that the directory refuses": (
        lambda made: made.env("COUNTERSIGN_DIRECTORY_WRITE_TOKEN", "of yesterday"),
        "directory",
        ["token for changing groups", "changing one membership"],
    ),
    "a group that is not there": (
        lambda made: made.configure(approvers="owners-of-data"),
        "directory",
        ["group owners-of-data (it_access groups billing-db approvers)"],
    ),
    "a clause that is not there": (
        lambda made: made.configure(anchor="somewhere"), "editions", ["clause of it_access"],
    ),
    "no edition": (lambda made: (made.home / "editions").rename(made.home / "away"), "editions", ["serving"]),
    "an open home": (lambda made: made.home.chmod(0o755), "home", ["closed to others"]),
    "a database that is not there": (
        lambda made: made.env("COUNTERSIGN_DATABASE_URL", "postgresql://bot:secret@127.0.0.1:9/none"),
        "database",
        ["database"],
    ),
}  # fmt: skip


async def test_where_all_is_well_it_says_so(installation: Installation) -> None:
    parts = await installation.examined()
    assert wrong(parts) == {}
    assert [*parts] == [
        "home",
        "settings",
        "secrets",
        "slack",
        "directory",
        "database",
        "editions",
        "converter",
        "work",
    ]
    assert not (installation.home / "postgres").exists(), "nothing is made"
    for part in ("slack", "directory", "editions"):
        assert len(parts[part].findings) > 2


async def test_one_thing_is_wrong_and_exactly_that_is_said(installation: Installation) -> None:
    for what, (spoil, part, names) in ONE_AT_A_TIME.items():
        with pytest.MonkeyPatch.context() as env:
            spoil(replace(installation, monkeypatch=env))
            found = wrong(await installation.examined())
        if part == "database":  # which edition serves, and what waits, is asked of the database
            found.pop("editions")
            found.pop("work")
        assert found == {part: names}, what
        installation.restore()


async def test_a_damaged_edition_is_named(installation: Installation) -> None:
    damaged(installation)
    found = wrong(await installation.examined())
    assert [*found] == ["editions"]


def test_when_all_is_down_each_part_says_so_and_no_secret_is_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "countersign.toml").write_text(
        SETTINGS.format(
            slack=NOWHERE, directory=NOWHERE, approvals=APPROVALS, alarms=ALARMS, anchor="a", approvers="b"
        )
    )
    key = strength.fresh()
    env = {
        "COUNTERSIGN_SECRETS_KEY": key,
        "SLACK_BOT_TOKEN": "xoxb-hidden",
        "SLACK_APP_TOKEN": "xapp-hidden",
        "COUNTERSIGN_DIRECTORY_TOKEN": "hidden-1",
        "COUNTERSIGN_DIRECTORY_WRITE_TOKEN": "hidden-2",
        "COUNTERSIGN_DATABASE_URL": "postgresql://bot:hidden@127.0.0.1:9/none",
    }
    done = CliRunner(env=env).invoke(cli.app, ["doctor", "--json", "--home", str(tmp_path)])
    assert done.exit_code == 1, done.output
    said = json.loads(done.stdout)
    assert said["ok"] is False
    assert {part["part"] for part in said["parts"] if not part["ok"]} == {
        "slack", "directory", "database", "editions", "work",
    }  # fmt: skip
    assert "hidden" not in done.output
    assert key not in done.output
    plain = CliRunner(env=env).invoke(cli.app, ["doctor", "--home", str(tmp_path)])
    assert plain.exit_code == 1
    assert "WRONG  database" in plain.output
    assert "-> " in plain.output


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """A server that takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}/"


async def test_a_system_that_hangs_costs_its_time_and_no_more(installation: Installation) -> None:
    installation.monkeypatch.setattr(of_slack, "WITHIN", 1)
    installation.monkeypatch.setattr(of_directory, "WITHIN", 0.5)
    async with silent() as url:
        installation.configure(slack=url, directory=url)
        found = wrong(await installation.examined())
    assert found == {
        "slack": ["bot token", "app-level token"],
        "directory": ["token for reading", "token for changing groups"],
    }


async def test_a_part_that_falls_over_or_hangs_keeps_no_other_from_its_answer(
    installation: Installation,
) -> None:
    async def falls(patient: Patient) -> None:
        raise ZeroDivisionError("planted")

    async def hangs(patient: Patient) -> None:
        await asyncio.Event().wait()

    real = doctor._parts

    def parts(settings: Settings) -> Sequence[object]:
        planted = {"slack": (falls, 5.0), "directory": (hangs, 0.2)}
        return [(name, *planted.get(name, (look, within))) for name, look, within in real(settings)]

    installation.monkeypatch.setattr(doctor, "_parts", parts)
    found = await installation.examined()
    assert wrong(found) == {"slack": ["slack"], "directory": ["directory"]}
    assert "planted" in found["slack"].findings[0].detail


async def test_settings_that_cannot_be_read_are_the_finding(installation: Installation) -> None:
    (installation.home / "countersign.toml").write_text("slack_api_url = 3\nunknown = true\n")
    found = await installation.examined()
    assert [*found] == ["home", "settings"]
    assert wrong(found) == {"settings": ["countersign.toml"]}


async def test_a_database_that_fits_is_said_to_fit(database_home: Path, database: Database) -> None:
    settings = Settings(home=database_home)
    found = await of_database.examine(Patient(settings=settings, key=None))
    assert [one.name for one in found if not one.ok] == []
    assert {one.name for one in found} == {
        "version", "encoding", "writable", "clock", "roles", "schema", "application role",
    }  # fmt: skip


async def test_what_waits_for_somebody_is_counted_and_says_what_helps(database: Database) -> None:
    async with database.pool.connection() as conn:
        assert [one.ok for one in await of_work.waits(conn)] == [True, True, True]
        await conn.execute(
            "INSERT INTO message (id, kind, ref, channel, next_at, state, error, refused, refused_in)"
            " VALUES ('card:1', 'card', '1', 'C1', moment(), 'waiting', %(e)s, %(e)s, 'C1')",
            {"e": "not_in_channel"},
        )
        await conn.execute(
            "INSERT INTO run (id, key, workflow, version, status, requester, origin, slots)"
            " VALUES ('1', '1', 'it_access', 1, 'dead', '{}', '{}', '{}')"
        )
        messages, requests, effects = await of_work.waits(conn)
        await conn.rollback()
    assert (messages.ok, requests.ok, effects.ok) == (False, False, True)
    assert "not_in_channel" in messages.detail
    assert "/invite" in messages.mend
    assert "countersign effects dead" in requests.mend


async def test_a_missing_scope_is_named(installation: Installation, tmp_path: Path) -> None:
    manifest = yaml.safe_load(MANIFEST.read_text(encoding="utf-8"))
    manifest["oauth_config"]["scopes"]["bot"].append("files:read")
    newer = tmp_path / "manifest.yml"
    newer.write_text(yaml.safe_dump(manifest))
    installation.monkeypatch.setattr(of_slack, "MANIFEST", newer)
    parts = await installation.examined()
    assert wrong(parts) == {"slack": ["scopes"]}
    assert any("files:read" in one.detail for one in parts["slack"].findings)
