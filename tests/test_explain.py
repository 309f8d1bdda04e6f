"""Explanations against the verbs: the steps of every format end where `quantize` and `encode` do."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fewbits as fb
from fewbits import catalog
from fewbits.element import element
from fewbits.errors import UsageError
from fewbits.explain import (
    bit_pattern,
    bits_of,
    codes,
    count,
    levels,
    properties,
    relative_error,
    specials,
    steps,
    zones,
)

X = np.random.default_rng(0).normal(0, 1, 70).astype(np.float32)


@pytest.mark.parametrize("name", [row.name for row in catalog.rows() if not row.format.hadamard])
def test_steps_of_every_format_end_where_quantize_does(name: str) -> None:
    f = catalog.format(name)
    rows = steps(X.tolist(), f)
    assert np.array_equal(np.array([row["reconstruction"] for row in rows], np.float32), fb.quantize(X[None], f)[0])
    stored = fb.encode(X[None], f).codes.ravel().tolist() if f.element.bits else [None] * X.size
    for row, code in zip(rows, stored, strict=True):
        assert row["code"] == code
        if f.element.bits == 32 or not f.element.bits:
            continue
        assert row["chosen"] in (row["below"], row["above"]), "one of the two neighbours"
        assert row["error"] == row["reconstruction"] - row["value"]
        if f.element.bits <= 16:
            assert fb.parse(str(f.element)).element.decoded[int(row["bits"], 2)] == row["chosen"]


@pytest.mark.parametrize("row", catalog.rows(), ids=lambda row: row.name)
def test_levels_add_up_to_the_bits(row: catalog.Row) -> None:
    assert sum(level.bits for level in levels(row.format)) == pytest.approx(row.format.limit_bits, abs=1e-9)


def test_levels_of_recursion_and_options() -> None:
    found = [(level.what, str(level.element), level.shared) for level in levels(fb.parse("u4@32:u6@8:f16+min"))]
    assert found == [
        ("value", "u4", "every value"),
        ("scale", "u6", "32 values"),
        ("scale of scales", "f16", "8 scales"),
        ("minimum", "u6", "32 values"),
    ]
    shared = [level.shared for level in levels(fb.parse("u4@row:f32+zero+outliers0.01:f16"))]
    assert shared == ["every value", "a row of values", "a row of values", "0.01 of the values"]


@pytest.mark.parametrize(
    ("name", "pattern"),
    [
        ("e4m3", "s eeee mmm, bias 7"),
        ("e8m0", "eeeeeeee, bias 127"),
        ("f32", "s eeeeeeee m×23, bias 127"),
        ("nf4lut", "index into 16 values"),
        ("i4", "two's complement"),
        ("zero", "no bits"),
    ],
)
def test_bit_patterns(name: str, pattern: str) -> None:
    assert bit_pattern(element(name)) == pattern


def test_codes_of_small_elements() -> None:
    assert list(codes(element("i2"))) == [(0, "00", 0.0), (1, "01", 1.0), (2, "10", -2.0), (3, "11", -1.0)]
    assert math.isnan({bits: v for _, bits, v in codes(element("e4m3"))}["11111111"])


def test_values_that_are_not_finite_take_part_in_nothing() -> None:
    rows = steps([math.nan, math.inf, 3.0], fb.format("mxfp4"))
    assert math.isnan(rows[0]["reconstruction"])
    assert rows[1]["reconstruction"] == math.inf
    assert rows[1]["scale"] is rows[1]["code"] is rows[1]["error"] is None
    assert rows[2]["statistic"] == rows[2]["reconstruction"] == 3.0


@pytest.mark.parametrize("option", ["hadamard32", "outliers0.05:f16", "mean"])
def test_options_that_mix_values_have_no_steps(option: str) -> None:
    with pytest.raises(UsageError, match="leave the option out"):
        steps([1.0], fb.parse(f"s4@32:f16+{option}"))


def test_wide_floats_overflow_to_infinity() -> None:
    (row,) = steps([1e6], fb.format("fp16"))
    assert (row["below"], row["above"], row["chosen"], row["code"]) == (65504.0, None, math.inf, 0x7C00)
    (row,) = steps([1e39], fb.format("bf16"))
    assert row["value"] == row["reconstruction"] == math.inf


@pytest.mark.parametrize(
    ("name", "largest", "smallest", "epsilon", "values", "decibel"),
    [
        ("fp32", 3.4028234663852886e38, 2**-149, 2**-23, 4278190079, 1667.7),
        ("fp16", 65504, 2**-24, 2**-10, 63487, 240.8),
        ("bf16", 3.3895313892515355e38, 2**-133, 2**-7, 65279, 1571.3),
        ("fp8-e4m3", 448, 2**-9, 2**-3, 253, 107.2),
        ("e4m3ieee", 240, 2**-9, 2**-3, 239, 101.8),
        ("fp8-e5m2", 57344, 2**-16, 2**-2, 247, 191.5),
        ("s8", 127, 1, 1, 255, 42.1),
        ("i8", 128, 1, 1, 256, 42.1),
        ("s4", 7, 1, 1, 15, 16.9),
    ],
)
def test_properties(name: str, largest: float, smallest: float, epsilon: float, values: int, decibel: float) -> None:
    row = properties(name, fb.format(name))
    found = (row["max"], row["min_positive"], row["epsilon"], row["values"], round(row["dynamic_range_db"], 1))
    assert found == (largest, smallest, epsilon, values, decibel)


@pytest.mark.parametrize(("name", "values"), [("f16", 34817), ("bf16", 33025), ("e4m3", 145), ("e5m2", 137), ("i8", 9)])
def test_counts_on_the_number_line(name: str, values: int) -> None:
    e = element(name)
    assert count(e, -4, 4) == values == sum(-4 <= v <= 4 for v in e.values)


def test_counts_of_float32_are_calculated() -> None:
    assert count(element("f32"), -4, 4) == 2 * (129 << 23) + 1
    assert count(element("f32"), 1, 2) == 2**23 + 1


def test_integers_are_twos_complement() -> None:
    for name in ("i8", "s8", "i4", "u4", "h3", "mxi8"):
        e = element(name)
        weights = [float(_fraction(bit.text)) for bit in bits_of(e)]
        assert not {bit.field for bit in bits_of(e)} & {"sign", "exponent", "mantissa"}
        for code, pattern, value in codes(e):
            made = sum(w for w, b in zip(weights, pattern, strict=True) if b == "1") + (0.5 if e.integer == "h" else 0)
            assert math.isnan(value) or made == value, code
    assert specials(element("s8")) == "symmetric: the code of −128 is not used"


def _fraction(text: str) -> float:
    top, _, bottom = text.replace("−", "-").partition("/")
    return float(top) / float(bottom or 1)


def test_relative_errors_are_those_of_quantize() -> None:
    named = [(name, fb.format(name)) for name in ("fp16", "bf16", "fp8-e4m3", "int4")]
    rows = relative_error(named)
    xs = np.array([row["x"] for row in rows[:1000]])
    assert (xs[0], xs[-1]) == pytest.approx((1e-6, 1e5))
    for name, f in named:
        own = [row for row in rows if row["format"] == name]
        made = fb.quantize(xs.astype(np.float32), str(f.element))
        assert [row["result"] for row in own] == [v if math.isfinite(v) else None for v in made.tolist()]
        assert all(row["error"] <= row["worst"] for row in own if row["error"] is not None)
        middle = [row["worst"] for row in own if f.element.smallest_normal * 2 < row["x"] < f.element.highest / 2]
        if f.element.kind != "integer":
            assert max(middle) == pytest.approx(f.element.epsilon / 2 / (1 + f.element.epsilon / 2))
    assert {row["format"] for row in rows if row["error"] is None} == {"fp16"}
    assert zones(element("f16"))["highest"] == 65504
