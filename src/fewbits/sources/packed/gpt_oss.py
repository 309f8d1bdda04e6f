"""MXFP4 of gpt-oss: `_blocks` (…, out, groups, 16) bytes of 32 codes, lowest half first, `_scales` (…, out, groups).

x̂ = code × 2^(byte − 127), also for 255, as transformers 5.23.0 reads it (integrations/mxfp4); the answer there is
(…, in, out), here (…, out, in).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.packed.bits import element_values, unpack
from fewbits.sources.packed.scaled import PIECE
from fewbits.sources.packed.spec_text import layout_text
from fewbits.sources.packed.view import Checkpoint, Decoded, Layout, Misfit, Packed, expect, packed, stored_of
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["GPT_OSS", "Shifted"]

SEPARATORS = ("_", ".")  # as in transformers, as in OpenAI's own files
BLOCK = 32


@dataclass(frozen=True)
class Shifted:
    """code × 2^exponent, a byte of exponent for each 32 codes."""

    groups: int  # of a row
    blocks: Tensor
    scales: Tensor

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        slab = np.empty((stop - start, self.groups, BLOCK), np.float32)
        blocks, scales, values = stored_of(self.blocks), stored_of(self.scales), element_values("float4_e2m1fn")
        step = max(PIECE // max(self.groups * BLOCK, 1), 1)
        for begin in range(start, stop, step):
            end = min(begin + step, stop)
            first, last = begin * self.groups, end * self.groups
            codes = unpack(blocks.raw(first * BLOCK // 2, last * BLOCK // 2), 4, (last - first) * BLOCK)
            powers = scales.raw(first, last).astype(np.int32) - 127
            with np.errstate(over="ignore"):
                piece = np.ldexp(values[codes].reshape(-1, BLOCK), powers[:, np.newaxis])
            slab[begin - start : end - start] = piece.reshape(-1, self.groups, BLOCK)
        return slab.reshape(stop - start, self.groups * BLOCK)

    def read16(self, start: int, stop: int) -> None:
        """Not stored as plain 16-bit floats."""


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for separator in SEPARATORS:
        for stem, blocks in checkpoint.ending(f"{separator}blocks"):
            parts = checkpoint.parts(stem, f"{separator}blocks", f"{separator}scales")
            if len(parts) == 2 and blocks.dtype == "uint8":
                yield packed(stem, "MXFP4", parts, partial(_decode, *parts.values()))


def _decode(*parts: Tensor) -> Decoded:
    blocks, scales = parts
    if len(blocks.shape) < 3 or blocks.shape[-1] != BLOCK // 2:
        raise Misfit(
            f"{quoted(blocks.name)} has shape {quoted(list(blocks.shape))}, not […, out, groups, {BLOCK // 2}]"
        )
    expect(scales, "scales", ("uint8", "float8_e8m0fnu"), blocks.shape[:-1])
    groups = blocks.shape[-2]
    shape = (*blocks.shape[:-2], groups * BLOCK)
    return Decoded(shape, "float32", layout_text("gpt-oss MXFP4", "e2m1@32:e8m0"), Shifted(groups, blocks, scales))


GPT_OSS = Layout(_find, frozenset({"mxfp4"}))
