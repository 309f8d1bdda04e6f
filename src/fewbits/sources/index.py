"""Index files of sharded checkpoints: which file holds which tensor."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from fewbits.errors import SourceError
from fewbits.sources.strict_json import parse_json, quoted

__all__ = ["CONFIG", "INDEX", "INDEX_SUFFIX", "LARGEST", "OLDER_CONFIGS", "TORCH_INDEX", "choose_index", "parse_index"]

INDEX = "model.safetensors.index.json"
INDEX_SUFFIX = ".safetensors.index.json"
TORCH_INDEX = "pytorch_model.bin.index.json"
CONFIG = "config.json"
OLDER_CONFIGS = {"hf_quant_config.json": "modelopt", "quantize_config.json": "gptq"}  # file → quant_method
LARGEST = 100_000_000  # bytes of an index or config


def parse_index(text: bytes, where: str) -> Mapping[str, str]:
    """`weight_map`: tensor name → file name; every file name stays inside the index's folder; raises `SourceError`."""
    weight_map = parse_json(text, where).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise SourceError(f"{where}: no weight_map that says which file holds which tensor")
    checked: dict[str, str] = {}
    for name, file in weight_map.items():
        if not isinstance(file, str) or not _inside(file):
            raise SourceError(
                f"{where}: tensor {quoted(name)} is in {quoted(file)}, which is no file name in this folder"
            )
        checked[name] = file
    return checked


def choose_index(files: list[str], where: str) -> str:
    """The index to go by among file names of one folder; "" where the files speak for themselves."""
    found = sorted(name for name in files if name.endswith(INDEX_SUFFIX) and "/" not in name)
    if INDEX in found:
        return INDEX
    if not found and not any(name.endswith(".safetensors") for name in files):
        return TORCH_INDEX if TORCH_INDEX in files else ""
    if not found or "model.safetensors" in files:
        return ""
    if len(found) > 1:
        raise SourceError(f"{where}: several indexes ({', '.join(map(quoted, found))}); name the one to use")
    return found[0]


@lru_cache(maxsize=4096)  # many tensors, few files
def _inside(name: str) -> bool:
    """Whether a name, as POSIX or Windows would read it, stays below the folder it is meant for."""
    path = PurePosixPath(name)
    plain = name.isprintable() and not any(character in name for character in "\\:")
    return bool(plain and path.parts and not path.is_absolute() and ".." not in path.parts)
