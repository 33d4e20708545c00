"""The process that reads files reaches nothing, and no file makes it take more than it may."""

import contextlib
import io
import itertools
import os
import platform
import resource
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import docx
import pytest

from knowledge.errors import ReaderUnavailable, Unreadable
from knowledge.sentences import split
from knowledge.sources import apart, confined, formats, html
from knowledge.sources.apart import Apart

LINUX = sys.platform == "linux" and platform.machine() in {"x86_64", "aarch64"}
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def reading() -> Iterator[Apart]:
    quick = Apart(seconds=4, memory=300 * 2**20)
    yield quick
    quick.close()


def inherited(folder: Path) -> list[str]:
    """Return what the process that reads files has of ours, or without a bound, that it must not have."""
    (folder / "a.md").write_text("# T\n\nHello.\n")
    own = Apart()
    with pytest.MonkeyPatch.context() as patch, (folder / "a.md").open() as held:
        patch.setenv("COUNTERSIGN_SECRETS_KEY", "the-key-of-all-secrets")
        patch.setenv("SLACK_BOT_TOKEN", "xoxb-canary-token")
        os.set_inheritable(held.fileno(), True)
        own.read(folder / "a.md")
        assert own._child is not None
        process = Path(f"/proc/{own._child.pid}")
        files = {str(one.readlink()) for one in process.joinpath("fd").iterdir()}
        status = process.joinpath("status").read_text()
        is_without = {
            "environment": process.joinpath("environ").read_bytes() == b"",
            "files": all(one.startswith("pipe:") or one == "/dev/null" for one in files),
            "privileges": "NoNewPrivs:\t1" in status,
            "calls": "Seccomp:\t2" in status,
            "memory": 0 < resource.prlimit(own._child.pid, resource.RLIMIT_AS)[0] < 2**33,
            "disk": resource.prlimit(own._child.pid, resource.RLIMIT_FSIZE)[0] == 0,
        }
    own.close()
    return [name for name, without in is_without.items() if not without]


@pytest.mark.skipif(not LINUX, reason="what a process has is asked of Linux")
def test_the_process_inherits_no_environment_and_no_open_file(tmp_path: Path) -> None:
    assert inherited(tmp_path) == []


def test_it_says_whether_it_is_confined() -> None:
    confined_here, said = apart.confinement()
    assert confined_here or not LINUX
    assert said.startswith("confined:" if confined_here else "not confined:")


def test_without_limits_of_the_platform_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Apart, "missing", lambda self: "the network, files")
    assert apart.confinement() == (
        False,
        "not confined: the process that reads files could still reach the network, files",
    )


PROBE = """
import errno, os, socket, sys
from knowledge.sources import confined
{before}
confined.confine(2**28)
def refused(call):
    try:
        call()
    except OSError as error:
        return error.errno in (errno.EPERM, errno.EMFILE)
    return False
tries = {{
    "inet": lambda: socket.socket(socket.AF_INET),
    "unix": lambda: socket.socket(socket.AF_UNIX),
    "netlink": lambda: socket.socket(socket.AF_NETLINK),
    "pair": socket.socketpair,
    "open": lambda: os.open(sys.executable, os.O_RDONLY),
    "write": lambda: os.open("/tmp/probe", os.O_WRONLY | os.O_CREAT),
    "environ": lambda: open(f"/proc/{{os.getppid()}}/environ"),
    "fork": os.fork,
    "exec": lambda: os.execv(sys.executable, [sys.executable, "-c", ""]),
    "kill": lambda: os.kill(os.getppid(), 0),
    "unlink": lambda: os.unlink("/tmp/probe"),
    "mkdir": lambda: os.mkdir("/tmp/probe"),
    "link": lambda: os.symlink("/", "/tmp/probe"),
}}
print(len(tries), *[name for name, call in tries.items() if not refused(call)])
"""
BEFORE = ("", "confined._no_more = lambda kind, limit: None")  # also without the limit of open files


def reached(before: str) -> tuple[int, list[str]]:
    """Return how much a confined process tried, and what of it was not refused."""
    done = subprocess.run(
        [sys.executable, "-c", PROBE.format(before=before)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    tried, *names = done.stdout.split()
    return int(tried), names


@pytest.mark.skipif(not LINUX, reason="the kernel's filter is Linux's")
@pytest.mark.parametrize("before", BEFORE)
def test_the_kernel_refuses_network_files_and_programs(before: str) -> None:
    """Also by the filter alone, without the limit of open files."""
    assert reached(before) == (13, [])


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_ends_with_what_is_allowed_and_knows_one_architecture(machine: str) -> None:
    program = confined._program(machine)
    rows = [program[place : place + 8] for place in range(0, len(program), 8)]
    assert len(program) % 8 == 0
    assert len(rows) < 4096  # the kernel's limit
    assert rows[1][4:] == confined._ARCH[machine].to_bytes(4, "little")
    assert rows[2][4:] == confined._KILL.to_bytes(4, "little")
    assert rows[-1][4:] == confined._ALLOW.to_bytes(4, "little")


def test_a_process_that_does_not_start_takes_no_document_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.md").write_text("# T\n\nHello.\n")
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(ReaderUnavailable, match="does not start"):
        Apart().read(tmp_path / "a.md")


def word(body: str, *, more: bytes = b"", name: str = "word/media/more.bin") -> bytes:
    """Return a Word document with this XML in its body."""
    blank, made = io.BytesIO(), io.BytesIO()
    docx.Document().save(blank)
    with zipfile.ZipFile(blank) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            content = old.read(entry)
            if entry == "word/document.xml":
                content = content.replace(b"<w:body>", b"<w:body>" + body.encode())
            new.writestr(entry, content)
        if more:
            new.writestr(name, more)
    return made.getvalue()


LETTERS = "abcdefghijklmnopqrstu"


def grown(line: str) -> str:
    """Lines of which each refers to the one before it many times."""
    return "".join(line.format(own=own, before=before) for before, own in itertools.pairwise(LETTERS))


ENTITY = "<!ENTITY {own} '" + "&{before};" * 10 + "'>"
ENTITIES = f"<!DOCTYPE a [<!ENTITY a 'aaaa'>{grown(ENTITY)}]>"
LISTS = f"---\na: &a [x, x]\n{grown('{own}: &{own} [' + '*{before}, ' * 9 + ']' + chr(10))}---\nText.\n"
MERGED = grown("{own}: &{own} {{<<: [" + ", ".join(["*{before}"] * 9) + "]}}\n")
HAS = "".join(f":has(:has(div ~ div)) p{number} ~ p{{color:red}}" for number in range(300))
BOMBS: dict[str, Callable[[], bytes]] = {
    "paragraphs.docx": lambda: word("<w:p/>" * 4_000_000),
    "large.docx": lambda: word("", more=b" " * 60_000_000, name="word/more.xml"),
    "media.docx": lambda: word("", more=b"\0" * 210_000_000),
    "deep.docx": lambda: word("<w:sdt><w:sdtContent>" * 100_000),
    "elements.html": lambda: b"<b><i>" * 500_000,
    "entities.html": f"{ENTITIES}<p>&u;</p>".encode,
    "lists.md": LISTS.encode,
    "merged.md": f"---\na: &a {{x: 1}}\n{MERGED}---\nText.\n".encode,
    "quotes.md": lambda: b"> " * 100_000,
    "words.md": lambda: b"a " * 11_000_000,
    "has.html": f"<style>{HAS}</style>{'<div><p></p></div>' * 2000}".encode,
}


def is_bounded(reading: Apart, name: str) -> None:
    """Assert that a file is read as far as it may be, or refused in time, and that the next one is read."""
    bomb, began = BOMBS[name](), time.monotonic()
    with contextlib.suppress(Unreadable):
        _, found = reading.parsed(bomb, Path(name).suffix)
        assert sum(len(block.text) for block in found.blocks) <= formats.LONGEST
    assert time.monotonic() - began < 2 * apart.PATIENCE * reading._seconds
    assert [block.text for block in reading.parsed(b"Next.", ".md")[1].blocks] == ["Next."]


@pytest.mark.parametrize("name", BOMBS)
def test_no_file_takes_more_than_it_may_and_the_next_one_is_read(reading: Apart, name: str) -> None:
    is_bounded(reading, name)


SHEETS = ("@", "{", "}", "@a{", "a{", "@a{b{", "/*", "a{}", "@media x{a{b}", ";", "@;", "a,", "*/", "\\")
PARAGRAPHS = ("...", "!?", "a. ", "A. B. ", "(a. ", "e.g. ", '."', "x", " ")


def is_sheet_read_in_time(piece: str) -> None:
    """Assert that a style sheet of this piece, again and again, takes no minutes."""
    html._rules(piece * (20_000 // len(piece)))
    started = time.process_time()
    html._rules(piece * (400_000 // len(piece)))
    assert time.process_time() - started < 2.0  # of computing: it was minutes


def is_paragraph_cut_in_time(piece: str) -> None:
    """Assert the same of a paragraph that is cut into sentences."""
    started = time.process_time()
    assert "".join(split(piece * (60_000 // len(piece)))).strip() or not piece.strip()
    assert time.process_time() - started < 5.0  # of computing: it was minutes


@pytest.mark.parametrize("piece", SHEETS)
def test_a_style_sheet_is_read_in_the_time_that_its_length_takes(piece: str) -> None:
    is_sheet_read_in_time(piece)


@pytest.mark.parametrize("piece", PARAGRAPHS)
def test_a_paragraph_is_cut_in_the_time_that_its_length_takes(piece: str) -> None:
    is_paragraph_cut_in_time(piece)


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        ("a{color:red}", [("a", "color:red")]),
        ("/* a{ */ b { c:d } /* open", [("b", " c:d ")]),
        ("@import 'x'; a{b:c}", [("a", "b:c")]),
        ("@media print{a{b:c}} d{e:f}", [("d", "e:f")]),
        ("@supports (a){@media b{c{d:e}}f{g:h}}i{j:k}", [("i", "j:k")]),
        ("@font-face{a:b}c{d:e}", [("c", "d:e")]),
        ("} a{b:c}", [("a", "b:c")]),
        ("a{b:c", []),
    ],
)
def test_rules_that_hold_without_a_condition_are_taken(sheet: str, expected: list[tuple[str, str]]) -> None:
    assert html._rules(sheet) == expected
