"""Packed checkpoints for tests: what `recognise` makes of a safetensors file, and the golden ones with their answers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from checkpoints import safetensors
from fewbits.sources.file import LocalFile
from fewbits.sources.header import read_header
from fewbits.sources.packed import recognise
from fewbits.sources.stored import stored_tensor
from fewbits.tensor import Tensor

GOLDEN = Path(__file__).parent / "golden" / "packed"
WEIGHT = "model.layers.0.mlp.down_proj.weight"


def read(path: Path, quantization: Any = None) -> dict[str, Tensor]:
    """The tensors of a file, with a quantization_config beside it."""
    file = LocalFile.at(path)
    header = read_header(file)
    stored = {name: stored_tensor(file, header, entry) for name, entry in header.entries.items()}
    config = None if quantization is None else {"quantization_config": quantization}
    return {t.name: t for t in recognise(stored, config, path.name, header.metadata)}


def written(
    folder: Path, arrays: Mapping[str, np.ndarray[Any, Any]], quantization: Any = None, **metadata: str
) -> dict[str, Tensor]:
    """The same of arrays."""
    path = folder / "packed.safetensors"
    path.write_bytes(safetensors(arrays, **metadata))
    return read(path, quantization)


@cache
def entries() -> dict[str, dict[str, Any]]:
    return {entry["name"]: entry for entry in json.loads((GOLDEN / "entries.json").read_text())}


@cache
def _answers() -> Any:
    return np.load(GOLDEN / "answers.npz")


def answer(name: str) -> np.ndarray[Any, Any]:
    """What the package gives, as float32; that in float32 where it gives several."""
    outputs = entries()[name]["outputs"]
    wanted = ("deq_float32", "deq_fp32", "deq", "deq_in_out_fp16", "deq_fp16", "deq_bf16bits")
    key = next(key for key in wanted if key in outputs)
    array = _answers()[outputs[key].replace("/", "|")]
    if key.endswith("bf16bits"):
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array.astype(np.float32)
