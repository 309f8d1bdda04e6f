"""`fewbits tensors`: what is in a model, from headers only; with formats, what each would cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import CORES, CacheDir, Csv, Filters, Jobs, Json, Model, Output, Revision

if TYPE_CHECKING:
    from fewbits.scan import Node
    from fewbits.sources import Source
    from fewbits.table import Record
    from fewbits.tensor import Tensor

__all__ = ["tensors"]

COLUMNS = (
    *("tensor", "layer", "role", "row", "shape", "dtype", "layout", "weights", "bytes", "share", "share_shown"),
    "bits_per_weight",
)
MEASURED = ("format", "spec", "bits", "minimum", "mean", "maximum", "pcc", "mae", "atol", "sqnr_db", "flags")


def tensors(
    model: Model,
    filters: Filters = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "-c",
            "--format",
            metavar="FORMAT",
            help="Also measure this name, spec or group on every tensor that holds no integers; repeatable. With .T behind it "
            "(bfp8.T) blocks run along the other axis.",
            show_default=False,
        ),
    ] = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask the hub which commit the revision is, also within an hour.")
    ] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            "--run",
            metavar="RUN",
            help="Where measurements are kept; default: a place in results/.",
            show_default=False,
        ),
    ] = None,
    jobs: Jobs = CORES,
    json: Json = False,
    csv: Csv = None,
    output: Output = None,
) -> None:
    """Show the tensors of a model as a tree, from file headers: no weights are read. Repeated layers are one line.

    A weight stored with scales is one line that counts their bytes. SHARE is of the whole model, whatever FILTER shows.

    \b
    fewbits tensors openai-community/gpt2
    fewbits tensors model.safetensors layers.0 --json
    fewbits tensors sample attention -f mxfp4 -f bfp8.T
    """
    from fewbits.cli import outputs
    from fewbits.cli.tensors_view import View
    from fewbits.scan.tree import grow
    from fewbits.sources import open_source, select
    from fewbits.sources.recent import recent

    outputs.check(json, csv, output)
    if formats:
        from fewbits import catalog

        catalog.resolve([text[:-2] if text.lower().endswith(".t") else text for text in formats])
    last = None if refresh else recent(model, revision, cache_dir)
    source = (
        open_source(last.uri, cache_dir=cache_dir)
        if last
        else open_source(model, revision=revision, cache_dir=cache_dir)
    )
    own = [tensor for tensor in source if not tensor.companion_of]
    query = " ".join(filters or [])
    chosen = select(own, query, every=True)
    root = grow(chosen)
    machine = outputs.machine_readable(json, csv)
    measured = _measure(source, chosen, formats, query, run, jobs, shown=not machine) if formats else None
    view = View(source, root, query, checked=last.age if last else None, measured=measured)
    columns = COLUMNS + (MEASURED if formats else ())
    rows = _rows(chosen, root, sum(t.nbytes for t in own), measured)
    outputs.emit(rows, columns, json=json, csv=csv, output=output, show=view.show)


def _measure(
    source: Source, chosen: list[Tensor], formats: list[str], query: str, run: Path | None, jobs: int, *, shown: bool
) -> dict[str, list[Record]]:
    """Tensor → records, one for each format."""
    from fewbits.cli.first_use import compile_kernels
    from fewbits.cli.progress import progress
    from fewbits.scan.survey import Survey

    survey = Survey(source, chosen, formats, query, run)
    found: dict[str, list[Record]] = {}
    if not survey.tensors:
        return found
    compile_kernels([f for _, f in (*survey.straight, *survey.turned)], silent=not shown)
    with progress(survey.work, shown=shown) as bar:
        for tensor, records in survey.measure(jobs=jobs, progress=bar.advance):
            found[tensor.name] = [_labelled(r, f) for r, f in zip(records, survey.formats, strict=True)]
            bar.describe(f"{len(found)}/{len(survey.tensors)}")
    return found


def _labelled(record: Record, name: str) -> Record:
    from dataclasses import replace

    return replace(record, format=name)


def _rows(
    chosen: list[Tensor], root: Node, whole: int, measured: dict[str, list[Record]] | None
) -> list[dict[str, Any]]:
    """One row a tensor, `row` names its line in the tree; with measurements, one a tensor and format."""
    from fewbits.cli.tensors_view import lines
    from fewbits.table import layer_of, role_of

    line_of = {member.name: path for path, node in lines(root) for member in node.members}
    shown = sum(t.nbytes for t in chosen)
    rows = []
    for t in chosen:
        row = {
            "tensor": t.name,
            "layer": layer_of(t.name),
            "role": role_of(t.name),
            "row": line_of[t.name],
            "shape": list(t.shape),
            "dtype": t.dtype,
            "layout": t.layout,
            "weights": t.size,
            "bytes": t.nbytes,
            "share": t.nbytes / (whole or 1),
            "share_shown": t.nbytes / (shown or 1),
            "bits_per_weight": 8 * t.nbytes / t.size if t.size else None,
        }
        if measured is None:
            rows.append(row)
        else:
            rows += [row | values for values in _values(measured.get(t.name, []))]
    return rows


def _values(records: list[Record]) -> list[dict[str, Any]]:
    """What each format does to a tensor; one row without values where nothing was measured."""
    from fewbits import metrics

    rows = []
    for r in records:
        values, flags = metrics.compute(r.signal, r.error)
        count = r.signal["count"]
        signal = {name: r.signal[name] if count else None for name in ("minimum", "maximum")}
        signal["mean"] = r.signal["sum"] / count if count else None
        found = values | signal | {"format": r.format, "spec": r.spec, "bits": r.bits, "flags": flags}
        rows.append({name: found[name] for name in MEASURED})
    return rows or [dict.fromkeys(MEASURED) | {"flags": []}]
