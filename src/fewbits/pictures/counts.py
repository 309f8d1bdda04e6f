"""Counters of a tensor that comes slab by slab: bins, cells, blocks, tails, and samples drawn beforehand."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Block
from fewbits.formats import Format
from fewbits.kernels.blocks import cut
from fewbits.plan import Float32
from fewbits.tensor import Tensor

__all__ = ["Blocks", "Pairs", "Sampled", "Tail"]

BINS, CELLS, BANDS = 160, 80, 40  # of values, of pairs along each axis, of errors
OCTAVE = 4  # bins of block magnitudes in a factor of two
EXPONENTS = 160  # octaves either side of 1

Float64 = NDArray[np.float64]
Rows = list[dict[str, Any]]


class Pairs:
    """Values and reconstructions between `low` and `high`; reconstructions up to as far again beyond either end."""

    def __init__(self, low: float, high: float) -> None:
        self.low, self.span = low, high - low
        self.counts = np.zeros(BINS, np.int64), np.zeros(3 * BINS, np.int64)
        self.cells = np.zeros((CELLS, 3 * CELLS), np.int64)
        self.bands, self.squares = np.zeros(BANDS, np.int64), np.zeros(BANDS)

    def add(self, x: Float64, y: Float64) -> None:
        """Count finite values and what they became."""
        original, after = self.counts
        original += np.bincount(self._at(x, BINS), minlength=BINS)
        after += np.bincount(self._wide(y, BINS), minlength=3 * BINS)
        cell = self._at(x, CELLS) * 3 * CELLS + self._wide(y, CELLS)
        self.cells += np.bincount(cell, minlength=self.cells.size).reshape(self.cells.shape)
        band = self._at(x, BANDS)
        self.bands += np.bincount(band, minlength=BANDS)
        self.squares += np.bincount(band, weights=(y - x) ** 2, minlength=BANDS)

    def histogram(self) -> Rows:
        """Bins of the range of x, and beyond as far as reconstructions go."""
        original, after = (
            np.concatenate((np.zeros(BINS, np.int64), self.counts[0], np.zeros(BINS, np.int64))),
            self.counts[1],
        )
        used = np.flatnonzero(original + after)
        first, last = min(used[0], BINS), max(used[-1], 2 * BINS - 1)
        edge = self._edges(BINS)
        return [
            {"part": "bin", "x": edge(i), "x2": edge(i + 1), "original": int(original[i]), "reconstructed": int(after[i])}
            for i in range(first, last + 1)
        ]  # fmt: skip

    def density(self) -> Rows:
        """Cells that hold a pair."""
        edge = self._edges(CELLS)
        return [
            {"x": edge(i + CELLS), "x2": edge(i + CELLS + 1), "y": edge(j), "y2": edge(j + 1), "count": int(self.cells[i, j])}
            for i, j in np.argwhere(self.cells).tolist()
        ]  # fmt: skip

    def errors(self) -> Rows:
        """The root of the mean squared error of each band of values."""
        edge = self._edges(BANDS)
        return [
            {"part": "bin", "x": edge(i + BANDS), "x2": edge(i + BANDS + 1), "error": math.sqrt(self.squares[i] / self.bands[i])}
            for i in np.flatnonzero(self.bands).tolist()
        ]  # fmt: skip

    def _at(self, x: Float64, parts: int) -> NDArray[np.int64]:
        return np.clip(((x - self.low) / self.span * parts).astype(np.int64), 0, parts - 1)

    def _wide(self, y: Float64, parts: int) -> NDArray[np.int64]:
        place = np.clip((y - self.low) / self.span, -1, 2) * parts
        return np.clip(np.floor(place).astype(np.int64) + parts, 0, 3 * parts - 1)

    def _edges(self, parts: int) -> Any:
        return lambda i: self.low + (i - parts) * self.span / parts


class Blocks:
    """The largest magnitude of each block of a format; of each row where it has none."""

    def __init__(self, f: Format, shape: tuple[int, ...]) -> None:
        self.block = f.block or Block("grid", 1)
        self.what = "block" if f.block else "row"
        self.counts = np.zeros(2 * EXPONENTS * OCTAVE, np.int64)
        self.whole = 0.0  # of a block that is the whole tensor, so far

    def add(self, x: Float32) -> None:
        """Count the blocks of some rows, which hold them whole."""
        x = np.where(np.isfinite(x), x, np.float32(0))
        if self.block.kind == "tensor":
            self.whole = max(self.whole, float(np.abs(x).max(initial=0)))
            return
        grid = self.block.grid((1, *x.shape))
        self._count(np.nanmax(np.abs(cut(x.reshape(grid.shape), grid)), axis=-1))

    def rows(self) -> Rows:
        """Bins, a quarter of an octave each, from the first that holds a block to the last; blocks of zeros are in none."""
        if self.whole:
            self._count(np.array([self.whole], np.float32))
            self.whole = 0.0
        used = np.flatnonzero(self.counts)
        span = range(int(used[0]), int(used[-1]) + 1) if used.size else range(0)
        return [{"part": "bin", "x": _octave(i), "x2": _octave(i + 1), "blocks": int(self.counts[i])} for i in span]

    def typical(self, amax: float) -> Rows:
        """The mark of the typical block."""
        return [{"part": "typical", "x": amax, "x2": amax, "blocks": 0}] if amax > 0 else []

    def _count(self, amax: Float32) -> None:
        found = amax[amax > 0].astype(np.float64)
        place = np.floor(OCTAVE * np.log2(found)).astype(np.int64) + EXPONENTS * OCTAVE
        self.counts += np.bincount(place, minlength=len(self.counts))


class Tail:
    """How many values are at least so many standard deviations from the mean."""

    def __init__(self, mean: float, deviation: float, farthest: float) -> None:
        self.mean, self.deviation = mean, deviation or farthest or 1.0
        self.far = farthest / self.deviation or 1.0
        self.counts = np.zeros(BINS + 1, np.int64)

    def add(self, x: Float64) -> None:
        """Count finite values."""
        at = (np.abs(x - self.mean) / self.deviation / self.far * BINS).astype(np.int64)
        self.counts += np.bincount(np.clip(at, 0, BINS), minlength=BINS + 1)

    def rows(self) -> Rows:
        """From 0 to the farthest value: the share of values from there on, and that of a normal distribution."""
        beyond = np.cumsum(self.counts[::-1])[::-1] / max(int(self.counts.sum()), 1)
        steps = [i * self.far / BINS for i in range(BINS + 1)]
        return [
            {"deviations": t, "share": s, "normal": math.erfc(t / math.sqrt(2))}
            for t, s in zip(steps, beyond.tolist(), strict=True)
        ]


@dataclass
class Sampled:
    """Values and rows drawn beforehand, without replacement, looked up as their slabs come by."""

    columns: int
    places: NDArray[np.int64]
    chosen: NDArray[np.int64]
    values: list[tuple[float, float]] = field(default_factory=list)
    lines: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def of(tensor: Tensor, count: int, seed: int) -> Sampled:
        """`count` values and rows of a tensor, or all of them."""
        random = np.random.default_rng(seed)

        def draw(among: int) -> NDArray[np.int64]:
            return np.sort(random.choice(among, count, replace=False)) if among > count else np.arange(among)

        return Sampled(tensor.columns, draw(tensor.size), draw(tensor.rows))

    def add(self, start: int, x: Float32, y: Float32) -> None:
        """Take what was drawn from the rows that begin at `start`."""
        first, last = start * self.columns, start * self.columns + x.size
        places = self.places[np.searchsorted(self.places, first) : np.searchsorted(self.places, last)] - first
        pairs = np.stack((x.reshape(-1)[places], y.reshape(-1)[places])).astype(np.float64)
        self.values += [(a, b) for a, b in pairs.T.tolist() if math.isfinite(a) and math.isfinite(b)]
        for row in self.chosen[
            np.searchsorted(self.chosen, start) : np.searchsorted(self.chosen, start + len(x))
        ].tolist():
            a, b = x[row - start].astype(np.float64), y[row - start].astype(np.float64)
            good = np.isfinite(a) & np.isfinite(b)
            if good.any():
                a, b = a[good], b[good]
                error = math.sqrt(float(((b - a) ** 2).mean()))
                self.lines.append({"row": row, "amax": float(np.abs(a).max()), "rms_error": error})

    def points(self) -> Rows:
        """Errors of the drawn values."""
        return [{"part": "sample", "x": a, "x2": a, "error": b - a} for a, b in self.values]

    def rows(self) -> Rows:
        """Largest magnitude and error of the drawn rows."""
        return self.lines


def _octave(place: int) -> float:
    """Where a bin of block magnitudes begins."""
    return float(2.0 ** (place / OCTAVE - EXPONENTS))
