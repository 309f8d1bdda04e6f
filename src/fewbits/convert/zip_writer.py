"""Zip archives of stored entries, their bytes at multiples of 64 as torch aligns them; the same input, the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterable
from types import TracebackType
from typing import IO

__all__ = ["ZipWriter"]

ALIGNED = 64
HEADER, WIDE, PADDING = 30, 20, 4  # bytes of an entry's header, of its zip64 field, and of the padding's own header
LARGE = 1 << 31  # bytes from which zip64 is used
EPOCH = (1980, 1, 1, 0, 0, 0)


class ZipWriter:
    """Adds entries one after the other; leaving the block writes the directory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._archive = zipfile.ZipFile(file, "w", zipfile.ZIP_STORED, allowZip64=True)

    def __enter__(self) -> ZipWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._archive.close()
        else:
            self._archive.fp = None  # the file is thrown away: nothing more goes into it

    def add(self, name: str, size: int, pieces: Iterable[bytes | memoryview]) -> None:
        """An entry of `size` bytes."""
        info = zipfile.ZipInfo(name, EPOCH)
        info.file_size = size
        start = self._file.tell() + HEADER + len(name.encode()) + (WIDE if size >= LARGE else 0) + PADDING
        padding = -start % ALIGNED
        info.extra = b"FB" + padding.to_bytes(2, "little") + bytes(padding)
        with self._archive.open(info, "w", force_zip64=size >= LARGE) as entry:
            for piece in pieces:
                entry.write(piece)
