"""A profile as it is kept: one line of JSON in a run directory, believed only where every number can be."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, NamedTuple

from fewbits import metrics
from fewbits.errors import DataError

__all__ = ["AMAX_BLOCKS", "BINS", "PERCENT", "SCALE_PERCENT", "WORST", "InFormat", "Profile", "Worst", "key"]

OCTAVES, STEPS = 20, 4  # magnitudes that are told apart: 2^-20 of the largest and up, four bins an octave
BINS = 2 * (OCTAVES * STEPS + 1) + 1
AMAX_BLOCKS = (16, 32, 128)  # values of a row whose largest magnitude is looked at
PERCENT = (0, 1, 5, 25, 50, 75, 95, 99, 100)
SCALE_PERCENT = (0, 50, 100)
WORST = 8
VERSION = 1  # of what the numbers mean

FLOAT32_MAX = 3.4028235e38  # as it is written, a little above it
INDEX_MAX = 2**32 - 1


class Worst(NamedTuple):
    """A block: first row and column, share of the tensor's squared error, SQNR in dB, largest magnitude, final scale."""

    row: int
    column: int
    share: float | None
    sqnr: float | None
    amax: float
    scale: float | None


@dataclass(frozen=True)
class InFormat:
    """Quantiles (0, 50, 100 %) of the magnitudes of the blocks' final scales, None without scales and for one that is not finite;
    the blocks with the largest squared error."""

    scale: tuple[float | None, ...] | None
    worst: tuple[Worst, ...]


@dataclass(frozen=True)
class Profile:
    """What is seen of a tensor in a share `looked_at` of its values.

    `identity` and `sampling` are those of its records. `amax` is the tensor's largest magnitude, as far as it is known.
    `histogram`: counts of values in the order of value, 80 bins of negative ones (each a factor 2^(1/4) wide, from −amax to
    −2^-20·amax; a bin holds its end that is farther from zero), one of smaller negative ones, zeros, small positive ones, 80
    of positive ones; NaN and infinities are in none. `block_amax`: quantiles (`PERCENT`) of the largest magnitude in blocks
    of 16, 32 and 128 along the rows. `formats`: by spec; None where a format could not be looked at.
    """

    tensor: str
    identity: str
    looked_at: float
    amax: float
    histogram: tuple[int, ...]
    block_amax: tuple[tuple[float, ...], ...]
    formats: Mapping[str, InFormat | None] = field(default_factory=dict)
    sampling: str = ""
    time: float = 0.0

    @property
    def key(self) -> str:
        """What the numbers depend on besides formats, hashed."""
        return key(self.identity, self.sampling)

    def joined(self, later: Profile) -> Profile:
        """Two profiles of the same values as one; what the later says of a format counts."""
        return replace(later, formats={**self.formats, **later.formats})

    def to_json(self) -> str:
        """One line of JSON, without a line break."""
        formats = {
            spec: found and {"scale": found.scale, "worst": [list(block) for block in found.worst]}
            for spec, found in self.formats.items()
        }
        values = {name: getattr(self, name) for name in NAMES}
        return json.dumps({"key": self.key, **values, "formats": formats}, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Profile:
        """The profile of a line that `to_json` wrote; DataError for anything else. Keys it does not know are ignored."""
        try:
            return cls.from_data(json.loads(line))
        except (ValueError, RecursionError) as error:
            raise DataError(f"not a profile: {line[:80]!r}") from error

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Profile:
        """The same for the parsed line."""
        try:
            found = cls(
                tensor=_text(data["tensor"]),
                identity=_text(data["identity"]),
                looked_at=_number(data["looked_at"], 0, 1),
                amax=_number(data["amax"]),
                histogram=tuple(_index(n) for n in _of_length(data["histogram"], BINS)),
                block_amax=tuple(
                    tuple(_number(v) for v in _of_length(row, len(PERCENT)))
                    for row in _of_length(data["block_amax"], len(AMAX_BLOCKS))
                ),
                formats={_text(spec): part and _in_format(part) for spec, part in data["formats"].items()},
                sampling=_text(data["sampling"]),
                time=_number(data["time"], 0, math.inf),
            )
            if data["key"] != found.key:
                raise ValueError("made otherwise")
        except (ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
            raise DataError(f"not a profile: {str(data)[:80]!r}") from error
        return found


NAMES = ("tensor", "identity", "looked_at", "amax", "histogram", "block_amax", "sampling", "time")


def key(identity: str, sampling: str = "") -> str:
    """24 hexadecimal digits that name a profile before it is made."""
    parts = json.dumps(["profile", VERSION, identity, sampling, metrics.ARITHMETIC_VERSION])
    return sha256(parts.encode()).hexdigest()[:24]


def _in_format(data: Mapping[str, Any]) -> InFormat:
    scale = data["scale"]
    if scale is not None:
        scale = tuple(_optional(v, 0) for v in _of_length(scale, len(SCALE_PERCENT)))
    if len(data["worst"]) > WORST:
        raise ValueError("too many blocks")
    return InFormat(scale, tuple(_worst(*block) for block in data["worst"]))


def _worst(row: Any, column: Any, share: Any, sqnr: Any, amax: Any, scale: Any) -> Worst:
    return Worst(
        _index(row),
        _index(column),
        _optional(share, 0, 1),
        _optional(sqnr, -FLOAT32_MAX),
        _number(amax),
        _optional(scale, -FLOAT32_MAX),
    )


def _text(value: Any) -> str:
    if type(value) is not str:
        raise TypeError("text expected")
    return value


def _index(value: Any) -> int:
    if type(value) is not int or not 0 <= value <= INDEX_MAX:
        raise ValueError("a count or place expected")
    return value


def _number(value: Any, low: float = 0, high: float = FLOAT32_MAX) -> float:
    if type(value) not in (int, float) or not low <= value <= high:  # NaN is not
        raise ValueError("a number of float32 expected")
    return float(value)


def _optional(value: Any, low: float, high: float = FLOAT32_MAX) -> float | None:
    return None if value is None else _number(value, low, high)


def _of_length(values: Any, length: int) -> Sequence[Any]:
    if type(values) is not list or len(values) != length:
        raise ValueError(f"{length} values expected")
    return values
