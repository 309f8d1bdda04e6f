"""The registry: what a figure is called, what it shows, and which columns of the table it needs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fewbits import metrics
from fewbits.errors import UnknownName, UsageError
from fewbits.figures.chart import Chart

if TYPE_CHECKING:
    import polars

__all__ = ["FIGURES", "Draw", "Figure", "Spec", "draw", "register"]

# A chart: a Vega-Lite specification with its data inside. `altair.Chart.from_dict` makes an Altair chart of it.
Spec = dict[str, Any]

# A pure function of a table and, for measurements, a metric's name; options choose among what the table has, never bring data.
Draw = Callable[..., Spec]


@dataclass(frozen=True)
class Figure:
    """A figure and the columns it needs besides that of the metric; without `metric`, it is of a table that has none."""

    name: str
    title: str
    needs: tuple[str, ...]
    function: Draw
    metric: bool = True


FIGURES: dict[str, Figure] = {}


def register(title: str, needs: tuple[str, ...], *, metric: bool = True) -> Callable[[Draw], Draw]:
    """Enter a function of a table, and of a metric unless it says otherwise, into `FIGURES` under its own name."""

    def enter(function: Draw) -> Draw:
        name = function.__name__
        if name in FIGURES:
            raise ValueError(f"two figures are called '{name}'")
        FIGURES[name] = Figure(name, title, needs, function, metric)
        return function

    return enter


def draw(name: str, table: polars.DataFrame, metric: str = "sqnr_db", **options: Any) -> Chart:
    """The chart `name` of a table; UnknownName: no such figure or metric, UsageError: the table lacks columns.

    `metric` is for figures of measurements; the others have none.
    """
    if name not in FIGURES:
        raise UnknownName(f"unknown figure '{name}'; figures are {', '.join(FIGURES)}")
    if metric not in {row.name for row in metrics.METRICS}:
        raise UnknownName(f"unknown metric '{metric}'; metrics are {', '.join(row.name for row in metrics.METRICS)}")
    figure = FIGURES[name]
    needed = (*figure.needs, metric) if figure.metric else figure.needs
    if missing := [column for column in needed if column not in table.columns]:
        raise UsageError(f"figure '{name}' needs the columns {', '.join(missing)}, which the table does not have")
    chart = Chart(figure.function(table, metric, **options) if figure.metric else figure.function(table, **options))
    chart.name = figure.title
    return chart
