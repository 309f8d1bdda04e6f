"""What the formats are given: seeded, ordinary and nasty, without NaN and infinities (the packages agree on neither)."""

from __future__ import annotations

import numpy as np

from fewbits.conformance.oracle import Float32
from fewbits.formats import Format

__all__ = ["suites"]

COLUMNS = 256  # a multiple of every block of the catalogue but those of whole rows and 4096
ROWS = 32
FEW = 1024  # an element of more values is sampled

HALVES = np.array([0x7FFF, 0x8000, 0x8001, 0x0FFF, 0x1000, 0x1001])  # low halves next to ties of bfloat16 and float16


def suites(f: Format) -> dict[str, Float32]:
    """Named arrays (rows, 256) of finite float32 for a format: the same for every call."""
    random = np.random.default_rng(2024)
    gauss = random.standard_normal((ROWS, COLUMNS)) * 0.02
    heavy = random.standard_t(2, (ROWS, COLUMNS))
    return {"gauss": gauss.astype(np.float32), "heavy": heavy.astype(np.float32), "ties": _ties(f), "edge": _edge()}


def _ties(f: Format) -> Float32:
    """The element's values, the midpoints between neighbours, and the float32 on both sides of each; scales come out as 1.

    Every run of 16 starts with the value of largest magnitude, so that blocks of 16 and more have it.
    """
    e = f.element
    if e.kind in ("wide", "zero"):
        random = np.random.default_rng(7)
        patterns = random.integers(0, 2**16, (ROWS, COLUMNS), np.uint32) << 16
        halves = (patterns | random.choice(HALVES, patterns.shape)).astype(np.uint32)
        x = halves.view(np.float32)
        return np.where(np.isfinite(x), x, np.float32(1)).astype(np.float32)
    values = np.array(e.values, np.float64)
    if len(values) > FEW:
        values = values[np.linspace(0, len(values) - 1, FEW).astype(int)]
    middles = ((values[1:] + values[:-1]) / 2).astype(np.float32)
    points = np.concatenate(
        [np.float32(values), middles, np.nextafter(middles, np.float32(9e9)), np.nextafter(middles, np.float32(-9e9))]
    )
    x = np.full(-(-len(points) // 15) * 16, e.extreme, np.float32).reshape(-1, 16)
    x[:, 1:].reshape(-1)[:] = 0
    filled = np.zeros(x.shape[0] * 15, np.float32)
    filled[: len(points)] = points
    x[:, 1:] = filled.reshape(-1, 15)
    rows = -(-x.size // COLUMNS)
    padded = (
        np.tile(x.reshape(-1), 2)[: rows * COLUMNS]
        if rows * COLUMNS <= 2 * x.size
        else np.resize(x.reshape(-1), rows * COLUMNS)
    )
    return np.ascontiguousarray(padded.reshape(rows, COLUMNS))


def _edge() -> Float32:
    """Rows of zeros, of one value, near the ends of float32, around powers of two, and of mixed magnitudes."""
    random = np.random.default_rng(11)
    x = random.standard_normal((24, COLUMNS)).astype(np.float32)
    x[0] = 0.0
    x[1] = -0.0
    x[2] = 0.3
    x[3] = 0.0
    x[3, ::64] = -1.5
    powers = np.exp2(np.arange(-128, 128, dtype=np.float64)).astype(np.float32)
    x[4], x[5], x[6] = powers, np.nextafter(powers, np.float32(0)), np.nextafter(powers, np.float32(9e9))
    x[7] = powers[::-1] * np.float32(-1)
    for row, exponent in zip(
        range(8, 20), (-149, -140, -130, -126, -120, -60, -24, 15, 60, 100, 120, 126), strict=True
    ):
        x[row] = np.clip(np.ldexp(x[row].astype(np.float64), exponent), -3e38, 3e38).astype(np.float32)
    x[20] *= np.exp2(random.integers(-30, 30, COLUMNS)).astype(np.float32)
    x[21] = np.arange(COLUMNS) - 128.0
    x[22] = (np.arange(COLUMNS) - 127.5) / 127.5
    x[23] = np.where(np.arange(COLUMNS) % 2 == 1, np.float32(3e38), np.float32(-1e-40))
    return np.where(np.isfinite(x), x, np.float32(0)).astype(np.float32)
