"""A page says nothing of itself that its source does not allow: neither address, owner nor audience."""

from pathlib import Path

import pytest

from bot.source_settings import FolderSettings
from knowledge.documents import Document, Terms
from knowledge.errors import Unreadable
from knowledge.hidden import ADDRESS, OWNER
from knowledge.sources import formats
from knowledge.sources.base import Defaults, within

WIKI = "https://wiki.larkfield.example/vpn"
EVIL = "https://sso-larkfield.evil.example/login"
OURS = "https://intranet.larkfield.example/policies/"


def page(path: Path, front: str, *, defaults: Defaults, given: Terms | None = None) -> Document:
    path.write_text(f"---\n{front}\n---\n<h1>VPN</h1><p>Reset it within 3 days.</p>", encoding="utf-8")
    return formats.document_of(
        path, document=path.stem, sha256="0" * 64, defaults=defaults, given=given or Terms()
    )


def test_a_reference_chooses_neither_its_address_nor_its_owner(tmp_path: Path) -> None:
    defaults = Defaults(
        standing="reference", owner="it@larkfield.example", addresses=("https://evil.example/",)
    )
    said = f"url: {EVIL}\nowner: security@evil.example"
    found = page(tmp_path / "a.html", said, defaults=defaults, given=Terms(url=WIKI))
    assert (found.terms.url, found.terms.owner) == (WIKI, "it@larkfield.example")
    assert dict(found.hidden) == {ADDRESS: 1, OWNER: 1}
    alone = page(tmp_path / "b.html", said, defaults=Defaults(standing="reference"))
    assert (alone.terms.url, alone.terms.owner) == ("", "")


def test_what_the_source_knows_comes_before_what_a_policy_says(tmp_path: Path) -> None:
    given = Terms(url=WIKI, owner="it@larkfield.example")
    said = f"url: {EVIL}\nowner: security@evil.example"
    found = page(tmp_path / "a.md", said, defaults=Defaults(), given=given)
    assert (found.terms.url, found.terms.owner) == (WIKI, "it@larkfield.example")
    assert dict(found.hidden) == {ADDRESS: 1, OWNER: 1}


def test_a_policy_keeps_the_owner_it_names_and_an_address_that_its_source_allows(tmp_path: Path) -> None:
    defaults = Defaults(owner="people@larkfield.example", addresses=(OURS,))
    found = page(tmp_path / "a.md", f"url: {OURS}vpn\nowner: it@larkfield.example", defaults=defaults)
    assert (found.terms.url, found.terms.owner) == (f"{OURS}vpn", "it@larkfield.example")
    assert found.hidden == ()


@pytest.mark.parametrize("addresses", [(), (OURS,), None])
def test_no_address_but_a_safe_one_within_the_settings_is_taken(
    tmp_path: Path, addresses: tuple[str, ...] | None
) -> None:
    for place, url in enumerate((EVIL, "http://intranet.larkfield.example/policies/vpn")):
        found = page(tmp_path / f"{place}.md", f"url: {url}", defaults=Defaults(addresses=addresses))
        by_hand = addresses is None and url == EVIL  # somebody named the folder, and no settings bound it
        assert found.terms.url == (url if by_hand else "")
        assert dict(found.hidden) == ({} if by_hand else {ADDRESS: 1})


@pytest.mark.parametrize(
    "url",
    [
        "https://intranet.larkfield.example/policies.evil.example/",
        "https://intranet.larkfield.example/policies/../login",
        "https://intranet.larkfield.example/policies/%2e%2e/login",
        "https://intranet.larkfield.example/policies/%252e%252e/login",
        "https://intranet.larkfield.example/other",
        "https://intranet.larkfield.example:8443/policies/vpn",
        "https://intranet.larkfield.example@evil.example/policies/vpn",
        "https://intranet.larkfield.example.evil.example/policies/vpn",
        "https://evil.example\\@intranet.larkfield.example/policies/vpn",
        "http://intranet.larkfield.example/policies/vpn",
        "https://[::1/policies/vpn",
        "https://intranet.larkfield.example:port/policies/",
    ],
)
def test_an_address_is_compared_as_a_browser_reads_it(url: str) -> None:
    assert not within(url, OURS)
    assert within("https://Intranet.larkfield.example/policies/vpn?x=1#y", OURS)
    assert within("https://intranet.larkfield.example/policies", OURS)


def test_a_page_widens_no_audience(tmp_path: Path) -> None:
    defaults = Defaults(audience=frozenset({"people-team"}))
    found = page(tmp_path / "a.md", "audience: everyone", defaults=defaults)
    assert found.terms.audience == {"people-team"}
    with pytest.raises(Unreadable, match="outside its source's"):
        page(tmp_path / "b.md", "audience: [finance]", defaults=defaults)


def test_a_source_of_the_settings_allows_no_address_until_it_names_one() -> None:
    settings = FolderSettings(name="handbook", kind="folder", path=Path("/srv/policies"))
    assert settings.addresses == ()
    for wrong in ("http://intranet.example.com/", "intranet.example.com", "https://a@b.example/"):
        with pytest.raises(ValueError, match="must be https addresses"):
            FolderSettings(name="handbook", kind="folder", path=Path("/srv"), addresses=(wrong,))
