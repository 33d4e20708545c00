"""How each run of the kept home stood when it was put away, and how one looks.

A state is the run's status; its approvals, with votes of those needed; its effects; its machine's node.
"""

from tests.scenario.desk import Office

STATES = {
    "started": "started; ; ; ",
    "form": "collecting; ; ; ask",
    "filled": "checking; ; ; ask",
    "waiting": "waiting; pending; ; approve",
    "one-of-two": "waiting; pending 1/2; ; approve",
    "widened": "waiting; void, pending; ; approve",
    "narrowed": "waiting; void, pending 1/2; ; approve",
    "replaced": "waiting; void, pending; ; approve",
    "void": "waiting; void; ; approve",
    "approved": "waiting; approved 1/1; ; approve",
    "denied-next": "waiting; denied 1/1; ; approve",
    "cut-before-decided": "waiting; approved 1/1; ; decided",
    "cut-before-intent": "executing; approved 1/1; ; grant",
    "cut-before-call": "executing; approved 1/1; apply intended; grant",
    "cut-after-call": "executing; approved 1/1; apply intended; grant",
    "cut-before-confirmed": "executing; approved 1/1; apply done; confirm",
    "cut-before-confirmed-end": "scheduled; ; ; ",
    "retrying-check": "retrying; ; ; check",
    "retrying": "retrying; approved 1/1; apply intended; grant",
    "dead": "dead; approved 1/1; apply intended; grant",
    "granted": "done; approved 1/1; apply done; ",
    "granted-end": "scheduled; ; ; ",
    "end-retrying": "done; approved 1/1; apply done; ",
    "end-retrying-end": "retrying; ; undo intended; revoke",
    "end-dead": "done; approved 1/1; apply done; ",
    "end-dead-end": "dead; ; undo intended; revoke",
    "end-cut-before-call": "done; approved 1/1; apply done; ",
    "end-cut-before-call-end": "scheduled; ; undo intended; revoke",
    "end-cut-after-call": "done; approved 1/1; apply done; ",
    "end-cut-after-call-end": "scheduled; ; undo intended; revoke",
    "done": "done; approved 1/1; apply done; ",
    "done-end": "done; ; undo done; ",
    "denied": "refused denied; denied 1/1; ; ",
    "expired": "refused expired; expired; ; ",
    "failed": "failed read_back_failed; approved 1/1; apply done; ",
    "failed-end": "scheduled; ; ; ",
    "emergency-one-of-two": "waiting; pending 1/2; ; approve",
    "emergency-granted": "done; approved 2/2; apply done; ",
    "emergency-granted-end": "scheduled; ; ; ",
    "emergency-end-retrying": "done; approved 2/2; apply done; ",
    "emergency-end-retrying-end": "retrying; ; undo intended; revoke",
    "emergency-reviewed-next": "done; approved 2/2; apply done; ",
    "emergency-reviewed-next-end": "waiting; ; undo done; review",
    "emergency-signed": "done; approved 2/2; apply done; ",
    "emergency-signed-end": "waiting; ; undo done; review",
    "blind-in-doubt": "unknown unknown_effect; approved 1/1; apply unknown; post",
    "blind-to-take-back": "unknown unknown_effect; approved 1/1; apply unknown; post",
    "blind-answered": "unknown unknown_effect; approved 1/1; apply unknown; post",
    "findable-cut-before-call": "executing; approved 1/1; apply intended; post",
    "findable-cut-after-call": "executing; approved 1/1; apply intended; post",
    "blind-cut-after-call": "executing; approved 1/1; apply intended; post",
    "keyed-cut-before-call": "executing; approved 1/1; apply intended; post",
    "keyed-cut-after-call": "executing; approved 1/1; apply intended; post",
}

_STATE = """
    SELECT concat_ws(' ', run.status, run.reason) AS status, workflow, version,
        (SELECT string_agg(concat_ws(' ', approval.status, votes || '/' || (action->>'quorum')), ', '
                ORDER BY round)
            FROM approval, LATERAL (SELECT nullif(count(*), 0) AS votes FROM vote
                WHERE vote.approval = approval.id) AS voted
            WHERE approval.run = run.id) AS approvals,
        (SELECT string_agg(act || ' ' || state, ', ' ORDER BY intended_at) FROM effect
            WHERE effect.run = run.id) AS effects
    FROM run WHERE id = %s"""


async def of(office: Office, run: str) -> str:
    """Return how a run stands, in the same form."""
    async with office.database.pool.connection() as conn:
        row = await (await conn.execute(_STATE.encode(), (run,))).fetchone()
    assert row is not None
    machine = office.runs._machines[row["workflow"], row["version"]]
    snapshot = await machine.aget_state({"configurable": {"thread_id": run}})
    at = ", ".join(snapshot.next)
    return f"{row['status']}; {row['approvals'] or ''}; {row['effects'] or ''}; {at}"
