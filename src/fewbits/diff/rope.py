"""Rows of query and key projections in GGUF's order, put back into that of the checkpoint they were made from.

llama.cpp rotates neighbouring rows of a head (2i, 2i + 1), transformers row i with row i + half (rotary position embedding); for
llama and its kin the converter therefore interleaves the two halves of every head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fewbits.tensor import Tensor

__all__ = ["INTERLEAVED", "Unpermuted", "unpermute", "unpermuted"]

# GGUF architectures whose converter interleaves the rows (convert_hf_to_gguf.py: LlamaModel.permute and its users).
INTERLEAVED = frozenset(
    {
        *("llama", "mistral3", "granite", "granitemoe", "arcee", "smollm3", "deci", "deepseek", "minicpm"),
        *("internlm2", "baichuan", "xverse", "olmo", "chameleon", "arctic", "nanbeige"),
    }
)


def unpermute(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Rows of `heads` whole heads from GGUF's order to that of transformers: row 2i + j of a head becomes row j · half + i."""
    shape = rows.shape
    return rows.reshape(heads, shape[0] // heads // 2, 2, *shape[1:]).swapaxes(1, 2).reshape(shape)


def unpermuted(tensor: Tensor, heads: int) -> Tensor | None:
    """A projection of `heads` heads, or its bias, with rows in the order of transformers; None where they do not fit."""
    length = tensor.shape[0] if tensor.shape else 0
    if heads < 1 or len(tensor.shape) > 2 or not length or length % (2 * heads):
        return None
    return replace(tensor, identity=f"{tensor.identity}.rope{heads}", values=Unpermuted(tensor, heads))


@dataclass(frozen=True)
class Unpermuted:
    """`unpermute` of rows that are read head by head."""

    base: Tensor
    heads: int

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        """The rows as float32."""
        if len(self.base.shape) == 1:  # a bias: its values are the rows
            values = self.base.read(start, stop)
            return np.ascontiguousarray(unpermute(values.T, self.heads).T) if len(values) else values
        height = self.base.shape[0] // self.heads
        first, last = start // height, -(-stop // height)
        if first >= last:
            return self.base.read(start, stop)
        found = unpermute(self.base.read(first * height, last * height), last - first)
        return np.ascontiguousarray(found[start - first * height : stop - first * height])

    def read16(self, start: int, stop: int) -> None:
        """Not stored in this order."""
