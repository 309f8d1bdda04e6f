"""GPUs and the 85 % rule: a model fits where its weights leave 15 % of the memory for everything else."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from fewbits.errors import UnknownName, UsageError

__all__ = ["FITS", "Gpu", "chosen", "fit", "gpus"]

FITS = 0.85  # share of a GPU's memory that weights may take: the rest is for activations, caches and the driver
LARGEST = 2048  # GiB that a number may stand for


@dataclass(frozen=True)
class Gpu:
    """A GPU: its name and its memory in GiB."""

    name: str
    gib: float


@cache
def gpus() -> tuple[Gpu, ...]:
    """Every GPU of `gpus.toml`."""
    data = tomllib.loads((Path(__file__).parent / "gpus.toml").read_text(encoding="utf-8"))
    return tuple(Gpu(row["name"], float(row["gib"])) for row in data["gpu"])


def chosen(names: Iterable[str]) -> list[Gpu]:
    """The GPUs of these names, any case and part of the name; a number is a GPU of so many GiB. UsageError for others."""
    found: list[Gpu] = []
    for name in names:
        matching = [g for g in gpus() if name.lower().replace(" ", "") in g.name.lower().replace(" ", "")]
        size = _number(name)
        if size is not None and (size <= LARGEST or not matching):  # 4090 is a name
            if not 0 < size <= LARGEST:
                raise UsageError(f"GPU {name}: a number is GiB, above 0 and at most {LARGEST}")
            matching = [Gpu(f"{size:g} GiB", size)]
        if not matching:
            known = [g.name for g in gpus()]
            near = difflib.get_close_matches(name, known, n=3)
            raise UnknownName(f"unknown GPU '{name}': {', '.join(near or known)}, or a number of GiB")
        found += [g for g in matching if g not in found]
    return found


def fit(nbytes: float, gpu: Gpu) -> str:
    """`fits` within 85 % of the memory, `tight` within all of it, else `does not fit`."""
    memory = gpu.gib * 2**30
    return "fits" if nbytes <= FITS * memory else "tight" if nbytes <= memory else "does not fit"


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
