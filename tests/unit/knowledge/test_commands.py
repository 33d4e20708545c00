"""`ingest`, `ask` and `evaluate` as a person meets them, bad input first."""

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from bot.commands import evaluate, knowledge
from bot.commands.options import Failure
from knowledge import embedder
from knowledge.edition import Reader, current_id
from tests.unit.knowledge.conftest import TODAY

LEAVE = "# Leave\n\nEverybody has 25 days of paid leave a year.\n"


def readers(home: Path, email: str) -> Reader:
    if email != "ines@larkfield.example":
        raise Failure(f"Nobody has the address {email}.")
    return Reader(today=TODAY, audiences=frozenset({"everyone", "people-team"}))


app = typer.Typer()
app.command("ingest")(knowledge.ingest)
app.command("ask")(knowledge.ask_command(readers))
app.command("evaluate")(evaluate.evaluate)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("model")
    embedder.load(home)
    return home


@pytest.fixture
def home(tmp_path: Path, model: Path) -> Path:
    """An empty home that has the sentence model."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "models").symlink_to(model / "models")
    return home


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    source.mkdir()
    (source / "leave.md").write_text(LEAVE)
    (source / "pay.md").write_text(
        "---\naudience: [people-team]\n---\n# Pay\n\nSalary band C7 earns 5,000 euros.\n"
    )
    return source


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def served(home: Path, source: Path) -> Path:
    result = run("ingest", source, "--home", home)
    assert result.exit_code == 0, result.output
    assert "2 documents, 2 passages" in result.stdout
    return home


def test_a_question_is_answered_in_words_and_in_json(served: Path) -> None:
    said = run("ask", "How many days of paid leave do I have?", "--home", served)
    assert said.exit_code == 0
    assert "25 days of paid leave" in said.stdout
    assert "leave.md" in said.stdout
    row = json.loads(run("ask", "How many days of paid leave do I have?", "--json", "--home", served).stdout)
    assert row["status"] == "answered"
    assert row["citations"][0]["document"] == "leave.md"


def test_a_person_is_answered_from_what_they_may_read(served: Path) -> None:
    question = "What does salary band C7 earn?"
    assert "5,000" not in run("ask", question, "--home", served).output
    assert "5,000" in run("ask", question, "--as", "ines@larkfield.example", "--home", served).stdout
    unknown = run("ask", question, "--as", "eve@larkfield.example", "--home", served)
    assert unknown.exit_code == 2
    assert "Nobody has the address" in unknown.stderr


@pytest.mark.parametrize(
    ("question", "said"), [("", "ask a question"), ("  ", "ask a question"), ("x" * 40_000, "at most 3,000")]
)
def test_a_question_that_is_none_is_refused_clearly(served: Path, question: str, said: str) -> None:
    result = run("ask", question, "--home", served)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())
    assert result.stdout == ""


def test_asking_before_the_first_ingest_says_what_to_do(home: Path) -> None:
    result = run("ask", "anything?", "--home", home)
    assert result.exit_code == 2
    assert "countersign ingest" in result.stderr


def test_useless_sources_are_refused_clearly(home: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name, said in (("empty", "holds no document"), ("missing", "does not exist")):
        result = run("ingest", tmp_path / name, "--home", home)
        assert result.exit_code == 2
        assert said in " ".join(result.stderr.split())
    assert current_id(home) is None


def test_a_file_that_cannot_be_read_is_named(home: Path, source: Path) -> None:
    (source / "broken.pdf").write_bytes(b"%PDF-1.5 broken")
    result = run("ingest", source, "--home", home)
    assert result.exit_code == 0
    assert "broken.pdf" in result.stderr
    assert "1 left out" in result.stdout


def test_a_damaged_model_is_not_used(served: Path, model: Path, tmp_path: Path) -> None:
    folder = tmp_path / "other" / "models" / embedder.NAME
    folder.mkdir(parents=True)
    for file in (model / "models" / embedder.NAME).iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    with (folder / "model.onnx").open("r+b") as file:
        file.seek(1000)
        file.write(b"changed")
    with pytest.raises(embedder.ModelUnavailable, match="changed on disk"):
        embedder.load(tmp_path / "other")


def test_a_question_file_is_measured(served: Path, tmp_path: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    row = {"question": "days of leave?", "gold_docs": ["leave.md"], "gold_span": [LEAVE.split("\n")[2]]}
    questions.write_text(json.dumps(row))
    figures = json.loads(run("evaluate", questions, "--json", "--home", served).stdout)
    assert list(figures) == ["questions", "retrieval", "answers", "abstention", "latency_ms"]
    assert figures["retrieval"] == {"recall@1": 1.0, "recall@5": 1.0, "recall@10": 1.0, "ndcg@10": 1.0}
    assert "recall@5" in run("evaluate", questions, "--home", served).stdout
    questions.write_text("{")
    assert run("evaluate", questions, "--home", served).exit_code == 2


def test_all_that_evaluate_can_add_stands_under_keys_of_its_own(served: Path, tmp_path: Path) -> None:
    rows = [
        {"question": "days of leave?", "kind": "direct", "gold_docs": ["leave.md"]},
        {"question": "who repairs the volcano?", "kind": "none", "answerable": False},
    ]
    questions = tmp_path / "questions.jsonl"
    questions.write_text("\n".join(map(json.dumps, rows)))
    picture = tmp_path / "curve.svg"
    options = ("--by", "kind", "--compare", "--intervals", "--plot", picture)
    figures = json.loads(run("evaluate", questions, *options, "--json", "--home", served).stdout)
    assert list(figures)[5:] == ["compared", "intervals", "calibration", "coverage", "by"]
    assert figures["by"]["kinds"]["direct"]["questions"] == 1
    assert figures["coverage"]["questions"] == 2
    assert picture.read_text().startswith("<svg")
    printed = run("evaluate", questions, *options, "--home", served).stdout
    assert all(word in printed for word in ("bm25", "dense", "95%", "direct (few)", "aurc"))


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--by", "colour"), "It has: kind."),
        (("--plot", "curve.png"), "ends in .svg"),
        (("--plot", "nowhere/curve.svg"), "cannot be written"),
    ],
)
def test_what_evaluate_cannot_do_is_said_in_a_sentence(
    served: Path, tmp_path: Path, options: tuple[str, str], reason: str
) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text(json.dumps({"question": "days of leave?", "kind": "direct"}))
    result = run("evaluate", questions, *options, "--home", served)
    assert result.exit_code == 2
    assert reason in " ".join(result.stderr.split())


def test_a_process_that_may_write_no_more_says_so_and_loses_nothing(served: Path, source: Path) -> None:
    before = current_id(served)
    (source / "more.md").write_text(
        "# More\n\n" + "\n\n".join(f"Rule {n} is about {n}." for n in range(2000))
    )
    script = (
        "import typer; from bot.commands import evaluate, knowledge; app = typer.Typer();"
        "app.command()(knowledge.ingest); app()"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, str(source), "--home", str(served)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[3],
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "200"},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
    )
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    assert "still serves" in result.stderr
    assert "left out" not in result.stderr  # a full disk is not the document's fault
    assert current_id(served) == before
    assert not list((served / "editions").glob(".building-*"))
