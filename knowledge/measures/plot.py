"""The risk-coverage curve as a picture: SVG with a background of its own, for light pages and dark ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 440
LEFT, RIGHT, TOP, BOTTOM = 76, 28, 76, 64
_STYLE = """
  .paper { fill: #ffffff; stroke: #d0d7de; } .ink { fill: #1f2328; } .soft { fill: #59636e; }
  .grid { stroke: #d8dee4; stroke-width: 1; } .line { fill: none; stroke: #0969da; stroke-width: 2.5; }
  .mark { fill: #bc4c00; stroke: #ffffff; stroke-width: 2; } .drop { stroke: #bc4c00; stroke-dasharray: 4 4; }
  text { font: 13px system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif; }
  .title { font-size: 17px; font-weight: 600; } .strong { font-weight: 600; fill: #953800; }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117; stroke: #3d444d; } .ink { fill: #f0f6fc; } .soft { fill: #9198a1; }
    .grid { stroke: #2a313c; } .line { stroke: #4493f8; } .mark { fill: #f0883e; stroke: #0d1117; }
    .drop { stroke: #f0883e; } .strong { fill: #f0883e; }
  }
"""


def risk_coverage(name: str, curve: dict[str, Any]) -> str:
    """Return the picture of a curve of `knowledge.measures.coverage.curve`."""
    points = [(one["coverage"], one["precision"]) for one in curve["points"]]
    floor = _floor([precision for _, precision in points])
    shipped = curve["shipped"]
    title = f"Answers given, and how many of them are right: {name[:32]}"
    said = (
        f"Of {curve['questions']} questions, {_percent(shipped['coverage'])} are answered at the shipped "
        f"threshold of {shipped['threshold']:.2f}"
        + (
            f", {_percent(shipped['precision'])} of them rightly."
            if shipped["precision"] is not None
            else "."
        )
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}" role="img" aria-labelledby="title desc">',
            f'<title id="title">{escape(title)}</title>',
            f'<desc id="desc">{escape(_described(points, said))}</desc>',
            f"<style>{_STYLE}</style>",
            f'<rect class="paper" x="0.5" y="0.5" width="{WIDTH - 1}" height="{HEIGHT - 1}" rx="8"/>',
            f'<text class="ink title" x="{LEFT}" y="32">{escape(title)}</text>',
            f'<text class="soft" x="{LEFT}" y="54">{escape(said)}</text>',
            *_axes(floor),
            f'<polyline class="line" points="{" ".join(_point(*point, floor) for point in points)}"/>',
            *_marked(shipped, floor),
            "</svg>",
            "",
        ]
    )


def _floor(values: Sequence[float]) -> float:
    """Return where the upward axis begins: the tenth below the lowest value."""
    return max(0.0, int(min(values) * 10 - 1e-9) / 10)


def _axes(floor: float) -> list[str]:
    lines: list[str] = []
    for tenth in range(11):
        across = _x(tenth / 10)
        if tenth % 2 == 0:
            lines.append(
                f'<text class="soft" x="{across:.1f}" y="{HEIGHT - BOTTOM + 22}" text-anchor="middle">'
                f"{tenth * 10} %</text>"
            )
        if tenth / 10 >= floor - 1e-9:
            up = _y(tenth / 10, floor)
            lines.append(
                f'<line class="grid" x1="{LEFT}" y1="{up:.1f}" x2="{WIDTH - RIGHT}" y2="{up:.1f}"/>'
                f'<text class="soft" x="{LEFT - 10}" y="{up + 4:.1f}" text-anchor="end">{tenth * 10} %</text>'
            )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    return [
        *lines,
        f'<text class="ink" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 16}" text-anchor="middle">'
        "questions answered (coverage)</text>",
        f'<text class="ink" x="22" y="{middle}" text-anchor="middle" transform="rotate(-90 22 {middle})">'
        "of these, answered rightly (precision)</text>",
    ]


def _marked(shipped: dict[str, Any], floor: float) -> list[str]:
    if shipped["precision"] is None:
        return []
    across, up = _x(shipped["coverage"]), _y(shipped["precision"], floor)
    late = shipped["coverage"] > 0.6
    label = f"shipped: {_percent(shipped['coverage'])} answered, {_percent(shipped['precision'])} rightly"
    return [
        f'<line class="drop" x1="{across:.1f}" y1="{up:.1f}" x2="{across:.1f}" y2="{HEIGHT - BOTTOM}"/>',
        f'<circle class="mark" cx="{across:.1f}" cy="{up:.1f}" r="6"/>',
        f'<text class="strong" x="{across - 12 if late else across + 12:.1f}" y="{HEIGHT - BOTTOM - 12}" '
        f'text-anchor="{"end" if late else "start"}">{escape(label)}</text>',
    ]


def _described(points: Sequence[tuple[float, float]], said: str) -> str:
    """Return the curve in words."""
    steps = []
    for wanted in (0.25, 0.5, 0.75, 1.0):
        coverage, precision = min(points, key=lambda point: abs(point[0] - wanted))
        steps.append(f"{_percent(coverage)} answered, {_percent(precision)} of them rightly")
    return f"{said} Along the curve: {'; '.join(steps)}."


def _percent(share: float) -> str:
    return f"{share * 100:.0f} %"


def _point(coverage: float, precision: float, floor: float) -> str:
    return f"{_x(coverage):.1f},{_y(precision, floor):.1f}"


def _x(coverage: float) -> float:
    return LEFT + coverage * (WIDTH - LEFT - RIGHT)


def _y(precision: float, floor: float) -> float:
    return HEIGHT - BOTTOM - (precision - floor) / (1 - floor) * (HEIGHT - TOP - BOTTOM)
