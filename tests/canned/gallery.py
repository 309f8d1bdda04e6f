"""A canned table for every figure: what the gallery draws and the tests of all figures look at."""

from __future__ import annotations

from typing import Any

import polars

import canned
from canned import formats, pictures
from fewbits import table
from fewbits.scan import Summary

SUMMARIES = ("accuracy_bits",)  # of whole models
MEASUREMENTS = ("heat_map", "tensor_errors", "tensor_formats")  # of tensors


def tables() -> dict[str, polars.DataFrame]:
    """A table for each figure, by its name."""
    records = canned.records(canned.tensors(1))
    measured = dict.fromkeys(MEASUREMENTS, table.from_records(records))
    few = measured["tensor_errors"].filter(polars.col("format").is_in(["mxfp4", "nvfp4", "q4_k", "q6_k"]))
    return (
        measured
        | {"tensor_errors": few}
        | dict.fromkeys(SUMMARIES, summary(records))
        | pictures.tables()
        | formats.tables()
    )


def summary(records: list[table.Record]) -> polars.DataFrame:
    """The rows of a whole model: one a format."""
    found = Summary()
    for record in records:
        found.add(record, record.format)
    rows: list[dict[str, Any]] = [{**row, "tensor": "(all)", "shape": [1]} for row in found.rows()]
    return polars.DataFrame(rows, infer_schema_length=None)
