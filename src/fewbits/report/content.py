"""What a report says: everything that the page shows, taken from a run directory and nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fewbits import metrics, run
from fewbits.errors import FewbitsError
from fewbits.figures import draw
from fewbits.figures.axes import axis_of
from fewbits.figures.rows import natural
from fewbits.report.answer import Answer, answer
from fewbits.report.compact import columnar, without_data
from fewbits.report.groups import ALL, Groups
from fewbits.scan.summary import SAME_BITS
from fewbits.table import Record, from_records

if TYPE_CHECKING:
    import polars

__all__ = ["Content", "collect"]

CHUNK = 20_000  # records at a time
FIRST = "sqnr_db"  # the metric that is shown first


@dataclass(frozen=True)
class Content:
    """A report before it is a page."""

    facts: Mapping[str, Any]
    evidence: Sequence[str]
    ranking: Sequence[Mapping[str, Any]]
    answer: Answer
    notes: Sequence[str]
    tensors: int
    data: Mapping[str, Any]


def collect(directory: Path) -> Content:
    """Read a run directory: run.json and its records. FewbitsError when it is none or holds no measurements."""
    facts = run.read(directory)
    groups = Groups()
    table = _table(groups.following(run.current(directory)))
    if table is None:
        raise FewbitsError(f"{directory} has no measurements")
    ranking = groups.everything.rows()
    everything = [{**row, "tensor": ALL, "shape": [int(row["weights"])]} for row in ranking]
    names = [metric.name for metric in metrics.METRICS]
    order = [FIRST, *(name for name in names if name != FIRST)]
    data = {
        "table": columnar(table),
        "same_bits": SAME_BITS,
        "all": _slim(everything, names),
        "layers": _slim(_natural(groups.layers()), names),
        "roles": _slim(_natural(groups.roles()), names),
        "metrics": [_metric(name) for name in order],
        "formats": _formats(ranking),
        "specs": _specs(table, everything, order),
    }
    evidence = sorted(set(table["evidence"].to_list()))
    return Content(facts, evidence, ranking, answer(ranking), _notes(table), len(set(table["tensor"].to_list())), data)


def _table(records: Iterator[Record]) -> polars.DataFrame | None:
    """The table of records by natural order of tensors, the formats of each as they come; None without records."""
    import polars

    chunks = []
    while chunk := list(islice(records, CHUNK)):
        chunks.append(from_records(chunk))
    if not chunks:
        return None
    table = polars.concat(chunks, how="diagonal")
    place = {name: i for i, name in enumerate(sorted(set(table["tensor"]), key=natural))}
    return table[sorted(range(table.height), key=[place[name] for name in table["tensor"]].__getitem__)]


def _natural(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: natural(row["tensor"]))


def _slim(found: Iterable[Mapping[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    return [{key: row[key] for key in ("tensor", "shape", "format", "spec", "bits", *names, "flags")} for row in found]


def _metric(name: str) -> dict[str, Any]:
    row = metrics.metric(name)
    return {"name": name, "unit": row.unit, "higher": row.better == "higher", "digits": row.digits, "good": row.good,
            "fair": row.fair, "definition": row.definition}  # fmt: skip


def _formats(ranking: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Formats by bits, then by error."""
    found = sorted(ranking, key=lambda row: row["bits"])
    return [
        {"format": row["format"], "spec": row["spec"], "bits": row["bits"], "front": not row["better"]} for row in found
    ]


def _specs(table: polars.DataFrame, everything: Sequence[Mapping[str, Any]], names: Sequence[str]) -> dict[str, Any]:
    """Every figure for every metric; only the small one carries its data, the page has the table once."""
    import polars

    merged = polars.DataFrame(everything, infer_schema_length=None)
    merged = merged.with_columns(polars.col(name).cast(polars.Float64) for name in names)
    found = {}
    for name in names:
        some = _extremes(table, name)
        found[name] = {
            "accuracy_bits": draw("accuracy_bits", merged, name),
            "heat_map": without_data(draw("heat_map", some, name, values=True)),
            "heat_map_relative": without_data(draw("heat_map", some, name, relative=True, values=True)),
            "tensor_formats": without_data(draw("tensor_formats", some, name)),
        }
    return found


def _extremes(table: polars.DataFrame, name: str) -> polars.DataFrame:
    """The rows that a figure's scales depend on: every format at its least bits, the least and the largest place."""
    import polars

    value, kind = polars.col(name), axis_of(name).kind
    drawn = table.filter(value.is_not_null() if kind == "linear" else value > 0 if kind == "log" else value < 1)
    formats = table.sort("bits", maintain_order=True).unique("format", keep="first", maintain_order=True)
    ends = [drawn.sort(name).head(1), drawn.sort(name).tail(1)]
    order = table.select("format").unique(maintain_order=True).with_row_index("order")
    return polars.concat([formats.join(order, on="format", how="left").sort("order").drop("order"), *ends])


def _notes(table: polars.DataFrame) -> list[str]:
    """What a reader must know before comparing numbers: samples, other backends, values that are not finite."""
    notes = []
    flags = [(tensor, flag) for tensor, found in table.select("tensor", "flags").iter_rows() for flag in found or ()]
    if sampled := {tensor for tensor, flag in flags if flag.startswith("sampled:")}:
        notes.append(f"{len(sampled)} tensors were measured on a sample of their rows; the table has standard errors.")
    if backends := sorted({flag.split(":", 1)[1] for _, flag in flags if flag.startswith("backend:")}):
        notes.append(f"Some measurements were made by another backend: {', '.join(backends)}.")
    if nonfinite := {tensor for tensor, flag in flags if flag.startswith("nonfinite:")}:
        notes.append(f"{len(nonfinite)} tensors hold NaN or infinite values, which no sum includes.")
    if empty := {tensor for tensor, flag in flags if flag == "empty"}:
        notes.append(f"{len(empty)} tensors have no finite values at all.")
    return notes
