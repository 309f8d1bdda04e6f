"""Writing `.npz`: a zip archive with one `.npy` file for each array, as `numpy.load` reads."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from typing import IO

import numpy as np

from fewbits.convert.item import Item, Kind
from fewbits.convert.zip_writer import ZipWriter
from fewbits.sources.zip_directory import plain_name

__all__ = ["KIND", "refuses", "write"]

CODES = {"bool": "|b1", "float64": "<f8", "float32": "<f4", "float16": "<f2", "int8": "|i1", "uint8": "|u1"} | {
    f"{'u' * (kind == 'u')}int{bits}": f"<{kind}{bits // 8}" for kind in "iu" for bits in (16, 32, 64)
}


def write(items: Sequence[Item], file: IO[bytes]) -> None:
    """The archive; nothing is compressed, so that rows can be read by themselves."""
    with ZipWriter(file) as archive:
        for item in items:
            header = io.BytesIO()
            about = {"descr": CODES[item.dtype], "fortran_order": False, "shape": item.shape}
            np.lib.format.write_array_header_1_0(header, about)
            archive.add(f"{item.name}.npy", len(header.getvalue()) + item.nbytes, _content(header.getvalue(), item))


def _content(header: bytes, item: Item) -> Iterator[memoryview]:
    yield memoryview(header)
    yield from item.pieces()


def refuses(name: str) -> str:
    """Why an archive cannot have the name."""
    return "" if name and plain_name(f"{name}.npy") else "it is no name of a file inside an archive"


KIND = Kind("numpy", frozenset(CODES), refuses, write)
