"""Formats that need statistics of a whole tensor: several passes over its slabs, between which only those statistics are held."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.block import Shape, as_matrices
from fewbits.formats import Format
from fewbits.kernels import cpu, parts, sums
from fewbits.kernels.continued import ErrorSum
from fewbits.metrics import ERROR, SIGNAL
from fewbits.options import options_of
from fewbits.plan import Float32, Plan, plan
from fewbits.slabs import cut, cut_blocks, needs_amax, slabs
from fewbits.tensorwide import Stream, statistic

__all__ = ["error_sums", "pair_sums", "reconstructions"]

HELD = 1 << 24  # scales of candidates are held at once for about so many blocks


def error_sums(
    read: Callable[[int, int], Float32], shape: Shape, format_plan: Plan, mapped: Callable[..., Iterator[Any]]
) -> list[NDArray[np.float64]]:
    """Error sums of each slab of a tensor, of which `read` gives rows; `mapped` is `map` or that of a pool."""
    if not math.prod(shape):
        return []
    f = format_plan.format
    core, stream, make = _prepared(f, shape, read, mapped)
    if not (f.mean or f.hadamard or f.outliers):
        return list(stream.each(make(core, stream).errors))
    quantize = _with_options(f, core, stream, make)

    def one(x: Float32, at: int) -> NDArray[np.float64]:
        out = np.zeros((1, 1, 1, sums.ERRORS))
        sums.sum_errors(x, quantize(x, at), 0.0, 0, 0, out)
        return _only(out)

    return list(stream.each(one))


def pair_sums(x: Float32, y: Float32) -> tuple[dict[str, float], dict[str, float]]:
    """(sums of x, sums of y − x) by name, for two arrays that both exist, (rows, columns)."""
    errors = np.zeros((1, 1, 1, sums.ERRORS))
    if x.size:
        sums.sum_errors(x[None], y[None], 0.0, 0, 0, errors)
    return _named(SIGNAL, cpu.sum_signal(x)), _named(ERROR, errors[0, 0, 0])


def reconstructions(
    read: Callable[[int, int], Float32], shape: Shape, format_plan: Plan
) -> Iterator[tuple[int, Float32, Float32]]:
    """(first row, values, reconstruction) of each slab of a tensor, in order, (rows, columns); only one slab is held.

    Slabs hold whole blocks of values.
    """
    if not math.prod(shape):
        return
    f = format_plan.format
    core, stream, make = _prepared(f, shape, read, map)
    options = f.mean or f.hadamard or f.outliers
    quantize = _with_options(f, core, stream, make) if options else make(core, stream).quantize
    for at, (start, _) in enumerate(stream.spans):
        x = stream.slab(at)
        with np.errstate(all="ignore"):
            yield start, x[0], quantize(x, at)[0]


def _prepared(
    f: Format, shape: Shape, read: Callable[[int, int], Float32], mapped: Callable[..., Iterator[Any]]
) -> tuple[Plan, Stream, type[_SpreadScales] | type[_LocalScales]]:
    """The plan without options, the tensor's slabs, and how its scales are found."""
    core = plan(replace(f, mean=False, hadamard=0, outliers=None))
    how = cut(core, shape)
    stream = Stream(shape, list(slabs(shape, cut_blocks(core, shape) if how.whole else how)), read, mapped)
    return core, stream, _SpreadScales if how.whole else _LocalScales


def _with_options(
    f: Format, core: Plan, stream: Stream, make: type[_SpreadScales] | type[_LocalScales]
) -> Callable[[Float32, int], Float32]:
    """The reconstruction of a slab, with the format's options around its blocks."""
    options = options_of(f, stream)
    quantize = make(core, stream.of(options.rounded)).quantize
    return lambda x, at: options.quantize(x, at, quantize)


class _LocalScales:
    """Scales that follow from a slab and the largest magnitude of the tensor."""

    def __init__(self, plan: Plan, stream: Stream) -> None:
        self.plan, self.known = plan, None
        if needs_amax(plan):
            amax = max(stream.each(lambda x, _: float(cpu.sum_signal(x)[4])))
            self.known = np.full((1, 1, 1), amax, np.float32)

    def quantize(self, x: Float32, _: int) -> Float32:
        return cpu.quantize(x, self.plan, self.known)

    def errors(self, x: Float32, _: int) -> NDArray[np.float64]:
        return _only(cpu.sum_errors(x, self.plan, self.known))


class _SpreadScales:
    """Scales that need the statistics of all blocks, which lie in slabs or are one: the whole tensor."""

    def __init__(self, plan: Plan, stream: Stream) -> None:
        level = plan.levels[0]
        assert level.block is not None
        self.plan, self.stream, self.block = plan, stream, level.block
        self.part: parts.PartScales | None = None
        self.grid, self.axis = self.block.grid(stream.shape), 2 if self.block.kind == "flat" else 1
        columns = as_matrices(stream.shape)[2]
        self.grids = [self.block.grid((1, stop - start, columns)) for start, stop in stream.spans]
        self.starts = np.cumsum([0, *(grid.counts[self.axis] for grid in self.grids)])
        if self.block.kind == "tensor":
            low, found = statistic(stream, level, plan.zero_point)
        else:
            low, found = self._block_statistics()
        if self.block.kind != "tensor" and parts.scales_in_parts(plan):
            self.part = parts.part_scales(low, found, plan)
            return
        scales = parts.scales_of(self.grid, low, found, plan)
        self.scaled = scales(self._choice(scales) if len(plan.multipliers) else cpu.ONE)

    def quantize(self, x: Float32, at: int) -> Float32:
        return cpu.reconstruct(np.ascontiguousarray(x), self.plan, self._scaled(x, at))

    def errors(self, x: Float32, at: int) -> NDArray[np.float64]:
        return parts.sum_errors(x, self.plan, self._scaled(x, at))

    def _scaled(self, x: Float32, at: int) -> cpu.Scaled:
        """The stored scales of a slab."""
        if self.part is None:
            return self._part(self.scaled, at)
        grid = self.grids[at]
        prepared = self.part(grid, int(self.starts[at]) * (1 if self.axis == 2 else grid.counts[2]))
        if not len(self.plan.multipliers):
            return prepared(cpu.ONE)
        return prepared(cpu.best_multipliers(np.ascontiguousarray(x).reshape(grid.shape), self.plan, prepared, grid))

    def _part(self, scaled: cpu.Scaled, at: int) -> cpu.Scaled:
        return parts.part_of(scaled, self.grids[at], int(self.starts[at]), self.axis)

    def _slice(self, whole: np.ndarray, at: int) -> np.ndarray:
        return parts.slice_of(whole, self.grids[at], int(self.starts[at]), self.axis)

    def _block_statistics(self) -> tuple[Float32, Float32]:
        found = np.empty(self.grid.counts, np.float32)
        ranged = bool(self.plan.offset) or self.plan.zero_point
        low = np.zeros_like(found)
        each = self.stream.each(lambda x, _: parts.block_statistics(np.ascontiguousarray(x), self.plan))
        for at, (lowest, one) in enumerate(each):
            self._slice(found, at)[...] = one.reshape(1, -1, one.shape[2])
            if ranged:
                self._slice(low, at)[...] = lowest.reshape(1, -1, one.shape[2])
        return low, found

    def _choice(self, scales: Callable[[Float32], cpu.Scaled]) -> Float32:
        """The multiplier of each block with the least error; ties to the first."""
        best, choice = np.full(self.grid.counts, np.inf), np.full(self.grid.counts, self.plan.multipliers[0])
        if self.block.kind == "tensor":
            errors = self._tensor_errors([scales(m) for m in self.plan.multipliers])
            choice[...] = self.plan.multipliers[_first_least(errors)]
            return choice
        step = max(HELD // max(best.size, 1), 1)
        for first in range(0, len(self.plan.multipliers), step):
            multipliers = self.plan.multipliers[first : first + step]
            self._choose([(m, scales(m)) for m in multipliers], best, choice)
        return choice

    def _choose(self, candidates: list[tuple[np.float32, cpu.Scaled]], best: np.ndarray, choice: Float32) -> None:
        """One pass: the blocks whose error is less than the best so far take the candidate."""

        def one(x: Float32, at: int) -> None:
            x, least, chosen = np.ascontiguousarray(x), self._slice(best, at), self._slice(choice, at)
            for multiplier, scaled in candidates:
                error = parts.block_errors(x, self.plan, self._part(scaled, at)).reshape(least.shape)
                better = error < least
                least[better], chosen[better] = error[better], multiplier

        for _ in self.stream.each(one):
            pass

    def _tensor_errors(self, candidates: list[cpu.Scaled]) -> list[float]:
        """The error of the whole tensor for each candidate: slab after slab, candidates side by side."""
        assert self.plan.rule is not None
        errors = [ErrorSum(cpu.ERRORS[self.plan.rule.error]) for _ in candidates]
        for at in range(len(self.stream.spans)):
            x = np.ascontiguousarray(self.stream.slab(at))

            def one(k: int, x: Float32 = x, at: int = at) -> None:
                errors[k].add(x, cpu.reconstruct(x, self.plan, self._part(candidates[k], at)))

            for _ in self.stream.mapped(one, range(len(candidates))):
                pass
        return [e.total for e in errors]


def _first_least(errors: list[float]) -> int:
    """The place of the first of the least numbers; 0 where none is less than infinity."""
    least, place = np.inf, 0
    for k, error in enumerate(errors):
        if error < least:
            least, place = error, k
    return place


def _only(out: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = out[0, 0, 0]
    return total


def _named(names: tuple[str, ...], values: NDArray[np.float64]) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))
