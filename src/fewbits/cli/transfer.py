"""`fewbits transfer`: transfer curves of the tensors of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewbits.cli.options import CORES, CacheDir, Csv, Filters, Jobs, Json, Model, Revision
from fewbits.cli.tensor_pictures import Dark, Formats, Kind, Limit, Names, OutDir, Show

__all__ = ["transfer"]

FOLDER = Path("plots/visualize_quantization_error")


def transfer(
    model: Model,
    filters: Filters = None,
    formats: Formats = None,
    points: Annotated[int, typer.Option("--points", min=2, metavar="N", help="Points of each curve.")] = 1200,
    out_dir: OutDir = None,
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
    """Draw, for each tensor, what its values become: reconstruction against value from its least to its largest value.

    Each point is rounded for itself, never beside other points, in a typical block of the tensor: of up to 1,024 blocks drawn
    with seed 0, the one whose largest magnitude is the median; the point takes the place of the block's least magnitude, so
    the block's own values set the scale until the point is larger than they are. Scales of the whole tensor are those of its
    largest magnitude; of blocks longer than 4,096 values, as many evenly spaced ones and the extremes stand for the block.
    Other statistics of a whole tensor (+mean) are those of the typical block.

    The MAE in the legend is over all values of the tensor in its own layout, as scan measures it. Without -f: the formats of
    scan. One picture a tensor, in plots/visualize_quantization_error without --out-dir; rows (--json, --csv) are the points. A
    tensor that fails is a warning, and an error when there is none without.

    \b
    fewbits transfer sample encoder.layer.5.output
    fewbits transfer sample attention -f mxfp4 -f nvfp4 --kind svg --out-dir pictures
    fewbits transfer sample attention -f mxfp4 --json
    """
    from fewbits import catalog
    from fewbits.cli import outputs
    from fewbits.cli.first_use import compile_kernels
    from fewbits.cli.growing import growing
    from fewbits.cli.tensor_pictures import Slugs, check_kind, finish, folder, picture, tensors_of, warn
    from fewbits.errors import DataError, SourceError
    from fewbits.sources import open_source

    outputs.check(json, csv)
    machine = outputs.machine_readable(json, csv)
    pictures = folder(out_dir, FOLDER, machine=machine, show=show)
    suffix, chosen = check_kind(kind), catalog.resolve(list(formats or ["all"]))
    source = open_source(model, revision=revision, cache_dir=cache_dir)
    found = list(tensors_of(source, " ".join(filters or []), tensors_file, limit))
    compile_kernels([f for _, f in chosen], silent=False)
    import polars

    from fewbits.figures import draw
    from fewbits.pictures.transfer import COLUMNS
    from fewbits.pictures.transfer import transfer as rows_of

    slugs, made = Slugs(), 0
    with growing(COLUMNS, json=json, csv=csv) as add:
        for tensor, label in found:
            try:
                rows = rows_of(tensor, chosen, points=points, jobs=jobs)
            except (DataError, SourceError) as error:
                warn(str(error))
                continue
            add(rows)
            made += 1
            if pictures is not None:
                spec = draw("transfer", polars.DataFrame(rows, infer_schema_length=None), label=label)
                path = pictures / f"{slugs(tensor.name)}{suffix}"
                picture(spec, path, dark=dark, show=show, told=not machine)
        finish(made, len(found), told=not machine)  # an error leaves no table
