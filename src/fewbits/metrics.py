"""Metrics: formulas over mergeable sums; nothing here sees an array.

`SIGNAL` names the sums over x (taken once per tensor), `ERROR` the sums over e = y − x (one set per format); all
float64, over finite x only. `METRICS` is the one table of what is made of them. To add a metric, add a row.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = [
    "ARITHMETIC_VERSION",
    "ERROR",
    "METRICS",
    "SIGNAL",
    "Metric",
    "Undefined",
    "classify",
    "compute",
    "empty",
    "merge",
    "metric",
]

# Part of every record's key: raise it when a reconstruction or a sum changes in any bit; old records are made again.
ARITHMETIC_VERSION = 3

SIGNAL = ("count", "sum", "sum_sq", "sum_abs", "max_abs", "minimum", "maximum", "nan", "inf", "zeros")
ERROR = ("err", "err_sq", "err_x", "err_abs", "err_max", "zeros_made", "clipped")

MAXIMA = frozenset({"max_abs", "maximum", "err_max"})
MINIMA = frozenset({"minimum"})

# Sums are good to 1e-7 of the sum of magnitudes; a variance below this share of the mean square is not known.
RESOLUTION = 4e-7
LEAST_DB = 1e-6  # less is the rounding of sums: an error as large as the signal is 0 dB, not -0.00

Sums = Mapping[str, float]


class Undefined(Exception):
    """This metric has no value for these sums; the flag `name:undefined` says so."""


@dataclass(frozen=True)
class Metric:
    """One row of the table of metrics: a number made of sums.

    `good` and `fair` bound the colour classes (S-062); `extreme` marks maxima, which a sample of rows cannot estimate.
    """

    name: str
    unit: str
    better: Literal["higher", "lower"]
    formula: Callable[[Sums], float]
    definition: str
    good: float | None = None
    fair: float | None = None
    extreme: bool = False
    digits: str = ".3e"


def empty(names: Iterable[str]) -> dict[str, float]:
    """The sums of no values: the neutral element of `merge`."""
    return {name: math.inf if name in MINIMA else -math.inf if name == "maximum" else 0.0 for name in names}


def merge(parts: Iterable[Sums]) -> dict[str, float]:
    """The sums of the union of disjoint parts, in the order given; `{}` for no parts."""
    total: dict[str, float] = {}
    for part in parts:
        if not total:
            total = dict(part)
            continue
        for name, value in part.items():
            if name not in total:
                total[name] = value
            elif name in MAXIMA:
                total[name] = max(total[name], value)
            elif name in MINIMA:
                total[name] = min(total[name], value)
            else:
                total[name] += value
    return total


def compute(signal: Sums, error: Sums) -> tuple[dict[str, float | None], list[str]]:
    """Every metric by name, and flags; an undefined or infinite value is None and has a flag such as `sqnr_db:inf`."""
    sums = {**signal, **error}
    values: dict[str, float | None] = {}
    flags = ["empty"] if sums["count"] == 0 else []
    if nonfinite := sums["nan"] + sums["inf"]:
        flags.append(f"nonfinite:{nonfinite:.0f}")
    for row in METRICS:
        try:
            value = row.formula(sums)
        except Undefined:
            value = math.nan
        values[row.name] = value if math.isfinite(value) else None
        if not math.isfinite(value):
            flags.append(f"{row.name}:{'undefined' if math.isnan(value) else 'inf' if value > 0 else '-inf'}")
    return values, flags


def metric(name: str) -> Metric:
    """The row of a name; KeyError for a name that `METRICS` does not have."""
    if name not in _ROWS:
        raise KeyError(f"unknown metric '{name}'; metrics are {', '.join(_ROWS)}")
    return _ROWS[name]


def classify(name: str, value: float | None) -> Literal["good", "fair", "bad", ""]:
    """Colour class of a value (S-062); "" for metrics without classes and values that are undefined."""
    row = metric(name)
    if value is None or row.good is None or row.fair is None:
        return ""
    sign = 1 if row.better == "higher" else -1
    return "good" if sign * value >= sign * row.good else "fair" if sign * value >= sign * row.fair else "bad"


def _identical(s: Sums) -> bool:
    return s["err_max"] == 0


def _ratio(numerator: float, denominator: float) -> float:
    if denominator == 0 or math.isnan(numerator):
        raise Undefined
    return numerator / denominator


def _mean(name: str) -> Callable[[Sums], float]:
    return lambda s: s[name] / s["count"] if s["count"] else 0.0


def _pcc(s: Sums) -> float:
    if _identical(s):  # also the empty tensor
        return 1.0
    n = s["count"]
    constant = s["minimum"] == s["maximum"]
    sxx = s["sum_sq"] - s["sum"] ** 2 / n
    if constant or not sxx > RESOLUTION * s["sum_sq"]:
        raise Undefined
    raw = s["sum_sq"] + s["err_sq"]
    return _correlation(sxx, s["err_x"] - s["sum"] * s["err"] / n, s["err_sq"] - s["err"] ** 2 / n, raw)


def _cosine(s: Sums) -> float:
    return 1.0 if _identical(s) else _correlation(s["sum_sq"], s["err_x"], s["err_sq"], s["sum_sq"] + s["err_sq"])


def _correlation(xx: float, xe: float, ee: float, raw: float) -> float:
    """⟨x, x+e⟩ / (|x| |x+e|) from the three products of x and e.

    1 − r² = (xx·ee − xe²) / (xx·yy) has no cancellation when the error is small, where 1 − r is what matters.
    `raw` is what xx + ee were before means came off: the sums are known to a share of it.
    """
    yy, xy = xx + 2 * xe + ee, xx + xe
    if not (xx > 0 and yy > RESOLUTION * raw):  # a constant y; also NaN and infinite sums
        raise Undefined
    d = min(max((ee - xe * (xe / xx)) / yy, 0.0), 1.0)
    if d > 0.5:
        return max(-1.0, min(1.0, xy / math.sqrt(xx) / math.sqrt(yy)))
    return math.copysign(math.sqrt(1 - d), xy)


def _sqnr(s: Sums) -> float:
    signal, noise = s["sum_sq"], s["err_sq"]
    if signal == 0 or math.isnan(noise) or (math.isinf(signal) and math.isinf(noise)):
        raise Undefined
    if noise == 0 or math.isinf(noise):
        return math.inf if noise == 0 else -math.inf
    decibels = 10 * (math.log10(signal) - math.log10(noise))
    return decibels if abs(decibels) > LEAST_DB else 0.0


METRICS: tuple[Metric, ...] = (
    Metric(
        "pcc",
        "",
        "higher",
        _pcc,
        "Pearson correlation of x and its reconstruction y; 1 when identical, undefined when either is constant",
        0.999,
        0.99,
        digits=".6f",
    ),
    Metric("mae", "x", "lower", _mean("err_abs"), "mean absolute error", 1e-4, 1e-3),
    Metric("atol", "x", "lower", lambda s: s["err_max"], "largest absolute error", 1e-4, 1e-3, extreme=True),
    Metric("mse", "x²", "lower", _mean("err_sq"), "mean squared error"),
    Metric("rmse", "x", "lower", lambda s: math.sqrt(_mean("err_sq")(s)), "root of the mean squared error"),
    Metric(
        "nmse",
        "",
        "lower",
        lambda s: _ratio(s["err_sq"], s["sum_sq"]),
        "Σe² / Σx²: mean squared error relative to the mean square of x",
    ),
    Metric(
        "sqnr_db",
        "dB",
        "higher",
        _sqnr,
        "10·log10(Σx² / Σe²): signal is the mean square, not the variance",
        digits=".2f",
    ),
    Metric("cosine", "", "higher", _cosine, "cosine of the angle between x and y", digits=".6f"),
    Metric("rel_mae", "", "lower", lambda s: _ratio(s["err_abs"], s["sum_abs"]), "Σ|e| / Σ|x|"),
    Metric(
        "max_rel",
        "",
        "lower",
        lambda s: _ratio(s["err_max"], s["max_abs"]),
        "largest absolute error / largest |x|",
        extreme=True,
    ),
    Metric("bias", "x", "lower", lambda s: abs(_mean("err")(s)), "|mean of e|: how far the mean of the tensor moves"),
    Metric(
        "zeroed",
        "",
        "lower",
        lambda s: s["zeros_made"] / max(s["count"], 1),
        "share of values that were not zero and became zero",
    ),
    Metric(
        "saturated",
        "",
        "lower",
        lambda s: s["clipped"] / max(s["count"], 1),
        "share of values beyond the largest of their block",
    ),
)

_ROWS = {row.name: row for row in METRICS}
