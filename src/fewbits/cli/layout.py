"""Lines that fit the terminal: columns are dropped, names shortened; nothing wraps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Line", "Row", "cropped", "fitted"]

Line = list[tuple[str, str]]
Row = Mapping[str, tuple[str, str]]  # cells (text, style) by column; all rows of a table have the same columns


def fitted(rows: Sequence[Row], width: int, less: Sequence[str], name: str = "name") -> list[Line]:
    """Rows as lines of at most `width` characters (0: any): padding of `name` goes, then columns of `less` in that order.

    What is then still too wide is cut off the names, as far as they go.
    """
    if not rows:
        return []
    kept, going = list(rows[0]), [column for column in less if column in rows[0]]

    def excess() -> int:
        return (
            max(
                sum(len(row[column][0].rstrip() if column == kept[-1] else row[column][0]) for column in kept)
                for row in rows
            )
            - width
        )

    padding = min(len(row[name][0]) - len(row[name][0].rstrip()) for row in rows)
    cut = 0
    while width and excess() - padding > 0 and going:
        kept.remove(going.pop(0))
    if width:
        cut = max(0, min(excess(), max(len(row[name][0]) for row in rows) - 4))
    return [[(_short(*row[c], cut) if c == name else row[c]) for c in kept] for row in rows]


def cropped(line: Line, width: int) -> Line:
    """A line of at most `width` characters (0: any); … stands for what is cut off."""
    if not width or sum(len(text) for text, _ in line) <= width:
        return line
    parts: Line = []
    room = width - 1
    for text, style in line:
        parts.append((text[:room], style))
        room -= len(text)
        if room < 0:
            break
    return [*parts, ("…", "dim")]


def _short(text: str, style: str, cut: int) -> tuple[str, str]:
    room = len(text) - cut
    return (text[:room] if len(text.rstrip()) <= room else text[: room - 1] + "…", style)
