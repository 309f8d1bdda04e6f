"""`fewbits explain`: what a format is, and what it really does to values."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.drawing import RowsOrPicture
from fewbits.cli.options import Csv, Json

if TYPE_CHECKING:
    from fewbits.figures import Spec
    from fewbits.formats import Format

__all__ = ["Picture", "explain"]

COLUMNS = (
    "format",
    "value",
    "block",
    "minimum",
    "statistic",
    "ideal_scale",
    "scale_element",
    "scale_bits",
    "outer_scale",
    "outer_bits",
    "scale_mean",
    "scale",
    "offset_element",
    "offset_outer",
    "offset_bits",
    "offset",
    "scaled",
    "below",
    "above",
    "chosen",
    "code",
    "bits",
    "reconstruction",
    "error",
)
CODES = ("format", "element", "code", "bits", "value")
MOST = 12  # formats side by side


class Picture(StrEnum):
    """The pictures that `-o` can draw."""

    bit_layout = "bit_layout"
    number_line = "number_line"
    relative_error = "relative_error"
    dynamic_range = "dynamic_range"


def explain(
    arguments: Annotated[
        list[str],
        typer.Argument(
            metavar="SPEC… [VALUE…]",
            help="Numbers are VALUEs, quantized together as one row of a tensor; all else are names (nvfp4), specs "
            "(e2m1@16:e4m3@tensor:f32) or groups (mx), several side by side.",
            show_default=False,
        ),
    ],
    figure: Annotated[
        list[Picture] | None,
        typer.Option("--figure", help="What -o FILE.png|svg|pdf draws; repeatable. Default: all.", show_default=False),
    ] = None,
    window: Annotated[
        tuple[float, float] | None,
        typer.Option("--range", metavar="LOW HIGH", help="The part of the number line to show.", show_default=False),
    ] = None,
    json: Json = False,
    csv: Csv = None,
    output: RowsOrPicture = None,
) -> None:
    """Explain formats: their bits, values, range and precision, and how VALUEs become codes and come back.

    Rows (--json, --csv, -o) are the steps of VALUEs or, without any, all codes. -o FILE.html is a page with everything.

    \b
    fewbits explain mxfp4
    fewbits explain nvfp4 0.7 -1.3 6 0.01
    fewbits explain fp8-e4m3 fp8-e5m2 0.1 448 500
    fewbits explain fp16 bf16 --range -4 4 -o formats.html
    """
    from fewbits import catalog
    from fewbits.cli import drawing, outputs
    from fewbits.cli.explain_view import View
    from fewbits.errors import UsageError

    drawing.check(json, csv, output)
    values = [number for text in arguments if (number := _number(text)) is not None]
    formats = catalog.resolve(text for text in arguments if _number(text) is None)
    if not formats or len(formats) > MOST:
        raise UsageError(f"explain takes 1 to {MOST} formats, not {len(formats)}; numbers are values")
    if window and not -math.inf < window[0] < window[1] < math.inf:
        raise UsageError(f"--range {window[0]:g} {window[1]:g}: a smaller and a larger number are expected")
    steps: dict[str, list[dict[str, Any]]] = {}
    if values:
        from fewbits.explain import steps as steps_of

        steps = {name: steps_of(values, f) for name, f in formats}
    picture = drawing.is_picture(output)
    if picture and output is not None:
        if figure and output.suffix.lower() == ".html":
            raise UsageError("--figure: a page has all of them; .png, .svg and .pdf can have some")
        drawing.write(output, lambda: _charts(formats, figure, window), lambda: _sheet(formats, steps, window))
    rows = [{"format": name, **row} for name, own in steps.items() for row in own]
    if not values and (json or csv is not None or (output is not None and not picture)):
        rows = _codes(formats)
    view = View(formats, steps, window)
    columns = COLUMNS if values else CODES
    outputs.emit(rows, columns, json=json, csv=csv, output=None if picture else output, show=view.show)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _codes(formats: list[tuple[str, Format]]) -> list[dict[str, Any]]:
    from fewbits.element import MAX_BITS
    from fewbits.errors import UsageError
    from fewbits.explain import codes

    if wide := [name for name, f in formats if f.element.bits > MAX_BITS]:
        raise UsageError(f"--json, --csv and -o: {', '.join(wide)} has too many codes to list; give VALUEs")
    return [
        {"format": name, "element": str(f.element), "code": code, "bits": bits, "value": value}
        for name, f in formats
        for code, bits, value in codes(f.element)
    ]


def _charts(
    formats: list[tuple[str, Format]], figure: list[Picture] | None, window: tuple[float, float] | None
) -> list[Spec]:
    from fewbits.cli.drawing import drawn
    from fewbits.errors import UsageError
    from fewbits.explain import bit_rows, number_line, properties, relative_error

    positive = [(name, f) for name, f in formats if f.element.highest > 0]
    rows = {
        Picture.bit_layout: lambda: bit_rows(formats),
        Picture.number_line: lambda: number_line(formats, [window] if window else ()),
        Picture.relative_error: lambda: relative_error(positive) if positive else [],
        Picture.dynamic_range: lambda: [properties(*one) for one in formats],
    }
    found = [(name, rows[name]()) for name in figure or Picture]
    if not any(made for _, made in found):
        raise UsageError("nothing to draw: no bits and no positive values")
    return [drawn(name.value, made) for name, made in found if made]


def _sheet(
    formats: list[tuple[str, Format]], steps: dict[str, list[dict[str, Any]]], window: tuple[float, float] | None
) -> Any:
    from fewbits.explain import number_line
    from fewbits.sheet import explained

    return explained(formats, steps, number_line(formats, [window]) if window else None)
