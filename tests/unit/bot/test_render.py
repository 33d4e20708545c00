"""The one renderer: escaped, bounded, and nothing invisible."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.render import clean, date, exact, link, mention, ours, pieces, plain, safe, size, web_address

TEXT = st.text(max_size=400) | st.text(alphabet="&<>!@#|*_~`\u202e\u200b \n👩", max_size=400)


@given(TEXT, st.integers(min_value=1, max_value=120))
def test_safe_text_keeps_its_limit_and_holds_no_markup(text: str, limit: int) -> None:
    found = safe(text, limit)
    assert size(found) <= limit
    assert "<" not in found
    assert ">" not in found
    assert found.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "").find("&") == -1


@given(TEXT, st.integers(min_value=6, max_value=120))
def test_pieces_hold_the_whole_text(text: str, limit: int) -> None:
    found = pieces(text, limit)
    assert all(0 < size(piece) <= limit for piece in found)
    joined = "".join(found).replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
    assert joined == text


@given(TEXT)
def test_exact_text_shows_everything_on_one_line(text: str) -> None:
    assert "\n" not in exact(text)
    assert clean(exact(text)) == exact(text)


def test_text_is_cut_at_a_word() -> None:
    assert plain("the quick brown fox", 12) == "the quick…"
    assert plain("the quick", 9) == "the quick"


def test_emoji_count_as_slack_counts_them() -> None:
    assert size("👩") == 2
    assert plain("👩👩👩", 5) == "👩👩…"


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "ftp://x.example",
        "https://user@x.example",
        "https://",
        "//x.example",
        "https://[::1",
        "mailto:a@b.example",
        "x" * 2000,
        "",
        None,
    ],
)
def test_only_plain_web_addresses_become_links(url: str | None) -> None:
    assert web_address(url) is None
    assert link(url, "label") == "label"


def test_an_address_cannot_end_its_link_early() -> None:
    found = link("https://x.example/a|b> <!channel>", "Leave <b>|x")
    assert found == "<https://x.example/a%7Cb%3E%20%3C!channel%3E|Leave &lt;b&gt;¦x>"


def test_a_mention_is_made_of_an_id_only() -> None:
    assert mention("U0ADA") == "<@U0ADA>"
    with pytest.raises(ValueError, match="Slack user id"):
        mention("U0ADA> <!channel")


def test_a_moment_is_shown_in_the_readers_zone_and_in_utc_otherwise() -> None:
    at = datetime(2026, 3, 2, 14, 0, tzinfo=timezone(timedelta(hours=2)))
    assert date(at) == "<!date^1772452800^{date_short_pretty} at {time}|2026-03-02 12:00 UTC>"
    assert date(at.astimezone(UTC)) == date(at)


def test_our_own_words_are_taken_as_they_are() -> None:
    assert ours("*Done*") == "*Done*"
