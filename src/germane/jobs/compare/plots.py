"""Two plots as SVG that a page holds: figures with their intervals, and lines. Colours come from the page, shapes and dashes tell runs apart too."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from typing import Any

from ..figures import number

__all__ = ["intervals", "lines", "marker", "ticks"]

WIDE = 400
"""Of the drawing; a phone shows it at about this size, so that letters stay readable."""
LEFT, RIGHT = 14.0, 14.0
DASHES = ("", "7 3", "2 3", "9 3 2 3", "5 5", "1 4")
CORNERS = {
    "triangle": ((0, -1.2), (1.2, 1), (-1.2, 1)),
    "diamond": ((0, -1.4), (1.4, 0), (0, 1.4), (-1.4, 0)),
    "down": ((-1.2, -1), (1.2, -1), (0, 1.2)),
}
SHAPES = ("circle", "square", "triangle", "diamond", "down", "ring")


def marker(place: int, x: float, y: float, size: float = 5.0) -> str:
    """The shape of a run.

    >>> marker(0, 10, 20)
    '<circle class="fill-1" cx="10.0" cy="20.0" r="5.0"/>'
    """
    name, s = f"fill-{place + 1}", size
    shape = SHAPES[place]
    if shape == "circle":
        return f'<circle class="{name}" cx="{x:.1f}" cy="{y:.1f}" r="{s:.1f}"/>'
    if shape == "square":
        return f'<rect class="{name}" x="{x - s:.1f}" y="{y - s:.1f}" width="{2 * s:.1f}" height="{2 * s:.1f}"/>'
    if shape == "ring":
        return f'<circle class="line-{place + 1}" cx="{x:.1f}" cy="{y:.1f}" r="{s:.1f}"/>'
    drawn = " ".join(f"{x + s * a:.1f},{y + s * b:.1f}" for a, b in CORNERS[shape])
    return f'<polygon class="{name}" points="{drawn}"/>'


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round numbers between two ends.

    >>> ticks(0.0, 0.083)
    [0.0, 0.02, 0.04, 0.06, 0.08]
    """
    if high <= low:
        return [low]
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * by for by in (1, 2, 5, 10) if size * by >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return [round(n * step, 12) for n in range(first, math.floor(high / step + 1e-9) + 1)]


def intervals(rows: Sequence[tuple[str, Sequence[Any]]], title: str) -> str:
    """Each row's figures, one below the other with its interval. ``rows``: a name, and for each run a figure or None."""
    told = [figure for _, figures in rows for figure in figures if figure is not None]
    low, high = _ends([figure[key] for figure in told for key in ("value", "low", "high") if figure.get(key) is not None])
    height = 8.0
    parts = []
    for name, figures in rows:
        height += 18
        parts.append(f'<text class="name" x="{LEFT}" y="{height:.0f}">{escape(name)}</text>')
        for place, figure in enumerate(figures):
            if figure is None:
                continue
            height += 16
            x = _at(figure["value"], low, high)
            if figure.get("low") is not None:
                a, b = _at(figure["low"], low, high), _at(figure["high"], low, high)
                parts.append(f'<line class="line-{place + 1}" x1="{a:.1f}" x2="{b:.1f}" y1="{height - 4:.1f}" y2="{height - 4:.1f}"/>')
            parts.append(marker(place, x, height - 4))
        height += 8
    grid = []
    for value in ticks(low, high):
        x = _at(value, low, high)
        grid.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{height:.0f}"/>')
        grid.append(f'<text class="tick" x="{x:.1f}" y="{height + 14:.0f}" text-anchor="middle">{number(value)}</text>')
    return _drawing(height + 22, grid + parts, title)


def lines(series: Sequence[Sequence[tuple[float, float]]], title: str, below: str) -> str:
    """A line a run over epochs. ``below``: what the axis says."""
    points = [point for line in series for point in line]
    top, bottom = 10.0, 190.0
    low, high = _ends([y for _, y in points])
    left, right = min(0.0, *(x for x, _ in points)), max(1.0, *(x for x, _ in points))
    across = 52.0
    parts = []
    for value in ticks(low, high):
        y = bottom - (value - low) / (high - low) * (bottom - top)
        parts.append(f'<line class="grid" x1="{across}" x2="{WIDE - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text class="tick" x="{across - 6}" y="{y + 4:.1f}" text-anchor="end">{number(value)}</text>')

    def place_of(x: float, y: float) -> tuple[float, float]:
        return across + (x - left) / (right - left) * (WIDE - RIGHT - across), bottom - (y - low) / (high - low) * (bottom - top)

    for value in ticks(left, right, 6):
        if value == round(value):
            parts.append(f'<text class="tick" x="{place_of(value, low)[0]:.1f}" y="{bottom + 16}" text-anchor="middle">{value:.0f}</text>')
    parts.append(f'<text class="tick" x="{(across + WIDE - RIGHT) / 2:.0f}" y="{bottom + 32}" text-anchor="middle">{escape(below)}</text>')
    for place, line in enumerate(series):
        drawn = [place_of(x, y) for x, y in line]
        if len(drawn) > 1:
            dash = f' stroke-dasharray="{DASHES[place]}"' if DASHES[place] else ""
            parts.append(f'<polyline class="line-{place + 1}"{dash} points="{" ".join(f"{x:.1f},{y:.1f}" for x, y in drawn)}"/>')
        marked = drawn if len(drawn) <= 12 else drawn[:: -(-len(drawn) // 6)]
        parts += [marker(place, x, y, 3.5) for x, y in marked]
    return _drawing(bottom + 40, parts, title)


def _ends(values: Sequence[float]) -> tuple[float, float]:
    """With some room; from zero where zero is near."""
    low, high = min(values), max(values)
    if 0 < low < 0.4 * high:
        low = 0.0
    room = (high - low) * 0.05 or abs(high) * 0.05 or 1.0
    return (low if low == 0 else low - room), high + room


def _at(value: float, low: float, high: float) -> float:
    return LEFT + (value - low) / (high - low) * (WIDE - LEFT - RIGHT)


def _drawing(height: float, parts: Sequence[str], title: str) -> str:
    inner = "".join(parts)
    return f'<svg viewBox="0 0 {WIDE} {height:.0f}" role="img" aria-label="{escape(title)}"><title>{escape(title)}</title>{inner}</svg>'
