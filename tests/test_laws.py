"""Laws of reconstructions, for finite input: every catalogue row on fixed arrays, and generated formats on generated arrays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

import fewbits as fb
from fewbits import rule as rules
from fewbits.block import as_matrices
from fewbits.codes import values_of
from fewbits.encoded import Encoded
from fewbits.errors import UsageError
from fewbits.formats import Format
from strategies import FIXED, NAMES, Float32, array, arrays, formats, same_bits

Law = Callable[[Format, Float32], None]
BACKENDS = ["reference", "cpu"]
SYMMETRIC_TIES = ("even", "away", "zero")


def scale_values(q: Encoded) -> Float32:
    """The scale of each value of a tensor."""
    return spread(q, fb.decode(q.scale) if isinstance(q.scale, Encoded) else q.scale)


def spread(q: Encoded, numbers: Float32) -> Float32:
    """One number per block as one per value, by looking up each value's block."""
    grid = q.format.block.grid(q.shape)
    m, r, c = np.indices(grid.shape)
    return numbers.reshape(grid.counts)[m, r // grid.rows, c // grid.columns].reshape(q.shape)


def offset_values(q: Encoded) -> Float32:
    if q.offset is None or q.format.zero:
        return np.zeros(q.shape, np.float32)
    return spread(q, fb.decode(q.offset) if isinstance(q.offset, Encoded) else q.offset)


def rotated(f: Format) -> bool:
    return bool(f.mean or f.hadamard or f.outliers)


def decode_gives_what_quantize_gives(f: Format, x: Float32) -> None:
    """For the compiled backend; the reference has the same codes, and the same values (next law)."""
    y, q = fb.quantize(x, f), fb.encode(x, f)
    assert y.shape == x.shape
    assert y.dtype == np.float32
    assert q.codes.shape == x.shape
    assert same_bits(fb.decode(q), y).all()


def equal_codes(a: object, b: object) -> bool:
    if isinstance(a, Encoded) and isinstance(b, Encoded):
        return all(
            equal_codes(getattr(a, k), getattr(b, k))
            for k in ("format", "shape", "codes", "scale", "offset", "mean", "outliers")
        )
    if isinstance(a, tuple) and isinstance(b, tuple):
        return len(a) == len(b) and all(equal_codes(i, j) for i, j in zip(a, b, strict=True))
    if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
        return a.dtype == b.dtype and a.shape == b.shape and (a.tobytes() == b.tobytes() or bool(same_bits(a, b).all()))
    return a is b or a == b


def backends_agree_in_every_bit(f: Format, x: Float32) -> None:
    """Values, codes, scales, offsets, zero points."""
    a, b = (fb.encode(x, f, backend=backend) for backend in BACKENDS)
    assert equal_codes(a, b)
    assert same_bits(fb.quantize(x, f, backend="reference"), fb.quantize(x, f, backend="cpu")).all()


def outputs_are_value_times_scale_minus_offset(f: Format, x: Float32) -> None:
    """And codes are those of the element; in the rotated domain for Hadamard, hence through decode there."""
    q = fb.encode(x, f)
    with np.errstate(all="ignore"):
        v = values_of(q.codes, f.element)
        assert (
            np.isin(v[np.isfinite(v)], np.array(f.element.values, np.float32)).all()
            if f.element.kind != "wide"
            else True
        )
        if f.scale is None or rotated(f):
            return
        z = spread(q, values_of(q.offset, f.element)) if f.zero else np.float32(0)
        y = (v - z) * scale_values(q)
        y = y - offset_values(q) if f.minimum else y
    assert np.array_equal(fb.quantize(x, f), y, equal_nan=True)


def by_stored_scale(f: Format) -> bool:
    r = f.rule
    stored = r is not None and r.encode_by == "stored" and r.outer != "inverted"  # there values are multiplied by G
    return r is not None and stored and not (r.align or r.search or f.zero or rotated(f))


def no_value_is_nearer(f: Format, x: Float32) -> None:
    """Given the stored scale and offset; up to the float32 rounding of the quotient and of the product."""
    if (
        f.element.kind == "wide"
        or f.element.bits > 10
        or (f.scale is not None and not by_stored_scale(f))
        or rotated(f)
    ):
        return
    y = fb.quantize(x, f).astype(np.float64)
    s, o = np.float64(1), np.float64(0)
    if f.scale is not None:
        q = fb.encode(x, f)
        s, o = scale_values(q).astype(np.float64), offset_values(q).astype(np.float64)
    x = x.astype(np.float64)
    values = np.array(f.element.values)
    with np.errstate(all="ignore"):
        v = (x + o) / s
        near = np.searchsorted(values, np.where(s == 0, 0, v))
        best = np.minimum(*(abs(values[np.clip(near - i, 0, len(values) - 1)] * s - o - x) for i in (0, 1)))
        slack = 2.0**-21 * (abs(x) + abs(o)) + 2.0**-148
        # a reciprocal of a scale beyond 2^±126 is not a normal number, and a product may leave float32
        usable = np.isfinite(y) & ((abs(s) > 2.0**-126) & (abs(s) < 2.0**125) | (s == 0))
    assert (abs(y - x) <= best + slack)[usable].all()


def monotone_within_a_block(f: Format, x: Float32) -> None:
    if f.hadamard or f.outliers:
        return
    y = fb.quantize(x, f)
    if f.scale is not None and f.scale.mean:  # a scale that is small beside the mean of scales can come back negative
        y = np.where(np.signbit(scale_values(fb.encode(x, f))), np.float32(np.nan), y)
    grid = f.block.grid(x.shape) if f.block else None
    shape = grid.shape if grid else as_matrices(x.shape)
    m, r, c = np.indices(shape)
    of = (m, r // grid.rows, c // grid.columns) if grid else (0 * m, 0 * m, 0 * m)
    block = np.ravel_multi_index(of, grid.counts if grid else (1, 1, 1)).reshape(-1)
    order = np.lexsort((x.reshape(-1), block))
    before, after = y.reshape(-1)[order][:-1], y.reshape(-1)[order][1:]
    apart = (np.diff(block[order]) != 0) | np.isnan(before) | np.isnan(after)
    assert ((after >= before) | apart).all()


def odd(f: Format) -> bool:
    """Whether negating the input negates the output, by what the format says of itself."""
    if f.minimum or f.zero or f.element.kind in ("wide", "zero"):
        return f.element.kind in ("wide", "zero")
    if f.rule is not None and f.rule.statistic == "signed" and not f.rule.search:
        return f.scale is not None and f.scale.element.lowest == -f.scale.element.highest
    symmetric = f.element.lowest == -f.element.highest and f.element.kind in ("float", "integer")
    outliers = f.outliers is None or f.outliers.element.lowest == -f.outliers.element.highest
    return symmetric and outliers and (f.rule is None or (f.rule.tie in SYMMETRIC_TIES and not f.rule.search))


def odd_where_the_element_is(f: Format, x: Float32) -> None:
    if odd(f):
        assert np.array_equal(fb.quantize(-x, f), -fb.quantize(x, f), equal_nan=True)


def doubling(f: Format) -> bool:
    """Whether a power of two goes through: the outermost scale is a float that neither under- nor overflows on ordinary data."""
    r = f.rule
    if r is None or f.scale is None or r.log2 == "float32" or r.search or r.name.startswith("affine"):
        return False
    if (
        sum(level.element.emax for level in f.levels[:-1]) > 60
    ):  # the product of the targets puts the outermost scale among subnormals
        return False
    minimum = not f.minimum or f.minimum is True
    kept = f.outliers is None or f.outliers.element.kind == "wide"
    return minimum and kept and f.levels[-1].element.name in ("f32", "bf16", "e8m0")


def powers_of_two_go_through(f: Format, _: Float32) -> None:
    if doubling(f):
        x = array("gauss", (3, 130)) + np.float32(0.01)
        y = fb.quantize(x, f)
        for k in (-9, 1, 12):
            factor = np.float32(2.0**k)
            assert same_bits(fb.quantize(x * factor, f), y * factor).all()


def text_round_trips(f: Format, _: Float32) -> None:
    assert fb.parse(str(f)) == f
    assert str(fb.parse(str(f))) == str(f)
    assert hash(fb.parse(str(f))) == hash(f)
    assert eval(repr(f), {"parse": fb.parse}) == f


def rule_changes_neither_bits_nor_decoder(f: Format, x: Float32) -> None:
    assert f.layout().layout() == f.layout()
    for name in ("amax", "floor", "rceil", "range", "signmax", "half", "46", "q80", "3rms", "p99"):
        try:
            g = replace(f, rule=rules.rule(name))
        except UsageError:
            continue
        assert g.layout() == f.layout()
        assert g.bits(x.shape) == f.bits(x.shape)
        assert g.limit_bits == f.limit_bits
        y = fb.quantize(x, g)
        assert same_bits(fb.decode(replace(fb.encode(x, g), format=f)), y).all()


LAWS: list[Law] = [
    text_round_trips,
    backends_agree_in_every_bit,
    decode_gives_what_quantize_gives,
    outputs_are_value_times_scale_minus_offset,
    no_value_is_nearer,
    monotone_within_a_block,
    odd_where_the_element_is,
    powers_of_two_go_through,
    rule_changes_neither_bits_nor_decoder,
]
ONCE = (text_round_trips, powers_of_two_go_through)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds_for_the_catalogue(law: Law, name: str) -> None:
    few = FIXED[:1] if law in ONCE else FIXED[:3] if law is rule_changes_neither_bits_nor_decoder else FIXED
    for x in few:
        law(fb.format(name), x)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.__name__)
def test_law_holds_for_generated_formats(law: Law) -> None:
    @settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
    @given(formats(), arrays())
    def check(f: Format, x: Float32) -> None:
        law(f, x)

    check()
