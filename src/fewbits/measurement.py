"""`measure_tensor`: the sums of formats on one tensor, slab by slab."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fewbits import passes
from fewbits.block import as_matrices
from fewbits.formats import Format
from fewbits.kernels import cpu, sums
from fewbits.kernels.histogram import PATTERNS, Histogram, count_patterns, covers
from fewbits.metrics import ERROR, SIGNAL, merge
from fewbits.plan import Float32, Plan, plan
from fewbits.slabs import Cut, cut, needs_amax, slabs
from fewbits.tensor import Tensor
from fewbits.verbs import as_float32, rounded

__all__ = ["FEW", "Measurement", "measure_tensor", "pool"]

WARM: set[str] = set()  # formats whose kernels are compiled and loaded in this process

FEW = 1 << 14  # values up to which threads cost more than they save
HELD = 1 << 26  # tensors of at most so many values are kept in memory between passes

Rows = tuple[int, int]
Sums = dict[str, float]
Progress = Callable[[int], None]
Map = Callable[..., Iterator[Any]]  # `map`, or that of a pool


@dataclass(frozen=True)
class Measurement:
    """Sums over x and, per format, over its error; seconds of kernel time per format; per row range where ranges were asked for."""

    signal: Sums
    errors: list[Sums]
    seconds: list[float]
    groups: list[tuple[Sums, list[Sums]]] | None = None


def measure_tensor(
    tensor: Tensor | ArrayLike,
    formats: Sequence[Format],
    *,
    jobs: int = 1,
    rows: Sequence[Rows] | None = None,
    progress: Progress | None = None,
) -> Measurement:
    """Sums of `formats` on a tensor, or on row ranges of it; the same bits whatever `jobs` is and whichever formats go together.

    `progress` gets values × formats newly done. With `rows`, a scale of the whole tensor is that of the rows that are read.
    """
    source = _Source.of(tensor)
    threads = pool(max(jobs, 1))
    spread: Map = map if math.prod(source.shape) <= FEW else threads.map
    try:
        run = _Run(source, [plan(f) for f in formats], spread, rows, progress or (lambda _: None))
        return run.measurement()
    except BaseException:
        threads.shutdown(wait=False, cancel_futures=True)  # after an interruption nobody waits for a compiler
        pool.cache_clear()
        raise


@cache
def pool(jobs: int) -> ThreadPoolExecutor:
    """Threads that are kept from one tensor to the next."""
    return ThreadPoolExecutor(jobs)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=pool.cache_clear)  # a child has none of its parent's threads


@dataclass
class _Source:
    """Rows of a tensor or array; a tensor of moderate size is read once and kept."""

    shape: tuple[int, ...]
    dtype: str
    tensor: Tensor | None
    held: Float32 | None = None

    @staticmethod
    def of(tensor: Tensor | ArrayLike) -> _Source:
        if isinstance(tensor, Tensor):
            return _Source(tensor.shape, tensor.dtype, tensor)
        array = np.asarray(tensor)
        x = as_float32(array)
        matrices, rows, columns = as_matrices(x.shape)
        return _Source(x.shape, str(array.dtype), None, np.ascontiguousarray(x).reshape(matrices * rows, columns))

    def hold(self) -> None:
        """Keep the whole tensor, if it is of moderate size."""
        if self.held is None and self.tensor is not None and self.tensor.size <= HELD:
            self.held = self.tensor.read()

    def read(self, start: int, stop: int) -> Float32:
        if self.held is not None:
            return self.held[start:stop]
        assert self.tensor is not None
        return self.tensor.read(start, stop)

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        return self.tensor.read16(start, stop) if self.tensor is not None else None


@dataclass
class _Run:
    source: _Source
    plans: list[Plan]
    map: Map
    rows: Sequence[Rows] | None
    progress: Progress

    def measurement(self) -> Measurement:
        histogram = self._histogram() if self.rows is None and self._patterned() else None
        counted = [i for i, p in enumerate(self.plans) if histogram is not None and covers(p)]
        slabbed = [i for i in range(len(self.plans)) if i not in counted]
        list(self.map(_warm, self.plans))
        if slabbed:
            self.source.hold()
        signals = self._signals() if histogram is None else [histogram.signal()]
        found: dict[int, tuple[list[NDArray[np.float64]], float]] = {}
        amax = float(max((s[SIGNAL.index("max_abs")] for s in signals), default=0.0))
        for same in _by_cut(self.plans, slabbed, self.source.shape).items():
            found |= self._errors(*same, amax)
        total = _merged(SIGNAL, signals)
        errors = [found[i] for i in slabbed]
        merged = {i: (_merged(ERROR, parts), seconds) for i, (parts, seconds) in zip(slabbed, errors, strict=True)}
        if histogram is not None:
            merged |= self._from_histogram(counted, histogram)
        groups = None
        if self.rows is not None:
            groups = [
                (_merged(SIGNAL, [s]), [_merged(ERROR, [found[i][0][g]]) for i in slabbed])
                for g, s in enumerate(signals)
            ]
        ordered = [merged[i] for i in range(len(self.plans))]
        return Measurement(total, [e for e, _ in ordered], [s for _, s in ordered], groups)

    def _signals(self) -> list[NDArray[np.float64]]:
        """Sums of x, one per row range (one in all where none were asked for)."""
        parts = [self._spans(Cut(), r) for r in self._ranges()]
        done = list(self.map(lambda span: cpu.sum_signal(self.source.read(*span)), [s for part in parts for s in part]))
        return _regrouped(done, parts, _join_signals)

    def _errors(self, how: Cut, indices: list[int], amax: float) -> dict[int, tuple[list[NDArray[np.float64]], float]]:
        """For each plan index: error sums per row range, and seconds."""
        if how.whole:
            return {i: self._in_passes(i) for i in indices}
        return self._slab_by_slab(how, indices, amax)

    def _in_passes(self, i: int) -> tuple[list[NDArray[np.float64]], float]:
        """The sums of a format that needs statistics of all rows of a range."""
        start, joined = time.perf_counter(), []
        matrices, rows, columns = as_matrices(self.source.shape)
        for part in self._ranges():
            low, high = part or (0, matrices * rows)
            shape = self.source.shape if part is None else (min(high, matrices * rows) - low, columns)
            read = partial(self._read_from, low)
            joined.append(_join_errors(passes.error_sums(read, shape, self.plans[i], self.map)))
            self.progress(math.prod(shape))
        return joined, time.perf_counter() - start

    def _read_from(self, first: int, start: int, stop: int) -> Float32:
        return self.source.read(first + start, first + stop)

    def _slab_by_slab(
        self, how: Cut, indices: list[int], amax: float
    ) -> dict[int, tuple[list[NDArray[np.float64]], float]]:
        parts = [self._spans(how, r) for r in self._ranges()]

        def one(task: tuple[Float32, int]) -> tuple[NDArray[np.float64], float]:
            x, i = task
            start = time.perf_counter()
            result = _sum_errors(x, self.plans[i], amax)
            self.progress(x.size)
            return result, time.perf_counter() - start

        def slab(span: Rows) -> Float32:
            return self.source.read(*span)[None]

        spans = [s for part in parts for s in part]
        if len(spans) == 1:  # formats side by side, where there are no slabs to be side by side
            x = slab(spans[0])
            results = [list(self.map(one, [(x, i) for i in indices]))]
        else:

            def every(span: Rows) -> list[tuple[NDArray[np.float64], float]]:
                x = slab(span)
                return [one((x, i)) for i in indices]

            results = list(self.map(every, spans))
        return {
            i: (_regrouped([r[k][0] for r in results], parts, _join_errors), sum(r[k][1] for r in results))
            for k, i in enumerate(indices)
        }

    def _histogram(self) -> Histogram:
        counts = np.zeros(PATTERNS, np.int64)
        for span in self._spans(Cut(), None):
            patterns = self.source.read16(*span)
            assert patterns is not None
            count_patterns(patterns.reshape(-1), counts)
        return Histogram.of(counts, self.source.dtype)

    def _from_histogram(self, indices: list[int], histogram: Histogram) -> dict[int, tuple[Sums, float]]:
        def one(i: int) -> tuple[Sums, float]:
            start = time.perf_counter()
            result = _merged(ERROR, [histogram.errors(self.plans[i])])
            self.progress(int(histogram.counts.sum()))
            return result, time.perf_counter() - start

        return dict(zip(indices, self.map(one, indices), strict=True))

    def _patterned(self) -> bool:
        t = self.source.tensor
        return t is not None and self.source.dtype in ("bfloat16", "float16") and t.read16(0, 0) is not None

    def _ranges(self) -> list[Rows | None]:
        return [None] if self.rows is None else list(self.rows)

    def _spans(self, how: Cut, rows: Rows | None) -> list[Rows]:
        return list(slabs(self.source.shape, how, None if rows is None else [rows]))


def _by_cut(plans: Sequence[Plan], indices: Sequence[int], shape: tuple[int, ...]) -> dict[Cut, list[int]]:
    found: dict[Cut, list[int]] = {}
    for i in indices:
        found.setdefault(cut(plans[i], shape), []).append(i)
    return found


def _warm(p: Plan) -> None:
    """Compile and load what a plan needs, on a few zeros, so that seconds are those of the kernels alone."""
    if str(p.format) not in WARM:
        zeros = np.zeros((1, 2, 64), np.float32)
        if cut(p, zeros.shape).whole:
            passes.error_sums(lambda start, stop: zeros[0, start:stop], zeros.shape, p, map)
        else:
            _sum_errors(zeros, p, 0.0)
        if covers(p):
            Histogram.of((np.arange(PATTERNS) == 0).astype(np.int64), "bfloat16").errors(p)
        WARM.add(str(p.format))


def _sum_errors(x: Float32, p: Plan, amax: float) -> NDArray[np.float64]:
    f = p.format
    known = np.full((1, 1, 1), amax, np.float32) if needs_amax(p) else None
    if f.mean or f.hadamard or f.outliers:
        out = np.zeros((1, 1, 1, sums.ERRORS))
        if x.size:
            sums.sum_errors(x, rounded(x, p), 0.0, 0, 0, out)
    else:
        out = cpu.sum_errors(x, p, known)
    total: NDArray[np.float64] = out[0, 0, 0]
    return total


def _regrouped(
    results: Sequence[Any], parts: Sequence[Sequence[Rows]], join: Callable[[Sequence[Any]], Any]
) -> list[Any]:
    """Results of all spans, joined per part, in order."""
    joined, at = [], 0
    for part in parts:
        joined.append(join(results[at : at + len(part)]))
        at += len(part)
    return joined


def _join_signals(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = np.zeros(sums.SIGNALS)
    total[5:7] = np.inf, -np.inf
    for p in parts:
        total = np.concatenate(
            (total[:4] + p[:4], [max(total[4], p[4]), min(total[5], p[5]), max(total[6], p[6])], total[7:] + p[7:])
        )
    return total


def _join_errors(parts: Sequence[NDArray[np.float64]]) -> NDArray[np.float64]:
    total = np.zeros(sums.ERRORS)
    for p in parts:
        total = np.concatenate((total[:4] + p[:4], [max(total[4], p[4])], total[5:] + p[5:]))
    return total


def _merged(names: Sequence[str], parts: Sequence[NDArray[np.float64]]) -> Sums:
    return dict(merge([dict(zip(names, (float(v) for v in p), strict=True)) for p in parts]))
