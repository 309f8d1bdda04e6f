"""The bits of a code: which field each belongs to, what it weighs, and how they make a value."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from fewbits.element import Element
from fewbits.formats import Format

__all__ = ["Bit", "Field", "bit_rows", "bits_of", "formula", "specials"]

Field = Literal["sign", "exponent", "mantissa", "minus", "weight", "index"]


@dataclass(frozen=True)
class Bit:
    """One bit of a code: its position (0: the most significant), its field, and its text: a letter, or an integer's weight."""

    position: int
    field: Field
    text: str


def bits_of(e: Element) -> list[Bit]:
    """The bits of an element, most significant first. Integers have no fields, but weights: two's complement."""
    if e.kind in ("float", "wide", "exponent"):
        named: list[Field] = ["sign"] * e.signed
        named += ["exponent"] * e.exponent_bits
        named += ["mantissa"] * e.mantissa_bits
        return [Bit(i, field, field[0]) for i, field in enumerate(named)]
    if e.integer:
        return [_weighed(e, i) for i in range(e.bits)]
    return [Bit(i, "index", "i") for i in range(e.bits)]


def bit_rows(formats: Iterable[tuple[str, Format]]) -> list[dict[str, Any]]:
    """A row for each format and bit of its element: format, element, position, field, text, formula."""
    return [
        {
            "format": name,
            "element": str(f.element),
            "position": bit.position,
            "field": bit.field,
            "text": bit.text,
            "formula": formula(f.element),
        }
        for name, f in formats
        for bit in bits_of(f.element)
    ]


def formula(e: Element) -> str:
    """The value of a code by its fields."""
    if e.kind == "zero":
        return "every value is 0"
    if e.kind == "exponent":
        return f"2^(e − {e.bias})"
    if e.kind in ("float", "wide"):
        sign = "(−1)^s · " if e.signed else ""
        m = f"m/{2**e.mantissa_bits}"
        normal = f"{sign}2^(e − {e.bias}) · (1 + {m})" if e.mantissa_bits else f"{sign}2^(e − {e.bias})"
        least = f"{sign}2^{_minus(e.min_exponent)} · {m}" if e.mantissa_bits else "0"
        return f"{normal};  e = 0 (subnormal): {least}"
    if not e.integer:
        return f"the code counts into a list of {2**e.bits} values"
    weights = " + ".join(f"{_weighed(e, i).text}·b{e.bits - 1 - i}" for i in range(e.bits))
    if e.bits > 5:
        first, second, last = (_weighed(e, i).text for i in (0, 1, e.bits - 1))
        weights = f"{first}·b{e.bits - 1} + {second}·b{e.bits - 2} + … + {last}·b0"
    return weights + (" + 1/2" if e.integer == "h" else "")


def specials(e: Element) -> str:
    """What codes stand for no ordinary value."""
    if e.kind == "exponent":
        return "code 255 is NaN; no zero, no sign"
    if e.kind in ("float", "wide"):
        top = 2**e.exponent_bits - 1
        return {
            "ieee": f"e = {top}: ±∞ (m = 0) and NaN",
            "fn": f"e = {top} with all mantissa bits set is NaN; no ∞",
            "fnuz": "the code of −0 is NaN; no ∞",
            "b11fnuz": "the code of −0 is NaN; no ∞",
        }.get(e.specials, "no ∞, no NaN")
    if e.integer == "s":
        return f"symmetric: the code of {_number(e.lowest - 1)} is not used"
    return "zero is no value" if e.integer == "h" else ""


def _weighed(e: Element, position: int) -> Bit:
    """A bit of an integer: 2^k times the step, the first one negative where there is a sign."""
    step = 1.0 if e.integer == "h" else 2.0 ** (e.min_exponent - e.mantissa_bits)
    weight = 2.0 ** (e.bits - 1 - position) * step
    first = position == 0 and e.integer != "u"
    return Bit(position, "minus" if first else "weight", ("−" if first else "") + _number(weight))


def _number(value: float) -> str:
    if abs(value) < 1 and value:
        return f"1/{1 / value:g}"
    return f"{value:.6g}".replace("-", "−")


def _minus(value: int) -> str:
    return str(value).replace("-", "−")
