"""AWQ, gemm order: `qweight` is (inputs, outputs / 8) words of eight 4-bit codes, in the order 0 2 4 6 1 3 5 7.

As autoawq 0.2.7 unpacks it (awq/utils/packing_utils.py). Other orders (gemv, gemv_fast, marlin) are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.packed.bits import unpack
from fewbits.sources.packed.columns import Transposed, columns_of
from fewbits.sources.packed.gptq import group_size, neighbours, scale_columns
from fewbits.sources.packed.settings import count
from fewbits.sources.packed.spec_text import ELEMENTS, layout_text
from fewbits.sources.packed.view import FLOATS, Checkpoint, Decoded, Layout, Misfit, Packed, expect, packed
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["AWQ"]

PLACES = (0, 4, 1, 5, 2, 6, 3, 7)  # where in its word the code of each of eight outputs is
BITS = 4


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for stem, qweight in checkpoint.ending(".qweight"):
        parts = checkpoint.parts(stem, ".qweight", ".qzeros", ".scales")
        zeros = parts.get(".qzeros")
        alike = zeros is not None and zeros.shape[-1:] == qweight.shape[-1:]
        if ".scales" in parts and (checkpoint.method or alike):
            yield packed(f"{stem}.weight", "AWQ", parts, partial(_decode, parts, checkpoint))


def _decode(parts: Mapping[str, Tensor], checkpoint: Checkpoint) -> Decoded:
    settings = checkpoint.settings
    version = str(settings.get("version") or settings.get("format") or "gemm").lower()
    bits = count(settings, "bits") or count(settings, "w_bit") or BITS
    if version != "gemm" or bits != BITS:
        raise Misfit(f"version {quoted(version)} of {bits} bits is not one that fewbits reads: gemm of {BITS}")
    qweight = expect(parts[".qweight"], "qweight", ("int32", "uint32"))
    scales = expect(parts[".scales"], "scales", FLOATS)
    if len(qweight.shape) != 2 or len(scales.shape) != 2:
        raise Misfit(
            f"shapes {quoted(list(qweight.shape))} of qweight and {quoted(list(scales.shape))} are not matrices"
        )
    (groups, outputs), inputs = scales.shape, qweight.shape[0]
    expect(qweight, "qweight", (qweight.dtype,), (inputs, outputs // 8))
    zeros = expect(parts.get(".qzeros"), "qzeros", ("int32", "uint32"), (groups, outputs // 8))
    if outputs % 8:
        raise Misfit(f"{outputs} outputs are no multiple of 8")
    size = group_size(settings, groups, inputs)
    read_zeros = _codes(zeros)
    values = Transposed(
        inputs=inputs,
        codes=_codes(qweight),
        zeros=lambda start, stop: read_zeros(start, stop).astype(np.float32),
        scales=scale_columns(scales),
        groups=neighbours(inputs, size, groups),
        dtype=scales.dtype,
    )
    block = size if groups > 1 else "row"
    name = f"AWQ gemm int4 {f'g{size}' if groups > 1 else 'row'}"
    layout = layout_text(name, f"u4@{block}:{ELEMENTS[scales.dtype]}+zero")
    return Decoded((outputs, inputs), scales.dtype, layout, values)


def _codes(words: Tensor) -> Callable[[int, int], NDArray[np.uint8]]:
    """(outputs, rows of words) for outputs start ≤ o < stop."""

    def read(start: int, stop: int) -> NDArray[np.uint8]:
        first, last = start // 8, -(-stop // 8)
        raw = np.ascontiguousarray(columns_of(words, first, last))
        codes = unpack(raw, BITS, (last - first) * 8).reshape(len(raw), -1, 8)[:, :, PLACES]
        return np.ascontiguousarray(codes.reshape(len(raw), -1)[:, start - first * 8 : stop - first * 8].T)

    return read


AWQ = Layout(_find, frozenset({"awq"}))
