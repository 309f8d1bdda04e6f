"""A record: one measurement, as keys and mergeable sums; one line of JSON in a run directory."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass, field, fields
from hashlib import sha256

from fewbits import metrics
from fewbits.errors import DataError

__all__ = ["Record", "key"]


@dataclass(frozen=True)
class Record:
    """One measurement: a format on a tensor, as sums over finite values; the same `key` means the same numbers.

    `identity` names the bytes of the tensor, `format` is what the user typed, `spec` its canonical text, `bits` are per
    weight, `sampling` is "" or what rows were read, `errors` maps metrics to standard errors (samples only), `seconds`
    are kernel time, `time` is when it was made (seconds since 1970).
    """

    model: str
    tensor: str
    identity: str
    shape: tuple[int, ...]
    dtype: str
    layout: str
    format: str
    spec: str
    bits: float
    signal: dict[str, float]
    error: dict[str, float]
    seconds: float
    sampling: str = ""
    errors: dict[str, float] = field(default_factory=dict)
    backend: str = "cpu"
    encoder: str = "rtn"
    evidence: str = "weights"
    arithmetic: int = metrics.ARITHMETIC_VERSION
    time: float = 0.0

    @property
    def key(self) -> str:
        """What the numbers depend on, hashed: bytes, spec, sampling, backend, encoder, evidence and arithmetic."""
        return key(
            self.identity,
            self.spec,
            sampling=self.sampling,
            backend=self.backend,
            encoder=self.encoder,
            evidence=self.evidence,
            arithmetic=self.arithmetic,
        )

    def to_json(self) -> str:
        """One line of JSON, without a line break; floats keep every bit, infinities and NaN are strings."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        for name in ("signal", "error", "errors"):
            values[name] = {k: v if math.isfinite(v) else str(v) for k, v in values[name].items()}
        return json.dumps({"key": self.key, **values}, separators=(",", ":"), allow_nan=False)

    @classmethod
    def from_json(cls, line: str) -> Record:
        """The record of a line that `to_json` wrote; DataError for anything else. Keys it does not know are ignored."""
        try:
            data = json.loads(line)
            for name in ("signal", "error", "errors"):
                data[name] = {k: float(v) for k, v in data[name].items()}
            data["shape"] = tuple(int(n) for n in data["shape"])
            return cls(**{f.name: data[f.name] for f in fields(cls)})
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"not a record: {line[:80]!r}") from error


def key(
    identity: str,
    spec: str,
    *,
    sampling: str = "",
    backend: str = "cpu",
    encoder: str = "rtn",
    evidence: str = "weights",
    arithmetic: int = metrics.ARITHMETIC_VERSION,
) -> str:
    """24 hexadecimal digits that name a measurement before it is made."""
    parts = json.dumps([identity, spec, sampling, backend, encoder, evidence, arithmetic])
    return sha256(parts.encode()).hexdigest()[:24]
