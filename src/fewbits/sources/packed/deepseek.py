"""Block FP8 as in DeepSeek's checkpoints: `X_scale_inv` beside `X`, see `fewbits.sources.block_scaled`."""

from __future__ import annotations

from collections.abc import Iterator

from fewbits.sources.block_scaled import SUFFIX, block_scaled_tensor, configured_block
from fewbits.sources.packed.view import FLOATS, Checkpoint, Layout, Packed, unreadable

__all__ = ["BLOCK_SCALED"]

SCALES = (*FLOATS, "float64", "float8_e8m0fnu")


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    found = [(stem, scale) for stem, scale in checkpoint.ending(SUFFIX) if stem in checkpoint.stored]
    found = [(stem, scale) for stem, scale in found if not stem.endswith(SUFFIX)]
    block = configured_block({"quantization_config": dict(checkpoint.settings)}, checkpoint.where) if found else None
    for stem, scale in found:
        weight = block_scaled_tensor(checkpoint.stored[stem], scale, block)
        if scale.dtype not in SCALES and not weight.unreadable:
            weight = unreadable(weight, f"has scales of {scale.dtype}, which fewbits does not know")
        yield Packed(weight, (stem, scale.name))


BLOCK_SCALED = Layout(_find, frozenset({"fp8"}), always=True)
