"""The targets: one a reader, each bytes → tensors, with the mutator that reaches inside and words of the format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fewbits.sources.file import File
from fewbits.sources.gguf import read_gguf
from fewbits.sources.index import choose_index, parse_index
from fewbits.sources.numpy_file import read_npy, read_npz
from fewbits.sources.onnx_file import read_onnx
from fewbits.sources.restricted_pickle import unpickle
from fewbits.sources.safetensors_file import read_safetensors
from fewbits.sources.scanner import Scanner
from fewbits.sources.shards import files_of
from fewbits.sources.torch_file import read_torch
from fewbits.sources.torch_records import BUILDERS, DTYPE_OF_STORAGE, found_global, storage
from fewbits.tensor import Tensor
from fuzz import seeds
from fuzz.mutators import Mutator, json_mutated, safetensors_mutated, zip_mutated
from fuzz.outcome import Read
from fuzz.packed_target import read_packed
from held_file import Held

__all__ = ["TARGETS", "Target"]


@dataclass(frozen=True)
class Target:
    """A reader, small files that it reads, a mutator that keeps their frame, and words that stand in them."""

    name: str
    read: Read
    seeds: Callable[[], list[bytes]]
    mutator: Mutator | None = None
    words: tuple[bytes, ...] = ()


def read_index(file: Held) -> list[Tensor]:
    """An index names files; there are no tensors in it."""
    homes = parse_index(file.content, file.where)
    names = sorted(set(homes.values()))
    choose_index(names, file.where)
    files_of(names, file.where)
    return []


def read_pickle(file: Held) -> list[Tensor]:
    """The pickle machine alone, one pickle after the other, with the names of torch."""
    scanner = Scanner(file, "its pickles")
    while scanner.left:
        unpickle(scanner, lambda name: found_global(name, file.where), storage)
    return []


def read_onnx_beside(file: Held) -> list[Tensor]:
    """A model beside a file of 96 bytes, whatever it is called."""

    def beside(name: str) -> File:
        return Held(bytes(range(96)), name)

    return read_onnx(file, beside)


GLOBALS = tuple(
    b"c" + b"\n".join(part.encode() for part in name.rpartition(".")[::2]) + b"\n"
    for name in (*BUILDERS, *(f"torch.{kind}Storage" for kind in DTYPE_OF_STORAGE), "torch.bfloat16", "__torch__.M")
)
JSON = tuple(
    word.encode() for word in ('"dtype":', '"shape":', '"data_offsets":', '"__metadata__":', '"weight_map":', "\\ud800")
)
NUMPY = (
    b"'descr':",
    b"'fortran_order': True",
    b"'shape': (",
    b"'<f2'",
    b"'>f4'",
    b"'|V2'",
    b"'|b1'",
    b"0x",
    b"\x93NUMPY",
)
ZIP = (b"PK\1\2", b"PK\3\4", b"PK\5\6", b"PK\6\6", b"PK\6\7", b"\xff\xff\xff\xff", b"\1\0\x10\0", b"data.pkl", b".npy")

TARGETS = (
    Target("safetensors", read_safetensors, seeds.safetensors_files, safetensors_mutated, JSON),
    Target("index", read_index, seeds.indexes, json_mutated, JSON),
    Target("gguf", read_gguf, seeds.gguf_files, None, (b"GGUF", b"general.alignment", b"\x09\0\0\0", b"\xff" * 8)),
    Target("npy", read_npy, seeds.npy_files, None, NUMPY),
    Target("npz", read_npz, seeds.npz_files, zip_mutated, ZIP + NUMPY),
    Target("torch", read_torch, seeds.torch_files, zip_mutated, ZIP + GLOBALS),
    Target("legacy", read_torch, seeds.legacy_files, None, GLOBALS),
    Target("torchscript", read_torch, seeds.script_files, zip_mutated, ZIP + GLOBALS),
    Target("pickle", read_pickle, seeds.pickles, None, GLOBALS),
    Target("onnx", read_onnx_beside, seeds.onnx_files, None, (b"location", b"offset", b"length", b"external.data")),
    Target("packed", read_packed, seeds.packed_files, json_mutated, ()),
)
