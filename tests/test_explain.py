"""Explanations against the verbs: the steps of every format end where `quantize` and `encode` do."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fewbits as fb
from fewbits import catalog
from fewbits.element import element
from fewbits.errors import UsageError
from fewbits.explain import bit_pattern, codes, levels, steps

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
