"""Bits: exact figures for any shape against a count of blocks by labels, published figures, padding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fewbits as fb
from fewbits import catalog
from fewbits.block import Block
from fewbits.formats import Format
from strategies import NAMES, SHAPES, formats

# Bits per weight as published: ggml block sizes (type size · 8 / block), OCP MX v1.0, NVIDIA, QLoRA, tt-metal tile sizes.
PUBLISHED = {
    "q4_0": 18 * 8 / 32, "q4_1": 20 * 8 / 32, "q5_0": 22 * 8 / 32, "q5_1": 24 * 8 / 32, "q8_0": 34 * 8 / 32,
    "q2_k": 84 * 8 / 256, "q3_k": 110 * 8 / 256, "q4_k": 144 * 8 / 256, "q5_k": 176 * 8 / 256, "q6_k": 210 * 8 / 256,
    "iq4_nl": 18 * 8 / 32, "iq4_xs": 136 * 8 / 256, "mxfp4-ggml": 17 * 8 / 32, "tq2_0": 66 * 8 / 256,
    "mxfp4": 4.25, "mxfp6-e2m3": 6.25, "mxfp6-e3m2": 6.25, "mxfp8-e4m3": 8.25, "mxint8": 8.25, "nvfp4": 4.5,
    "nf4": 4.5, "nf4-dq": 4 + 8 / 64 + 32 / (64 * 256), "fp4-bnb": 4.5, "bfp8": 1088 * 8 / 1024,
    "bfp4": 576 * 8 / 1024, "bfp2": 320 * 8 / 1024,
    "fp32": 32, "fp16": 16, "bf16": 16, "fp0": 0, "fp8-e4m3": 8, "int8": 8, "int4-g128": 4.125, "int4-g128-zero": 4.15625,
}  # fmt: skip


def labels(block: Block, shape: tuple[int, ...]) -> np.ndarray:
    """The block of each value of an array of `shape`, as (matrix, block row, block column), by the definition of each kind."""
    flat = np.arange(math.prod(shape)).reshape(shape)
    if block.kind == "tensor":
        return np.zeros((*shape, 3), int)
    if block.kind == "flat":
        return np.stack([0 * flat, 0 * flat, flat // block.columns], axis=-1)
    rows, columns = (shape[-2] if len(shape) > 1 else 1), (shape[-1] if shape else 1)
    column, row, matrix = flat % max(columns, 1), flat // max(columns, 1) % max(rows, 1), flat // max(rows * columns, 1)
    return np.stack(
        [matrix, row // (block.rows or max(rows, 1)), column // (block.columns or max(columns, 1))], axis=-1
    )


def counted_bits(f: Format, shape: tuple[int, ...]) -> int:
    """Bits of a tensor, counted value by value and block by block."""
    total = f.element.bits * math.prod(shape) + 32 * f.mean
    if f.block is None or f.scale is None or not math.prod(shape):
        return total
    found, sizes = np.unique(labels(f.block, shape).reshape(-1, 3), axis=0, return_counts=True)
    scales = tuple(int(n) for n in found.max(axis=0) + 1)
    assert len(found) == math.prod(scales)
    total += counted_bits(f.scale, scales) + f.element.bits * len(found) * f.zero
    if f.offset is not None:
        total += counted_bits(f.offset, scales)
    if f.outliers is not None:
        rows, columns = (shape[-2] if len(shape) > 1 else 1), (shape[-1] if shape else 1)
        full = (
            (f.block.rows or rows) * (f.block.columns or columns)
            if f.block.kind == "grid"
            else (f.block.columns or math.prod(shape))
        )
        index = math.ceil(math.log2(full)) if full > 1 else 0
        kept = sum(math.floor(Fraction(f.outliers.ratio) * int(n) + Fraction(1, 2)) for n in sizes)
        total += kept * (f.outliers.element.bits + index)
    return total


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(formats(), st.sampled_from(SHAPES))
def test_bits_are_those_of_every_value_and_every_block(f: Format, shape: tuple[int, ...]) -> None:
    count = math.prod(shape)
    if count:
        assert f.total_bits(shape) == counted_bits(f, shape)
        assert fb.bits(f, shape) == counted_bits(f, shape) / count
    else:
        assert fb.bits(f, shape) == f.limit_bits


@pytest.mark.parametrize("name", NAMES)
def test_bits_of_ragged_shapes_for_the_catalogue(name: str) -> None:
    for shape in [(7,), (3, 70), (2, 3, 130), (33, 1000), (1, 1), (300, 257)]:
        assert fb.bits(name, shape) == counted_bits(fb.format(name), shape) / math.prod(shape)


@pytest.mark.parametrize("name", NAMES)
def test_stored_codes_are_as_many_as_the_bits_say(name: str) -> None:
    """What `encode` stores: codes, scales, offsets and their own scales, each with the bits of its element."""
    f = fb.format(name)
    q = fb.encode(np.linspace(-1, 2, 3 * 70, dtype=np.float32).reshape(3, 70), f)

    def stored(part: object, layout: Format) -> int:
        if not isinstance(part, fb.Encoded):
            return layout.element.bits * np.size(part)
        total = layout.element.bits * part.codes.size + 32 * layout.mean
        if part.scale is not None and layout.scale is not None:
            total += stored(part.scale, layout.scale)
        if part.offset is not None:
            total += stored(part.offset, layout.offset) if layout.offset else layout.element.bits * np.size(part.offset)
        return total

    assert stored(q, f) == f.total_bits((3, 70))


@pytest.mark.parametrize("name", NAMES)
def test_the_limit_is_what_the_catalogue_says_and_what_large_tensors_take(name: str) -> None:
    f = fb.format(name)
    row = next(row for row in catalog.rows() if row.name == name)
    assert f.limit_bits == row.limit_bits
    assert fb.bits(name, (1 << 16, 1 << 16)) == pytest.approx(row.limit_bits, rel=2e-4)
    assert PUBLISHED.get(name, row.limit_bits) == row.limit_bits


def test_every_published_figure_is_of_a_row() -> None:
    assert set(PUBLISHED) <= set(NAMES)


@pytest.mark.parametrize(("text", "shape", "padded", "bits"), [
    ("e2m1@32:e8m0", (1, 33), False, (33 * 4 + 2 * 8) / 33),
    ("e2m1@32:e8m0", (1, 33), True, (64 * 4 + 2 * 8) / 33),
    ("e2m1@32:e8m0", (5, 64), True, 4.25),
    ("s8@16-align:e8m0", (33, 40), (32, 32), (64 * 64 * 8 + 64 * 4 * 8) / (33 * 40)),
    ("s8@16-align:e8m0", (2, 33, 40), (32, 32), (2 * 64 * 64 * 8 + 2 * 64 * 4 * 8) / (2 * 33 * 40)),
    ("e4m3@128x128:f32", (129, 1), True, (256 * 128 * 8 + 2 * 32) / 129),
    ("e2m1@16:e4m3@tensor:f32", (1, 16), False, (64 + 8 + 32) / 16),
    ("u4@32:u6@8:f16+min", (1, 256), False, 4 + 2 * 6 / 32 + 2 * 16 / 256),
    ("u4@32:f16+min:e4m3", (1, 40), False, (160 + 2 * 24) / 40),
    ("s4@32:f16+outliers0.1:f16", (1, 40), False, (160 + 32 + (3 + 1) * 21) / 40),
    ("u4@128:f16+zero", (3, 100), False, (1200 + 3 * 20) / 300),
    ("nf4lut@flat64:(dyn8@flat256:f32+mean)", (3, 100), False, (1200 + 5 * 8 + 32 + 32) / 300),
    ("bf16", (3, 7), (32, 32), 16 * 1024 / 21),
])  # fmt: skip
def test_bits_by_hand(text: str, shape: tuple[int, ...], padded: bool | tuple[int, int], bits: float) -> None:
    assert fb.bits(text, shape, padded=padded) == pytest.approx(bits, rel=1e-15)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(formats(), st.sampled_from([s for s in SHAPES if math.prod(s)]))
def test_padding_never_saves_bits(f: Format, shape: tuple[int, ...]) -> None:
    assert f.total_bits(shape, True) >= f.total_bits(shape)
    assert f.total_bits(shape, (32, 32)) >= f.total_bits(shape)


def test_a_format_is_frozen_and_checked_when_it_is_made() -> None:
    f = fb.parse("e2m1@32:e8m0")
    with pytest.raises(AttributeError):
        f.block = None  # type: ignore[misc]
    assert len({f, fb.parse("e2m1@32-floor:e8m0"), fb.format("mxfp4")}) == 1
    assert f.layout() == fb.parse("e2m1@32-rceil:e8m0").layout() != fb.parse("e2m1@16:e8m0").layout()
