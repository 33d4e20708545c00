"""Keys that an installation makes for itself; several of a name, so that they can be replaced."""

import base64
import binascii
import hashlib
import secrets
from dataclasses import dataclass, field

from connectors.errors import Invalid

SIZE = 32  # bytes


@dataclass(frozen=True, kw_only=True, slots=True)
class Key:
    """Random bytes, and the id that is written beside what was made with them."""

    id: str
    value: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Keys:
    """Keys, the newest first: the newest makes new things, the older ones open old things."""

    keys: tuple[Key, ...]

    @classmethod
    def fresh(cls) -> "Keys":
        """Return one new key."""
        return cls((_key(secrets.token_bytes(SIZE)),))

    @classmethod
    def parse(cls, text: str) -> "Keys":
        """Read what `text` wrote. Raises Invalid, which shows nothing of it."""
        found = tuple(_parsed(part) for part in text.split())
        if not found:
            raise Invalid("there is no key")
        return cls(found)

    def text(self) -> str:
        """Return the keys as the one line that is kept."""
        return " ".join(f"{key.id}:{base64.urlsafe_b64encode(key.value).decode()}" for key in self.keys)

    @property
    def newest(self) -> Key:
        """The key for new things."""
        return self.keys[0]

    def find(self, key_id: str) -> Key | None:
        """Return the key of that id."""
        return next((key for key in self.keys if key.id == key_id), None)

    def rotated(self) -> "Keys":
        """Return these keys behind a new one."""
        return Keys((*Keys.fresh().keys, *self.keys))


def _key(value: bytes) -> Key:
    return Key(id=hashlib.sha256(b"countersign key\0" + value).hexdigest()[:12], value=value)


def _parsed(part: str) -> Key:
    key_id, _, encoded = part.partition(":")
    try:
        key = _key(base64.b64decode(encoded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError) as error:
        raise Invalid("this is not a key that was made here") from error
    if key.id != key_id or len(key.value) != SIZE:
        raise Invalid("the key was changed or cut off")
    return key
