"""What a format stores: its arrays, the fields of their codes, and the value of every code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fewbits.block import Block
from fewbits.element import Element
from fewbits.formats import Format

__all__ = ["LISTED_BITS", "LevelRow", "bit_pattern", "codes", "levels"]

LISTED_BITS = 8  # elements of so many bits have all their values listed


@dataclass(frozen=True)
class LevelRow:
    """One stored array of a format: what it holds, its element, what shares one of it, its bits per weight."""

    what: str
    element: Element
    pattern: str
    shared: str
    bits: float


def levels(f: Format) -> list[LevelRow]:
    """Values, scales, scales of scales, offsets: everything that is stored, for large tensors."""
    rows: list[LevelRow] = []
    size, shared = 1.0, "every value"
    for depth, level in enumerate(f.levels):
        what = "value" if depth == 0 else "scale" + " of scales" * (depth - 1)
        rows.append(LevelRow(what, level.element, bit_pattern(level.element), shared, level.element.bits / size))
        if level.block is not None:
            size *= level.block.size
            shared = _shared(level.block, "values" if depth == 0 else "scales")
    if f.block is None:
        return rows
    first, sharing = f.block.size, _shared(f.block, "values")
    if f.offset is not None:
        element, per_block = f.offset.element, f.offset.limit_bits / first
        rows.append(LevelRow("minimum", element, bit_pattern(element), sharing, per_block))
    if f.zero:
        rows.append(LevelRow("zero point", f.element, bit_pattern(f.element), sharing, f.element.bits / first))
    if f.outliers is not None:
        kept, element = f.limit_bits - sum(row.bits for row in rows), f.outliers.element
        rows.append(
            LevelRow("outliers", element, bit_pattern(element), f"{float(f.outliers.ratio):g} of the values", kept)
        )
    return rows


def bit_pattern(e: Element) -> str:
    """The fields of a code, most significant first: `s ee m`; what the code is where it has no fields."""
    if e.kind in ("float", "wide", "exponent"):
        sign = "s" if e.signed else ""
        fields = (sign, _field("e", e.exponent_bits), _field("m", e.mantissa_bits))
        return " ".join(field for field in fields if field) + f", bias {e.bias}"
    kinds = {
        "i": "two's complement",
        "s": "two's complement, symmetric",
        "u": "unsigned",
        "h": "two's complement plus one half",
    }
    if e.integer:
        return kinds[e.integer]
    return "no bits" if e.kind == "zero" else f"index into {2**e.bits} values"


def codes(e: Element) -> Iterator[tuple[int, str, float]]:
    """(code, its bits, its value) of every code; NaN where a code stands for no number."""
    for code, value in enumerate(e.decoded):
        yield code, f"{code:0{e.bits}b}" if e.bits else "", value


def _shared(block: Block, things: str) -> str:
    whole = {"tensor": f"all {things}", "row": f"a row of {things}", "col": f"a column of {things}"}
    named = whole | {"matrix": f"a matrix of {things}"}
    return (
        named.get(str(block)) or f"{str(block).replace('flat', '')} {things}{' (flat)' if block.kind == 'flat' else ''}"
    )


def _field(letter: str, bits: int) -> str:
    return letter * bits if bits <= 11 else f"{letter}×{bits}"
