"""ggml: its own C library, by the reference encoder and the decoder of each type, without importance weights.

The library is one that a package brings along (pywhispercpp, llama-cpp-python, …), or the file that FEWBITS_GGML names.
"""

from __future__ import annotations

import ctypes
import os
from pathlib import Path

import gguf
import numpy as np

from fewbits.conformance.known import SIGN_OF_ZERO, block_amax
from fewbits.conformance.libraries import bundled
from fewbits.conformance.oracle import Answer, Float32, Known, Mask, Oracle
from fewbits.conformance.oracles.gguf import TYPES as WRITTEN_BY_GGUF
from fewbits.formats import Format

# spec → ggml type
MXFP4 = "e2m1@32-tozero:e8m0"
TYPES = WRITTEN_BY_GGUF | {
    "f16": "F16",
    "u2@16-qkx2:u4@16:f16+min": "Q2_K",
    "i3@16-q3k:i6@16:f16": "Q3_K",
    "u4@32-qkx2:u6@8:f16+min": "Q4_K",
    "u5@32-qkx2:u6@8:f16+min": "Q5_K",
    "i6@16-q6k:i8@16:f16": "Q6_K",
    "iq4lut@32-iq4:f16": "IQ4_NL",
    "iq4lut@32-iq4:i6@8:f16": "IQ4_XS",
}
ROW = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64)  # from, to, how many values


class Traits(ctypes.Structure):
    """`struct ggml_type_traits` of ggml.h, as it is since `from_float_ref` came (October 2024)."""

    _fields_ = (
        ("type_name", ctypes.c_char_p),
        ("blck_size", ctypes.c_int64),
        ("blck_size_interleave", ctypes.c_int64),
        ("type_size", ctypes.c_size_t),
        ("is_quantized", ctypes.c_bool),
        ("to_float", ROW),
        ("from_float_ref", ROW),
    )


def load() -> tuple[ctypes.CDLL, str]:
    """(library, version): the first that can be loaded, for a package may bring one that is too new for the system."""
    named = os.environ.get("FEWBITS_GGML")
    for path, origin in [(named, Path(named).name)] if named else bundled("ggml-base"):
        try:
            library = ctypes.CDLL(path)
            library.ggml_get_type_traits.restype = ctypes.POINTER(Traits)
            library.ggml_type_name.restype = ctypes.c_char_p
        except (OSError, AttributeError):
            continue
        return library, f"{version(library)} ({origin})".strip()
    raise ImportError("no ggml library")


def version(library: ctypes.CDLL) -> str:
    """What the library calls itself, if it does."""
    try:
        library.ggml_version.restype = ctypes.c_char_p
        return str(library.ggml_version().decode())
    except AttributeError:
        return ""


def answer(f: Format) -> Answer | None:
    """The types of `TYPES` that the library has."""
    name = TYPES.get(str(f))
    if name is None:
        return None
    number = int(gguf.GGMLQuantizationType[name])
    # An older library says NONE beyond its last type; the table of traits itself has no end.
    if LIBRARY.ggml_type_name(number).decode().upper() != name:
        return None
    traits = LIBRARY.ggml_get_type_traits(number).contents
    return lambda x: through(x, traits)


def through(x: Float32, traits: Traits) -> Float32:
    """Each row encoded and decoded.

    `ggml_quantize_chunk` without importance weights makes the same bytes as `from_float_ref`, but for IQ4_NL: there it tries
    scales around the first one, which the reference takes.
    """
    made = np.empty_like(x)
    packed = np.empty(x.shape[1] // traits.blck_size * traits.type_size, np.uint8)
    for row, out in zip(np.ascontiguousarray(x), made, strict=True):
        traits.from_float_ref(row.ctypes.data, packed.ctypes.data, row.size)
        traits.to_float(packed.ctypes.data, out.ctypes.data, row.size)
    return made


def _wraps(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    below: Mask = block_amax(f, x) < np.float32(2.0**-125)
    return below & (str(f) == MXFP4)


WRAPS = Known("MXFP4 blocks below 2^-125: the scale byte would be negative and wraps around", _wraps)
LIBRARY, VERSION = load()
ORACLE = Oracle("ggml", "ggml", answer, (SIGN_OF_ZERO, WRAPS), VERSION)
