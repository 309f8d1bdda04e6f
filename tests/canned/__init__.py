"""A canned run: plausible sums for a BERT-like encoder in many formats, without measuring anything.

Errors follow each format's level on Gaussian data, moved per tensor by how heavy its tails are; all of it is a
formula, so the same records come out every time.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from fewbits.run import RunDirectory
from fewbits.table import Record

# typed name, spec, bits in the limit, SQNR on Gaussian data in dB
FORMATS: tuple[tuple[str, str, float, float], ...] = (
    ("fp0", "zero", 0, 0.0),
    ("bfp2", "s2@16-align:e8m0", 2.5, 6.34),
    ("q2_k", "u2@16-qkx2:u4@16:f16+min", 2.625, 11.4),
    ("q3_k", "i3@16-q3k:i6@16:f16", 3.4375, 15.9),
    ("int4-g128", "s4@128:f16", 4.125, 18.2),
    ("nf4-dq", "nf4lut@flat64:(dyn8@flat256:f32+mean)", 4.126953125, 20.66),
    ("mxfp4", "e2m1@32:e8m0", 4.25, 18.79),
    ("mxfp4-even", "e2m1@32-even:e8m0", 4.25, 19.03),
    ("nf4", "nf4lut@flat64:f32", 4.5, 20.73),
    ("nvfp4", "e2m1@16:e4m3@tensor:f32", 4.5, 20.43),
    ("bfp4", "s4@16-align:e8m0", 4.5, 18.63),
    ("q4_k", "u4@32-qkx2:u6@8:f16+min", 4.5, 22.92),
    ("mxfp6-e2m3", "e2m3@32:e8m0", 6.25, 30.9),
    ("q6_k", "i6@16-q6k:i8@16:f16", 6.5625, 34.8),
    ("int8-row", "s8@row:f32", 8.0, 39.5),
    ("mxfp8-e4m3", "e4m3@32:e8m0", 8.25, 31.5),
    ("bfp8", "s8@16-align:e8m0", 8.5, 42.78),
    ("q8_0", "s8@32-q80:f16", 8.5, 45.9),
    ("bf16", "bf16", 16, 55.8),
    ("fp32", "f32", 32, math.inf),
)

_LAYER = (
    ("attention.self.query", (384, 384)),
    ("attention.self.key", (384, 384)),
    ("attention.self.value", (384, 384)),
    ("attention.output.dense", (384, 384)),
    ("attention.output.LayerNorm", (384,)),
    ("intermediate.dense", (1536, 384)),
    ("output.dense", (384, 1536)),
    ("output.LayerNorm", (384,)),
)


def tensors(layers: int = 6) -> list[tuple[str, tuple[int, ...]]]:
    """Names and shapes of an encoder; sorted by name, as a source gives them."""
    found: list[tuple[str, tuple[int, ...]]] = [
        ("embeddings.word_embeddings.weight", (30522, 384)),
        ("embeddings.position_embeddings.weight", (512, 384)),
        ("embeddings.token_type_embeddings.weight", (2, 384)),
        ("pooler.dense.weight", (384, 384)),
    ]
    found += [(f"encoder.layer.{i}.{role}.weight", shape) for i in range(layers) for role, shape in _LAYER]
    found += [(f"encoder.layer.{i}.{role}.bias", shape[:1]) for i in range(layers) for role, shape in _LAYER[:4]]
    return sorted(found)


def record(name: str, shape: tuple[int, ...], row: tuple[str, str, float, float], **changes: Any) -> Record:
    """One record; `changes` replace fields."""
    typed, spec, bits, level = row
    count = math.prod(shape)
    tail = 1.1 * math.sin(7.3 * sum(map(ord, name))) - 2.2 * (len(shape) == 1) - 1.5 * ("output.dense" in name)
    move = tail if level < 31 else 0.15 * tail
    std = 0.04 + 0.01 * math.cos(sum(map(ord, name)))
    energy = count * std * std
    error = 0.0 if math.isinf(level) else energy if level == 0 else energy * 10 ** (-(level + move) / 10)
    rms = math.sqrt(error / count) if count else 0.0
    biggest = std * math.sqrt(2 * math.log(count + 2))
    signal = {
        "count": float(count),
        "sum": 1e-3 * energy,
        "sum_sq": energy,
        "sum_abs": 0.8 * count * std,
        "max_abs": biggest,
        "minimum": -biggest,
        "maximum": 0.98 * biggest,
        "nan": 0.0,
        "inf": 0.0,
        "zeros": 0.0,
    }
    sums = {
        "err": 1e-4 * count * rms,
        "err_sq": error,
        "err_x": -error if level == 0 else -0.5 * error,
        "err_abs": 0.75 * count * rms,
        "err_max": biggest if level == 0 else 4 * rms,
        "zeros_made": 0.0 if not error else float(count if level == 0 else count // 50),
        "clipped": float(count // 200 if "mxfp4" in typed else 0),
    }
    seconds = 1e-9 * count * (1 + bits / 8)
    values: dict[str, Any] = {
        "model": "canned/encoder-22M", "tensor": name, "identity": f"canned:{name}", "shape": shape, "dtype": "float32",
        "layout": "", "format": typed, "spec": spec, "bits": float(bits), "signal": signal, "error": sums,
        "seconds": seconds,
    }  # fmt: skip
    return Record(**(values | changes))


def records(
    names: Iterable[tuple[str, tuple[int, ...]]] | None = None,
    formats: Sequence[tuple[str, str, float, float]] = FORMATS,
    **changes: Any,
) -> list[Record]:
    """Records of every format on every tensor."""
    return [
        record(name, shape, row, **changes)
        for name, shape in (tensors() if names is None else names)
        for row in formats
    ]


def run(directory: Path, found: Sequence[Record], **facts: Any) -> Path:
    """Write a run directory that holds these records."""
    about = {"model": found[0].model if found else "canned/none", "uri": "hf://canned/encoder-22M", "filter": "",
             "seed": 0, "revision": "c0ffee0123456789c0ffee0123456789c0ffee01",
             "files": [{"name": "model.safetensors", "bytes": 90868376}],
             "weights": 22713216, "sample_rows": None, "backend": "cpu"}  # fmt: skip
    formats = {record.spec: (record.format, record.spec, record.bits) for record in found}
    with RunDirectory(directory, about | facts, formats.values()) as store:
        store.append(found)
    return directory
