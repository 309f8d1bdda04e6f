"""Fused error sums against a plain read of the same array, and all seven formats against one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from fewbits import catalog
from fewbits.bench.row import Row
from fewbits.bench.timing import best, one_thread
from fewbits.formats import Format
from fewbits.kernels import cpu
from fewbits.kernels.statistics import statistics
from fewbits.measurement import measure_tensor
from fewbits.plan import Float32, plan
from fewbits.slabs import SLAB, needs_amax

__all__ = ["against_read", "array", "histogram", "seven", "sums_of"]

READ = "of the rate of a plain read (numpy.dot(x, x)), one core"
MUST = {"e2m1@32:e8m0": 0.12, "s4@16-align:e8m0": 0.12, "s4@128:f16": 0.12, "e2m1@16:e4m3@tensor:f32": 0.10}
OTHERS = ("e4m3@32:e8m0", "e4m3@row:f32", "bf16", "nf4lut@flat64:f32", "i4@32-q40:f16", "u4@32-qkx2:u6@8:f16+min")
COLUMNS = 4096


def array(rows: int) -> Float32:
    """Weight-like values, float32 (rows, 4096)."""
    return np.random.default_rng(0).standard_normal((rows, COLUMNS), np.float32) * np.float32(0.02)


def sums_of(f: Format, x: Float32) -> list[Callable[[], object]]:
    """The fused sums of a format as pieces of work, slab by slab; a scale of the whole tensor costs a pass of its own."""
    p = plan(f)
    height = SLAB // x.shape[1]
    parts = [x[None, top : top + height] for top in range(0, len(x), height)]
    known: list[Float32 | None] = [None]
    work: list[Callable[[], object]] = []
    if needs_amax(p):
        outer = next(level for level in p.levels if level.block is not None and level.block.kind == "tensor")
        tops = np.zeros(len(parts), np.float32)

        def largest(i: int) -> Callable[[], object]:
            def top() -> None:
                part = parts[i].reshape(1, 1, -1)
                assert outer.block is not None
                tops[i] = statistics(part, outer.block.grid(part.shape), outer)[1].max()
                known[0] = np.full((1, 1, 1), tops.max(), np.float32)

            return top

        work += [largest(i) for i in range(len(parts))]
    return work + [lambda part=part: cpu.sum_errors(part, p, known[0]) for part in parts]


def against_read(x: Float32, repetitions: int) -> Iterator[Row]:
    """One row a format: time of a read ÷ time of the fused sums."""
    height = SLAB // x.shape[1]
    flat = [x[top : top + height].reshape(-1) for top in range(0, len(x), height)]
    read = [lambda part=part: np.dot(part, part) for part in flat]
    with one_thread() as threads:
        for spec in (*MUST, *OTHERS):
            f = catalog.format(spec)
            reading, summing = best([read, sums_of(f, x)], repetitions)
            must = MUST.get(spec)
            detail = f"{x.size / summing / 1e9:.3f} G values/s, read {x.size / reading / 1e9:.2f}; {threads}"
            passes = ", two passes" if needs_amax(plan(f)) else ""
            yield Row(
                f"sums of {catalog.name_of(f) or f}{passes}",
                reading / summing,
                READ,
                must,
                0.3 if must else None,
                "least",
                detail,
            )


def seven(x: Float32, repetitions: int) -> Row:
    """Time of `all` formats together ÷ the sum of each alone."""
    formats = [f for _, f in catalog.resolve(["all"])]
    together: list[Callable[[], object]] = [lambda: measure_tensor(x, formats)]
    alone: list[Callable[[], object]] = [lambda f=f: measure_tensor(x, [f]) for f in formats]  # type: ignore[misc]
    whole, each = best([together, alone], repetitions)
    detail = f"{whole:.3f} s together, {each:.3f} s one after the other, {x.size / 1e6:.1f} M values"
    return Row("all seven formats on one tensor", whole / each, "of one after the other", 1.0, None, "most", detail)


def histogram(values: int, pairs: int, repetitions: int) -> Row:
    """Time of many (format, clip) pairs on a bfloat16 tensor ÷ time of one read into the histogram."""
    from fewbits.bench.synthetic import bfloat16

    t = bfloat16(values)
    elements = ("e4m3", "e5m2", "s8", "s4", "e2m1")
    formats = [
        catalog.format(f"{e}@tensor-p{100 - i * 0.05:g}:f32")
        for i in range(-(-pairs // len(elements)))
        for e in elements
    ]
    one: list[Callable[[], object]] = [lambda: measure_tensor(t, formats[:1])]
    many: list[Callable[[], object]] = [lambda: measure_tensor(t, formats)]
    single, all_of_them = best([one, many], repetitions)
    each = (all_of_them - single) / len(formats) * 1e3
    detail = f"{len(formats)} pairs in {all_of_them:.3f} s, one in {single:.3f} s; {t.size / 1e6:.0f} M values, {each:.2f} ms a pair"
    return Row(
        "(format, clip) pairs from one histogram",
        all_of_them / single,
        f"of one pair, for {len(formats)}",
        None,
        None,
        "most",
        detail,
    )
