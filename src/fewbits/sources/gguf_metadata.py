"""Metadata of GGUF files: keys and values of a dozen types, checked before they are used.

https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from fewbits.sources.cursor import Cursor
from fewbits.sources.strict_json import quoted

__all__ = ["LongArray", "Value", "read_metadata"]

MOST = 100_000  # keys
LONGEST_KEY = 65_535  # bytes, as the format says
LONGEST_TEXT = 1 << 24  # bytes
DEEPEST = 4  # arrays in arrays
KEPT = 16_384  # bytes of an array that is kept as it is

NUMBERS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 10: "Q", 11: "q", 12: "d"}
WIDTHS = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}
BOOL, TEXT, ARRAY = 7, 8, 9
NAMES = (
    *("uint8", "int8", "uint16", "int16", "uint32", "int32", "float32"),
    *("bool", "string", "array", "uint64", "int64", "float64"),
)

Value: TypeAlias = "bool | int | float | str | tuple[Value, ...] | LongArray"


@dataclass(frozen=True)
class LongArray:
    """An array too long to be kept: the type and number of its items, and the SHA-256 of its bytes in the file."""

    kind: str
    count: int
    digest: str


def read_metadata(cursor: Cursor, count: int) -> Mapping[str, Value]:
    """The next `count` keys and their values; raises `SourceError`."""
    if count > MOST:
        raise cursor.wrong(f"{count:,} metadata keys, at most {MOST:,} are allowed")
    found: dict[str, Value] = {}
    for number in range(count):
        key = cursor.text(f"metadata key {number + 1} of {count}", LONGEST_KEY)
        what = f"metadata {quoted(key)}"
        if key in found:
            raise cursor.wrong(f"{what} stands there twice")
        found[key] = _value(cursor, _kind(cursor, what), what)
    return found


def _kind(cursor: Cursor, what: str) -> int:
    kind = cursor.count(f"the type of {what}", "I")
    if kind >= len(NAMES):
        raise cursor.wrong(f"{what}: type {kind}, allowed are 0 to {len(NAMES) - 1}")
    return kind


def _value(cursor: Cursor, kind: int, what: str) -> Value:
    if kind == ARRAY:
        return _array(cursor, what)
    if kind == TEXT:
        return _text(cursor, what)
    if kind == BOOL:
        _check_bools(cursor, 1, what)
        return cursor.bytes_from(cursor.position - 1)[0] == 1
    return cursor.number(NUMBERS[kind], what)


def _text(cursor: Cursor, what: str) -> str:
    """A text; tokens may hold half a character, which is replaced."""
    return cursor.take(cursor.text_length(what, LONGEST_TEXT), what).decode("utf-8", "replace")


def _array(cursor: Cursor, what: str) -> Value:
    """The items, or what is known of them where they are long; passed over first, for only then their length is known."""
    start = cursor.position
    kind, count = _skip_array(cursor, what, 1)
    if cursor.position - start > KEPT:
        return LongArray(NAMES[kind], count, cursor.digest(start))
    cursor.position = start + 12
    return _items(cursor, kind, count, what)


def _items(cursor: Cursor, kind: int, count: int, what: str) -> tuple[Value, ...]:
    if kind != ARRAY:
        return tuple(_value(cursor, kind, what) for _ in range(count))
    return tuple(_items(cursor, *_array_start(cursor, what), what) for _ in range(count))


def _array_start(cursor: Cursor, what: str) -> tuple[int, int]:
    """Type and number of the items."""
    kind = _kind(cursor, f"the items of {what}")
    return kind, cursor.count(f"the number of items of {what}")


def _skip_array(cursor: Cursor, what: str, depth: int) -> tuple[int, int]:
    """Pass over an array, checking it."""
    if depth > DEEPEST:
        raise cursor.wrong(f"{what} has arrays nested more than {DEEPEST} deep")
    kind, count = _array_start(cursor, what)
    least = WIDTHS.get(kind, 12 if kind == ARRAY else 8)  # bytes of an item
    cursor.need(count * least, f"{what}, {count:,} items of {NAMES[kind]},")
    if kind == ARRAY:
        for _ in range(count):
            _skip_array(cursor, what, depth + 1)
    elif kind == TEXT:
        cursor.skip_texts(count, what, LONGEST_TEXT)
    elif kind == BOOL:
        _check_bools(cursor, count, what)
    else:
        cursor.skip(count * least, what)
    return kind, count


def _check_bools(cursor: Cursor, count: int, what: str) -> None:
    """Pass over booleans; `SourceError` where a byte is none."""
    cursor.skip(count, what)
    with cursor.bytes_from(cursor.position - count) as content:
        most = max(content, default=0)
    if most > 1:
        raise cursor.wrong(f"{what} has a bool that is {most}, allowed are 0 and 1")
