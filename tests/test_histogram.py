"""The histogram of a 16-bit tensor gives the sums that its values give: counts and maxima exactly, the rest to 1e-12."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

import fewbits as fb
from fewbits.kernels import cpu
from fewbits.kernels.histogram import PATTERNS, Histogram, count_patterns, covers
from fewbits.plan import plan
from strategies import NAMES, array

DTYPES = {"bfloat16": ml_dtypes.bfloat16, "float16": np.float16}
COVERED = [name for name in NAMES if covers(plan(fb.format(name)))]
SPECS = [
    "s4@tensor-p90:f32", "e4m3@tensor-46:f32", "e2m1@tensor-46mae:f32", "s4@tensor-46max:f32", "e2m1@tensor:e8m0", "u8@tensor:f32+zero",
    "u4@tensor:f16+min", "nf4lut@tensor:f32", "s8@tensor-q80:f16", "i4@tensor-half:bf16",
]  # fmt: skip


def values(kind: str, dtype: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        return array(kind, (300, 200)).astype(DTYPES[dtype])


def histogram(x: np.ndarray, dtype: str) -> Histogram:
    counts = np.zeros(PATTERNS, np.int64)
    count_patterns(x.view(np.uint16).reshape(-1), counts)
    assert counts.sum() == x.size
    return Histogram.of(counts, dtype)


def test_what_is_covered() -> None:
    assert {
        "fp32",
        "bf16",
        "fp8-e4m3",
        "int8",
        "fp8-e4m3-tensor",
        "fp8-e4m3-tensor-mse",
        "int4-3rms",
        "int8-p99.99",
    } <= set(COVERED)
    assert not {"mxfp4", "nvfp4", "int8-row", "nf4", "nvfp4-hadamard"} & set(COVERED)
    assert all(covers(plan(fb.parse(text))) for text in SPECS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["gauss", "ties", "wide", "zeros", "huge", "constant"])
@pytest.mark.parametrize("text", [*COVERED, *SPECS])
def test_error_sums_are_those_of_the_values(text: str, kind: str, dtype: str) -> None:
    x, p = values(kind, dtype), plan(fb.format(text))
    v = x.astype(np.float32).reshape(1, 300, 200)
    found = histogram(x, dtype).errors(p)
    direct = cpu.sum_errors(v, p)[0, 0, 0]
    y = cpu.quantize(v, p)
    finite = np.isfinite(v)
    if not np.isfinite(y[finite]).all():  # a wide float overflows
        assert not np.isfinite(found[1])
        return
    a, e = v[finite].astype(np.float64), (y[finite] - v[finite]).astype(np.float64)
    want = [e.sum(), (e * e).sum(), (e * a).sum(), abs(e).sum(), abs(e).max(initial=0)]
    size = np.array([abs(e).sum(), (e * e).sum(), abs(e * a).sum(), abs(e).sum(), 0])
    assert (abs(found[:5] - want) <= 1e-12 * size).all()
    assert found[4] == pytest.approx(direct[4], rel=1e-7)
    assert (found[5:] == direct[5:]).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["gauss", "wide", "zeros", "huge"])
def test_signal_sums_are_those_of_the_values(kind: str, dtype: str) -> None:
    x = values(kind, dtype)
    x.reshape(-1)[:4] = [np.nan, np.inf, -np.inf, -np.nan]
    found, direct = histogram(x, dtype).signal(), cpu.sum_signal(x.astype(np.float32))
    assert (found[[0, 4, 5, 6, 7, 8, 9]] == direct[[0, 4, 5, 6, 7, 8, 9]]).all()
    assert (abs(found[1:4] - direct[1:4]) <= 1e-12 * np.array([direct[3], direct[2], direct[3]])).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_tensor_without_a_number_has_no_error(dtype: str) -> None:
    for x in (np.zeros(0, DTYPES[dtype]), np.full(5, np.nan, DTYPES[dtype])):
        h = histogram(x, dtype)
        assert h.signal().tolist() == [0, 0, 0, 0, 0, np.inf, -np.inf, len(x), 0, 0]
        for text in [*COVERED, *SPECS]:
            assert h.errors(plan(fb.format(text))).tolist() == [0] * 7
