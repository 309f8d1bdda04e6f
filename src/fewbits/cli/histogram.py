"""`fewbits histogram`: distributions of the tensors of a model, before and after a format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import CORES, CacheDir, Csv, Filters, Jobs, Json, Model, Revision
from fewbits.cli.tensor_pictures import Dark, Formats, Kind, Limit, Names, OutDir, Show

if TYPE_CHECKING:
    from fewbits.formats import Format
    from fewbits.pictures.distribution import Distribution
    from fewbits.tensor import Tensor

__all__ = ["histogram"]

FOLDER = Path("plots/histogram")


def histogram(
    model: Model,
    filters: Filters = None,
    formats: Formats = None,
    out_dir: OutDir = None,
    sample: Annotated[
        int, typer.Option("--sample", min=1, metavar="N", help="Values, and rows at most, that are drawn as points.")
    ] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of --sample.")] = 0,
    kind: Kind = "png",
    limit: Limit = None,
    tensors_file: Names = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    jobs: Jobs = CORES,
    json: Json = False,
    csv: Csv = None,
    show: Show = False,
    dark: Dark = False,
) -> None:
    """Draw how the values of each tensor lie and what a format does to them; six views in a picture, one for each format.

    Values and the format's levels (of the typical block, as for transfer, and where it clips), largest magnitudes of blocks,
    error against value, original against reconstructed, error of rows, outliers beside a normal distribution. Every value is
    counted, slab by slab; points are drawn by a seed. Without -f: mxfp4. Pictures go to plots/histogram without --out-dir; rows
    (--json, --csv) are the numbers of all views, named in `figure`. A tensor that fails is a warning, and an error when there is
    none without.

    \b
    fewbits histogram sample encoder.layer.5.output
    fewbits histogram sample embeddings -f nvfp4 -f q4_k --kind html
    fewbits histogram sample embeddings -f nvfp4 --csv numbers.csv
    """  # fmt: skip
    from fewbits import catalog
    from fewbits.cli import outputs
    from fewbits.cli.first_use import compile_kernels
    from fewbits.cli.growing import growing
    from fewbits.cli.progress import progress
    from fewbits.cli.tensor_pictures import Slugs, check_kind, finish, folder, picture, slug_of, tensors_of, warn
    from fewbits.cli.terminal import printable
    from fewbits.errors import DataError, SourceError
    from fewbits.pictures.distribution import COLUMNS, distribution
    from fewbits.sources import open_source

    outputs.check(json, csv)
    machine = outputs.machine_readable(json, csv)
    pictures = folder(out_dir, FOLDER, machine=machine, show=show)
    suffix, chosen = check_kind(kind), catalog.resolve(list(formats or ["mxfp4"]))
    source = open_source(model, revision=revision, cache_dir=cache_dir)
    found = list(tensors_of(source, " ".join(filters or []), tensors_file, limit))
    compile_kernels([f for _, f in chosen], silent=False)
    slugs, made = Slugs(), 0
    total = 2 * len(chosen) * sum(tensor.size for tensor, _ in found)
    with growing(COLUMNS, json=json, csv=csv) as add, progress(total, shown=not machine) as bar:
        for tensor, label in found:
            slug = slugs(tensor.name)
            for name, f in chosen:
                bar.describe(printable(name))
                try:
                    own = distribution(tensor, f, sample=sample, seed=seed, jobs=jobs, progress=bar.advance)
                except (DataError, SourceError) as error:
                    warn(str(error))
                    break
                bits = f.bits(tensor.shape)
                add(own.rows(tensor=tensor.name, shape=list(tensor.shape), format=name, spec=str(f), bits=bits))
                made += 1
                if pictures is not None:
                    path = pictures / f"{slug}.{slug_of(name)}{suffix}"
                    with bar.aside():
                        picture(_board(tensor, label, name, f, own), path, dark=dark, show=show, told=not machine)
        finish(made, len(found), told=not machine)  # an error leaves no table


def _board(tensor: Tensor, label: str, name: str, f: Format, found: Distribution) -> dict[str, Any]:
    import polars

    from fewbits.cli.terminal import number, shape_text
    from fewbits.figures import draw
    from fewbits.figures.panels import beside
    from fewbits.figures.style import headed

    more = {"block_amax": {"what": found.blocks}}
    charts = [
        draw(figure, polars.DataFrame(rows, infer_schema_length=None), **more.get(figure, {}))
        for figure, rows in found.tables.items()
        if rows  # of zeros alone no block has a magnitude
    ]
    shown = [f"{metric.upper()} {number(metric, found.metrics[metric], found.flags)}" for metric in ("mae", "pcc")]
    noise = f"SQNR {number('sqnr_db', found.metrics['sqnr_db'], found.flags)} dB"
    facts = " · ".join([shape_text(tensor.shape), tensor.dtype, f"{f.bits(tensor.shape):.4g} bits", noise, *shown])
    title = f"{tensor.name} in {name}"
    heading = headed(f"{label}: {title}" if label else title, facts) | {"fontSize": 17, "offset": 20}
    own = {"scale": {"color": "independent"}, "legend": {"color": "independent"}}
    return beside(charts, title=heading, resolve=own, spacing={"row": 36, "column": 48})
