"""Probing: what a value becomes when it stands at a place in a block."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fewbits.formats import Format
from fewbits.pictures.local import localised
from fewbits.plan import Float32, plan
from fewbits.verbs import rounded

__all__ = ["probe"]

HELD = 1 << 22  # values rounded at once


def probe(f: Format, blocks: Float32, places: NDArray[np.int64], x: Float32, peak: float) -> Float32:
    """(points, blocks): the reconstruction of each x put in the place of one value of each block (blocks, rows, columns).

    Every pair is rounded for itself. A scale of the whole tensor is that of a tensor whose largest magnitude is `peak`, or
    what is larger in the blocks and in x; other statistics of a whole tensor (a mean) are those of everything probed at once.
    """
    count, rows, columns = blocks.shape
    largest = max(abs(peak), float(np.abs(x).max(initial=0)), float(np.abs(blocks).max(initial=0)))
    summit = np.zeros((1, rows, columns), np.float32)
    summit[0, 0, 0] = np.copysign(np.float32(largest), np.float32(peak))
    way, at = plan(localised(f)), np.arange(count)
    found = np.empty((len(x), count), np.float32)
    step = max(HELD // blocks.size, 1)
    for start in range(0, len(x), step):
        some = x[start : start + step]
        copies = np.repeat(blocks[None], len(some), axis=0).reshape(len(some), count, rows * columns)
        copies[:, at, places] = some[:, None]
        made = rounded(np.concatenate((copies.reshape(-1, rows, columns), summit)), way)[:-1]
        found[start : start + step] = made.reshape(copies.shape)[:, at, places]
    return found
