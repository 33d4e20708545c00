"""The model of the settings: each provider over its own client, and what a missing or failing one costs."""

import asyncio
import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import typer
from langchain_core.tracers.langchain import wait_for_all_tracers
from typer.testing import CliRunner

from bot import credentials, model
from bot.commands import knowledge
from bot.settings import ModelSettings, SettingsError, load
from knowledge import embedder
from knowledge.answer import Answer
from tests.model_server import ModelServer, serving
from tests.unit.bot import records

PAGE = "# Leave\n\nAll employees receive 25 days of paid leave per year.\n"
TRUE = "You get 25 days of paid leave a year."
SAID = json.dumps({"sentences": [{"text": TRUE, "passages": [1]}]})
app = typer.Typer()
app.command("ingest")(knowledge.ingest)
app.command("ask")(knowledge.ask)


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with serving() as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("COUNTERSIGN_MODEL_KEY", "COUNTERSIGN_SECRETS_KEY", "OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(name, raising=False)


def quoted() -> Answer:
    found = records.answer("answered", None)
    (first, *_) = found.citations
    return replace(
        found, citations=(replace(first, quote="All employees receive 25 days of paid leave per year."),)
    )


def chosen(provider: str, url: str) -> ModelSettings:
    address = f"{url}/v1" if provider == "openai" else url
    return ModelSettings(provider=provider, name="m", base_url=address)  # type: ignore[arg-type]


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
async def test_every_provider_words_an_answer(server: ModelServer, provider: str) -> None:
    server.reply = SAID
    reword = await model.rewording(chosen(provider, server.url), "k3y")
    assert reword is not None
    found = await reword(quoted())
    assert found.answer == f"{TRUE} [1]"
    ((_, headers, body),) = server.asked
    assert {"k3y", "Bearer k3y"} & set(headers.values())
    assert "BOUNDARY" in json.dumps(body)
    assert body["model"] == "m"


@pytest.mark.parametrize("provider", ["openai", "anthropic", "ollama"])
async def test_a_provider_that_refuses_is_asked_once_and_costs_the_wording_only(
    server: ModelServer, provider: str, caplog: pytest.LogCaptureFixture
) -> None:
    server.status = 500
    reword = await model.rewording(chosen(provider, server.url), None)
    assert reword is not None
    found = await reword(quoted())
    assert found.worded == ()
    assert len(server.asked) == 1
    assert "The model's wording was not used" in caplog.text


async def test_no_tracer_of_the_library_hears_of_a_question(
    server: ModelServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving() as tracer:
        for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2"):
            monkeypatch.setenv(name, "true")
        monkeypatch.setenv("LANGSMITH_ENDPOINT", tracer.url)
        monkeypatch.setenv("LANGSMITH_API_KEY", "k")
        server.reply = SAID
        reword = await model.rewording(chosen("openai", server.url), None)
        assert reword is not None
        assert (await reword(quoted())).worded
        await asyncio.to_thread(wait_for_all_tracers)
        assert tracer.calls == 0


async def test_a_missing_package_is_named_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing(name: str) -> ModuleType:
        raise ModuleNotFoundError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(SettingsError, match=r"pip install 'countersign-bot\[anthropic\]'"):
        await model.rewording(chosen("anthropic", "http://127.0.0.1:9"), None)


async def test_without_a_model_an_answer_stays_as_it_is_and_no_client_is_imported() -> None:
    assert await model.rewording(None, None) is None
    found = quoted()
    assert await model.as_quoted(found) is found
    code = (
        "import sys, bot.cli, bot.app\n"
        "names = 'langchain_openai', 'langchain_anthropic', 'langchain_ollama', 'knowledge.grounding'\n"
        "print([name for name in names if name in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def home_with(tmp_path: Path, table: str) -> Path:
    (tmp_path / "countersign.toml").write_text(table, encoding="utf-8")
    return tmp_path


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ('[model]\nprovider = "gpt"\nname = "m"\n', "model.provider"),
        ('[model]\nprovider = "openai"\n', "model.name"),
        ('[model]\nprovider = "openai"\nname = "m"\nkey = "sk-1"\n', "'model.key' is not known"),
        ('[model]\nprovider = "openai"\nname = "m"\nbase_url = "evil"\n', "must begin with https"),
        ('[model]\nprovider = "openai"\nname = "m"\ntimeout = 0\n', "model.timeout"),
        ('model_key = "sk-1"\n', "holds the secret 'model_key'"),
    ],
)
def test_wrong_settings_are_named(tmp_path: Path, table: str, said: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(home_with(tmp_path, table))
    assert said in str(refused.value)
    assert "sk-1" not in str(refused.value)


def test_the_key_is_wanted_where_the_provider_wants_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", "opens the file of this test, and no other")
    hosted = load(home_with(tmp_path, '[model]\nprovider = "anthropic"\nname = "m"\n'))
    with pytest.raises(SettingsError, match="COUNTERSIGN_MODEL_KEY"):
        credentials.model_key(hosted)
    own = load(
        home_with(tmp_path, '[model]\nprovider = "openai"\nname = "m"\nbase_url = "http://127.0.0.1:9"\n')
    )
    assert credentials.model_key(own) is None
    monkeypatch.setenv("COUNTERSIGN_MODEL_KEY", "sk-2")
    assert credentials.model_key(load(tmp_path)) == "sk-2"
    assert "sk-2" not in repr(load(tmp_path))


@pytest.fixture(scope="module")
def ingested(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home")
    embedder.load(home)
    (home / "pages").mkdir()
    (home / "pages" / "leave.md").write_text(PAGE, encoding="utf-8")
    result = CliRunner().invoke(app, ["ingest", str(home / "pages"), "--home", str(home)])
    assert result.exit_code == 0, result.output
    return home


def test_ask_words_an_answer_only_with_a_model_and_only_if_wanted(
    ingested: Path, server: ModelServer
) -> None:
    asking = ["ask", "How many days of paid leave do I have?", "--home", str(ingested)]
    assert "no [model]" in CliRunner().invoke(app, [*asking, "--model"]).output
    table = f'[model]\nprovider = "openai"\nname = "m"\nbase_url = "{server.url}/v1"\n'
    home_with(ingested, table)
    server.reply = SAID
    said = CliRunner().invoke(app, asking)
    assert said.exit_code == 0, said.output
    assert f"{TRUE} [1]" in said.output
    assert "All employees receive 25 days" in said.output
    row = json.loads(CliRunner().invoke(app, [*asking, "--json"]).stdout)
    assert row["answer"] == f"{TRUE} [1]"
    assert len(server.asked) == 2
    plain = CliRunner().invoke(app, [*asking, "--no-model"])
    assert TRUE not in plain.output
    assert len(server.asked) == 2
    server.status = 503
    failed = CliRunner().invoke(app, asking)
    assert failed.exit_code == 0
    assert TRUE not in failed.output
    assert "All employees receive 25 days" in failed.output
