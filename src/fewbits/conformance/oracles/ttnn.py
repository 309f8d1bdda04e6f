"""ttnn: Tenstorrent's block floats and bfloat16, converted on the host.

The conversion asks a device for the size of its tiles. It is given one that does not exist, so that none is needed or touched.
0.81.1 has wheels for Python 3.10 and 3.12 and asks for numpy below 2, but works with numpy 2.5 (`pip install --no-deps`).
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from fewbits.conformance.known import block_amax
from fewbits.conformance.oracle import Answer, Float32, Known, Mask, Oracle, version_of
from fewbits.formats import Format

# spec → type. 0.81.1 has no type of 2 bits.
TYPES = {"s8@16-align:e8m0": "bfloat8_b", "s4@16-align:e8m0": "bfloat4_b", "bf16": "bfloat16"}
CHOSEN = ("TT_METAL_MOCK_CLUSTER_DESC_PATH", "TT_METAL_SIMULATOR")
QUIET = {"TT_LOGGER_LEVEL": "off", "LOGURU_LEVEL": "ERROR"}  # its messages go to stdout, where `--json` has rows only
CLUSTER = """
arch: {0: Wormhole}
chips: {0: [0, 0, 0, 0]}
ethernet_connections: []
chips_with_mmio: [0: 0]
harvesting: {0: {noc_translation: true, harvest_mask: 32}}
boards: [[{board_id: 72059269369839682}, {board_type: n150}, {chips: [0]}]]
"""  # one board n150 of one chip


def load() -> Any:
    """The package, with its device settled by a first conversion; `ImportError` where it cannot convert."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ttnn

    with tempfile.TemporaryDirectory() as folder:
        ours = not any(name in os.environ for name in CHOSEN)
        if ours:
            path = Path(folder) / "cluster.yaml"
            path.write_text(CLUSTER)
            os.environ[CHOSEN[0]] = str(path)
        try:
            convert(ttnn, np.zeros((32, 32), np.float32), "bfloat8_b")
        except RuntimeError as error:
            raise ImportError("ttnn finds no device to convert for") from error
        finally:
            if ours:
                del os.environ[CHOSEN[0]]
    return ttnn


def convert(ttnn: Any, x: Float32, name: str) -> Float32:
    """To tiles of a type and back."""
    made = ttnn.from_torch(torch.from_numpy(x), dtype=getattr(ttnn, name), layout=ttnn.TILE_LAYOUT)
    return np.asarray(ttnn.to_torch(made).float().numpy())


def answer(f: Format) -> Answer | None:
    """The types of `TYPES`."""
    name = TYPES.get(str(f))
    return None if name is None else lambda x: convert(TTNN, x, name)


def _below(f: Format, x: Float32, ours: Float32, theirs: Float32) -> Mask:
    below: Mask = block_amax(f, x) < np.float32(2.0 ** (f.element.emax - 126))
    return below & (f.block is not None)


BELOW = Known(
    "blocks so small that the scale of the last magnitude bit leaves e8m0; ttnn keeps that of the first", _below
)
TTNN = load()
ORACLE = Oracle("ttnn", "ttnn", answer, (BELOW,), version_of("ttnn"))
