"""What a reader of a PDF's page sees: text without ink, in the paper's colour, tiny or off the page goes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from pypdf import PageObject
from pypdf.generic import ContentStream, DictionaryObject, NameObject

from knowledge.hidden import BEHIND, INKLESS, OFF_PAGE, PAPER_COLOURED, TINY

Matrix = tuple[float, float, float, float, float, float]
Colour = tuple[float, ...]
Box = tuple[float, float, float, float]

_WHOLE: Matrix = (1, 0, 0, 1, 0, 0)
_BLACK, _WHITE = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
_SMALLEST = 1.5  # points
_ALIKE = 0.06  # the difference in each of red, green and blue that an eye does not see
_SHOW = frozenset({b"Tj", b"TJ", b"'", b'"'})
_FILL = frozenset({b"f", b"F", b"f*", b"B", b"B*", b"b", b"b*"})


@dataclass(frozen=True, kw_only=True, slots=True)
class _State:
    """What q saves and Q brings back."""

    matrix: Matrix = _WHOLE
    ink: Colour | None = _BLACK  # None: a pattern
    mode: int = 0
    size: float = 0.0
    any_size: bool = False  # a font whose units are its own
    leading: float = 0.0


@dataclass(kw_only=True)
class _Page:
    box: Box
    odd_fonts: frozenset[str]  # whose size says nothing: Type 3
    state: _State = field(default_factory=_State)
    saved: list[_State] = field(default_factory=list)
    line: Matrix = _WHOLE
    text: Matrix = _WHOLE
    path: list[Box] = field(default_factory=list)
    painted: list[tuple[Box, Colour | None]] = field(default_factory=list)


def keep_shown(page: PageObject) -> Counter[str]:
    """Take out of a page what its reader does not see; return how many pieces of each kind there were."""
    content = page.get("/Contents")
    if content is None:
        return Counter()
    stream = ContentStream(content.get_object(), page.pdf, "bytes")
    page[NameObject("/Contents")] = stream  # taken apart once, for us and for who reads the text
    kept: list[tuple[Sequence[object], bytes]] = []
    counts: Counter[str] = Counter()
    shown = 0
    walk = _Page(box=_box(page), odd_fonts=_odd_fonts(page))
    for operands, operator in stream.operations:
        if operator in _SHOW:
            reason = _hidden(walk) if _said(operands) else ""
            shown += bool(_said(operands)) and not reason
            if operator in {b"'", b'"'}:
                _next_line(walk)
            if reason:
                counts[reason] += 1
                if operator in {b"'", b'"'}:
                    kept.append(([], b"T*"))
                continue
        else:
            _follow(walk, operands, operator)
        kept.append((operands, operator))
    if not counts:
        return counts
    if set(counts) == {INKLESS} and not shown and _has_picture(page):
        return Counter({BEHIND: counts[INKLESS]})  # a scanned page, with its text behind it to be searched
    stream.operations = kept
    return counts


def _said(operands: Sequence[object]) -> bool:
    for operand in operands:
        pieces = operand if isinstance(operand, list) else [operand]
        if any(isinstance(piece, str | bytes) and piece.strip() for piece in pieces):
            return True
    return False


def _hidden(walk: _Page) -> str:
    """Return how the text about to be shown is hidden, or nothing."""
    state = walk.state
    if state.mode in {3, 7}:
        return INKLESS
    placed = _times(walk.text, state.matrix)
    x, y = placed[4], placed[5]
    left, bottom, right, top = walk.box
    if x > right or y > top or x < left - 2 or y < bottom - 2:
        return OFF_PAGE
    height = (placed[2] ** 2 + placed[3] ** 2) ** 0.5 * abs(state.size)
    if not state.any_size and height < _SMALLEST:
        return TINY
    paper = next((colour for box, colour in reversed(walk.painted) if _inside(box, x, y)), _WHITE)
    if state.mode in {0, 4} and state.ink is not None and paper is not None and _alike(state.ink, paper):
        return PAPER_COLOURED
    return ""


def _follow(walk: _Page, operands: Sequence[object], operator: bytes) -> None:
    """Take in what an operator that shows no text changes. Operands that are none are left alone."""
    try:
        numbers = [float(one) for one in operands if isinstance(one, int | float)]
        _graphics(walk, numbers, operator)
        _texts(walk, operands, numbers, operator)
        _painting(walk, operands, numbers, operator)
    except (IndexError, ValueError, OverflowError):
        return


def _graphics(walk: _Page, numbers: list[float], operator: bytes) -> None:
    if operator == b"q":
        walk.saved.append(walk.state)
    elif operator == b"Q" and walk.saved:
        walk.state = walk.saved.pop()
    elif operator == b"cm":
        walk.state = replace(walk.state, matrix=_times(_matrix(numbers), walk.state.matrix))
    elif operator in {b"g", b"rg", b"k", b"sc", b"scn"}:
        walk.state = replace(walk.state, ink=_rgb(numbers))
    elif operator == b"cs":
        walk.state = replace(walk.state, ink=_BLACK)
    elif operator == b"Tr":
        walk.state = replace(walk.state, mode=int(numbers[0]))
    elif operator == b"TL":
        walk.state = replace(walk.state, leading=numbers[0])


def _texts(walk: _Page, operands: Sequence[object], numbers: list[float], operator: bytes) -> None:
    if operator == b"BT":
        walk.text = walk.line = _WHOLE
    elif operator == b"Tf":
        walk.state = replace(walk.state, size=numbers[0], any_size=str(operands[0]) in walk.odd_fonts)
    elif operator == b"Tm":
        walk.text = walk.line = _matrix(numbers)
    elif operator in {b"Td", b"TD"}:
        if operator == b"TD":
            walk.state = replace(walk.state, leading=-numbers[1])
        walk.text = walk.line = _times((1, 0, 0, 1, numbers[0], numbers[1]), walk.line)
    elif operator == b"T*":
        _next_line(walk)


def _next_line(walk: _Page) -> None:
    walk.text = walk.line = _times((1, 0, 0, 1, 0, -walk.state.leading), walk.line)


def _painting(walk: _Page, operands: Sequence[object], numbers: list[float], operator: bytes) -> None:
    if operator == b"re":
        x, y, width, height = numbers[:4]
        walk.path.append(_corners(walk.state.matrix, (x, y, x + width, y + height)))
    elif operator in {b"m", b"l"}:
        walk.path.append(_corners(walk.state.matrix, (numbers[0], numbers[1], numbers[0], numbers[1])))
    elif operator in _FILL and walk.path:
        walk.painted += [(box, walk.state.ink) for box in _areas(walk.path)]
        walk.path.clear()
    elif operator in {b"n", b"S", b"s"}:
        walk.path.clear()
    elif operator in {b"Do", b"sh"}:  # a picture, or a shading: no colour that can be told
        walk.painted.append((_corners(walk.state.matrix, (0, 0, 1, 1)), None))


def _areas(path: list[Box]) -> list[Box]:
    """Return the rectangles of a path, or the one around its points."""
    wide = [box for box in path if box[0] != box[2] or box[1] != box[3]]
    if wide:
        return wide
    return [
        (min(b[0] for b in path), min(b[1] for b in path), max(b[2] for b in path), max(b[3] for b in path))
    ]


def _rgb(numbers: list[float]) -> Colour | None:
    if len(numbers) == 1:
        return (numbers[0],) * 3
    if len(numbers) == 3:
        return tuple(numbers)
    if len(numbers) == 4:
        black = 1 - numbers[3]
        return tuple((1 - part) * black for part in numbers[:3])
    return None


def _alike(one: Colour, other: Colour) -> bool:
    return all(abs(a - b) < _ALIKE for a, b in zip(one, other, strict=True))


def _matrix(numbers: list[float]) -> Matrix:
    a, b, c, d, e, f = numbers[:6]
    return (a, b, c, d, e, f)


def _times(m: Matrix, n: Matrix) -> Matrix:
    """Return what `m` and then `n` do."""
    return (
        m[0] * n[0] + m[1] * n[2],
        m[0] * n[1] + m[1] * n[3],
        m[2] * n[0] + m[3] * n[2],
        m[2] * n[1] + m[3] * n[3],
        m[4] * n[0] + m[5] * n[2] + n[4],
        m[4] * n[1] + m[5] * n[3] + n[5],
    )


def _corners(matrix: Matrix, box: Box) -> Box:
    points = [_times((1, 0, 0, 1, x, y), matrix)[4:] for x in (box[0], box[2]) for y in (box[1], box[3])]
    xs, ys = [x for x, _ in points], [y for _, y in points]
    return (min(xs), min(ys), max(xs), max(ys))


def _inside(box: Box, x: float, y: float) -> bool:
    return box[0] - 1 <= x <= box[2] + 1 and box[1] - 1 <= y <= box[3] + 1


def _box(page: PageObject) -> Box:
    found = page.cropbox
    return (float(found.left), float(found.bottom), float(found.right), float(found.top))


def _named(page: PageObject, kind: str) -> dict[str, DictionaryObject]:
    resources = page.get("/Resources")
    found = resources.get_object().get(kind) if resources is not None else None
    found = found.get_object() if found is not None else {}
    return {str(name): one.get_object() for name, one in found.items()}


def _odd_fonts(page: PageObject) -> frozenset[str]:
    return frozenset(name for name, font in _named(page, "/Font").items() if font.get("/Subtype") == "/Type3")


def _has_picture(page: PageObject) -> bool:
    return any(one.get("/Subtype") == "/Image" for one in _named(page, "/XObject").values())
