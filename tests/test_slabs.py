"""Slabs: every block, and every block of scales, lies whole in one of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fewbits as fb
from fewbits import slabs as module
from fewbits.block import as_matrices
from fewbits.formats import Format
from fewbits.kernels import cpu
from fewbits.plan import plan
from fewbits.slabs import Cut, cut, needs_amax, slabs
from strategies import NAMES, SHAPES, array, formats, same_bits


@pytest.fixture(autouse=True)
def _small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SLAB", 64)


def slab_by_slab(f: Format, x: np.ndarray) -> np.ndarray:
    """The reconstruction of x, one slab at a time, as `measure` walks through it."""
    p, how = plan(f), cut(plan(f), x.shape)
    matrices, rows, columns = as_matrices(x.shape)
    flat = x.reshape(matrices * rows, columns)
    known = np.full((1, 1, 1), abs(x).max(initial=0), np.float32) if needs_amax(p) and not how.whole else None
    parts = [
        flat[a:b].reshape((matrices, rows, columns) if how.whole else (1, b - a, columns))
        for a, b in slabs(x.shape, how)
    ]
    return np.concatenate([cpu.quantize(part, p, known).reshape(-1) for part in parts]).reshape(x.shape)


@settings(
    max_examples=250,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(formats(), st.sampled_from([s for s in SHAPES if math.prod(s)]), st.sampled_from(["gauss", "ties", "positive"]))
def test_values_do_not_depend_on_slabs(f: Format, shape: tuple[int, ...], kind: str) -> None:
    if f.mean or f.hadamard or f.outliers:
        return
    x = array(kind, shape)
    assert same_bits(slab_by_slab(f, x), fb.quantize(x, f)).all()


@pytest.mark.parametrize("name", [name for name in NAMES if not (fb.format(name).hadamard)])
def test_values_do_not_depend_on_slabs_for_the_catalogue(name: str) -> None:
    for shape in [(40, 96), (3, 20, 70), (2, 5, 33)]:
        x = array("gauss", shape)
        assert same_bits(slab_by_slab(fb.format(name), x), fb.quantize(x, name)).all()


@settings(
    max_examples=150,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.function_scoped_fixture],
)
@given(formats(), st.sampled_from(SHAPES))
def test_slabs_are_a_partition_of_the_rows(f: Format, shape: tuple[int, ...]) -> None:
    matrices, rows, _ = as_matrices(shape)
    spans = list(slabs(shape, cut(plan(f), shape)))
    assert [r for a, b in spans for r in range(a, b)] == list(range(matrices * rows))
    assert all(a < b for a, b in spans)


@pytest.mark.parametrize(("text", "shape", "want"), [
    ("e2m1@32:e8m0", (100, 64), Cut(1)),
    ("s4@4x8:f16", (100, 64), Cut(4, alone=True)),
    ("s4@col:f32", (100, 64), Cut(100, alone=True)),
    ("e2m1@16:e4m3@tensor:f32", (100, 64), Cut(1)),
    ("nf4lut@flat64:f32", (100, 48), Cut(4)),
    ("nf4lut@flat64:(dyn8@flat256:f32+mean)", (100, 48), Cut(whole=True)),
    ("s4@tensor-mse:f32", (100, 48), Cut(whole=True)),
    ("s4@16:f16+mean", (100, 48), Cut(whole=True)),
    ("e2m1@16:e4m3@8x2:f16", (100, 64), Cut(8, alone=True)),
    ("u4@row:f32+zero", (100, 64), Cut(1)),
])  # fmt: skip
def test_where_slabs_start(text: str, shape: tuple[int, ...], want: Cut) -> None:
    assert cut(plan(fb.parse(text)), shape) == want


def test_ranges_of_rows_are_cut_at_slabs_too() -> None:
    assert list(slabs((10, 16), Cut(2), [(1, 5), (8, 10)])) == [(1, 5), (8, 10)]
    assert list(slabs((10, 64), Cut(), [(3, 5)])) == [(3, 4), (4, 5)]
