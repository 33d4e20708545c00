"""The append-only, hash-chained record of what was decided and done.

An event is canonical JSON (RFC 8785) with the hash of the one before it, and names people by pseudonyms.
Their values stand beside the chain, each person's under a key of their own; the chain commits to them with
salts that are erased together with the key.
"""

from graphs.audit.chain import append
from graphs.audit.events import ChainBroken, Event, plain
from graphs.audit.keeping import Held, erase
from graphs.audit.reading import around, every, is_erased, last, of_approval, people_in, read, standing
from graphs.audit.vault import Book, Bookish, Locked, Vault, vault_of

__all__ = [
    "Book",
    "Bookish",
    "ChainBroken",
    "Event",
    "Held",
    "Locked",
    "Vault",
    "append",
    "around",
    "erase",
    "every",
    "is_erased",
    "last",
    "of_approval",
    "people_in",
    "plain",
    "read",
    "standing",
    "vault_of",
]
