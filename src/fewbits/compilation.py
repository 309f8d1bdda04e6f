"""First-use compilation, side by side: numba compiles under one lock, so parts that share little go to processes of their own.

What a process compiles it leaves in numba's cache; this one then loads it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fewbits.kernels import (
    continued,
    cpu,
    exact_mean,
    fast,
    general,
    histogram,
    scales,
    search_lanes,
    search_range,
    sums,
)
from fewbits.kernels.arithmetic import arguments
from fewbits.kernels.cache import is_kept
from fewbits.kernels.lanes import LANES
from fewbits.plan import Plan, plan
from fewbits.spec import parse

__all__ = ["compile_for", "compile_parts", "missing"]

CHAINS = (("scales", "general"), ("errors", "search"))  # a part that uses another's kernels comes after it
SCALED = ("e2m1@32:e8m0", "e2m1@16:e4m3@tensor:f32", "s4@32:f16")
UNSCALED = "e5m2"
GENERAL = (
    "nf4lut@32:f32",
    "i4@32-q40:f16",
    "u4@32-q41:f16+min",
    "u4@32:f16+zero",
    "s4@32-p99:f16",
    "s4@32-3rms:f16",
    "s4@32-mse:f16",
)
SEARCHED = ("u4@32-qkx2:u6@8:f16+min", "i3@16-q3k:i6@16:f16", "i6@16-q6k:i8@16:f16", "iq4lut@32-iq4:i6@8:f16")


def compile_for(plans: Sequence[Plan]) -> None:
    """Compile what `plans` need and the cache lacks; chains of parts run in processes of their own where there are several."""
    needed = missing(plans)
    chains = [found for chain in CHAINS if (found := [part for part in chain if part in needed])]
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import *; compile_parts({chain!r})"], start_new_session=True
        )
        for chain in chains[1:]
    ]
    try:
        for chain in chains[:1]:
            compile_parts(chain)
        for worker in workers:
            worker.wait()
    except BaseException:
        for worker in workers:
            worker.kill()
        raise


def missing(plans: Sequence[Plan]) -> list[str]:
    """The parts that `plans` need and that are not in the cache."""
    needed = {
        "errors": any(cpu.is_fast(p) for p in plans),
        "scales": True,
        "general": any(p.scaled and not cpu.is_fast(p) for p in plans),
        "search": any(p.rule is not None and bool(p.rule.search) for p in plans),
    }
    if not is_kept():
        return []
    return [part for part, (_, roots) in PARTS.items() if needed[part] and not all(map(_is_cached, roots))]


def compile_parts(parts: Sequence[str]) -> None:
    """Compile parts, one after the other, by using them on a few values."""
    for part in parts:
        PARTS[part][0]()


def _errors() -> None:
    e = arguments(plan(parse(SCALED[0])).levels[0].rounding)
    element = (e.lowest, e.highest, e.least_exponent, e.shift, e.zero)
    fast.sum_errors(
        _some(), np.ones((1, 1, 1), np.float32), 1, 32, element, np.float32(0), 0, 0, np.zeros((1, 1, 1, sums.ERRORS))
    )


def _scales() -> None:
    for spec in SCALED:
        cpu.scale(_some(), plan(parse(spec)))
    cpu.sum_signal(_some())
    cpu.sum_errors(_some(), plan(parse(UNSCALED)))
    error, scratch = np.empty((1, 2, 8)), np.empty(32)
    sums.block_errors(_some(), _some(), 1, 32, sums.SQUARED, scratch, np.empty(LANES), error)
    patterns, counts = _some().reshape(-1).view(np.uint32), np.zeros(histogram.PATTERNS, np.int64)
    histogram.count_upper_halves(patterns, counts > 0, counts, np.empty_like(patterns))


def _general() -> None:
    for spec in GENERAL:
        cpu.sum_errors(_some(), plan(parse(spec)))
    exact_mean.finite_mean(_some())
    error = continued.ErrorSum(sums.SQUARED)
    error.add(_some(), _some())
    assert error.total == 0


def _search() -> None:
    for spec in SEARCHED:
        cpu.sum_errors(_some(), plan(parse(spec)))


def _some() -> np.ndarray:
    return np.linspace(-1, 1, 512, dtype=np.float32).reshape(1, 2, 256)


def _is_cached(dispatcher: Any) -> bool:
    """Whether numba's index on disk holds code of this very source; there is no public question for it."""
    return bool(dispatcher._cache._cache_file._load_index())


PARTS: dict[str, tuple[Callable[[], None], tuple[Any, ...]]] = {
    "scales": (
        _scales,
        (
            scales._store,
            scales._powers,
            sums.sum_signal,
            sums.block_errors,
            histogram.count_upper_halves,
            fast.sum_unscaled_errors,
        ),
    ),
    "errors": (_errors, (fast.sum_errors,)),
    "general": (_general, (general.reconstruct, sums.sum_errors, continued._add, exact_mean._add)),
    "search": (
        _search,
        (search_range.range_lanes, search_lanes.code_lanes, search_lanes.target_lanes, search_lanes.table_lanes),
    ),
}
