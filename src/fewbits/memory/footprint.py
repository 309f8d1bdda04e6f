"""What a model takes in a format: exact for the shapes of a real one, the format's nominal bits for a number of parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from fewbits.errors import UsageError
from fewbits.formats import Format
from fewbits.tensor import Tensor

__all__ = ["GIB", "SIZES", "Model", "model_of_count", "model_of_tensors", "parameters"]

GIB = 2.0**30
SIZES = ("1.5B", "7B", "13B", "34B", "70B", "175B")
SUFFIXES = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "g": 1e9, "t": 1e12}

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Model:
    """Parameters by shape: those that a format may store, and bytes of what stays as it is. No shapes: a number alone."""

    name: str
    parameters: int
    shapes: tuple[Shape, ...] = field(default=(), repr=False)
    kept_bytes: int = 0  # integers, and whatever the format is not for
    stored_bytes: int | None = None  # in its own files

    def nbytes(self, stored: Format | float) -> float:
        """Bytes in a format, scales and short blocks included, or at so many bits a parameter."""
        if isinstance(stored, Format):
            if self.shapes:
                return sum(stored.total_bits(shape) for shape in self.shapes) / 8 + self.kept_bytes
            return self.parameters * stored.limit_bits / 8 + self.kept_bytes
        weights = sum(math.prod(shape) for shape in self.shapes) if self.shapes else self.parameters
        return weights * stored / 8 + self.kept_bytes


def parameters(text: str) -> int | None:
    """A number of parameters: 7B, 1.5e9, 350M; None for a text that is none; UsageError for one that cannot be."""
    match = re.fullmatch(r"\s*([0-9]*\.?[0-9]+(?:e\+?[0-9]{1,2})?)\s*([kmbgt]?)\s*", text.lower())
    if match is None:
        return None
    count = float(match[1]) * SUFFIXES[match[2]]
    if not 1 <= count <= 1e18:
        raise UsageError(f"'{text}': from 1 to 1e18 parameters are allowed")
    return round(count)


def model_of_count(text: str, count: int) -> Model:
    """A model of which only the number of parameters is known, called as it was typed."""
    return Model(text.strip(), count)


def model_of_tensors(name: str, tensors: Iterable[Tensor]) -> Model:
    """A real model by its headers: floats of two or more axes may be stored in a format; the rest stays as it is.

    Scales that belong to another tensor are no parameters.
    """
    from fewbits.sources.select import holds_integers

    own = [t for t in tensors if not t.companion_of]
    whole = [t for t in own if holds_integers(t)]
    floats = [t for t in own if not holds_integers(t)]
    matrices = [t for t in floats if len(t.shape) > 1]
    kept = whole + [t for t in floats if len(t.shape) <= 1]
    return Model(
        name,
        sum(t.size for t in floats),
        tuple(t.shape for t in matrices) or (() if not kept else ((0,),)),
        sum(t.nbytes for t in kept),
        sum(t.nbytes for t in own),
    )
