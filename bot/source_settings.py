"""`[[sources]]` of `countersign.toml`: where documents are, whose they are, and how often we look."""

import re
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

from bot.schedule import Schedule
from knowledge.sources.base import within

ANSWERS = "answers"  # the folder in the home, and the source, of answers that owners have reviewed


def _web(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("must begin with https:// or http://")
    if parts.username or parts.password:
        raise ValueError("must not hold a name or a password; keep them with: countersign secrets set")
    return url


class SourceSettings(BaseModel):
    """What every source says of its documents, and when it is fetched again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")
    owner: str = ""
    audience: tuple[str, ...] = Field(default=("everyone",), min_length=1)
    regions: tuple[str, ...] = ()
    standing: Literal["policy", "reference"] = "policy"
    addresses: tuple[str, ...] = ()  # beginnings of those that its policies may call their own
    schedule: str = ""

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, text: str) -> str:
        if text:
            Schedule.parse(text)
        return text

    @field_validator("audience")
    @classmethod
    def _audience(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        if not all(name.strip() for name in names):
            raise ValueError("must name groups, or everyone")
        return names

    @field_validator("regions")
    @classmethod
    def _regions(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if not all(re.fullmatch(r"[A-Za-z]{2}", code) for code in codes):
            raise ValueError("must be two-letter country codes such as NL")
        return tuple(code.upper() for code in codes)

    @field_validator("addresses")
    @classmethod
    def _addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if not all(within(url, url) for url in urls):
            raise ValueError("must be https addresses, without a name or a password in them")
        return urls

    @field_validator("name")
    @classmethod
    def _free(cls, name: str) -> str:
        if name == ANSWERS:
            raise ValueError("is the name of the reviewed answers' own source")
        return name


class FolderSettings(SourceSettings):
    """A folder of this machine."""

    kind: Literal["folder"]
    path: Path

    @field_validator("path")
    @classmethod
    def _absolute(cls, path: Path) -> Path:
        path = path.expanduser()
        if not path.is_absolute():
            raise ValueError("must be a whole path, from / or ~")
        return path


class GitSettings(SourceSettings):
    """A branch of a Git repository."""

    kind: Literal["git"]
    url: str
    branch: str = Field(default="", pattern=r"^[\w./-]*$")
    folder: str = ""
    link: str = ""
    user: str = "x-access-token"

    @field_validator("url")
    @classmethod
    def _known(cls, url: str) -> str:
        if url.startswith(("https://", "http://")):
            return _web(url)
        if not re.match(r"(ssh|git|file)://|/|[\w.-]+@[\w.-]+:", url):
            raise ValueError("must be an https, http, ssh, git or file address, or a whole path")
        return url

    @field_validator("link")
    @classmethod
    def _template(cls, link: str) -> str:
        if link:
            _web(link)
            if "{path}" not in link or re.sub(r"\{(path|branch|commit)\}", "", link).count("{"):
                raise ValueError("must hold {path}, and may hold {branch} and {commit}")
        return link


class WebSettings(SourceSettings):
    """The pages of one web site that its sitemap lists."""

    kind: Literal["web"]
    url: str
    sitemap: str = ""
    exclude: tuple[str, ...] = ()
    delay: float = Field(default=1.0, ge=0, le=60)
    pages: int = Field(default=2000, ge=1, le=50_000)

    _url = field_validator("url")(_web)

    @field_validator("sitemap")
    @classmethod
    def _sitemap(cls, url: str) -> str:
        return _web(url) if url else ""


class ConfluenceSettings(SourceSettings):
    """The pages of one Confluence space, or those below one page of it."""

    kind: Literal["confluence"]
    url: str
    space: str = Field(pattern=r"^~?[\w.-]+$")
    page: str = Field(default="", pattern=r"^\d*$")
    user: str = ""
    product: Literal["cloud", "data-center"] = "cloud"

    _url = field_validator("url")(_web)


class SharePointSettings(SourceSettings):
    """The files of a SharePoint library or a OneDrive."""

    kind: Literal["sharepoint"]
    drive: str = Field(min_length=1)
    tenant: str = Field(pattern=r"^[\w.-]+$")
    client: str = Field(pattern=r"^[\w-]+$")
    folder: str = ""
    graph: str = "https://graph.microsoft.com/v1.0"
    login: str = "https://login.microsoftonline.com"

    _urls = field_validator("graph", "login")(_web)


AnySource = Annotated[
    FolderSettings | GitSettings | WebSettings | ConfluenceSettings | SharePointSettings,
    Field(discriminator="kind"),
]
