"""Golden vectors: what other people's software gives for inputs kept here; `golden/manifest.json` says whose, how."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

ROOT = Path(__file__).parent / "golden"


@dataclass(frozen=True)
class Entry:
    """One call of one package: its float32 input `x` and its outputs; `narrow` is the dtype of the package's answer."""

    name: str
    format: str
    source: str
    call: str
    x: np.ndarray
    narrow: Any
    outputs: dict[str, np.ndarray]

    @property
    def by_row(self) -> bool:
        """Every row was a tensor of its own."""
        return "/rows/" in self.name

    @property
    def group(self) -> str:
        return self.name.split(":")[0]

    @property
    def values(self) -> np.ndarray:
        """The package's reconstruction as float32."""
        kinds = {"deq_exact": None, "deq": None, "deq_bf16bits": ml_dtypes.bfloat16, "deq_bits": self.narrow}
        for key, kind in kinds.items():
            if key in self.outputs:
                found = self.outputs[key]
                return found if kind is None else found.view(kind).astype(np.float32)
        raise KeyError(f"{self.name} has no reconstruction")


@cache
def _manifest() -> dict[str, Any]:
    data = json.loads((ROOT / "manifest.json").read_text())
    return {"strings": data["strings"], **{e["entry"]: e for e in data["entries"]}}


@cache
def _file(name: str) -> Any:
    return np.load(ROOT / name)


@cache
def array(file: str, key: str) -> np.ndarray:
    """One array of one file."""
    return np.asarray(_file(file)[key])


def names(prefix: str = "") -> list[str]:
    """The names of entries, `group:name`."""
    return [name for name in _manifest() if name.startswith(prefix) and name != "strings"]


@cache
def entry(name: str) -> Entry:
    """The entry of a name."""
    data, strings = _manifest()[name], _manifest()["strings"]
    source, call = (strings.get(data[k], data[k]) for k in ("source", "call"))
    outputs = {k: array(*where) for k, where in data["outputs"].items()}
    x, narrow = _input(data["input"])
    return Entry(name, data["format"], source, call, x, narrow, outputs)


def _input(where: dict[str, str]) -> tuple[np.ndarray, Any]:
    """(float32 input after its transform, the narrow dtype it was cast to or None)."""
    if "described" in where:
        kinds = {"bf16_exhaustive_input_bits": ml_dtypes.bfloat16, "fp16_exhaustive_input_bits": np.float16}
        if where["described"] not in kinds:
            return np.empty(0, np.float32), None
        return np.arange(2**16, dtype=np.uint16).view(kinds[where["described"]]).astype(np.float32), None
    x = array(where["file"], where["key"])
    if where["key"].startswith("bf16/"):
        return x.view(ml_dtypes.bfloat16).astype(np.float32), None
    transform = where.get("transform", "")
    if m := re.fullmatch(r"(?:cast to torch\.)?(bfloat16|float16)", transform):
        narrow = ml_dtypes.bfloat16 if m[1] == "bfloat16" else np.float16
        with np.errstate(over="ignore"):
            return x.astype(narrow).astype(np.float32), narrow if "cast" in transform else None
    if transform.startswith("rows of edge with 1e-30 < max|x| < 6e4"):
        largest = np.abs(x).max(axis=1)
        x = x[(largest > 1e-30) & (largest < 6e4)]
    if m := re.match(r"(?:rows )?\[:(\d+)(?:\]|, :(\d+)\])(?:, columns \[:(\d+)\])?", transform):
        columns = m[2] or m[3]
        x = x[: int(m[1]), : int(columns)] if columns else x[: int(m[1])]
    if transform.endswith("reshaped to (-1, 256)"):
        x = x.reshape(-1, 256)
    return x, None
