"""What a comparison of checkpoints shows: what was matched, the tensors worst first, totals, doubts."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from fewbits import metrics
from fewbits.cli.layout import Line, Row, cropped, fitted
from fewbits.cli.progress import progress
from fewbits.cli.terminal import COLOURS, amount, counted, number, printable, shape_text, size, styled
from fewbits.diff.verdicts import verdicts

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.diff import Comparison, Simulated
    from fewbits.diff.comparison import Store
    from fewbits.formats import Format
    from fewbits.sources import Source

__all__ = ["View"]

LINES = 40  # tensors on the terminal
NAMES = 6  # tensors without a counterpart on the terminal
SHOWN = ("pcc", "mae", "atol", "sqnr_db")
TITLES = {"sqnr_db": "SQNR dB", "mse": "MSE"}
LESS = ("how", "shape", "mae", "atol", "stored")


class View:
    """Shows comparisons with `base`; nothing on stdout unless `shown`."""

    def __init__(self, base: Source, *, shown: bool) -> None:
        self.base, self.shown = base, shown

    def measure(self, comparison: Comparison, jobs: int, store: Store | None) -> None:
        """Compare everything, with progress on stderr."""
        with progress(comparison.weights, shown=self.shown) as bar:
            pairs = len(comparison.matching.pairs)
            for number_done, _ in enumerate(comparison.measure(jobs=jobs, store=store, progress=bar.advance), 1):
                bar.describe(f"{printable(comparison.label)} {number_done}/{pairs}")

    def simulate(self, names: Collection[str], named: Sequence[tuple[str, Format]], jobs: int) -> list[Simulated]:
        """Measure formats on the tensors of BASE called `names`, with progress."""
        from fewbits.cli.first_use import compile_kernels
        from fewbits.diff import simulate

        compile_kernels([f for _, f in named], silent=not self.shown)
        work = sum(t.size for t in self.base if t.name in names) * len(named)
        with progress(work, shown=self.shown) as bar:
            return simulate(self.base, names, named, jobs=jobs, progress=bar.advance)

    def failed(self, path: str, reason: str) -> None:
        """One of several could not be compared."""
        typer.echo(f"fewbits: {printable(path)} is left out: {printable(reason.removeprefix(f'{path}: '))}", err=True)

    def doubts(self, found: Sequence[Comparison]) -> None:
        """Warn, on stderr, of what speaks against the same model."""
        from fewbits.cli.terminal import console
        from fewbits.diff import doubts

        for comparison in found:
            for doubt in doubts(comparison):
                line = styled(("warning  ", "bold red"), (f"{comparison.label}: {doubt}", "red"))
                console(sys.stderr).print(line)

    def show(self, console: Console, found: Sequence[Comparison], rows: Sequence[dict[str, Any]]) -> None:
        """The table on the terminal."""
        narrow = console.width if console.is_terminal or os.environ.get("COLUMNS", "").isdecimal() else 0
        lines = [self._base(), *_tensors(found[0], rows, narrow)] if len(rows) and "tensor" in rows[0] else []
        for line in lines or [self._base(), *_methods(rows, narrow)]:
            console.print(styled(*cropped(line, narrow)))

    def written(self, paths: Collection[Path]) -> None:
        """Where files are."""
        for path in paths if self.shown else ():
            typer.echo(f"written  {path}")

    def _base(self) -> Line:
        at = f" @ {self.base.revision[:12]}" if self.base.revision else ""
        own = [t for t in self.base if not t.companion_of]
        weights = sum(t.size for t in own)
        what = f"   {counted(len(own), 'tensor')}, {amount(weights)} weights, {size(sum(t.nbytes for t in own))}"
        return [("base     ", "bold"), (f"{printable(self.base.title)}{at}", ""), (what, "dim")]


def _tensors(comparison: Comparison, rows: Sequence[dict[str, Any]], narrow: int) -> list[Line]:
    """One comparison: header, tensors worst first, totals."""
    from fewbits.diff import total

    every, changed = comparison.differences, [d for d in comparison.differences if not d.identical]
    lines = [*_header(comparison), []]
    listed = [row for row in rows if row["status"] == "compared" and row["atol"] != 0]
    if listed:
        wide = max(len("TENSOR"), *(len(printable(row["tensor"])) for row in listed[:LINES])) + 2
        lines += fitted([_titles(wide), *(_tensor(row, wide) for row in listed[:LINES])], narrow, LESS)
        if len(listed) > LINES:
            lines.append([(f"  … {len(listed) - LINES} more with less error; --json, --csv and -o have all", "dim")])
        lines.append([])
    if len(every) > len(changed):
        same = len(every) - len(changed)
        lines.append([(f"{counted(same, 'tensor')} {'is' if same == 1 else 'are'} identical", "green")])
    totals = [("changed", changed), ("all", every)] if 0 < len(changed) < len(every) else [("all", every)]
    cells = [_total(name, total(of)) for name, of in totals]
    return lines + fitted([_total_titles(), *cells], narrow, ("pcc", "mse", "size"))


def _header(comparison: Comparison) -> list[Line]:
    other, matching = comparison.other, comparison.matching
    at = f" @ {other.revision[:12]}" if other.revision else ""
    kinds = Counter[str]()
    for pair in matching.pairs:
        kinds[pair.other.layout or pair.other.dtype] += pair.other.size
    stored = ", ".join(f"{kind} ({100 * n / max(comparison.weights, 1):.0f} %)" for kind, n in kinds.most_common(3))
    asked = len(matching.pairs) + sum(u.status != "other only" for u in matching.unmatched)
    share = 100 * comparison.weights / max(comparison.weights_in_all, 1)
    how = Counter(step for d in comparison.differences for step in d.how)
    ways = "".join(f"; {count} {step}" for step, count in how.items())
    query = f" matching '{comparison.query}'" if comparison.query else ""
    of = f"{len(matching.pairs)} of {counted(asked, 'tensor')}{query}, {_percent(share)} of their weights{ways}"
    lines: list[Line] = [
        [("other    ", "bold"), (f"{comparison.label}{at}", ""), (f"   {stored}", "dim")],
        [("matched  ", "bold"), (of, "" if share > 99 else "yellow")],
    ]
    for status in dict.fromkeys(u.status for u in matching.unmatched):
        found = [u for u in matching.unmatched if u.status == status]
        names = [u.tensor.name + (f" ({u.reason})" if u.reason else "") for u in found[:NAMES]]
        more = f" … {len(found) - NAMES} more" if len(found) > NAMES else ""
        lines.append([(f"{status}: ", "bold"), (f"{len(found)}  ", ""), (", ".join(names) + more, "dim")])
    return lines


def _percent(share: float) -> str:
    return "all" if share == 100 else f"{share:.4g} %" if share < 99.95 else f"{share:.6g} %"


def _titles(wide: int) -> Row:
    row = {
        "name": (f"{'TENSOR':<{wide}}", "bold"),
        "shape": (f"{'SHAPE':<16}", "bold"),
        "stored": (f"{'STORED AS':<24} ", "bold"),
    }
    row["bits"] = (f"{'BITS':>7}", "bold")
    row |= {name: (f"{TITLES.get(name, name.upper()):>11}", "bold") for name in SHOWN}
    return row | {"how": ("  ", "bold")}


def _tensor(row: dict[str, Any], wide: int) -> Row:
    spec = row["spec"] if len(row["spec"]) <= 24 else row["spec"][:23] + "…"
    cells = {"name": (f"{printable(row['tensor']):<{wide}}", ""), "shape": (f"{shape_text(row['shape']):<16}", "dim")}
    cells |= {"stored": (f"{printable(spec):<24} ", "dim"), "bits": (f"{row['bits']:>7.3f}", "")}
    for name in SHOWN:
        value = row[name]
        cells[name] = (f"{number(name, value, row['flags']):>11}", COLOURS[metrics.classify(name, value)])
    how = "; ".join(
        step for step in row["how"].split("; ") if step != "renamed"
    )  # which is said above, and often of all
    return cells | {"how": (f"  {how}" if how else "", "dim")}


def _total_titles() -> Row:
    row = {
        "name": (f"{'TOTAL':<10}", "bold"),
        "tensors": (f"{'TENSORS':>8}", "bold"),
        "size": (f"{'SIZE':>10}", "bold"),
    }
    row["bits"] = (f"{'BITS':>9}", "bold")
    row |= {name: (f"{TITLES.get(name, name.upper()):>11}", "bold") for name in ("pcc", "mse", "sqnr_db")}
    return row | {"gap": (f"{'GAP bits':>10}", "bold")}


def _total(name: str, found: dict[str, Any]) -> Row:
    cells = {
        "name": (f"{name:<10}", ""),
        "tensors": (f"{found['tensors']:>8}", ""),
        "bits": (f"{found['bits']:>9.3f}", ""),
    }
    cells["size"] = (f"{size(found['bytes']):>10}", "")
    for metric in ("pcc", "mse", "sqnr_db"):
        style = COLOURS[metrics.classify(metric, found[metric])]
        cells[metric] = (f"{number(metric, found[metric], found['flags']):>11}", style)
    order = ("name", "tensors", "size", "bits", "pcc", "mse", "sqnr_db")
    return {key: cells[key] for key in order} | {"gap": (f"{_signed(found['gap']):>10}", "")}


def _methods(rows: Sequence[dict[str, Any]], narrow: int) -> list[Line]:
    """Several comparisons: one row a method, least error first."""
    good = [row for row in rows if not row["reason"]]
    over = f"over the {counted(good[0]['tensors'], 'tensor')} ({amount(good[0]['weights'])} weights) that all have "
    lines: list[Line] = [[], [("Methods", "bold"), (f"  {over}and at least one changes; least error first", "dim")]]
    wide = max(len("METHOD"), *(len(printable(row["format"])) for row in good)) + 2
    titles = {
        "name": (f"{'METHOD':<{wide}}", "bold"),
        "stored": (f"{'STORED AS':<24}", "bold"),
        "mse": (f"{'MSE':>11}", "bold"),
    }
    titles |= {
        "bits": (f"{'BITS':>9}", "bold"),
        "sqnr": (f"{'SQNR dB':>9}", "bold"),
        "gap": (f"{'GAP bits':>10}", "bold"),
    }
    table: list[Row] = [titles | {"note": ("", "")}]
    for row in good:
        spec = row["spec"] if len(row["spec"]) <= 23 else row["spec"][:22] + "…"
        missing = f"  {counted(row['not_compared'], 'tensor')} not compared" if row["not_compared"] else ""
        cells = {"name": (f"{printable(row['format']):<{wide}}", ""), "stored": (f"{printable(spec):<24}", "dim")}
        cells["mse"] = (f"{number('mse', row['mse'], row['flags']):>11}", "")
        cells["bits"] = (f"{row['bits']:>9.3f}", "")
        cells["sqnr"] = (f"{number('sqnr_db', row['sqnr_db'], row['flags']):>9}", "")
        cells["gap"] = (f"{_signed(row['gap']):>10}", "")
        table.append(cells | {"note": (missing, "yellow")})
    lines += fitted(table, narrow, ("note", "stored"))
    if found := verdicts(rows):
        lines += [[], *([(printable(sentence), "")] for sentence in found)]
    failed = [row for row in rows if row["reason"]]
    lines += [
        [
            (f"{printable(row['format'])}  ", ""),
            (f"not compared: {row['reason'].removeprefix(row['format'] + ': ')}", "red"),
        ]
        for row in failed
    ]
    return lines


def _signed(value: float | None) -> str:
    return "–" if value is None else f"{value:+.3f}"
