"""The Countersign home is its owner's alone: what was open to others is closed, what is another's is refused.

The home holds keys, editions with documents for a few, the socket of the database and what people wrote.
"""

import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path

_OTHERS = 0o077  # what group and others may do
_SECRET = ("secrets.crypt", "secrets.key", "countersign.toml")  # files of the home that may hold a password


class HomeRefused(Exception):
    """The home cannot be used. The sentence says why, and what to do about it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Flaw:
    """One thing about a home that lets others in. `path` can be closed; where it is None, a person has to."""

    said: str
    mend: str
    path: Path | None = None


def flaws(home: Path) -> tuple[Flaw, ...]:
    """Say what of this home is open to others. Nothing is changed. A home that is not there has no flaw."""
    try:
        found = home.stat()
    except FileNotFoundError:
        return ()
    except OSError as error:
        return (Flaw(said=f"{home} cannot be looked at: {error.strerror}", mend="Choose another home."),)
    if not stat.S_ISDIR(found.st_mode):
        return (Flaw(said=f"{home} is not a folder", mend="Choose another home: --home DIR"),)
    if os.geteuid() not in {0, found.st_uid}:
        return (
            Flaw(
                said=f"{home} belongs to {_name(found.st_uid)}, who can read and change all that is in it",
                mend=f"Run as {_name(found.st_uid)}, or choose another home: --home DIR",
            ),
        )
    return (*_folder(home, found), *_planted(home, found.st_uid), *_files(home))


def secure(home: Path) -> tuple[str, ...]:
    """Close what of this home is open to others, and say what was done. Raises HomeRefused."""
    done = []
    for flaw in flaws(home):
        if flaw.path is None:
            raise HomeRefused(f"{flaw.said}. {flaw.mend}")
        mode = stat.S_IMODE(flaw.path.stat().st_mode) & ~_OTHERS
        try:
            flaw.path.chmod(mode)
        except OSError as error:
            raise HomeRefused(f"{flaw.said}, and cannot be closed: {error.strerror}. {flaw.mend}") from error
        done.append(f"{flaw.said}. It is closed now (mode {mode:o}): only its owner may read it.")
    return tuple(done)


def _folder(home: Path, found: os.stat_result) -> tuple[Flaw, ...]:
    mode = stat.S_IMODE(found.st_mode)
    if not mode & _OTHERS:
        return ()
    if mode & stat.S_ISVTX or len(home.resolve().parts) < 3 or home.resolve() == _users_folder():
        return (
            Flaw(
                said=f"{home} is a folder for other things too, and others may look into it (mode {mode:o})",
                mend="Give Countersign a folder of its own: --home DIR",
            ),
        )
    what = "change" if mode & 0o022 else "look into"
    return (
        Flaw(
            said=f"Others on this machine could {what} {home} (mode {mode:o})",
            mend=f"chmod 700 {home}",
            path=home,
        ),
    )


def _planted(home: Path, owner: int) -> tuple[Flaw, ...]:
    """What somebody else has put into the home while it was open."""
    with os.scandir(home) as entries:
        found = {entry.name: entry.stat(follow_symlinks=False).st_uid for entry in entries}
    others = sorted(name for name, uid in found.items() if uid not in {owner, 0, os.geteuid()})
    if not others:
        return ()
    named, whose = home / others[0], _name(found[others[0]])
    return (
        Flaw(
            said=f"{named} belongs to {whose}, not to the owner of the home",
            mend=f"Look at it, and remove it or make it yours: chown {_name(owner)} {named}",
        ),
    )


def _files(home: Path) -> tuple[Flaw, ...]:
    found = []
    for name in _SECRET:
        path = home / name
        if not path.is_file() or path.is_symlink():
            continue
        mode = stat.S_IMODE(path.stat().st_mode)
        if mode & 0o022 or (mode & _OTHERS and name != "countersign.toml"):
            found.append(
                Flaw(
                    said=f"Others on this machine could use {path} (mode {mode:o})",
                    mend=f"chmod 600 {path}",
                    path=path,
                )
            )
    return tuple(found)


def _users_folder() -> Path:
    """The folder in which whoever runs this keeps everything; to close it would do harm elsewhere."""
    try:
        return Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()
    except KeyError:
        return Path("/")


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
