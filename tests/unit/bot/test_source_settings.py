"""`[[sources]]`: what is understood, and what is refused by a sentence that names the key."""

from pathlib import Path

import pytest

from bot import credentials
from bot.settings import Settings, SettingsError, load
from bot.source_settings import ConfluenceSettings, FolderSettings, GitSettings, WebSettings
from bot.sources import configured
from connectors.secrets import open_secrets

WHOLE = """
[[sources]]
name = "handbook"
kind = "git"
url = "https://git.larkfield.example/handbook.git"
branch = "main"
folder = "docs"
link = "https://git.larkfield.example/handbook/src/{branch}/{path}"
owner = "people@larkfield.example"
audience = ["employees"]
regions = ["nl", "CA"]
schedule = "1h"

[[sources]]
name = "intranet"
kind = "web"
url = "https://intranet.larkfield.example/policies/"
exclude = ["/policies/drafts"]
schedule = "daily 03:00 Europe/Amsterdam"

[[sources]]
name = "hr"
kind = "confluence"
url = "https://larkfield.atlassian.net/wiki"
space = "HR"
user = "bot@larkfield.example"

[[sources]]
name = "files"
kind = "folder"
path = "/srv/policies"
"""


def loaded(tmp_path: Path, text: str) -> Settings:
    (tmp_path / "countersign.toml").write_text(text)
    return load(tmp_path)


def test_every_kind_of_source_is_understood(tmp_path: Path) -> None:
    settings = loaded(tmp_path, WHOLE)
    git, web, confluence, folder = settings.sources
    assert isinstance(git, GitSettings)
    assert isinstance(web, WebSettings)
    assert isinstance(confluence, ConfluenceSettings)
    assert isinstance(folder, FolderSettings)
    assert (git.regions, git.audience, web.audience) == (("NL", "CA"), ("employees",), ("everyone",))
    assert [source.name for source in configured(settings)] == ["handbook", "intranet", "hr", "files"]


def one(**changes: str) -> str:
    rows = {"name": '"a"', "kind": '"folder"', "path": '"/srv"'} | changes
    return "[[sources]]\n" + "\n".join(f"{key} = {value}" for key, value in rows.items() if value) + "\n"


GIT = {"kind": '"git"', "path": ""}
WEB = {"kind": '"web"', "path": ""}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (one(colour='"red"'), "'sources.0.folder.colour' is not known"),
        (one(token='"s3cret"'), "'sources.0.folder.token' is not known"),
        (one(kind='"ftp"'), "sources.0"),
        (one(path=""), "'sources.0.folder.path' is missing"),
        (one(path='"srv/policies"'), "whole path"),
        (one(name='"A B"'), "sources.0.folder.name"),
        (one(name='"../x"'), "sources.0.folder.name"),
        (one(name='"answers"'), "reviewed answers"),
        (one() + one(), "two of them have the name a"),
        (one(audience="[]"), "audience"),
        (one(audience='[" "]'), "audience"),
        (one(regions='["Netherlands"]'), "two-letter country codes"),
        (one(schedule='"sometimes"'), "must be such as"),
        (one(schedule='"1m"'), "five minutes"),
        (one(**GIT, url='"ext::sh -c id"'), "must be an https"),
        (one(**GIT, url='"--upload-pack=id"'), "must be an https"),
        (one(**GIT, url='"https://ada:s3cret@x.example/h.git"'), "must not hold a name or a password"),
        (one(**GIT, url='"https://x.example/h"', branch='"a b"'), "branch"),
        (one(**GIT, url='"https://x.example/h"', link='"https://x.example/{file}"'), "must hold {path}"),
        (one(**WEB, url='"ftp://x.example"'), "must begin with"),
        (one(**WEB, url='"https://x.example"', delay="-1"), "delay"),
        ("[source_tokens]\nhandbook = 's3cret'\n", "holds the secret 'source_tokens'"),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_without_its_value(
    tmp_path: Path, text: str, said: str
) -> None:
    with pytest.raises(SettingsError) as error:
        loaded(tmp_path, text)
    assert said in str(error.value)
    assert "s3cret" not in str(error.value).replace("holds the secret", "")


def test_a_token_comes_from_the_environment_or_from_where_secrets_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", "opens the file of this test, and no other")
    settings = loaded(tmp_path, WHOLE)
    read = credentials.source_token(settings, "hr")
    assert read() == ""
    open_secrets(home=tmp_path, key="opens the file of this test, and no other").set(
        "source_hr_token", "kept"
    )
    assert read() == "kept"
    monkeypatch.setenv("COUNTERSIGN_SOURCE_TOKENS__HR", "given")
    assert credentials.source_token(load(tmp_path), "hr")() == "given"
    assert "given" not in repr(load(tmp_path))
    monkeypatch.setenv("COUNTERSIGN_SECRETS_KEY", "opens another file than the one of this test")
    with pytest.raises(SettingsError, match="cannot be read"):
        credentials.source_token(load(tmp_path), "intranet")()
