"""What a tensor is called elsewhere: without the segments that only wrap a model, and in GGUF files."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

__all__ = ["bare", "fused", "gguf_names", "has_gguf_names"]

# Leading segments that only wrap a model.
WRAPPERS = frozenset(
    {
        *("model", "transformer", "language_model", "text_model", "module", "base_model", "auto_model", "_orig_mod"),
        *("_fsdp_wrapped_module", "backbone", "bert", "roberta", "distilbert", "electra", "gpt_neox"),
    }
)
FUSED = re.compile(
    r"qkv|query_key_value|c_attn|w_?pack|in_proj_(weight|bias)|gate_up|_exps\b|\bexperts\.", re.IGNORECASE
)
SUFFIXES = (".weight", ".bias")


def bare(name: str) -> str:
    """The name without leading segments that only wrap a model: `model.language_model.layers.0` is `layers.0`."""
    parts = name.split(".")
    while len(parts) > 2 and parts[0] in WRAPPERS:
        parts.pop(0)
    return ".".join(parts)


def fused(name: str) -> bool:
    """Whether the tensor may hold several of another checkpoint: query, key and value, gate and up, all experts."""
    return FUSED.search(name) is not None


def has_gguf_names(names: Iterable[str]) -> bool:
    """Whether tensors are called as in GGUF files."""
    return any(name.startswith("blk.") or name == "token_embd.weight" for name in names)


def gguf_names(names: Collection[str], there: Collection[str], architecture: str = "") -> Mapping[str, str]:
    """Name → name in a GGUF file that has the tensors `there`; of an unknown architecture, that with most of them there.

    The tables are those of the gguf package.
    """
    from gguf.constants import MODEL_ARCH, MODEL_ARCH_NAMES
    from gguf.tensor_mapping import get_tensor_name_map

    found: Mapping[str, str] = {}
    split = {name: _template(name) for name in names}
    kinds = [arch for arch in MODEL_ARCH if MODEL_ARCH_NAMES[arch] == architecture] or list(MODEL_ARCH)
    for kind in kinds:
        table = get_tensor_name_map(kind, 1)
        known: dict[str, str | None] = {}
        for template, _ in split.values():
            if template not in known:
                spellings = dict.fromkeys((template, bare(template), f"model.{bare(template)}"))
                known[template] = next((got for s in spellings if (got := table.get_name(s, SUFFIXES))), None)
        called = {
            name: got.replace("blk.0.", f"blk.{layer}.", 1)
            for name, (template, layer) in split.items()
            if (got := known[template])
        }
        if (score := _score(called, there)) > _score(found, there):
            found = called
            if score == len(split):
                break
    return found


def _score(called: Mapping[str, str], there: Collection[str]) -> int:
    return len(set(called.values()) & set(there))


def _template(name: str) -> tuple[str, str]:
    """The name with its first number replaced by 0, and that number."""
    parts = name.split(".")
    at = next((i for i, part in enumerate(parts) if part.isdecimal() and part.isascii()), None)
    if at is None:
        return name, "0"
    return ".".join((*parts[:at], "0", *parts[at + 1 :])), parts[at]
