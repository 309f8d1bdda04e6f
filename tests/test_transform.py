"""Options: mean, Hadamard rotation, outliers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewbits as fb
from fewbits.block import parse_block
from fewbits.element import element
from fewbits.formats import Outliers
from fewbits.kernels.exact_mean import finite_mean
from fewbits.transform import hadamard, outlier_mask
from strategies import FLOAT32_MAX, array, same_bits

BLOCKS = ["16", "row", "tensor", "2x8", "flat10", "3x5", "col"]


def walsh(size: int) -> np.ndarray:
    """The Walsh–Hadamard matrix by its Kronecker definition."""
    h = np.ones((1, 1))
    while len(h) < size:
        h = np.kron([[1, 1], [1, -1]], h)
    return h / np.sqrt(size)


@pytest.mark.parametrize("size", [2, 4, 16, 128])
def test_rotation_is_the_walsh_hadamard_matrix_and_its_own_inverse(size: int) -> None:
    x = array("gauss", (2, 3, 5 * size + 3 % size))
    y = hadamard(x, size)
    whole = x.shape[-1] // size * size
    want = x[..., :whole].reshape(2, 3, -1, size).astype(np.float64) @ walsh(size)
    assert np.allclose(y[..., :whole].reshape(want.shape), want, atol=1e-5)
    assert same_bits(y[..., whole:], x[..., whole:]).all()
    assert np.allclose(hadamard(y, size), x, atol=1e-5)


def test_rotation_of_what_nearly_leaves_float32_is_finite_and_saturates() -> None:
    x = np.full((1, 1, 16), FLOAT32_MAX, np.float32)
    assert hadamard(x, 16)[0, 0].tolist() == [FLOAT32_MAX] + [0] * 15
    x[0, 0, ::2] = -FLOAT32_MAX / 5
    y = hadamard(x, 16)
    want = x[0, 0].astype(np.float64) @ walsh(16)
    assert np.allclose(y[0, 0], np.clip(want, -float(FLOAT32_MAX), float(FLOAT32_MAX)), rtol=1e-5, atol=1e32)


def test_a_matrix_of_no_columns_is_left_as_it_is() -> None:
    assert hadamard(np.zeros((1, 3, 0), np.float32), 8).shape == (1, 3, 0)
    assert hadamard(np.ones((1, 3, 5), np.float32), 8).tolist() == np.ones((1, 3, 5)).tolist()


def test_the_mean_is_that_of_the_finite_values_rounded_once() -> None:
    x = array("positive", (1, 7, 33))
    assert finite_mean(x) == np.float32(x.astype(np.float64).mean())
    x[0, 0, :3] = np.nan, np.inf, -np.inf
    assert finite_mean(x) == np.float32(x[np.isfinite(x)].astype(np.float64).mean())
    assert finite_mean(np.full((1, 1, 2), np.nan, np.float32)) == 0
    assert fb.encode(np.full((2, 3), 7.5), "s4@3:f16+mean").mean == 7.5
    assert fb.quantize(np.full((2, 3), 7.5), "s4@3:f16+mean").tolist() == [[7.5] * 3] * 2


@settings(max_examples=60)
@given(st.sampled_from(BLOCKS), st.sampled_from([(40,), (5, 33), (2, 4, 17)]), st.integers(1, 40), st.integers(0, 9))
def test_outliers_are_the_largest_magnitudes_of_each_block(
    block: str, shape: tuple[int, ...], percent: int, seed: int
) -> None:
    x = array("ties", shape, seed)
    outliers = Outliers(Fraction(percent, 100), element("f16"))
    parsed = parse_block(block)
    assert parsed is not None
    grid = parsed.grid(shape)
    cells = x.reshape(grid.shape)
    mask = outlier_mask(cells.reshape(grid.shape), grid, outliers)
    m, r, c = np.indices(grid.shape)
    block_of = np.ravel_multi_index((m, r // grid.rows, c // grid.columns), grid.counts)
    for b in range(int(np.prod(grid.counts))):
        values, chosen = abs(cells[block_of == b]), mask[block_of == b]
        assert chosen.sum() == int(len(values) * percent / 100 + 0.5)
        if chosen.any() and not chosen.all():
            assert values[chosen].min() >= values[~chosen].max()
            edge = values == values[chosen].min()
            assert (np.diff(chosen[edge].astype(int)) <= 0).all()  # of equal ones the first


def test_outliers_come_back_in_their_own_element_and_leave_the_scale_of_the_rest() -> None:
    x = np.array([[0.1, -0.2, 100.0, 0.3, 0.4, -0.5, 0.6, 0.7] * 4], np.float32)
    y = fb.quantize(x, "s8@32:f16+outliers0.125:f16")
    assert (y[x == 100] == 100).all()
    assert abs(y - x).max() < 0.7 / 127
    positions, codes = fb.encode(x, "s8@32:f16+outliers0.125:f16").outliers
    assert positions.tolist() == [2, 10, 18, 26]
    assert codes.view(np.float16).tolist() == [100] * 4


def test_rotation_spreads_an_outlier() -> None:
    x = array("gauss", (16, 64))
    x[:, 5] *= 40
    error = {text: float(((fb.quantize(x, text) - x) ** 2).mean()) for text in ("s4@64:f16", "s4@64:f16+hadamard64")}
    assert error["s4@64:f16+hadamard64"] < error["s4@64:f16"] / 2
