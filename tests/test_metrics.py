"""Metrics against direct formulas on arrays, their edge cases, and the law that sums merge."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fewbits import metrics
from fewbits.metrics import ERROR, METRICS, SIGNAL, classify, compute, empty, merge, metric


def signal(x: np.ndarray) -> dict[str, float]:
    v = x[np.isfinite(x)].astype(np.float64)
    if not v.size:
        return empty(SIGNAL) | {"nan": float(np.isnan(x).sum()), "inf": float(np.isinf(x).sum())}
    found = {
        "count": v.size,
        "sum": math.fsum(v),
        "sum_sq": math.fsum(v * v),
        "sum_abs": math.fsum(abs(v)),
        "max_abs": abs(v).max(),
        "minimum": v.min(),
        "maximum": v.max(),
        "nan": np.isnan(x).sum(),
        "inf": np.isinf(x).sum(),
        "zeros": (v == 0).sum(),
    }
    return {name: float(found[name]) for name in SIGNAL}


def error(x: np.ndarray, y: np.ndarray) -> dict[str, float]:
    finite = np.isfinite(x)
    v, e = x[finite].astype(np.float64), y[finite].astype(np.float64) - x[finite].astype(np.float64)
    if not v.size:
        return empty(ERROR)
    found = {
        "err": math.fsum(e),
        "err_sq": math.fsum(e * e),
        "err_x": math.fsum(e * v),
        "err_abs": math.fsum(abs(e)),
        "err_max": abs(e).max(),
        "zeros_made": ((v != 0) & (v + e == 0)).sum(),
        "clipped": 0,
    }
    return {name: float(found[name]) for name in ERROR}


def measured(x: np.ndarray, y: np.ndarray) -> tuple[dict[str, float | None], list[str]]:
    return compute(signal(x), error(x, y))


def test_direct_formulas() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(0.1, 1, 5000)
    y = np.round(x * 3) / 3
    values, flags = measured(x, y)
    e = y - x
    expected = {
        "pcc": np.corrcoef(x, y)[0, 1],
        "mae": abs(e).mean(),
        "atol": abs(e).max(),
        "mse": (e**2).mean(),
        "rmse": math.sqrt((e**2).mean()),
        "nmse": (e**2).sum() / (x**2).sum(),
        "sqnr_db": 10 * math.log10((x**2).sum() / (e**2).sum()),
        "cosine": x @ y / math.sqrt((x @ x) * (y @ y)),
        "rel_mae": abs(e).sum() / abs(x).sum(),
        "max_rel": abs(e).max() / abs(x).max(),
        "bias": abs(e.mean()),
        "zeroed": ((x != 0) & (y == 0)).mean(),
        "saturated": 0.0,
    }
    assert flags == []
    assert list(values) == list(expected) == [row.name for row in METRICS]
    for name, value in expected.items():
        assert values[name] == pytest.approx(value, rel=1e-12), name


@pytest.mark.parametrize("noise", [1e-1, 1e-3, 1e-6, 1e-9])
def test_one_minus_pcc_is_right_however_small(noise: float) -> None:
    """1 − pcc of a small error has all its digits; the textbook formula in float64 has none at 1e-9."""
    rng = np.random.default_rng(2)
    x = rng.normal(0, 1, 4000)
    e = rng.normal(0, noise, 4000)
    s = signal(x) | {"err": e.sum(), "err_sq": e @ e, "err_x": e @ x, "err_abs": abs(e).sum(), "err_max": abs(e).max()}
    value = metric("pcc").formula(s)
    xc, ec = x - x.mean(), e - e.mean()
    residual = ec - xc * (ec @ xc) / (xc @ xc)
    exact = (residual @ residual) / ((xc + ec) @ (xc + ec))  # 1 − pcc², by projection
    assert 1 - value == pytest.approx(exact / 2, rel=2 * noise + 1e-6, abs=2.3e-16)


def test_a_large_mean_does_not_hide_the_error() -> None:
    rng = np.random.default_rng(3)
    x = 1000 + rng.normal(0, 1, 20000)
    y = 1000 + np.round((x - 1000) * 8) / 8
    values, flags = measured(x, y)
    assert flags == []
    assert values["pcc"] == pytest.approx(np.corrcoef(x - 1000, y - 1000)[0, 1], rel=1e-8)


def test_a_variance_that_the_sums_cannot_resolve_is_undefined_not_wrong() -> None:
    x = 1e6 + np.random.default_rng(4).normal(0, 1e-3, 1000)
    values, flags = measured(x, np.round(x))
    assert values["pcc"] is None
    assert "pcc:undefined" in flags


def test_a_constant_reconstruction_is_undefined_though_its_sums_are_rounded() -> None:
    """y = 0 everywhere, from sums that are off by 1e-7 of their magnitudes: the variance of y is noise, not 1e-7."""
    x = 0.8 + np.random.default_rng(6).normal(0, 0.01, 4000)
    noisy = {name: value * (1 + 1e-7 * (-1) ** i) for i, (name, value) in enumerate(error(x, 0 * x).items())}
    values, flags = compute(signal(x), noisy)
    assert values["pcc"] is values["cosine"] is None
    assert {"pcc:undefined", "cosine:undefined"} <= set(flags)


def test_a_bf16_round_trip_of_many_values_reads_above_five_nines() -> None:
    """S-058, with sums as large as those of 130 M weights: a small tensor's, times 26,000."""
    x = np.random.default_rng(5).normal(0, 0.02, 5000).astype(np.float32)
    y = ((x.view(np.uint32) + 0x7FFF + ((x.view(np.uint32) >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
    s, e = merge([signal(x)] * 26_000), merge([error(x, y)] * 26_000)
    assert s["count"] == 130e6
    value = compute(s, e)[0]["pcc"]
    assert value is not None
    assert 0.99999 < value < 1


@pytest.mark.parametrize(
    ("x", "y", "pcc"),
    [
        ([], [], 1.0),
        ([3.0], [3.0], 1.0),
        ([3.0], [2.0], None),
        ([2.0, 2.0, 2.0], [2.0, 2.0, 2.0], 1.0),
        ([2.0, 2.0, 2.0], [2.5, 2.5, 2.5], None),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0], None),
        ([1.0, 2.0, 3.0], [7.0, 7.0, 7.0], None),
        ([0.0, 0.0], [0.0, 0.0], 1.0),
        ([1.0, 2.0], [-1.0, -2.0], -1.0),
        ([1.0, 2.0], [2.0, 4.0], 1.0),
    ],
)
def test_pcc_of_degenerate_data(x: list[float], y: list[float], pcc: float | None) -> None:
    values, flags = measured(np.array(x), np.array(y))
    assert values["pcc"] == (None if pcc is None else pytest.approx(pcc))
    assert ("pcc:undefined" in flags) == (pcc is None)


def test_empty_and_zero_tensors_have_every_metric_or_a_flag() -> None:
    for x in (np.zeros(0), np.zeros(5)):
        values, flags = measured(x, x)
        assert (values["pcc"], values["mae"], values["atol"], values["cosine"]) == (1.0, 0.0, 0.0, 1.0)
        assert values["sqnr_db"] is None
        assert "sqnr_db:undefined" in flags
        assert ("empty" in flags) == (x.size == 0)


def test_infinite_and_undefined_values_are_none_with_a_flag() -> None:
    x = np.array([1.0, 2.0, np.nan, np.inf, -np.inf])
    values, flags = measured(x, x)
    assert values["sqnr_db"] is None
    assert "sqnr_db:inf" in flags
    assert "nonfinite:3" in flags
    overflow = np.array([1.0, np.inf])  # a wide float that overflowed
    values, flags = measured(np.array([1.0, 70000.0]), overflow)
    assert values["mae"] is None
    assert {"mae:inf", "sqnr_db:-inf", "pcc:undefined"} <= set(flags)
    assert all(value is None or math.isfinite(value) for value in values.values())


def test_colour_classes() -> None:
    assert [classify("pcc", v) for v in (1.0, 0.999, 0.9989, 0.99, 0.98, -1.0)] == [
        "good",
        "good",
        "fair",
        "fair",
        "bad",
        "bad",
    ]
    assert [classify("mae", v) for v in (0.0, 1e-4, 2e-4, 1e-3, 2e-3)] == ["good", "good", "fair", "fair", "bad"]
    assert classify("atol", None) == classify("sqnr_db", 20.0) == ""
    with pytest.raises(KeyError, match="unknown metric 'psnr'"):
        classify("psnr", 1.0)


arrays = hnp.arrays(np.float32, st.integers(0, 60), elements=st.floats(-1e4, 1e4, width=32))


@given(arrays, st.integers(0, 60), st.integers(0, 60))
def test_sums_merge(x: np.ndarray, first: int, second: int) -> None:
    """Merged sums of parts are the sums of the whole, whatever the cut."""
    y = np.round(x)
    a, b = sorted((min(first, x.size), min(second, x.size)))
    parts = [(x[:a], y[:a]), (x[a:b], y[a:b]), (x[b:], y[b:])]
    for whole, pieces in (
        (signal(x), [signal(p) for p, _ in parts]),
        (error(x, y), [error(p, q) for p, q in parts]),
    ):
        merged = merge(pieces)
        scale = max(1.0, float((x.astype(np.float64) ** 2).sum()))
        for name, value in whole.items():
            assert merged[name] == pytest.approx(value, rel=1e-12, abs=1e-12 * scale), name
        assert merge([empty(tuple(whole)), whole]) == whole == merge([whole, empty(tuple(whole))])


@given(arrays)
def test_every_metric_is_finite_or_flagged(x: np.ndarray) -> None:
    values, flags = measured(x, np.round(x / 3) * 3)
    for name, value in values.items():
        assert (value is None) == any(flag.startswith(f"{name}:") for flag in flags)
        assert value is None or math.isfinite(value)
    for name in ("pcc", "cosine"):
        assert values[name] is None or -1 <= values[name] <= 1  # type: ignore[operator]


def test_the_table_of_metrics_is_complete() -> None:
    names = [row.name for row in METRICS]
    assert len(set(names)) == len(names)
    assert all(row.definition and row.better in ("higher", "lower") for row in METRICS)
    assert not set(names) & {*SIGNAL, *ERROR}, "one word for one thing"
    assert {*SIGNAL, *ERROR} >= metrics.MAXIMA | metrics.MINIMA


@pytest.mark.parametrize("noise", [1.0, 1.0 + 1e-8, 1.0 - 1e-8])
def test_an_error_as_large_as_the_signal_is_zero_decibels(noise: float) -> None:
    signal = metrics.empty(metrics.SIGNAL) | {"count": 1.0, "sum_sq": 1.0}
    value = metrics.compute(signal, metrics.empty(metrics.ERROR) | {"err_sq": noise, "err_max": 1.0})[0]["sqnr_db"]
    assert f"{value:.2f}" == "0.00"
