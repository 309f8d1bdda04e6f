"""Conformance: every format against the packages that implement it, value by value. An oracle is one file in `oracles`."""

from fewbits.conformance.check import COLUMNS, check
from fewbits.conformance.oracle import Known, Oracle, installed

__all__ = ["COLUMNS", "Known", "Oracle", "check", "installed"]
