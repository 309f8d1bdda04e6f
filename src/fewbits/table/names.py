"""What a tensor's name says about its place in the model: layer index and role."""

from __future__ import annotations

import re

__all__ = ["layer_of", "role_of"]

INDEX = re.compile(r"[0-9]{1,9}")

# Last segments that do not say what a tensor is for; the role then keeps its whole path inside the layer.
GENERIC = re.compile(r"\d+|dense|linear|fc|proj|projection|(layer_?)?norm|ln|conv|w|out|output|weight", re.IGNORECASE)

# Leading segments that only wrap a model.
WRAPPERS = ("model", "transformer", "module", "base_model")


def layer_of(tensor: str) -> int | None:
    """The layer index: the first segment of the name that is a number; None when there is none."""
    return next((int(part) for part in tensor.split(".") if INDEX.fullmatch(part)), None)


def role_of(tensor: str) -> str:
    """What a tensor is for, the same in every layer: `q_proj`, `norm`, `attention.output.dense`, `query.bias`."""
    parts = tensor.split(".")
    if len(parts) > 1 and parts[-1] == "weight":
        parts.pop()
    while len(parts) > 1 and parts[0] in WRAPPERS:
        parts.pop(0)
    numbers = [i for i, part in enumerate(parts[:-1]) if INDEX.fullmatch(part)]
    inside = parts[numbers[-1] + 1 :] if numbers else parts
    bias = 1 if len(inside) > 1 and inside[-1] == "bias" else 0
    kept = len(inside) if GENERIC.fullmatch(inside[-1 - bias]) else 1 + bias
    return ".".join(inside[-kept:])
