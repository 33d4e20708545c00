"""Whatever the application's database role may write, on every table: nothing is done that nobody approved.

The grants are asked of the database. A table that is not named here fails a test: say what it can do, and how
that is tried.
"""

import logging
from contextlib import suppress
from dataclasses import asdict
from datetime import timedelta

import psycopg
import pytest
from psycopg.types.json import Jsonb

from bot.database import Database
from graphs import approvals
from graphs.records import Answered, Verdict
from tests.scenario.desk import Office

WANTED = {"group": "billing-db", "days": "3", "reason": "close the quarter"}
ADA, GRACE, TOMAS = "ada.okafor", "grace.lindqvist", "tomas.varga"

# What is tried on each table, by what the role may do there, over a request, `run` with its `card`.
YEARS = "interval '9 years'"
ATTACKS: dict[str, dict[str, tuple[str, ...]]] = {
    "run": {
        "INSERT": (
            "INSERT INTO run (id, key, workflow, version, status, requester, origin, slots)"
            " SELECT id || 'x', key || 'x', workflow, version, 'executing', requester, origin, slots"
            " FROM run WHERE id = %(run)s",
        ),
        "UPDATE": (
            "UPDATE run SET requester = %(tomas)s WHERE id = %(run)s",
            "UPDATE run SET slots = slots || '{\"days\": \"30\"}' WHERE id = %(run)s",
            "UPDATE run SET slots = slots || '{\"group\": \"crm-readers\"}' WHERE id = %(run)s",
            "UPDATE run SET status = 'executing', attempts = 0 WHERE id = %(run)s",
            "UPDATE run SET token = token - 5",
            f"UPDATE run SET due_at = moment() + {YEARS}",
            "UPDATE run SET status = 'done' WHERE key LIKE 'end %%'",
        ),
    },
    "run_step": {"INSERT": ("INSERT INTO run_step (run, mark, key) VALUES (%(run)s, 'x', 'approved')",)},
    "timer": {
        "INSERT": ("INSERT INTO timer (run, due_at) SELECT id, moment() FROM run",),
        "UPDATE": (f"UPDATE timer SET due_at = due_at + {YEARS}", f"UPDATE timer SET pace = {YEARS}"),
        "DELETE": ("DELETE FROM timer",),
    },
    "approval": {
        "INSERT": (
            "INSERT INTO approval (id, run, round, status, digest, action, card, decide_by, decided_at,"
            " clause_document, clause_anchor, clause_hash, clause_seen)"
            " SELECT id || 'x', run, round + 7, 'approved', digest, action, card, decide_by, moment(),"
            " clause_document, clause_anchor, clause_hash, clause_seen FROM approval WHERE id = %(card)s",
        ),
        "UPDATE": (
            "UPDATE approval SET status = 'approved', decided_at = moment() WHERE id = %(card)s",
            f"UPDATE approval SET decide_by = decide_by + {YEARS} WHERE id = %(card)s",
            f"UPDATE approval SET decided_at = decided_at + {YEARS} WHERE id = %(card)s",
            "UPDATE approval SET card = jsonb_set(card, '{lines}', '[]') WHERE id = %(card)s",
            "UPDATE approval SET action = jsonb_set(action, '{quorum}', '0') WHERE id = %(card)s",
            "UPDATE approval SET run = (SELECT min(id) FROM run) WHERE id = %(card)s",
            "UPDATE approval SET digest = 'x' WHERE id = %(card)s",
            "UPDATE approval SET action = '{}' WHERE id = %(card)s",
            "UPDATE approval SET card = '{}' WHERE id = %(card)s",
            "UPDATE approval SET void = '{}', status = 'void' WHERE id = %(card)s",
        ),
    },
    "vote": {
        "INSERT": (
            "INSERT INTO vote (approval, subject, human, holder, person, verdict) VALUES"
            " (%(card)s, %(grace)s::jsonb ->> 'subject', %(grace)s::jsonb ->> 'human',"
            " %(grace)s::jsonb ->> 'human', %(grace)s, 'approve')",
            "INSERT INTO vote (approval, subject, human, holder, person, verdict)"
            " VALUES (%(card)s, 'x#1', 'x#1', 'x#1', %(grace)s, 'approve')",
            "WITH approved AS (UPDATE approval SET status = 'approved', decided_at = moment()"
            "  WHERE id = %(card)s AND status = 'pending')"
            " INSERT INTO vote (approval, subject, human, holder, person, verdict) VALUES"
            " (%(card)s, %(grace)s::jsonb ->> 'subject', %(grace)s::jsonb ->> 'human',"
            " %(grace)s::jsonb ->> 'human', %(grace)s, 'approve')",
        ),
    },
    "edit": {
        "INSERT": (
            "WITH ended AS (UPDATE approval SET status = 'void',"
            "  void = '{\"key\": \"narrowed\", \"facts\": {}}' WHERE id = %(card)s AND status = 'pending'),"
            " fewer AS (UPDATE run SET slots = slots || '{\"days\": \"2\"}' WHERE id = %(run)s)"
            " INSERT INTO edit (approval, run, subject, author, before, after, narrows)"
            " SELECT %(card)s, %(run)s, %(grace)s::jsonb ->> 'subject', %(grace)s, '{\"days\": \"3\"}',"
            " '{\"days\": \"2\"}', true",
        ),
    },
    "effect": {
        "INSERT": (
            "INSERT INTO effect"
            " (id, approval, run, step, act, operation, key, payload, state, token, ends_at)"
            " SELECT id || act, id, run, action #>> '{steps,0,name}', act, action #>> '{steps,0,operation}',"
            " id || act, action #> '{steps,0,parameters}',"
            f" state, 0, moment() + {YEARS} FROM approval,"
            " (VALUES ('apply', 'intended'), ('undo', 'done')) AS forged (act, state)"
            " WHERE id = %(card)s ON CONFLICT DO NOTHING",
        ),
        "UPDATE": (
            "UPDATE effect SET state = 'intended'",
            "UPDATE effect SET state = 'unknown', resolved = 'did_not'",
            f"UPDATE effect SET ends_at = ends_at + {YEARS}",
            "UPDATE effect SET state = 'failed'",
        ),
    },
    "doubt": {
        "INSERT": ("INSERT INTO doubt (id, effect, answer, answered_by, answered_at)"
                   " SELECT id, id, 'did_not', %(grace)s, moment() FROM effect",),
        "UPDATE": ("UPDATE doubt SET answer = 'did_not', answered_by = %(grace)s, answered_at = moment()",),
    },
    "delegation": {
        "INSERT": (
            "INSERT INTO delegation (id, holder, stand_in, holder_person, stand_in_person, ends_at) VALUES"
            " (%(card)s, %(grace)s::jsonb ->> 'human', %(tomas)s::jsonb ->> 'human', %(grace)s, %(tomas)s,"
            " moment() + interval '9 days')",
        ),
        "UPDATE": (
            f"UPDATE delegation SET ended_at = NULL, ends_at = moment() + {YEARS},"
            " stand_in = %(tomas)s::jsonb ->> 'human', stand_in_person = %(tomas)s",
            f"UPDATE delegation SET ended_at = NULL, ends_at = moment() + {YEARS}",
        ),
    },
    "review": {
        "INSERT": ("INSERT INTO review (id, approval, run, reviewers, every, remind_at)"
                   " VALUES (%(card)s, %(card)s, %(run)s, 'everyone', '1 day', moment())",),
        "UPDATE": ("UPDATE review SET status = 'in_order', reviewer = %(grace)s, reviewed_at = moment()",),
    },
    "audit_event": {
        "INSERT": (
            "INSERT INTO audit_event (seq, run, trace, kind, previous, hash, body, mac)"
            " SELECT (SELECT max(seq) + 1 FROM audit_event), run, trace, 'approval.decided', hash, hash,"
            " replace(body, 'approval.requested', 'approval.decided'), mac FROM audit_event"
            " WHERE run = %(run)s AND kind = 'approval.requested' ORDER BY seq DESC LIMIT 1",
        ),
    },
    "audit_part": {
        "INSERT": ("INSERT INTO audit_part (seq, part, owners, sealed)"
                   " SELECT seq, 9, owners, sealed FROM audit_part ON CONFLICT DO NOTHING",),
        "DELETE": ("DELETE FROM audit_part",),
    },
    "audit_subject": {
        "INSERT": ("INSERT INTO audit_subject (pseudonym, handle, key_id, sealed)"
                   " VALUES ('p-x', 'x', 'x', 'x')",),
        "DELETE": ("DELETE FROM audit_subject",),
    },
    "audit_detail": {"DELETE": ("DELETE FROM audit_detail",)},
    "audit_adopted": {
        "INSERT": ("INSERT INTO audit_adopted (seq, mac) SELECT seq + 1, mac FROM audit_event"
                   " ON CONFLICT DO NOTHING",)
    },
    "audit_checkpoint": {
        "INSERT": ("INSERT INTO audit_checkpoint SELECT tenant, seq, '{}', 'x' FROM audit_event"
                   " ON CONFLICT DO NOTHING",)
    },
}  # fmt: skip

# What gives nobody the right to anything outside, and why it is not tried here.
OTHER = {
    "audit_hold": "what is held is read from the record (test_audit_record.py)",
    "event": "what Slack sent; who clicks is never stored, and a request needs its approval",
    "signature": "keeps signed requests from being given twice",
    "slack_person": "the subject is that of the directory's answer to the e-mail address, not of the row",
    "message": "what the bot says: docs/audit.md says that the password is enough to make it say anything",
    "bot_process": "how many sockets each bot holds: a bot that is not counted starts or does not, no more",
    "channel_pace": "paces posts",
    "channel_turn": "whose turn it is to post into a channel",
    "edition_activation": "which edition answers: only one that the home holds",
    "asker_salt": "hides who asked a question",
    "question": "what was asked",
    "rating": "how an answer was rated",
    "sync": "when sources are fetched",
    "key_in_use": "ids of keys, and no key",
    "outage": "what is shown of systems that do not answer",
}
LIBRARIES = ("procrastinate_", "checkpoint")  # jobs carry ids; checkpoints are sealed and resume, no more


def statements(name: str) -> list[str]:
    """Return all that is tried on a table."""
    return [one for attacks in ATTACKS[name].values() for one in attacks]


async def test_every_table_that_the_application_may_write_is_tried_or_named(database: Database) -> None:
    async with database.pool.connection() as conn:
        cursor = await conn.execute(
            "SELECT table_name AS name, privilege_type AS may FROM information_schema.role_table_grants"
            " WHERE grantee = current_user AND privilege_type IN ('INSERT', 'UPDATE', 'DELETE')"
            " UNION SELECT table_name, privilege_type FROM information_schema.column_privileges"
            " WHERE grantee = current_user AND privilege_type = 'UPDATE'"
        )
        granted = {
            (row["name"], row["may"])
            for row in await cursor.fetchall()
            if not row["name"].startswith(LIBRARIES) and row["name"] not in OTHER
        }
    tried = {(name, may) for name, attacks in ATTACKS.items() for may in attacks}
    assert granted - tried == set(), "say in ATTACKS or OTHER what these can do"
    assert tried - granted == set(), "these are granted no longer"


async def write(office: Office, statement: str, run: str, card: str) -> None:
    people = {
        name: Jsonb(asdict(approvals.actor(await office.person(who))))
        for name, who in (("grace", GRACE), ("tomas", TOMAS))
    }
    with suppress(psycopg.Error):  # what the database refuses is tried no less
        async with office.database.pool.connection() as conn:
            await conn.execute(statement.encode(), {"run": run, "card": card, **people})


async def decide(office: Office, card: str, who: str) -> Answered:
    """Click, again where a busy machine was too slow to read everybody within the time that a click has."""
    by = await office.person(who)
    while (answered := await office.runs.decide(card, Verdict.APPROVE, by=by)) is Answered.UNREACHABLE:
        pass
    return answered


async def go_on(office: Office) -> None:
    """Do whatever waits: a worker that fails tries again, and nothing that fails has done anything."""
    for _ in range(3):
        with suppress(Exception):
            await office.runs.sweep()
        try:
            await office.work()
        except Exception:
            logging.getLogger(__name__).info("A job failed", exc_info=True)


async def before_approval(office: Office, statement: str) -> None:
    """Write while a request waits for its approval: nobody gets anything, whoever clicks then."""
    office.desk.cards.clear()
    office.desk.waiting.clear()
    run = await office.ask(WANTED)
    card = office.desk.cards[-1]
    await write(office, statement, run, card)
    office.desk.waiting.append(run)
    await go_on(office)
    answered = None
    with suppress(Exception):
        answered = await decide(office, card, TOMAS)
    assert answered is not Answered.RECORDED, statement
    await go_on(office)
    assert "Ada Okafor" not in await office.members("billing-db"), statement
    assert "Tomas Varga" not in await office.members("billing-db"), statement
    assert "Ada Okafor" not in await office.members("crm-readers"), statement


async def after_approval(office: Office, statement: str) -> None:
    """Write after a request was approved, and after it was carried out: nobody gets more or for longer."""
    office.desk.cards.clear()
    run = await office.ask(WANTED)
    card = office.desk.cards[-1]
    assert await decide(office, card, GRACE) is Answered.RECORDED, statement
    await write(office, statement, run, card)
    await go_on(office)
    assert "Tomas Varga" not in await office.members("billing-db"), statement
    assert "Ada Okafor" not in await office.members("crm-readers"), statement
    await write(office, statement, run, card)
    await ends(office, statement)


async def after_effect(office: Office, statement: str) -> None:
    """Write only after a request was carried out: what was granted ends all the same."""
    office.desk.cards.clear()
    office.desk.waiting.clear()
    run = await office.ask(WANTED)
    card = office.desk.cards[-1]
    assert await decide(office, card, GRACE) is Answered.RECORDED, statement
    await office.work()
    assert "Ada Okafor" in await office.members("billing-db"), statement
    await write(office, statement, run, card)
    await ends(office, statement)


async def ends(office: Office, statement: str) -> None:
    """Let the time of the grant go by, until nobody has it any more."""
    for days in (5, 1, 1, 1, 1, 1):  # more than one where a busy machine is too slow for the directory's time
        with suppress(Exception):
            await office.later(timedelta(days=days))
        await go_on(office)
        if "Ada Okafor" not in await office.members("billing-db"):
            return
    raise AssertionError(statement)


@pytest.mark.parametrize("name", ATTACKS)
async def test_nothing_written_into_a_table_does_what_nobody_approved(office: Office, name: str) -> None:
    for statement in statements(name):
        await before_approval(office, statement)


@pytest.mark.parametrize("name", ATTACKS)
async def test_nothing_written_after_an_approval_gives_more_or_for_longer(office: Office, name: str) -> None:
    for statement in statements(name):
        await after_approval(office, statement)


@pytest.mark.parametrize("name", ATTACKS)
async def test_nothing_written_after_an_effect_makes_it_last(office: Office, name: str) -> None:
    for statement in statements(name):
        await after_effect(office, statement)
