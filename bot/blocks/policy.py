"""A policy's own text in a message or window: its words, with headings as headings."""

from collections.abc import Iterator

from bot.blocks import parts
from bot.blocks.parts import Block
from bot.render import bold, join, ours, pieces, safe


def opening(text: str) -> str:
    """Return what a section itself says, without its heading and what stands under further ones."""
    return _split(text)[0][1] or text


def whole(text: str) -> Iterator[Block]:
    """Yield a section with all that stands under it."""
    for heading, body in _split(text):
        title = join(bold(safe(heading, 300)), ours("\n")) if heading else ours("")
        for piece in pieces(body, 2500) or [safe("")]:
            if title or piece:
                yield parts.section(join(title, piece))
            title = ours("")


def _split(text: str) -> list[tuple[str, str]]:
    """Return (heading, body) pairs. The first is the section's own; its heading is shown elsewhere."""
    found: list[tuple[str, list[str]]] = [("", [])]
    for number, line in enumerate(text.strip().splitlines()):
        if not line.startswith("#"):
            found[-1][1].append(line)
        elif number:
            found.append((line.lstrip("#").strip(), []))
    return [(heading, "\n".join(lines).strip()) for heading, lines in found]
