"""Confluence's storage format to plain HTML: macros opened, links to their words, pictures dropped."""

from __future__ import annotations

import html
import re
from collections.abc import Callable

from lxml import etree  # type: ignore[import-untyped]  # ships no stubs

_AC = "{http://atlassian.com/content}"
_RI = "{http://atlassian.com/resource/identifier}"
_XML_ENTITIES = frozenset({"amp", "lt", "gt", "quot", "apos"})
_CODE = frozenset({"code", "noformat"})
_GENERATED = frozenset(
    {"toc", "children", "pagetree", "recently-updated", "livesearch", "attachments", "gallery"}
)
_PARTS = {"task-list": "ul", "task": "li", "layout": "div", "layout-section": "div", "layout-cell": "div"}
_UNSEEN = frozenset(
    {"image", "emoticon", "placeholder", "parameter", "task-id", "task-status", "inline-comment"}
)


def to_html(storage: str, *, title: str, anchor: Callable[[str], str]) -> str:
    """Return a page's HTML; `anchor` says what Confluence calls a heading in an address."""
    text = re.sub(r"&(\w+);", _entity, storage)
    wrapped = (
        '<page xmlns:ac="http://atlassian.com/content" xmlns:ri="http://atlassian.com/resource/identifier">'
        f"{text}</page>"
    )
    parser = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, load_dtd=False)
    root = etree.fromstring(wrapped.encode(), parser)
    body = "" if root is None else "".join(_inside(root, anchor))
    return (
        f"<html><head><meta charset='utf-8'><title>{html.escape(title)}</title></head>"
        f"<body>{body}</body></html>"
    )


def _entity(match: re.Match[str]) -> str:
    return match[0] if match[1] in _XML_ENTITIES else html.unescape(match[0])


def _inside(element: etree._Element, anchor: Callable[[str], str]) -> list[str]:
    found = [html.escape(element.text or "")]
    for child in element:
        found += _node(child, anchor)
        found.append(html.escape(child.tail or ""))
    return found


def _node(node: etree._Element, anchor: Callable[[str], str]) -> list[str]:
    if isinstance(node, etree._Comment):
        return [f"<!--{(node.text or '').replace('--', '')}-->"]  # so that it is counted with the others
    if not isinstance(node.tag, str):
        return []
    if node.tag.startswith(_AC):
        return _own(node, node.tag.removeprefix(_AC), anchor)
    if node.tag.startswith(_RI):
        return [html.escape(node.get(f"{_RI}content-title") or "")]
    return _element(node, node.tag, anchor)


def _element(node: etree._Element, name: str, anchor: Callable[[str], str]) -> list[str]:
    if not re.fullmatch(r"[a-z][a-z0-9]*", name):
        return _inside(node, anchor)
    if name == "time" and node.get("datetime"):
        return [html.escape(node.get("datetime"))]
    kept = {key: node.get(key) for key in ("style", "hidden", "href", "colspan") if node.get(key)}
    if re.fullmatch(r"h[1-6]", name):
        kept["id"] = anchor(" ".join("".join(node.itertext()).split()))
    said = "".join(f' {key}="{html.escape(value)}"' for key, value in kept.items())
    return [f"<{name}{said}>", *_inside(node, anchor), f"</{name}>"]


def _own(node: etree._Element, name: str, anchor: Callable[[str], str]) -> list[str]:
    if name in _UNSEEN:
        return []
    if name in {"structured-macro", "macro"}:
        return _macro(node, anchor)
    if name == "link":
        worded = node.find(f"{_AC}link-body")
        plain = node.find(f"{_AC}plain-text-link-body")
        said = worded if worded is not None else plain
        return _inside(said if said is not None else node, anchor)
    tag = _PARTS.get(name)
    inside = _inside(node, anchor)
    return [f"<{tag}>", *inside, f"</{tag}>"] if tag else inside


def _macro(node: etree._Element, anchor: Callable[[str], str]) -> list[str]:
    kind = node.get(f"{_AC}name") or ""
    if kind in _GENERATED:
        return []
    found: list[str] = []
    title = next(
        (one.text for one in node.findall(f"{_AC}parameter") if one.get(f"{_AC}name") == "title"), ""
    )
    if title:
        found.append(f"<p><b>{html.escape(title)}</b></p>")
    plain = node.find(f"{_AC}plain-text-body")
    if plain is not None:
        tag = "pre" if kind in _CODE else "p"
        found.append(f"<{tag}>{html.escape(plain.text or '')}</{tag}>")
    rich = node.find(f"{_AC}rich-text-body")
    if rich is not None:
        found += ["<div>", *_inside(rich, anchor), "</div>"]
    if kind == "status" and title:
        return [html.escape(title)]
    return found
