"""A process that gives up what it needs no more: the network, files, other processes, most of its memory.

On Linux (x86-64 and ARM64) the kernel refuses the calls themselves, by a seccomp filter that needs neither
privileges nor namespaces. Everywhere a limit of no more open files refuses every new file and socket.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import platform
import resource
import socket
import struct
import sys
from pathlib import Path

_SECCOMP = {"x86_64": 317, "aarch64": 277}  # the number of the call seccomp
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
_X32 = 0x40000000  # numbers from here on are calls of another kind on x86-64
# Refused: network; new files, and changes to them; new programs and processes, and looks into others; what
# would get round a filter (io_uring) or widen it (namespaces, keyrings, bpf).
_NETWORK = {
    "x86_64": (41, 42, 43, 44, 46, 49, 50, 53, 288, 307),
    "aarch64": (198, 199, 200, 201, 202, 203, 206, 211, 242, 269),
}
_FILES = {
    "x86_64": (
        *(2, 76, 77, 82, 83, 84, 85, 86, 87, 88, 90, 91, 92, 93, 94, 133, 257, 258, 259, 260, 263, 264),
        *(265, 266, 268, 303, 304, 316, 319, 437, 452),
    ),
    "aarch64": (33, 34, 35, 36, 37, 38, 45, 46, 52, 53, 54, 55, 56, 264, 265, 276, 279, 437, 452),
}
_PROCESSES = {
    "x86_64": (56, 57, 58, 59, 62, 101, 129, 310, 311, 322, 424, 434, 435, 438),
    "aarch64": (117, 129, 138, 220, 221, 270, 271, 281, 424, 434, 435, 438),
}
_REST = {
    "x86_64": (29, 155, 161, 165, 166, 240, 248, 249, 250, 272, 298, 308, 321, 323, 425, 426, 427),
    "aarch64": (39, 40, 41, 51, 97, 180, 194, 217, 218, 219, 241, 268, 280, 282, 425, 426, 427),
}
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # instructions of the kernel's filters
_ALLOW, _REFUSE, _KILL = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x80000000
_NO_NEW_PRIVS = 38
_FILTER, _ALL_THREADS = 1, 1


def confine(memory: int) -> None:
    """Give up everything but what is open already and `memory` more bytes. There is no way back."""
    _no_more(resource.RLIMIT_CORE, 0)
    _no_more(resource.RLIMIT_FSIZE, 0)
    taken = _address_space()
    if taken:
        _no_more(resource.RLIMIT_AS, taken + memory)
    with contextlib.suppress(OSError, AttributeError):  # where the platform has none of it: see `refusals`
        _filtered()
    _no_more(resource.RLIMIT_NOFILE, 0)


def missing() -> str:
    """Try what should be refused now; return what is not, as a phrase, or nothing."""
    found: list[str] = []
    try:
        socket.socket().close()
        found.append("the network")
    except OSError:
        pass
    try:
        os.close(os.open(sys.executable, os.O_RDONLY))
        found.append("files")
    except OSError:
        pass
    try:
        child = os.fork()
        if not child:
            os._exit(0)
        os.waitpid(child, 0)
        found.append("other programs")
    except OSError:
        pass
    return ", ".join(found)


def _no_more(kind: int, limit: int) -> None:
    with contextlib.suppress(ValueError, OSError):  # not every system bounds everything
        hard = resource.getrlimit(kind)[1]
        limit = limit if hard == resource.RLIM_INFINITY else min(limit, hard)
        resource.setrlimit(kind, (limit, limit))


def _address_space() -> int:
    """Return how many bytes of address space this process has; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    except (OSError, ValueError, IndexError):
        return 0


def _filtered() -> None:
    """Have the kernel refuse calls in this process, all its threads included. Raises OSError."""
    machine = platform.machine()
    if sys.platform != "linux" or machine not in _ARCH or sys.maxsize < 2**32:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    libc = ctypes.CDLL(None, use_errno=True)
    program = _program(machine)
    kept = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(kept))
    if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "no_new_privs")
    if libc.syscall(_SECCOMP[machine], _FILTER, _ALL_THREADS, ctypes.create_string_buffer(header)):
        raise OSError(ctypes.get_errno(), "seccomp")


def _program(machine: str) -> bytes:
    """Return the filter: another architecture's calls end the process, those of the lists are refused."""
    lists = (_NETWORK, _FILES, _PROCESSES, _REST)
    refused = sorted({number for one in lists for number in one[machine]})
    rows = [(_LOAD, 0, 0, 4), (_EQUAL, 1, 0, _ARCH[machine]), (_RETURN, 0, 0, _KILL), (_LOAD, 0, 0, 0)]
    if machine == "x86_64":
        rows += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for number in refused:
        rows += [(_EQUAL, 0, 1, number), (_RETURN, 0, 0, _REFUSE)]
    rows.append((_RETURN, 0, 0, _ALLOW))
    return b"".join(struct.pack("HBBI", *row) for row in rows)
