"""Two checkpoints of one model, tensor by tensor: which stand for each other, and how far apart they are."""

from fewbits.diff.comparison import COLUMNS, Comparison, Difference, rows
from fewbits.diff.doubts import doubts
from fewbits.diff.simulated import Simulated, simulate
from fewbits.diff.totals import METHOD_COLUMNS, changed_names, gap, methods, total
from fewbits.diff.verdicts import verdicts

__all__ = [
    "COLUMNS",
    "METHOD_COLUMNS",
    "Comparison",
    "Difference",
    "Simulated",
    "changed_names",
    "doubts",
    "gap",
    "methods",
    "rows",
    "simulate",
    "total",
    "verdicts",
]
