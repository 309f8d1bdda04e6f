"""docs/metrics.md, from the one table of metrics."""

from __future__ import annotations

from fewbits.metrics import ERROR, METRICS, SIGNAL
from pages.markdown import code, join, number, table

INTRODUCTION = """\
# Metrics

x is a value, y its reconstruction, e = y − x. A metric is a formula over sums, so it holds for a tile, a row, a tensor
and, after the sums are merged, for a layer or a model. Only finite x count. A value that is undefined or infinite is
null, with an entry in the column `flags`."""


def page() -> str:
    """The table of metrics with definition, unit, direction and bounds of the colour classes, and the sums below it."""
    rows = (
        (code(m.name), m.definition, m.unit, m.better, *map(number, (m.good, m.fair)), "no" if m.extreme else "yes")
        for m in METRICS
    )
    head = ("metric", "definition", "unit", "better", "good from", "fair from", "standard error with `--sample-rows`")
    sums = table(
        ("sums", "names"), (("of x, once for a tensor", _names(SIGNAL)), ("of e, for each format", _names(ERROR)))
    )
    return join(INTRODUCTION, table(head, rows), "## Sums", sums)


def _names(sums: tuple[str, ...]) -> str:
    return " ".join(map(code, sums))
