"""What standards and papers say, quoted, as values: no software stands between their text and these numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

import fewbits as fb
from fewbits import catalog
from fewbits.element import element

BACKENDS = ["reference", "cpu"]


def quantized(values: list[float], spec: str, backend: str = "reference") -> list[float]:
    """The reconstruction of one row."""
    return [float(v) for v in fb.quantize(np.array([values], np.float32), spec, backend=backend)[0]]


# OFP8 v1.0, table 2: E4M3 has bias 7, no infinities, NaN S.1111.111, largest normal 448, smallest normal 2^-6, subnormals
# 2^-9 to 0.875 · 2^-6; E5M2 has bias 15, infinities S.11111.00, NaN S.11111.{01, 10, 11}, 57344, 2^-14, 2^-16 to
# 0.75 · 2^-14. MX v1.0, 5.3: E3M2 28, 0.25, subnormals 0.0625 to 0.1875; E2M3 7.5, 1, 0.125 to 0.875; E2M1 6, 1, 0.5; in
# these three no code is kept for infinity or NaN.
@pytest.mark.parametrize(
    ("name", "highest", "normal", "largest_subnormal", "smallest", "infinities", "nans"),
    [
        ("e4m3", 448, 2**-6, 0.875 * 2**-6, 2**-9, 0, 2),
        ("e5m2", 57344, 2**-14, 0.75 * 2**-14, 2**-16, 2, 6),
        ("e3m2", 28, 0.25, 0.1875, 0.0625, 0, 0),
        ("e2m3", 7.5, 1, 0.875, 0.125, 0, 0),
        ("e2m1", 6, 1, 0.5, 0.5, 0, 0),
    ],
)
def test_ocp_elements(
    name: str, highest: float, normal: float, largest_subnormal: float, smallest: float, infinities: int, nans: int
) -> None:
    e = element(name)
    assert (e.highest, e.lowest, e.smallest_normal, e.smallest) == (highest, -highest, normal, smallest)
    assert max(v for v in e.values if v < normal) == largest_subnormal
    assert sum(math.isinf(v) for v in e.decoded) == infinities
    assert sum(math.isnan(v) for v in e.decoded) == nans


def test_ocp_scale_and_int8() -> None:
    """MX v1.0: E8M0 holds the exponents -127 to 127 with bias 127 and NaN in code 255, and no infinity; INT8 is two's
    complement with an implied 2^-6, so that 1 63/64 is the largest and -2 the most negative value."""
    scale, integer = element("e8m0"), element("mxi8")
    assert scale.decoded[0] == 2.0**-127
    assert scale.decoded[254] == 2.0**127
    assert math.isnan(scale.decoded[255])
    assert (integer.lowest, integer.highest, integer.decoded[1]) == (-2, 1 + 63 / 64, 2**-6)


@pytest.mark.parametrize("backend", BACKENDS)
def test_ocp_conversion(backend: str) -> None:
    """MX v1.0, 6.3: the shared scale is "the largest power-of-two less than or equal to" the largest magnitude, "divided by
    the largest power-of-two representable in the element data type"; what exceeds the largest normal number is clamped to it."""
    block = [7.9, -7.9, 5, 3.5, 2.5, 1.75, 1.25, 0.75, 0.25, 0.2500001] + [0.0] * 22
    assert quantized(block, "mxfp4", backend) == [6, -6, 4, 4, 2, 2, 1, 1, 0, 0.5] + [0] * 22
    q = fb.encode(np.array([block, [v * 2.0**-20 for v in block]], np.float32), "mxfp4", backend=backend)
    assert isinstance(q.scale, fb.Encoded)
    assert [int(c) for c in np.ravel(q.scale.codes)] == [127, 107]
    row = fb.encode(np.array([block], np.float32), "mxfp8-e4m3", backend=backend)
    assert isinstance(row.scale, fb.Encoded)
    assert int(np.ravel(row.scale.codes)[0]) == 127 + 2 - 8


@pytest.mark.parametrize("backend", BACKENDS)
def test_nvfp4(backend: str) -> None:
    """Pretraining LLMs with NVFP4, quantization procedure: the tensor's encode scale is 6 · 448 / amax, a block's scale is E4M3
    of that times amax of the block / 6: the block with the largest value has the scale 448."""
    x = np.zeros((2, 32), np.float32)
    x[0, 0], x[0, 16], x[1, 5] = 12, 6, -3
    q = fb.encode(x, "nvfp4", backend=backend)
    assert isinstance(q.scale, fb.Encoded)
    assert np.array_equal(fb.decode(q), x)
    assert np.ravel(q.scale.scale).tolist() == [np.float32(12) / np.float32(6 * 448)]
    e4m3 = np.array(element("e4m3").decoded)
    assert e4m3[np.ravel(q.scale.codes)].tolist() == [448, 224, 112, 0]


def test_qlora_normal_float() -> None:
    """QLoRA, appendix E: "The exact values of the NF4 data type are as follows", and these."""
    published = [
        -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635,
        -0.18477343022823334, -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
        0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
    ]  # fmt: skip
    assert list(element("nf4lut").decoded) == [float(np.float32(v)) for v in published]


def test_double_quantization_costs_what_the_paper_says() -> None:
    """QLoRA, section 3: "this quantization reduces the memory footprint per parameter from 32/64 = 0.5 bits, to 8/64 +
    32/(64 · 256) = 0.127 bits"."""
    assert catalog.format("nf4").limit_bits == 4.5
    assert catalog.format("nf4-dq").limit_bits == 4 + 8 / 64 + 32 / (64 * 256)
    assert round(catalog.format("nf4-dq").limit_bits, 3) == 4.127


# (values per block, bytes per block) of ggml-common.h, whose static assertions fix the sizes of its blocks.
GGML = {
    "q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34), "q2_k": (256, 84),
    "q3_k": (256, 110), "q4_k": (256, 144), "q5_k": (256, 176), "q6_k": (256, 210), "iq4_nl": (32, 18),
    "iq4_xs": (256, 136), "tq2_0": (256, 66), "mxfp4-ggml": (32, 17),
}  # fmt: skip

PUBLISHED_BITS = {
    **{name: 8 * size / values for name, (values, size) in GGML.items()},
    # MX v1.0, table 1: blocks of 32 with an 8-bit scale
    "mxfp8-e4m3": 8.25, "mxfp8-e5m2": 8.25, "mxfp6-e2m3": 6.25, "mxfp6-e3m2": 6.25, "mxfp4": 4.25, "mxint8": 8.25,
    # an FP8 scale per 16
    "nvfp4": 4.5,
    # Tenstorrent: 16 values share an 8-bit exponent; tiles of 1088, 576 and 320 bytes for 1024 values
    "bfp8": 1088 * 8 / 1024, "bfp4": 576 * 8 / 1024, "bfp2": 320 * 8 / 1024,
    # VS-Quant: an M-bit scale per vector of 16
    "vsq-v16-w4-s4": 4.25, "vsq-v16-w4-s6": 4.375,
    "int4-g128": 4 + 16 / 128, "int4-g128-zero": 4 + (16 + 4) / 128, "fp0": 0, "bf16": 16, "fp16": 16, "fp32": 32,
}  # fmt: skip


@pytest.mark.parametrize("name", PUBLISHED_BITS)
def test_published_bits_per_weight(name: str) -> None:
    assert catalog.format(name).limit_bits == PUBLISHED_BITS[name]


@pytest.mark.parametrize("row", catalog.rows(), ids=lambda row: row.name)
def test_rows_state_their_bits_and_their_canonical_spec(row: catalog.Row) -> None:
    assert row.limit_bits == row.format.limit_bits
    assert str(row.format) == row.spec
    assert row.title
    assert row.title != row.name
    assert row.reference
    assert row.families


def test_no_two_rows_share_a_spec() -> None:
    specs = [row.spec for row in catalog.rows()]
    assert len(set(specs)) == len(specs)


@pytest.mark.parametrize("name", GGML)
def test_ggml_blocks_take_whole_bytes(name: str) -> None:
    values, size = GGML[name]
    assert fb.bits(name, (3, 2 * values)) * 3 * 2 * values == 3 * 2 * size * 8


# Vectors of the systems that this one replaces, recomputed there with their own code or an independent closed form.
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(
    ("spec", "given", "expected"),
    [
        ("bfp4", [1, 0.125, 0.1251, 0.375, 0.625, 1.9, 1.8751, 1.75, 1.99],
         [1, 0, 0.25, 0.5, 0.5, 1.75, 1.75, 1.75, 1.75]),
        ("bfp2", [1, 0.5, 0.50001, 0.6, 0.99, -0.5, -0.51, 0.2], [1, 0, 1, 1, 1, 0, -1, 0]),
        ("bfp2", [1.9, 0.95, 0.4999], [1, 1, 0]),
        ("bfp2", [1, 0.5 * (1 + 2**-23)], [1, 0]),  # bits shifted out are not sticky
        ("bfp8", [0.1] * 16, [0.099609375] * 16),
        ("bfp8", [1, 0.007812501], [1, 0]),
        ("e2m1", [0.25, 0.75, 1.25, 1.75, 2.5, 3.5, 5, 7], [0, 1, 1, 2, 2, 4, 4, 6]),
        ("e4m3", [0.0009, 0.001, 0.97, 1.0625, 1.1875, 1.97, 248, 300, 432, 464, 500],
         [0, 2**-9, 1, 1, 1.25, 2, 256, 288, 448, 448, 448]),
        ("bf16", [1.005, 1 + 2**-8, 1 + 3 * 2**-8], [1.0078125, 1, 1 + 2**-6]),
    ],
)  # fmt: skip
def test_vectors_of_the_prior_systems(spec: str, given: list[float], expected: list[float], backend: str) -> None:
    assert quantized(given, spec, backend) == expected


# SQNR in dB of 512 × 512 values of numpy's generator 0, normal, times 0.02 (± 0.01, as printed).
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("bf16", 55.6),
        ("bfp8", 43.10),
        ("bfp4", 18.97),
        ("bfp2", 6.69),
        ("mxfp4-rceil", 18.52),
        ("mxfp4", 18.85),
        ("nvfp4", 20.43),
    ],
)
def test_signal_to_noise_of_the_prior_systems_sample(name: str, expected: float) -> None:
    x = (np.random.default_rng(0).standard_normal((512, 512)) * 0.02).astype(np.float32)
    assert sqnr(x, name) == pytest.approx(expected, abs=0.05 if name == "bf16" else 0.01)


# The same on N(0, 1), ± 0.03 dB.
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mxfp4", 18.79), ("mxfp4-even", 19.03), ("mxfp4-rceil", 18.75), ("nvfp4", 20.43), ("bfp8", 42.78),
        ("bfp4", 18.63), ("bfp2", 6.34), ("nf4", 20.73), ("q4_k", 22.92), ("q4_0", 21.30),
    ],
)  # fmt: skip
def test_signal_to_noise_on_the_normal_distribution(name: str, expected: float) -> None:
    x = np.random.default_rng(1).standard_normal((1024, 2048)).astype(np.float32)
    assert sqnr(x, name) == pytest.approx(expected, abs=0.03)


def sqnr(x: np.ndarray, name: str) -> float:
    e = fb.quantize(x, name).astype(np.float64) - x
    return float(10 * np.log10(np.sum(x.astype(np.float64) ** 2) / np.sum(e**2)))
