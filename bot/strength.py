"""Whether a key that somebody typed could be guessed, and one that cannot."""

import secrets
from itertools import pairwise

LEAST = 20  # characters
_VARIED = 8  # different characters, and different steps from one to the next
_FRESH = 0.6  # of all runs of three characters, those that occur for the first time

ADVICE = "Make one with: countersign secrets key"


def fresh() -> str:
    """Return a key of 256 random bits."""
    return secrets.token_urlsafe(32)


def weakness(key: str) -> str:
    """Say why the key is too weak to close a file with, in half a sentence; "" where it is not."""
    key = key.strip()
    if len(key) < LEAST:
        return f"it has {len(key)} characters, and at least {LEAST} are needed"
    if len(set(key)) < _VARIED:
        return f"it is made of {len(set(key))} different characters only"
    if len({ord(after) - ord(before) for before, after in pairwise(key)}) < _VARIED:
        return "its characters follow each other in order"
    runs = [key[at : at + 3] for at in range(len(key) - 2)]
    if len(set(runs)) < _FRESH * len(runs):
        return "it repeats itself"
    return ""
