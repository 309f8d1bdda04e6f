"""The kinds of files that hold tensors, and which reader takes which."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePath

from fewbits.errors import SourceError
from fewbits.sources.file import File
from fewbits.tensor import Tensor

__all__ = ["CONTAINERS", "SUFFIXES", "Beside", "Container", "container_of", "read_container"]

Beside = Callable[[str], File]


@dataclass(frozen=True)
class Container:
    """A kind of file: its suffixes, what files of it begin with, and `module:function` that reads one."""

    name: str
    suffixes: tuple[str, ...]
    starts: tuple[bytes, ...]
    reader: str
    spread: bool = False  # its values may lie in files beside it

    def read(self, file: File, beside: Beside) -> list[Tensor]:
        """The tensors of a file, `beside` opening others of its folder by name; raises `SourceError`."""
        module, _, function = self.reader.partition(":")
        read: Callable[..., list[Tensor]] = getattr(import_module(f"fewbits.sources.{module}"), function)
        return read(file, beside) if self.spread else read(file)


CONTAINERS = (  # in a folder of several kinds the first one counts
    Container("safetensors", (".safetensors",), (), "safetensors_file:read_safetensors"),
    Container("GGUF", (".gguf",), (b"GGUF",), "gguf:read_gguf"),
    Container("torch", (".bin", ".pt", ".pth"), (b"\x80\x02\x8a\x0a\x6c\xfc",), "torch_file:read_torch"),
    Container("TorchScript", (".ot",), (), "torch_file:read_torch"),
    Container("npz", (".npz",), (), "numpy_file:read_npz"),
    Container("npy", (".npy",), (b"\x93NUMPY",), "numpy_file:read_npy"),
    Container("ONNX", (".onnx",), (), "onnx_file:read_onnx", spread=True),
)
SUFFIXES = tuple(suffix for container in CONTAINERS for suffix in container.suffixes)
ZIP = b"PK\x03\x04"
FIRST = 16  # bytes that tell a kind


def container_of(file: File, name: str) -> Container:
    """The kind of a file, by the suffix of its name or else by its first bytes; raises `SourceError`."""
    suffix = PurePath(name).suffix.lower()
    found = next((container for container in CONTAINERS if suffix in container.suffixes), None)
    found = found or _by_first_bytes(file)
    if found is None:
        raise SourceError(f"{file.where}: not a kind of file that fewbits reads ({_listed(SUFFIXES)})")
    return found


def read_container(file: File, name: str, beside: Beside) -> list[Tensor]:
    """The tensors of a file, `beside` opening others of its folder by name; raises `SourceError`."""
    return container_of(file, name).read(file, beside)


def _by_first_bytes(file: File) -> Container | None:
    start = bytearray(min(FIRST, file.size))
    file.read_into(0, memoryview(start), "its first bytes")
    if start.startswith(ZIP):
        return _named(_kind_of_zip(file))
    if start[8:9] == b"{":
        return _named("safetensors")
    return next(
        (container for container in CONTAINERS if start.startswith(container.starts or (b"\xff" * FIRST,))), None
    )


def _kind_of_zip(file: File) -> str:
    from fewbits.sources.zip_directory import read_directory

    return "torch" if any(name.endswith("data.pkl") for name in read_directory(file)) else "npz"


def _named(name: str) -> Container:
    return next(container for container in CONTAINERS if container.name == name)


def _listed(words: Sequence[str]) -> str:
    return ", ".join(f"*{word}" for word in words)
