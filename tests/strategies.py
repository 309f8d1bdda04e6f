"""Formats, arrays and shapes for hypothesis, and the fixed arrays that every catalogue row is tried on."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from fewbits import catalog
from fewbits.errors import UsageError
from fewbits.formats import Format
from fewbits.spec import parse

Float32 = NDArray[np.float32]

NAMES = [row.name for row in catalog.rows()]
FLOAT32_MAX = np.finfo(np.float32).max

TABLES = ["nf4lut", "bnbfp4", "dyn8", "lin8", "iq4lut", "h1", "h2", "h4"]
FLOATS = [
    "e2m1", "e4m3", "e5m2", "e2m3", "e3m2", "e4m3fnuz", "e5m2fnuz", "e4m3b11fnuz", "e3m4ieee", "e8m7ieee", "e3m0", "e1m2", "ue4m3",
    "ue3m2",
]  # fmt: skip
INTEGERS = ["s2", "s3", "s4", "s8", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "s16", "u16", "mxi8"]
ELEMENTS = TABLES + FLOATS + INTEGERS
BARE_SCALES = ["f32", "f32", "f16", "f16", "bf16", "e8m0", "e8m0", "e4m3", "e5m2", "ue4m3"]
BLOCKED_SCALES = ["e4m3", "e5m2", "u4", "u6", "e8m0", "udyn8", "dyn8", "bf16", "i6"]
BLOCKS = [
    "1",
    "2",
    "3",
    "5",
    "8",
    "16",
    "32",
    "64",
    "row",
    "col",
    "matrix",
    "tensor",
    "2x4",
    "3x5",
    "16x1",
    "flat7",
    "flat16",
    "flat64",
]
PLAIN_RULES = [
    "", "", "", "", "-amax", "-half", "-inverse", "-reciprocal", "-affine", "-bnb", "-46", "-mse", "-p90", "-p99.9", "-3rms", "-q80",
    "-affinesides", "-affineamax", "-46mae", "-46max", "-inverse4", "-2.5rms",
]  # fmt: skip
SIGNED_RULES = ["-signmax", "-q40"]
POWER_RULES = [
    "",
    "-floor",
    "-ceil",
    "-rceil",
    "-even",
    "-even1",
    "-tozero",
    "-rceiltozero",
    "-amax",
    "-mse",
    "-align",
    "-alignup",
]
RANGE_RULES = ["", "-range", "-affinerange", "-shiftrange", "-q41"]
SEARCHED = [
    "u4@32-qkx2:u6@8:f16+min", "u3@5-qkx2:u4@3:f16+min", "i3@16-q3k:i6@16:f16", "i6@16-q6k:i8@4:f16", "iq4lut@32-iq4:f16",
    "nf4lut@8-iq4:i6@4:f16",
]  # fmt: skip
OFFSETS = ["+min", "+min", "+min:f16", "+min:e4m3", "+zero", "+zero"]
OPTIONS = ["", "", "", "+mean", "+hadamard8", "+outliers0.1:f16", "+outliers0.02:e4m3+hadamard4", "+mean+hadamard2"]


@st.composite
def elements(draw: st.DrawFn) -> str:
    """The name of an element that may carry a scale."""
    if draw(st.integers(0, 3)):
        return draw(st.sampled_from(ELEMENTS))
    kind = draw(st.sampled_from(["e", "ue", "i", "s", "u", "h"]))
    if kind.endswith("e"):
        return f"{kind}{draw(st.integers(1, 5))}m{draw(st.integers(0, 4))}"
    return f"{kind}{draw(st.integers(2, 9))}"


@st.composite
def scales(draw: st.DrawFn, levels: int) -> str:
    """The spec of a scale with up to `levels` levels."""
    if levels == 1 or draw(st.integers(0, 2)):
        return draw(st.sampled_from(BARE_SCALES))
    inner = f"{draw(st.sampled_from(BLOCKED_SCALES))}@{draw(st.sampled_from(BLOCKS))}:{draw(scales(levels - 1))}"
    return f"({inner}+mean)" if draw(st.integers(0, 7)) == 0 else inner


@st.composite
def specs(draw: st.DrawFn) -> str:
    """A spec of up to three levels, not always a legal one."""
    shape = draw(st.integers(0, 9))
    options = draw(st.sampled_from(OPTIONS))
    if shape == 0:
        return draw(elements()) + options.replace("+outliers0.1:f16", "").replace("+outliers0.02:e4m3", "")
    if shape == 1:
        return draw(st.sampled_from(SEARCHED)) + options
    element, block, scale = draw(elements()), draw(st.sampled_from(BLOCKS)), draw(scales(2))
    if scale == "e8m0":
        rule = draw(st.sampled_from(POWER_RULES))
        element = draw(st.sampled_from(["s2", "s4", "s8", "s5"])) if rule.startswith("-align") else element
        return f"{element}@{block}{rule}:e8m0{options}"
    if shape < 4:
        return f"{element}@{block}{draw(st.sampled_from(RANGE_RULES))}:{scale}{draw(st.sampled_from(OFFSETS))}{options}"
    return f"{element}@{block}{draw(st.sampled_from(PLAIN_RULES + SIGNED_RULES))}:{scale}{options}"


@st.composite
def formats(draw: st.DrawFn) -> Format:
    """A catalogue row or a generated legal format."""
    if draw(st.integers(0, 4)) == 0:
        return catalog.format(draw(st.sampled_from(NAMES)))
    for _ in range(4):
        try:
            return parse(draw(specs()))
        except UsageError:
            continue
    assume(False)
    raise AssertionError


SHAPES: list[tuple[int, ...]] = [
    (), (0,), (1,), (7,), (32,), (100,), (3, 0), (0, 5), (1, 64), (5, 33), (16, 48), (33, 40), (2, 5, 17), (2, 1, 3, 24), (600,),
    (2, 1100),
]  # fmt: skip


def _gauss(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.standard_normal(shape)


def _ties(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Multiples of a sixteenth: with amax 6, 7, 8 or 448 among them, ties of every grid."""
    x = rng.integers(-112, 113, shape) / 16
    return np.where(rng.random(shape) < 0.05, rng.choice([6.0, -7.0, 8.0, 448.0], shape), x)


def _zeros(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Whole rows and runs of zeros of both signs, and a few numbers."""
    x = np.where(rng.random(shape) < 0.5, 0.0, -0.0)
    return np.where(rng.random(shape) < 0.02, rng.standard_normal(shape), x)


def _tiny(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.integers(-40, 41, shape) * 2.0 ** rng.integers(-149, -120, shape)


def _huge(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.where(
        rng.random(shape) < 0.1, FLOAT32_MAX * rng.choice([-1.0, 1.0], shape), rng.standard_normal(shape) * 1e37
    )


def _wide(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return rng.standard_normal(shape) * 2.0 ** rng.integers(-140, 126, shape)


def _constant(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return np.full(shape, rng.choice([0.3, -1.0, 1e-30, 0.1]))


def _powers(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Powers of two and their neighbours: where exponents are found one off."""
    x = rng.choice([-1.0, 1.0], shape) * 2.0 ** rng.integers(-20, 20, shape)
    return x * rng.choice([1, 1, 1 + 2.0**-23, 1 - 2.0**-24, 1.5, 1.75], shape)


def _positive(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float64]:
    return 3 + np.abs(rng.standard_normal(shape))


KINDS = {f.__name__[1:]: f for f in (_gauss, _ties, _zeros, _tiny, _huge, _wide, _constant, _powers, _positive)}


def array(kind: str, shape: tuple[int, ...], seed: int = 0) -> Float32:
    """The float32 array of a kind in `KINDS`, the same for the same arguments."""
    rng = np.random.default_rng([seed, len(shape), math.prod(shape), list(KINDS).index(kind)])
    return np.asarray(np.clip(KINDS[kind](rng, shape), -FLOAT32_MAX, FLOAT32_MAX)).astype(np.float32)


@st.composite
def arrays(draw: st.DrawFn) -> Float32:
    """Finite float32 of any rank: a kind of data, or a few chosen numbers."""
    if draw(st.integers(0, 3)):
        return array(draw(st.sampled_from(list(KINDS))), draw(st.sampled_from(SHAPES)), draw(st.integers(0, 99)))
    numbers = st.one_of(
        st.sampled_from(
            [0.0, -0.0, 1.0, -1.0, 0.5, 6.0, 1e-45, -1e-38, float(FLOAT32_MAX), -float(FLOAT32_MAX), 2.0**-127]
        ),
        st.floats(width=32, allow_nan=False, allow_infinity=False),
    )
    values = np.array(draw(st.lists(numbers, min_size=1, max_size=40)), np.float32)
    rows = draw(st.integers(1, 3))
    return values if rows == 1 else values[: max(len(values) // rows * rows, 0)].reshape(rows, -1)


FIXED = [
    array("gauss", (3, 70)), array("gauss", (1, 1100)), array("ties", (2, 3, 48)),
    array("zeros", (5, 64)), array("tiny", (3, 40)), array("huge", (3, 40)),
    array("wide", (4, 65)), array("constant", (33,)), array("powers", (6, 37)),
    array("positive", (2, 130)), array("gauss", ()), array("gauss", (0, 7)),
]  # fmt: skip


def same_bits(a: Float32, b: Float32) -> NDArray[np.bool_]:
    """Equal in every bit; NaN of any payload are equal."""
    a, b = np.asarray(a, np.float32), np.asarray(b, np.float32)
    return (a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))
