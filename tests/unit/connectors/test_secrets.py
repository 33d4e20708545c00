"""Secrets are kept where they are safe, read back, and never shown."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from keyring.backend import KeyringBackend
from keyring.backends import chainer, fail, null
from keyring.errors import KeyringLocked, PasswordDeleteError
from keyrings.cryptfile.cryptfile import CryptFileKeyring
from keyrings.cryptfile.file import EncryptedKeyring, PlaintextKeyring

from connectors import secrets
from connectors.errors import ConnectorError, Invalid
from connectors.secrets import (
    EncryptedFile,
    NoKeyring,
    NotKept,
    Secrets,
    SystemKeyring,
    WrongKey,
    demo_key,
    open_secrets,
)

VALUE = "xoxb-hunter2-" + "s" * 40


@pytest.fixture
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Deriving a key costs half a second by design; here it would only slow the tests."""
    monkeypatch.setattr(CryptFileKeyring, "time_cost", 1)
    monkeypatch.setattr(CryptFileKeyring, "memory_cost", 64)


class Memory(KeyringBackend):
    """A keyring as a desktop has it, in memory."""

    priority = 1  # type: ignore[assignment]  # a property of the class in keyring

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[tuple[str, str], str] = {}
        self.reads = 0

    def get_password(self, service: str, username: str) -> str | None:
        self.reads += 1
        return self.items.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.items[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        try:
            del self.items[service, username]
        except KeyError:
            raise PasswordDeleteError from None


class Forgetful(Memory):
    def set_password(self, service: str, username: str, password: str) -> None:
        pass


class Clinging(Memory):
    def delete_password(self, service: str, username: str) -> None:
        raise PasswordDeleteError


class Locked(Memory):
    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("locked")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("locked")


def desktop(kind: type[Memory] = Memory) -> SystemKeyring:
    """Under the name of an allowed backend."""
    allowed = type("Keyring", (kind,), {"__module__": "keyring.backends.SecretService"})
    return SystemKeyring(allowed(), "countersign")


def encrypted(home: Path, key: str = "a key") -> EncryptedFile:
    return EncryptedFile(home / secrets.FILE, key)


@pytest.fixture(params=["keyring", "file"])
def reopen(request: pytest.FixtureRequest, tmp_path: Path, cheap: None) -> Callable[[], Secrets]:
    """Opens the same secrets afresh at every call."""
    if request.param == "file":
        return lambda: Secrets(encrypted(tmp_path))
    vault = desktop()
    return lambda: Secrets(vault)


def test_what_was_set_is_there_after_a_restart(reopen: Callable[[], Secrets]) -> None:
    reopen().set("slack.bot_token", VALUE)
    reopen().set("directory.token", "another\nwith a line and ünïcode %(x)s")

    assert reopen().get("slack.bot_token") == VALUE
    assert reopen().get("directory.token") == "another\nwith a line and ünïcode %(x)s"
    assert reopen().get("missing") is None
    assert reopen().names() == ("directory.token", "slack.bot_token")


def test_a_secret_can_be_replaced_and_deleted(reopen: Callable[[], Secrets]) -> None:
    kept = reopen()
    kept.set("token", "first")
    assert kept.get("token") == "first"
    kept.set("token", "second")
    assert kept.get("token") == "second"
    kept.delete("token")
    kept.delete("token")

    assert kept.get("token") is None
    assert reopen().get("token") is None
    assert reopen().names() == ()


def test_a_secret_is_read_once() -> None:
    vault = desktop()
    Secrets(vault).set("token", VALUE)
    opened = Secrets(vault)
    opened.get("token")
    reads = vault._backend.reads  # type: ignore[attr-defined]  # the fake counts

    assert opened.get("token") == VALUE
    assert vault._backend.reads == reads  # type: ignore[attr-defined]


def test_no_value_and_no_key_is_ever_shown(reopen: Callable[[], Secrets], tmp_path: Path) -> None:
    opened = reopen()
    opened.set("token", VALUE)
    shown = f"{opened!r} {opened} {encrypted(tmp_path, 'the-key-itself')!r}"

    assert VALUE not in shown
    assert "the-key-itself" not in shown
    for path in tmp_path.iterdir():
        assert VALUE.encode() not in path.read_bytes()


def test_odd_names_and_empty_values_are_invalid(reopen: Callable[[], Secrets]) -> None:
    opened = reopen()
    for name in ("", "Names", "../x", "names:", "a" * 65, "a b"):
        for call in (opened.get, opened.delete, lambda odd: opened.set(odd, "x")):
            with pytest.raises(Invalid):
                call(name)
    for value in ("", "  \n"):
        with pytest.raises(Invalid):
            opened.set("token", value)


@pytest.mark.parametrize(
    "backend",
    [fail.Keyring, null.Keyring, chainer.ChainerBackend, PlaintextKeyring, EncryptedKeyring, Memory],
)
def test_a_backend_that_is_not_allowed_is_refused(backend: Any) -> None:
    with pytest.raises(NoKeyring, match="not a keyring that keeps secrets safely"):
        SystemKeyring(backend(), "countersign")


def test_a_keyring_that_forgets_clings_or_refuses_is_found_out() -> None:
    with pytest.raises(NotKept, match="did not keep token"):
        Secrets(desktop(Forgetful)).set("token", VALUE)
    clinging = Secrets(desktop(Clinging))
    clinging.set("token", VALUE)
    with pytest.raises(NotKept, match="did not forget token"):
        clinging.delete("token")
    locked = Secrets(desktop(Locked))
    for call in (lambda: locked.get("token"), lambda: locked.set("token", VALUE), locked.names):
        with pytest.raises(NotKept, match="unlocked"):
            call()


def test_without_a_keyring_and_without_a_key_the_way_out_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        secrets, "ALLOWED", (("keyring.backends.fail", "Keyring"), ("no.such.module", "Keyring"))
    )
    monkeypatch.setattr(fail.Keyring, "viable", False)
    with pytest.raises(NoKeyring, match="COUNTERSIGN_SECRETS_KEY"):
        open_secrets(home=tmp_path)


# The encrypted file.


def test_the_real_cost_of_a_key_and_its_file(tmp_path: Path) -> None:
    opened = open_secrets(home=tmp_path / "home", key="a key")
    opened.set("token", VALUE)

    assert open_secrets(home=tmp_path / "home", key="a key").get("token") == VALUE
    assert (tmp_path / "home" / secrets.FILE).stat().st_mode & 0o077 == 0
    assert (tmp_path / "home").stat().st_mode & 0o077 == 0


def test_a_wrong_key_opens_nothing_and_destroys_nothing(tmp_path: Path, cheap: None) -> None:
    Secrets(encrypted(tmp_path)).set("token", VALUE)
    wrong = Secrets(encrypted(tmp_path, "another key"))

    for call in (
        lambda: wrong.get("token"),
        lambda: wrong.set("more", "x"),
        lambda: wrong.delete("token"),
        wrong.names,
    ):
        with pytest.raises(WrongKey):
            call()
    assert Secrets(encrypted(tmp_path)).get("token") == VALUE


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[: len(content) // 2],
        lambda content: b"not an ini file",
        lambda content: content.replace(b"eyJ", b"eyK"),
        lambda content: b"\xff\xfe" + content,
        lambda content: content.replace(b"[countersign]", b"[other]"),
    ],
    ids=["empty", "cut", "something else", "altered", "not text", "renamed"],
)
def test_a_damaged_file_is_named_and_not_overwritten(
    tmp_path: Path, cheap: None, damage: Callable[[bytes], bytes]
) -> None:
    Secrets(encrypted(tmp_path)).set("token", VALUE)
    path = tmp_path / secrets.FILE
    damaged = damage(path.read_bytes())
    path.write_bytes(damaged)

    with pytest.raises(WrongKey, match=secrets.FILE):
        Secrets(encrypted(tmp_path)).get("token")
    with pytest.raises(WrongKey):
        Secrets(encrypted(tmp_path)).set("token", "new")
    assert path.read_bytes() == damaged


def test_an_interrupted_write_leaves_the_old_file(
    tmp_path: Path, cheap: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    Secrets(encrypted(tmp_path)).set("token", VALUE)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(NotKept, match="No space left on device"):
        Secrets(encrypted(tmp_path)).set("token", "new")
    monkeypatch.undo()

    assert sorted(path.name for path in tmp_path.iterdir()) == ["secrets.crypt", "secrets.lock"]


def test_writers_at_once_lose_nothing(tmp_path: Path, cheap: None) -> None:
    def write(number: int) -> None:  # each with the file open for itself, as processes have
        Secrets(encrypted(tmp_path)).set(f"token.{number}", f"value {number}")

    with ThreadPoolExecutor(6) as writers:
        list(writers.map(write, range(6)))

    assert Secrets(encrypted(tmp_path)).names() == tuple(f"token.{number}" for number in range(6))


def test_an_empty_key_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoKeyring):
        open_secrets(home=tmp_path, key=" ")


# The key of a demo home.


def test_a_demo_home_makes_its_key_once_for_its_owner_alone(tmp_path: Path) -> None:
    home = tmp_path / "home"
    key = demo_key(home)

    assert demo_key(home) == key
    assert len(key) >= 40
    assert demo_key(tmp_path / "other") != key
    assert (home / secrets.KEY_FILE).stat().st_mode & 0o777 == 0o600


def test_a_key_file_that_others_may_read_or_that_is_empty_is_refused(tmp_path: Path) -> None:
    demo_key(tmp_path)
    path = tmp_path / secrets.KEY_FILE
    path.chmod(0o644)
    with pytest.raises(NoKeyring, match="chmod 600"):
        demo_key(tmp_path)
    path.chmod(0o600)
    path.write_text("")
    with pytest.raises(NoKeyring, match="empty"):
        demo_key(tmp_path)


def test_the_errors_are_connector_errors() -> None:
    assert all(issubclass(kind, ConnectorError) for kind in (NoKeyring, WrongKey, NotKept))
