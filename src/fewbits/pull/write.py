"""Plans become files: fetched several blocks at a time, written in order, continued where they were left."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO

import numpy as np

from fewbits.errors import FewbitsError
from fewbits.pull.plan import Item, Plan
from fewbits.sources.workers import Workers

__all__ = ["Written", "fetch", "write_plan"]

BLOCK = 16 << 20  # bytes fetched at once
AHEAD = 6  # blocks under way
SYNC = 64 << 20  # bytes after which the disk is asked to have them

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Written:
    """A file, and how many of its bytes of tensors were there before."""

    path: Path
    kept: int


def write_plan(plan: Plan, path: Path, progress: Progress = lambda _: None) -> Written:
    """The file of a plan; `progress` is told of bytes of tensors. Raises `FewbitsError`.

    It grows as .NAME.part beside it and takes its name when it is whole. What is there of the same plan is not written again.
    """
    if _is_there(plan, path):
        progress(plan.nbytes)
        return Written(path, plan.nbytes)
    part, note = (path.parent / f".{path.name}.{kind}" for kind in ("part", "part.json"))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(part) as file:
            kept = _begin(plan, file, note)
            progress(kept)
            _grow(plan, file, note, kept, progress)
            os.replace(part, path)
            note.unlink(missing_ok=True)
    except OSError as error:
        raise FewbitsError(f"cannot write {path}: {(error.strerror or str(error)).lower()}") from error
    return Written(path, kept)


def fetch(plan: Plan, progress: Progress = lambda _: None) -> None:
    """Fetch the bytes of a plan into the cache, and write no file."""
    for block in _blocks(plan, 0):
        progress(len(block))


def _begin(plan: Plan, file: BinaryIO, note: Path) -> int:
    """Bytes of tensors that are there and safe; the file is ready for those that follow."""
    size = len(plan.header)
    file.seek(0)
    done = 0
    if file.read(size) == plan.header:
        with suppress(OSError, ValueError, TypeError, KeyError):
            done = min(int(json.loads(note.read_text())["done"]), file.seek(0, os.SEEK_END) - size)
    if done <= 0:
        done = 0
        file.seek(0)
        file.write(plan.header)
    file.truncate(size + done)
    file.seek(size + done)
    return done


def _grow(plan: Plan, file: BinaryIO, note: Path, done: int, progress: Progress) -> None:
    """Write what is missing; whatever happens, the note says how much is safe."""
    safe = done
    try:
        for block in _blocks(plan, done):
            file.write(block)
            done += len(block)
            progress(len(block))
            if done - safe >= SYNC:
                safe = _sync(file, note, done)
    finally:
        _sync(file, note, done)


def _sync(file: BinaryIO, note: Path, done: int) -> int:
    file.flush()
    os.fsync(file.fileno())
    note.write_text(json.dumps({"done": done}))
    return done


def _blocks(plan: Plan, done: int) -> Iterator[memoryview]:
    """The bytes of tensors from byte `done` on, in order; some blocks are fetched ahead."""
    workers, under_way = Workers(AHEAD), deque[Future[memoryview]]()
    for task in _tasks(plan, done):
        under_way.append(workers.submit(task))
        if len(under_way) > AHEAD:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _tasks(plan: Plan, done: int) -> Iterator[Callable[[], memoryview]]:
    for item in plan.items:
        if done >= item.nbytes:
            done -= item.nbytes
            continue
        yield from _raw(item, done) if item.raw else _values(item, done)
        done = 0


def _raw(item: Item, done: int) -> Iterator[Callable[[], memoryview]]:
    """Bytes as they are stored."""
    raw = item.raw
    assert raw is not None

    def read(begin: int, end: int) -> memoryview:
        content = memoryview(bytearray(end - begin))
        raw.file.read_into(raw.offset + begin, content, f"tensor '{item.tensor.name}'")
        return content

    for begin in range(done, raw.nbytes, BLOCK):
        yield partial(read, begin, min(begin + BLOCK, raw.nbytes))


def _values(item: Item, done: int) -> Iterator[Callable[[], memoryview]]:
    """Values as float32, little-endian."""
    tensor = item.tensor
    width = 4 * max(tensor.columns, 1)
    rows = max(BLOCK // width, 1)

    def read(start: int, skipped: int) -> memoryview:
        values = tensor.read(start, min(start + rows, tensor.rows))
        return memoryview(np.ascontiguousarray(values, "<f4").reshape(-1).view(np.uint8).data)[skipped:]

    first = done // width
    for start in range(first, tensor.rows, rows):
        yield partial(read, start, done - first * width if start == first else 0)


def _is_there(plan: Plan, path: Path) -> bool:
    """Whether the file is what would be written."""
    with suppress(OSError), path.open("rb") as file:
        size = len(plan.header)
        return file.read(size) == plan.header and file.seek(0, os.SEEK_END) == size + plan.nbytes
    return False


@contextmanager
def _alone(path: Path) -> Iterator[BinaryIO]:
    """A file open for reading and writing that no other process writes to; raises `FewbitsError`."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o666), "r+b") as file:
        with suppress(ImportError):  # Windows has no such locks
            import fcntl

            try:
                fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise FewbitsError(f"{path} is being written by another process") from error
        yield file
