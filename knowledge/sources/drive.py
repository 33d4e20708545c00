"""A document library of SharePoint, or a OneDrive, over Microsoft Graph."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote, urlsplit

import httpx

from knowledge.errors import Unreachable
from knowledge.sources.base import Problem, Token, no_token
from knowledge.sources.fetching import AGENT, Host, Refused
from knowledge.sources.formats import KINDS
from knowledge.sources.mirror import Copy, Item, Keep
from knowledge.sources.opening import LARGEST

_ITEMS = 200_000  # listed; more is a loop
_SCOPE = "https://graph.microsoft.com/.default"


@dataclass(frozen=True, kw_only=True, slots=True)
class _File:
    id: str
    path: str
    size: int
    stamp: str  # changes with the content
    modified: str
    address: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Drive:
    """The files below `folder` of the drive with that id. `token` is the secret of the app `client`."""

    drive: str
    tenant: str
    client: str
    folder: str = ""
    graph: str = "https://graph.microsoft.com/v1.0"
    login: str = "https://login.microsoftonline.com"
    token: Token = no_token

    @property
    def identity(self) -> str:
        """Drive and folder."""
        return f"sharepoint {self.graph} {self.drive} {self.folder}"

    def fetch(self, before: Copy, keep: Keep) -> Copy:
        """Return what the drive holds now; only files that changed are fetched. Raises Unreachable."""
        earlier = {item.memo["id"]: item for item in before.items}
        items: list[Item] = []
        problems: list[Problem] = []
        headers = {"Authorization": f"Bearer {self._access()}"}
        with Host(self.graph, headers=headers) as host:
            for file in self._files(list(self._listed(host))):
                suffix = PurePosixPath(file.path).suffix.lower()
                known = earlier.get(file.id)
                try:
                    same = known is not None and known.memo["stamp"] == file.stamp and keep.holds(known)
                    sha256 = known.sha256 if known and same else keep.put(self._content(host, file), suffix)
                except Refused as error:
                    problems.append(Problem(document=file.path, reason=str(error)))
                    continue
                items.append(
                    Item(
                        document=file.path,
                        sha256=sha256,
                        suffix=suffix,
                        url=file.address,
                        version=file.modified,
                        memo={"id": file.id, "stamp": file.stamp},
                    )
                )
        return Copy(items=tuple(items), problems=tuple(problems))

    def _access(self) -> str:
        """Return an access token for the app itself."""
        secret = self.token()
        if not secret:
            raise Unreachable("the secret of its app is missing; keep it with: countersign secrets set")
        asked = {
            "grant_type": "client_credentials",
            "client_id": self.client,
            "client_secret": secret,
            "scope": _SCOPE,
        }
        url = f"{self.login}/{quote(self.tenant)}/oauth2/v2.0/token"
        try:
            answer = httpx.post(url, data=asked, headers={"User-Agent": AGENT}, timeout=30, trust_env=False)
            token = answer.json()["access_token"] if answer.status_code == 200 else None
        except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
            raise Unreachable(f"{self.login} gives no access token ({type(error).__name__})") from error
        if not isinstance(token, str):
            raise Unreachable(f"{self.login} refuses the app's secret ({answer.status_code})")
        return token

    def _listed(self, host: Host) -> Iterator[dict[str, Any]]:
        """Yield every item: a listing of changes alone says nothing of files below a renamed folder."""
        address: str | None = f"{self.graph}/drives/{quote(self.drive)}/root/delta"
        count = 0
        while address and count < _ITEMS:
            try:
                found = json.loads(host.get(address).content or b"")
                rows = list(found["value"])
            except Refused as error:
                raise Unreachable(f"the drive cannot be listed: {error}") from error
            except (ValueError, KeyError, TypeError) as error:
                raise Unreachable(f"{self.graph} does not answer as Microsoft Graph does") from error
            count += len(rows)
            yield from rows
            address = found.get("@odata.nextLink")

    def _files(self, rows: list[dict[str, Any]]) -> Iterator[_File]:
        """Yield the files of known kinds below the folder, by their paths; the last word on an item holds."""
        known = {str(row.get("id")): row for row in rows}
        inside = f"{self.folder.strip('/')}/" if self.folder.strip("/") else ""
        for name, row in known.items():
            path = _path(known, name)
            if "file" not in row or "deleted" in row or not path or not path.startswith(inside):
                continue
            if PurePosixPath(path).suffix.lower() in KINDS:
                yield _File(
                    id=name,
                    path=path.removeprefix(inside),
                    size=int(row.get("size") or 0),
                    stamp=str(row.get("cTag") or row.get("eTag") or row.get("lastModifiedDateTime")),
                    modified=str(row.get("lastModifiedDateTime") or ""),
                    address=str(row.get("webUrl") or ""),
                )

    def _content(self, host: Host, file: _File) -> bytes:
        """Fetch a file from where Graph sends us: a passing address of its own, which gets no credential."""
        if file.size > LARGEST:
            raise Refused(f"it is larger than {LARGEST // 2**20} MB")
        asked = f"{self.graph}/drives/{quote(self.drive)}/items/{quote(file.id)}/content"
        answer = host.get(asked, follow=False)
        if answer.content is not None:
            return answer.content
        target = answer.headers.get("location", "")
        if urlsplit(target).scheme != urlsplit(self.graph).scheme:
            raise Refused("the server sends us to an address that is not safe")
        with Host(target) as files:
            return files.get(target).content or b""


def _path(known: dict[str, dict[str, Any]], name: str) -> str:
    """Return an item's path from the root, or nothing where a folder above it is missing or gone."""
    parts: list[str] = []
    row = known.get(name)
    while row is not None and len(parts) < 100:
        if "root" in row:
            return "/".join(reversed(parts))
        if "deleted" in row:
            return ""
        parts.append(str(row.get("name") or "").replace("/", "_"))
        row = known.get(str((row.get("parentReference") or {}).get("id")))
    return ""
