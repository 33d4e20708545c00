"""Opaque ids: 128 bits that say nothing."""

import secrets


def fresh() -> str:
    """Return a new id. It begins with a letter or digit, so that it is never taken for an option."""
    while not (drawn := secrets.token_urlsafe(16))[0].isalnum():
        pass
    return drawn
