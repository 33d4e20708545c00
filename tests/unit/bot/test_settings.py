"""Settings: the file, the environment over it, and errors that say what to change."""

import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from bot.settings import SettingsError, home_from, load

FILE = """
[directory]
url = "https://directory.example/v2/"
issuer = "larkfield"

[workflows.it_access]
channel = "C0APPROVALS"
clause = { document = "it-access.md", anchor = "temporary-access-to-data" }

[workflows.it_access.groups.billing-db]
approvers = "data-owners"
max_days = 14
"""


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "COUNTERSIGN_HOME",
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "SLACK_API_URL",
    ):
        monkeypatch.delenv(name, raising=False)


def written(home: Path, text: str) -> Path:
    (home / "countersign.toml").write_text(text, encoding="utf-8")
    return home


def test_a_home_without_a_file_has_the_defaults(tmp_path: Path) -> None:
    settings = load(tmp_path)
    assert settings.slack_api_url == "https://slack.com/api/"
    assert settings.workflows.get("it_access") is None
    assert settings.database_url is None


def test_the_file_of_the_home_is_read(tmp_path: Path) -> None:
    settings = load(written(tmp_path, FILE))
    assert settings.directory is not None
    assert settings.directory.url == "https://directory.example/v2"
    assert settings.workflows.get("it_access") is not None
    assert settings.workflows.get("it_access").groups["billing-db"].max_days == 14


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DIRECTORY__URL", "https://other.example")
    monkeypatch.setenv("SLACK_API_URL", "http://127.0.0.1:9/api")
    monkeypatch.setenv("SLACK_BOT_TOKEN", "xoxb-secret")
    settings = load(written(tmp_path, FILE))
    assert settings.directory is not None
    assert settings.directory.url == "https://other.example"
    assert settings.directory.issuer == "larkfield"
    assert settings.slack_api_url == "http://127.0.0.1:9/api/"
    assert settings.slack_bot_token is not None
    assert "xoxb-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("colour = 'red'", "'colour' is not known"),
        ("[directory]\nurl = 'https://x.example'\nissuer = 'x'\nport = 1", "'directory.port' is not known"),
        ("[directory]\nurl = 'https://x.example'", "'directory.issuer' is missing"),
        ("[directory]\nurl = 'x.example'\nissuer = 'x'", "'directory.url': must begin with https://"),
        (FILE.replace("C0APPROVALS", "#access-approvals"), "'workflows.it_access.channel': must be the id"),
        (FILE.replace("14", "4000"), "'workflows.it_access.groups.billing-db.max_days'"),
        ("slack_bot_token = 'xoxb-1'", "'slack_bot_token'"),
        ("= 1", "not valid TOML"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(tmp_path: Path, text: str, named: str) -> None:
    with pytest.raises(SettingsError) as caught:
        load(written(tmp_path, text))
    assert named in str(caught.value)
    assert "xoxb-1" not in str(caught.value)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="There is no settings file"):
        load(tmp_path, tmp_path / "other.toml")


def test_the_home_is_the_option_else_the_environment_else_the_platforms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home_from(None).name == "countersign"
    monkeypatch.setenv("COUNTERSIGN_HOME", str(tmp_path))
    assert home_from(None) == tmp_path
    assert home_from(tmp_path / "other") == tmp_path / "other"


def test_reading_settings_loads_nothing_heavy() -> None:
    heavy = ("slack_bolt", "langgraph", "chromadb", "aiohttp")
    code = f"import sys, bot.settings; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


TIMES = f"{FILE}\n[workflows.it_access.times]\n"


def test_the_times_of_approvals_have_defaults_and_can_be_set(tmp_path: Path) -> None:
    usual = load(written(tmp_path, FILE)).workflows.get("it_access")
    assert usual is not None
    assert (usual.times.decide, usual.times.execute) == (timedelta(hours=24), timedelta(minutes=15))
    assert (usual.times.remind, usual.times.escalate) == (50, 75)
    text = f'{TIMES}decide = "90m"\nexecute = "2h"\nremind = 0\nescalate = 60'
    own = load(written(tmp_path, text)).workflows.get("it_access")
    assert own is not None
    assert (own.times.decide, own.times.execute) == (timedelta(minutes=90), timedelta(hours=2))
    assert (own.times.remind, own.times.escalate) == (0, 60)


@pytest.mark.parametrize(
    "line",
    [
        'decide = "4m"',
        'decide = "31d"',
        'decide = "1.5h"',
        "decide = 24",
        'execute = "0m"',
        'execute = "25h"',
        "remind = 96",
        "escalate = 4",
        "escalate = 100",
    ],
)
def test_times_have_bounds(tmp_path: Path, line: str) -> None:
    with pytest.raises(SettingsError, match=f"workflows.it_access.times.{line.split(' ', maxsplit=1)[0]}"):
        load(written(tmp_path, f"{TIMES}{line}"))


EMERGENCY = """
[workflows.break_glass]
channel = "C0APPROVALS"
alarm_channel = "C0ALARMS"
review_channel = "C0ALARMS"
reviewers = "security"
clause = { document = "it-access.md", anchor = "emergency-access" }
groups = { prod-logs = { approvers = "data-owners", max_minutes = 60 } }
"""


def test_an_emergency_lasts_an_hour_at_most_and_has_a_channel_for_alarms(tmp_path: Path) -> None:
    emergency = load(written(tmp_path, EMERGENCY)).workflows.get("break_glass")
    assert emergency is not None
    assert emergency.times.decide == timedelta(hours=1)
    for wrong, named in (("60", "max_minutes"), ('"C0ALARMS"\nreview', "alarm_channel")):
        other = {"60": "61", '"C0ALARMS"\nreview': '"#alarms"\nreview'}[wrong]
        with pytest.raises(SettingsError, match=named):
            load(written(tmp_path, EMERGENCY.replace(wrong, other, 1)))
