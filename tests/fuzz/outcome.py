"""What a reader makes of bytes: values, or one line that refuses them. Anything else is a finding."""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from fewbits.errors import SourceError
from fewbits.tensor import Tensor
from held_file import Held

__all__ = ["Finding", "Read", "outcome", "watch"]

Read = Callable[[Held], list[Tensor]]

LONGEST_LINE = 2_000  # bytes
SLOWEST = 2.0  # seconds of this process
TENSORS = 50  # that are read
LARGEST = 1 << 24  # values of a row that is read
WHOLE = 1 << 12  # values of a tensor that is read as a whole
TOUCHING = ("open", "import", "exec", "os.", "shutil.", "subprocess.", "socket.", "pickle.", "urllib.", "ctypes.dlopen")


class Finding(AssertionError):
    """What a reader must not do."""


class _Watch:
    """Notices while `on` what reaches beyond the bytes: files, modules, processes, code."""

    def __init__(self) -> None:
        self.on, self.seen = False, ""

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.on and event.startswith(TOUCHING):
            self.seen = self.seen or f"{event} {arguments!r:.200}"


_WATCH = _Watch()


def watch() -> None:
    """Let `outcome` notice what reaches beyond the bytes; cannot be taken back in this process."""
    for name in ("unicodedata", "encodings.cp437"):  # that Python itself imports where text needs them
        import_module(name)
    sys.addaudithook(_WATCH)


def outcome(read: Read, content: bytes) -> str:
    """Empty where the tensors could be listed and read, else the line that refuses them; raises `Finding`."""
    _WATCH.seen, begun = "", time.process_time()
    try:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            _WATCH.on = True
            tensors = read(Held(content))
            for tensor in tensors[:TENSORS]:
                _use(tensor)
        line = ""
    except SourceError as error:
        line = _one_line(str(error))
    finally:
        _WATCH.on = False
    took = time.process_time() - begun
    if _WATCH.seen:
        raise Finding(f"reached beyond the bytes: {_WATCH.seen}")
    if warned:
        raise Finding(f"warned: {warned[0].message}")
    if took > SLOWEST:
        raise Finding(f"took {took:.1f} s")
    return line


def _use(tensor: Tensor) -> None:
    """List a tensor; read its first row and its last, and all of a small one, which has to be the same."""
    for text in (tensor.name, tensor.companion_of):
        text.encode("utf-8")
    for text in (tensor.layout, tensor.unreadable, tensor.dtype, tensor.identity):
        _one_line(text, empty=True)
    _expect(tensor.nbytes >= 0 and all(side >= 0 for side in tensor.shape), "negative lengths")
    if tensor.unreadable:
        _expect_refused(tensor)
        return
    if tensor.columns > LARGEST:
        return
    rows = {row: _row(tensor, row) for row in {0, tensor.rows - 1} if tensor.rows}
    if (tensor.rows <= WHOLE and tensor.size <= WHOLE) or not tensor.size:
        whole = tensor.read()
        _expect(whole.shape == (tensor.rows, tensor.columns), "a slab of another shape")
        for row, values in rows.items():
            _expect(np.array_equal(whole[row], values, equal_nan=True), "rows that differ from the whole")


def _row(tensor: Tensor, row: int) -> np.ndarray[Any, Any]:
    values, bits = tensor.read(row, row + 1), tensor.read16(row, row + 1)
    _expect(values.shape == (1, tensor.columns) and values.dtype == np.float32, "a row of another shape")
    if bits is not None:
        _expect(bits.shape == values.shape, "bits of another shape")
        if tensor.dtype == "bfloat16":
            wide = (bits.astype(np.uint32) << 16).view(np.float32)
            _expect(np.array_equal(wide, values, equal_nan=True), "bits that differ from the values")
    first: np.ndarray[Any, Any] = values[0]
    return first


def _expect_refused(tensor: Tensor) -> None:
    try:
        tensor.values.read(0, 0)
    except SourceError as error:
        _one_line(str(error))
    else:
        raise Finding("an unreadable tensor was read")


def _one_line(line: str, empty: bool = False) -> str:
    _expect(bool(line) or empty, "an empty line")
    _expect(line.isprintable(), f"a line that does not print: {line!r:.200}")
    _expect(len(line.encode()) < LONGEST_LINE, f"a line of {len(line)} characters: {line[:200]}")
    return line


def _expect(right: bool, problem: str) -> None:
    if not right:
        raise Finding(problem)
