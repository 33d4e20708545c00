"""What an approver changes in a request instead of approving it as it is.

An edit ends the card on which it was made: the run asks again with the new values. One that only takes away
carries its author's approval to the new card; whoever made any other one may not approve what they wrote.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from psycopg.types.json import Jsonb

from graphs import delegations, recorded
from graphs.forms import shown
from graphs.ports import Connection
from graphs.records import Actor, Approval, Delegation, Field


@dataclass(frozen=True, kw_only=True, slots=True)
class Edit:
    """Some fields as they were and as they are to be. `narrows`: each of them only takes away."""

    approval: str
    author: Actor
    before: Mapping[str, str]
    after: Mapping[str, str]
    narrows: bool

    def words(self, fields: Iterable[Field]) -> str:
        """Say what was changed, for people to read."""
        known = {field.name: field for field in fields}
        return "; ".join(
            f"{known[name].label}: {shown(known[name], self.before[name])} → {shown(known[name], after)}"
            for name, after in self.after.items()
        )


def of(
    fields: Iterable[Field], values: Mapping[str, str], given: Mapping[str, str], *, card: str, by: Actor
) -> Edit | None:
    """Return the edit that `given` is of a request's `values`, or None where it changes nothing."""
    known = {field.name: field for field in fields}
    after = {name: value for name, value in given.items() if name in known and value != values.get(name, "")}
    if not after:
        return None
    before = {name: values.get(name, "") for name in after}
    narrows = all(_narrows(known[name], before[name], value) for name, value in after.items())
    return Edit(approval=card, author=by, before=before, after=after, narrows=narrows)


def _narrows(field: Field, before: str, after: str) -> bool:
    """Whether a value that fits gives less than the one before."""
    return field.narrows == "less" and _is_less(before, after)


def _is_less(before: str, after: str) -> bool:
    return before.isdecimal() and after.isdecimal() and int(after) < int(before)


async def record(conn: Connection, edit: Edit, run: str) -> None:
    """Write down an edit, and change the request, which is planned anew."""
    await conn.execute(
        "INSERT INTO edit (approval, run, subject, author, before, after, narrows)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            edit.approval,
            run,
            edit.author.subject,
            Jsonb(asdict(edit.author)),
            Jsonb(dict(edit.before)),
            Jsonb(dict(edit.after)),
            edit.narrows,
        ),
    )
    await conn.execute("UPDATE run SET slots = slots || %s WHERE id = %s", (Jsonb(dict(edit.after)), run))


async def latest(conn: Connection, run: str) -> Edit | None:
    """Return the edit that ended the run's latest approval, or None where something else did."""
    cursor = await conn.execute(
        "SELECT edit.approval, author, before, after, narrows FROM approval LEFT JOIN edit"
        " ON (edit.tenant, edit.approval) = (approval.tenant, approval.id)"
        " WHERE approval.run = %s ORDER BY round DESC LIMIT 1",
        (run,),
    )
    row = await cursor.fetchone()
    if row is None or row["approval"] is None:
        return None
    edit = Edit(**{**row, "author": Actor(**row["author"])})
    so = await recorded.is_edit(
        conn, run, edit.approval, author=edit.author, after=edit.after, narrows=edit.narrows
    )
    return edit if so else None


async def narrowed(conn: Connection, run: str) -> tuple[Edit | None, list[Delegation]]:
    """Return the edit that ended the latest approval, if it only took away, and whose place its author takes.

    Whoever narrowed a request approves what is left, by the rights that they have now.
    """
    edit = await latest(conn, run)
    if edit is None or not edit.narrows:
        return None, []
    return edit, await delegations.lent_to(conn, edit.author.human)


def carries(edit: Edit, approval: Approval, fields: Iterable[Field]) -> bool:
    """Whether a new card shows the edit and nothing else: whoever made the edit has seen nothing else.

    That it only takes away is judged by what the two cards bind, and not by what the edit's row says.
    """
    bound = {field.name: field.binds or field.name for field in fields}
    changed = {one.name.rpartition(".")[2] for one in approval.differences}
    less = all(_is_less(one.before, one.after) for one in approval.differences)
    return approval.replaces == edit.approval and changed == {bound.get(name) for name in edit.after} and less
