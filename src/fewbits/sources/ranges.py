"""Byte ranges begin ≤ b < end: which of a file are there, and what is missing between them."""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Iterator
from itertools import pairwise
from typing import Generic, TypeVar

__all__ = ["Intervals", "content_range", "split"]

V = TypeVar("V")


class Intervals(Generic[V]):
    """Ranges with a value each; found by a byte in them. Of two with the same begin the longer stays."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._found: dict[int, tuple[int, V]] = {}

    def __len__(self) -> int:
        return len(self._begins)

    def __iter__(self) -> Iterator[tuple[int, int, V]]:
        return iter([(begin, *self._found[begin]) for begin in self._begins])

    def add(self, begin: int, end: int, value: V) -> None:
        """Put a range in."""
        known = self._found.get(begin)
        if known is None:
            insort(self._begins, begin)
        if known is None or known[0] < end:
            self._found[begin] = (end, value)

    def remove(self, begin: int) -> None:
        """Take out the range that starts there, if there is one."""
        if self._found.pop(begin, None) is not None:
            self._begins.remove(begin)

    def at(self, offset: int) -> tuple[int, int, V] | None:
        """The range (begin, end, value) that holds byte `offset`, of those that start last before it."""
        place = bisect_right(self._begins, offset)
        for begin in self._begins[max(place - 2, 0) : place][::-1]:
            end, value = self._found[begin]
            if offset < end:
                return begin, end, value
        return None

    def following(self, offset: int, default: int) -> int:
        """Where the next range after byte `offset` starts, at most `default`."""
        place = bisect_right(self._begins, offset)
        return min(self._begins[place], default) if place < len(self._begins) else default


def split(begin: int, end: int, size: int) -> list[tuple[int, int]]:
    """The range cut into pieces of at most `size` bytes, of about equal length."""
    count = -(-(end - begin) // size)
    edges = [begin + (end - begin) * i // count for i in range(count)] + [end] if count else []
    return list(pairwise(edges))


def content_range(text: str) -> tuple[int, int, int | None] | None:
    """(begin, end, size of the whole or None) of a Content-Range header (RFC 9110, 14.4); None where it is none."""
    match = re.fullmatch(r"\s*bytes\s+(\d+)-(\d+)/(\d+|\*)\s*", text)
    if not match or int(match[2]) < int(match[1]):
        return None
    return int(match[1]), int(match[2]) + 1, None if match[3] == "*" else int(match[3])
