"""The table: one row per tensor and format; sums become metrics here.

The columns, in this order everywhere:
`model tensor layer role shape dtype format spec encoder evidence bits`, every metric, `seconds flags`;
then, only where some row was measured on a sample of rows, `<metric>_se`: its standard error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from fewbits import metrics
from fewbits.table.names import layer_of, role_of
from fewbits.table.record import Record

if TYPE_CHECKING:
    import polars

__all__ = ["COLUMNS", "KEYS", "flat", "frame", "from_records", "row", "rows", "standard_error_columns"]

KEYS = ("model", "tensor", "layer", "role", "shape", "dtype", "format", "spec", "encoder", "evidence", "bits")
COLUMNS = (*KEYS, *(metric.name for metric in metrics.METRICS), "seconds", "flags")


def row(record: Record, *, typed: str | None = None, sampled: bool = False) -> dict[str, Any]:
    """The table's row of a record; `typed` overrides the format's name, `sampled` adds the standard error columns."""
    values, flags = metrics.compute(record.signal, record.error)
    keys = (
        record.model,
        record.tensor,
        layer_of(record.tensor),
        role_of(record.tensor),
        list(record.shape),
        record.dtype,
        typed or record.format,
        record.spec,
        record.encoder,
        record.evidence,
        record.bits,
    )
    if record.sampling:
        flags = [f"sampled:{record.sampling}", *flags]
    if record.backend != "cpu":
        flags = [f"backend:{record.backend}", *flags]
    errors = {f"{name}_se": record.errors.get(name) for name in values} if sampled else {}
    return {**dict(zip(KEYS, keys, strict=True)), **values, "seconds": record.seconds, "flags": flags, **errors}


def rows(records: Iterable[Record], typed: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
    """Rows of records in the order given; `typed` maps specs to names. Standard errors where any was sampled."""
    listed = list(records)
    sampled = any(record.sampling for record in listed)
    return [row(record, typed=(typed or {}).get(record.spec), sampled=sampled) for record in listed]


def standard_error_columns() -> tuple[str, ...]:
    """The columns that a table of sampled measurements has after `flags`."""
    return tuple(f"{metric.name}_se" for metric in metrics.METRICS)


def from_records(records: Iterable[Record], typed: Mapping[str, str] | None = None) -> polars.DataFrame:
    """The table of records, typed even when it is empty."""
    return frame(rows(records, typed))


def frame(data: Sequence[Mapping[str, Any]], columns: Sequence[str] = COLUMNS) -> polars.DataFrame:
    """Rows as a data frame; the table's columns have their types, others the type of their values."""
    import polars

    names = list(data[0]) if data else list(columns)
    known = set(names) <= {*COLUMNS, *standard_error_columns()}
    schema = {name: _type(name) for name in names} if known else names
    return polars.DataFrame(
        [list(values.values()) for values in data], schema=schema, orient="row", infer_schema_length=None
    )


def _type(name: str) -> Any:
    import polars

    special = {"layer": polars.Int64, "shape": polars.List(polars.Int64), "flags": polars.List(polars.String)}
    text = {"model", "tensor", "role", "dtype", "format", "spec", "encoder", "evidence"}
    return special.get(name, polars.String if name in text else polars.Float64)


def flat(data: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows for CSV: a shape as `1024x4096`, flags joined by `;`, nothing nested."""
    for values in data:
        yield {
            name: "x".join(map(str, value))
            if name == "shape"
            else ";".join(map(str, value))
            if isinstance(value, list)
            else value
            for name, value in values.items()
        }
