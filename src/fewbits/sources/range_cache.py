"""Fetched byte ranges of remote files, kept on disk between runs and shared by processes.

ranges/HASH/about.json     what the file is: model, name, version, bytes
ranges/HASH/BEGIN-END      its bytes from BEGIN to END, then their CRC-32; HASH names place and version of the file

Every file is written whole or not at all. A range that is damaged or gone is one that is not there. Where the folder cannot
be written, nothing is kept.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import tempfile
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from fewbits.sources.file import shown
from fewbits.sources.ranges import Intervals

__all__ = ["ABOUT", "KeptFile", "RangeCache", "evict", "kept_ranges", "write_whole"]

ABOUT = "about.json"
CHECK = 4  # bytes of the CRC-32
ROOM = 0.9  # of the limit that is left filled when something has to go

log = logging.getLogger("fewbits")


class RangeCache:
    """The ranges below a folder, `limit` bytes in all: least recently used first to go."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.folder, self.limit = folder / "ranges", limit
        self.writable = limit > 0
        self._size: int | None = None
        self._lock = threading.Lock()

    def file(self, key: str, about: Mapping[str, str | int]) -> KeptFile:
        """What is kept of the file that `key` names with its version."""
        return KeptFile(self, self.folder / hashlib.sha256(key.encode()).hexdigest()[:40], about)

    def grown(self, size: int) -> None:
        """So many more bytes are kept; others go when they are too many."""
        with self._lock:
            if self._size is None:
                self._size = sum(found.st_size for _, found in kept_ranges(self.folder))
            else:
                self._size += size
            if self._size > self.limit:
                self._size = evict(self.folder, int(self.limit * ROOM))

    def refuse(self, error: OSError) -> None:
        """Writing failed: go on without."""
        if self.writable:
            self.writable = False
            reason = (error.strerror or str(error)).lower()
            log.warning("cannot write to the cache %s (%s): going on without", shown(self.folder), reason)


class KeptFile:
    """The kept ranges of one file."""

    def __init__(self, cache: RangeCache, folder: Path, about: Mapping[str, str | int]) -> None:
        self.cache, self.folder, self.about = cache, folder, about
        self._lock = threading.Lock()
        self._listed: float | None = None
        self._ranges: Intervals[str] = Intervals()

    def at(self, offset: int) -> tuple[int, bytes] | None:
        """(begin, bytes) of a range that holds byte `offset`."""
        with self._lock:
            self._list()
            found = self._ranges.at(offset)
        content = self._load(found[2]) if found else None
        if found and content is None:
            with self._lock:
                self._ranges.remove(found[0])
        return (found[0], content) if found and content is not None else None

    def following(self, offset: int, default: int) -> int:
        """Where the next range after byte `offset` starts, at most `default`."""
        with self._lock:
            return self._ranges.following(offset, default)

    def holds(self, offset: int) -> bool:
        """Whether a range holds byte `offset`, by its name."""
        with self._lock:
            self._list()
            return self._ranges.at(offset) is not None

    def put(self, begin: int, content: bytes | bytearray | memoryview) -> None:
        """Keep bytes from `begin` on, as far as the disk allows."""
        cache, name = self.cache, f"{begin}-{begin + len(content)}"
        if not cache.writable or not len(content) or len(content) > cache.limit // 4:
            return
        try:
            try:
                self._write(name, content)
            except FileNotFoundError:  # another process has just removed the folder, which had become empty
                self._write(name, content)
        except OSError as error:
            cache.refuse(error)
            return
        with self._lock:
            self._ranges.add(begin, begin + len(content), name)
        cache.grown(len(content) + CHECK)

    def _write(self, name: str, content: bytes | bytearray | memoryview) -> None:
        if not (self.folder / ABOUT).exists():
            write_whole(self.folder / ABOUT, json.dumps(self.about).encode())
        write_whole(self.folder / name, content, zlib.crc32(content).to_bytes(CHECK, "little"))

    def _list(self) -> None:
        """Note what is there, again when the folder has changed."""
        try:
            changed = os.stat(self.folder).st_mtime_ns
            if changed == self._listed:
                return
            names = os.listdir(self.folder)
        except OSError:
            return
        self._listed = changed
        self._ranges = Intervals()
        for name in names:
            if match := re.fullmatch(r"(\d+)-(\d+)", name):
                self._ranges.add(int(match[1]), int(match[2]), name)

    def _load(self, name: str) -> bytes | None:
        """The bytes of a range, if they are what was written; used now."""
        path = self.folder / name
        begin, _, end = name.partition("-")
        try:
            content = path.read_bytes()
        except OSError:
            return None
        data, check = content[:-CHECK], content[-CHECK:]
        if len(data) != int(end) - int(begin) or zlib.crc32(data) != int.from_bytes(check, "little"):
            with suppress(OSError):
                path.unlink()
            return None
        with suppress(OSError):
            os.utime(path)
        return data


def kept_ranges(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Every kept range below a folder, with size and time of last use."""
    with suppress(OSError), os.scandir(folder) as homes:
        for home in homes:
            with suppress(OSError), os.scandir(home.path) as entries:
                for entry in entries:
                    if re.fullmatch(r"\d+-\d+", entry.name):
                        with suppress(OSError):
                            yield Path(entry.path), entry.stat()


def evict(folder: Path, limit: int) -> int:
    """Remove ranges, least recently used first, until `limit` bytes are left; how many are."""
    found = sorted(kept_ranges(folder), key=lambda item: item[1].st_mtime_ns)
    left = sum(status.st_size for _, status in found)
    for path, status in found:
        if left <= limit:
            break
        with suppress(OSError):
            path.unlink()
            left -= status.st_size
        with suppress(OSError):
            if os.listdir(path.parent) == [ABOUT]:
                (path.parent / ABOUT).unlink()
                path.parent.rmdir()
    return left


def write_whole(path: Path, *content: bytes | bytearray | memoryview) -> None:
    """A file that is there whole or not at all; raises `OSError`."""
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(prefix=".", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.writelines(content)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise
