"""A file's start read forwards: little-endian numbers and texts, in pieces that grow with what was read, up to a limit."""

from __future__ import annotations

import hashlib
import struct

from fewbits.errors import SourceError
from fewbits.sources.file import File
from fewbits.sources.strict_json import quoted

__all__ = ["Cursor"]

FIRST = 1 << 20  # bytes of the first piece; each later one is as long as all before
LENGTH = struct.Struct("<Q")  # of a text


class Cursor:
    """A position in the first `limit` bytes of a file; what is asked for is checked against them before it is fetched."""

    def __init__(self, file: File, limit: int, what: str) -> None:
        self.file, self.what, self.position = file, what, 0
        self._limit, self._end = limit, min(limit, file.size)
        self._fetched = bytearray()

    def wrong(self, problem: str) -> SourceError:
        """The error of a problem in this file."""
        return SourceError(f"{self.file.where}: {problem}")

    def need(self, count: int, what: str) -> None:
        """Raise `SourceError` unless so many bytes are left."""
        if count <= self._end - self.position:
            return
        if self._end < self.file.size:
            end = f"its header would be more than {self._limit:,} bytes, at most so many are read"
        else:
            end = f"the file of {self.file.size:,} bytes is truncated"
        raise self.wrong(f"{what} takes {count:,} bytes from byte {self.position:,} on, but {end}")

    def skip(self, count: int, what: str) -> None:
        """Move on by so many bytes."""
        self.need(count, what)
        self._fetch(self.position + count)
        self.position += count

    def take(self, count: int, what: str) -> bytes:
        """The next bytes."""
        self.skip(count, what)
        return bytes(self._fetched[self.position - count : self.position])

    def number(self, code: str, what: str) -> int | float:
        """The next number, of a `struct` code."""
        size = struct.calcsize("<" + code)
        self.skip(size, what)
        (value,) = struct.unpack_from("<" + code, self._fetched, self.position - size)
        return value  # type: ignore[no-any-return]

    def count(self, what: str, code: str = "Q") -> int:
        """The next unsigned number."""
        return int(self.number(code, what))

    def text(self, what: str, longest: int) -> str:
        """The next text: its length as 64 bits, then UTF-8."""
        content = self.take(self.text_length(what, longest), what)
        try:
            return content.decode("utf-8")
        except UnicodeError:
            raise self.wrong(f"{what}, {quoted(content)}, is not UTF-8") from None

    def skip_texts(self, count: int, what: str, longest: int) -> None:
        """Move on by so many texts; vocabularies have hundreds of thousands."""
        for _ in range(count):
            start = self.position + LENGTH.size
            if start > len(self._fetched):
                self.need(LENGTH.size, what)
                self._fetch(start)
            (length,) = LENGTH.unpack_from(self._fetched, self.position)
            self.position = start
            if length > longest or start + length > len(self._fetched):
                self._check_length(length, what, longest)
                self.need(length, what)
                self._fetch(start + length)
            self.position = start + length

    def text_length(self, what: str, longest: int) -> int:
        """The length before a text, in bytes."""
        length = self.count(f"the length of {what}")
        self._check_length(length, what, longest)
        return length

    def _check_length(self, length: int, what: str, longest: int) -> None:
        if length > longest:
            raise self.wrong(f"{what} has {length:,} bytes, at most {longest:,} are allowed")

    def bytes_from(self, start: int) -> memoryview:
        """What was passed since position `start`; to be released before the next step."""
        return memoryview(self._fetched)[start : self.position]

    def digest(self, start: int = 0) -> str:
        """SHA-256 of what was passed since position `start`."""
        with self.bytes_from(start) as content:
            return hashlib.sha256(content).hexdigest()

    def _fetch(self, end: int) -> None:
        """Have the first `end` bytes."""
        while len(self._fetched) < end:
            have = len(self._fetched)
            piece = bytearray(min(max(have, FIRST), self._end - have))
            self.file.read_into(have, memoryview(piece), self.what)
            self._fetched += piece
