"""Figures: milliseconds from a table to a PNG of each, headless, of real tables of the bundled sample."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars

from fewbits import catalog, figures, memory, table
from fewbits.bench.row import Row
from fewbits.explain import bit_rows, number_line, properties, relative_error
from fewbits.measurement import measure_tensor
from fewbits.pictures.bit_sweep import bit_sweep
from fewbits.pictures.chain import chain
from fewbits.pictures.curve import DEFAULT, curve
from fewbits.pictures.distribution import distribution
from fewbits.pictures.effects import effects
from fewbits.pictures.row_gain import row_gain
from fewbits.pictures.transfer import transfer
from fewbits.scan import Summary
from fewbits.sources import open_source

__all__ = ["rendering", "tables"]

MUST = 1000.0  # ms, after the first picture of a process
TENSOR = "encoder.layer.5.output.dense.weight"
SEVEN = ("fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "int8", "int4")


def rendering() -> Iterator[Row]:
    """One run of each figure; the first picture of the process, which loads the libraries, is a row of its own."""
    drawn = tables()
    with tempfile.TemporaryDirectory(prefix="fewbits-bench-") as folder:
        path = Path(folder) / "figure.png"
        first = next(iter(drawn))
        yield Row("first figure of a process", _milliseconds(first, drawn[first], path), "ms", detail=first)
        for name, rows in drawn.items():
            figure = _milliseconds(name, rows, path)
            detail = f"{len(rows)} rows, PNG of {path.stat().st_size / 1e3:.0f} kB"
            yield Row(f"figure {name}", figure, "ms", MUST, None, "most", detail)


def tables() -> dict[str, polars.DataFrame]:
    """A table for every figure: what the commands draw of the sample, of the catalogue's types and of usual sizes of models."""
    seven, types = catalog.resolve(["all"]), catalog.resolve(SEVEN)
    records = _records(seven)
    summary = Summary()
    for record in records:
        summary.add(record, record.format)
    measured, gpus = table.from_records(records), list(memory.gpus())
    sizes = [memory.model_of_count(text, count) for text in memory.SIZES if (count := memory.parameters(text))]
    fits = memory.fit_rows(memory.memory_rows(sizes, memory.stored_as(["all"]), gpus), gpus)
    tensor = open_source("sample")[TENSOR]
    rows: dict[str, list[dict[str, Any]]] = {
        "staircase": curve(catalog.resolve(DEFAULT)),
        "transfer": transfer(tensor, seven),
        **distribution(tensor, catalog.format("nvfp4")).tables,
        "bit_layout": bit_rows(types),
        "number_line": number_line(types),
        "relative_error": relative_error(types),
        "dynamic_range": [properties(*one) for one in types],
        "memory_bars": fits,
        "fit_map": fits,
        "accuracy_bits": summary.rows(),
        "bit_sweep": bit_sweep(tensor),
        "chain_error": chain(tensor.read(0, tensor.shape[0]), types),
        "effects": effects(tensor, types[-2:]),
        "row_gain": row_gain(tensor, catalog.resolve(["int8", "int8-row"])),
        "methods": [row | {"gap": _gap(row)} for row in summary.rows()],
    }
    made = {name: polars.DataFrame(own, infer_schema_length=None) for name, own in rows.items()}
    return made | dict.fromkeys(("heat_map", "tensor_errors", "tensor_formats"), measured)


def _records(formats: list[tuple[str, Any]]) -> list[table.Record]:
    """Every format on every tensor of the sample."""
    found = []
    for tensor in open_source("sample"):
        measured = measure_tensor(tensor, [f for _, f in formats])
        where = "sample", tensor.name, "", tensor.shape, tensor.dtype, ""
        for (name, f), error in zip(formats, measured.errors, strict=True):
            found.append(table.Record(*where, name, str(f), f.bits(tensor.shape), measured.signal, error, 0.0))
    return found


def _gap(row: dict[str, Any]) -> float | None:
    """Bits above the bound of a Gaussian source at the same error."""
    return None if row["sqnr_db"] is None else float(row["bits"]) - float(row["sqnr_db"]) / (20 * math.log10(2))


def _milliseconds(name: str, rows: polars.DataFrame, path: Path) -> float:
    start = time.perf_counter()
    figures.save(figures.draw(name, rows), path)
    return 1e3 * (time.perf_counter() - start)
