"""Messages of Protocol Buffers, field by field (https://protobuf.dev/programming-guides/encoding), read at positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fewbits.errors import SourceError
from fewbits.sources.file import File
from fewbits.sources.scanner import BLOCK, Scanner
from fewbits.sources.strict_json import quoted

__all__ = ["Field", "fields", "text_of", "varint"]

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
WIDTHS = {FIXED64: 8, FIXED32: 4}


@dataclass(frozen=True)
class Field:
    """A field of a message: its number, and its value (a varint) or the place of its bytes."""

    number: int
    kind: int
    value: int
    begin: int
    end: int


def fields(file: File, what: str, begin: int, end: int, block: int = BLOCK) -> Iterator[Field]:
    """The fields of the message begin ≤ byte < end; the bytes of fields are not read; raises `SourceError`."""
    scanner = Scanner(file, what, begin, end, block)
    while scanner.left:
        at = scanner.position
        tag = varint(scanner)
        number, kind = tag >> 3, tag & 7
        if not 0 < number < 1 << 29 or kind not in (VARINT, FIXED64, BYTES, FIXED32):
            raise SourceError(f"{file.where}: no field of {what} at byte {at:,}")
        value = varint(scanner) if kind in (VARINT, BYTES) else 0
        length = 0 if kind == VARINT else WIDTHS.get(kind, value)
        first = scanner.position
        scanner.skip(length)
        yield Field(number, kind, value, first, scanner.position)


def varint(scanner: Scanner) -> int:
    """An integer of at most 64 bits, seven a byte; raises `SourceError`."""
    value = 0
    for shift in range(0, 70, 7):
        byte = scanner.take(1)[0]
        value |= (byte & 127) << shift
        if byte < 128:
            if value >> 64:
                break
            return value
    raise SourceError(
        f"{scanner.file.where}: {scanner.what} has an integer of more than 64 bits at {scanner.position:,}"
    )


def text_of(file: File, found: Field, what: str, limit: int = 10_000) -> str:
    """The text of a field; raises `SourceError`."""
    if found.kind != BYTES or found.end - found.begin > limit:
        raise SourceError(f"{file.where}: {what} at byte {found.begin:,} is no text of at most {limit:,} bytes")
    raw = bytearray(found.end - found.begin)
    file.read_into(found.begin, memoryview(raw), what)
    try:
        return raw.decode("utf-8")
    except UnicodeError as error:
        raise SourceError(f"{file.where}: {what} {quoted(bytes(raw))} is not UTF-8") from error
