"""Every error of every system, at every step, against the sentence that a person reads.

Nothing is listed by hand: the classes are found by importing all packages, and the keys by reading the code.
What a sentence must not say is told by the meaning of the class. Only one that says that no answer came may
be called unreachable, and only one that passes by itself asks for patience.
"""

import ast
import importlib
import itertools
import pkgutil
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import aiohttp
import psycopg
import pytest
from slack_sdk.errors import SlackApiError

import bot
import connectors
import graphs
import knowledge
from bot import faults, refusals, sentences, troubles
from bot.blocks import delegation, progress
from bot.identity import Refused, Unknown
from connectors.errors import Ambiguous, ConnectorError, Unavailable, Why, naming
from graphs.effects import Stands
from graphs.records import Answered, Notice, RunStatus
from knowledge.errors import KnowledgeError
from tests.unit.bot import records

ROOT = Path(__file__).parents[3]
SYSTEMS = {
    "directory": "company directory",
    "slack": "Slack",
    "database": "database",
    "ledger": "“ledger”",
    "keyring": "secrets are kept",
}
SILENT = ("cannot be reached", "does not answer", "did not answer", "no answer came")
PATIENCE = ("again in a minute", "keep trying by myself")


def discovered(base: type[BaseException]) -> list[type[BaseException]]:
    """Return a class of ours and all that are made of it, wherever they stand."""
    for package in (connectors, graphs, knowledge, bot):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            elsewhere = module.name.startswith("connectors.sandbox.servers.")  # in an environment of its own
            if not elsewhere and not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    return sorted(_family(base), key=lambda one: one.__qualname__)


def _family(base: type[BaseException]) -> set[type[BaseException]]:
    return {base}.union(*map(_family, base.__subclasses__()))


def made(kind: type[BaseException]) -> BaseException:
    """Make an error of a class, whatever its constructor wants."""
    error = kind.__new__(kind)
    if isinstance(error, Unavailable):
        Unavailable.__init__(error, "planted")
    else:
        Exception.__init__(error, "planted")
    return error


def errors() -> list[ConnectorError]:
    """Return one error of each class of the connectors, and of each key that a class has."""
    found = [made(kind) for kind in discovered(ConnectorError) if kind.__module__.startswith("connectors")]
    found += [Unavailable("planted", why=why) for why in get_args(Why)[1:]]
    return [error for error in found if isinstance(error, ConnectorError)]


def is_silent(error: ConnectorError) -> bool:
    """Whether the class says that no answer came."""
    return error.key == Unavailable.key or isinstance(error, Ambiguous)


def passes_by_itself(error: ConnectorError) -> bool:
    return isinstance(error, Unavailable | Ambiguous)


ERRORS = errors()
OF_KNOWLEDGE = [
    kind for kind in discovered(KnowledgeError) if kind.__module__.startswith(("knowledge", "bot"))
]
OF_DATABASE = sorted(_family(psycopg.Error), key=lambda one: one.__qualname__)
OF_NETWORK = sorted({TimeoutError, OSError, *_family(aiohttp.ClientError)}, key=lambda one: one.__qualname__)


def calls(*names: str) -> Iterator[tuple[Path, ast.Call]]:
    """Yield every call of these functions or classes in the code that ships."""
    for package in ("graphs", "bot"):
        for file in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                called = node.func if isinstance(node, ast.Call) else None
                if (getattr(called, "id", "") or getattr(called, "attr", "")) in names:
                    assert isinstance(node, ast.Call)
                    yield file, node


def words(node: ast.expr | None) -> set[str]:
    """Return the texts that an expression can be; of a formatted one, what comes before the first colon."""
    match node:
        case ast.Constant(value=str(text)):
            return {text}
        case ast.IfExp(body=one, orelse=other):
            return words(one) | words(other)
        case ast.JoinedStr(values=[ast.Constant(value=str(text)), *_]):
            return {text.partition(":")[0]}
        case _:
            return set()


def slack_codes() -> list[str]:
    """Return every error code that the bot knows or the local workspace answers with."""
    found = {
        key
        for file, call in calls("Refused", "invalid")
        if file.is_relative_to(ROOT / "bot" / "workspace") and call.args
        for key in words(call.args[0])
    }
    assert len(found) > 20
    return sorted(found | {*refusals.DOCUMENTED, "HTTP"})


def slack_error(code: str) -> SlackApiError:
    status = 429 if code == "ratelimited" else 503 if code == "HTTP" else 200
    answer = type("Answer", (), {"data": {"error": code} if code != "HTTP" else b"", "status_code": status})()
    return SlackApiError("planted", answer)


def is_true(said: str, system: str, *, silent: bool, passes: bool) -> None:
    """Assert that a sentence names the right system alone, and claims of it only what is so."""
    named = {one for one, words in SYSTEMS.items() if words.casefold() in said.casefold()}
    assert named == ({system} if system in SYSTEMS else set()), said
    if not silent:
        assert not any(claim in said for claim in SILENT), said
    if not passes:
        assert not any(claim in said for claim in PATIENCE), said


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{type(error).__name__} {error.key}")
@pytest.mark.parametrize("system", ["directory", "ledger"])
def test_an_error_of_a_connector_is_said_of_its_own_system(error: ConnectorError, system: str) -> None:
    error.system = ""
    with pytest.raises(ConnectorError), naming(system):
        raise error
    fault = faults.of(error)
    assert fault.key == error.key
    assert fault.known == error.key, "an error without a sentence of its own"
    silent, passes = is_silent(error), passes_by_itself(error)
    system = "keyring" if error.key.startswith("secrets.") else system
    for another in (True, False):
        said = troubles.refusal(Unknown(fault), of_another=another)
        is_true(said, system, silent=silent, passes=passes)
        assert "Nothing was done." in said
    is_true(troubles.trouble(error), system, silent=silent, passes=passes)


STANDS = get_args(Stands)
OF_OTHERS = [error for error in ERRORS if not error.key.startswith("secrets.")]
AT = list(
    itertools.product(
        OF_OTHERS, ["directory", "ledger"], [RunStatus.RETRYING, RunStatus.DEAD], STANDS, ["", "yes"]
    )
)


def is_said_at(error: ConnectorError, system: str, status: RunStatus, stands: str, ends: str) -> None:
    """Assert that what a run's message and thread say of an error is true."""
    sent = "maybe" if isinstance(error, Ambiguous) else "no"
    facts = {"error": error.key, "system": system, "sent": sent, "stands": stands, "ends": ends}
    silent, passes = is_silent(error), passes_by_itself(error) or bool(ends)  # an end is tried for ever
    news = progress.notice(Notice(key=status.value, facts=facts), requester="U1").text
    is_true(news, system, silent=silent, passes=passes)
    shown = progress.progress(records.run(status=status, facts=facts))
    is_true(str(sentences.standing(status, facts)), system, silent=silent, passes=passes)
    is_true(str(sentences.step(status.value, facts)), system, silent=silent, passes=passes)
    assert str(sentences.stands(facts)) in str([shown.text, *shown.blocks])
    if ends:
        assert "I cannot confirm that the access" in news
    elif not isinstance(error, Ambiguous) or status is RunStatus.DEAD:
        assert str(sentences.stands(facts)) in news


def test_every_error_at_every_step_of_a_run_is_said_with_its_system_and_what_stands() -> None:
    for at in AT:
        is_said_at(*at)


def test_what_stands_is_said_in_different_words() -> None:
    assert len({sentences.stands({"stands": stands}) for stands in STANDS} - {""}) == len(STANDS)


@pytest.mark.parametrize("status", RunStatus)
def test_where_a_run_stands_is_said_and_names_no_system_that_nobody_noted(status: RunStatus) -> None:
    said = str(sentences.standing(status, {}))
    assert said
    is_true(said, "", silent=False, passes=False)


def is_said_of_slack(code: str) -> None:
    error = slack_error(code)
    passes = refusals.is_put_off(error) or refusals.is_unsure(error)
    for said in (
        troubles.refusal(Unknown(faults.of_slack(error))),
        troubles.trouble(error),
        troubles.window(error),
        troubles.window(error, stands="Your rating is kept."),
    ):
        is_true(said, "slack", silent=False, passes=passes)
        assert "Nothing was done." in said or "Your rating is kept." in said


@pytest.mark.parametrize("code", slack_codes())
def test_an_error_of_slack_is_said_of_slack(code: str) -> None:
    is_said_of_slack(code)


@pytest.mark.parametrize("kind", OF_NETWORK, ids=lambda kind: kind.__name__)
def test_a_call_to_slack_without_an_answer_is_said_of_slack(kind: type[BaseException]) -> None:
    fault = faults.of_slack(made(kind))
    is_true(troubles.refusal(Unknown(fault)), "slack", silent=True, passes=True)
    said = troubles.window(made(kind), stands="It has ended.")
    is_true(said, "slack", silent=True, passes=True)
    assert "It has ended." in said
    assert "did not say whether it opened" in said


def is_said_of_the_database(kind: type[BaseException]) -> None:
    fault = faults.of(made(kind))
    lost = issubclass(kind, psycopg.OperationalError) and (getattr(kind, "sqlstate", None) or "08")[:2] in {
        "08",
        "57",
    }
    silent = fault.key == "database.unavailable"
    assert not silent or lost
    is_true(troubles.trouble(made(kind)), "database", silent=silent, passes=fault.mends == "time")


@pytest.mark.parametrize("kind", OF_DATABASE, ids=lambda kind: kind.__name__)
def test_an_error_of_the_database_is_said_of_the_database(kind: type[psycopg.Error]) -> None:
    is_said_of_the_database(kind)


@pytest.mark.parametrize("kind", OF_KNOWLEDGE, ids=lambda kind: kind.__name__)
def test_an_error_of_the_policies_is_said_of_the_policies(kind: type[KnowledgeError]) -> None:
    said = troubles.trouble(made(kind))
    is_true(said, "", silent=False, passes=False)
    assert "policies" in said


def test_whatever_else_goes_wrong_is_said_to_be_ours() -> None:
    for kind in (ValueError, ZeroDivisionError, KeyError, AssertionError):
        assert troubles.trouble(made(kind)).startswith("Something went wrong in me. Nothing was done.")


# What the code raises and notes, by key.


def keys(*names: str, at: int = 0, keyword: str = "key") -> set[str]:
    found: set[str] = set()
    for _, call in calls(*names):
        if len(call.args) > at:
            found |= words(call.args[at])
        for one in call.keywords:
            found |= words(one.value) if one.arg == keyword else set()
    assert found
    return found


IN_IDENTITY = ast.parse((ROOT / "bot" / "identity.py").read_text(encoding="utf-8"))


def test_every_reason_to_refuse_somebody_is_said() -> None:
    refused = {
        key
        for node in ast.walk(IN_IDENTITY)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refused"
        for key in words(node.args[0])
    }
    assert refused
    for key in refused:
        assert troubles.refusal(Refused(key))


def test_every_reason_of_a_run_is_said_and_names_no_system_that_nobody_noted() -> None:
    found = {
        key
        for file, call in calls("Refused")
        if file.is_relative_to(ROOT / "graphs") and call.args
        for key in words(call.args[0])
    }
    found |= {key for _, call in calls("end") if len(call.args) > 2 for key in words(call.args[2])}
    assert len(found) > 15
    unsaid = sentences.reason("no such key", {})
    for key in found:
        for facts in ({}, {"system": "ledger", "error": "connector.not_found", "stands": "nothing"}):
            said = str(sentences.reason(key, {"by": "Grace", **facts}))
            assert said != unsaid, key
            assert not any(claim in said for claim in (*SILENT, *PATIENCE)), said
            assert "Slack" not in said
    for key in ("connector_refused", "read_back_failed", "cannot_be_undone"):
        told = {"system": "ledger", "error": "connector.denied"}
        is_true(str(sentences.reason(key, told)), "ledger", silent=False, passes=False)


def test_every_step_that_is_noted_is_said() -> None:
    for key in keys("note", at=2):
        assert key in sentences._STEPS, key


def test_every_notice_is_said() -> None:
    unsaid = sentences.notice("no such key", {})
    for key in keys("Notice", at=9):
        assert sentences.notice(key, {}) != unsaid, key


def test_every_answer_to_a_click_is_said_and_claims_no_silence() -> None:
    for answered in Answered:
        said = sentences.ANSWERS[answered]
        assert not any(claim in said for claim in SILENT)
        assert ("again in a minute" in said) is (answered is Answered.UNREACHABLE)


def test_every_reason_against_a_delegation_is_said() -> None:
    assert keys("NotDelegable") == set(delegation.PROBLEMS)
