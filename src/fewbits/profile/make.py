"""Making a profile: some windows of a tensor's rows, what they hold, and what formats do to their blocks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Block, Grid, as_matrices
from fewbits.element import element
from fewbits.formats import Format
from fewbits.kernels import cpu, parts, sums
from fewbits.kernels.lanes import LANES
from fewbits.measurement import FEW, pool
from fewbits.plan import Float32, Plan, plan
from fewbits.profile.histogram import count
from fewbits.profile.pieces import pieces
from fewbits.profile.record import AMAX_BLOCKS, PERCENT, SCALE_PERCENT, WORST, InFormat, Profile, Worst
from fewbits.slabs import Cut, Rows, cut, needs_amax, slabs
from fewbits.tensor import Tensor
from fewbits.verbs import with_scales

__all__ = ["Wanted", "profile"]

LOOKED_AT = 1 << 18  # values of a tensor
WINDOW = 1 << 14  # values that are read at a time, about, where that is not all of them
MOST_WINDOWS = 64
MOST = 1 << 22  # values of a window, where blocks are as tall as that

NO_SCALE = np.full((1, 1, 1), np.nan, np.float32)
AMAX_PLANS = tuple(plan(Format(element("s8"), Block("grid", 1, n), Format(element("f32")))) for n in AMAX_BLOCKS)


@dataclass(frozen=True)
class Wanted:
    """A format, and what its record says: largest magnitude and squared error of the tensor; the rows that were read (None: all)."""

    format: Format
    amax: float
    squared_error: float
    rows: Sequence[Rows] | None = None


@dataclass(frozen=True)
class _Window:
    """Rows from `start` on of the tensor as (rows, columns), as matrices."""

    start: int
    x: Float32


def profile(tensor: Tensor, wanted: Sequence[Wanted], *, sampling: str = "", jobs: int = 1) -> Profile:
    """The profile of a tensor in the formats wanted; it does not depend on `jobs`, nor a format's part on other formats.

    A tensor of at most 2^18 values is looked at whole. Of a larger one so many values are: whole rows in 16 windows, evenly
    spaced over the rows that were measured, the first and the last among them; more where rows or blocks are longer than a
    window. Every window holds a format's blocks whole and the reconstruction is, bit for bit, the one that was measured. A
    format gets None where no window of 2^22 values does: blocks as tall as a large matrix, or scales that depend on all of a
    large tensor by more than its largest magnitude (of one of more than 2^18, if they are found by trying).
    """
    rows = wanted[0].rows if wanted else None
    seen = _read(tensor, Cut(), rows, tensor.size)
    amax = max([0.0, *(w.amax for w in wanted), *(_amax(window.x) for window in seen)])
    windows = {(Cut(), id(rows)): [window for window in seen if window.x.size <= MOST]}
    for w in wanted:
        group = cut(plan(w.format), tensor.shape), id(w.rows)
        if group not in windows:
            windows[group] = _read(tensor, group[0], w.rows)

    def one(w: Wanted) -> InFormat | None:
        how = cut(plan(w.format), tensor.shape)
        held = windows[how, id(w.rows)]
        costly = how.whole and len(plan(w.format).multipliers) > 0 and tensor.size > LOOKED_AT
        return _in_format(held, w, how, tensor.columns) if (held and not costly) or not tensor.size else None

    spread = map if tensor.size <= FEW else pool(max(jobs, 1)).map
    found = dict(zip((str(w.format) for w in wanted), spread(one, wanted), strict=True))
    return Profile(
        tensor=tensor.name,
        identity=tensor.identity,
        looked_at=sum(window.x.size for window in seen) / max(tensor.size, 1),
        amax=amax,
        histogram=tuple(count([window.x for window in seen], amax).tolist()),
        block_amax=tuple(_block_amax(seen, p) for p in AMAX_PLANS),
        formats=found,
        sampling=sampling,
    )


def _read(tensor: Tensor, how: Cut, rows: Sequence[Rows] | None, most: int = MOST) -> list[_Window]:
    """Windows that hold blocks whole, evenly spaced; none where one would be larger than `most`."""
    _, height, columns = as_matrices(tensor.shape)
    values = tensor.columns * (tensor.rows if rows is None else sum(stop - start for start, stop in rows))
    budget, size = (values, LOOKED_AT) if values <= LOOKED_AT else (LOOKED_AT, WINDOW)
    together = how.alone and rows is None and 0 < height * columns <= size  # several matrices at a time
    spans = list(slabs(tensor.shape, Cut(height) if together else how, rows, size))
    largest = max((stop - start for start, stop in spans), default=0) * columns
    if not 0 < largest <= most:
        return []
    chosen = _spaced(len(spans), min(max(budget // largest, 1), MOST_WINDOWS))
    shape = (-1, height, columns) if together or how.whole else (1, -1, columns)
    return [_Window(spans[i][0], tensor.read(*spans[i]).reshape(shape)) for i in chosen]


def _spaced(among: int, wanted: int) -> list[int]:
    """`wanted` of the numbers below `among`, evenly spaced, the first and the last among them."""
    if among <= wanted:
        return list(range(among))
    return [i * (among - 1) // max(wanted - 1, 1) for i in range(wanted)]


def _amax(x: Float32) -> float:
    return float(cpu.sum_signal(x)[4])


def _block_amax(windows: Sequence[_Window], p: Plan) -> tuple[float, ...]:
    found = _quantiles([parts.block_statistics(window.x, p)[1] for window in windows], PERCENT)
    return tuple(map(_plain, found))


def _in_format(windows: Sequence[_Window], w: Wanted, how: Cut, columns: int) -> InFormat:
    p = plan(w.format)
    known = np.full((1, 1, 1), w.amax, np.float32) if needs_amax(p) and not how.whole else None
    grids = [pieces(w.format).grid(window.x.shape) for window in windows]
    scales, errors = [], []
    for window, grid in zip(windows, grids, strict=True):
        y, stored = with_scales(window.x, p, known)
        errors.append(_errors(window.x, y, grid))
        scales.append(NO_SCALE if stored is None else stored)
    ends = np.cumsum([0, *(e.size for e in errors)])
    worst = []
    for at in _largest(np.concatenate([np.empty(0), *errors])):
        number = int(np.searchsorted(ends, at, side="right")) - 1
        block = _Block(windows[number], grids[number], int(at - ends[number]))
        error = float(errors[number][block.at])
        worst.append(block.worst(error, w.squared_error, scales[number], columns))
    quantiles = (
        tuple(map(_finite, _quantiles([np.abs(s) for s in scales], SCALE_PERCENT))) if p.scaled and windows else None
    )
    return InFormat(quantiles, tuple(worst))


def _errors(x: Float32, y: Float32, grid: Grid) -> NDArray[np.float64]:
    """The squared error of each block, in the order of blocks; infinite where a reconstruction is NaN."""
    out, scratch = np.empty(grid.counts), np.empty(grid.rows * grid.columns)
    cut = x.reshape(grid.shape), y.reshape(grid.shape)
    sums.block_errors(*cut, grid.rows, grid.columns, sums.SQUARED, scratch, np.empty(LANES), out)
    out[np.isnan(out)] = np.inf
    return out.reshape(-1)


def _largest(errors: NDArray[np.float64]) -> NDArray[np.int64]:
    """The places of the largest errors other than 0, largest first, of equal ones the first."""
    if errors.size > WORST:
        least = np.partition(errors, errors.size - WORST)[errors.size - WORST]
        places = np.concatenate((np.flatnonzero(errors > least), np.flatnonzero(errors == least)))[:WORST]
    else:
        places = np.arange(errors.size)
    places = np.sort(places[errors[places] > 0])
    return places[np.argsort(-errors[places], kind="stable")]


@dataclass(frozen=True)
class _Block:
    """Block number `at` of a window."""

    window: _Window
    grid: Grid
    at: int

    def worst(self, error: float, of: float, scales: Float32, columns: int) -> Worst:
        """What is told of it: `error` is its squared error, `of` that of the tensor, of `columns` columns."""
        grid = self.grid
        band, j = divmod(self.at, grid.counts[2])
        m, i = divmod(band, grid.counts[1])
        row, column = i * grid.rows, j * grid.columns
        x = self.window.x.reshape(grid.shape)[m, row : row + grid.rows, column : column + grid.columns]
        values = np.where(np.isfinite(x), x, np.float32(0)).astype(np.float64).reshape(-1)
        signal, share = float(values @ values), error / of if 0 < of < math.inf else math.inf
        first, column = divmod((m * grid.shape[1] + row) * grid.shape[2] + column, columns)
        scale = scales[m % scales.shape[0], i % scales.shape[1], j % scales.shape[2]]
        return Worst(
            self.window.start + first,
            column,
            _short(min(share, 1.0)) if share < math.inf else None,
            _short(10 * math.log10(signal / error)) if signal and error < math.inf else None,
            _plain(np.float32(max(values.max(), -values.min()))),
            _finite(scale),
        )


def _quantiles(arrays: Sequence[Float32], percent: Sequence[int]) -> Float32:
    """For each percentage the least value that so many of all are at most, NaN above all; 0 where there are none."""
    values = np.sort(np.concatenate([np.empty(0, np.float32), *(a.reshape(-1) for a in arrays)]))
    if not values.size:
        return np.zeros(len(percent), np.float32)
    return values[[max(-(-values.size * p // 100) - 1, 0) for p in percent]]


def _plain(value: np.float32) -> float:
    """The shortest decimal number that is this float32."""
    return float(str(value))


def _short(value: float) -> float:
    """Six significant digits."""
    return float(f"{value:.6g}")


def _finite(value: np.float32) -> float | None:
    return _plain(value) if math.isfinite(value) else None
