"""Kernels: fused sums against a float64 computation, groups by row and tile, known figures on N(0, 1), no absurd sibling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import fewbits as fb
from fewbits.block import as_matrices
from fewbits.formats import Format
from fewbits.kernels import cpu, reference
from fewbits.plan import plan
from strategies import FLOAT32_MAX, NAMES, Float32, array, arrays, formats, same_bits

ERR, ERR_SQ, ERR_X, ERR_ABS, ERR_MAX, ZEROS, CLIPPED = range(7)
TOLERANCE = 1e-7  # of the sum of magnitudes


def plain(f: Format) -> bool:
    return not (f.mean or f.hadamard or f.outliers)


def direct(x: Float32, y: Float32) -> tuple[np.ndarray, np.ndarray]:
    """(sums of the error in float64, the sums of their magnitudes) over finite x."""
    finite = np.isfinite(x)
    v = x[finite].astype(np.float64)
    e = y[finite].astype(np.float64) - v
    made = float(((y == 0) & (x != 0) & finite).sum())
    sums = np.array([e.sum(), (e * e).sum(), (e * v).sum(), abs(e).sum(), abs(e).max(initial=0), made])
    return sums, np.array([abs(e).sum(), (e * e).sum(), abs(e * v).sum(), abs(e).sum(), sums[4], 0])


def agree(found: np.ndarray, x: Float32, y: Float32) -> None:
    with np.errstate(all="ignore"):
        want, size = direct(x, y)
        if not np.isfinite(y[np.isfinite(x)]).all():
            return
        assert (abs(found[:4] - want[:4]) <= TOLERANCE * size[:4] + 1e-300).all()
        assert found[ERR_MAX] == pytest.approx(want[ERR_MAX], rel=1e-7)  # a float32 difference where sums are float32
        assert found[ZEROS] == want[ZEROS]


GROUPED = [
    "mxfp4",
    "nvfp4",
    "bfp4",
    "int8",
    "int4-g128",
    "int8-row",
    "nf4",
    "q4_0",
    "q4_1",
    "int4-g128-zero",
    "fp8-e4m3",
    "q4_k",
]
GROUPED += ["fp8-e4m3-128x128"]
MEASURED = [name for name in NAMES if plain(fb.format(name))]
LARGE_ENOUGH = array("gauss", (40, 1100))
SCALED = {
    "gauss": LARGE_ENOUGH,
    "1e30": LARGE_ENOUGH * np.float32(1e30),
    "1e-30": LARGE_ENOUGH * np.float32(1e-30),
    "weights": LARGE_ENOUGH * np.float32(0.02),
    "huge": array("huge", (5, 400)),
    "tiny": array("tiny", (5, 400)),
    "ties": array("ties", (5, 400)),
}


@pytest.mark.parametrize("name", MEASURED)
def test_error_sums_are_those_of_float64(name: str) -> None:
    p = plan(fb.format(name))
    for x in SCALED.values():
        x = x[None]
        agree(cpu.sum_errors(x, p)[0, 0, 0], x, cpu.quantize(x, p))


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(formats(), arrays())
def test_counts_and_maxima_are_exact_for_generated_formats(f: Format, x: Float32) -> None:
    if not plain(f):
        return
    x = x.reshape(as_matrices(x.shape))
    found, y = cpu.sum_errors(x, plan(f))[0, 0, 0], cpu.quantize(x, plan(f))
    if np.isfinite(y).all():
        with np.errstate(all="ignore"):
            want, size = direct(x, y)
        assert found[ZEROS] == want[ZEROS]
        assert found[ERR_MAX] == pytest.approx(want[ERR_MAX], rel=1e-7)
        assert (abs(found[:4] - want[:4]) <= 3e-7 * size[:4] + 1e-300).all()  # few values: roundings do not average out


@pytest.mark.parametrize("name", GROUPED)
@pytest.mark.parametrize("shape", [(2, 70, 75), (1, 64, 96), (3, 5, 33)])
def test_groups_merge_to_the_whole(name: str, shape: tuple[int, int, int]) -> None:
    x, p = array("gauss", shape), plan(fb.format(name))
    y, whole = cpu.quantize(x, p), cpu.sum_errors(x, p)[0, 0, 0]
    for group in [(1, 0), (32, 32), (16, 0), (7, 11)]:
        parts = cpu.sum_errors(x, p, group=group)
        tall, wide = group[0], group[1] or shape[2]
        assert parts.shape == (shape[0], -(-shape[1] // tall), -(-shape[2] // wide), 7)
        for m, r, c in np.ndindex(parts.shape[:3]):
            at = (slice(m, m + 1), slice(r * tall, (r + 1) * tall), slice(c * wide, (c + 1) * wide))
            want, size = direct(x[at], y[at])
            assert (abs(parts[m, r, c, :4] - want[:4]) <= 3e-7 * size[:4]).all()
            assert parts[m, r, c, ZEROS] == want[5]
        merged = parts.sum(axis=(0, 1, 2))
        assert parts[..., ERR_MAX].max() == whole[ERR_MAX]
        assert (merged[[ZEROS, CLIPPED]] == whole[[ZEROS, CLIPPED]]).all()
        assert (abs(merged[:4] - whole[:4]) <= 2e-7 * direct(x, y)[1][:4]).all()


@pytest.mark.parametrize(
    ("text", "count"), [("e4m3", 3), ("e2m1", 5), ("s4@tensor-p50:f32", 4), ("e2m1@4:e8m0", 2), ("u4", 5)]
)
def test_clipped_values_lie_beyond_the_largest(text: str, count: int) -> None:
    """For blocks of 4 the scales are 2^27 and 1: 1e9 and 7 are beyond 6 of them."""
    x = np.array([[[448.1, -449, 1e9, 448, 7, -6, 5, 1.5]]], np.float32)
    assert cpu.sum_errors(x, plan(fb.format(text)))[0, 0, 0][CLIPPED] == count


def test_signal_sums_are_those_of_float64() -> None:
    for x in [
        *SCALED.values(),
        array("zeros", (33, 40)),
        np.array([np.nan, 1, -np.inf, 0, -0.0, FLOAT32_MAX, np.inf], np.float32),
    ]:
        found, v = cpu.sum_signal(x), x[np.isfinite(x)].astype(np.float64)
        want = [
            len(v),
            v.sum(),
            (v * v).sum(),
            abs(v).sum(),
            abs(v).max(),
            v.min(),
            v.max(),
            np.isnan(x).sum(),
            np.isinf(x).sum(),
            (v == 0).sum(),
        ]
        exact = [0, 4, 5, 6, 7, 8, 9]
        assert (found[exact] == np.array(want)[exact]).all()
        assert (abs(found[1:4] - want[1:4]) <= 1e-12 * np.array([abs(v).sum(), (v * v).sum(), abs(v).sum()])).all()


def test_signal_sums_of_nothing_are_neutral() -> None:
    assert cpu.sum_signal(np.zeros((0, 5), np.float32)).tolist() == [0, 0, 0, 0, 0, np.inf, -np.inf, 0, 0, 0]


def sqnr(x: Float32, y: Float32) -> float:
    x, e = x.astype(np.float64), y.astype(np.float64) - x
    return float(10 * np.log10((x * x).sum() / (e * e).sum()))


NORMAL = np.random.default_rng(20_240_917).standard_normal((512, 4096)).astype(np.float32)
KNOWN = {
    "mxfp4": 18.79, "mxfp4-even": 19.03, "mxfp4-rceil": 18.75, "nvfp4": 20.43, "bfp8": 42.78, "bfp4": 18.63, "bfp2": 6.34, "nf4": 20.73,
    "q4_k": 22.92, "q4_0": 21.30,
}  # fmt: skip


@pytest.mark.parametrize("name", KNOWN)
def test_known_figures_on_the_normal_distribution(name: str) -> None:
    x = NORMAL[:64] if name == "q4_k" else NORMAL
    assert sqnr(x, fb.quantize(x, name)) == pytest.approx(KNOWN[name], abs=0.03)


# D of rate-distortion tables for unit variance, averaged over sigma in [1, 2), relative tolerance 0.5 %.
DISTORTION = {
    "s2@16:f16": 0.34252, "s3@16:f16": 0.039563, "s4@16:f16": 0.007256, "s8@16:f16": 2.20e-5, "s2@128:f16": 0.58781, "s4@32:f16": 0.009414,
    "s4@64:f16": 0.011580, "s4@128:f16": 0.013764, "s5@128:f16": 0.002997, "s6@64:f16": 5.90e-4,
    "s4@256:f16": 0.015974, "s8@32:f16": 2.86e-5,
    "i4@128-signmax:f16": 0.010640, "i3@128-signmax:f16": 0.043162, "u4@128:f16+zero": 0.010120, "u3@128:f16+zero": 0.046494,
    "nf4lut@32:f16": 0.007611, "nf4lut@64:f16": 0.008458, "nf4lut@128:f16": 0.009129, "bnbfp4@64:f16": 0.014880,
    "e2m1@16:f16": 0.008859, "e2m1@32:f16": 0.010206, "e2m1@64:f16": 0.011177,
    "mxfp4": 0.013341, "mxfp4-even": 0.012600, "mxfp4-rceil": 0.013657, "nvfp4": 0.009032, "nvfp4-46": 0.007553,
    "mxfp6-e2m3": 0.000799, "mxfp6-e3m2": 0.00293, "mxfp8-e4m3": 0.000893, "mxfp8-e4m3-rceil": 0.000703,
    "mxfp8-e5m2": 0.00292, "mxint8": 6.3e-5,
    "bfp8": 5.015e-5, "bfp4": 0.013005, "bfp2": 0.22098, "bf16": 2.76e-6,
}  # fmt: skip
PRINTED = {
    "mxfp6-e2m3": 0.01,
    "mxfp6-e3m2": 0.01,
    "mxint8": 0.01,
    "mxfp8-e5m2": 0.01,
    "s8@16:f16": 0.01,
    "s8@32:f16": 0.01,
}  # few digits in the table


@pytest.mark.slow
@pytest.mark.parametrize("text", DISTORTION)
def test_distortion_averaged_over_the_phase_of_the_scale(text: str) -> None:
    phases = 2.0 ** (np.arange(16) / 16) if fb.format(text).levels[-1].element.name != "f16" else [1.0]
    found = []
    for sigma in phases:
        x = NORMAL * np.float32(sigma)
        sums = cpu.sum_errors(x[None], plan(fb.format(text)))[0, 0, 0]
        found.append(sums[ERR_SQ] / x.size / sigma**2)
    assert np.mean(found) == pytest.approx(DISTORTION[text], rel=PRINTED.get(text, 0.005))


@pytest.mark.parametrize("name", [name for name in NAMES if fb.format(name).scale is not None])
def test_no_format_is_absurdly_worse_than_the_plain_one_of_its_bits(name: str) -> None:
    """Six decibels a bit less seventeen: a wrong sign of an offset or a factor of two in a scale falls far below."""
    f = fb.format(name)
    bits = 1.0 if f.element.integer == "s" and f.element.bits == 2 else f.element.bits
    floor = {"float": min(6 * f.element.mantissa_bits + 9, 6 * bits - 8), "table": 6 * bits - 24}.get(
        f.element.kind, 6 * bits - 8
    )
    x = NORMAL[:8, :512] * np.float32(0.05)
    if f.scale is not None and f.scale.element.kind == "e4m3" and f.scale.block is None:
        x = x * np.float32(20)
    assert sqnr(x, fb.quantize(x, name)) > floor


@pytest.mark.parametrize("name", NAMES)
def test_a_row_is_no_more_than_a_few_decibels_below_its_best_sibling(name: str) -> None:
    """Siblings share element, block and scale; rules differ by taste, not by orders of magnitude."""
    f = fb.format(name)
    siblings = [other for other in NAMES if fb.format(other).layout() == f.layout()]
    x = NORMAL[:8, :1024]
    best = max(sqnr(x, fb.quantize(x, other)) for other in siblings) if f.element.name not in ("f32", "zero") else 0.0
    if best:
        assert sqnr(x, fb.quantize(x, name)) > best - 6


@pytest.mark.parametrize("text", ["e2m1@16:e4m3@tensor:f32", "s8@tensor:f32", "e4m3@tensor:f32", "s4@16:u6@matrix:f32"])
def test_a_known_statistic_of_the_whole_gives_the_same_values_slab_by_slab(text: str) -> None:
    x, p = array("gauss", (1, 64, 96)), plan(fb.parse(text))
    whole = cpu.quantize(x, p)
    known = np.full((1, 1, 1), abs(x).max(), np.float32)
    parts = np.concatenate([cpu.quantize(x[:, r : r + 16], p, known) for r in range(0, 64, 16)], axis=1)
    assert same_bits(parts, whole).all()


def test_reference_and_cpu_agree_on_a_whole_tensor_of_every_bf16_pattern() -> None:
    x = (np.arange(65536, dtype=np.uint32) << 16).view(np.float32)
    x = x[np.isfinite(x)].reshape(1, 1, -1)
    for text in [
        "e4m3",
        "e5m2",
        "e2m1",
        "f16",
        "bf16",
        "e8m0",
        "s8",
        "u4",
        "nf4lut",
        "e4m3fnuz",
        "e3m0",
        "e8m7ieee",
        "h4",
        "e2m1@1:f32",
        "s8@1-align:e8m0",
    ]:
        p = plan(fb.parse(text))
        assert same_bits(reference.quantize(x, p), cpu.quantize(x, p)).all(), text
