"""Rows of memory: one for each model and format, and one for each GPU too."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from fewbits import catalog
from fewbits.errors import UsageError
from fewbits.formats import Format
from fewbits.memory.footprint import GIB, Model
from fewbits.memory.gpus import Gpu, fit

__all__ = ["fit_rows", "memory_rows", "stored_as"]

Named = tuple[str, Format | float]


def stored_as(texts: Iterable[str]) -> list[Named]:
    """(name, format) for names, specs and groups; a number is that many bits a parameter, without scales."""
    found: list[Named] = []
    for text in texts:
        bits = _bits(text)
        named: list[Named] = [*catalog.resolve([text])] if bits is None else [(f"{bits:g} bits", bits)]
        found += [one for one in named if one not in found]
    return found


def memory_rows(models: Iterable[Model], formats: Sequence[Named], gpus: Sequence[Gpu]) -> list[dict[str, Any]]:
    """A row for each model and format: bits a parameter, bytes, GiB (2^30), GB (10^9), and the GPUs that it fits or just fits."""
    rows = []
    for model in models:
        for name, stored in formats:
            nbytes = model.nbytes(stored)
            by_fit: dict[str, list[str]] = {"fits": [], "tight": []}
            for gpu in gpus:
                by_fit.get(fit(nbytes, gpu), []).append(gpu.name)
            rows.append(
                {
                    "model": model.name,
                    "parameters": model.parameters,
                    "format": name,
                    "spec": str(stored) if isinstance(stored, Format) else None,
                    "bits": 8 * nbytes / model.parameters if model.parameters else None,
                    "bytes": round(nbytes),
                    "gib": nbytes / GIB,
                    "gb": nbytes / 1e9,
                    **by_fit,
                }
            )
    return rows


def fit_rows(rows: Iterable[dict[str, Any]], gpus: Sequence[Gpu]) -> list[dict[str, Any]]:
    """A row for each of `memory_rows` and GPU: model, parameters, format, bits, gib, gpu, capacity in GiB, fit."""
    kept = ("model", "parameters", "format", "bits", "gib")
    return [
        {key: row[key] for key in kept} | {"gpu": gpu.name, "capacity": gpu.gib, "fit": fit(row["gib"] * GIB, gpu)}
        for row in rows
        for gpu in gpus
    ]


def _bits(text: str) -> float | None:
    try:
        bits = float(text)
    except ValueError:
        return None
    if not 0 < bits <= 64:
        raise UsageError(f"-f {text}: a number is bits a parameter, above 0 and at most 64")
    return bits
