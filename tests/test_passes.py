"""Formats that need statistics of a whole tensor: slab by slab they give the bits of the whole, and hold little."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fewbits as fb
from fewbits import catalog, measurement, passes, tensorwide
from fewbits import slabs as slabs_module
from fewbits.block import as_matrices
from fewbits.kernels import blocks, cpu, sums
from fewbits.kernels.continued import ErrorSum
from fewbits.kernels.exact_mean import finite_mean, finite_sum, mean_of
from fewbits.measurement import measure_tensor
from fewbits.plan import plan
from fewbits.slabs import cut, cut_blocks, slabs
from fewbits.sources import open_source
from strategies import KINDS, NAMES, array

# One scale for the whole tensor that its largest magnitude does not tell.
SEARCHED = [
    "e4m3@tensor-mse:f32", "s8@tensor-p99.99:f32", "s4@tensor-p50:f32", "s4@tensor-3rms:f32", "s4@tensor-signmax:f32",
    "u4@tensor:f32+min", "u4@tensor:f32+zero", "s4@tensor-affinesides:f32", "s4@tensor-46:f32", "s4@tensor-46mae:f32",
    "s4@tensor-46max:f32", "s4@tensor:e4m3@tensor:f32",
]  # fmt: skip
# Options that all of the tensor takes part in.
OPTIONS = [
    "s4@16:f16+mean", "bf16+mean", "e2m1@32:e8m0+mean", "u4@32-qkx2:u6@8:f16+min+mean", "s4@tensor:f32+mean",
    "s4@tensor:f32+hadamard8", "e2m1@16:e4m3@tensor:f32+hadamard16", "e2m1@16:e4m3@tensor:f32+outliers0.05:f16",
    "s4@tensor:f32+outliers0.01:f16", "s4@tensor:f32+outliers0.3:e4m3+hadamard4+mean",
    "s4@tensor-mse:f32+mean+hadamard8+outliers0.02:f16",
]  # fmt: skip
# Scales of scales that cross slabs.
SPREAD = [
    "nf4-dq", "fp4-bnb-dq-32", "nf4lut@flat64-mse:(dyn8@flat256:f32+mean)", "s4@flat48:e5m2@flat5:f32",
    "nf4lut@flat32:(dyn8@flat4:f32+mean)+mean+hadamard4", "s4@16x4-mse:u6@flat7:f32", "u4@16x4:u6@tensor:f32+min",
    "i4@32:e4m3@matrix:f32+zero", "s3@8:e4m3@4:e5m2@tensor:f32", "s4@16x16-reciprocal:e4m3@flat7:f32", "s4@16-p90:e4m3@tensor:f32",
    "s4@16-46:(e4m3@tensor:f32+mean)", "i3@16-q3k:(i6@16:f16+mean)", "s4@16-reciprocal:e4m3@tensor-signmax:f32",
    "s4@8-inverse:(e4m3@tensor:f32+mean)", "s4@2x3:(u6@col:f32+mean)", "u4@16x4:(u6@3:e4m3@tensor:f32+mean)+min",
]  # fmt: skip
SHAPES: list[tuple[int, ...]] = [(5, 33), (40, 96), (3, 20, 70), (600,), (2, 1100), (7,), (), (2, 5, 17)]


def tensors(shape: tuple[int, ...]) -> list[np.ndarray]:
    """Ordinary values, ties, zeros, the widest range, values that are not finite among others, and none that is."""
    gauss, nothing = array("gauss", shape), np.full(shape, np.nan, np.float32)
    holes = np.where(np.arange(gauss.size).reshape(shape) % 7 == 3, np.float32(np.nan), gauss)
    holes = np.where(np.arange(gauss.size).reshape(shape) % 11 == 5, np.float32(-np.inf), holes)
    return [gauss, *(array(kind, shape) for kind in ("ties", "zeros", "wide", "positive")), holes, nothing]


def core(text: str) -> Any:
    """The plan of a format without its options."""
    return plan(replace(catalog.format(text), mean=False, hadamard=0, outliers=None))


def in_passes(x: np.ndarray, text: str) -> np.ndarray:
    """Error sums of every slab."""
    matrices, rows, columns = as_matrices(x.shape)
    flat = x.reshape(matrices * rows, columns)
    return np.array(passes.error_sums(lambda a, b: flat[a:b], x.shape, plan(catalog.format(text)), map))


def at_once(x: np.ndarray, text: str) -> np.ndarray:
    """The same of the reconstruction of the whole tensor."""
    matrices, rows, columns = as_matrices(x.shape)
    p = core(text)
    whole, found = cut(p, x.shape), []
    flat, y = (v.reshape(matrices * rows, columns) for v in (x, fb.quantize(x, text)))
    for a, b in slabs(x.shape, cut_blocks(p, x.shape) if whole.whole else whole):
        out = np.zeros((1, 1, 1, sums.ERRORS))
        sums.sum_errors(flat[None, a:b].copy(), y[None, a:b].copy(), 0.0, 0, 0, out)
        found.append(out[0, 0, 0])
    return np.array(found)


@pytest.mark.parametrize("text", SEARCHED + OPTIONS + SPREAD)
def test_passes_give_the_bits_of_the_whole(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slabs_module, "SLAB", 64)
    monkeypatch.setattr(passes, "HELD", 50)  # candidates in several passes
    f = catalog.format(text)
    for shape in SHAPES:
        for x in tensors(shape):
            found, want = in_passes(x, text), at_once(x, text)
            np.testing.assert_array_equal(found[:, :6], want[:, :6], err_msg=f"{shape} {x.reshape(-1)[:3]}")
            if not (f.mean or f.hadamard or f.outliers or (f.rule and f.rule.search)):
                clipped = cpu.sum_errors(x.reshape(as_matrices(shape)), plan(f))[0, 0, 0, 6]
                assert found[:, 6].sum() == clipped


@pytest.mark.parametrize("text", [*SEARCHED[:4], *OPTIONS[:1], *OPTIONS[5:9], *SPREAD[:3]])
def test_what_is_kept_in_memory_changes_no_bit(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slabs_module, "SLAB", 1 << 12)
    tensor = open_source("synthetic:student5/3x130x333?seed=3")[0]
    held = measure_tensor(tensor, [catalog.format(text)]).errors[0]
    monkeypatch.setattr(measurement, "HELD", 0)
    for jobs in (1, 3):
        assert measure_tensor(tensor, [catalog.format(text)], jobs=jobs).errors[0] == held


@pytest.mark.parametrize("name", NAMES)
def test_no_catalogue_format_takes_a_tensor_at_once(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No read is longer than a slab, or the rows that hold a block."""
    monkeypatch.setattr(slabs_module, "SLAB", 512)
    monkeypatch.setattr(measurement, "HELD", 0)
    tensor = open_source("synthetic:normal/640x128?seed=3")[0]
    longest, read = [0], type(tensor).read

    def watched(self: Any, start: int = 0, stop: int | None = None) -> Any:
        longest.append((tensor.rows if stop is None else stop) - start)
        return read(self, start, stop)

    monkeypatch.setattr(type(tensor), "read", watched)
    measure_tensor(tensor, [catalog.format(name)])
    assert max(longest) <= 128


@given(st.lists(st.floats(width=32), max_size=40), st.randoms())
def test_the_mean_is_exact_in_any_order_and_any_parts(values: list[float], random: Any) -> None:
    x = np.array(values, np.float32)
    finite = [Fraction(float(v)) for v in x if np.isfinite(v)]
    got = finite_mean(x)
    want = sum(finite, Fraction(0)) / max(len(finite), 1)
    with np.errstate(over="ignore"):
        beside = [np.nextafter(got, np.float32(side)) for side in (-np.inf, np.inf)]
    miss = abs(Fraction(float(got)) - want)
    assert all(abs(Fraction(float(n)) - want) >= miss for n in beside if np.isfinite(n))
    random.shuffle(values)
    half = len(values) // 2
    parts = [finite_sum(np.array(part, np.float32)) for part in (values[:half], values[half:])]
    assert mean_of(parts[0][0] + parts[1][0], parts[0][1] + parts[1][1]) == got


@pytest.mark.parametrize("error", ["squared", "absolute", "largest"])
@pytest.mark.parametrize("size", [1, 15, 16, 4095, 4096, 4097, 20_001])
def test_a_sum_that_is_continued_is_the_sum(error: str, size: int) -> None:
    x, y = (array("wide", (size,), seed) * np.float32(1e-19) for seed in (1, 2))
    x[size // 2] = np.nan
    want = blocks.ERRORS[error](x[None], y[None])[0]
    for step in (1, 7, 16, 4000, size):
        total = ErrorSum(cpu.ERRORS[error])
        for start in range(0, size, step):
            total.add(x[start : start + step], y[start : start + step])
        assert total.total == want


@settings(max_examples=60)
@given(st.sampled_from(list(KINDS)), st.sampled_from([(1,), (3, 40), (2, 5, 17)]), st.integers(0, 9), st.floats(0, 1))
def test_a_magnitude_of_a_rank_is_that_of_the_sorted_values(
    kind: str, shape: tuple[int, ...], seed: int, at: float
) -> None:
    x = array(kind, shape, seed).reshape(-1, shape[-1])
    stream = tensorwide.Stream(shape, [(i, i + 1) for i in range(len(x))], lambda a, b: x[a:b], map)
    rank = min(int(at * x.size), x.size - 1)
    value, larger = tensorwide.magnitude_at(stream, lambda _: rank)
    ranked = np.sort(np.abs(x).reshape(-1))
    assert value == ranked[rank]
    assert larger == np.count_nonzero(ranked > value)


MEASURE = """
import json, resource, sys
from fewbits import catalog
from fewbits.measurement import measure_tensor
from fewbits.sources import open_source
measure_tensor(open_source(sys.argv[1])["w"], [catalog.format(text) for text in sys.argv[2:]], jobs=2)
print(json.dumps(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)))
"""
LARGE = ("s8@tensor-p99.99:f32", "s4@16:f16+mean", "s4@tensor:f32+outliers0.01:f16", "nf4-dq-32")


@pytest.mark.slow
def test_a_tensor_larger_than_a_gigabyte_is_measured_in_less_than_one(tmp_path: Any) -> None:
    """float32, in a sparse file: whatever the format holds beside slabs is small against the tensor."""
    rows, columns = (1 << 15) + 1, 8192
    header = json.dumps({"w": {"dtype": "F32", "shape": [rows, columns], "data_offsets": [0, rows * columns * 4]}})
    file = tmp_path / "large.safetensors"
    with file.open("wb") as out:
        out.write(len(header).to_bytes(8, "little") + header.encode())
        start = out.tell()
        out.write(array("gauss", (columns,)).tobytes())
        out.truncate(start + rows * columns * 4)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(file), *LARGE], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) < 1e9 + 4 * slabs_module.SLAB * 4
