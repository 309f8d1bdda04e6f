"""gfloat: exact rounding of floats, and microscaling blocks with the scale of the OCP specification."""

from __future__ import annotations

import gfloat
import numpy as np
from gfloat import formats

from fewbits.conformance.known import SIGN_OF_ZERO
from fewbits.conformance.oracle import Answer, Float32, Oracle, version_of
from fewbits.formats import Format

ELEMENTS = tuple(getattr(formats, f"format_info_ocp_{n}") for n in ("e5m2", "e4m3", "e3m2", "e2m3", "e2m1"))
INTEGER = formats.format_info_ocp_int8


def answer(f: Format) -> Answer | None:
    """OCP elements alone, and in blocks along the row with a power-of-two scale rounded down."""
    info = next((i for i in (*ELEMENTS, INTEGER) if f.element.kind != "wide" and values(i) == f.element.values), None)
    if info is None or f.options:
        return None
    if f.block is None:
        return None if info is INTEGER else lambda x: rounded(x, info)
    rule = f.rule
    floor = (
        rule is not None
        and rule.scale_rounding == "down"
        and not rule.align
        and rule.tie == "even"
        and rule.log2 == "exact"
    )
    in_rows = f.block.kind == "grid" and f.block.rows == 1 and f.block.columns > 0
    if not (floor and in_rows and f.scale is not None and f.scale.element.kind == "exponent"):
        return None
    return lambda x: scaled(x, info, f.element.emax, f.block.columns if f.block else 0)


def values(info: gfloat.FormatInfo) -> tuple[float, ...]:
    """The distinct finite values of a format, ascending."""
    codes = (gfloat.decode_float(info, c).fval for c in range(2**info.bits))
    return tuple(sorted({float(v) + 0.0 for v in codes if np.isfinite(v)}))


def rounded(x: Float32, info: gfloat.FormatInfo) -> Float32:
    """Nearest even, saturating."""
    return np.asarray(
        gfloat.round_ndarray(info, x.astype(np.float64), gfloat.RoundMode.TiesToEven, sat=True), np.float32
    )


def scaled(x: Float32, info: gfloat.FormatInfo, emax: int, columns: int) -> Float32:
    """gfloat's scale of each block, its rounding of the quotients: `quantize_block`, for many blocks at once."""
    blocks = x.astype(np.float64).reshape(-1, columns)
    scales = np.array([gfloat.compute_scale_amax(emax, block) for block in blocks])[:, None]
    q = np.asarray(gfloat.round_ndarray(info, blocks / scales, gfloat.RoundMode.TiesToEven, sat=True))
    return np.asarray(q * scales, np.float32).reshape(x.shape)


ORACLE = Oracle("gfloat", "gfloat", answer, (SIGN_OF_ZERO,), version_of("gfloat"))
