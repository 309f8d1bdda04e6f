"""The lines of a scan, as (text, style) parts: pure functions of records, for terminal and file alike."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from fewbits import metrics
from fewbits.cli.terminal import COLOURS, amount, counted, number, printable, seconds, shape_text, size

if TYPE_CHECKING:
    from fewbits.formats import Format
    from fewbits.scan import Measured, Node
    from fewbits.scan.job import Job
    from fewbits.table import Record

__all__ = ["Line", "compact", "compact_header", "front", "header", "hierarchy", "summary", "tensor"]

Line = list[tuple[str, str]]

SHOWN = ("pcc", "mae", "atol", "sqnr_db")
TITLES = {"sqnr_db": "SQNR dB"}
CELL = 9  # width of a number
NAME = 18  # least width of a format's name
COMPACT_NAME = 30  # least width of a tensor's name in the compact form


def header(job: Job, known: int) -> list[Line]:
    """Model, selection, formats, backend, run directory."""
    source, request = job.source, job.request
    revision = f" @ {source.revision[:12]}" if source.revision else ""
    weights = f"{len(job.tensors)} of {len(source)}, {amount(job.weights)} weights"
    query = f" matching '{printable(request.query)}'" if request.query else ""
    sampled = f"about {request.options.sample_rows} rows of each, seed {request.options.seed}"
    facts = {
        "model": f"{printable(source.title)}{revision}",
        "tensors": weights + query + (f"; {sampled}" if request.options.sample_rows else ""),
        "formats": " ".join(typed for typed, _ in job.formats),
        "backend": request.backend,
        "left out": printable(job.notice),
        "run": f"{job.path}" + (f"  ({known} measurements are there already)" if known else ""),
    }
    return [[(f"{name:<9}", "bold"), (text, "")] for name, text in facts.items() if text]


def hierarchy(root: Node) -> list[Line]:
    """The tree of modules with the number of tensors in each."""
    lines: list[Line] = [[], [("Hierarchy", "bold"), (f"  {counted(root.tensors, 'tensor')}", "dim")]]
    for depth, node in root.walk():
        copies = f"  ({node.copies} alike)" if node.copies > 1 else ""
        count = "" if node.tensor else f"  {node.tensors}"
        leaf = f"  {shape_text(node.tensor.shape)} {node.tensor.dtype}" if node.tensor else ""
        lines.append([("  " * (depth + 1) + printable(node.label), ""), (count, "cyan"), (copies + leaf, "dim")])
    return lines


def tensor(found: Measured) -> list[Line]:
    """A tensor's name, shape and statistics, and one row per format."""
    t, signal = found.tensor, found.records[0].signal
    count = signal["count"]
    statistics = (
        f"min {signal['minimum']:.3e}   mean {signal['sum'] / count:.3e}   max {signal['maximum']:.3e}"
        if count
        else "no finite values"
    )
    bad = signal["nan"] + signal["inf"]
    extra = "".join(f"   {text}" for text in (t.layout, found.records[0].sampling) if text)
    lines: list[Line] = [
        [(printable(t.name), "bold"), (f"   {shape_text(t.shape)} {t.dtype}{printable(extra)}", "dim")],
        [("  " + statistics, "dim"), (f"   {bad:.0f} NaN or infinite, left out" if bad else "", "red")],
    ]
    width = max(NAME, *(len(record.format) for record in found.records))
    sampled = any(record.errors for record in found.records)
    titles = [_titled(name, sampled) for name in SHOWN]
    lines.append([(f"  {'FORMAT':<{width}} {'BITS':>7} {''.join(titles)}{'SIZE':>{CELL}}{'TIME':>{CELL}}", "bold")])
    lines += [_format_row(record, width, sampled, record.spec in found.cached) for record in found.records]
    return [*lines, []]


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
    label = f"{printable(found.tensor.name.removesuffix('.weight'))}  {shape_text(found.tensor.shape)}"
    if len(label) > room - 1:
        label = "…" + label[-(room - 2) :]
    line: Line = [(f"{label:<{room}}", "")]
    for record, n in zip(found.records, cells, strict=False):
        values, flags = metrics.compute(record.signal, record.error)
        style = COLOURS[metrics.classify("pcc", values["pcc"])]
        line.append((f"{number('sqnr_db', values['sqnr_db'], flags):>{n}}", style))
    return line


def summary(rows: Sequence[dict[str, Any]], weights: int, tensors: int) -> list[Line]:
    """Formats over all tensors, least error first: metrics of merged sums, and plain means over tensors beside them."""
    title = f"  {counted(tensors, 'tensor')}, {amount(weights)} weights; sums merged over tensors, least error first; ★"
    title += " Pareto front"
    lines: list[Line] = [[("Summary", "bold"), (title, "dim")]]
    width = max(NAME, *(len(row["format"]) for row in rows))
    titles = "".join(_titled(name, False) for name in SHOWN)
    means = "".join(f"{'mean ' + name.upper():>{CELL + 3}}" for name in SHOWN[:3])
    lines.append([(f"    {'FORMAT':<{width}} {'BITS':>7} {titles}{means}{'SIZE':>{CELL}}{'TIME':>{CELL}}", "bold")])
    for row in rows:
        line: Line = [("    " if row["better"] else "  ★ ", "yellow")]
        line.append((f"{row['format']:<{width}} {row['bits']:>7.3f} ", ""))
        line += [_cell(name, row[name], CELL + 2, row["flags"]) for name in SHOWN]
        line += [(f"{number(name, row.get(f'mean_{name}')):>{CELL + 3}}", "dim") for name in SHOWN[:3]]
        line.append((f"{size(row['bytes']):>{CELL}}{seconds(row['seconds']):>{CELL}}", ""))
        if row["better"]:
            line.append((f"   {row['better']} has less error at these bits", "dim"))
        lines.append(line)
    return lines


def front(rows: Iterable[dict[str, Any]]) -> Line:
    """The formats worth their bits, by bits: the Pareto front."""
    best = sorted((row for row in rows if not row["better"]), key=lambda row: row["bits"])
    line: Line = [("least error at their bits  ", "bold")]
    for i, row in enumerate(best):
        line += [(" → " if i else "", "dim"), (row["format"], "green"), (f" {row['bits']:.4g}", "dim")]
    return line


def _format_row(record: Record, width: int, sampled: bool, cached: bool) -> Line:
    values, flags = metrics.compute(record.signal, record.error)
    line: Line = [(f"  {record.format:<{width}} {record.bits:>7.3f} ", "")]
    for name in SHOWN:
        line.append(_cell(name, values[name], CELL + 2, flags))
        if sampled:
            error = record.errors.get(name)
            line.append((f" {'±' + format(error, '.1e') if error is not None else '':<8}", "dim"))
    nbytes = record.bits * _weights(record) / 8
    line.append((f"{size(nbytes):>{CELL}}{seconds(record.seconds):>{CELL}}", ""))
    line.append(("  cached" if cached else "", "dim"))
    return line


def _titled(name: str, sampled: bool) -> str:
    return f"{TITLES.get(name, name.upper()):>{CELL + 2}}" + (" " * CELL if sampled else "")


def _cell(name: str, value: float | None, width: int, flags: Collection[str]) -> tuple[str, str]:
    return f"{number(name, value, flags):>{width}}", COLOURS[metrics.classify(name, value)]


def _weights(record: Record) -> int:
    count = 1
    for n in record.shape:
        count *= n
    return count


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
