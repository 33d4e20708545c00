"""The process that `knowledge.sources.apart` starts: contents in, readings out, nothing else in reach."""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import pkgutil
import re
import resource
import signal
import struct
import sys
from dataclasses import asdict
from io import BytesIO
from typing import IO, Any

from knowledge.errors import Closed, Unreadable
from knowledge.sources import confined

_SIZE = struct.Struct(">Q")
_SAMPLE = "# Leave\n\nEverybody has **25 days** of [leave](a.md).\n\n| a | b |\n|---|---|\n| c | d |\n\n- e\n"
_UNUSED = re.compile(r"\.(?:__main__|tests?|cli|testing|diagnose|mbcs|oem)(?:\.|$)")
_LATE = ("encodings", "pypdf", "docx", "bs4", "markdown_it", "yaml")  # whose parts are imported when needed


def main() -> None:
    """Load the converters, give up everything else, and answer until nobody asks any more."""
    seconds, memory = int(sys.argv[1]), int(sys.argv[2])
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started us ends us
    asked, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # a library that prints must not answer
    try:
        _load()
    except OSError as error:  # such as a full disk
        _say(answers, {"failed": error.strerror or str(error)})
        return
    os.chdir("/")
    confined.confine(memory)
    _say(answers, {"missing": confined.missing()})
    _serve(asked, answers, seconds, memory)


def _load() -> None:
    """Import all that a converter may need, and use it once: later no file can be opened any more."""
    for name in _LATE:
        package = importlib.import_module(name)
        for part in pkgutil.walk_packages(package.__path__, f"{name}.", onerror=lambda _: None):
            if not _UNUSED.search(part.name):
                with contextlib.suppress(Exception):  # it needs a library that is not installed
                    importlib.import_module(part.name)
    import docx  # noqa: PLC0415 - loaded here, and not with this module
    import pypdf  # noqa: PLC0415 - likewise

    from knowledge.sources import formats, language  # noqa: PLC0415 - likewise

    word, pages = BytesIO(), BytesIO()
    opened = docx.Document()
    opened.add_heading("Leave")
    opened.add_table(rows=2, cols=2)
    opened.save(word)
    writer = pypdf.PdfWriter()
    writer.add_blank_page(width=72, height=72)
    writer.write(pages)
    for content, suffix in (
        (_SAMPLE.encode(), ".md"),
        (word.getvalue(), ".docx"),
        (pages.getvalue(), ".pdf"),
    ):
        with contextlib.suppress(Unreadable):
            formats.parsed(content, suffix)
    language.language_of(_SAMPLE * 5)


def _serve(asked: IO[bytes], answers: IO[bytes], seconds: int, memory: int) -> None:
    while size := asked.read(_SIZE.size):
        head = json.loads(asked.read(_SIZE.unpack(size)[0]))
        content = asked.read(head["size"])
        _bounded(seconds)
        found = _answer(content, head["suffix"], memory)
        _say(answers, found)
        if found.get("ends"):
            return


def _say(answers: IO[bytes], found: dict[str, Any]) -> None:
    said = json.dumps(found, default=_plain).encode()
    answers.write(_SIZE.pack(len(said)) + said)
    answers.flush()


def _plain(value: object) -> object:
    return sorted(value) if isinstance(value, frozenset) else str(value)


def _bounded(seconds: int) -> None:
    """Allow this much more computing; past it the kernel ends this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    wanted = int(used.ru_utime + used.ru_stime) + seconds
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_CPU, (allowed, hard))


def _answer(content: bytes, suffix: str, memory: int) -> dict[str, Any]:
    from knowledge.sources.formats import parsed  # noqa: PLC0415 - loaded by then

    try:
        terms, reading = parsed(content, suffix)
        blocks = [asdict(block) for block in reading.blocks]
    except Exception as error:
        if _is_full(error):
            return {"unreadable": f"it needs more than {memory // 2**20} MB of memory to read", "ends": True}
        return {"closed" if isinstance(error, Closed) else "unreadable": _reason(error)}
    return {"terms": asdict(terms), "reading": vars(reading) | {"blocks": blocks}}


def _is_full(error: BaseException | None) -> bool:
    """Tell whether it was memory that a converter, or a library below it, did not get."""
    while error is not None:
        if isinstance(error, MemoryError) or "memory alloc" in str(error).lower():
            return True
        error = error.__cause__ or error.__context__
    return False


def _reason(error: Exception) -> str:
    match error:
        case Unreadable():
            return str(error)
        case RecursionError():
            return "its parts are nested too deeply"
    said = " ".join(str(error).split())[:100] or type(error).__name__
    return f"it is not a sound file of its kind ({said})"
