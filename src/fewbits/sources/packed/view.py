"""What layouts look at: the stored tensors of a checkpoint by name, and what its config says of their quantization."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewbits.sources.stored import Missing, Stored, digest
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor, Values

__all__ = [
    "Checkpoint",
    "Decoded",
    "Layout",
    "Misfit",
    "Packed",
    "expect",
    "numbers",
    "packed",
    "stored_of",
    "unreadable",
]

FLOATS = ("float32", "float16", "bfloat16")


class Misfit(ValueError):
    """Stored tensors that do not fit the layout which their names or the config promise; the text says which and why."""


@dataclass(frozen=True)
class Checkpoint:
    """All stored tensors, the `quant_method` ("" where none is given) and the rest of the quantization's settings.

    `metadata` is that of the safetensors headers, merged.
    """

    stored: Mapping[str, Tensor]
    where: str = ""
    method: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)

    def ending(self, suffix: str) -> Iterator[tuple[str, Tensor]]:
        """(what stands before `suffix`, tensor) for every name that ends so."""
        for name, tensor in self.stored.items():
            if name.endswith(suffix):
                yield name[: -len(suffix)], tensor

    def parts(self, stem: str, *suffixes: str) -> dict[str, Tensor]:
        """Those of `stem` + suffix that exist, by suffix."""
        return {suffix: self.stored[stem + suffix] for suffix in suffixes if stem + suffix in self.stored}


@dataclass(frozen=True)
class Packed:
    """A weight and the names of the stored tensors that make it up."""

    weight: Tensor
    parts: tuple[str, ...]


@dataclass(frozen=True)
class Layout:
    """A way to pack weights: `find` yields those of a checkpoint; `methods` are the quant_methods that it may go by."""

    find: Callable[[Checkpoint], Iterator[Packed]]
    methods: frozenset[str]
    always: bool = False  # whatever the quant_method

    def fits(self, method: str) -> bool:
        """Whether to look for it: without a quant_method, every layout is looked for."""
        return self.always or not method or method in self.methods


@dataclass(frozen=True)
class Decoded:
    """What a layout found out: shape and dtype of the values, the layout in words, and their reader."""

    shape: tuple[int, ...]
    dtype: str
    layout: str
    values: Values


def packed(name: str, what: str, parts: Mapping[str, Tensor], decode: Callable[[], Decoded]) -> Packed:
    """The weight `name` in the layout `what`; where its parts do not fit, it is listed but not readable."""
    first, names = next(iter(parts.values())), tuple(part.name for part in parts.values())
    nbytes = sum(part.nbytes for part in parts.values())
    identities = [part.identity for part in parts.values()]
    try:
        for part in parts.values():
            if part.unreadable:
                raise Misfit(f"{quoted(part.name)} {part.unreadable}")
        decoded = decode()
    except Misfit as misfit:
        problem = f"is packed as {what}, but {misfit}"
        whole = Tensor(name, first.shape, first.dtype, nbytes, digest("misfit", name, *identities), Missing(""))
        return Packed(unreadable(whole, problem), names)
    return Packed(
        Tensor(
            name=name,
            shape=decoded.shape,
            dtype=decoded.dtype,
            nbytes=nbytes,
            identity=digest("packed", decoded.layout, repr(decoded.shape), decoded.dtype, *identities),
            values=decoded.values,
            layout=decoded.layout,
        ),
        names,
    )


def unreadable(tensor: Tensor, problem: str) -> Tensor:
    """The tensor, listed but not to be read, because of `problem`."""
    reason = Missing(f"tensor {quoted(tensor.name)} {problem}")
    return Tensor(tensor.name, tensor.shape, tensor.dtype, tensor.nbytes, tensor.identity, reason, unreadable=problem)


def stored_of(tensor: Tensor) -> Stored:
    """Where the bytes of a stored tensor lie; `Misfit` where they cannot be read."""
    if not isinstance(tensor.values, Stored):
        raise Misfit(f"{quoted(tensor.name)} {tensor.unreadable or 'is not stored'}")
    return tensor.values


def expect(tensor: Tensor | None, name: str, dtypes: tuple[str, ...], *shapes: tuple[int, ...]) -> Tensor:
    """The tensor, which has one of these dtypes and, where any are given, one of these shapes; else `Misfit`."""
    if tensor is None:
        raise Misfit(f"{name} is missing")
    if tensor.dtype not in dtypes:
        raise Misfit(f"{quoted(tensor.name)} is {tensor.dtype}, not {' or '.join(dtypes)}")
    if shapes and tensor.shape not in shapes:
        wanted = " or ".join(str(list(shape)) for shape in shapes)
        raise Misfit(f"{quoted(tensor.name)} has shape {quoted(list(tensor.shape))}, not {wanted}")
    return tensor


def numbers(tensor: Tensor, first: int = 0, last: int | None = None) -> NDArray[np.float32]:
    """The values first ≤ i < last of the flattened tensor, all by default."""
    stored = stored_of(tensor)
    assert stored.dtype.decode is not None
    return stored.dtype.decode(stored.raw(first, math.prod(tensor.shape) if last is None else last))
