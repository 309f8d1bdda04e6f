"""`fewbits memory`: how much memory a model takes in each format, and which GPUs it fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.drawing import RowsOrPicture
from fewbits.cli.options import CacheDir, Csv, Json, Revision

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.memory import Gpu, Model

__all__ = ["memory"]

COLUMNS = ("model", "parameters", "format", "spec", "bits", "bytes", "gib", "gb", "fits", "tight")
PLAIN = ("32", "16", "8", "4", "3", "2")
MARKS = {"fits": ("fits", "green"), "tight": ("tight", "yellow"), "does not fit": ("–", "dim")}
MAPPED = "RTX 4090"  # the GPU of the map when there are several models


def memory(
    models: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[MODEL|SIZE]…",
            help="Numbers of parameters (7B, 1.5e9) or models, as scan takes them; default: 1.5B 7B 13B 34B 70B 175B.",
            show_default=False,
        ),
    ] = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "-c",
            "--format",
            metavar="FORMAT",
            help="A name, spec or group, with its scales, or a number of bits; repeatable. Default: 32 16 8 4 3 2 bits.",
            show_default=False,
        ),
    ] = None,
    gpu: Annotated[
        list[str] | None,
        typer.Option(
            "--gpu",
            metavar="GPU",
            help="A name (H100) or a number of GiB; repeatable. Default: all known.",
            show_default=False,
        ),
    ] = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    json: Json = False,
    csv: Csv = None,
    output: RowsOrPicture = None,
) -> None:
    """Show how much memory weights take, scales included, and which GPUs have room for them.

    Of a model, headers are read and every tensor of two or more axes is stored in the format, exactly; others stay as they are.
    A model fits where it takes at most 85 % of a GPU's memory, and is tight up to all of it.

    \b
    fewbits memory 7B 70B -f bf16 -f nvfp4 -f q4_k
    fewbits memory sample -f mxfp4
    fewbits memory --gpu 4090 -o fits.png
    """
    from fewbits import memory as library
    from fewbits.cli import drawing, outputs

    drawing.check(json, csv, output)
    gpus = library.chosen(gpu) if gpu else list(library.gpus())
    stored = library.stored_as(formats or PLAIN)
    found = [_model(text, revision, cache_dir) for text in models or library.SIZES]
    rows = library.memory_rows(found, stored, gpus)
    picture = drawing.is_picture(output)
    if picture and output is not None:
        bars = library.fit_rows(rows, gpus)
        mapped = gpus if len(found) == 1 or gpu else library.chosen([MAPPED])
        cells = library.fit_rows(rows, mapped)
        charts = {"fit_map": cells, "memory_bars": bars}
        drawing.write(
            output,
            lambda: [drawing.drawn(name, own) for name, own in charts.items()],
            lambda: _sheet(rows, bars, cells),
        )
    kept = None if picture else output
    outputs.emit(rows, COLUMNS, json=json, csv=csv, output=kept, show=lambda console: _show(console, rows, found, gpus))


def _model(text: str, revision: str | None, cache_dir: Any) -> Model:
    from fewbits.memory import model_of_count, model_of_tensors, parameters

    count = parameters(text)
    if count is not None:
        return model_of_count(text, count)
    from fewbits.sources import open_source

    source = open_source(text, revision=revision, cache_dir=cache_dir)
    return model_of_tensors(source.title, source)


def _sheet(rows: list[dict[str, Any]], bars: list[dict[str, Any]], cells: list[dict[str, Any]]) -> Any:
    from fewbits.sheet import memory_sheet

    return memory_sheet(rows, bars, cells)


def _show(console: Console, rows: list[dict[str, Any]], models: list[Model], gpus: list[Gpu]) -> None:
    from fewbits.cli.terminal import amount, size, styled

    for model in models:
        if model.stored_bytes is not None:
            parts = f"{amount(model.parameters)} parameters, {size(model.stored_bytes)} in its files"
            kept = (
                f", {size(model.kept_bytes)} of them (vectors, integers) stay as they are" if model.kept_bytes else ""
            )
            console.print(styled((model.name, "bold"), (f"  {parts}{kept}", "")))
    first = max(5, *(len(row["model"]) for row in rows))
    second = max(6, *(len(row["format"]) for row in rows))
    head = f"{'MODEL':<{first}}  {'FORMAT':<{second}}{'BITS':>8}{'GiB':>10}{'GB':>10}  "
    widths = [max(len(gpu.name), 7) + 2 for gpu in gpus]
    names = "".join(f"{gpu.name:>{width}}" for gpu, width in zip(gpus, widths, strict=True))
    sizes = "".join(f"{f'{gpu.gib:g} GiB':>{width}}" for gpu, width in zip(gpus, widths, strict=True))
    console.print(styled((head + names, "bold")))
    console.print(styled((" " * len(head) + sizes, "dim")))
    last = None
    for row in rows:
        if last not in (None, row["model"]):
            console.print()
        shown = row["model"] if row["model"] != last else ""
        last = row["model"]
        bits = "–" if row["bits"] is None else f"{row['bits']:.3f}"
        numbers = f"{bits:>8}{_number(row['gib']):>10}{_number(row['gb']):>10}  "
        cells = [MARKS[_fit(row, gpu)] for gpu in gpus]
        marks = [(f"{word:>{width}}", style) for (word, style), width in zip(cells, widths, strict=True)]
        console.print(styled((f"{shown:<{first}}", "bold"), (f"  {row['format']:<{second}}{numbers}", ""), *marks))
    console.print()
    note = "weights only; fits: at most 85 % of the memory, tight: at most all of it; 1 GiB = 2^30 bytes, 1 GB = 10^9"
    console.print(styled((note, "dim")))


def _fit(row: dict[str, Any], gpu: Gpu) -> str:
    return "fits" if gpu.name in row["fits"] else "tight" if gpu.name in row["tight"] else "does not fit"


def _number(value: float) -> str:
    return f"{value:.2f}" if value >= 0.095 else f"{value:.3g}"
