"""Verbs: any rank, any dtype and memory layout of the input, non-finite values, empty and constant data, exact messages."""

from __future__ import annotations

import math
from dataclasses import replace

import ml_dtypes
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fewbits as fb
from fewbits.errors import DataError, UsageError
from fewbits.formats import Format
from strategies import NAMES, SHAPES, Float32, array, arrays, formats, same_bits

FEW = [
    "mxfp4", "nvfp4", "bfp8", "int4-g128-zero", "nf4-dq", "q4_k", "fp8-e4m3", "fp16", "nvfp4-hadamard", "s4@16:f16+mean",
    "u4@32:f16+min", "e2m1@32:f16+outliers0.05:f16",
]  # fmt: skip
BACKENDS = ["reference", "cpu"]
MANY = [s for s in SHAPES if math.prod(s) > 1]
CODED = [
    "e2m1@16:f32",
    "s4@8:f32",
    "nf4lut@flat16:f32",
    "u4@16:f32+zero",
    "h4@16:f32",
    "i8@16:f32",
    "e5m2@16:f32",
    "mxi8@16:f32",
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FEW)
def test_dtypes_are_rounded_to_float32_first(name: str, backend: str) -> None:
    x = array("gauss", (6, 70)).astype(np.float64) * 3
    for dtype in (np.float16, ml_dtypes.bfloat16, np.float32, np.float64, np.int8, np.int64, np.uint16, bool):
        given = (abs(x) if dtype in (np.uint16, bool) else x).astype(dtype)
        y = fb.quantize(given, name, backend=backend)
        assert y.dtype == np.float32
        assert same_bits(y, fb.quantize(given.astype(np.float32), name, backend=backend)).all()
        assert same_bits(fb.decode(fb.encode(given, name, backend=backend)), y).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", FEW)
def test_memory_layout_changes_nothing_and_input_is_left_alone(name: str, backend: str) -> None:
    x = array("wide", (12, 140))
    y = fb.quantize(x, name, backend=backend)
    read_only = x.copy()
    read_only.flags.writeable = False
    padded = np.full((12, 281), np.float32(np.nan))
    padded[:, ::2][:, :140] = x
    layouts = {
        "Fortran": np.asfortranarray(x),
        "strided": padded[:, ::2][:, :140],
        "reversed": np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
        "transposed": np.ascontiguousarray(x.T).T,
        "big-endian": x.astype(">f4"),
        "read-only": read_only,
        "list": x.tolist(),
    }
    for layout, other in layouts.items():
        before = np.array(other).tobytes()
        assert same_bits(fb.quantize(other, name, backend=backend), y).all(), layout
        assert same_bits(fb.decode(fb.encode(other, name, backend=backend)), y).all(), layout
        assert np.array(other).tobytes() == before, layout


@pytest.mark.parametrize("name", ["fp32", "fp16", "bf16", "fp0", "fp8-e4m3", "mxfp4", "nf4"])
def test_the_answer_is_own_memory(name: str) -> None:
    x = array("gauss", (4, 64))
    before = x.copy()
    for y in (fb.quantize(x, name), fb.quantize(x, name, backend="reference"), fb.decode(fb.encode(x, name))):
        assert not np.shares_memory(x, y)
        y[...] = 7
    assert same_bits(x, before).all()


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(formats(), st.sampled_from(["gauss", "positive", "zeros", "wide"]), st.sampled_from(MANY), st.integers(0, 99))
def test_non_finite_values_pass_through_and_both_backends_agree(
    f: Format, kind: str, shape: tuple[int, ...], seed: int
) -> None:
    x = array(kind, shape, seed)
    rng = np.random.default_rng(seed)
    x = np.where(rng.random(shape) < 0.2, rng.choice(np.array([np.nan, np.inf, -np.inf], np.float32), shape), x)
    y = fb.quantize(x, f)
    special = ~np.isfinite(x)
    assert same_bits(y[special], x[special]).all()
    assert not np.isnan(y[~special]).any() or f.rule is None or f.rule.half_range == "ieee"
    assert same_bits(fb.quantize(x, f, backend="reference"), y).all()


def neutral(f: Format) -> bool:
    """Whether a zero in place of a non-finite value leaves every statistic as it is."""
    plain = all(level.rule is None or level.rule.statistic in ("amax", "signed") for level in f.levels)
    return plain and not f.mean and not f.hadamard and not f.outliers and not (f.rule and f.rule.search)


@pytest.mark.parametrize("name", [name for name in NAMES if neutral(fb.format(name))])
def test_non_finite_values_take_part_in_no_scale(name: str) -> None:
    x = array("gauss", (3, 200))
    x[0, 63], x[0, 5], x[1, 64:128], x[2, 199] = np.nan, np.inf, -np.inf, np.nan
    finite = np.isfinite(x)
    want = fb.quantize(np.where(finite, x, np.float32(0)), name)
    for backend in BACKENDS:
        assert same_bits(fb.quantize(x, name, backend=backend)[finite], want[finite]).all()


@pytest.mark.parametrize("rule", ["p90", "p50", "3rms", "mse"])
@pytest.mark.parametrize("block", ["row", "tensor", "64"])
def test_statistics_are_those_of_the_finite_values(rule: str, block: str) -> None:
    """Non-finite values at the end of a block: as if the block were shorter."""
    x = array("gauss", (50,))
    longer = np.concatenate([x, np.array([np.nan, np.inf, -np.inf, np.nan], np.float32)])
    for backend in BACKENDS:
        y = fb.quantize(longer, f"s4@{block}-{rule}:f32", backend=backend)
        assert same_bits(y[:50], fb.quantize(x, f"s4@{block}-{rule}:f32", backend=backend)).all()
    for text in (f"u4@{block}:f32+min", f"u4@{block}:f32+zero"):
        assert same_bits(fb.quantize(longer, text)[:50], fb.quantize(x, text)).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("text", "value", "message"), [
    ("mxfp4", np.nan, "encode: element e2m1 has no code for NaN, the value at (1, 3)"),
    ("int8", np.inf, "encode: element s8 has no code for infinity, the value at (1, 3)"),
    ("nf4", -np.inf, "encode: element nf4lut has no code for -infinity, the value at (1, 3)"),
    ("e4m3", np.inf, "encode: element e4m3 has no code for infinity, the value at (1, 3)"),
    ("nvfp4-hadamard", np.nan, "encode: NaN and infinities have no code under the options mean, hadamard and outliers"),
])  # fmt: skip
def test_encode_refuses_what_has_no_code(text: str, value: float, message: str, backend: str) -> None:
    x = array("gauss", (2, 16))
    x[1, 3] = value
    with pytest.raises(DataError) as error:
        fb.encode(x, text, backend=backend)
    assert str(error.value) == message


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("text", ["e5m2", "e5m2@32:e8m0", "fp32", "fp16", "bf16", "e4m3ieee@row:f32"])
def test_encode_keeps_what_has_a_code(text: str, backend: str) -> None:
    x = array("gauss", (2, 16))
    x[0, 1], x[1, 3], x[1, 4] = np.nan, np.inf, -np.inf
    assert same_bits(fb.decode(fb.encode(x, text, backend=backend)), fb.quantize(x, text, backend=backend)).all()


@pytest.mark.parametrize("name", NAMES)
def test_empty_zero_constant_and_single_values_have_results(name: str) -> None:
    f = fb.format(name)
    for shape in [(0,), (0, 5), (3, 0), (2, 0, 4)]:
        assert fb.quantize(np.zeros(shape), f).shape == shape
        assert fb.decode(fb.encode(np.zeros(shape), f)).shape == shape
    zeros = fb.quantize(np.zeros((3, 40)), f)
    assert (zeros == 0).all()
    assert fb.quantize(np.float32(0.5), f).shape == ()
    assert np.isfinite(fb.quantize(np.full((2, 33), 0.3), f)).all()


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "fp8-e4m3", "fp8-e4m3-row", "fp16"])
def test_float_elements_keep_the_sign_of_zero_and_others_clear_it(name: str) -> None:
    x = np.array([1, -0.0, 0.0, -1e-30], np.float32)
    for backend in BACKENDS:
        assert np.signbit(fb.quantize(x, name, backend=backend)).tolist() == [False, True, False, True]
        for cleared in ("bfp8", "int8", "nf4", "q8_0", "mxint8", "mxfp4-ggml"):
            assert not np.signbit(fb.quantize(x, cleared, backend=backend)).any()


def test_block_floats_flush_subnormals() -> None:
    x = np.array([1e-39, -1e-40, 2.0**-127, 1e-45], np.float32)
    for backend in BACKENDS:
        assert (fb.quantize(x, "bfp8", backend=backend) == 0).all()
        assert (fb.quantize(x, "mxfp8-e4m3", backend=backend) != 0).any()


def test_finite_values_saturate_and_wide_floats_overflow() -> None:
    x = np.array([1e30, -1e30, 449, 465, 61440], np.float32)
    assert fb.quantize(x, "e4m3").tolist() == [448, -448, 448, 448, 448]
    assert fb.quantize(x, "e5m2").tolist() == [57344, -57344, 448, 448, 57344]
    assert fb.quantize(x, "fp16")[:2].tolist() == [np.inf, -np.inf]
    assert fb.quantize(np.float32(3.4e38), "bf16") == np.inf


def test_float64_beyond_float32_is_infinite() -> None:
    assert fb.quantize(np.array([1e300, -1e300]), "mxfp4").tolist() == [np.inf, -np.inf]


@pytest.mark.parametrize(
    "bad", [np.array(["a"]), np.array([1j]), np.array([None]), np.array(["2020"], "datetime64[s]")]
)
def test_what_is_no_number_is_refused(bad: np.ndarray) -> None:
    for verb in (fb.quantize, fb.encode):
        with pytest.raises(DataError, match="numbers expected"):
            verb(bad, "mxfp4")


def test_unknown_backend() -> None:
    with pytest.raises(UsageError, match="unknown backend 'gpu'; cpu and reference are allowed"):
        fb.quantize([1.0], "mxfp4", backend="gpu")


@given(arrays())
@settings(max_examples=40)
def test_quantizing_is_the_same_for_every_rank_of_the_same_rows(x: Float32) -> None:
    """Leading axes are matrices: more of them change nothing for blocks inside a row."""
    for name in ("mxfp4", "int4-g32", "q4_0"):
        y = fb.quantize(x, name)
        assert same_bits(fb.quantize(x[None, None], name)[0, 0], y).all()
        if x.ndim == 3:
            assert same_bits(np.stack([fb.quantize(m, name) for m in x]), y).all()


def test_codes_have_the_narrowest_type_and_the_shape_of_the_input() -> None:
    x = array("gauss", (2, 3, 48))
    q = fb.encode(x, "nvfp4")
    assert (q.codes.dtype, q.codes.shape) == (np.uint8, (2, 3, 48))
    assert q.codes.max() < 16
    assert q.scale.codes.shape == (2, 3, 3)
    assert fb.encode(x, "s12@16:f32").codes.dtype == np.uint16
    assert fb.encode(x, "s12@16:f32").scale.dtype == np.float32
    assert fb.encode(x, "fp32").codes.dtype == np.uint32
    assert fb.encode(x, "u4@32:f16+zero").offset.max() < 16


@pytest.mark.parametrize("text", CODED)
def test_every_code_of_a_block_decodes_and_encodes_to_itself(text: str) -> None:
    """Given a block that holds the value of largest magnitude, every other value of the grid is its own reconstruction."""
    f = fb.parse(text)
    values = np.array(f.element.values, np.float32)
    top = values[-1]
    values = values[
        np.abs(values) <= top
    ]  # the lowest of two's complement is beyond the largest magnitude that the scale is made for
    bottom = values[0] if f.zero else top
    rows = np.stack([np.full(len(values), top), values, np.full(len(values), bottom)] + [values * 0 + top] * 13, axis=1)
    rows = rows if f.block.kind == "grid" else rows.reshape(1, -1)
    for backend in BACKENDS:
        assert np.array_equal(fb.quantize(rows, f, backend=backend), rows)


SHAPE = "a shape is a tuple of integers, none below 0, not"
TILE = r"padded is True, False or a tile \(rows, columns\)"


@pytest.mark.parametrize(
    ("shape", "padded", "line"),
    [
        ((-1, 4), False, rf"{SHAPE} tuple \(-1, 4\)"),
        ((1.5, 4), False, rf"{SHAPE} tuple \(1.5, 4\)"),
        (None, False, f"{SHAPE} NoneType"),
        ("4", False, f"{SHAPE} str '4'"),
        ((4, 4), (0, 4), TILE + r", none below 1, not tuple \(0, 4\)"),
        ((4, 4), 3, f"{TILE}, not int 3"),
        ((4, 4), None, f"{TILE}, none below 1, not NoneType"),
    ],
)
def test_shapes_that_are_none(shape: object, padded: object, line: str) -> None:
    with pytest.raises(DataError, match=line):
        fb.bits("nvfp4", shape, padded=padded)


def test_shapes_may_be_arrays_lists_and_one_integer() -> None:
    expected = fb.bits("nvfp4", (4, 32))
    for shape in ([4, 32], np.array([4, 32]), (np.int64(4), 32)):
        found = fb.bits("nvfp4", shape)
        assert (type(found), found) == (float, expected)
    assert fb.bits("nvfp4", 16) == fb.bits("nvfp4", (16,)) == 4 + (8 + 32) / 16
    assert fb.bits("mxfp4", (3, 3), padded=[4, 32]) == fb.bits("mxfp4", (3, 3), padded=(4, 32))


@pytest.mark.parametrize("x", [[[1, 2], [3]], None, "text", b"text", {}, [1j]])
def test_what_is_no_array_of_numbers(x: object) -> None:
    for verb in (fb.quantize, fb.encode, fb.measure):
        with pytest.raises(DataError, match="numbers") as error:
            verb(x, "mxfp4")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize("jobs", [0, -1, 1.5, None, True])
def test_jobs_are_at_least_one(jobs: object) -> None:
    with pytest.raises(UsageError, match="jobs is a number of threads, at least 1, not "):
        fb.measure([1.0], "mxfp4", jobs=jobs)


@pytest.mark.parametrize("value", [None, 3, np.zeros(3)])
def test_only_what_is_encoded_is_decoded(value: object) -> None:
    with pytest.raises(DataError, match=r"an Encoded is expected, as encode gives it, not (NoneType|int 3|ndarray)"):
        fb.decode(value)


def test_codes_that_the_format_does_not_have() -> None:
    q = fb.encode(array("gauss", (4, 32)), "nvfp4")
    scale = q.scale
    assert isinstance(scale, fb.Encoded)
    wrong = {
        r"code \d+ is none of element e2m1, whose codes are 0 to 15": {"codes": q.codes + 16},
        "code -1 is none of element e2m1": {"codes": q.codes.astype(np.int16) * 0 - 1},
        "codes of element e2m1 are unsigned integers, not float32": {"codes": q.codes.astype(np.float32)},
        r"codes of shape \[4, 32\] for a tensor of shape \[3, 3\]": {"shape": (3, 3)},
        "has a scale, and there is none": {"scale": None},
        "code 300 is none of element e4m3": {"scale": replace(scale, codes=scale.codes.astype(np.int64) * 0 + 300)},
        "4 scales or offsets for 8 blocks": {"scale": np.ones(4, np.float32)},
    }
    for line, fields in wrong.items():
        with pytest.raises(DataError, match=line):
            fb.decode(replace(q, **fields))


@pytest.mark.parametrize(
    "spec", ["i4@4-signmax:(dyn8@flat16:f32)", "i2@1-signmax:(nf4lut@flat16:f32+mean)", "i4@8-signmax:(dyn8@16:f32)"]
)
@pytest.mark.parametrize("columns", [64, 70])
def test_scales_of_negative_scales(spec: str, columns: int) -> None:
    """A signed statistic has a negative target, and so has the scale of its scales; it is no small number for that."""
    x = array("gauss", (3, columns))
    y = fb.quantize(x, spec)
    assert same_bits(y, fb.quantize(x, spec, backend="reference")).all()
    assert 10 * np.log10((x**2).sum() / ((x - y) ** 2).sum()) > 12
