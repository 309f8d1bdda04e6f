"""`fewbits scan`: the main job."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewbits.cli.options import CORES, CacheDir, Csv, Filters, Jobs, Json, Model, Revision
from fewbits.errors import FewbitsError
from fewbits.interruption import CODE, Interrupted, told

__all__ = ["scan"]


def scan(
    model: Model,
    filters: Filters = None,
    formats: Annotated[
        list[str] | None,
        typer.Option(
            "-f",
            "-c",
            "--format",
            metavar="FORMAT",
            help="A name (mxfp4), spec (e2m1@32:e8m0) or group (all, mx, bfp, ggml, catalog); repeatable. "
            "Without: mxfp4 nvfp4 bf16 bfp8 bfp4 bfp2 fp0.",
            show_default=False,
        ),
    ] = None,
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", help="The first N matching tensors.", show_default=False)
    ] = None,
    revision: Revision = None,
    cache_dir: CacheDir = None,
    summary: Annotated[bool, typer.Option("--summary", help="The summary also for a single tensor.")] = False,
    recompute: Annotated[bool, typer.Option("--recompute", help="Measure again what the run already knows.")] = False,
    jobs: Jobs = CORES,
    sample_rows: Annotated[
        int | None,
        typer.Option(
            "--sample-rows",
            min=1,
            metavar="N",
            help="Measure about N rows of each tensor, drawn by the seed, and show standard errors. "
            "Formats with a scale of the whole tensor are measured in full.",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Seed of --sample-rows.")] = 0,
    backend: Annotated[
        str, typer.Option("--backend", metavar="cpu|ttnn", help="ttnn: Tenstorrent's package, where it has the format.")
    ] = "cpu",
    profile: Annotated[
        bool, typer.Option("--profile/--no-profile", help="Look at some values for the report's pictures of a tensor.")
    ] = True,
    strict: Annotated[bool, typer.Option("--strict", help="NaN and infinities are an error.")] = False,
    run: Annotated[
        Path | None,
        typer.Option(
            "-o", "--output", metavar="RUN", help="The run directory; default: a place in results/.", show_default=False
        ),
    ] = None,
    json: Json = False,
    csv: Csv = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="No tables and no progress, only the report's path.")
    ] = False,
) -> None:
    """Measure number formats on the tensors of a model: tables, a run directory and a report.

    The same command again continues where it stopped.

    \b
    fewbits scan sample
    fewbits scan openai-community/gpt2 h.0 -f mx -f nvfp4
    fewbits scan model.safetensors -f e2m1@32:e8m0 -f int4-g128 --json
    fewbits scan synthetic:normal/1024x4096?seed=0 -f all
    """
    from fewbits.cli import outputs
    from fewbits.scan.job import Job, Request
    from fewbits.scan.loop import Options

    outputs.check(json, csv)
    options = Options(
        jobs=jobs, sample_rows=sample_rows, seed=seed, recompute=recompute, strict=strict, profile=profile
    )
    request = Request(
        model, " ".join(filters or []), tuple(formats or ()), limit, revision, cache_dir, backend, run, options
    )
    from fewbits.cli.first_use import compile_kernels
    from fewbits.cli.scan_view import View
    from fewbits.cli.terminal import printable

    job, machine = Job(request), outputs.machine_readable(json, csv)
    view = View(job, summary=summary, shown=not (quiet or machine), keep=machine or csv is not None)
    if machine and job.notice:
        typer.echo(f"fewbits: {printable(job.notice)}", err=True)
    try:
        compile_kernels([f for _, f in job.formats], silent=quiet or machine)
        view.measure(with_progress=not (quiet or json))
    except (Interrupted, KeyboardInterrupt):
        typer.echo("fewbits: interrupted" + (f"; {view.kept}" if view.measured else ""), err=True)
        told()
        view.stop()
        raise typer.Exit(CODE) from None
    except FewbitsError as error:
        view.stop()
        raise FewbitsError(f"{error}; {view.kept}" if view.measured else str(error)) from error
    from fewbits.report import write_report

    job.derive()
    view.finish(write_report(job.path))
    if machine or csv is not None:
        from fewbits import table

        outputs.emit(table.rows(view.records), table.COLUMNS, json=json, csv=csv)
    if quiet and not machine:
        typer.echo(str(job.path / "report.html"))
