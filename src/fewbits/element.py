"""Elements: the finite sets of numbers that a format stores, with their code points.

Every float and integer is *binade* arithmetic: inside [2^e, 2^(e+1)) values are 2^(e - mantissa_bits) apart, with e never
below `min_exponent`; what is beyond `highest` or `lowest` saturates. Everything else is a *table* of values.
Sources: OCP MX v1.0 and OFP8 (e4m3 e5m2 e2m1 e2m3 e3m2 e8m0), ml_dtypes (suffixes ieee, fn, fnuz, b11fnuz), codebooks.toml.
"""

from __future__ import annotations

import math
import re
import struct
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

from fewbits.errors import UnknownName, UsageError

Kind = Literal["float", "integer", "exponent", "table", "wide", "zero"]

MAX_BITS = 16
FLOAT32_MAX = (2 - 2**-23) * 2.0**127
OCP_SPECIALS = {(4, 3): "fn", (5, 2): "ieee", (2, 1): "all", (2, 3): "all", (3, 2): "all"}


@dataclass(frozen=True)
class Element:
    """A set of representable numbers; equal when the canonical `name` is equal.

    `bits` per code; `lowest` … `highest` finite values; binade parameters `min_exponent` and `mantissa_bits` (None for tables).
    """

    name: str
    kind: Kind
    bits: int
    lowest: float
    highest: float
    min_exponent: int = 0
    mantissa_bits: int = 0
    bias: int = 0
    exponent_bits: int = 0
    signed: bool = True
    specials: str = "all"
    integer: str = ""
    negative_zero: bool = False
    reference: str = ""

    def __str__(self) -> str:
        return self.name

    @property
    def emax(self) -> int:
        """⌊log2 of the largest positive value⌋."""
        return math.frexp(self.highest)[1] - 1

    @property
    def is_table(self) -> bool:
        return self.kind == "table"

    @property
    def decoded(self) -> tuple[float, ...]:
        """The value of every code, in code order; NaN where a code stands for no number, ±inf for infinities."""
        return _decoded(self)

    @property
    def values(self) -> tuple[float, ...]:
        """The distinct finite values, ascending (−0 counts as 0)."""
        return _values(self)

    @property
    def extreme(self) -> float:
        """The value of largest magnitude; the positive one where both exist."""
        return self.lowest if -self.lowest > self.highest else self.highest

    @property
    def smallest(self) -> float:
        """The smallest positive value (subnormal where the element has subnormals)."""
        if self.kind == "wide":
            return float(2.0 ** (self.min_exponent - self.mantissa_bits))
        return min(v for v in self.values if v > 0)

    @property
    def smallest_normal(self) -> float:
        """The smallest positive value with a full mantissa; `smallest` for integers and tables."""
        return 2.0**self.min_exponent if self.kind in ("float", "wide") else self.smallest

    @property
    def epsilon(self) -> float | None:
        """Distance from 1 to the next larger value for floats; None for the rest."""
        return 2.0**-self.mantissa_bits if self.kind in ("float", "wide") else None


@cache
def element(name: str) -> Element:
    """The element of a canonical or alternative name; raises `UnknownName` or `UsageError` (a size that is not allowed)."""
    named = _named()
    if name in named:
        return named[name]
    if m := re.fullmatch(r"(u?)e(\d+)m(\d+)(ieee|fn|fnuz|b11fnuz|all)?", name):
        return _float(name, m[1] == "u", int(m[2]), int(m[3]), m[4])
    if m := re.fullmatch(r"([isuh])(\d+)", name):
        return _integer(name, m[1], int(m[2]))
    raise UnknownName(f"unknown element '{name}'; elements are {', '.join(named)}, [u]eXmY[suffix], iN, sN, uN, hN")


def names() -> tuple[str, ...]:
    """The names of the elements that are not generated from a pattern."""
    return tuple(_named())


def _float(name: str, unsigned: bool, e: int, m: int, suffix: str | None) -> Element:
    bits = e + m + (not unsigned)
    ocp = None if unsigned else OCP_SPECIALS.get((e, m))
    specials = suffix or ocp or "all"
    if not 1 <= e <= 8 or bits > MAX_BITS or (specials == "ieee" and e < 2):
        raise UsageError(
            f"element '{name}': 1 to 8 exponent bits and at most {MAX_BITS} bits are allowed, not e{e} and {bits} bits"
        )
    if specials.endswith("fnuz") and unsigned:
        raise UsageError(f"element '{name}': fnuz takes the code of -0, which an unsigned element does not have")
    if specials == "fn" and m == 0:
        raise UsageError(f"element '{name}': fn reserves the last mantissa code, which needs mantissa bits")
    bias = {"fnuz": 2 ** (e - 1), "b11fnuz": 11}.get(specials, 2 ** (e - 1) - 1)
    top = 2**e - 1 - (specials == "ieee")
    last = 2**m - 1 - (specials == "fn")
    highest = math.ldexp(1 + last / 2**m, top - bias)
    if highest > FLOAT32_MAX:
        raise UsageError(f"element '{name}': its largest value {highest:g} is beyond float32; e{e}m{m}ieee is allowed")
    default = specials == (ocp or "all")
    canonical = f"{'u' if unsigned else ''}e{e}m{m}{'' if default else specials}"
    return Element(
        canonical, "float", bits, 0.0 if unsigned else -highest, highest, 1 - bias, m, bias, e, not unsigned, specials,
        negative_zero=not unsigned and not specials.endswith("fnuz"),
    )  # fmt: skip


def _integer(name: str, family: str, n: int) -> Element:
    if not (2 if family == "s" else 1) <= n <= MAX_BITS:
        raise UsageError(f"element '{name}': {family}N needs N from {2 if family == 's' else 1} to {MAX_BITS}, not {n}")
    name = f"{family}{n}"
    if family == "h":
        top = 2.0 ** (n - 1) - 0.5
        return Element(name, "table", n, -top, top, integer="h")
    low, high = {
        "i": (-(2.0 ** (n - 1)), 2.0 ** (n - 1) - 1),
        "s": (1 - 2.0 ** (n - 1), 2.0 ** (n - 1) - 1),
        "u": (0.0, 2.0**n - 1),
    }[family]
    return Element(name, "integer", n, low, high, n, n, signed=family != "u", integer=family)


@cache
def _codebooks() -> dict[str, dict[str, Any]]:
    data = tomllib.loads((Path(__file__).parent / "codebooks.toml").read_text(encoding="utf-8"))
    return {row["name"]: row | {"values": tuple(_float32(v) for v in row["values"])} for row in data["codebook"]}


@cache
def _named() -> dict[str, Element]:
    wide = [
        Element("f32", "wide", 32, -FLOAT32_MAX, FLOAT32_MAX, -126, 23, 127, 8, specials="ieee", negative_zero=True),
        Element("f16", "wide", 16, -65504.0, 65504.0, -14, 10, 15, 5, specials="ieee", negative_zero=True),
        Element("bf16", "wide", 16, -(2 - 2**-7) * 2.0**127, (2 - 2**-7) * 2.0**127, -126, 7, 127, 8, specials="ieee", negative_zero=True),
        Element("e8m0", "exponent", 8, 2.0**-127, 2.0**127, -127, 0, 127, 8, signed=False, specials="fn"),
        Element("zero", "zero", 0, 0.0, 0.0),
        Element("mxi8", "integer", 8, -2.0, 127 / 64, 1, 7, integer="i", reference="OCP MX v1.0, INT8"),
    ]  # fmt: skip
    tables = [
        Element(row["name"], "table", row["bits"], min(row["values"]), max(row["values"]), reference=row["reference"])
        for row in _codebooks().values()
    ]
    return {e.name: e for e in wide + tables}


@cache
def _decoded(e: Element) -> tuple[float, ...]:
    if e.kind == "zero":
        return (0.0,)
    if e.kind == "table" and e.integer != "h":
        values: tuple[float, ...] = _codebooks()[e.name]["values"]
        return values
    if e.kind == "exponent":
        return (*(2.0 ** (c - e.bias) for c in range(255)), math.nan)
    if e.bits > MAX_BITS:
        raise UsageError(f"element '{e.name}' has too many codes to list")
    codes = range(2**e.bits)
    if e.integer == "h":
        return tuple(_twos(c, e.bits) + 0.5 for c in codes)
    if e.kind == "integer":
        step = 2.0 ** (e.min_exponent - e.mantissa_bits)
        steps = (float(c if e.integer == "u" else _twos(c, e.bits)) * step for c in codes)
        return tuple(v if e.lowest <= v <= e.highest else math.nan for v in steps)
    return tuple(_decode_float(e, c) for c in codes)


@cache
def _values(e: Element) -> tuple[float, ...]:
    return tuple(sorted({v + 0.0 for v in e.decoded if math.isfinite(v)}))


def _twos(code: int, bits: int) -> int:
    return code - (code >> (bits - 1) << bits)


def _decode_float(e: Element, code: int) -> float:
    m, field = code & (2**e.mantissa_bits - 1), code >> e.mantissa_bits
    exponent, negative = field & (2**e.exponent_bits - 1), e.signed and field >> e.exponent_bits
    if e.specials.endswith("fnuz") and negative and exponent == 0 and m == 0:
        return math.nan
    top = exponent == 2**e.exponent_bits - 1
    if top and e.specials == "ieee":
        return math.nan if m else (-math.inf if negative else math.inf)
    if top and e.specials == "fn" and m == 2**e.mantissa_bits - 1:
        return math.nan
    value = (
        math.ldexp(m, e.min_exponent - e.mantissa_bits)
        if exponent == 0
        else math.ldexp(1 + m / 2**e.mantissa_bits, exponent - e.bias)
    )
    return -value if negative else value


def _float32(v: float) -> float:
    return float(struct.unpack("<f", struct.pack("<f", v))[0])
