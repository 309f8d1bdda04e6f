"""Packed checkpoints read as the values that they stand for (S-017, S-018, S-212, S-213, S-220).

One file a layout; `LAYOUTS` is the registry. A layout looks at names, dtypes, shapes and the config, and yields each weight
that it packs with the stored tensors that make it up. What looks packed and no layout claims is listed, but not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from fewbits.sources.packed.awq import AWQ
from fewbits.sources.packed.bitsandbytes import BITSANDBYTES
from fewbits.sources.packed.deepseek import BLOCK_SCALED
from fewbits.sources.packed.float4 import FLOAT4, MODELOPT_FLOAT4
from fewbits.sources.packed.gpt_oss import GPT_OSS
from fewbits.sources.packed.gptq import GPTQ
from fewbits.sources.packed.llm_int8 import LLM_INT8
from fewbits.sources.packed.pack_quantized import PACK_QUANTIZED
from fewbits.sources.packed.scaled_inputs import with_scaled_inputs
from fewbits.sources.packed.settings import quantization_of
from fewbits.sources.packed.torchao import TORCHAO
from fewbits.sources.packed.unknown import unknown
from fewbits.sources.packed.view import Checkpoint, Layout, Packed, unreadable
from fewbits.sources.packed.weight_scale import WEIGHT_SCALE
from fewbits.tensor import Tensor

__all__ = ["LAYOUTS", "recognise"]

LAYOUTS: tuple[Layout, ...] = (  # a stored tensor belongs to the first that claims it
    BLOCK_SCALED,
    BITSANDBYTES,
    LLM_INT8,
    GPTQ,
    AWQ,
    PACK_QUANTIZED,
    FLOAT4,
    MODELOPT_FLOAT4,
    WEIGHT_SCALE,
    GPT_OSS,
    TORCHAO,
)


def recognise(
    stored: Mapping[str, Tensor],
    config: Mapping[str, Any] | None,
    where: str,
    metadata: Mapping[str, str] | None = None,
) -> list[Tensor]:
    """The tensors that a user should see: packed weights as what they stand for, and the stored ones.

    `config` is a config.json, a hf_quant_config.json or the quantization part of one; `metadata` that of the safetensors
    headers. Stored tensors that make up another name it in `companion_of`. `SourceError` for a config that makes no sense.
    """
    method, settings = quantization_of(config)
    checkpoint = Checkpoint(stored, where, method, settings, metadata or {})
    weights: dict[str, Packed] = {}
    owner: dict[str, str] = {}
    for layout in LAYOUTS:
        for found in layout.find(checkpoint) if layout.fits(method) else ():
            if not any(part in owner for part in found.parts) and found.weight.name not in weights:
                whole = _placed(with_scaled_inputs(found, stored), stored)
                weights[whole.weight.name] = whole
                owner.update(dict.fromkeys(whole.parts, whole.weight.name))
    known = not method or any(method in layout.methods for layout in LAYOUTS)
    strange = unknown(
        {name: tensor for name, tensor in stored.items() if name not in owner}, stored, "" if known else method
    )
    tensors = {name: replace(t, companion_of=owner[name]) if name in owner else t for name, t in stored.items()}
    tensors |= {name: unreadable(stored[name], problem) for name, problem in strange.items() if name not in weights}
    tensors |= {name: found.weight for name, found in weights.items()}
    return list(tensors.values())


def _placed(found: Packed, stored: Mapping[str, Tensor]) -> Packed:
    """The weight; where its name is taken by a tensor that is no part of it, it is not to be read."""
    weight = found.weight
    if weight.name in stored and weight.name not in found.parts:
        return replace(found, weight=unreadable(weight, "is stored as itself and packed: nothing says which is meant"))
    return found
