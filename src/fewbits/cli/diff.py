"""`fewbits diff`: how far a quantized checkpoint is from the one it was made of."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fewbits.cli.options import CORES, CacheDir, Csv, Jobs, Json
from fewbits.errors import FewbitsError, SourceError, UsageError

if TYPE_CHECKING:
    from fewbits.cli.diff_view import View
    from fewbits.diff import Comparison
    from fewbits.diff.comparison import Store
    from fewbits.formats import Format
    from fewbits.sources import Source

__all__ = ["diff"]

KINDS = (".safetensors", ".gguf", ".json", ".npy", ".npz", ".pt", ".pth", ".bin", ".ot", ".onnx", ".ckpt")


def diff(
    base: Annotated[
        str,
        typer.Argument(metavar="BASE", help="The checkpoint to compare with, as MODEL elsewhere.", show_default=False),
    ],
    others: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="OTHER",
            help="Checkpoints made of it, in any framework and layout. After the first (with -f: from the first on), what is no "
            "path, URL or org/name is a FILTER of tensors of BASE.",
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
            help="Beside the checkpoints, what this name, spec or group would make of BASE; repeatable.",
            show_default=False,
        ),
    ] = None,
    revision: Annotated[
        str | None, typer.Option("--revision", metavar="REV", help="Branch, tag or commit of BASE.", show_default=False)
    ] = None,
    cache_dir: CacheDir = None,
    jobs: Jobs = CORES,
    json: Json = False,
    csv: Csv = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "-o",
            "--output",
            metavar="RUN|FILE",
            help="Write the rows to a .csv, .json or .parquet file; another name is a run directory, and the same command again "
            "continues where it stopped.",
            show_default=False,
        ),
    ] = None,
    picture: Annotated[
        Path | None,
        typer.Option(
            "--picture",
            metavar="FILE",
            help="Draw the tensors by their error, of several methods their errors and the Gaussian bound: .png .svg .pdf .html .json.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Compare checkpoints with the one they were made of, tensor by tensor: error, true bits a weight, gap to the Gaussian bound.

    Names are matched across transformers and GGUF. What has no counterpart is listed, and doubts whether it is the same model
    are said. Several OTHERs, or formats beside them, become one table, least error first.

    \b
    fewbits diff org/model org/model-FP8
    fewbits diff org/model model.Q4_K_M.gguf model.layers.0 --picture error.svg
    fewbits diff org/model org/model-AWQ org/model-GPTQ ./model-nf4 -f int4-g128 -f nf4
    fewbits diff org/model layers.8.mlp.down_proj -f nf4 -f fp4-bnb
    """
    from fewbits.cli import outputs
    from fewbits.table.files import WRITERS

    run = output if output is not None and output.suffix.lower() not in WRITERS else None
    file = None if run else output
    outputs.check(json, csv, file)
    _check_picture(picture)
    from fewbits import catalog

    named = catalog.resolve(formats or [])
    paths, query = _split(others or [], least=0 if named else 1)
    if not paths and not named:
        raise UsageError("nothing to compare with: name a checkpoint (OTHER), formats (-f), or both")
    from fewbits.cli.diff_view import View
    from fewbits.diff import COLUMNS
    from fewbits.sources import open_source

    source = open_source(base, revision=revision, cache_dir=cache_dir)
    _check_filter(source, query)
    machine = outputs.machine_readable(json, csv)
    view = View(source, shown=not machine)
    found, failed = _compare(source, paths, query, cache_dir, jobs, run, view)
    view.doubts(found)
    several = len(paths) > 1 or bool(named)
    rows, columns = _methods(view, found, failed, named, query, jobs) if several else (_tensors(found), COLUMNS)
    if picture:
        _draw(picture, rows, several=several)
    if run:
        _tables(run, "differences", _tensors(found), COLUMNS)
        if several:
            _tables(run, "methods", rows, columns)
    outputs.emit(rows, columns, json=json, csv=csv, output=file, show=lambda console: view.show(console, found, rows))
    view.written([path for path in (run, file, picture) if path])


def _compare(
    source: Source, paths: list[str], query: str, cache_dir: Path | None, jobs: int, run: Path | None, view: View
) -> tuple[list[Comparison], list[tuple[str, str]]]:
    """The comparisons that worked, and (OTHER, reason) of the others; one alone that does not work is an error."""
    from fewbits.diff import Comparison
    from fewbits.sources import open_source
    from fewbits.sources.model_facts import facts_of

    facts = facts_of(source, cache_dir)
    found: list[Comparison] = []
    failed: list[tuple[str, str]] = []
    labels: set[str] = set()
    with _store(run, source) as store:
        for path in paths:
            try:
                other = open_source(path, cache_dir=cache_dir)
                label = other.title if other.title not in labels | {source.title} else path
                one = Comparison(source, other, label, query, (facts, facts_of(other, cache_dir)))
                view.measure(one, jobs, store)
            except FewbitsError as error:
                if len(paths) == 1:
                    raise
                failed.append((path, str(error)))
                view.failed(path, str(error))
                continue
            labels.add(label)
            found.append(one)
    if paths and not found:
        reasons = "; ".join(reason for _, reason in failed)
        raise FewbitsError(f"none of {len(paths)} checkpoints can be compared: {reasons}")
    return found, failed


def _split(others: list[str], least: int) -> tuple[list[str], str]:
    """The checkpoints and the FILTER: after the first `least`, what names no file, URL or model."""
    paths, words = others[:least], list[str]()
    for text in others[least:]:
        place = os.path.lexists(os.path.expanduser(text)) or "/" in text or ":" in text or text == "sample"
        (paths if place or text.lower().endswith(KINDS) else words).append(text)
    return paths, " ".join(words)


def _check_filter(source: Source, query: str) -> None:
    """Refuse a FILTER that no tensor of BASE matches; it may be a path that was misspelled."""
    from fewbits.sources import select

    try:
        if query:
            select([t for t in source if not t.companion_of], query, every=True)
    except SourceError as error:
        raise SourceError(f"{error}; it was taken for a FILTER, as there is no such file or folder") from error


def _check_picture(picture: Path | None) -> None:
    from fewbits.figures import KINDS as DRAWN

    if picture is not None and picture.suffix.lower() not in DRAWN:
        raise UsageError(f"--picture '{picture}': the suffix says the kind, one of {', '.join(DRAWN)}")


@contextlib.contextmanager
def _store(run: Path | None, source: Source) -> Iterator[Store | None]:
    if run is None:
        yield None
        return
    from fewbits.run import RunDirectory

    facts = {"model": source.title, "revision": source.revision, "uri": source.uri}
    with RunDirectory(run, facts, []) as store:
        yield store


def _tensors(found: list[Comparison]) -> list[dict[str, Any]]:
    """One row a tensor of each comparison."""
    from fewbits.diff import rows

    return [row for comparison in found for row in rows(comparison)]


def _methods(
    view: View,
    found: list[Comparison],
    failed: list[tuple[str, str]],
    named: list[tuple[str, Format]],
    query: str,
    jobs: int,
) -> tuple[list[dict[str, Any]], tuple[str, ...]]:
    """One row a checkpoint or format; formats alone are compared on the weights that match `query`."""
    from fewbits.diff import METHOD_COLUMNS, changed_names, methods
    from fewbits.sources import select

    names = (
        changed_names(found) if found else {t.name for t in select([t for t in view.base if not t.companion_of], query)}
    )
    simulated = view.simulate(names, named, jobs) if named else []
    return methods([*found, *simulated], failed), METHOD_COLUMNS


def _tables(run: Path, name: str, rows: list[dict[str, Any]], columns: tuple[str, ...]) -> None:
    from fewbits.table import write

    for suffix in (".parquet", ".csv"):
        write(rows, run / f"{name}{suffix}", columns)


def _draw(picture: Path, rows: list[dict[str, Any]], *, several: bool) -> None:
    import polars

    from fewbits.figures import draw, save

    measured = [row for row in rows if row["bits"] is not None]
    if not several:
        measured = [row for row in measured if row["atol"] != 0] or measured
    frame = polars.DataFrame(measured, infer_schema_length=None)
    save(draw("methods" if several else "tensor_errors", frame), picture)
