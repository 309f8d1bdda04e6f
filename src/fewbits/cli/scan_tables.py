"""The lines of a scan, as (text, style) parts: pure functions of records, for terminal and file alike."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fewbits import metrics
from fewbits.cli.layout import Line, Row, cropped, fitted
from fewbits.cli.terminal import COLOURS, amount, counted, number, printable, seconds, shape_text, size

if TYPE_CHECKING:
    from fewbits.formats import Format
    from fewbits.scan import Measured, Node
    from fewbits.scan.job import Job
    from fewbits.table import Record

__all__ = ["Line", "compact", "compact_header", "front", "header", "hierarchy", "summary", "tensor"]

SHOWN = ("pcc", "mae", "atol", "sqnr_db")
MEANS = SHOWN[:3]
# What a narrow terminal goes without, first things first.
LESS = (
    "note",
    "time",
    "size",
    *(f"mean {name}" for name in reversed(MEANS)),
    "± atol",
    "± mae",
    "± pcc",
    "atol",
    "mae",
)
TITLES = {"sqnr_db": "SQNR dB"}
CELL = 9  # width of a number
NAME = 18  # least width of a format's name
COMPACT_NAME = 30  # least width of a tensor's name in the compact form


def header(job: Job, known: int) -> list[Line]:
    """Model, selection, formats, backend, run directory; `known` of the measurements are there already."""
    source, request = job.source, job.request
    revision = f" @ {source.revision[:12]}" if source.revision else ""
    weights = f"{len(job.tensors)} of {counted(job.tensors_in_all, 'tensor')}, {amount(job.weights)} weights"
    query = f" matching '{printable(request.query)}'" if request.query else ""
    sampled = f"about {request.options.sample_rows} rows of each, seed {request.options.seed}"
    facts = {
        "model": f"{printable(source.title)}{revision}",
        "tensors": weights + query + _others(job.left_out) + (f"; {sampled}" if request.options.sample_rows else ""),
        "formats": " ".join(typed for typed, _ in job.formats),
        "backend": request.backend,
        "left out": printable(job.notice),
        "run": f"{job.path}" + _already(known, len(job.tensors) * len(job.formats)),
    }
    return [[(f"{name:<9}", "bold"), (text, "")] for name, text in facts.items() if text]


def _others(count: int) -> str:
    """What a scan leaves out unless it is named."""
    them = "it" if count == 1 else "them"
    return f" ({count} without 'weight' or of integers left out; name {them} to measure {them})" if count else ""


def _already(known: int, asked: int) -> str:
    there = f"{known} of {counted(asked, 'measurement')} {'is' if known == 1 else 'are'} there already"
    return f"  ({there})" if known else ""


def hierarchy(root: Node) -> list[Line]:
    """The tree of modules with the number of tensors in each."""
    lines: list[Line] = [[], [("Hierarchy", "bold"), (f"  {counted(root.tensors, 'tensor')}", "dim")]]
    for depth, node in root.walk():
        copies = f"  ({node.copies} alike)" if node.copies > 1 else ""
        count = "" if node.tensor else f"  {node.tensors}"
        leaf = f"  {shape_text(node.tensor.shape)} {node.tensor.dtype}" if node.tensor else ""
        lines.append([("  " * (depth + 1) + printable(node.label), ""), (count, "cyan"), (copies + leaf, "dim")])
    return lines


def tensor(found: Measured, width: int = 0) -> list[Line]:
    """A tensor's name, shape and statistics, and one row per format; at most `width` characters a line (0: any)."""
    t, records = found.tensor, found.records
    whole = next((record for record in records if not record.sampling), records[0])
    sampling = next((record.sampling for record in records if record.sampling), "")
    signal = whole.signal
    statistics = (
        f"min {signal['minimum']:.3e}   mean {signal['sum'] / signal['count']:.3e}   max {signal['maximum']:.3e}"
        if signal["count"]
        else "no finite values"
    )
    bad = signal["nan"] + signal["inf"]
    if sampling and not whole.sampling:
        sampling += "; formats without ± in full"
    extra = "".join(f"   {text}" for text in (t.layout, sampling) if text)
    lines: list[Line] = [
        [(t.name, "bold"), (f"   {shape_text(t.shape)} {t.dtype}{extra}", "dim")],
        [("  " + statistics, "dim"), (f"   {bad:.0f} NaN or infinite, left out" if bad else "", "red")],
    ]
    longest = max(NAME, *(len(record.format) for record in records))
    rows = [_titles(f"  {'FORMAT':<{longest}}", bool(sampling))]
    rows += [_format_row(record, longest, bool(sampling), record.spec in found.cached) for record in records]
    return [*(cropped(line, width) for line in lines), *fitted(rows, width, LESS), []]


def compact_header(formats: Sequence[tuple[str, Format]], width: int) -> Line:
    """Column titles of the compact form."""
    cells = _cells([typed for typed, _ in formats], width)
    more = " …" if len(cells) < len(formats) else ""
    titles = "".join(f"{typed[: n - 1]:>{n}}" for (typed, _), n in zip(formats, cells, strict=False))
    return [(f"{'SQNR dB':<{_name_width(cells, width)}}{titles}{more}", "bold")]


def compact(found: Measured, width: int) -> Line:
    """A tensor in one line: SQNR by format, in the colour class of its PCC."""
    cells = _cells([record.format for record in found.records], width)
    room = _name_width(cells, width)
    if 0 < width < room + sum(cells):
        room = max(width - sum(cells), 2)
    label = f"{printable(found.tensor.name.removesuffix('.weight'))}  {shape_text(found.tensor.shape)}"
    if len(label) > room - 1:
        label = "…" + label[-(room - 2) :]
    line: Line = [(f"{label:<{room}}", "")]
    for record, n in zip(found.records, cells, strict=False):
        values, flags = metrics.compute(record.signal, record.error)
        style = COLOURS[metrics.classify("pcc", values["pcc"])]
        line.append((f"{number('sqnr_db', values['sqnr_db'], flags):>{n}}", style))
    return line


def summary(rows: Sequence[dict[str, Any]], weights: int, tensors: int, width: int = 0) -> list[Line]:
    """Formats over all tensors, least error first: metrics of merged sums, and plain means over tensors beside them."""
    title = f"  {counted(tensors, 'tensor')}, {amount(weights)} weights; sums merged over tensors, least error first; ★"
    title += " Pareto front"
    longest = max(NAME, *(len(row["format"]) for row in rows))
    means = [{name: _mean(row, name) for name in MEANS} for row in rows]
    cells = {name: max(CELL + 3, *(len(mean[name]) + 2 for mean in means)) for name in MEANS}
    titles = {f"mean {name}": (f"{'mean ' + name.upper():>{cells[name]}}", "bold") for name in MEANS}
    lines: list[Row] = [_titles(f"    {'FORMAT':<{longest}}", False, titles)]
    for row, mean in zip(rows, means, strict=True):
        star = "    " if row["better"] else "  ★ "
        line = {"name": (f"{star}{row['format']:<{longest}}", ""), "bits": (f" {row['bits']:>7.3f} ", "")}
        line |= {name: _cell(name, row[name], CELL + 2, row["flags"]) for name in SHOWN}
        line |= {f"mean {name}": (f"{mean[name]:>{cells[name]}}", "dim") for name in MEANS}
        line |= {"size": (f"{size(row['bytes']):>{CELL}}", ""), "time": (f"{seconds(row['seconds']):>{CELL}}", "")}
        line |= {"note": (f"   {row['better']} has less error at these bits" if row["better"] else "", "dim")}
        lines.append(line)
    return [cropped([("Summary", "bold"), (title, "dim")], width), *fitted(lines, width, LESS)]


def front(rows: Iterable[dict[str, Any]]) -> Line:
    """The formats worth their bits, by bits: the Pareto front."""
    best = sorted((row for row in rows if not row["better"]), key=lambda row: row["bits"])
    line: Line = [("least error at their bits  ", "bold")]
    for i, row in enumerate(best):
        line += [(" → " if i else "", "dim"), (row["format"], "green"), (f" {row['bits']:.4g}", "dim")]
    return line


def _format_row(record: Record, longest: int, sampled: bool, cached: bool) -> Row:
    values, flags = metrics.compute(record.signal, record.error)
    row = {"name": (f"  {record.format:<{longest}}", ""), "bits": (f" {record.bits:>7.3f} ", "")}
    for name in SHOWN:
        row[name] = _cell(name, values[name], CELL + 2, flags)
        if sampled:
            error = record.errors.get(name)
            row[f"± {name}"] = (f" {'±' + format(error, '.1e') if error is not None else '':<8}", "dim")
    row["size"] = (f"{size(record.bits * math.prod(record.shape) / 8):>{CELL}}", "")
    row["time"] = (f"{seconds(record.seconds):>{CELL}}", "")
    return row | {"note": ("  cached" if cached else "", "dim")}


def _titles(name: str, sampled: bool, means: Row | None = None) -> Row:
    row = {"name": (name, "bold"), "bits": (f" {'BITS':>7} ", "bold")}
    for metric in SHOWN:
        row[metric] = (f"{TITLES.get(metric, metric.upper()):>{CELL + 2}}", "bold")
        if sampled:
            row[f"± {metric}"] = (" " * CELL, "")
    row |= means or {}
    return row | {"size": (f"{'SIZE':>{CELL}}", "bold"), "time": (f"{'TIME':>{CELL}}", "bold"), "note": ("", "")}


def _mean(row: dict[str, Any], name: str) -> str:
    """A plain mean over tensors; `of n` where not all have a value."""
    n = row["means_of"].get(name, 0)
    return number(name, row.get(f"mean_{name}")) + (f" of {n}" if 0 < n < row["tensors"] else "")


def _cell(name: str, value: float | None, width: int, flags: Collection[str]) -> tuple[str, str]:
    return f"{number(name, value, flags):>{width}}", COLOURS[metrics.classify(name, value)]


def _cells(names: Sequence[str], width: int) -> list[int]:
    """Widths of as many columns as there is room for, one at least."""
    cells: list[int] = []
    for name in names:
        cell = max(CELL, min(2 * CELL, len(name) + 1))
        if cells and COMPACT_NAME + sum(cells) + cell > width - 2:
            break
        cells.append(cell)
    return cells


def _name_width(cells: Sequence[int], width: int) -> int:
    return max(COMPACT_NAME, min(70, width - sum(cells) - 3))
