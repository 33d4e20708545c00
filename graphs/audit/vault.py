"""What is personal in the record: a key for each person, wrapped by a key that only the secrets hold.

To forget a person is to delete their key: nothing that was closed with it opens again, in any copy.
"""

import hmac
import secrets
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from psycopg import AsyncConnection

from connectors.keys import Key, Keys
from graphs.audit.events import Event
from graphs.ports import Connection

_NONCE = 12  # bytes, as AES-GCM wants them
_RUNS = 1_000  # of which it is remembered whom their events are about
_ASK_AGAIN = 60.0  # seconds until the secrets are asked again for a key that they did not hold


class Locked(Exception):
    """What the record keeps does not open: it was changed, or closed with a key that is not here."""


class Unopened(Exception):
    """This process has not opened the record, so it cannot say what the record has. Nothing was looked at."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Someone:
    """A person as the record names them: a pseudonym without meaning, and the key of their values."""

    pseudonym: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wrapped:
    """The key of a person as the database holds it."""

    pseudonym: str
    key_id: str
    sealed: bytes


class Vault:
    """Makes, wraps and uses the keys of people, and signs. It holds the secret of the record."""

    def __init__(self, keys: Keys) -> None:
        self._keys = keys
        self._handles = [_derived(key, "handle") for key in keys.keys]
        self._wraps = {key.id: _derived(key, "wrap") for key in keys.keys}
        self._macs = {key.id: _derived(key, "mac") for key in keys.keys}

    def handles(self, tenant: str, subject: str) -> tuple[str, ...]:
        """Return under what a person's key may be found, the newest first: a guess needs our secret."""
        message = f"{tenant}\0{subject}".encode()
        return tuple(hmac.digest(key, message, "sha256").hex() for key in self._handles)

    def fresh(self, tenant: str) -> tuple[Someone, Wrapped]:
        """Make a pseudonym and a key for somebody new."""
        someone = Someone(pseudonym=f"p-{secrets.token_hex(8)}", key=secrets.token_bytes(32))
        newest = self._keys.newest
        sealed = _encrypt(self._wraps[newest.id], someone.key, _bound(tenant, someone.pseudonym))
        return someone, Wrapped(pseudonym=someone.pseudonym, key_id=newest.id, sealed=sealed)

    def unwrap(self, tenant: str, wrapped: Wrapped) -> Someone:
        """Return the person's key. Raises Locked."""
        key = self._wraps.get(wrapped.key_id)
        if key is None:
            raise Locked(f"the key {wrapped.key_id} of the record is not among the secrets here")
        value = _decrypt(key, wrapped.sealed, _bound(tenant, wrapped.pseudonym))
        return Someone(pseudonym=wrapped.pseudonym, key=value)

    def mac(self, purpose: str, message: str) -> str:
        """Return the id of the newest key and its HMAC of the message: the proof that we wrote it."""
        newest = self._keys.newest.id
        return f"{newest}:{self._hmac(newest, purpose, message)}"

    def is_ours(self, purpose: str, message: str, mac: str | None) -> bool:
        """Whether `mac` is what `mac()` returned for this, with the newest key or an older one."""
        key_id, _, digest = (mac or "").partition(":")
        if key_id not in self._macs:
            return False
        return hmac.compare_digest(self._hmac(key_id, purpose, message).encode(), digest.encode())

    def has(self, key_id: str) -> bool:
        """Whether a key is among ours."""
        return key_id in self._macs

    def _hmac(self, key_id: str, purpose: str, message: str) -> str:
        return hmac.digest(self._macs[key_id], f"{purpose}\0{message}".encode(), "sha256").hex()

    @property
    def signer(self) -> Ed25519PrivateKey:
        """The key that signs checkpoints and packs now."""
        return _signer(self._keys.newest)

    def has_signed(self, message: bytes, signature: str) -> bool:
        """Whether one of our keys, the newest or an older one, has signed this."""
        return any(_is_signed(key, message, signature) for key in self._keys.keys)

    @property
    def public_keys(self) -> tuple[str, ...]:
        """The public halves of the signing keys, in hexadecimal, the newest first."""
        found = (_signer(key).public_key() for key in self._keys.keys)
        return tuple(key.public_bytes(Encoding.Raw, PublicFormat.Raw).hex() for key in found)


Reopen = Callable[[], Awaitable[Vault]]


class Book:
    """Where the connections of one database find the vault, once it has been opened.

    `end` is the last event of ours that this process has read, and `noted` what it has found to be foreign:
    they save reading and are no authority. `read` are events by the whole content of their
    rows, and `near` the handles of those whom the last event of a run was about.
    """

    def __init__(self) -> None:
        self._vault: Vault | None = None
        self._reopen: Reopen | None = None
        self._asked: dict[str, float] = {}
        self.end: int | None = None
        self.noted: set[int] = set()
        self.read: dict[tuple[object, ...], Event] = {}
        self.near: dict[str | None, Sequence[str]] = {}

    def open(self, vault: Vault, reopen: Reopen | None = None) -> None:
        """Let the connections keep and read what is personal. `reopen` reads the secrets afresh."""
        self._vault = vault
        self._reopen = reopen

    def remember(self, run: str | None, handles: Sequence[str]) -> None:
        """Keep whom the last event of a run was about: the next one is about them too, as a rule."""
        if len(self.near) >= _RUNS:
            del self.near[next(iter(self.near))]
        self.near[run] = handles

    async def learn(self, key_ids: Collection[str]) -> None:
        """Read the secrets again where something was written with keys that we do not have: they may be new.

        A key that is not there then is asked for again a minute later at the earliest.
        """
        now = time.monotonic()
        strange = [one for one in key_ids if not self.vault.has(one)]
        fresh = [one for one in strange if now - self._asked.get(one, -_ASK_AGAIN) >= _ASK_AGAIN]
        if fresh and self._reopen is not None:
            if len(self._asked) > 1_000:  # somebody makes them up
                self._asked.clear()
            self._asked |= dict.fromkeys(fresh, now)
            self._vault = await self._reopen()

    @property
    def is_open(self) -> bool:
        """Whether the vault has been opened."""
        return self._vault is not None

    @property
    def vault(self) -> Vault:
        """The vault. Raises Unopened before it has been opened."""
        if self._vault is None:
            raise Unopened("the record's keys have not been opened in this process")
        return self._vault


class Bookish(AsyncConnection[dict[str, Any]]):
    """A connection of the application's pool: it knows the book of its database."""

    book: Book


def vault_of(conn: Connection) -> Vault:
    """Return the vault of the connection's database. Raises Unopened."""
    return book_of(conn).vault


def book_of(conn: Connection) -> Book:
    """Return the book of the connection's database. Raises Unopened."""
    if not isinstance(conn, Bookish):
        raise Unopened("the record is read and written through the application's pool only")
    return conn.book


def seal(people: Sequence[Someone], place: str, plain: bytes) -> bytes:
    """Close what concerns these people together: it takes the keys of all of them to open it."""
    return _encrypt(_joint(people, place), plain, place.encode())


def unseal(people: Sequence[Someone], place: str, sealed: bytes) -> bytes:
    """Open what `seal` closed for the same people and place. Raises Locked."""
    return _decrypt(_joint(people, place), sealed, place.encode())


def _joint(people: Sequence[Someone], place: str) -> bytes:
    ordered = sorted(people, key=lambda one: one.pseudonym)
    material = b"".join(one.key for one in ordered)
    return HKDF(SHA256(), 32, salt=None, info=f"countersign audit values\0{place}".encode()).derive(material)


def _signer(key: Key) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_derived(key, "signature"))


def _is_signed(key: Key, message: bytes, signature: str) -> bool:
    try:
        _signer(key).public_key().verify(bytes.fromhex(signature), message)
    except (InvalidSignature, ValueError):
        return False
    return True


def _derived(key: Key, purpose: str) -> bytes:
    info = f"countersign audit {purpose}".encode()
    return HKDF(SHA256(), 32, salt=None, info=info).derive(key.value)


def _bound(tenant: str, pseudonym: str) -> bytes:
    return f"{tenant}\0{pseudonym}".encode()


def _encrypt(key: bytes, plain: bytes, bound: bytes) -> bytes:
    nonce = secrets.token_bytes(_NONCE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound)


def _decrypt(key: bytes, sealed: bytes, bound: bytes) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:_NONCE], sealed[_NONCE:], bound)
    except InvalidTag as error:
        raise Locked("what is kept beside the record was changed, or closed with another key") from error
