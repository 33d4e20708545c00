"""A branch of a Git repository, fetched with the `git` command: one commit deep, nothing checked out."""

from __future__ import annotations

import base64
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import quote, urlsplit

from knowledge.errors import Unreachable
from knowledge.sources.base import Problem, Token, no_token
from knowledge.sources.formats import KINDS
from knowledge.sources.mirror import Copy, Item, Keep
from knowledge.sources.opening import LARGEST

_PATIENCE = 600  # seconds for one git command
_TRANSPORTS = ("https", "http", "ssh", "git", "file")
_SAFE = (
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.askPass=true"),  # an unknown password is an error, not a question
    *("-c", "core.sshCommand=ssh -o BatchMode=yes"),
    *("-c", "http.followRedirects=initial"),
    *("-c", "protocol.allow=never"),
    *(word for name in _TRANSPORTS for word in ("-c", f"protocol.{name}.allow=always")),
    *("-c", "gc.auto=0"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class GitRepository:
    """`folder` of `branch` (by default the repository's own) at `url`.

    `link` is a document's public address with {branch}, {commit} and {path} in it; GitHub's and GitLab's are
    known. `token` is for a repository over https that asks for one; `user` is the name that goes with it.
    """

    url: str
    branch: str = ""
    folder: str = ""
    link: str = ""
    user: str = "x-access-token"
    token: Token = no_token

    @property
    def identity(self) -> str:
        """Repository, branch and folder."""
        return f"git {self.url} {self.branch} {self.folder}"

    def fetch(self, before: Copy, keep: Keep) -> Copy:
        """Return what the branch holds now. Raises Unreachable."""
        with _configured(self) as secret:
            git = _Git(keep.folder / "repository", secret)
            branch = self.branch or git.default_branch(self.url)
            commit = git.fetched(self.url, branch)
        items: list[Item] = []
        problems: list[Problem] = []
        earlier = {item.document: item for item in before.items}
        for blob in git.blobs(commit, self.folder):
            known = earlier.get(blob.document)
            same = known is not None and known.memo.get("blob") == blob.id and keep.holds(known)
            if blob.size > LARGEST:
                reason = f"it is larger than {LARGEST // 2**20} MB"
                problems.append(Problem(document=blob.document, reason=reason))
                continue
            # A document's version is the first commit in which it was seen as it is now.
            seen = known.memo["commit"] if known is not None and same else commit
            suffix = PurePosixPath(blob.path).suffix.lower()
            sha256 = known.sha256 if known is not None and same else keep.put(git.content(blob.id), suffix)
            items.append(
                Item(
                    document=blob.document,
                    sha256=sha256,
                    suffix=suffix,
                    url=self._address(blob.path, branch, seen),
                    version=seen[:12],
                    memo={"blob": blob.id, "commit": seen},
                )
            )
        git.tidy()
        return Copy(items=tuple(items), problems=tuple(problems), state=commit)

    def _address(self, path: str, branch: str, commit: str) -> str:
        link = self.link or _known_link(self.url)
        return link.format(branch=quote(branch), commit=commit, path=quote(path)) if link else ""


def _known_link(url: str) -> str:
    """Return where GitHub and GitLab show a file of this repository, or nothing for others."""
    place = re.fullmatch(r"(?:https?://|ssh://git@|git@)([\w.-]+)[/:]([\w./-]+?)(?:\.git)?/?", url)
    if not place:
        return ""
    host, path = place[1], place[2]
    if host == "github.com":
        return f"https://{host}/{path}/blob/{{branch}}/{{path}}"
    if host.split(".")[0] == "gitlab":
        return f"https://{host}/{path}/-/blob/{{branch}}/{{path}}"
    return ""


@dataclass(frozen=True, kw_only=True, slots=True)
class _Blob:
    id: str
    size: int
    path: str  # in the repository
    document: str  # in the folder


class _Git:
    """A bare repository of ours."""

    def __init__(self, place: Path, secret: Sequence[str]) -> None:
        self._place = place
        self._secret = tuple(secret)

    def default_branch(self, url: str) -> str:
        """Return the branch that the repository's HEAD is."""
        said = self._run("ls-remote", "--symref", "--", url, "HEAD").decode("utf-8", "replace")
        found = re.search(r"^ref: refs/heads/(\S+)\tHEAD$", said, re.MULTILINE)
        if not found:
            raise Unreachable("the repository has no default branch; name one with 'branch'")
        return found[1]

    def fetched(self, url: str, branch: str) -> str:
        """Fetch a branch's newest commit alone; return its id.

        What a killed git left behind must not stop the next one, so a second try begins afresh.
        """
        had = self._place.exists()
        try:
            return self._fetch(url, branch)
        except Unreachable:
            if not had:
                raise
            shutil.rmtree(self._place, ignore_errors=True)
            return self._fetch(url, branch)

    def _fetch(self, url: str, branch: str) -> str:
        if not (self._place / "HEAD").exists():
            self._run("init", "--quiet", "--bare", str(self._place))
        wanted = f"+refs/heads/{branch}:refs/heads/fetched"
        self._here("fetch", "--quiet", "--depth=1", "--no-tags", "--no-write-fetch-head", "--", url, wanted)
        return self._here("rev-parse", "--verify", "refs/heads/fetched^{commit}").decode().strip()

    def blobs(self, commit: str, folder: str) -> Iterator[_Blob]:
        """Yield the files of known kinds, in the order of their names; links and submodules are none."""
        inside = f"{folder.strip('/')}/" if folder.strip("/") else ""
        listed = self._here("ls-tree", "-r", "-z", "-l", "--full-tree", commit, *([inside] if inside else []))
        for row in listed.split(b"\0"):
            about, _, raw = row.partition(b"\t")
            path = raw.decode("utf-8", "replace")
            if not about.startswith(b"100") or not path.startswith(inside):
                continue
            parts = PurePosixPath(path.removeprefix(inside)).parts
            if PurePosixPath(path).suffix.lower() in KINDS and not any(
                part.startswith(".") for part in parts
            ):
                _, _, blob, size = about.decode().split()
                yield _Blob(id=blob, size=int(size), path=path, document=path.removeprefix(inside))

    def content(self, blob: str) -> bytes:
        """Return a file's bytes."""
        return self._here("cat-file", "blob", blob)

    def tidy(self) -> None:
        """Let go of what no fetched commit holds any more."""
        self._here("reflog", "expire", "--expire=now", "--all")
        self._here("prune", "--expire=now")

    def _here(self, *words: str) -> bytes:
        return self._run("--git-dir", str(self._place), *words)

    def _run(self, *words: str) -> bytes:
        command = ["git", *_SAFE, *self._secret, *words]
        try:
            # A session of its own has no terminal to ask at.
            done = subprocess.run(
                command,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                timeout=_PATIENCE,
                check=False,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            raise Unreachable("the git command is not installed on this machine") from error
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"git did not finish within {_PATIENCE // 60} minutes") from error
        if done.returncode:
            raise Unreachable(_complaint(done.stderr))
        return done.stdout


def _complaint(stderr: bytes) -> str:
    lines = [line.strip() for line in stderr.decode("utf-8", "replace").splitlines() if line.strip()]
    telling = [place for place, line in enumerate(lines) if line.startswith(("fatal:", "error:", "ssh:"))]
    if not lines:
        return "git failed without a word"
    first = telling[0] if telling else len(lines) - 1
    said = lines[first].partition(": ")[2] or lines[first]
    if said.endswith(":"):  # git goes on in the next line
        said = " ".join([said, *lines[first + 1 : first + 2]])
    return re.sub(r"://[^/@\s]+@", "://", said)[:200]


@contextmanager
def _configured(repository: GitRepository) -> Iterator[Sequence[str]]:
    """Hand the token to git in a file of our own: a command line can be read by every user."""
    place = urlsplit(repository.url)
    token = repository.token() if place.scheme in {"http", "https"} else ""
    if not token:
        yield ()
        return
    if place.scheme != "https" and place.hostname not in {"localhost", "127.0.0.1", "::1"}:
        raise Unreachable("a token is sent over https only; change the repository's url")
    basic = base64.b64encode(f"{repository.user}:{token}".encode()).decode()
    handle, name = tempfile.mkstemp(prefix="git-", suffix=".conf")  # made 0600
    try:
        with os.fdopen(handle, "w") as file:
            file.write(
                f'[http "{place.scheme}://{place.netloc}/"]\n\textraHeader = Authorization: Basic {basic}\n'
                "[http]\n\tfollowRedirects = false\n"
            )
        yield ("-c", f"include.path={name}")
    finally:
        Path(name).unlink(missing_ok=True)
