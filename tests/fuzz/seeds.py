"""Small right files of every kind, to start from: those that are stored, and some that are written here."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from checkpoints import safetensors
from fewbits.sources.ggml_types import GGML_TYPES
from fuzz.packed_target import described
from gguf_files import ARRAY, BOOL, F32, F64, I8, I32, TEXT, U8, U32, U64, array, gguf_file, info, number, text

__all__ = [
    "gguf_files",
    "indexes",
    "legacy_files",
    "npy_files",
    "npz_files",
    "onnx_files",
    "packed_files",
    "pickles",
    "safetensors_files",
    "script_files",
    "torch_files",
]

TESTS = Path(__file__).parents[1]
CONTAINERS, PACKED = TESTS / "canned" / "containers", TESTS / "golden" / "packed"
LARGEST = 10_000  # bytes of a seed
PLAIN = np.arange(6, dtype=np.float32).reshape(2, 3)
KINDS = ("f8", "f4", "f2", "i8", "i4", "u2", "i1", "?")


def safetensors_files() -> list[bytes]:
    """Every dtype, ranks from 0 on, no values, metadata."""
    extended = (ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e8m0fnu)
    arrays = {f"t{n}": PLAIN.astype(kind) for n, kind in enumerate((*KINDS, *extended))}
    shapes: dict[str, Any] = {
        "scalar": np.float32(1).reshape(()),
        "none": np.zeros((0, 4), np.float32),
        "deep": PLAIN.reshape(1, 2, 1, 3),
    }
    return [safetensors({"w": PLAIN}), safetensors(arrays, format="pt"), safetensors(shapes)]


def indexes() -> list[bytes]:
    """Two files, and one in a folder."""
    maps = (
        {"a.weight": "model-1.safetensors", "b": "model-2.safetensors"},
        {"a": "x/pytorch_model.bin"},
        {"q": "m-00001-of-00001.gguf"},
    )
    return [json.dumps({"metadata": {"total_size": 1}, "weight_map": found}).encode() for found in maps]


def gguf_files() -> list[bytes]:
    """Metadata of every type, and a tensor of each type that has blocks or none."""
    rng = np.random.default_rng(0)
    metadata: dict[str | bytes, tuple[int, bytes]] = {
        "general.alignment": (U32, number(U32, 32)),
        "a.text": (TEXT, text("llama")),
        "a.yes": (BOOL, number(BOOL, 1)),
        "a.real": (F64, number(F64, 0.5)),
        "a.many": (ARRAY, array(TEXT, ["a", "bc"])),
        "a.deep": (ARRAY, array(ARRAY, [array(F32, [1.0, 2.0]), array(BOOL, [0, 1]), array(I8, [])])),
        "a.whole": (U64, number(U64, 1 << 40)),
        "a.small": (U8, number(U8, 1)),
        "a.int": (I32, number(I32, -1)),
    }
    files = [
        gguf_file(metadata, [info("w", [3, 2])], PLAIN.tobytes()),
        gguf_file({}, [info("s", []), info("e", [0, 4], 1)], bytes(4)),
    ]
    for kind, found in GGML_TYPES.items():
        data = rng.integers(0, 256, 2 * found.bytes, dtype=np.uint8).tobytes()
        files.append(gguf_file({}, [info("w", [found.values, 2], kind)], data))
    return files


def npy_files() -> list[bytes]:
    """Types, orders and versions."""
    arrays: list[Any] = [PLAIN.astype(kind) for kind in KINDS] + [
        PLAIN.astype(">f4"),
        PLAIN.T,
        np.float32(1).reshape(()),
        np.zeros((0, 3)),
    ]
    arrays += [np.arange(24, dtype=np.float16).reshape(2, 3, 4).T, PLAIN.astype(ml_dtypes.bfloat16), PLAIN.astype("c8")]
    arrays.append(np.zeros(2, [("a", "f4"), ("b", "u1")]))
    return [_npy(found) for found in arrays] + [_npy(PLAIN, (2, 0)), _npy(PLAIN, (3, 0))]


def npz_files() -> list[bytes]:
    """Stored, deflated, and with zip64 sizes, which numpy writes always."""
    files = []
    for save in (np.savez, np.savez_compressed):
        held = io.BytesIO()
        save(held, a=PLAIN, b=PLAIN.T, c=PLAIN.astype(">i2"))
        files.append(held.getvalue())
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("x.npy", _npy(PLAIN))
        archive.comment = b"a comment"
    return [*files, held.getvalue()]


def torch_files() -> list[bytes]:
    """Archives that torch wrote."""
    return _small(CONTAINERS.glob("*.pt"), legacy=False)


def legacy_files() -> list[bytes]:
    """The form before torch 1.6."""
    return _small(CONTAINERS.glob("*_legacy.pt"), legacy=True)


def script_files() -> list[bytes]:
    """Archives of TorchScript."""
    return _small(CONTAINERS.glob("*.ot"), legacy=False)


def pickles() -> list[bytes]:
    """Plain values in every protocol, and the pickles of the archives."""
    value: Any = {
        "a": [1, 2.5, -(1 << 40), True, None, "é", b"x"],
        "b": ((), (1,), (1, 2), (1, 2, 3, 4)),
        "c": {3: [[]]},
    }
    found = [pickle.dumps(value, protocol) for protocol in range(2, 6)]
    plain: Any = {"a": [1, 2.5, -(1 << 40), True, None, "é", "x"]}
    found += [pickle.dumps(plain, protocol) for protocol in range(2)]
    for path in sorted((*CONTAINERS.glob("*.pt"), *CONTAINERS.glob("*.ot"))):
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                found += [archive.read(name) for name in archive.namelist() if name.endswith("data.pkl")]
    return [content for content in found if len(content) <= LARGEST]


def onnx_files() -> list[bytes]:
    """Models with raw, typed and external values."""
    return _small(CONTAINERS.glob("*.onnx"))


def packed_files() -> list[bytes]:
    """Checkpoints of every layout, described."""
    entries = json.loads((PACKED / "entries.json").read_text())
    found = []
    for entry in entries:
        path = PACKED / f"{entry['name']}.safetensors"
        if path.exists() and path.stat().st_size <= LARGEST:
            found.append(described(path, entry.get("config")))
    return [content for content in found if len(content) <= LARGEST]


def _npy(found: np.ndarray[Any, Any], version: tuple[int, int] | None = None) -> bytes:
    held = io.BytesIO()
    np.lib.format.write_array(held, found, version)
    return held.getvalue()


def _small(paths: Any, legacy: bool | None = None) -> list[bytes]:
    """Files of at most `LARGEST` bytes; zip archives or not."""
    found = [path.read_bytes() for path in sorted(paths) if path.stat().st_size <= LARGEST]
    return [content for content in found if legacy is None or content.startswith(b"PK") is not legacy]
