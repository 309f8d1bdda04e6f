"""`fewbits histogram`: distributions of the tensors of a model, before and after a format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import CacheDir, Filters, Model, Revision
from fewbits.cli.tensor_pictures import Dark, Formats, Kind, Limit, Names, Show

if TYPE_CHECKING:
    from fewbits.formats import Format
    from fewbits.tensor import Tensor

__all__ = ["histogram"]


def histogram(
    model: Model,
    filters: Filters = None,
    formats: Formats = None,
    out_dir: Annotated[Path, typer.Option("--out-dir", "-o", metavar="DIR", help="Where the pictures go.")] = Path(
        "plots/histogram"
    ),
    sample: Annotated[
        int, typer.Option("--sample", min=1, metavar="N", help="Values, and rows at most, that are drawn as points.")
    ] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, metavar="N", help="Seed of --sample.")] = 0,
    kind: Kind = "png",
    limit: Limit = None,
    tensors_file: Names = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    show: Show = False,
    dark: Dark = False,
) -> None:
    """Draw how the values of each tensor lie and what a format does to them; six views in a picture, one for each format.

    Values and the format's levels (of the typical block, as for transfer, and where it clips), largest magnitudes of blocks,
    error against value, original against reconstructed, error of rows, outliers beside a normal distribution. Every value is
    counted, slab by slab; points are drawn by a seed. Without -f: mxfp4. A tensor that fails is a warning, and an error when
    there is none without.

    \b
    fewbits histogram sample encoder.layer.5.output
    fewbits histogram sample embeddings -f nvfp4 -f q4_k --kind html
    """  # fmt: skip
    from fewbits import catalog
    from fewbits.cli.first_use import compile_kernels
    from fewbits.cli.progress import progress
    from fewbits.cli.tensor_pictures import Slugs, check_kind, finish, picture, slug_of, tensors_of, warn
    from fewbits.cli.terminal import printable
    from fewbits.errors import DataError, SourceError
    from fewbits.sources import open_source

    suffix, chosen = check_kind(kind), catalog.resolve(list(formats or ["mxfp4"]))
    source = open_source(model, revision=revision, cache_dir=cache_dir)
    found = list(tensors_of(source, " ".join(filters or []), tensors_file, limit))
    compile_kernels([f for _, f in chosen], silent=False)
    slugs, made = Slugs(), 0
    with progress(2 * len(chosen) * sum(tensor.size for tensor, _ in found)) as bar:
        for tensor, label in found:
            slug = slugs(tensor.name)
            for name, f in chosen:
                bar.describe(printable(name))
                try:
                    spec = _board(tensor, label, name, f, sample=sample, seed=seed, progress=bar.advance)
                except (DataError, SourceError) as error:
                    warn(str(error))
                    break
                with bar.aside():
                    picture(spec, out_dir / f"{slug}.{slug_of(name)}{suffix}", dark=dark, show=show)
                made += 1
    finish(made, len(found))


def _board(tensor: Tensor, label: str, name: str, f: Format, **options: Any) -> dict[str, Any]:
    import polars

    from fewbits.cli.terminal import number, shape_text
    from fewbits.figures import draw
    from fewbits.figures.panels import beside
    from fewbits.figures.style import headed
    from fewbits.pictures.distribution import distribution

    found = distribution(tensor, f, **options)
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
