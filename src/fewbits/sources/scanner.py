"""A file read from front to back, a block at a time, with jumps over what is not needed."""

from __future__ import annotations

from fewbits.errors import SourceError
from fewbits.sources.file import File

__all__ = ["BLOCK", "Scanner"]

BLOCK = 1 << 16  # bytes fetched at once


class Scanner:
    """Bytes `position` ≤ b < `stop` of a file; asking for more than there is raises `SourceError`."""

    def __init__(self, file: File, what: str, position: int = 0, stop: int | None = None, block: int = BLOCK) -> None:
        self.file, self.what, self.position = file, what, position
        self.stop = file.size if stop is None else stop
        self._size, self._block, self._first = block, b"", 0

    @property
    def left(self) -> int:
        """Bytes up to the end."""
        return self.stop - self.position

    def take(self, count: int) -> bytes:
        """The next `count` bytes."""
        self.skip(count)
        begin = self.position - count
        at = begin - self._first
        if at < 0 or at + count > len(self._block):
            self._fetch(begin, count)
            at = 0
        return self._block[at : at + count]

    def skip(self, count: int) -> None:
        """Go on `count` bytes, unread."""
        if not 0 <= count <= self.left:
            raise SourceError(
                f"{self.file.where}: {self.what} ends at byte {self.stop:,}, {count:,} more were due at {self.position:,}"
            )
        self.position += count

    def line(self, limit: int) -> bytes:
        """The bytes before the next line feed, which is passed; at most `limit`."""
        begin = self.position
        found = self.take(min(self.left, limit + 1)).find(b"\n")
        if found < 0:
            raise SourceError(
                f"{self.file.where}: {self.what} has no end of a line in {limit:,} bytes from {begin:,} on"
            )
        self.position = begin
        return self.take(found + 1)[:-1]

    def _fetch(self, begin: int, count: int) -> None:
        block = bytearray(min(max(count, self._size), self.stop - begin))
        self.file.read_into(begin, memoryview(block), self.what)
        self._block, self._first = bytes(block), begin
