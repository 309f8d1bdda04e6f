"""Memory of models as a sheet: a table, bars, and what fits which GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import polars

from fewbits import figures
from fewbits.sheet.page import Section, Sheet, Table

__all__ = ["memory_sheet"]

HEAD = ("model", "format", "bits", "GiB", "GB", "fits", "tight")
NOTE = (
    "Weights with their scales, nothing else: activations, the key-value cache and the driver need room too, which is why a model "
    "fits where its weights take at most 85 % of a GPU's memory. 1 GiB = 2^30 bytes, 1 GB = 10^9 bytes; makers' gigabytes of GPU "
    "memory are GiB."
)


def memory_sheet(
    rows: Sequence[dict[str, Any]], fits: Sequence[dict[str, Any]], shown: Sequence[dict[str, Any]]
) -> Sheet:
    """Rows of `memory_rows`; `fit_rows` of all GPUs for the bars and of those `shown` in the map."""
    table = Table(HEAD, [_cells(row) for row in rows], "bits a parameter; names of the GPUs that have room")
    bars = figures.draw("memory_bars", polars.DataFrame(fits, infer_schema_length=None))
    cells = figures.draw("fit_map", polars.DataFrame(shown, infer_schema_length=None))
    names = ", ".join(dict.fromkeys(str(row["model"]) for row in rows))
    return Sheet(
        f"Memory of {names}",
        "How much the weights take in each format, and which GPUs they fit.",
        [
            Section("What fits", (NOTE,), (cells,)),
            Section("Memory of the weights", ("Axes differ between panels.",), (bars,)),
            Section("In numbers", (), (), (table,)),
        ],
    )


def _cells(row: dict[str, Any]) -> list[str]:
    bits = "–" if row["bits"] is None else f"{row['bits']:.4g}"
    names = [", ".join(row[key]) or "–" for key in ("fits", "tight")]
    return [row["model"], row["format"], bits, f"{row['gib']:.4g}", f"{row['gb']:.4g}", *names]
