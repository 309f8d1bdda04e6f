"""A remote file read by ranges: what is in memory or in the cache is not fetched, what follows is fetched ahead."""

from __future__ import annotations

import threading
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import partial
from typing import NamedTuple

from fewbits.errors import SourceError
from fewbits.sources.http_ranges import Ranges
from fewbits.sources.range_cache import KeptFile
from fewbits.sources.ranges import Intervals, split
from fewbits.sources.transfers import Part, Transfers

__all__ = ["RemoteFile"]

PART = 8 << 20  # bytes of a request, at most: several are under way at a time
SMALL = 4 << 20  # bytes: what is fetched in smaller pieces is held in memory, for whoever needs it next
WHOLE = 1 << 18  # bytes: smaller tensors are fetched whole, whatever is read of them
UNMARKED = 1 << 16  # bytes of the least request before it is known where tensors are
AHEAD = 1 << 20, 64 << 20  # least and most bytes that are fetched ahead
STREAMS = 256  # ends of reads that are remembered to tell who reads on


class _Piece(NamedTuple):
    """Bytes begin ≤ b < end, which are in `part` from `start` on; None: to be fetched."""

    begin: int
    end: int
    part: Part | None = None
    start: int = 0


class RemoteFile:
    """A `File` whose bytes come from `ranges`, for `transfers` to count; `kept` is what the cache on disk has.

    `mark` tells where tensors end: read-ahead goes no further, and small ones are fetched whole. Before, it is
    guessed from what was read: whoever reads on gets a little more.
    """

    def __init__(
        self,
        where: str,
        size: int,
        key: str,
        ranges: Ranges,
        transfers: Transfers,
        kept: KeptFile | None = None,
    ) -> None:
        self.where, self.size, self.key = where, size, key
        self._ranges, self._transfers, self._kept = ranges, transfers, kept
        self._lock = threading.Lock()
        self._marks: list[int] = []
        self._ends: OrderedDict[int, int] = OrderedDict()  # end of a read → bytes read on until there
        self._ahead = 0  # how far is fetched ahead
        self._sweeping, self._swept = threading.Lock(), False
        self._direct: Intervals[None] = Intervals()  # large pieces under way, straight into somebody's buffer

    def mark(self, edges: Iterable[int]) -> None:
        """Say where tensors begin and end."""
        with self._lock:
            self._marks = sorted({*self._marks, *edges, self.size})
            self._ends.clear()  # who reads a tensor does not read on from the header

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill `buffer` from `offset`; no more is fetched than that and what `mark` allows."""
        end = offset + len(buffer)
        if end > self.size:
            raise SourceError(f"{self.where}: ends at byte {self.size}, while reading {what} at {offset}")
        if offset == end:
            return
        pieces: list[_Piece] = []
        try:
            with self._lock:
                pieces = list(self._pieces(offset, end))
                for piece in pieces:
                    if piece.part is None:
                        self._direct.add(piece.begin, piece.end, None)
                self._look_ahead(offset, end)
            self._gather(pieces, offset, buffer)
        except SourceError as error:
            raise SourceError(f"{error}, while reading {what}") from error
        finally:
            with self._lock:
                for piece in pieces:
                    if piece.part is None:
                        self._direct.remove(piece.begin)

    def start(self, count: int) -> bool:
        """Have the first bytes in memory: `count` of them, and True, where none were at hand."""
        with self._lock:
            if self._transfers.memory.at(self.key, 0) or self._load(0):
                return False
        self.prime(count)
        return True

    def prime(self, end: int) -> None:
        """Have the bytes before `end` in memory, by one request for those that are missing."""
        with self._lock:
            pieces = list(self._pieces(0, min(end, self.size), exact=True))
        for piece in pieces:
            if piece.part is None:
                content = bytearray(piece.end - piece.begin)
                self._ranges.fetch_into(piece.begin, memoryview(content))
                self._keep(piece.begin, memoryview(content))
                self._hold(piece.begin, piece.end, _done(content))
            else:
                piece.part.result()

    def supply(self, content: bytes) -> None:
        """The first bytes, which have come otherwise."""
        if content:
            self._hold(0, len(content), _done(content))
            self._keep(0, content)

    def _pieces(self, offset: int, end: int, *, exact: bool = False) -> Iterator[_Piece]:
        """The range in pieces; those to be fetched that are small are ordered as a part, others have none yet."""
        while offset < end:
            found = self._transfers.memory.at(self.key, offset) or self._load(offset)
            stop = min(found[1], end) if found else self._following(offset, end)
            low, high = self._widened(offset, stop) if not (found or exact) else (offset, stop)
            if found:
                yield _Piece(offset, stop, found[2], found[0])
            elif exact or high - low > SMALL:
                yield _Piece(offset, stop)
            else:
                yield _Piece(offset, stop, self._order(low, high), low)
            offset = stop

    def _gather(self, pieces: list[_Piece], offset: int, buffer: memoryview) -> None:
        """Fill the buffer: large pieces in parallel, straight into it."""
        ranges = [part for piece in pieces if piece.part is None for part in split(piece.begin, piece.end, PART)]
        tasks = [partial(self._fetch_into, low, buffer[low - offset : high - offset]) for low, high in ranges]
        under_way = [self._transfers.workers.submit(task) for task in tasks[1:]]
        try:
            for task in tasks[:1]:
                task()
            for piece in pieces:
                if piece.part is not None:
                    content = memoryview(piece.part.result())
                    view = content[piece.begin - piece.start : piece.end - piece.start]
                    buffer[piece.begin - offset : piece.end - offset] = view
        finally:
            errors = [future.exception() for future in under_way]  # from here on nobody writes into the buffer
        for error in errors:
            if error is not None:
                raise error

    def _look_ahead(self, offset: int, end: int) -> None:
        """Order what follows when a read goes on where another ended."""
        run = self._ends.pop(offset, None)
        self._ends[end] = (run or 0) + end - offset
        if len(self._ends) > STREAMS:
            self._ends.popitem(last=False)
        if run is None or self._ranges.whole:
            return
        least, most = AHEAD
        window = min(max(2 * run, least), most)
        guess = end + (run // 32 if run >= UNMARKED else 0)
        limit = min(end + window, self._edge(end - 1) if self._marks else guess, self.size)
        begin = self._ahead if end < self._ahead <= end + most else end
        if begin >= limit or begin - end > (limit - end) // 2:
            return
        self._ahead = limit
        memory = self._transfers.memory
        while begin < limit:
            found = memory.at(self.key, begin) or self._direct.at(begin)
            stop = self._direct.following(begin, self._following(begin, limit))
            stop = min(found[1] if found else stop, limit)
            if not found and not (self._kept and self._kept.holds(begin)):
                for low, high in split(begin, stop, PART):
                    self._order(low, high)
            begin = stop

    def _widened(self, begin: int, end: int) -> tuple[int, int]:
        """A missing range, as far as more of it is worth to be fetched with it."""
        if not self._marks:
            return begin, min(max(end, begin + UNMARKED), self._following(begin, self.size))
        low, high = self._edge(begin, before=True), self._edge(end - 1)
        return (low, high) if high - low <= WHOLE else (begin, end)

    def _edge(self, offset: int, *, before: bool = False) -> int:
        """The mark after byte `offset`, or the one before it."""
        place = bisect_right(self._marks, offset)
        return (self._marks[place - 1] if place else 0) if before else self._marks[min(place, len(self._marks) - 1)]

    def _following(self, offset: int, default: int) -> int:
        """Where the next bytes are that need not be fetched."""
        stop = self._transfers.memory.following(self.key, offset, default)
        return self._kept.following(offset, stop) if self._kept else stop

    def _load(self, offset: int) -> tuple[int, int, Part] | None:
        """A part from the cache on disk."""
        found = self._kept.at(offset) if self._kept else None
        if not found:
            return None
        begin, content = found
        return begin, begin + len(content), self._hold(begin, begin + len(content), _done(content))

    def _order(self, begin: int, end: int) -> Part:
        return self._hold(begin, end, self._transfers.workers.submit(partial(self._fetch, begin, end)))

    def _hold(self, begin: int, end: int, part: Part) -> Part:
        self._transfers.memory.add(self.key, begin, end, part)
        return part

    def _fetch(self, begin: int, end: int) -> bytes | bytearray:
        content = bytearray(end - begin)
        self._fetch_into(begin, memoryview(content))
        return content

    def _fetch_into(self, begin: int, view: memoryview) -> None:
        if self._ranges.whole and self._kept and self._sweep(self._kept):
            done = 0
            while done < len(view) and (found := self._kept.at(begin + done)):
                start, content = found
                some = memoryview(content)[begin + done - start :][: len(view) - done]
                view[done : done + len(some)] = some
                done += len(some)
            begin, view = begin + done, view[done:]
        if len(view):
            self._ranges.fetch_into(begin, view)
            self._keep(begin, view)

    def _sweep(self, kept: KeptFile) -> bool:
        """Keep all of a file that the server sends only from its start, once, where the cache has room for it."""
        with self._sweeping:
            if not self._swept and kept.cache.writable and self.size <= kept.cache.limit // 2:
                self._swept = True
                self._ranges.sweep(PART, kept.put)
            return self._swept

    def _keep(self, begin: int, content: bytes | memoryview) -> None:
        if self._kept and self._transfers.keep:
            self._kept.put(begin, content)


def _done(content: bytes | bytearray) -> Part:
    part: Part = Future()
    part.set_result(content)
    return part
