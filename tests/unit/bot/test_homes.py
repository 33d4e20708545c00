"""A home is its owner's alone, and a key that could be guessed closes nothing."""

import logging
import os
import secrets
import stat
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot import cli, homes, strength
from bot.demo import home as demo
from bot.settings import SettingsError, load
from connectors.secrets import FILE, EncryptedFile, WrongKey, open_secrets

WEAK = {
    "three letters": "abc",
    "blank": "   ",
    "nineteen random characters": secrets.token_hex(10)[:19],
    "one character": "a" * 64,
    "the alphabet": "abcdefghijklmnopqrstuvwxyz",
    "the digits, again and again": "0123456789" * 4,
    "backwards": "zyxwvutsrqponmlkjihgfedcba",
    "a word, again and again": "countersign" * 4,
    "two words, again and again": "correct horse " * 3,
}
STRONG = {
    "what we make": strength.fresh(),
    "hexadecimal": secrets.token_hex(16),
    "digits": str(secrets.randbelow(9 * 10**47) + 10**47),
    "words": "correct horse battery staple orbit",
    "a sentence": "opens the file in which the bot keeps keys of its own",
}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("key", WEAK.values(), ids=WEAK)
def test_a_key_that_could_be_guessed_is_refused_and_the_sentence_says_how_to_make_one(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", key)
    with pytest.raises(SettingsError, match=r"too weak.*countersign secrets key") as refused:
        load(tmp_path)
    assert not key.strip() or key not in str(refused.value)


@pytest.mark.parametrize("key", STRONG.values(), ids=STRONG)
def test_a_key_that_cannot_be_guessed_is_taken(
    key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", key)
    assert load(tmp_path).secrets_key is not None


def test_no_key_that_we_make_is_weak() -> None:
    assert [key for key in (strength.fresh() for _ in range(2000)) if strength.weakness(key)] == []


def test_the_command_prints_a_good_key_and_nothing_else() -> None:
    first, second = (CliRunner().invoke(cli.app, ["secrets", "key"]) for _ in range(2))
    assert first.output.count("\n") == 1
    assert not strength.weakness(first.output)
    assert first.output != second.output


def test_a_file_with_a_weak_key_gets_another_one(tmp_path: Path) -> None:
    open_secrets(home=tmp_path, key="abc").set("directory_token", "kept")
    env, fresh = {"COUNTERSIGN_SECRETS_KEY": "abc"}, strength.fresh()
    where = ["--home", str(tmp_path)]
    assert CliRunner(env=env).invoke(cli.app, ["secrets", "list", *where]).exit_code == 2
    again = CliRunner(env=env).invoke(cli.app, ["secrets", "rekey", *where], input="abcabcabc\n")
    assert again.exit_code == 2
    assert "new key is too weak" in " ".join(again.output.split())
    done = CliRunner(env=env).invoke(cli.app, ["secrets", "rekey", *where], input=f"{fresh}\n")
    assert done.exit_code == 0, done.output
    assert fresh not in done.output
    assert open_secrets(home=tmp_path, key=fresh).get("directory_token") == "kept"
    with pytest.raises(WrongKey):
        EncryptedFile(tmp_path / FILE, "abc").load("directory_token")


@pytest.mark.parametrize("open_to", [0o755, 0o750, 0o711, 0o777, 0o701])
def test_a_home_that_is_open_to_others_is_closed_and_the_log_says_so(
    open_to: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(open_to)
    with caplog.at_level(logging.WARNING):
        load(home)
    assert mode(home) == 0o700
    (said,) = [record.message for record in caplog.records]
    assert f"{home} (mode {open_to:o})" in said
    assert "closed now" in said
    caplog.clear()
    load(home)
    assert caplog.records == []


def test_files_with_keys_are_closed(tmp_path: Path) -> None:
    open_secrets(home=tmp_path, key="a key").set("token", "kept")
    (tmp_path / FILE).chmod(0o644)
    (tmp_path / "countersign.toml").touch(mode=0o666)
    (tmp_path / "countersign.toml").chmod(0o666)
    assert len(homes.secure(tmp_path)) == 2
    assert mode(tmp_path / FILE) == 0o600
    assert mode(tmp_path / "countersign.toml") == 0o600


def test_a_folder_of_the_system_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o1777)
    with pytest.raises(SettingsError, match="a folder of its own"):
        load(shared)
    assert mode(shared) == 0o1777


def test_a_home_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 4321)
    with pytest.raises(SettingsError, match=r"belongs to .*Run as"):
        load(tmp_path)


def test_what_somebody_else_has_put_into_a_home_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planted = tmp_path / "countersign.toml"
    planted.touch()
    real = os.scandir

    class Entry:
        def __init__(self, entry: os.DirEntry[str]) -> None:
            self.name, self._entry = entry.name, entry

        def stat(self, *, follow_symlinks: bool) -> os.stat_result:
            values = list(self._entry.stat(follow_symlinks=follow_symlinks))
            values[stat.ST_UID] = 98765
            return os.stat_result(values)

    class Scan:
        def __init__(self, path: Path) -> None:
            self._entries = real(path)

        def __enter__(self) -> list[Entry]:
            return [Entry(entry) for entry in self._entries]

        def __exit__(self, *error: object) -> None:
            self._entries.close()

    monkeypatch.setattr(os, "scandir", Scan)
    with pytest.raises(SettingsError, match=r"countersign\.toml belongs to user 98765"):
        load(tmp_path)


def test_the_home_of_a_demo_is_closed_too(tmp_path: Path) -> None:
    home = tmp_path / "demo"
    home.mkdir()
    home.chmod(0o755)
    demo.mark(home)
    assert mode(home) == 0o700
    home.chmod(0o755)
    demo.mark(home)
    assert mode(home) == 0o700
