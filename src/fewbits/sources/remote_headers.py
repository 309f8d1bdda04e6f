"""Headers of many remote safetensors files: several at a time, and hardly a byte more than they have."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from fewbits.sources.file import File
from fewbits.sources.header import PREFIX, Header, header_length, read_header

__all__ = ["FirstRequest", "Primed", "read_headers"]

FILES = 8  # at a time
FIRST = 1 << 14  # bytes to ask for first as long as nothing is known
WASTE = 0.25  # of the bytes of headers that may be asked for in vain


class Primed(File, Protocol):
    """A file that can have its first bytes fetched at once, and be told where tensors are."""

    def start(self, count: int) -> bool:
        """Have `count` of the first bytes at hand, and True; False where some are already."""
        ...

    def prime(self, end: int) -> None:
        """Have the bytes before `end` at hand."""
        ...

    def mark(self, edges: Sequence[int]) -> None:
        """Say where tensors begin and end."""
        ...


class FirstRequest:
    """How many bytes to ask for first: as much as most headers had so far, while little is asked for in vain."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: list[int] = []
        self._wasted = 0

    def size(self) -> int:
        """Bytes to ask for now."""
        with self._lock:
            if not self._known:
                return FIRST
            likely = sorted(self._known)[len(self._known) * 3 // 4]
            return likely if self._wasted + likely <= WASTE * sum(self._known) or likely < FIRST // 4 else PREFIX

    def learn(self, asked: int, needed: int) -> None:
        """A header took `needed` bytes, where `asked` were asked for."""
        with self._lock:
            self._known.append(needed)
            self._wasted += max(asked - needed, 0)


def read_headers(files: Mapping[str, Primed]) -> dict[str, Header]:
    """The headers of files by name; the first one says what to expect of the others; raises `SourceError`."""
    first_request = FirstRequest()
    names = list(files)
    found = {name: _read(files[name], first_request) for name in names[:1]}
    with ThreadPoolExecutor(FILES) as pool:
        rest = pool.map(lambda name: _read(files[name], first_request), names[1:])
        return found | dict(zip(names[1:], rest, strict=True))


def _read(file: Primed, first_request: FirstRequest) -> Header:
    asked = min(first_request.size(), file.size)
    fetched = file.start(asked)
    prefix = bytearray(min(PREFIX, file.size))
    file.read_into(0, memoryview(prefix), "its header")
    needed = PREFIX + header_length(bytes(prefix), file.size, file.where)
    file.prime(needed)
    first_request.learn(asked if fetched else needed, needed)
    header = read_header(file)
    file.mark([edge for entry in header.entries.values() for edge in (entry.begin, entry.end)])
    return header
