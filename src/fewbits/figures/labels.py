"""Labels that do not cover each other: a place for the name of each point, with a leader where it stands apart."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

__all__ = ["Label", "place"]

CHARACTER, HEIGHT = 7.1, 13.5  # pixels, of an 11-pixel sans serif, one of the wider ones
RADIUS = 6.0  # of a point
NEAR = 10.0  # from the point's centre to its label
FAR = (24.0, 38.0, 52.0, 66.0, 80.0)  # with a leader

Align = Literal["left", "center", "right"]
Box = tuple[float, float, float, float]

# Unit steps from the point, in the order of preference, and the side of the text that faces it.
AROUND: tuple[tuple[float, float, Align], ...] = (
    (-1, 0, "right"), (1, 0, "left"), (0, -1.3, "center"), (0, 1.3, "center"),
    (-0.7, -0.9, "right"), (0.7, 0.9, "left"), (-0.7, 0.9, "right"), (0.7, -0.9, "left"),
)  # fmt: skip
BESIDE: tuple[tuple[float, float, Align], ...] = (
    (0.9, 0.5, "left"), (0.7, 0.8, "left"), (0.5, 1.0, "left"), (1, 0.15, "left"),
)  # fmt: skip
BEFORE: tuple[tuple[float, float, Align], ...] = (
    (-0.9, -0.5, "right"), (-0.7, -0.8, "right"), (-0.9, 0.5, "right"), (0.9, -0.5, "left"),
)  # fmt: skip


class Label(NamedTuple):
    """Where a text stands: its side `align` at x, its middle at y; `leader` when it needs a line to its point."""

    x: float
    y: float
    align: Align
    leader: bool


def place(points: Sequence[tuple[float, float, str]], size: tuple[float, float]) -> list[Label | None]:
    """A place for the label of each point, None where there is no room; points that come first choose first.

    Points are x, y (pixels, y downwards) and text. No label covers a point or another label, or leaves the picture.
    """
    dots: list[Box] = [(x - RADIUS, y - RADIUS, x + RADIUS, y + RADIUS) for x, y, _ in points]
    taken: list[Box] = []
    found: list[Label | None] = []
    for i, (x, y, text) in enumerate(points):
        others = [*dots[:i], *dots[i + 1 :], *taken]
        for label in _candidates(x, y):
            box = _box(label, CHARACTER * len(text))
            if _inside(box, size) and not any(_overlap(box, other) for other in others):
                found.append(label)
                taken.append(box)
                break
        else:
            found.append(None)
    return found


def _candidates(x: float, y: float) -> Iterator[Label]:
    for dx, dy, align in AROUND:
        yield Label(x + NEAR * dx, y + NEAR * dy, align, False)
    for side in (BESIDE, BEFORE):
        for distance in FAR:
            for dx, dy, align in side:
                yield Label(x + distance * dx, y + distance * dy, align, True)


def _box(label: Label, width: float) -> Box:
    left = label.x - {"left": 0.0, "center": width / 2, "right": width}[label.align]
    return left, label.y - HEIGHT / 2, left + width, label.y + HEIGHT / 2


def _inside(box: Box, size: tuple[float, float]) -> bool:
    return box[0] >= 0 and box[1] >= -HEIGHT and box[2] <= size[0] and box[3] <= size[1]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
