"""Rich text, as its own small grammar."""

from bot.workspace.validate.checks import Check, array, boolean, integer, one_of, shape, string, typed

_STYLE: dict[str, Check] = {
    "style": shape({}, dict.fromkeys(("bold", "code", "italic", "strike", "underline"), boolean))
}
_TYPE: dict[str, Check] = {"type": string()}


def _inline(required: dict[str, Check], optional: dict[str, Check] | None = None) -> Check:
    return shape(_TYPE | required, _STYLE | (optional or {}))


_TEXT = _inline({"text": string()})
_LINK = _inline({"url": string(least=1)}, {"text": string(), "unsafe": boolean})
_INLINES: dict[str, Check] = {
    "text": _TEXT,
    "link": _LINK,
    "broadcast": _inline({"range": one_of("here", "channel", "everyone")}),
    "channel": _inline({"channel_id": string(least=1)}),
    "color": _inline({"value": string(least=1)}),
    "date": _inline(
        {"timestamp": integer(), "format": string(least=1)}, {"fallback": string(), "url": string()}
    ),
    "emoji": _inline({"name": string(least=1)}, {"unicode": string(), "url": string()}),
    "team": _inline({"team_id": string(least=1)}),
    "user": _inline({"user_id": string(least=1)}),
    "usergroup": _inline({"usergroup_id": string(least=1)}),
}
_SECTION = shape(_TYPE | {"elements": array(typed(_INLINES))})
_BORDER: dict[str, Check] = {"border": one_of(0, 1)}
_PARTS: dict[str, Check] = {
    "rich_text_section": _SECTION,
    "rich_text_list": shape(
        _TYPE
        | {"elements": array(typed({"rich_text_section": _SECTION})), "style": one_of("bullet", "ordered")},
        {"indent": integer(least=0, most=8), **_BORDER},
    ),
    "rich_text_quote": shape(_TYPE | {"elements": array(typed(_INLINES))}, _BORDER),
    "rich_text_preformatted": shape(
        _TYPE | {"elements": array(typed({"text": _TEXT, "link": _LINK}))}, _BORDER
    ),
}
RICH_TEXT = shape(_TYPE | {"elements": array(typed(_PARTS))}, {"block_id": string(most=255)})
