"""Elements: every code and every rounding against ml_dtypes, gfloat and numpy, exhaustively where 16 bits allow it."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest

import fewbits as fb
from fewbits.codes import codes_of, values_of
from fewbits.element import Element, element
from fewbits.errors import UnknownName, UsageError
from fewbits.kernels import reference
from fewbits.plan import AWAY, EVEN, rounding
from golden_vectors import entry, names

BACKENDS = ["reference", "cpu"]

# The names of ml_dtypes for our elements; an OCP element has no suffix.
FLOATS = {
    "float8_e3m4": "e3m4ieee",
    "float8_e4m3": "e4m3ieee",
    "float8_e4m3b11fnuz": "e4m3b11fnuz",
    "float8_e4m3fn": "e4m3",
    "float8_e4m3fnuz": "e4m3fnuz",
    "float8_e5m2": "e5m2",
    "float8_e5m2fnuz": "e5m2fnuz",
    "float6_e2m3fn": "e2m3",
    "float6_e3m2fn": "e3m2",
    "float4_e2m1fn": "e2m1",
}
INTEGERS = {"int1": "i1", "int2": "i2", "int4": "i4", "uint1": "u1", "uint2": "u2", "uint4": "u4"}
OCP = ("e2m1", "e2m3", "e3m2", "e4m3", "e5m2", "e8m0")
GFLOAT = {**{f"ocp_{e}": e for e in OCP}, "ocp_int8": "mxi8"}
SOURCES = ("cast/ml_dtypes", "bf16_exhaustive/ml_dtypes", "fp16_exhaustive/ml_dtypes")


def same_bits(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))


@pytest.mark.parametrize("name", [*FLOATS, *INTEGERS, "float8_e8m0fnu"])
def test_every_code_has_the_value_of_ml_dtypes(name: str) -> None:
    e = element({**FLOATS, **INTEGERS, "float8_e8m0fnu": "e8m0"}[name])
    ours = np.array(e.decoded, np.float32)
    assert same_bits(ours, entry(f"elements:table/{name}").outputs["values"]).all()
    kind = getattr(ml_dtypes, name)
    live = np.arange(len(ours), dtype=np.uint8).view(kind).astype(np.float32)
    assert same_bits(ours, live).all()


@pytest.mark.parametrize("name", GFLOAT)
def test_every_code_has_the_value_of_gfloat(name: str) -> None:
    ours = np.array(element(GFLOAT[name]).decoded)
    assert np.array_equal(ours, entry(f"elements:table/gfloat/{name}").outputs["values64"], equal_nan=True)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("name", FLOATS)
def test_casts_are_those_of_ml_dtypes_and_saturate_beyond(name: str, source: str, backend: str) -> None:
    given = entry(f"elements:{source}/{name}")
    e = element(FLOATS[name])
    theirs = values_of(given.outputs["codes"], e)
    y = fb.quantize(given.x, str(e), backend=backend)
    finite, inside = np.isfinite(given.x), np.isfinite(given.x) & np.isfinite(theirs)
    assert same_bits(y, theirs)[inside].all()
    beyond = finite & ~inside
    assert np.array_equal(y[beyond], np.copysign(np.float32(e.highest), given.x[beyond]))
    assert same_bits(y, given.x)[~finite].all()
    codes = given.outputs["codes"][inside]
    assert np.array_equal(fb.encode(given.x[inside], str(e), backend=backend).codes, codes)


@pytest.mark.parametrize("name", FLOATS)
def test_float64_is_rounded_to_float32_first(name: str) -> None:
    given = entry(f"elements:cast64/ml_dtypes/{name}")
    e = element(FLOATS[name])
    theirs = values_of(given.outputs["codes_via_fp32"], e)
    inside = np.isfinite(given.x) & np.isfinite(theirs)
    assert same_bits(fb.quantize(given.x, str(e)), theirs)[inside].all()


def nearest(x: np.ndarray, e: Element, mode: int) -> np.ndarray:
    return reference.round_to(x.astype(np.float32), rounding(e, mode))


def directed(x: np.ndarray, e: Element, direction: str) -> np.ndarray:
    """x rounded toward zero, minus or plus infinity, by the element's own list of values."""
    values = np.array(e.values)
    below = values[np.clip(np.searchsorted(values, x, side="right") - 1, 0, len(values) - 1)]
    above = values[np.clip(np.searchsorted(values, x, side="left"), 0, len(values) - 1)]
    chosen = {"TowardNegative": below, "TowardPositive": above, "TowardZero": np.where(x < 0, above, below)}[direction]
    return np.copysign(chosen, np.where(chosen == 0, x, chosen))


@pytest.mark.parametrize("name", [n for n in names("elements:gfloat/") if n.endswith("/sat") and "e8m0" not in n])
def test_five_rounding_modes_are_those_of_gfloat(name: str) -> None:
    given = entry(name)
    _, kind, mode, _ = name.split("/")
    e = element(FLOATS[kind])
    usable = np.isfinite(given.x)
    x = given.x[usable]
    ties = {"TiesToEven": EVEN, "TiesToAway": AWAY}
    y = nearest(x, e, ties[mode]) if mode in ties else directed(x.astype(np.float64), e, mode)
    assert np.array_equal(y, given.outputs["values"][usable])
    assert np.array_equal(np.signbit(y), np.signbit(given.outputs["values"][usable]))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("spec", ["f16", "bf16"])
def test_wide_floats_are_those_of_ieee(spec: str, backend: str) -> None:
    given = entry({"f16": "elements:cast/numpy/float16", "bf16": "elements:cast/ml_dtypes/bfloat16"}[spec])
    kind = np.float16 if spec == "f16" else ml_dtypes.bfloat16
    theirs = given.outputs["bits"].view(kind).astype(np.float32)
    finite = np.isfinite(given.x)
    assert same_bits(fb.quantize(given.x, spec, backend=backend), theirs)[finite].all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_e8m0_is_the_nearest_power_of_two_ties_up(backend: str) -> None:
    """As ml_dtypes for normal float32; for subnormals as gfloat, where ml_dtypes rounds raw bits."""
    e = element("e8m0")
    given = entry("elements:cast/ml_dtypes/float8_e8m0fnu")
    theirs = values_of(given.outputs["codes"], e)
    normal = (given.x >= 2.0**-126) & np.isfinite(theirs)
    y = fb.quantize(given.x, "e8m0", backend=backend)
    assert np.array_equal(y[normal], theirs[normal])
    assert (y[np.isfinite(given.x) & (given.x > 0) & np.isnan(theirs)] == e.highest).all()
    given = entry("elements:gfloat/float8_e8m0fnu/TiesToEven/sat")
    small = (given.x > 0) & (given.x < 2.0**-126) & (given.outputs["values"] > 0)
    small &= given.x != np.float32(1.5 * 2.0**-127)
    assert np.array_equal(fb.quantize(given.x, "e8m0", backend=backend)[small], given.outputs["values"][small])
    assert (fb.quantize(np.float32([0, 1e-45, 2**-130]), "e8m0", backend=backend) == e.lowest).all()


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    "name", ["i1", "i2", "i4", "i8", "i16", "s2", "s4", "s8", "s16", "u1", "u4", "u8", "u16", "h2", "h4", "mxi8"]
)
def test_integers_round_to_the_nearest_even_step(name: str, backend: str) -> None:
    e = element(name)
    step = float(e.values[1] - e.values[0])
    half = 0.5 if name.startswith("h") else 0.0
    spread = np.linspace(e.lowest - 3 * step, e.highest + 3 * step, 5003)
    x = np.unique(np.concatenate([spread, np.arange(-40, 41) * step / 2])).astype(np.float32)
    x = np.concatenate([x, np.nextafter(x, np.float32(np.inf)), np.nextafter(x, np.float32(-np.inf))])
    x = x[(x == 0) | (np.abs(x) > 1e-9)]  # so that float64 holds x − half a step
    position = x.astype(np.float64) / step - half
    down = np.floor(position)
    rest = position - down
    index = down - e.lowest / step + half
    up = (rest > 0.5) | ((rest == 0.5) & ((index % 2 == 1) if half else (down % 2 == 1)))
    want = np.clip((down + up + half) * step, e.lowest, e.highest)
    y = fb.quantize(x, name, backend=backend)
    assert np.array_equal(y, want)
    assert not np.signbit(y[y == 0]).any()


@pytest.mark.parametrize(
    "name",
    ["e1m2", "e3m0", "e2m2", "e4m0", "e5m3", "e6m2", "ue4m3", "ue5m1", "e3m3fn", "e2m5ieee", "e4m1fnuz", "e8m7ieee"],
)
def test_unlisted_floats_follow_their_formula(name: str) -> None:
    """Bias 2^(e−1) − 1 (fnuz one more), subnormals, all codes finite unless the suffix reserves some."""
    e = element(name)
    decoded = np.array(e.decoded)
    exponents, mantissa = e.exponent_bits, e.mantissa_bits
    bias = 2 ** (exponents - 1) - (0 if name.endswith("fnuz") else 1)
    for code in range(2 ** (e.bits - e.signed)):
        field, m = code >> mantissa, code & (2**mantissa - 1)
        reserved = name.endswith("ieee") and field == 2**exponents - 1
        reserved |= name.endswith("fn") and code == 2 ** (exponents + mantissa) - 1
        value = m * 2.0 ** (1 - bias - mantissa) if field == 0 else (1 + m / 2**mantissa) * 2.0 ** (field - bias)
        if not reserved:
            assert decoded[code] == value
        else:
            assert not math.isfinite(decoded[code])
        if e.signed and not (name.endswith("fnuz") and code == 0):
            assert decoded[code + 2 ** (e.bits - 1)] == -decoded[code] or reserved
    assert e.highest == max(v for v in e.decoded if math.isfinite(v))


@pytest.mark.parametrize(
    "name",
    [
        *FLOATS.values(),
        *["e3m3fn", "ue4m3", "i4", "s4", "u8", "h4", "mxi8", "nf4lut", "bnbfp4", "iq4lut", "dyn8", "e8m0"],
    ],
)
def test_every_code_decodes_and_encodes_to_itself(name: str) -> None:
    """But for the second code of a value, which only bitsandbytes' FP4 has (for zero)."""
    e = element(name)
    codes = np.arange(2**e.bits)
    values = values_of(codes, e)
    codes, values = codes[np.isfinite(values)], values[np.isfinite(values)]
    again = codes_of(values, e)
    assert same_bits(values_of(again, e), values).all()
    assert np.array_equal(again, codes) or name == "bnbfp4"
    assert same_bits(fb.quantize(values, name), values).all()


@pytest.mark.parametrize("name", ["e4m3", "e2m1", "s4", "u4", "mxi8", "e3m2", "e5m2fnuz"])
def test_binade_and_table_arithmetic_agree_at_every_cut(name: str) -> None:
    """The cut points of the table, and one float32 to each side, against the compiled binade arithmetic."""
    r = rounding(element(name), EVEN)
    x = np.concatenate([r.cuts, np.nextafter(r.cuts, np.float32(np.inf)), np.nextafter(r.cuts, np.float32(-np.inf))])
    assert same_bits(fb.quantize(x, name, backend="cpu"), reference.round_to(x, r)).all()


def test_elements_that_cannot_be_say_why() -> None:
    with pytest.raises(UsageError, match="at most 16 bits"):
        element("e8m12")
    with pytest.raises(UsageError, match="beyond float32"):
        element("e8m7")
    with pytest.raises(UsageError, match="needs N from 2 to 16, not 1"):
        element("s1")
    with pytest.raises(UnknownName, match="unknown element 'q7'"):
        element("q7")
