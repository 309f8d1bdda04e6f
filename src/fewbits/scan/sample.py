"""Measuring some rows instead of all: which rows, and how far the result may be off.

Rows are drawn as whole strata of consecutive rows (cluster sampling without replacement): one read each, and blocks
that span rows stay whole. Which strata depends on seed and tensor name alone, by SHA-256: the same for ever.
Standard errors come from the delete-one-stratum jackknife over merged sums, with the finite population correction.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from hashlib import sha256

from fewbits import metrics
from fewbits.block import as_matrices
from fewbits.formats import Format
from fewbits.plan import plan
from fewbits.slabs import Cut, cut, needs_amax

__all__ = ["STRATUM", "draw", "in_full", "standard_errors"]

STRATUM = 32  # rows; two strata at least are drawn, or there would be no standard error


def in_full(f: Format, shape: tuple[int, ...]) -> bool:
    """Whether a format's values depend on more rows than a stratum holds, so that no sample of rows stands for the tensor.

    So it is where some level has a scale or mean of the whole tensor, of whole columns or matrices, or blocks that no
    strata keep whole.
    """
    lowered, how = plan(f), _cut(f, shape)
    matrices, rows, _ = as_matrices(shape)
    whole = any(b is not None and b.kind == "grid" and not b.rows for b in (level.block for level in lowered.levels))
    across = not how.alone and matrices > 1 and rows % how.rows  # flat blocks that go on in the next matrix
    return f.mean or whole or how.whole or needs_amax(lowered) or bool(across) or 1 < how.rows >= matrices * rows


def _cut(f: Format, shape: tuple[int, ...]) -> Cut:
    return cut(plan(f), shape)


def draw(
    shape: Sequence[int], wanted: int, seed: int, name: str, formats: Iterable[Format] = ()
) -> list[tuple[int, int]] | None:
    """Row ranges of a tensor, ascending, with at least `wanted` rows in all; None when that would be all of them.

    None of `formats` may be one that is measured `in_full`.
    Rows are those of the tensor as (rows, columns). A stratum lies in one matrix and holds whole blocks.
    """
    matrices, rows, _ = as_matrices(tuple(shape))
    height = math.lcm(STRATUM, *(_cut(f, tuple(shape)).rows for f in formats))
    per_matrix = -(-rows // height)
    strata = matrices * per_matrix
    if wanted >= rows * matrices or strata < 3:
        return None
    drawn: list[tuple[int, int]] = []
    left = wanted
    for i in sorted(range(strata), key=lambda i: sha256(f"{seed}:{name}:{i}".encode()).digest()):
        start = i // per_matrix * rows + i % per_matrix * height
        stop = min(start + height, (i // per_matrix + 1) * rows)
        drawn.append((start, stop))
        left -= stop - start
        if left <= 0 and len(drawn) > 1:
            break
    return sorted(drawn) if len(drawn) < strata else None


def standard_errors(groups: Sequence[tuple[metrics.Sums, metrics.Sums]], share: float) -> dict[str, float]:
    """Standard error of every metric that is no extreme, from sums (signal, error) of strata; `share` was drawn.

    A metric that is undefined without some stratum has none.
    """
    n = len(groups)
    if n < 2:
        return {}
    without = []
    for i in range(n):
        kept = [group for j, group in enumerate(groups) if j != i]
        without.append(metrics.compute(metrics.merge(s for s, _ in kept), metrics.merge(e for _, e in kept))[0])
    found = {}
    for row in metrics.METRICS:
        values = [value for estimate in without if (value := estimate[row.name]) is not None]
        if len(values) == n and not row.extreme:
            mean = math.fsum(values) / n
            variance = math.fsum((value - mean) ** 2 for value in values) * (n - 1) / n
            found[row.name] = math.sqrt(variance * max(0.0, 1 - share))
    return found
