"""The tree of a model on the terminal: one line a module or tensor, below it what formats do to the tensors of the line."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from fewbits import metrics
from fewbits.cli.layout import Line, Row, cropped, fitted
from fewbits.cli.terminal import COLOURS, amount, counted, moved, number, printable, shape_text, size, styled

if TYPE_CHECKING:
    from rich.console import Console

    from fewbits.scan import Node
    from fewbits.sources import Source
    from fewbits.table import Record

__all__ = ["View", "lines"]

LESS = ("note", "weights", "bits", "layout", "what")
WORST = ("pcc", "sqnr_db")
NAME = 60  # characters of the tree, at most
COLUMNS = ("name", "what", "layout", "weights", "bytes", "share", "bits", "note")
TITLES = ("TENSOR", "SHAPE", "LAYOUT", "WEIGHTS", "BYTES", "SHARE", "BITS", "")


def lines(node: Node, path: str = "") -> Iterator[tuple[str, Node]]:
    """Every line below, depth first, with its whole name: `layers.0–11.q_proj`."""
    for child in node.children:
        name = f"{path}.{child.label}" if path else child.label
        yield name, child
        yield from lines(child, name)


class View:
    """A model as a tree; `measured` are the records of each tensor, `checked` the seconds since the hub named the commit."""

    def __init__(
        self,
        source: Source,
        root: Node,
        query: str = "",
        *,
        checked: float | None = None,
        measured: Mapping[str, Sequence[Record]] | None = None,
    ) -> None:
        self.source, self.root, self.query, self.checked, self.measured = source, root, query, checked, measured
        self.whole = sum(t.nbytes for t in source if not t.companion_of) or 1

    def show(self, console: Console) -> None:
        """Print header and tree."""
        narrow = console.width if console.is_terminal or os.environ.get("COLUMNS", "").isdecimal() else 0
        for line in [*self._header(), []]:
            console.print(styled(*cropped(line, narrow)))
        tree = list(self._tree(self.root, 0, 1))
        wide = max(len("TENSOR"), *(len(text) for text, _, _ in tree)) if tree else 0
        titles = _cells(TITLES, **dict.fromkeys(COLUMNS, "bold"))
        cells = [titles, *(self._row(*line) for line in tree)]
        wide = min(wide, NAME) + 2
        for row in cells:
            row["name"] = (f"{row['name'][0]:<{wide}}", row["name"][1])
        layout = max((len(row["layout"][0]) for row in cells[1:]), default=0)
        for row in cells:
            row["layout"] = (f"{row['layout'][0]:<{max(layout, len('LAYOUT'))}}" if layout else "", "dim")
        formatted = fitted(cells, narrow, LESS)
        for line, (text, node, _) in zip(formatted, [("", None, 0), *tree], strict=True):
            depth = len(text) - len(text.lstrip())
            console.print(styled(*_trimmed(line)))
            if node is not None and node.tensor and self.measured is not None:
                for detail in self._details(node, depth, narrow):
                    console.print(styled(*_trimmed(detail)))

    def _header(self) -> list[Line]:
        source, own = self.source, [t for t in self.source if not t.companion_of]
        at = f" @ {source.revision[:12]}" if source.revision else ""
        checked = f"   revision checked {_ago(self.checked)} ago" if self.checked is not None else ""
        nbytes, weights = sum(t.nbytes for t in own), sum(t.size for t in own)
        bits = f", {8 * nbytes / weights:.4g} bits a weight" if weights else ""
        packed = len(source) - len(own)
        scales = f" ({packed} more hold their scales)" if packed else ""
        files = f"{counted(len(source.files), 'file')}, {size(sum(n for _, n in source.files))}"
        files += f"; moved {moved(source)}" if source.moved is not None else ""
        found: list[Line] = [
            [("model    ", "bold"), (f"{printable(source.title)}{at}", ""), (checked, "dim")],
            [("files    ", "bold"), (files, "")],
            [("tensors  ", "bold"), (f"{len(own)}{scales}, {amount(weights)} weights, {size(nbytes)}{bits}", "")],
        ]
        if self.query:
            some = [member for _, node in lines(self.root) for member in node.members]
            part = f"{counted(len(some), 'tensor')} matching '{self.query}', {size(self.root.nbytes)}"
            found.append(
                [("shown    ", "bold"), (f"{part}, {100 * self.root.nbytes / self.whole:.3g} % of the model", "")]
            )
        return found

    def _tree(self, node: Node, depth: int, copies: int) -> Iterator[tuple[str, Node, int]]:
        """(indented label, node, how many copies of it the ranges around it make)."""
        for child in node.children:
            yield "  " * depth + printable(child.label), child, copies
            yield from self._tree(child, depth + 1, copies * child.copies)

    def _row(self, text: str, node: Node, around: int) -> dict[str, tuple[str, str]]:
        """The cells of a line; `around` copies of it are meant."""
        nbytes, tensor = node.nbytes * around, node.tensor
        share = f"{100 * nbytes / self.whole:.1f} %"
        if tensor is None:
            what = counted(node.tensors * around, "tensor")
            note = f"{node.copies} alike" if node.copies > 1 else ""
            return _cells((text, what, "", "", size(nbytes), share, "", note), name="bold", what="dim", note="dim")
        one, count = math.prod(tensor.shape), len(node.members)
        bits = f"{8 * nbytes / (one * count):.4g}" if one else ""
        note = f"{count} × {size(nbytes / count)}" if count > 1 else ""
        what = f"{shape_text(tensor.shape)} {tensor.dtype}"
        cells = (text, what, tensor.layout, amount(one * count), size(nbytes), share, bits, note)
        return _cells(cells, what="cyan", layout="dim", note="dim")

    def _details(self, node: Node, depth: int, narrow: int) -> list[Line]:
        """What each format does to the tensors of a line, below their values: worst ≤ mean ≤ best."""
        known = self.measured or {}
        found = [known[member.name] for member in node.members if member.name in known]
        indent = " " * (depth + 4)
        if not found:
            return [[(f"{indent}not measured", "dim")]]
        signals = [records[0].signal for records in found if records[0].signal["count"]]
        total = metrics.merge(signals)
        text = (
            f"{total['minimum']:.3g} ≤ {total['sum'] / total['count']:.2g} ≤ {total['maximum']:.3g}"
            if signals
            else "none"
        )
        wide = max(len(record.format) for record in found[0])
        rows = [_format([records[i] for records in found], indent, wide) for i in range(len(found[0]))]
        return [
            [(f"{indent}values {text}", "dim")],
            *fitted(rows, narrow, ("atol", "bits", "sqnr_db")),
        ]


def _cells(texts: Sequence[str], **styles: str) -> dict[str, tuple[str, str]]:
    """Texts by column, as wide as the column is; the name and the layout have their widths from all lines."""
    layouts = ("", "<26", "", ">9", ">9", ">9", ">7", "")
    cells = {name: format(text, layout) for name, text, layout in zip(COLUMNS, texts, layouts, strict=True)}
    cells["note"] = f"  {cells['note']}" if cells["note"] else ""
    return {name: (text, styles.get(name, "")) for name, text in cells.items()}


def _format(records: Sequence[Record], indent: str, wide: int) -> Row:
    """One format on the tensors of a line."""
    computed = [metrics.compute(r.signal, r.error) for r in records]
    bits = sum(r.bits * math.prod(r.shape) for r in records) / max(sum(math.prod(r.shape) for r in records), 1)
    row = {"name": (f"{indent}{records[0].format:<{wide}}  ", ""), "bits": (f"{bits:>7.3f} bits", "dim")}
    for name in WORST:
        values = [
            v if v is not None else math.inf
            for v, flags in ((c[0][name], c[1]) for c in computed)
            if v is not None or f"{name}:inf" in flags
        ]
        label = "PCC" if name == "pcc" else "SQNR dB"
        text, style = _spread(name, values)
        row[name] = (f"   {label} {text}", style)
    atol = [values["atol"] for values, _ in computed]  # none: an error that is infinite
    row["atol"] = (f"   ATOL {'∞' if None in atol else number('atol', max(v for v in atol if v is not None))}", "")
    return row


def _trimmed(line: Line) -> Line:
    """The line without the spaces at its end."""
    kept = list(line)
    while kept and not (text := kept[-1][0].rstrip()):
        kept.pop()
    return [*kept[:-1], (text, kept[-1][1])] if kept else kept


def _spread(name: str, values: Sequence[float]) -> tuple[str, str]:
    """min ≤ mean ≤ max in the colour class of the worst; one number where all are the same."""
    width = 8 if name == "pcc" else 5
    if not values:
        return f"{'–':<{3 * width + 6}}", ""
    short = ".6f" if name == "pcc" else ".2f"
    numbers = [min(values), sum(values) / len(values), max(values)]
    texts = ["∞" if math.isinf(v) else format(v, short) for v in numbers]
    text = texts[0] if len(values) == 1 else " ≤ ".join(texts)
    return f"{text:<{3 * width + 6}}", COLOURS[metrics.classify("pcc", min(values))] if name == "pcc" else ""


def _ago(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
