"""What the remote files of one source share: threads, parts in memory, the cache on disk, and what was moved."""

from __future__ import annotations

import threading
from collections import OrderedDict
from concurrent.futures import Future

from fewbits.sources.range_cache import RangeCache
from fewbits.sources.ranges import Intervals
from fewbits.sources.workers import Workers

__all__ = ["Memory", "Part", "Transfers"]

REQUESTS = 8  # at a time
HELD = 128 << 20  # bytes of parts in memory

Part = Future[bytes | bytearray]


class Memory:
    """Parts of files that are fetched or on their way: `limit` bytes over all files, least recently used first to go."""

    def __init__(self, limit: int = HELD) -> None:
        self._limit, self._held = limit, 0
        self._lock = threading.Lock()
        self._files: dict[str, Intervals[Part]] = {}
        self._used: OrderedDict[tuple[str, int], int] = OrderedDict()

    def at(self, file: str, offset: int) -> tuple[int, int, Part] | None:
        """The part of a file that holds byte `offset`."""
        with self._lock:
            found = self._files[file].at(offset) if file in self._files else None
            if found and found[2].done() and found[2].exception():
                self._remove(file, found[0])  # it did not come: to be asked for again
                return None
            if found:
                self._used.move_to_end((file, found[0]))
            return found

    def following(self, file: str, offset: int, default: int) -> int:
        """Where the next part after byte `offset` starts, at most `default`."""
        with self._lock:
            return self._files[file].following(offset, default) if file in self._files else default

    def add(self, file: str, begin: int, end: int, part: Part) -> None:
        """Hold a part; others go where there is no room."""
        with self._lock:
            self._remove(file, begin)
            self._files.setdefault(file, Intervals()).add(begin, end, part)
            self._used[file, begin] = end - begin
            self._held += end - begin
            while self._held > self._limit and len(self._used) > 1:
                self._remove(*next(iter(self._used)))

    def _remove(self, file: str, begin: int) -> None:
        size = self._used.pop((file, begin), None)
        if size is not None:
            self._held -= size
            self._files[file].remove(begin)


class Transfers:
    """Threads, memory and cache of a source; `moved` counts the bytes of files that came over the network.

    `keep`: whether what is fetched goes into the cache on disk; what is there is used in any case.
    """

    def __init__(self, cache: RangeCache | None = None) -> None:
        self.cache, self.keep = cache, True
        self.workers, self.memory = Workers(REQUESTS), Memory()
        self.moved = self.requests = 0
        self._lock = threading.Lock()

    def count(self, moved: int = 0, requests: int = 0) -> None:
        """So many more bytes have come, so many more requests were made."""
        with self._lock:
            self.moved += moved
            self.requests += requests
