"""Staircases: what values from 0 to 1 become, alone in their block, among random values, and among real ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fewbits.errors import UsageError
from fewbits.formats import Format
from fewbits.pictures.blocks import draw_blocks, least_places
from fewbits.pictures.local import localised, unit
from fewbits.pictures.probe import probe
from fewbits.plan import Float32, plan
from fewbits.tensor import Tensor
from fewbits.verbs import rounded

__all__ = ["COLUMNS", "DEFAULT", "curve", "own", "shared", "tensor_line", "values"]

COLUMNS = ("series", "group", "variant", "x", "y")
DEFAULT = ("bf16", "mxfp4", "nvfp4", "bfp8", "bfp4", "bfp2", "fp0")
SIGMA = 0.5  # standard deviation of the values around a probed one
MEAN = 0.5  # mean magnitude of a real block, after it was scaled

Row = dict[str, Any]


def curve(formats: Sequence[tuple[str, Format]], *, points: int = 400, samples: int = 100, seed: int = 0) -> list[Row]:
    """Rows (series, group, variant, x, y) for the diagonal and each named format; `points` values from 0 to 1."""
    x = values(points)
    rows = _rows("IDEAL", "IDEAL", "ideal", x, x)
    for name, f in formats:
        if f.block is None and not f.hadamard:
            rows += _rows(name, name, "zero" if f.element.kind == "zero" else "plain", x, own(f, x))
            continue
        rows += _rows(f"{name} own", name, "own", x, own(f, x))
        rows += _rows(f"{name} shared", name, "shared", x, shared(f, x, samples, seed))
    return rows


def values(points: int) -> Float32:
    """`points` equally spaced values from 0 to 1."""
    if points < 2:
        raise UsageError(f"a curve needs at least 2 points, not {points}")
    return np.linspace(0, 1, points).astype(np.float32)


def own(f: Format, x: Float32) -> Float32:
    """Own exponent: each value is a block by itself; scales of the whole tensor are those of all values of x together."""
    y: Float32 = rounded(x[:, None, None], plan(localised(f)))[:, 0, 0]
    return y


def shared(f: Format, x: Float32, samples: int = 100, seed: int = 0) -> Float32:
    """Shared exponent: the mean over random blocks, whose largest magnitude, with the value among them, sets the scale.

    A block has the format's size (256 values where that is a row, matrix or tensor; with all that share a scale of scales,
    up to 1,024). Its values are normal, mean 0, standard deviation 0.5, drawn by the seed, the same blocks for every value;
    the value takes the place of one of them, drawn too. A scale of the whole tensor is that of the largest magnitude drawn.
    """
    if samples < 1:
        raise UsageError(f"a mean over random blocks needs at least 1 of them, not {samples}")
    random = np.random.default_rng(seed)
    rows, columns = unit(f)
    blocks = (SIGMA * random.standard_normal((samples, rows, columns))).astype(np.float32)
    places = random.integers(0, rows * columns, samples)
    mean: Float32 = probe(f, blocks, places, x, 1.0).mean(axis=1, dtype=np.float64).astype(np.float32)
    return mean


def tensor_line(tensor: Tensor, f: Format, label: str, x: Float32, samples: int = 100, seed: int = 0) -> list[Row]:
    """Rows of one real tensor: the mean over blocks of it, each scaled to a mean magnitude of 0.5 (S-073).

    At most `samples` whole blocks, drawn by the seed; the value takes the place of a block's least magnitude, so that the
    others set the scale. Raises `DataError` where the tensor has no such block.
    """
    blocks = draw_blocks(tensor, f, samples, seed)
    blocks = (blocks * (MEAN / np.abs(blocks).mean(axis=(1, 2), keepdims=True, dtype=np.float64))).astype(np.float32)
    y = probe(f, blocks, least_places(blocks), x, 1.0).mean(axis=1, dtype=np.float64)
    return _rows(label, label, "tensor", x, y.astype(np.float32))


def _rows(series: str, group: str, variant: str, x: Float32, y: Float32) -> list[Row]:
    return [
        {"series": series, "group": group, "variant": variant, "x": a, "y": b}
        for a, b in zip(x.tolist(), y.tolist(), strict=True)
    ]
