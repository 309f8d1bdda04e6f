"""Reading: safetensors into float32 slabs against plain reads of the same bytes, GGUF blocks against gguf's own decoder."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import gguf
import numpy as np

from fewbits.bench.process import peak_of
from fewbits.bench.row import Row
from fewbits.bench.timing import Work, best
from fewbits.packing.decoder import decode
from fewbits.slabs import SLAB
from fewbits.sources import open_source
from fewbits.tensor import Tensor

__all__ = ["Reading", "against_gguf", "against_plain_read", "sparse", "write_safetensors"]

COLUMNS = 4096
STORED = {"float32": ("F32", 4), "bfloat16": ("BF16", 2)}
TYPES = ("Q4_0", "Q8_0", "Q4_K")


def write_safetensors(path: Path, dtype: str, rows: int, content: bytes | None = None) -> None:
    """A file of one tensor `w` of (rows, 4096); without content a sparse one, all zeros."""
    stored, width = STORED[dtype]
    nbytes = rows * COLUMNS * width
    entry = {"dtype": stored, "shape": [rows, COLUMNS], "data_offsets": [0, nbytes]}
    header = json.dumps({"w": entry}).encode()
    with path.open("wb") as file:
        file.write(len(header).to_bytes(8, "little") + header)
        if content is None:
            file.truncate(file.tell() + nbytes)
        else:
            file.write(content)


@dataclass(frozen=True)
class Reading:
    """A way to read slabs of a stored type, and the least rate it must have next to plain reads of the same bytes."""

    dtype: str
    into: str
    read: Callable[[Tensor, int, int], object]
    must: float | None


READINGS = (
    Reading("float32", "float32", Tensor.read, 0.7),
    Reading("bfloat16", "16-bit", Tensor.read16, 0.7),  # what the compiled loops take
    Reading(
        "bfloat16", "float32", Tensor.read, None
    ),  # writes twice as many bytes as the plain read, and is bound by that
)


def against_plain_read(rows: int, repetitions: int) -> Iterator[Row]:
    """One row a way of reading: seconds of plain reads of each slab's bytes ÷ seconds of the same slabs; page cache warm."""
    for way in READINGS:
        width = STORED[way.dtype][1]
        with tempfile.TemporaryDirectory(prefix="fewbits-bench-") as folder:
            path = Path(folder) / "model.safetensors"
            write_safetensors(path, way.dtype, rows, np.random.default_rng(0).bytes(rows * COLUMNS * width))
            reading, slabs = best([*_pieces(path, rows, width, way)], repetitions)
        nbytes = rows * COLUMNS * width
        detail = f"{nbytes / slabs / 1e9:.2f} GB/s of the file, plain {nbytes / reading / 1e9:.2f}; page cache warm"
        what, unit = f"reading {way.dtype} safetensors into {way.into} slabs", "of the rate of plain reads"
        yield Row(what, reading / slabs, unit, way.must, None, "least", detail)


def _pieces(path: Path, rows: int, width: int, way: Reading) -> tuple[list[Work], list[Work]]:
    """Plain reads of the bytes of each slab, and reads of each slab."""
    tensor, height, line = open_source(path)["w"], SLAB // COLUMNS, COLUMNS * width
    start = path.stat().st_size - rows * line

    def plain(top: int) -> bytes:
        with path.open("rb", buffering=0) as file:
            file.seek(start + top * line)
            return file.read(height * line)

    tops = range(0, rows, height)
    return [partial(plain, top) for top in tops], [partial(way.read, tensor, top, top + height) for top in tops]


def against_gguf(blocks: int, repetitions: int) -> Iterator[Row]:
    """One row a type: seconds of gguf's numpy decoder ÷ ours, one core."""
    for name in TYPES:
        kind = gguf.GGMLQuantizationType[name]
        values, size = gguf.GGML_QUANT_SIZES[kind]
        count = blocks * 256 // values
        data = np.random.default_rng(0).integers(0, 60, (count, size), np.uint8)  # small bytes: scales stay finite
        out = np.empty(count * values, np.float32)
        theirs: list[Work] = [partial(gguf.dequantize, data, kind)]
        ours: list[Work] = [partial(decode, name, data.reshape(-1), out)]
        slow, fast = best([theirs, ours], repetitions)
        detail = f"{out.size / fast / 1e9:.2f} G values/s, gguf {out.size / slow / 1e9:.3f}"
        yield Row(f"decoding {name}", slow / fast, "times the speed of gguf's decoder", 10.0, None, "least", detail)


def sparse(values: int) -> Row:
    """Peak resident memory of measuring a tensor in a sparse file, bf16, two threads."""
    with tempfile.TemporaryDirectory(prefix="fewbits-bench-") as folder:
        path = Path(folder) / "model.safetensors"
        write_safetensors(path, "float32", values // COLUMNS)
        seconds, peak = peak_of(path)
    detail = f"{values * 4 / 1e9:.1f} GB of float32 in a sparse file, bf16, two threads, {seconds:.1f} s"
    return Row("peak memory of a large file", peak / 1e9, "GB", 1.004, None, "most", detail)
