"""Formats explained as a sheet: bits, values, range and precision, and what becomes of given values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars

from fewbits import figures
from fewbits.explain import (
    LISTED_BITS,
    bit_rows,
    codes,
    formula,
    levels,
    number_line,
    properties,
    relative_error,
    specials,
    use,
    walk,
)
from fewbits.figures import Spec
from fewbits.formats import Format
from fewbits.sheet.page import Section, Sheet, Table

__all__ = ["chart", "explained", "percent", "ranges"]

Named = Sequence[tuple[str, Format]]
Rows = list[dict[str, Any]]

HEAD = ("format", "spec", "bits", "bytes", "largest", "smallest normal", "smallest", "at 1", "values", "range, dB")
FORMULA = (
    "A float is a sign s, an exponent e and a mantissa m: (−1)^s · 2^(e − bias) · (1 + m / 2^M). Where e = 0 the leading 1 is "
    "dropped and the values are subnormal: evenly spaced down to zero. An integer has none of these fields: in two's complement "
    "the first bit weighs −2^(n−1), the others 2^(n−2) … 1."
)
TRADE = (
    "Bits of a code are shared between range and precision: each exponent bit squares the range, each mantissa bit halves the "
    "relative error. Inside its range a float has the same relative error everywhere, at most half the distance between neighbours; "
    "an integer has the same absolute error, so small values suffer. Below the smallest normal a float behaves like an integer."
)
CURVES = (
    "Thin lines are the error at each magnitude, bold ones the worst within half an octave. A scale moves a curve sideways, "
    "not up or down."
)
GUIDELINES = (
    "Training: bf16 for its range, or fp16 with loss scaling; float32 for sums and optimizer state.",
    "8 bits: E4M3 for weights and activations, E5M2 where range matters more, as for gradients; INT8 where values spread evenly.",
    "4 bits: a scale for each 16 to 128 values; without one, a single outlier takes the range of all the others.",
    "Count the scales: 4-bit values in blocks of 32 with an 8-bit scale take 4.25 bits, not 4.",
    "Measure on the model itself (fewbits scan): error of weights is not yet loss of accuracy.",
)


def chart(name: str, rows: Rows) -> Spec:
    """The figure `name` of some rows."""
    return figures.draw(name, polars.DataFrame(rows, infer_schema_length=None))


def explained(formats: Named, steps: dict[str, Rows], line: Rows | None = None) -> Sheet:
    """Everything about some formats; `steps` are rows of given values for each, `line` those of the number line."""
    found = [_summary(formats), _bits(formats), _stored(formats)]
    if steps:
        found.append(_values(formats, steps))
    found.append(
        Section(
            "Values on the number line",
            ("Every value that an element has, before any scale, at several zooms.",),
            (chart("number_line", line or number_line(formats)),),
            _codes(formats),
        )
    )
    error = relative_error([(name, f) for name, f in formats if f.element.highest > 0])
    pictures = [chart("relative_error", error)] if error else []
    found.append(Section("Relative error against magnitude", (TRADE, CURVES), pictures))
    found.append(Section("Range and precision", (), (chart("dynamic_range", [properties(*one) for one in formats]),)))
    found.append(Section("Which format for what", (), (), _uses(formats), GUIDELINES))
    names = ", ".join(name for name, _ in formats)
    return Sheet(names, "What the format stores, which values it has, and what it does to numbers.", found)


def ranges(formats: Named) -> Sheet:
    """Formats in numbers, with their range and precision as a chart."""
    picture = chart("dynamic_range", [properties(*one) for one in formats])
    text = ("Range and precision are those of the element, before any scale; bits include scales.",)
    return Sheet(
        "Number formats",
        "Bits, range and precision.",
        [Section("Range and precision", text, (picture,)), _summary(formats)],
    )


def _summary(formats: Named) -> Section:
    rows = [_cells(properties(*one)) for one in formats]
    caption = "bits and bytes a weight with scales; the rest of the element: precision at 1 is the distance to the next larger value"
    return Section("In numbers", (), (), (Table(HEAD, rows, caption),))


def _cells(row: dict[str, Any]) -> list[str]:
    numbers = [row[key] for key in ("max", "min_normal", "min_positive", "epsilon")]
    decibel = "–" if row["dynamic_range_db"] is None else f"{row['dynamic_range_db']:.1f}"
    sizes = (f"{row['bits']:.5g}", f"{row['bytes_per_weight']:.4g}")
    return [row["format"], row["spec"], *sizes, *(_short(n, 5) for n in numbers), str(row["values"]), decibel]


def _bits(formats: Named) -> Section:
    rows = bit_rows(formats)
    made = [[name, str(f.element), formula(f.element), specials(f.element) or "–"] for name, f in formats]
    table = Table(("format", "element", "value of a code", "special codes"), made)
    return Section("Bits of a code", (FORMULA,), [chart("bit_layout", rows)] if rows else [], (table,))


def _stored(formats: Named) -> Section:
    rows = [
        [
            name if i == 0 else "",
            level.what,
            str(level.element),
            str(level.element.bits),
            level.shared,
            f"{level.bits:.5g}",
        ]
        for name, f in formats
        for i, level in enumerate(levels(f))
    ]
    head = ("format", "stored", "element", "bits", "one for", "bits a weight")
    rules = [f"{name}: rule {f.rule} – {f.rule.definition}" for name, f in formats if f.rule]
    return Section("What is stored", (), (), (Table(head, rows),), rules)


def _values(formats: Named, steps: dict[str, Rows]) -> Section:
    tables = [_beside(steps)] if len(steps) > 1 else []
    head = ("block", "value", "÷ scale", "below", "above", "chosen", "code", "result", "error")
    keys = ("value", "scaled", "below", "above", "chosen", "bits", "reconstruction", "error")
    texts = []
    for name, rows in steps.items():
        cells = [[_short(row["block"]), *(_short(row[key]) for key in keys)] for row in rows]
        tables.append(Table(head, cells, name))
        f = dict(formats)[name]
        for number in dict.fromkeys(row["block"] for row in rows if row["block"] is not None):
            texts.append(f"{name}, block {number:.0f}: " + " → ".join(map(str, walk(rows, number, f))))
    text = "The values are quantized together, as one row of a tensor: the largest of a block sets its scale, every value is divided "
    text += "by it and becomes the nearest code; the result is the value of the code times the scale."
    return Section("What becomes of these values", (text,), (), tables, texts)


def _beside(steps: dict[str, Rows]) -> Table:
    names = list(steps)
    head = ["value", *(f"{name}{what}" for name in names for what in ("", ", error"))]
    rows = [
        [_short(own[0]["value"]), *(text for row in own for text in (_short(row["reconstruction"]), percent(row)))]
        for own in zip(*steps.values(), strict=True)
    ]
    return Table(head, rows, "side by side, with the relative error")


def percent(row: dict[str, Any]) -> str:
    """The relative error of a row of `steps` as text; `exact` where there is none."""
    if row["error"] is None:
        return "–"
    if row["error"] == 0:
        return "exact"
    return "∞" if not row["value"] else f"{100 * abs(row['error'] / row['value']):.3g} %"


def _codes(formats: Named) -> list[Table]:
    elements = {str(f.element): f.element for _, f in formats if 0 < f.element.bits <= LISTED_BITS}
    return [
        Table(("code", "bits", "value"), [[str(c), b, _short(v)] for c, b, v in codes(e)], f"all codes of {name}", True)
        for name, e in elements.items()
    ]


def _uses(formats: Named) -> list[Table]:
    rows = [[name, f"{f.limit_bits / 8:.4g}", use(f.element) or "–"] for name, f in formats]
    return [Table(("format", "bytes a weight", "mostly used for"), rows)]


def _short(value: float | str | None, digits: int = 7) -> str:
    if value is None:
        return "–"
    return value if isinstance(value, str) else f"{value:.{digits}g}"
