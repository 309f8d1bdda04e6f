"""Kernels: plans applied to arrays. Every backend has `quantize`, `encode` and, but for the reference, `sum_errors`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from fewbits.errors import UsageError
from fewbits.kernels.cache import is_kept

is_kept()  # before numba is imported: it looks for its place then

__all__ = ["backend"]

BACKENDS = {"cpu": "fewbits.kernels.cpu", "reference": "fewbits.kernels.reference"}


def backend(name: str) -> ModuleType:
    """The module of a backend: cpu (compiled) or reference (the slow definition)."""
    if name not in BACKENDS:
        raise UsageError(f"unknown backend '{name}'; {' and '.join(BACKENDS)} are allowed")
    return import_module(BACKENDS[name])
