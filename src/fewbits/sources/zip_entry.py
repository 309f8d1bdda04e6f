"""The bytes of a file in a zip archive: stored ones at their place, deflated ones unpacked as far as asked for."""

from __future__ import annotations

import struct
import threading
import zlib
from functools import cached_property

from fewbits.errors import SourceError
from fewbits.sources.file import File
from fewbits.sources.strict_json import quoted
from fewbits.sources.zip_directory import DEFLATED, LOCAL, STORED, ZipEntry

__all__ = ["Inflated", "Part", "open_entry"]

PIECE = 1 << 16  # bytes unpacked at a time
APART = 1 << 24  # bytes between two places from which unpacking can go on


def open_entry(file: File, entry: ZipEntry) -> File:
    """An entry as a file; nothing is read yet; raises `SourceError` for methods other than stored and deflated."""
    part = Part(file, entry)
    if entry.method == STORED:
        return part
    if entry.method == DEFLATED:
        return Inflated(part, entry)
    raise SourceError(f"{part.where} is packed with method {entry.method} of zip; only deflate (8) is read")


class Part:
    """The packed bytes of an entry."""

    def __init__(self, file: File, entry: ZipEntry) -> None:
        self._file, self._entry = file, entry
        self.where = f"{file.where}: {quoted(entry.name)}"
        self.key = f"{file.key}:{entry.header}:{entry.name}"
        self.size = entry.packed

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` from `offset`; raises `SourceError`."""
        if offset + len(buffer) > self.size:
            raise SourceError(f"{self.where}: ends at byte {self.size:,}, while reading {what} at {offset:,}")
        self._file.read_into(self._start + offset, buffer, what)

    @cached_property
    def _start(self) -> int:
        """Where the bytes begin, by the entry's own header, which has to say what the directory does."""
        entry = self._entry
        raw = bytearray(LOCAL + len(entry.raw_name))
        self._file.read_into(entry.header, memoryview(raw), f"the header of {quoted(entry.name)}")
        flags, method = struct.unpack_from("<2H", raw, 6)
        named, extra = struct.unpack_from("<2H", raw, 26)
        if raw[:4] != b"PK\3\4" or raw[LOCAL:] != entry.raw_name or named != len(entry.raw_name):
            raise SourceError(f"{self.where}: its header at byte {entry.header:,} is not what the zip directory says")
        if method != entry.method or flags & 1:
            raise SourceError(f"{self.where}: packed in another way than the zip directory says")
        start = entry.header + len(raw) + int(extra)
        if start + entry.packed > entry.bound:
            raise SourceError(f"{self.where}: reaches beyond byte {entry.bound:,}, where something else begins")
        return start


class Inflated:
    """An entry unpacked: never more than its declared size, from the nearest known place before what is asked for."""

    def __init__(self, packed: Part, entry: ZipEntry) -> None:
        self._packed, self._crc = packed, entry.crc
        self.where, self.key, self.size = packed.where, packed.key, entry.size
        self._lock = threading.Lock()
        self._known = [_Stream(packed)]  # by position
        self._last: _Stream | None = None

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` from `offset`; raises `SourceError`."""
        if offset + len(buffer) > self.size:
            raise SourceError(f"{self.where}: ends at byte {self.size:,}, while reading {what} at {offset:,}")
        stream, done = self._nearest(offset), 0
        while done < len(buffer):
            missing = offset - stream.position
            piece = stream.next(min(PIECE, missing if missing > 0 else len(buffer) - done), what)
            self._remember(stream)
            if missing <= 0:
                buffer[done : done + len(piece)] = piece
                done += len(piece)
        if stream.position == self.size:
            stream.finish(self._crc, what)
        else:
            with self._lock:
                self._last = stream

    def _nearest(self, offset: int) -> _Stream:
        with self._lock:
            known = max((s for s in self._known if s.position <= offset), key=lambda s: s.position)
            last = self._last
            if last is not None and known.position <= last.position <= offset:
                self._last = None  # whoever reads on has it alone
                return last
            return known.copy()

    def _remember(self, stream: _Stream) -> None:
        with self._lock:
            if stream.position - self._known[-1].position >= max(APART, self.size // 16):
                self._known.append(stream.copy())


class _Stream:
    """A deflate stream at a position of what it becomes."""

    def __init__(self, packed: Part) -> None:
        self._packed = packed
        self.position = self._taken = self._sum = 0
        self._pending = b""
        self._decoder = zlib.decompressobj(-zlib.MAX_WBITS)

    def copy(self) -> _Stream:
        """Another stream at the same position."""
        other = _Stream(self._packed)
        other.position, other._taken, other._sum = self.position, self._taken, self._sum
        other._pending, other._decoder = self._pending, self._decoder.copy()
        return other

    def next(self, limit: int, what: str) -> bytes:
        """Between 1 and `limit` bytes; raises `SourceError` where there are none."""
        piece = self._unpack(limit, what)
        if not piece:
            raise SourceError(f"{self._packed.where}: its packed bytes end at {self.position:,}, while reading {what}")
        self.position += len(piece)
        self._sum = zlib.crc32(piece, self._sum)
        return piece

    def finish(self, crc: int, what: str) -> None:
        """Raises `SourceError` unless this is the end, and all before it what the archive's sum says."""
        if self._unpack(1, what) or not self._decoder.eof:
            raise SourceError(f"{self._packed.where}: its packed bytes hold more than {self.position:,}, its size")
        if self._sum != crc:
            raise SourceError(f"{self._packed.where}: damaged, its checksum is {self._sum:08x} and not {crc:08x}")

    def _unpack(self, limit: int, what: str) -> bytes:
        while not self._decoder.eof:
            last = not self._pending and not self._refill(what)
            try:
                piece = self._decoder.decompress(self._pending, limit)
            except zlib.error as error:
                raise SourceError(f"{self._packed.where}: damaged at {self.position:,}, {error}") from error
            self._pending = self._decoder.unconsumed_tail
            if piece or last:
                return piece
        return b""

    def _refill(self, what: str) -> bool:
        raw = bytearray(min(PIECE, self._packed.size - self._taken))
        self._packed.read_into(self._taken, memoryview(raw), what)
        self._taken += len(raw)
        self._pending = bytes(raw)
        return bool(raw)
