"""What an oracle is: a package, the formats it covers, its answers, and where it is known to differ."""

from __future__ import annotations

import importlib
import pkgutil
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.formats import Format

__all__ = ["Answer", "Float32", "Known", "Mask", "Oracle", "installed", "version_of"]

Float32 = NDArray[np.float32]
Mask = NDArray[np.bool_]
Answer = Callable[[Float32], NDArray[Any]]  # values (rows, columns) → what the package makes of them


@dataclass(frozen=True)
class Known:
    """A documented difference: `where` is true for the values of x (rows, columns) that it explains, given (format, x, ours, theirs)."""

    reason: str
    where: Callable[[Format, Float32, Float32, Float32], Mask]


@dataclass(frozen=True)
class Oracle:
    """A package that makes values of values; `answer` is None for a format that it does not cover."""

    name: str
    package: str  # what is imported
    answer: Callable[[Format], Answer | None]
    known: Sequence[Known] = field(default=())
    version: str = ""


@cache
def installed() -> tuple[tuple[Oracle, ...], tuple[str, ...]]:
    """(oracles whose packages can be imported, names of the others); the files in `oracles`, by name."""
    from fewbits.conformance import oracles

    found, missing = [], []
    for module in sorted(pkgutil.iter_modules(oracles.__path__), key=lambda m: m.name):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what packages think of each other's versions
                found.append(importlib.import_module(f"{oracles.__name__}.{module.name}").ORACLE)
        except ImportError:
            missing.append(module.name)
    return tuple(found), tuple(missing)


def version_of(distribution: str) -> str:
    """The installed version of a package."""
    return metadata.version(distribution)
