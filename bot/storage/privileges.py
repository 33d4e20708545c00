"""Run a program as an unprivileged user who may still walk through root's closed folders.

PostgreSQL refuses to run as root, and an ordinary user cannot reach a folder in root's own home. So the
program runs under another user and keeps exactly one capability, CAP_DAC_OVERRIDE. No folder is opened to
others. Linux keeps credentials per thread (capabilities(7), credentials(7)): a thread that lives only for
this arranges its own, and the program inherits them.
"""

import ctypes
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

# From linux/capability.h, linux/prctl.h and linux/securebits.h.
_CAP_DAC_OVERRIDE, _CAP_SETGID, _CAP_SETUID, _CAP_SETPCAP = 1, 6, 7, 8
_CAPABILITY_VERSION = 0x20080522
_GET_SECUREBITS, _SET_SECUREBITS, _NO_NEW_PRIVS = 27, 28, 38
_CAP_AMBIENT, _CAP_AMBIENT_RAISE = 47, 2
_NO_SETUID_FIXUP = 1 << 2


class CannotDropPrivileges(Exception):
    """This system does not let root run a program as another user with one capability."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Account:
    """The user and group that a program runs as."""

    uid: int
    gid: int


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Sets(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def run(
    command: Sequence[str],
    *,
    account: Account,
    environment: Mapping[str, str],
    text: str = "",
    pass_fds: Sequence[int] = (),
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a session of its own, as `account`; its errors come with its output.

    Raises CannotDropPrivileges, and OSError when the command cannot be started.
    """
    switch = os.geteuid() == 0 and account.uid != 0

    def start() -> subprocess.CompletedProcess[str]:
        if switch:
            _keep_one_capability()
        return subprocess.run(
            list(command),
            check=False,
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            cwd="/",
            env=dict(environment),
            pass_fds=tuple(pass_fds),
            start_new_session=True,
            user=account.uid if switch else None,
            group=account.gid if switch else None,
            extra_groups=[] if switch else None,
        )

    return _in_own_thread(start)


def _in_own_thread(
    work: Callable[[], subprocess.CompletedProcess[str]],
) -> subprocess.CompletedProcess[str]:
    results: list[subprocess.CompletedProcess[str]] = []
    errors: list[OSError | CannotDropPrivileges] = []

    def body() -> None:
        try:
            results.append(work())
        except (OSError, CannotDropPrivileges) as error:
            errors.append(error)

    thread = threading.Thread(target=body, name="unprivileged")
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _keep_one_capability() -> None:
    """Let a program started by this thread, as another user, hold CAP_DAC_OVERRIDE and nothing else."""
    if sys.platform != "linux":
        raise CannotDropPrivileges("only Linux can keep a single capability")
    libc = ctypes.CDLL(None, use_errno=True)
    header = _Header(_CAPABILITY_VERSION, 0)
    sets = (_Sets * 2)()
    _checked(libc.capget(ctypes.byref(header), sets), "capget")
    for capability in (_CAP_DAC_OVERRIDE, _CAP_SETGID, _CAP_SETUID, _CAP_SETPCAP):
        if not sets[0].permitted & (1 << capability):
            raise CannotDropPrivileges(f"capability {capability} is missing")
    # Without this, changing the user clears the capability, and access(2), by which PostgreSQL looks for
    # its own programs, disregards it.
    bits = libc.prctl(_GET_SECUREBITS, 0, 0, 0, 0)
    _checked(libc.prctl(_SET_SECUREBITS, bits | _NO_SETUID_FIXUP, 0, 0, 0), "securebits")
    sets[0].inheritable, sets[1].inheritable = 1 << _CAP_DAC_OVERRIDE, 0
    _checked(libc.capset(ctypes.byref(header), sets), "capset")
    _checked(libc.prctl(_CAP_AMBIENT, _CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0), "ambient")
    _checked(libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def _checked(result: int, what: str) -> None:
    if result != 0:
        raise CannotDropPrivileges(f"{what}: {os.strerror(ctypes.get_errno())}")
