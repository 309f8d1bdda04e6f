"""Every catalogue row against the vectors of other people's software that `catalog.toml` names, on every backend."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

import fewbits as fb
from fewbits import catalog
from fewbits.codes import values_of
from fewbits.element import element
from fewbits.kernels.blocks import cut, uncut
from golden_vectors import Entry, entry, names

BACKENDS = ["reference", "cpu"]
KINDS = ("golden", "golden_value", "golden_codes")
ULPS = 4  # golden_codes: up to seven roundings in two orders of multiplication; the next code is more than 2^15 away

# Formats without a name, for block shapes that no row has; compared as the list says.
UNNAMED = {
    **{
        f"{e}@{block}:e8m0": ("golden_value", [f"microxcaling:{name}/even/{suite}" for suite in suites])
        for e, name in [
            ("e4m3", "mxfp8_e4m3"), ("e5m2", "mxfp8_e5m2"), ("e2m3", "mxfp6_e2m3"), ("e3m2", "mxfp6_e3m2"),
            ("e2m1", "mxfp4_e2m1"), ("s8", "mxint8"),
        ]
        for block, suites in [
            ("16", ["b16/gauss", "b16/ragged"]), ("64x1", ["b64axis0/gauss", "b64axis0/ragged"]),
            ("32x1", ["b32axis0/heavy"]), ("row", ["whole_row/gauss"]),
        ]
    },
    "lin8@flat64:f32": ("golden", ["bitsandbytes:int8_linear/b64/gauss"]),
    "lin8@flat4096:f32": ("golden", ["bitsandbytes:int8_linear/b4096/gauss"]),
    "i8@tensor-inverse:f32": ("golden_codes", ["modelopt:int8_tensor/gauss"]),
    "i8@row-inverse:f32": ("golden_codes", ["modelopt:int8_channel/gauss"]),
    "i4@row-inverse:f32": ("golden_codes", ["modelopt:int4_channel/gauss"]),
}  # fmt: skip

Case = tuple[str, str, tuple[int, ...], str]


def cases() -> Iterator[tuple[str, Case]]:
    for row in catalog.rows():
        for kind in KINDS:
            for name in getattr(row.golden, kind):
                yield f"{row.name} {name}", (row.spec, name, (), kind)
        for p in row.golden.golden_partial:
            yield f"{row.name} {p.entry}", (row.spec, p.entry, p.except_rows, p.compare)
    for spec, (kind, entries) in UNNAMED.items():
        for name in entries:
            yield f"{spec} {name}", (spec, name, (), kind)


CASES = dict(cases())


def quantized(e: Entry, spec: str, backend: str) -> np.ndarray:
    tensors = [row[None] for row in e.x] if e.by_row else [e.x]
    y = np.concatenate([fb.quantize(x, spec, backend=backend) for x in tensors])
    return y if e.narrow is None else y.astype(e.narrow).astype(np.float32)


def equal(ours: np.ndarray, theirs: np.ndarray, kind: str) -> np.ndarray:
    bits = (ours.view(np.uint32) == theirs.view(np.uint32)) | (np.isnan(ours) & np.isnan(theirs))
    if kind == "golden":
        return bits
    if kind == "golden_value":
        return bits | (ours == theirs)
    with np.errstate(all="ignore"):
        units = np.abs(ours.astype(np.float64) - theirs) / np.spacing(np.maximum(np.abs(ours), np.abs(theirs)))
    return bits | (ours == theirs) | (units <= ULPS)


def differing_rows(same: np.ndarray) -> list[int]:
    return [int(i) for i in np.flatnonzero(~same.reshape(-1, same.shape[-1]).all(axis=-1))]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES)
def test_reconstructions_are_those_of_the_package(case: str, backend: str) -> None:
    spec, name, except_rows, kind = CASES[case]
    e = entry(name)
    same = equal(quantized(e, spec, backend).reshape(e.values.shape), e.values, kind)
    if except_rows:
        # exactly these rows: an exception that no longer holds must leave the catalogue
        assert differing_rows(same) == list(except_rows)
    else:
        assert same.all(), differing_rows(same)


def nibbles(packed: np.ndarray, high_first: bool) -> np.ndarray:
    low, high = packed & 15, packed >> 4
    return np.stack([high, low] if high_first else [low, high], axis=-1).reshape(*packed.shape[:-1], -1)


def stored_codes(e: Entry, bits: int) -> np.ndarray | None:
    """The package's codes, one a value, as our code points; None where the entry has none."""
    o = e.outputs
    if "q" in o:
        return o["q"].astype(np.int64) & (2**bits - 1)
    for key in ("codes_exact", "codes"):
        if key in o and e.group != "bfp_documented":
            return o[key].astype(np.int64) & (2**bits - 1)
    if "packed" in o and e.group == "bitsandbytes":
        return nibbles(o["packed"], high_first=True).reshape(-1)[: e.x.size].reshape(e.x.shape)
    if "packed" in o and e.group == "modelopt":
        if e.format.startswith("int4"):  # offset 8, first value in the high nibble
            return nibbles(o["packed"], high_first=True).astype(np.int64) - 8 & 15
        return nibbles(o["packed"], high_first=False)[:, : e.x.shape[1]]
    if "codes" in o:  # sign and magnitude of block floats
        codes = o["codes"].astype(np.int64)
        magnitude = codes & (2 ** (bits - 1) - 1)
        return np.where(codes >> (bits - 1) == 1, -magnitude, magnitude) & (2**bits - 1)
    return None


def stored_scales(e: Entry, spec: str) -> np.ndarray | None:
    """The package's block scales as float32, without their outer scale; None where the entry has none."""
    o, f = e.outputs, fb.parse(spec)
    assert f.scale is not None
    if "exponent" in o:  # of block floats: of the largest value, where our scale is that of the last magnitude bit
        return np.ldexp(1.0, o["exponent"].astype(np.int64) - 127 - (f.element.bits - 2)).astype(np.float32)
    for key in ("scale_e8m0", "scale_e4m3"):
        if key in o:
            return values_of(o[key], f.scale.element)
    # nvint4 is not stored swizzled, yet the vectors' source undid a swizzle: their order is lost
    if e.group == "fouroversix" and "scale" in o and e.format != "nvint4":
        return values_of(o["scale"], f.scale.element)
    if e.group in ("compressed_tensors", "torchao_affine"):
        return o.get("scale")
    if e.group == "bitsandbytes" and o.get("absmax", np.empty(0)).dtype == np.float32:
        return o["absmax"]
    return None


STORED_EXCEPT = {f"{row.name} {p.entry}": p.except_rows for row in catalog.rows() for p in row.golden.stored_partial}
STORED = [
    c for c, (_, name, _, _) in CASES.items() if stored_codes(entry(name), 8) is not None or "fouroversix" in name
]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", STORED)
def test_stored_codes_and_scales_are_those_of_the_package(case: str, backend: str) -> None:
    spec, name, except_rows, kind = CASES[case]
    f, e = fb.parse(spec), entry(name)
    if e.by_row or not np.isfinite(e.x).all():
        pytest.skip("one tensor per row, or values without a code: reconstructions say it all")
    assert f.block is not None
    grid = f.block.grid(e.x.shape)
    blocks = cut(e.x.reshape(grid.shape), grid)
    used = (np.nan_to_num(blocks) != 0).any(axis=-1)  # packages store what they like for blocks of zeros
    same = np.ones(blocks.shape, bool)
    q = fb.encode(e.x, f, backend=backend)
    theirs = stored_codes(e, f.element.bits)
    if theirs is not None:
        # as the values that the codes stand for: bitsandbytes' FP4 has two codes for zero
        mine, theirs = (cut(values_of(c.reshape(grid.shape), f.element), grid) for c in (q.codes, theirs))
        same &= equal(mine, theirs, "golden" if kind == "golden" else "golden_value") | np.isnan(blocks)
    scales = stored_scales(e, spec)
    if scales is not None:
        assert q.scale is not None
        mine = q.scale if isinstance(q.scale, np.ndarray) else values_of(q.scale.codes, q.scale.format.element)
        same &= (mine.reshape(used.shape) == scales.reshape(used.shape))[..., None]
    if "zero_point" in e.outputs and f.zero:
        zero = e.outputs["zero_point"].astype(np.int64) & (2**f.element.bits - 1)
        same &= (np.asarray(q.offset).reshape(used.shape) == zero.reshape(used.shape))[..., None]
    outer = e.outputs.get("per_tensor_scale", e.outputs.get("scale_2"))
    if outer is not None:
        assert isinstance(q.scale, fb.Encoded)
        assert np.array_equal(np.ravel(q.scale.scale), outer)
    same = uncut((same | ~used[..., None]).astype(np.float32), grid).reshape(e.x.shape) == 1
    assert sorted(set(differing_rows(same)) - set(except_rows)) == list(STORED_EXCEPT.get(case, ()))


NESTED = [(row.name, name) for row in catalog.rows() for name in row.golden.golden_mean]


@pytest.mark.parametrize(("row", "name"), NESTED)
def test_double_quantization_is_that_of_the_package_once_its_mean_is_used(row: str, name: str) -> None:
    """The package adds the block maxima in float32 in an order of its own; all else is the same bit for bit."""
    f, e = catalog.format(row), entry(name)
    q = fb.encode(e.x, f)
    o = e.outputs
    assert np.array_equal(values_of(q.codes, f.element), values_of(stored_codes(e, f.element.bits), f.element))
    assert f.scale is not None
    mean = o["offset"][0]
    if not np.isfinite(mean):
        return  # the float32 sum overflowed in the package: no scale is left to compare
    assert f.block is not None
    assert abs(float(np.mean(o["absmax_fp32"], dtype=np.float64)) - mean) <= 4 * np.spacing(mean)
    inner = fb.encode(o["absmax_fp32"] - mean, "dyn8@flat256:f32")
    assert np.array_equal(inner.codes, o["absmax_codes_exact"])
    assert isinstance(inner.scale, np.ndarray)
    assert np.array_equal(inner.scale.reshape(-1), o["nested_absmax_exact"])
    scale = fb.decode(inner) + mean
    values = values_of(q.codes, f.element).reshape(-1) * np.repeat(scale, f.block.columns)[: e.x.size]
    exact = np.array_equal(o["absmax"], o["absmax_codes_exact"])
    theirs = o["absmax_dequantized"]
    assert not exact or np.array_equal(scale, theirs)
    assert not exact or np.array_equal(values.reshape(e.x.shape), e.values)


def test_nvfp4_of_a_ragged_tensor_has_the_codes_of_modelopt() -> None:
    """The package pads rows with zeros to whole blocks; a short block keeps its own statistics."""
    e = entry("modelopt:nvfp4/ragged")
    q = fb.encode(e.x, "nvfp4")
    theirs = stored_codes(e, 4)
    assert theirs is not None
    value = values_of(theirs, q.format.element)
    assert np.array_equal(values_of(q.codes, q.format.element), value)
    assert isinstance(q.scale, fb.Encoded)
    assert np.array_equal(q.scale.codes.reshape(37, 6), e.outputs["scale_e4m3"])
    assert np.array_equal(np.ravel(q.scale.scale), e.outputs["scale_2"])


CODEBOOKS = {"nf4lut": "nf4", "bnbfp4": "fp4", "dyn8": "dynamic_signed", "udyn8": "dynamic_unsigned", "lin8": "linear"}


@pytest.mark.parametrize("name", CODEBOOKS)
def test_codebooks_are_the_tables_of_bitsandbytes(name: str) -> None:
    theirs = entry(f"bitsandbytes:table/{CODEBOOKS[name]}").outputs["values"]
    assert np.array_equal(np.array(element(name).decoded, np.float32), theirs)


def test_every_entry_is_used_and_says_where_it_comes_from() -> None:
    used = {name for _, name, _, _ in CASES.values()} | {name for _, name in NESTED}
    others = {n for n in names() if n.startswith(("elements:", "bitsandbytes:table/")) or n == "modelopt:nvfp4/ragged"}
    assert set(names()) == used | others
    assert all(entry(n).source for n in names())
