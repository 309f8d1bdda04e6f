"""Options that several commands share, spelled once."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

__all__ = ["CORES", "CacheDir", "Csv", "Filters", "Jobs", "Json", "Model", "Output", "Revision"]

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Model = Annotated[
    str,
    typer.Argument(
        metavar="MODEL",
        help="A Hugging Face id or URL, a local file or folder, [bold]sample[/bold], or synthetic:…",
        show_default=False,
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="FILTER",
        help="With a dot: leading path segments (model.layers.1); without: part of the name. Case does not count.",
        show_default=False,
    ),
]
Revision = Annotated[
    str | None, typer.Option("--revision", metavar="REV", help="Branch, tag or commit.", show_default=False)
]
CacheDir = Annotated[
    Path | None,
    typer.Option(
        "--cache-dir",
        metavar="DIR",
        help="Where downloads are looked for, and what is fetched is kept.",
        show_default=False,
    ),
]
Jobs = Annotated[int, typer.Option("--jobs", "-j", min=1, metavar="N", help="Threads; results do not depend on it.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON array of row objects on stdout, and nothing else.")]
Csv = Annotated[
    str | None,
    typer.Option(
        "--csv",
        metavar="PATH",
        help="Write the rows as CSV; - is stdout, and then nothing else. Text that starts with = + - @ gets a ' in front.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", metavar="PATH", help="Write the rows to a .csv, .json or .parquet file.", show_default=False
    ),
]
