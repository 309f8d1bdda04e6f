"""Stored number types: how wide they are and how their bytes become float32."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

__all__ = ["DTYPES", "Dtype"]

Bytes = NDArray[np.uint8]
Decoder = Callable[[Bytes], NDArray[np.float32]]
Widener = Callable[[Bytes, NDArray[np.float32]], None]


@dataclass(frozen=True)
class Dtype:
    """A stored type: torch's name, bits a value, and the decoder of its little-endian bytes (None: not supported).

    `widen` does the same into an array that is there, by compiled code, for the types that weights come in.
    """

    name: str
    bits: int
    decode: Decoder | None = None
    widen: Widener | None = None

    def decode_into(self, raw: Bytes, out: NDArray[np.float32]) -> None:
        """Fill `out` with the values of as many bytes."""
        if self.widen is not None and sys.byteorder == "little":
            self.widen(raw, out)
        else:
            assert self.decode is not None, self
            out[:] = self.decode(raw)

    @property
    def plain16(self) -> bool:
        """Whether values are 16-bit floats, of which there are few enough to count each pattern."""
        return self.name in ("bfloat16", "float16")

    @property
    def whole(self) -> bool:
        """Whether values are integers or booleans."""
        return self.name.startswith(("int", "uint", "bool"))


def _number(code: str) -> Decoder:
    def decode(raw: Bytes) -> NDArray[np.float32]:
        with np.errstate(over="ignore", invalid="ignore"):  # float64 beyond float32 is infinite, as IEEE 754 rounds it
            values: NDArray[np.float32] = raw.view(code).astype(np.float32)
            return values

    return decode


def _bfloat16(raw: Bytes) -> NDArray[np.float32]:
    return (raw.view("<u2").astype(np.uint32) << 16).view(np.float32)


def _widen_bfloat16(raw: Bytes, out: NDArray[np.float32]) -> None:
    from fewbits.kernels.widen import widen_bfloat16  # numba is slow to import, and headers do not need it

    widen_bfloat16(raw.view(np.uint16), out.view(np.int32))


def _widen_float16(raw: Bytes, out: NDArray[np.float32]) -> None:
    from fewbits.kernels.widen import widen_float16

    widen_float16(raw.view(np.uint16), out)


def _widen_byte_float(name: str) -> Widener:
    def widen(raw: Bytes, out: NDArray[np.float32]) -> None:
        from fewbits.kernels.widen import look_up

        look_up(_table(name), raw, out)

    return widen


def _boolean(raw: Bytes) -> NDArray[np.float32]:
    values: NDArray[np.float32] = (raw != 0).astype(np.float32)
    return values


def _byte_float(name: str) -> Decoder:
    """Of the 8-bit floats: one look-up a byte."""
    return lambda raw: _table(name)[raw]


@cache
def _table(name: str) -> NDArray[np.float32]:
    import ml_dtypes

    values: NDArray[np.float32] = np.arange(256, dtype=np.uint8).view(getattr(ml_dtypes, name)).astype(np.float32)
    return values


def _supported() -> dict[str, Dtype]:
    numbers = {"float64": "<f8", "float32": "<f4"}
    numbers |= {f"{kind}int{bits}": f"<{kind or 'i'}{bits // 8}" for kind in ("", "u") for bits in (8, 16, 32, 64)}
    byte_floats = ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "float8_e8m0fnu")
    return {
        "bool": Dtype("bool", 8, _boolean),
        "bfloat16": Dtype("bfloat16", 16, _bfloat16, _widen_bfloat16),
        **{name: Dtype(name, 8 * np.dtype(code).itemsize, _number(code)) for name, code in numbers.items()},
        "float16": Dtype("float16", 16, _number("<f2"), _widen_float16),
        **{name: Dtype(name, 8, _byte_float(name), _widen_byte_float(name)) for name in byte_floats},
    }


DTYPES = _supported()
