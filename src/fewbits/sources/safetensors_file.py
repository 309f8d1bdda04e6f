"""A safetensors file as a list of tensors."""

from __future__ import annotations

from fewbits.sources.file import File
from fewbits.sources.header import read_header
from fewbits.sources.stored import stored_tensor
from fewbits.tensor import Tensor

__all__ = ["read_safetensors"]


def read_safetensors(file: File) -> list[Tensor]:
    """The tensors of a file as they are stored; raises `SourceError`."""
    header = read_header(file)
    return [stored_tensor(file, header, entry) for entry in header.entries.values()]
