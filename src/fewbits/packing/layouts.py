"""The byte layouts of ggml's block types, as data.

A block is a run of *planes*: bytes that hold some bits of one field for a run of values. In groups of `stride` bytes,
the first `stride` values use the lowest `width` bits of the bytes, the next `stride` values the next bits, and so on
(or the bits at `shifts`, where these are given). Source: llama.cpp, ggml-common.h (structures), ggml-quants.c (order).
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Plane:
    """Bytes at … at + size − 1 of a block: `width` bits of values start, start + 1, … of `field`, worth 2^`weight`.

    `radix` 3: a byte holds five (or four) base-3 digits as ⌈256 · 0.digits⌉, the first one most significant.
    """

    field: str
    at: int
    size: int
    width: int
    stride: int = 1
    start: int = 0
    weight: int = 0
    shifts: tuple[int, ...] = ()
    digits: int = 0

    @property
    def pieces(self) -> int:
        """How many values share a byte."""
        return self.digits or len(self.bit_shifts)

    @property
    def bit_shifts(self) -> tuple[int, ...]:
        """Where in a byte the bits of each piece start."""
        return self.shifts or tuple(range(0, 8, self.width))


@dataclass(frozen=True)
class Layout:
    """A ggml type: `values` and `bytes` of a block, its planes, and where its float16 fields lie.

    A stored code is value + bias; `scale_bias` likewise for inner scale codes (`scale_signed`: two's complement bytes).
    `code_values`: the values of codes 0, 1, …; `sub_block`: values per inner scale code (or per block).
    `scale_element`: scale codes that are floats of their own, "e8m0" or "ue4m3"; there is no float16 then.
    """

    values: int
    bytes: int
    planes: tuple[Plane, ...]
    bits: int
    code_values: tuple[float, ...]
    sub_block: int
    halves: dict[str, int] = field(default_factory=dict)
    code_bias: int = 0
    scale_bias: int = 0
    scale_signed: bool = False
    scale_count: int = 0
    scale_element: str = ""


def signed(bits: int) -> tuple[float, ...]:
    """The values of two's complement codes."""
    return tuple(float(c - (c >> (bits - 1) << bits)) for c in range(2**bits))


def unsigned(bits: int) -> tuple[float, ...]:
    """0 … 2^bits − 1."""
    return tuple(float(c) for c in range(2**bits))


# e2m1 doubled, for ggml halves the scale, which then is finite for every code of e8m0; code 8 is +0
E2M1_DOUBLED = (0.0, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 0.0, -1.0, -2.0, -3.0, -4.0, -6.0, -8.0, -12.0)
IQ4 = (-127.0, -104.0, -83.0, -65.0, -49.0, -35.0, -22.0, -10.0, 1.0, 13.0, 25.0, 38.0, 53.0, 69.0, 89.0, 113.0)

# six-bit scales and minima of Q4_K and Q5_K: four of each in the low bits of 8 bytes, the other four in nibbles of the
# next four and in the top bits that the first eight leave
_SCALES_AND_MINS = (
    Plane("scales", 4, 4, 6, shifts=(0,)),
    Plane("mins", 8, 4, 6, shifts=(0,)),
    Plane("scales", 12, 4, 4, start=4, shifts=(0,)),
    Plane("mins", 12, 4, 4, start=4, shifts=(4,)),
    Plane("scales", 4, 4, 2, start=4, weight=4, shifts=(6,)),
    Plane("mins", 8, 4, 2, start=4, weight=4, shifts=(6,)),
)

LAYOUTS = {
    "Q1_0": Layout(128, 18, (Plane("codes", 2, 16, 1),), 1, (-1.0, 1.0), 128, {"d": 0}),
    "Q4_0": Layout(32, 18, (Plane("codes", 2, 16, 4, 16),), 4, signed(4), 32, {"d": 0}, code_bias=8),
    "Q4_1": Layout(32, 20, (Plane("codes", 4, 16, 4, 16),), 4, unsigned(4), 32, {"d": 0, "minimum": 2}),
    "Q5_0": Layout(
        32, 22, (Plane("codes", 6, 16, 4, 16), Plane("codes", 2, 4, 1, weight=4)),
        5, signed(5), 32, {"d": 0}, code_bias=16,
    ),
    "Q5_1": Layout(
        32, 24, (Plane("codes", 8, 16, 4, 16), Plane("codes", 4, 4, 1, weight=4)),
        5, unsigned(5), 32, {"d": 0, "minimum": 2},
    ),
    "Q8_0": Layout(32, 34, (Plane("codes", 2, 32, 8),), 8, signed(8), 32, {"d": 0}),
    "Q2_K": Layout(
        256, 84,
        (Plane("scales", 0, 16, 4, shifts=(0,)), Plane("mins", 0, 16, 4, shifts=(4,)), Plane("codes", 16, 64, 2, 32)),
        2, unsigned(2), 16, {"d": 80, "dmin": 82}, scale_count=16,
    ),
    "Q3_K": Layout(
        256, 110,
        (
            Plane("codes", 0, 32, 1, 32, weight=2), Plane("codes", 32, 64, 2, 32),
            Plane("scales", 96, 8, 4, 8), Plane("scales", 104, 4, 2, 4, weight=4),
        ),
        3, signed(3), 16, {"d": 108}, code_bias=4, scale_bias=32, scale_count=16,
    ),
    "Q4_K": Layout(
        256, 144, (*_SCALES_AND_MINS, Plane("codes", 16, 128, 4, 32)),
        4, unsigned(4), 32, {"d": 0, "dmin": 2}, scale_count=8,
    ),
    "Q5_K": Layout(
        256, 176, (*_SCALES_AND_MINS, Plane("codes", 16, 32, 1, 32, weight=4), Plane("codes", 48, 128, 4, 32)),
        5, unsigned(5), 32, {"d": 0, "dmin": 2}, scale_count=8,
    ),
    "Q6_K": Layout(
        256, 210,
        (Plane("codes", 0, 128, 4, 64), Plane("codes", 128, 64, 2, 32, weight=4), Plane("scales", 192, 16, 8)),
        6, signed(6), 16, {"d": 208}, code_bias=32, scale_signed=True, scale_count=16,
    ),
    "IQ4_NL": Layout(32, 18, (Plane("codes", 2, 16, 4, 16),), 4, IQ4, 32, {"d": 0}),
    "IQ4_XS": Layout(
        256, 136,
        (Plane("scales", 2, 2, 2, weight=4), Plane("scales", 4, 4, 4), Plane("codes", 8, 128, 4, 16)),
        4, IQ4, 32, {"d": 0}, scale_bias=32, scale_count=8,
    ),
    "MXFP4": Layout(
        32, 17, (Plane("scales", 0, 1, 8), Plane("codes", 1, 16, 4, 16)),
        4, E2M1_DOUBLED, 32, scale_count=1, scale_element="e8m0",
    ),
    "NVFP4": Layout(
        64, 36, (Plane("scales", 0, 4, 8), Plane("codes", 4, 32, 4, 8)),
        4, E2M1_DOUBLED, 16, scale_count=4, scale_element="ue4m3",
    ),
    "TQ1_0": Layout(
        256, 54,
        (
            Plane("codes", 0, 32, 2, 32, digits=5), Plane("codes", 32, 16, 2, 16, start=160, digits=5),
            Plane("codes", 48, 4, 2, 4, start=240, digits=4),
        ),
        2, (0.0, 1.0, 2.0, -1.0), 256, {"d": 52}, code_bias=1,
    ),
    "TQ2_0": Layout(256, 66, (Plane("codes", 0, 64, 2, 32),), 2, (0.0, 1.0, 2.0, -1.0), 256, {"d": 64}, code_bias=1),
}  # fmt: skip
