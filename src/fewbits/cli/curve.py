"""`fewbits curve`: the staircase of formats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fewbits.cli.options import CacheDir, Csv, Json, Revision
from fewbits.cli.tensor_pictures import Dark, Formats, Names, Show

__all__ = ["curve"]

PATH = Path("plots/compare_reconstr_error_synth_data.png")
NUMBERS = (".csv", ".parquet")  # .json is the picture's


def curve(
    model: Annotated[
        str | None,
        typer.Argument(metavar="MODEL", help="Also a line for each tensor of this model.", show_default=False),
    ] = None,
    filters: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILTER", help="Which of its tensors, as for scan.", show_default=False),
    ] = None,
    formats: Formats = None,
    samples: Annotated[
        int,
        typer.Option("--rand-samples", min=1, metavar="N", help="Blocks that a mean is over: random and real ones."),
    ] = 100,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of the blocks.")] = 0,
    points: Annotated[int, typer.Option("--points", min=2, metavar="N", help="Values from 0 to 1.")] = 400,
    tensor_format: Annotated[
        str, typer.Option("--tensor-format", metavar="FORMAT", help="The format of the lines of tensors.")
    ] = "bfp4",
    tensors_file: Names = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    json: Json = False,
    csv: Csv = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--out",
            "--output",
            metavar="FILE",
            help="The picture: .png, .svg, .pdf, .html, .json (Vega-Lite); .csv and .parquet have its numbers. "
            f"Default: {PATH}, with --json or --csv - none.",
            show_default=False,
        ),
    ] = None,
    show: Show = False,
    dark: Dark = False,
) -> None:
    """Draw what values from 0 to 1 become in formats. Without -f: bf16 mxfp4 nvfp4 bfp8 bfp4 bfp2 fp0.

    A format with blocks has two lines. Own exponent (solid, often called ideal): each value is a block by itself and alone sets
    its scale; a scale of the whole tensor is that of a tensor whose largest value is 1. Shared exponent (dotted, often called
    rand): the value stands in random blocks of the format's size, whose largest magnitude sets the scale, its own if it is
    that; the other values are normal with standard deviation 0.5, the same for every value, and the line is the mean over
    --rand-samples blocks. A row, matrix or tensor as block counts 256 values; blocks that share a scale of scales come together.

    Each tensor of MODEL adds a dashed line: the mean over up to --rand-samples of its real blocks, each scaled to a mean
    magnitude of 0.5; the value takes the place of the block's least magnitude. A tensor that fails is a warning.

    \b
    fewbits curve
    fewbits curve -f mxfp4 -f nvfp4 -o staircase.html --show
    fewbits curve sample encoder.layer.5 -f bfp4 -o real.svg
    fewbits curve -f mxfp4 --csv curve.csv -o curve.png
    """  # fmt: skip
    from fewbits import catalog
    from fewbits.cli import outputs
    from fewbits.cli.tensor_pictures import picture, show_in_browser
    from fewbits.errors import UsageError
    from fewbits.figures import KINDS
    from fewbits.pictures import curve as library

    outputs.check(json, csv)
    machine = outputs.machine_readable(json, csv)
    if output is None and not machine:
        output = PATH
    kind = output.suffix.lower() if output else ""
    if output and kind not in (*KINDS, *NUMBERS):
        raise UsageError(f"-o '{output}': the suffix says the kind of file, one of {', '.join((*KINDS, *NUMBERS))}")
    if show and output is None:
        raise UsageError("--show with --json or --csv -: there is no picture, give -o FILE")
    if tensors_file and not model:
        raise UsageError("--tensors-file names tensors of a MODEL, and none is given")
    chosen = catalog.resolve(list(formats or library.DEFAULT))
    real = catalog.format(tensor_format)
    from fewbits.cli.first_use import compile_kernels

    compile_kernels([f for _, f in chosen] + ([real] if model else []), silent=False)
    rows = library.curve(chosen, points=points, samples=samples, seed=seed)
    if model:
        names = (catalog.name_of(real) or str(real), real)
        found = _opened(model, " ".join(filters or []), tensors_file, revision, cache_dir)
        rows += _lines(found, names, points, samples, seed)
    import polars

    from fewbits.cli.terminal import printable
    from fewbits.figures import draw

    note = f"seed {seed}, means over {samples} blocks"
    spec = draw("staircase", polars.DataFrame(rows, infer_schema_length=None), note=note)
    kept = output if kind in NUMBERS else None
    outputs.emit(rows, library.COLUMNS, json=json, csv=csv, output=kept)
    if output and not kept:
        picture(spec, output, dark=dark, show=show, told=not machine)
    elif output:
        if not machine:
            typer.echo(printable(str(output)))
        if show:
            show_in_browser(spec, output)


def _opened(model: str, query: str, names: str | None, revision: str | None, cache_dir: Path | None) -> Any:
    """The tensors that are asked for; a model that cannot be read is a warning."""
    from fewbits.cli.tensor_pictures import tensors_of, warn
    from fewbits.errors import SourceError
    from fewbits.sources import open_source

    try:
        return tensors_of(open_source(model, revision=revision, cache_dir=cache_dir), query, names)
    except SourceError as error:
        warn(str(error))
        return []


def _lines(found: Any, named: tuple[str, Any], points: int, samples: int, seed: int) -> list[dict[str, Any]]:
    from fewbits.cli.tensor_pictures import warn
    from fewbits.errors import DataError, SourceError
    from fewbits.pictures import curve as library

    rows: list[dict[str, Any]] = []
    for tensor, label in found:
        try:
            text = label or f"{named[0]} {tensor.name}"
            rows += library.tensor_line(tensor, named[1], text, library.values(points), samples, seed)
        except (SourceError, DataError) as error:
            warn(str(error))
    return rows
