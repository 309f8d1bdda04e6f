"""Files of records: where each line lies, appended whole, and one file claimed by one process at a time."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

from fewbits.errors import DataError, FewbitsError
from fewbits.profile import Profile
from fewbits.table import Record

if sys.platform != "win32":
    import fcntl

__all__ = ["Appender", "Place", "current", "lines", "lock_directory", "record_at", "record_files", "written"]


class Place(NamedTuple):
    """Where a line lies: file, first byte, number of bytes."""

    path: Path
    start: int
    length: int


class Appender:
    """The files of this process alone, one of records and one of profiles. The lock on the first is that of both."""

    def __init__(self, directory: Path) -> None:
        path, descriptor = _claim(directory)
        self.worker = path.stem.removeprefix("records-")
        self._records = _Lines(path, descriptor)
        self._profiles: _Lines | None = None

    def append(self, records: Sequence[Record]) -> list[Place]:
        """Write the records; FewbitsError when the disk is full, and then the file is as it was before."""
        return self._records.append([record.to_json() for record in records])

    def append_profile(self, profile: Profile) -> None:
        """Write a profile, as records are written."""
        if self._profiles is None:
            path = self._records.path.with_name(f"profiles-{self.worker}.jsonl")
            self._profiles = _Lines(path, os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666))
        self._profiles.append([profile.to_json()])

    def close(self) -> None:
        """Flush to the disk and let the files go, without complaint: called also after a failure."""
        if self._profiles is not None:
            self._profiles.close()
        self._records.close()


class _Lines:
    """A file of lines that is appended to: whole lines or, after a failure, nothing."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path, self._descriptor = path, descriptor
        size = os.fstat(descriptor).st_size
        if size and _last_byte(descriptor, size) != b"\n":
            os.write(descriptor, b"\n")  # a torn line stays alone on its line and is ignored

    def append(self, texts: Sequence[str]) -> list[Place]:
        """Write lines; their places."""
        encoded = [text.encode() + b"\n" for text in texts]
        start = os.fstat(self._descriptor).st_size
        try:
            _write_all(self._descriptor, b"".join(encoded))
        except OSError as error:
            os.ftruncate(self._descriptor, start)
            raise FewbitsError(f"cannot write {self.path}: {error.strerror or error}") from error
        places = []
        for line in encoded:
            places.append(Place(self.path, start, len(line) - 1))
            start += len(line)
        return places

    def close(self) -> None:
        """Flush to the disk and let the file go; an empty one is removed."""
        if self._descriptor >= 0:
            with suppress(OSError):
                os.fsync(self._descriptor)
            if os.fstat(self._descriptor).st_size == 0:
                self.path.unlink(missing_ok=True)
            os.close(self._descriptor)
            self._descriptor = -1


def record_files(directory: Path) -> list[Path]:
    """The files of records in a run directory, sorted by name."""
    return sorted(directory.glob("records-*.jsonl"))


def lines(path: Path, start: int = 0) -> Iterator[tuple[Place, dict[str, object]]]:
    """Every complete record line from byte `start` on, with its place; torn and foreign lines are ignored."""
    with path.open("rb") as file:
        file.seek(start)
        for line in file:
            if line.endswith(b"\n"):
                try:
                    data = json.loads(line)
                except (ValueError, RecursionError):
                    data = None
                if isinstance(data, dict) and isinstance(data.get("key"), str):
                    yield Place(path, start, len(line) - 1), data
            start += len(line)


def record_at(place: Place) -> Record:
    """Read one record."""
    with place.path.open("rb") as file:
        file.seek(place.start)
        return Record.from_json(file.read(place.length).decode())


CELL = ("model", "tensor", "spec", "sampling", "backend", "encoder", "evidence")  # what two records may have in common


def current(directory: Path) -> Iterator[Record]:
    """The records that count, by tensor, formats in order of first appearance; of two for one cell the later one.

    Where the bytes of a tensor have changed between records, only those of the bytes that were last written count.
    """
    cells: dict[tuple[object, ...], tuple[float, Place, object]] = {}
    order: dict[object, int] = {}
    newest: dict[tuple[object, ...], tuple[float, object]] = {}
    same: dict[object, object] = {}  # one copy of each text: there are few, a thousand times over
    for path in record_files(directory):
        for place, data in lines(path):
            spec, time, identity = data.get("spec"), written(data), data.get("identity")
            cell = tuple(same.setdefault(value, value) for value in map(data.get, CELL))
            identity = same.setdefault(identity, identity)
            order.setdefault(spec, len(order))
            if cell not in cells or cells[cell][0] <= time:
                cells[cell] = (time, place, identity)
            if cell[:2] not in newest or newest[cell[:2]][0] <= time:
                newest[cell[:2]] = (time, identity)
    cells = {cell: found for cell, found in cells.items() if found[2] == newest[cell[:2]][1]}
    with ExitStack() as files:
        opened = {path: files.enter_context(path.open("rb")) for path in {found[1].path for found in cells.values()}}
        for cell in sorted(cells, key=lambda c: (str(c[0]), str(c[1]), order[c[2]], *map(str, c[3:]))):
            place = cells[cell][1]
            opened[place.path].seek(place.start)
            try:
                yield Record.from_json(opened[place.path].read(place.length).decode())
            except DataError:
                continue


def written(data: Mapping[str, object]) -> float:
    """When a record was made, from its line; 0 where the line does not say."""
    time = data.get("time")
    return float(time) if isinstance(time, float | int) else 0.0


@contextmanager
def lock_directory(directory: Path) -> Iterator[None]:
    """Let one process at a time change what all share (run.json)."""
    if sys.platform == "win32":
        yield
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _claim(directory: Path) -> tuple[Path, int]:
    """The first file of records that no living process holds; where files cannot be locked, a new one."""
    number = 0
    while True:
        unlocked = sys.platform == "win32"
        path = directory / (f"records-p{os.getpid()}-{number}.jsonl" if unlocked else f"records-{number}.jsonl")
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
        if unlocked or _lock(descriptor):
            return path, descriptor
        os.close(descriptor)
        number += path.exists()  # gone: its owner removed it, being empty, between our open and our lock


def _lock(descriptor: int) -> bool:
    if sys.platform == "win32":
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return os.fstat(descriptor).st_nlink > 0


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _last_byte(descriptor: int, size: int) -> bytes:
    os.lseek(descriptor, size - 1, os.SEEK_SET)
    return os.read(descriptor, 1)
