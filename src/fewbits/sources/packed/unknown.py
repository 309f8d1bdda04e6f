"""Stored tensors that look packed, in no layout that is known: not to be taken for numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping

from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["unknown"]

WORDS = ("uint8", "int8", "int16", "uint16", "int32", "uint32", "uint64")  # dtypes that codes are stored in
CODES = re.compile(r"(^|[._])(qweight|qzeros|q_weight|weight_packed|blocks|qdata|W_q|codes|Qidxs|trellis)$")
SCALES = re.compile(r"scale|absmax|(^|_)q?zeros?(_|$)|SCB|codebook|quant_(map|state)", re.IGNORECASE)
FLOAT8 = "float8_e"
PROBLEM = "is packed in a layout fewbits does not know"


def unknown(unclaimed: Mapping[str, Tensor], stored: Mapping[str, Tensor], method: str) -> dict[str, str]:
    """Name → why it is not read, of the unclaimed tensors that look packed; `method` is a quant_method nobody knows."""
    scales: dict[str, str] = {}
    for name in stored:
        group, last = _group(name)
        if SCALES.search(last):
            scales.setdefault(group, name)
    return {name: f"{PROBLEM} ({why})" for name, t in unclaimed.items() if (why := _why(t, scales, method))}


def _why(tensor: Tensor, scales: Mapping[str, str], method: str) -> str:
    group, last = _group(tensor.name)
    sibling = scales.get(group, "")
    coded = tensor.dtype in WORDS and tensor.size > 1
    if method and (coded or tensor.dtype.startswith(FLOAT8)) and (len(tensor.shape) > 1 or sibling):
        return f"quant_method {quoted(method)}"
    if coded and CODES.search(last):
        return f"{tensor.dtype} {quoted(last)}" + (f" with {quoted(sibling)}" if sibling else " without scales")
    if not sibling or sibling == tensor.name or SCALES.search(last):
        return ""
    if coded or (tensor.dtype.startswith(FLOAT8) and last.endswith("weight")):
        return f"{tensor.dtype} with {quoted(sibling)}"
    return ""


def _group(name: str) -> tuple[str, str]:
    """The module of a tensor and its name there; parts of `weight` itself, as `weight.absmax`, are in the module too."""
    module, _, last = name.rpartition(".")
    if module.endswith(".weight") or module == "weight":
        module = module.rpartition(".")[0]
    return module, last
