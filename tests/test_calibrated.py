"""Searched and clipped scales against brute force: every candidate tried on its own, in float64 where the choice allows it."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

import fewbits as fb
from fewbits.element import element

BACKENDS = ["reference", "cpu"]
X = (np.random.default_rng(7).standard_t(4, (6, 96)) * 0.05).astype(np.float32)
X[1, :32] = 0
X[2, 5] = 40  # an outlier that is worth clipping
ROUNDED = {
    "s4": np.arange(-7, 8),
    "e4m3": np.array(element("e4m3").values),
    "s8": np.arange(-127, 128),
    "e2m1": np.array(element("e2m1").values),
}


def nearest(v: np.ndarray, values: np.ndarray) -> np.ndarray:
    """The value of a sorted list with the least distance; ties, which random data does not have, to the first."""
    return values[np.abs(v[..., None] - values).argmin(axis=-1)]


def blocks_of(x: np.ndarray, kind: str) -> list[np.ndarray]:
    if kind == "tensor":
        return [x.reshape(-1)]
    length = x.shape[-1] if kind == "row" else int(kind)
    return [row[i : i + length] for row in x for i in range(0, x.shape[-1], length)]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("name", "block"), [("s4", "row"), ("s4", "32"), ("e4m3", "tensor"), ("e4m3", "row"), ("s8", "row"), ("e2m1", "32")]
)
def test_mse_takes_the_best_of_111_clipping_points(name: str, block: str, backend: str) -> None:
    values = ROUNDED[name]
    y = fb.quantize(X, f"{name}@{block}-mse:f32", backend=backend)
    for x, ours in zip(blocks_of(X, block), blocks_of(y, block), strict=True):
        largest = np.abs(x).max()
        tried = [(1.0 - 0.9 * i / 110) * largest / values.max() for i in range(111)]
        errors = [np.sum((nearest(x / s, values) * s - x.astype(np.float64)) ** 2) if s else 0.0 for s in tried]
        best = tried[int(np.argmin(errors))]
        want = nearest(x / best, values) * best if best else np.zeros_like(x)
        np.testing.assert_allclose(ours, want, rtol=3e-7, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
def test_mse_keeps_what_is_exact_without_clipping(backend: str) -> None:
    q = fb.encode(np.array([[0, 7, -7, 1], [0, 0, 0, 0]], np.float32), "s4@row-mse:f32", backend=backend)
    assert isinstance(q.scale, np.ndarray)
    assert np.ravel(q.scale).tolist() == [1.0, 0.0]
    assert fb.decode(q).tolist() == [[0, 7, -7, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("percent", ["50", "90", "99.9", "99.99", "100", "0.5"])
@pytest.mark.parametrize("block", ["tensor", "row", "32"])
def test_percentile_is_the_smallest_magnitude_that_covers_enough(block: str, percent: str, backend: str) -> None:
    """The smallest |x| with at least P % of the magnitudes at or below it, counted in exact fractions; no interpolation."""
    q = fb.encode(X, f"s8@{block}-p{percent}:f32", backend=backend)
    assert isinstance(q.scale, np.ndarray)
    for x, scale in zip(blocks_of(X, block), np.ravel(q.scale), strict=True):
        magnitudes = sorted(float(v) for v in np.abs(x))
        enough = [
            m
            for m in magnitudes
            if Fraction(sum(v <= m for v in magnitudes), len(magnitudes)) >= Fraction(percent) / 100
        ]
        assert scale == np.float32(enough[0]) / np.float32(127)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("factor", ["3", "2.5", "0.75"])
@pytest.mark.parametrize("block", ["tensor", "row", "32"])
def test_root_mean_square_clips_at_its_multiple(block: str, factor: str, backend: str) -> None:
    q = fb.encode(X, f"s4@{block}-{factor}rms:f32", backend=backend)
    assert isinstance(q.scale, np.ndarray)
    for x, scale in zip(blocks_of(X, block), np.ravel(q.scale), strict=True):
        rms = math.sqrt(math.fsum(float(v) ** 2 for v in x) / len(x))
        assert scale == pytest.approx(float(factor) * rms / 7, rel=2e-7)
        clip = 7 * float(scale)
        assert np.abs(fb.decode(q)).max() <= 7 * np.ravel(q.scale).max()
        assert (np.abs(x) <= clip).all() or clip < np.abs(x).max()


@pytest.mark.parametrize("backend", BACKENDS)
def test_zero_point_integers_hold_zero_and_both_ends(backend: str) -> None:
    """Jacob et al. 2018: x̂ = (q − z) · s with s = (max − min) / steps over a range that contains zero, z = round(−min / s)."""
    x = X + np.float32(0.02)
    q = fb.encode(x, "u4@32:f32+zero", backend=backend)
    y = fb.decode(q)
    for b, ours, scale, zero in zip(
        blocks_of(x, "32"), blocks_of(y, "32"), np.ravel(q.scale), np.ravel(q.offset), strict=True
    ):
        low, high = min(float(b.min()), 0.0), max(float(b.max()), 0.0)
        assert scale == pytest.approx((high - low) / 15, rel=2e-7)
        z = float(np.clip(np.rint(-low / scale), 0, 15))
        assert zero == z
        want = (np.clip(np.rint(b.astype(np.float64) / scale) + z, 0, 15) - z) * scale
        np.testing.assert_allclose(ours, want, rtol=3e-7, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("values", "scales"), [(4, 4), (4, 6), (8, 6)])
def test_two_level_integers_of_vs_quant(values: int, scales: int, backend: str) -> None:
    """One integer scale per 16, one float32 per row: g = max of s / (2^M − 1), stored scale round(s / g), values by it."""
    top, steps = 2 ** (values - 1) - 1, 2**scales - 1
    q = fb.encode(X, f"s{values}@16:u{scales}@row:f32", backend=backend)
    assert isinstance(q.scale, fb.Encoded)
    stored = q.scale.codes.reshape(6, 6)
    y = fb.decode(q)
    for r, row in enumerate(X.astype(np.float64)):
        s = np.abs(row.reshape(6, 16)).max(axis=1) / top
        g = s.max() / steps
        want = np.maximum(np.rint(s / g), s > 0)  # a block that is not all zeros keeps a scale
        assert np.array_equal(stored[r], want)
        effective = np.repeat(want * g, 16)
        v = np.divide(row, effective, out=np.zeros_like(row), where=effective > 0)
        np.testing.assert_allclose(y[r], np.clip(np.rint(v), -top, top) * effective, rtol=5e-7, atol=0)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("rule", "power"), [("46", 2.0), ("46mae", 1.0)])
def test_four_over_six_takes_the_better_of_two_scales(rule: str, power: float, backend: str) -> None:
    """The largest value of a block at 6 or, with 3/2 of the scale, at 4; tensor scale amax / (6 · 256)."""
    values = ROUNDED["e2m1"]
    e4m3 = ROUNDED["e4m3"]
    q = fb.encode(X, f"e2m1@16-{rule}:e4m3@tensor:f32", backend=backend)
    assert isinstance(q.scale, fb.Encoded)
    g = float(np.abs(X).max()) / (6 * 256)
    assert float(np.ravel(q.scale.scale)[0]) == pytest.approx(g, rel=2e-7)
    stored = e4m3_of(q.scale.codes)
    chosen = 0
    for x, ours, y in zip(blocks_of(X, "16"), np.ravel(stored), blocks_of(fb.decode(q), "16"), strict=True):
        hp = float(np.abs(x).max()) / 6 / g
        errors, tried = [], []
        for multiplier in (1.0, 1.5):
            s = float(nearest(np.array([hp * multiplier]), e4m3)[0])
            z = nearest(x / (s * g), values) * s * g if s else np.zeros_like(x, np.float64)
            errors.append(np.sum(np.abs(z - x) ** power))
            tried.append((s, z))
        s, z = tried[int(np.argmin(errors))]
        chosen += int(np.argmin(errors))
        assert float(ours) == s
        np.testing.assert_allclose(y, z, rtol=5e-7, atol=0)
    assert chosen > 3


def e4m3_of(codes: np.ndarray) -> np.ndarray:
    return np.array(element("e4m3").decoded)[codes]
