"""Secrets: in the system's keyring, or in one encrypted file whose key is handed in.

The only module that opens a keyring. Nothing here reads the environment, asks a terminal or shows a value.
"""

import configparser
import contextlib
import fcntl
import json
import os
import re
import secrets
import tempfile
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import ClassVar, Protocol

from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, PasswordDeleteError
from keyrings.cryptfile.cryptfile import CryptFileKeyring  # type: ignore[import-untyped]  # ships no types

from connectors.errors import ConnectorError, Invalid

# Backends that encrypt and keep what they are given. Any other is refused: null forgets, plaintext is base64,
# fail fails, and a chain hands over to whatever is installed.
ALLOWED = (
    ("keyring.backends.macOS", "Keyring"),
    ("keyring.backends.Windows", "WinVaultKeyring"),
    ("keyring.backends.SecretService", "Keyring"),
    ("keyring.backends.kwallet", "DBusKeyring"),
)

FILE = "secrets.crypt"
KEY_FILE = "secrets.key"
NAME = re.compile(r"[a-z][a-z0-9_.-]{0,63}")

_INDEX = "names"  # the item that lists the others; keyrings cannot be enumerated


class NoKeyring(ConnectorError):
    """There is no place that keeps secrets safely. The message says what to do."""

    key = "secrets.no_keyring"


class WrongKey(ConnectorError):
    """The encrypted file does not open with this key, or it was damaged."""

    key = "secrets.wrong_key"


class NotKept(ConnectorError):
    """The keyring did not give back what it was given, or refused."""

    key = "secrets.not_kept"


class _Vault(Protocol):
    def load(self, name: str) -> str | None: ...
    def save(self, name: str, value: str) -> None: ...
    def erase(self, name: str) -> None: ...
    def names(self) -> tuple[str, ...]: ...


class Secrets:
    """Secrets by name. A value is read from where it is kept once, then held in this object.

    Every method raises `NotKept` when the keyring fails, `WrongKey` when the encrypted file does not open.
    """

    def __init__(self, vault: _Vault) -> None:
        self._vault = vault
        self._known: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"<Secrets in {self._vault!r}>"

    def get(self, name: str) -> str | None:
        """The secret of that name, or None."""
        if name not in self._known:
            value = self._vault.load(_checked(name))
            if value is None:
                return None
            self._known[name] = value
        return self._known[name]

    def set(self, name: str, value: str) -> None:
        """Keep a secret, and look whether it was kept. Raises `Invalid` for an empty one."""
        if not value.strip():
            raise Invalid("a secret cannot be empty")
        self._known.pop(_checked(name), None)
        self._vault.save(name, value)
        if self._vault.load(name) != value:
            raise NotKept(f"the keyring did not keep {name}")
        self._known[name] = value

    def delete(self, name: str) -> None:
        """Forget a secret. One that is not there is fine."""
        self._known.pop(_checked(name), None)
        self._vault.erase(name)
        if self._vault.load(name) is not None:
            raise NotKept(f"the keyring did not forget {name}")

    def names(self) -> tuple[str, ...]:
        """The names of the secrets that were kept here, in alphabetical order."""
        return self._vault.names()


def open_secrets(*, home: Path, key: str | None = None, service: str = "countersign") -> Secrets:
    """Open the secrets of this home: with a key its encrypted file, without one the system's keyring.

    Raises `NoKeyring` where neither is there.
    """
    if key is not None:
        return Secrets(EncryptedFile(home / FILE, key))
    for backend in _system_keyrings():
        return Secrets(SystemKeyring(backend, service))
    raise NoKeyring(
        "this machine has no keyring that keeps secrets safely; "
        "set COUNTERSIGN_SECRETS_KEY to keep them in an encrypted file instead"
    )


def demo_key(home: Path) -> str:
    """The key of a demo home, from its own key file, which is made at first use and only its owner may read.

    Raises `NoKeyring` when others may read the file, or when it is empty.
    """
    path = home / KEY_FILE
    with contextlib.suppress(FileExistsError):
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        _create(path, secrets.token_urlsafe(32))
    status = path.stat()
    if status.st_mode & 0o077 or status.st_uid != os.geteuid():
        raise NoKeyring(f"{path} must belong to you and be readable by you alone (chmod 600)")
    key = path.read_text().strip()
    if not key:
        raise NoKeyring(f"{path} is empty; delete it together with {home / FILE} to start afresh")
    return key


class SystemKeyring:
    """One item per secret in the keyring of the system, and one item that lists them."""

    def __init__(self, backend: KeyringBackend, service: str) -> None:
        kind = type(backend)
        if (kind.__module__, kind.__name__) not in ALLOWED:
            raise NoKeyring(f"{kind.__module__}.{kind.__name__} is not a keyring that keeps secrets safely")
        self._backend = backend
        self._service = service

    def __repr__(self) -> str:
        return f"the system's keyring ({type(self._backend).__module__})"

    def load(self, name: str) -> str | None:
        """The item of that name."""
        with _kept():
            return self._backend.get_password(self._service, name)

    def save(self, name: str, value: str) -> None:
        """Write the item, and its name."""
        with _kept():
            self._backend.set_password(self._service, name, value)
            self._list({*self.names(), name})

    def erase(self, name: str) -> None:
        """Remove the item, and its name."""
        with _kept():
            with contextlib.suppress(PasswordDeleteError):
                self._backend.delete_password(self._service, name)
            self._list({*self.names()} - {name})

    def names(self) -> tuple[str, ...]:
        """What the list says."""
        with _kept():
            return tuple(sorted((self._backend.get_password(self._service, f"{_INDEX}:") or "").split()))

    def _list(self, names: set[str]) -> None:
        self._backend.set_password(self._service, f"{_INDEX}:", " ".join(sorted(names)) or " ")


class EncryptedFile:
    """One file, Argon2 and AES-GCM. All secrets are one entry: opening it once costs half a second."""

    _entry: ClassVar[tuple[str, str]] = ("countersign", "secrets")

    def __init__(self, path: Path, key: str) -> None:
        if not key.strip():
            raise NoKeyring("the key of the encrypted file is empty")
        self._path = path
        self._key = key
        self._opened: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"the encrypted file {self._path}"

    def load(self, name: str) -> str | None:
        """The secret of that name."""
        return self._all().get(name)

    def save(self, name: str, value: str) -> None:
        """Add or replace a secret. The file is replaced as a whole: a crash leaves the old or the new."""
        with self._alone():
            self._replace({**self._read(), name: value})

    def erase(self, name: str) -> None:
        """Remove a secret."""
        with self._alone():
            kept = self._read()
            if kept.pop(name, None) is not None:
                self._replace(kept)

    def rekey(self, key: str) -> None:
        """Close the file with another key; a crash leaves the old or the new. Raises `NotKept`."""
        with self._alone():
            if not self._path.exists():
                raise NotKept(f"there is no {self._path}")
            kept, self._key = self._read(), key
            self._replace(kept)

    def names(self) -> tuple[str, ...]:
        """The names in the file."""
        return tuple(sorted(self._all()))

    def _all(self) -> dict[str, str]:
        if self._opened is None:
            self._opened = self._read()
        return self._opened

    def _read(self) -> dict[str, str]:
        if not self._path.exists():
            return {}
        try:
            content = _cryptfile(self._path, self._key).get_password(*self._entry) or ""
            return {str(name): str(value) for name, value in json.loads(content).items()}
        except (ValueError, TypeError, KeyError, configparser.Error) as error:  # so cryptfile reports damage
            raise WrongKey(f"{self._path} does not open with this key") from error
        except OSError as error:
            raise NotKept(f"{self._path} cannot be read: {error.strerror}") from error

    def _replace(self, kept: dict[str, str]) -> None:
        handle, temporary = tempfile.mkstemp(dir=self._path.parent, prefix=f"{FILE}.")  # made 0600
        os.close(handle)
        fresh = Path(temporary)
        try:
            _cryptfile(fresh, self._key).set_password(*self._entry, json.dumps(kept))
            with fresh.open("rb") as file:
                os.fsync(file.fileno())
            fresh.replace(self._path)
        except OSError as error:
            raise NotKept(f"{self._path} cannot be written: {error.strerror}") from error
        finally:
            fresh.unlink(missing_ok=True)
        self._opened = None  # the next reader proves that the file opens

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keep other processes of this home from writing meanwhile."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            lock = self._path.with_suffix(".lock").open("a")
        except OSError as error:
            raise NotKept(f"{self._path.parent} cannot be written: {error.strerror}") from error
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _cryptfile(path: Path, key: str) -> KeyringBackend:
    vault = CryptFileKeyring()
    vault.file_path = str(path)
    # Not through the property: that would derive the key twice more, to keep a reference that we do not need.
    vault._keyring_key = key
    return vault  # type: ignore[no-any-return]  # untyped library


def _system_keyrings() -> Iterator[KeyringBackend]:
    """The allowed keyrings that work on this machine. Configuration of the keyring library is not asked."""
    for module, name in ALLOWED:
        with contextlib.suppress(ImportError, RuntimeError, KeyringError):
            kind: type[KeyringBackend] = getattr(import_module(module), name)
            if kind.viable:
                yield kind()


@contextlib.contextmanager
def _kept() -> Iterator[None]:
    try:
        yield
    except KeyringError as error:
        raise NotKept("the system's keyring refuses: is it unlocked?") from error


def _create(path: Path, content: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)


def _checked(name: str) -> str:
    if not NAME.fullmatch(name):
        raise Invalid("a secret's name is made of a-z, 0-9, '_', '.' and '-'")
    return name
