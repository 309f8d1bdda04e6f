"""Seeded tensors that need no file: `synthetic:LAW/SHAPE?seed=0&sigma=1&dtype=float32`."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl

import numpy as np
from numpy.typing import NDArray

from fewbits.errors import SourceError
from fewbits.sources.dtypes import DTYPES
from fewbits.sources.file import shown
from fewbits.sources.source import Source
from fewbits.sources.stored import digest
from fewbits.tensor import Tensor

__all__ = ["LAWS", "SCHEME", "Drawn", "Law", "open_synthetic"]

SCHEME = "synthetic:"
VERSION = 1  # of the values: another number wherever they change
CHUNK = 1 << 16  # consecutive values with a random stream of their own
LARGEST = 1 << 48
OPTIONS = ("seed", "sigma", "dtype")
DTYPE_NAMES = ("float32", "bfloat16", "float16")

Draw = Callable[[np.random.Generator, int], NDArray[np.float64]]


def _outliers(random: np.random.Generator, count: int) -> NDArray[np.float64]:
    values = random.standard_normal(count)
    values[random.random(count) < 0.001] *= 20
    return values


def _student(freedom: int) -> Draw:
    return lambda random, count: random.standard_t(freedom, count) * math.sqrt((freedom - 2) / freedom)


# Variance 1 but for outliers: there, one Gaussian value in a thousand is multiplied by 20.
LAWS: dict[str, Draw] = {
    "normal": lambda random, count: random.standard_normal(count),
    "laplace": lambda random, count: random.laplace(0, math.sqrt(0.5), count),
    "uniform": lambda random, count: math.sqrt(12) * (random.random(count) - 0.5),
    "outliers": _outliers,
}


@dataclass(frozen=True)
class Law:
    """What the values are; `sigma` is their standard deviation (with outliers that of the others)."""

    name: str
    draw: Draw
    sigma: float
    seed: int
    dtype: str


@dataclass(frozen=True)
class Drawn:
    """Rows of `columns` values; value i is the same whatever rows are asked for."""

    law: Law
    columns: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32, rounded to the dtype."""
        slab = np.empty((stop - start, self.columns), np.float32)
        flat, first = slab.reshape(-1), start * self.columns
        for chunk in range(first // CHUNK, -(-(first + flat.size) // CHUNK) if flat.size else 0):
            begin, end = max(first, chunk * CHUNK), min(first + flat.size, (chunk + 1) * CHUNK)
            flat[begin - first : end - first] = self._chunk(chunk)[begin - chunk * CHUNK : end - chunk * CHUNK]
        return slab

    def read16(self, start: int, stop: int) -> NDArray[np.uint16] | None:
        """The bits of 16-bit floats."""
        if self.law.dtype == "float32":
            return None
        slab = self.read(start, stop)
        if self.law.dtype == "float16":
            return slab.astype(np.float16).view(np.uint16)
        return (slab.view(np.uint32) >> 16).astype(np.uint16)

    def _chunk(self, chunk: int) -> NDArray[np.float32]:
        """CHUNK values: counters of Philox 2^64 apart, so that no two chunks share a random number."""
        random = np.random.Generator(np.random.Philox(key=self.law.seed, counter=[0, chunk, 0, 0]))
        with np.errstate(over="ignore"):
            values = (self.law.sigma * self.law.draw(random, CHUNK)).astype(np.float32)
            return _rounded(values, self.law.dtype)


def open_synthetic(uri: str) -> Source:
    """One tensor `LAW.weight`; raises `SourceError`."""
    match = re.fullmatch(r"([A-Za-z]+\d*)/(\d+(?:x\d+)*)(?:\?(.*))?", uri.removeprefix(SCHEME))
    if not match:
        raise SourceError(f"{shown(uri)}: not {SCHEME}LAW/SHAPE?seed=…, as in {SCHEME}normal/1024x4096?seed=0")
    law = _law(uri, match[1].lower(), match[3] or "")
    shape = tuple(int(side) for side in match[2].split("x")) if len(match[2]) < 200 else (LARGEST + 1,)
    if math.prod(side or 1 for side in shape) > LARGEST:
        raise SourceError(f"{shown(uri)}: more than 2^48 values")
    text = f"{SCHEME}{law.name}/{match[2]}?seed={law.seed}&sigma={law.sigma!r}&dtype={law.dtype}"
    tensor = Tensor(
        name=f"{law.name}.weight",
        shape=shape,
        dtype=law.dtype,
        nbytes=math.prod(shape) * DTYPES[law.dtype].bits // 8,
        identity=digest(text, VERSION),
        values=Drawn(law, shape[-1]),
    )
    return Source(uri=text, title=f"{SCHEME}{law.name}", tensors=[tensor], files=[])


def _law(uri: str, name: str, options: str) -> Law:
    student = re.fullmatch(r"student(\d{1,4})", name)
    if student and int(student[1]) >= 3:
        draw = _student(int(student[1]))
    elif name in LAWS:
        draw = LAWS[name]
    else:
        raise SourceError(f"{shown(uri)}: no law '{name}'; laws are {', '.join(LAWS)} and studentN with N ≥ 3")
    given: dict[str, str] = {}
    for key, value in parse_qsl(options, keep_blank_values=True):
        if key not in OPTIONS:
            raise SourceError(f"{shown(uri)}: unknown option '{shown(key)}'; allowed are {', '.join(OPTIONS)}")
        if key in given:
            raise SourceError(f"{shown(uri)}: option '{key}' is given twice")
        given[key] = value
    seed, sigma, dtype = given.get("seed", "0"), given.get("sigma", "1"), given.get("dtype", "float32")
    if not re.fullmatch(r"\d{1,19}", seed, re.ASCII):
        raise SourceError(f"{shown(uri)}: seed '{shown(seed)}' is not an integer from 0 to 10^19 - 1")
    number = re.fullmatch(r"(\d+\.?\d*|\.\d+)(e[+-]?\d{1,3})?", sigma.lower(), re.ASCII)
    if not number or not math.isfinite(float(sigma)):
        raise SourceError(f"{shown(uri)}: sigma '{shown(sigma)}' is not a finite number ≥ 0")
    if dtype not in DTYPE_NAMES:
        raise SourceError(f"{shown(uri)}: dtype '{shown(dtype)}' is none of {', '.join(DTYPE_NAMES)}")
    return Law(name, draw, float(sigma), int(seed), dtype)


def _rounded(values: NDArray[np.float32], dtype: str) -> NDArray[np.float32]:
    """Rounded to the nearest value of the dtype, ties to even."""
    if dtype == "float32":
        return values
    import ml_dtypes

    return values.astype(np.float16 if dtype == "float16" else ml_dtypes.bfloat16).astype(np.float32)
