"""GPTQ: `qweight` holds 32-bit words of codes down the inputs, `qzeros` across the outputs, `scales` is (groups, outputs).

Version 1 stores each zero point less one, word for word, with borrows; version 2 stores it as it is. `g_idx` names the
group of each input. As AutoGPTQ wrote it and gptqmodel 7.7.0 reads it (nn_modules/qlinear, utils/model.py).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.packed.bits import unpack
from fewbits.sources.packed.columns import Transposed, columns_of, group_order
from fewbits.sources.packed.settings import count
from fewbits.sources.packed.spec_text import ELEMENTS, layout_text
from fewbits.sources.packed.view import FLOATS, Checkpoint, Decoded, Layout, Misfit, Packed, expect, packed, stored_of
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor

__all__ = ["GPTQ", "group_size", "neighbours", "scale_columns"]

BITS = (4, 8, 2, 3)
VERSIONS = {"gptq": 1, "gptq_v2": 2}


def _find(checkpoint: Checkpoint) -> Iterator[Packed]:
    for stem, qweight in checkpoint.ending(".qweight"):
        parts = checkpoint.parts(stem, ".qweight", ".qzeros", ".scales", ".g_idx")
        scales, zeros = parts.get(".scales"), parts.get(".qzeros")
        if scales is None or (not checkpoint.method and _like_awq(qweight, zeros)):
            continue
        yield packed(f"{stem}.weight", "GPTQ", parts, partial(_decode, parts, checkpoint))


def _like_awq(qweight: Tensor, zeros: Tensor | None) -> bool:
    return zeros is not None and qweight.shape[-1:] == zeros.shape[-1:]


def _decode(parts: Mapping[str, Tensor], checkpoint: Checkpoint) -> Decoded:
    settings = checkpoint.settings
    qweight = expect(parts[".qweight"], "qweight", ("int32", "uint32"))
    scales = expect(parts[".scales"], "scales", FLOATS)
    if len(qweight.shape) != 2 or len(scales.shape) != 2:
        raise Misfit(
            f"shapes {quoted(list(qweight.shape))} of qweight and {quoted(list(scales.shape))} are not matrices"
        )
    groups, outputs = scales.shape
    bits = _bits(parts, settings, groups, outputs)
    inputs = _inputs(parts, bits)
    expect(qweight, "qweight", (qweight.dtype,), (-(-inputs * bits // 32), outputs), (-(-inputs // 32) * bits, outputs))
    size = group_size(settings, groups, inputs)
    version = _version(settings)
    order = neighbours(inputs, size, groups) if ".g_idx" not in parts else group_order(parts[".g_idx"], groups, inputs)
    moved = bool(settings.get("desc_act")) and ".g_idx" in parts
    name = f"GPTQ v{version}{'' if checkpoint.method else ' (assumed)'} int{bits} {'g' + str(size) if groups > 1 else 'row'}"
    spec = f"u{bits}@{size if groups > 1 else 'row'}:{ELEMENTS[scales.dtype]}+zero"
    values = Transposed(
        inputs=inputs,
        codes=_codes(qweight, bits, inputs),
        zeros=_zeros(parts[".qzeros"], bits, outputs, version),
        scales=scale_columns(scales),
        groups=order,
        dtype=scales.dtype,
    )
    return Decoded((outputs, inputs), scales.dtype, f"{name} act-order" if moved else layout_text(name, spec), values)


def _version(settings: Mapping[str, Any]) -> int:
    found = settings.get("checkpoint_format") or settings.get("format") or "gptq"
    if not isinstance(found, str) or found not in VERSIONS:
        raise Misfit(f"its checkpoint_format {quoted(found)} is not one that fewbits reads: {', '.join(VERSIONS)}")
    return VERSIONS[found]


def _bits(parts: Mapping[str, Tensor], settings: Mapping[str, Any], groups: int, outputs: int) -> int:
    """How many bits a code has, as the zero points show; the config has its say where modules do not differ."""
    zeros = expect(parts.get(".qzeros"), "qzeros", ("int32", "uint32"))
    told = count(settings, "bits")
    fitting = [b for b in BITS if zeros.shape == (groups, -(-outputs * b // 32))]
    if told in fitting:
        return int(told or 0)
    if fitting and (told is None or settings.get("dynamic")):
        return fitting[0]
    what = f"{told} bits of the config" if told else f"codes of {', '.join(map(str, sorted(BITS)))} bits"
    shapes = f"{quoted(zeros.name)} of shape {quoted(list(zeros.shape))} with scales {quoted([groups, outputs])}"
    raise Misfit(f"{shapes} does not fit {what}")


def _inputs(parts: Mapping[str, Tensor], bits: int) -> int:
    index = parts.get(".g_idx")
    if index is None:
        return parts[".qweight"].shape[0] * 32 // bits
    expect(index, "g_idx", ("int32", "int64"))
    if len(index.shape) != 1:
        raise Misfit(f"{quoted(index.name)} has shape {quoted(list(index.shape))}, not one entry an input")
    return index.shape[0]


def group_size(settings: Mapping[str, Any], groups: int, inputs: int) -> int:
    """Inputs of a group: as configured, -1 for all, else by the number of groups."""
    told = None if settings.get("group_size") == -1 else count(settings, "group_size")
    size = inputs if settings.get("group_size") == -1 else told or -(-inputs // max(groups, 1))
    if -(-inputs // max(size, 1)) != groups:
        raise Misfit(f"{inputs} inputs in {groups} groups do not make groups of {size}")
    return size


def neighbours(inputs: int, size: int, groups: int) -> Callable[[], NDArray[np.intp]]:
    """Groups of `size` inputs side by side."""
    return lambda: np.minimum(np.arange(inputs) // size, groups - 1)


def _codes(qweight: Tensor, bits: int, inputs: int) -> Callable[[int, int], NDArray[np.uint8]]:
    def read(start: int, stop: int) -> NDArray[np.uint8]:
        words = columns_of(qweight, start, stop).view("<u4")
        return unpack(np.ascontiguousarray(words.T).view(np.uint8), bits, inputs)

    return read


def _zeros(qzeros: Tensor, bits: int, outputs: int, version: int) -> Callable[[int, int], NDArray[np.float32]]:
    words_in_all = qzeros.shape[1]
    ones = np.uint32(sum(1 << at for at in range(0, 32, bits)))

    def read(start: int, stop: int) -> NDArray[np.float32]:
        first = start // 32  # 32 codes end where a word ends
        words = columns_of(qzeros, first * bits, min(-(-stop // 32) * bits, words_in_all)).view("<u4")
        if version == 1 and 32 % bits == 0:
            words = words + ones
        codes = unpack(np.ascontiguousarray(words).view(np.uint8), bits, min(stop, outputs) - first * 32)
        if version == 1 and 32 % bits:
            codes = (codes + np.uint8(1)) & np.uint8((1 << bits) - 1)
        return codes[:, start - first * 32 :].T.astype(np.float32)

    return read


def scale_columns(scales: Tensor) -> Callable[[int, int], NDArray[np.float32]]:
    """(groups, outputs) as (outputs, groups)."""
    decode = stored_of(scales).dtype.decode
    assert decode is not None

    def read(start: int, stop: int) -> NDArray[np.float32]:
        raw = np.ascontiguousarray(columns_of(scales, start, stop))
        return decode(raw.reshape(-1)).reshape(raw.shape[0], -1).T

    return read


GPTQ = Layout(_find, frozenset({"gptq"}))
