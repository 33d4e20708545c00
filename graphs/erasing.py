"""A person who is erased: the pseudonym that takes their place, and what cannot end before it has ended.

Rows name them by a pseudonym. What was lent to them, or rests on what they changed, is taken back under the
approval that covered it, which names them by the directory's id: until then that id alone is kept, sealed
with the record's secret, and put back where such an approval is read. What else its digest covered, such as a
name, is gone: a digest of what is left is sealed beside the id. Afterwards nothing turns the pseudonym back
into the person, no digest of such an approval can be computed again, and nothing is done under it.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from graphs.audit import head
from graphs.audit.vault import Locked, Vault, Wrapped, seal, unseal, vault_of
from graphs.ports import Connection

NAME = "a person who was erased"
GONE = "[erased]"
_ISSUER = "erased"
_TOKEN = re.compile(r"\bp-[0-9a-f]{16}(?:\.\d+)?\b")
_SURE = 5  # characters
_SHORT = 6  # characters; what is shorter is changed only where it is all that there is


def subject(token: str) -> str:
    """Return what takes the place of an account's subject."""
    return f"{_ISSUER}#{token}"


def tokens(pseudonym: str, subjects: Iterable[str]) -> dict[str, str]:
    """Return what takes the place of each account's id in the directory, by its subject."""
    return {
        one: pseudonym if place == 0 else f"{pseudonym}.{place}" for place, one in enumerate(sorted(subjects))
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class Marks:
    """By what a person is known: everything that names them, and what they wrote."""

    subjects: frozenset[str]
    humans: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    accounts: frozenset[str] = frozenset()  # elsewhere: of their Slack users, and their conversations there
    parts: frozenset[str] = frozenset()  # of their names, which nobody else has
    phrases: frozenset[str] = frozenset()  # what they wrote

    @property
    def words(self) -> frozenset[str]:
        """Everything that must be gone afterwards."""
        ids = {one.partition("#")[2] for one in self.subjects}
        logins = {login for email in self.emails if len(login := email.partition("@")[0]) >= _SHORT}
        known = ids | logins | self.subjects | self.humans | self.names | self.emails | self.accounts
        return frozenset(word for word in known | self.parts | self.phrases if word)

    @property
    def findable(self) -> frozenset[str]:
        """What names them beyond doubt, in a document or a file that nobody has declared the columns of."""
        ids = {one.partition("#")[2] for one in self.subjects}
        known = ids | self.subjects | self.names | self.emails | self.accounts
        return frozenset(word for word in known if len(word) >= _SURE)


class Mask:
    """Puts a pseudonym in a person's place, wherever plain JSON or text names them."""

    def __init__(self, marks: Marks, pseudonym: str) -> None:
        known = tokens(pseudonym, marks.subjects)
        exact = {one: subject(token) for one, token in known.items()}
        exact |= dict.fromkeys(marks.humans - marks.subjects, subject(pseudonym))
        exact |= {one.partition("#")[2]: token for one, token in known.items()}
        exact |= {f"<@{one}>": NAME for one in marks.accounts} | dict.fromkeys(marks.accounts, GONE)
        exact |= {form: GONE for part in marks.parts for form in (part, part.upper(), part.lower())}
        exact |= dict.fromkeys(marks.phrases, GONE)
        logins = {one.partition("@")[0] for one in marks.emails}
        folded = {*marks.names, *marks.emails, *(login for login in logins if len(login) >= _SHORT)}
        self._addresses = frozenset(one.casefold() for one in marks.emails)
        whole = {*marks.phrases, *(one.partition("#")[2] for one in marks.subjects)}
        self._whole = {one: exact[one] for one in whole}
        self._exact = {one: said for one, said in exact.items() if len(one) >= _SHORT or one in marks.parts}
        self._exact |= {one: said for one, said in exact.items() if one in marks.accounts}
        self._names = frozenset(form.lower() for one in marks.names for form in _forms(one))
        self._pattern = _any(self._exact, {form for one in folded for form in _forms(one)})

    def text(self, text: str) -> str:
        """Return the text without the person."""
        if text in self._whole:
            return self._whole[text]
        if text.casefold() in self._addresses:
            return ""
        return self._pattern.sub(self._instead, text)

    def _instead(self, found: re.Match[str]) -> str:
        return self._exact.get(found[0]) or (NAME if found[0].lower() in self._names else GONE)

    def value(self, value: Any) -> Any:
        """Return plain JSON without the person."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self.text(str(name)): self.value(inner) for name, inner in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(inner) for inner in value]
        return value


def _forms(word: str) -> set[str]:
    """Return how else a word is written in other cases: for "ß" and "İ" there is no single one."""
    return {word, word.lower(), word.upper(), word.casefold()}


def _any(exact: Iterable[str], folded: Iterable[str]) -> re.Pattern[str]:
    """Return what matches any of the words as a whole, the longest first; `folded` in any case of letters."""
    wanted = [(word, re.escape(word)) for word in exact]
    wanted += [(word, f"(?i:{re.escape(word)})") for word in folded]
    ordered = sorted(wanted, key=lambda one: (-len(one[0]), one))
    return re.compile("|".join(rf"(?<!\w){pattern}(?!\w)" for word, pattern in ordered if word) or r"(?!)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """What is sealed of a person who is being erased, as plain JSON.

    `marks` is there only until their rows have been changed: whoever begins again knows by it whom.
    """

    ids: Mapping[str, str] = field(default_factory=dict)  # token -> subject
    digests: Mapping[str, str] = field(default_factory=dict)  # approval -> that of what is put back
    marks: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True, slots=True)
class Erasure:
    """An erasure that has begun and not ended."""

    pseudonym: str
    kept: Kept


@dataclass(frozen=True, kw_only=True, slots=True)
class Sealed:
    """A row of `erasure`."""

    pseudonym: str
    handles: list[str]
    key_id: str
    wrapped: bytes
    sealed: bytes


def handles(vault: Vault, tenant: str, names: Collection[str]) -> list[str]:
    """Return under what an erasure may be found by a subject or an address: a guess needs the secret."""
    return sorted({one for name in names for one in vault.handles(tenant, f"erasure {name.casefold()}")})


def close(vault: Vault, tenant: str, names: Collection[str], kept: Kept, *, pseudonym: str | None) -> Sealed:
    """Seal what is kept of a person under a key of its own. Without a pseudonym they get one."""
    someone, wrapped = vault.fresh(tenant)
    name = pseudonym or someone.pseudonym
    plain = json.dumps({"ids": kept.ids, "digests": kept.digests, "marks": kept.marks}, default=list)
    return Sealed(
        pseudonym=name,
        handles=handles(vault, tenant, names),
        key_id=f"{wrapped.key_id} {someone.pseudonym}",
        wrapped=wrapped.sealed,
        sealed=seal([someone], _place(tenant, name), plain.encode()),
    )


def _place(tenant: str, pseudonym: str) -> str:
    return f"erasure\0{tenant}\0{pseudonym}"


async def begun(conn: Connection, name: str) -> Erasure | None:
    """Return the erasure of the person with this subject or address, if it has not ended."""
    tenant = await head.tenant(conn)
    found = handles(vault_of(conn), tenant, [name])
    cursor = await conn.execute(f"{_READ} WHERE handles && %s LIMIT 1", (found,))
    row = await cursor.fetchone()
    return None if row is None else _erasure(vault_of(conn), row)


_READ = "SELECT tenant, pseudonym, key_id, wrapped, sealed FROM erasure"


def _erasure(vault: Vault, row: Mapping[str, Any]) -> Erasure:
    key_id, _, name = row["key_id"].partition(" ")
    someone = vault.unwrap(row["tenant"], Wrapped(pseudonym=name, key_id=key_id, sealed=row["wrapped"]))
    plain = unseal([someone], _place(row["tenant"], row["pseudonym"]), row["sealed"])
    return Erasure(pseudonym=row["pseudonym"], kept=Kept(**json.loads(plain)))


async def opened(conn: Connection, row: Mapping[str, Any], *columns: str) -> dict[str, Any]:
    """Return a row of approvals or effects with the ids put back that an erasure keeps sealed for it.

    One that no erasure keeps anything for comes back as it is, and so does any whose key is not here. `kept`
    says that the digest of an approval is what an erasure keeps of it. Raises Unopened.
    """
    found = {token for name in columns for token in _TOKEN.findall(json.dumps(row[name]))}
    if not found:
        return dict(row)
    ids: dict[str, str] = {}
    digests: dict[str, str] = {}
    cursor = await conn.execute(
        f"{_READ} WHERE pseudonym = ANY(%s)", ([token.partition(".")[0] for token in found],)
    )
    for one in await cursor.fetchall():
        try:
            kept = _erasure(vault_of(conn), one).kept
        except Locked:
            continue
        ids |= kept.ids
        digests |= kept.digests
    whole = {**row, **{name: put_back(row[name], ids) for name in columns}}
    if row.get("digest") == GONE and row["id"] in digests:
        whole |= {"digest": digests[row["id"]], "kept": True}
    return whole


def put_back(value: Any, ids: Mapping[str, str]) -> Any:
    """Return plain JSON with the ids in their places again."""
    if isinstance(value, str):
        for token, known in ids.items():
            if value == subject(token):
                return known
            if value == token:
                return known.partition("#")[2]
        return value
    if isinstance(value, Mapping):
        return {name: put_back(inner, ids) for name, inner in value.items()}
    if isinstance(value, list):
        return [put_back(inner, ids) for inner in value]
    return value
