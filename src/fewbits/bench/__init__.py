"""The performance contract (docs/design.md, section 4) measured on this machine: ratios taken in one run, best of several repetitions."""

from fewbits.bench.history import append
from fewbits.bench.row import COLUMNS, Row
from fewbits.bench.suite import facts, run

__all__ = ["COLUMNS", "Row", "append", "facts", "run"]
