"""Measurement: the same bits for any number of jobs and any company; slabs and ranges merge; the table of `fewbits.measure`."""

from __future__ import annotations

import time
from typing import Any

import ml_dtypes
import numpy as np
import pytest

import fewbits as fb
from fewbits import catalog, measurement, slabs
from fewbits.errors import DataError
from fewbits.kernels import cpu
from fewbits.measurement import Measurement, measure_tensor
from fewbits.metrics import ERROR, SIGNAL, merge
from fewbits.plan import plan
from fewbits.tensor import Tensor
from strategies import NAMES, array

FORMATS = [
    "mxfp4", "nvfp4", "bf16", "bfp8", "int8-row", "nf4-dq", "q4_k", "s4@4x8:f16", "int4-g128-zero", "nvfp4-hadamard",
    "s4@tensor-mse:f32", "fp0",
]  # fmt: skip


class Rows:
    """Values of a tensor in memory, with their 16-bit patterns where there are any."""

    def __init__(self, x: np.ndarray) -> None:
        self.x = x.reshape(-1, x.shape[-1])

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.x[start:stop].astype(np.float32)

    def read16(self, start: int, stop: int) -> np.ndarray | None:
        return self.x[start:stop].view(np.uint16) if self.x.dtype.itemsize == 2 else None


def tensor(x: np.ndarray) -> Tensor:
    return Tensor("t", x.shape, str(x.dtype), x.nbytes, "", Rows(x))


def formats(texts: list[str] = FORMATS) -> list[Any]:
    return [fb.format(text) for text in texts]


def bits(m: Measurement) -> list[Any]:
    """Every sum, as text of all its digits."""
    return [{k: v.hex() for k, v in sums.items()} for sums in (m.signal, *m.errors)]


@pytest.fixture
def _small_slabs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slabs, "SLAB", 512)


@pytest.mark.usefixtures("_small_slabs")
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_jobs_and_repetition_change_no_bit(dtype: Any) -> None:
    x = tensor(array("gauss", (3, 40, 96)).astype(dtype))
    first = measure_tensor(x, formats(), jobs=1)
    for jobs in (1, 2, 4):
        assert bits(measure_tensor(x, formats(), jobs=jobs)) == bits(first)


@pytest.mark.usefixtures("_small_slabs")
@pytest.mark.parametrize("dtype", [np.float32, ml_dtypes.bfloat16])
def test_which_formats_go_together_changes_no_bit(dtype: Any) -> None:
    x = tensor(array("gauss", (60, 96)).astype(dtype))
    together = measure_tensor(x, formats())
    for i, f in enumerate(formats()):
        assert measure_tensor(x, [f]).errors[0] == together.errors[i]
    backwards = measure_tensor(x, formats()[::-1])
    assert backwards.errors[::-1] == together.errors


@pytest.mark.usefixtures("_small_slabs")
@pytest.mark.parametrize("name", NAMES)
def test_sums_over_slabs_are_those_of_the_whole(name: str) -> None:
    x = array("gauss", (2, 40, 96))
    found = measure_tensor(x, [fb.format(name)])
    y = fb.quantize(x, name)
    e, v = (y - x).astype(np.float64), x.astype(np.float64)
    error = found.errors[0]
    for key, value, size in (
        ("err", e.sum(), abs(e).sum()),
        ("err_sq", (e * e).sum(), (e * e).sum()),
        ("err_x", (e * v).sum(), abs(e * v).sum()),
        ("err_abs", abs(e).sum(), abs(e).sum()),
    ):
        assert abs(error[key] - value) <= 1e-7 * size, key
    assert error["err_max"] == abs(e).max()
    assert error["zeros_made"] == ((y == 0) & (x != 0)).sum()
    if not fb.format(name).hadamard and not (fb.format(name).rule and fb.format(name).rule.search):
        assert error["clipped"] == cpu.sum_errors(x, plan(fb.format(name)))[0, 0, 0, 6]
    assert found.signal["count"] == x.size
    assert tuple(found.signal) == SIGNAL
    assert tuple(error) == ERROR


@pytest.mark.usefixtures("_small_slabs")
def test_ranges_of_rows_are_measured_apart_and_merge() -> None:
    x = array("gauss", (64, 96))
    texts = ["mxfp4", "int8-row", "q4_k", "bf16"]
    ranges = [(0, 10), (10, 33), (40, 64)]
    found = measure_tensor(x, formats(texts), rows=ranges)
    assert found.groups is not None
    assert len(found.groups) == 3
    for (a, b), (signal, errors) in zip(ranges, found.groups, strict=True):
        alone = measure_tensor(x[a:b], formats(texts))
        assert signal["count"] == (b - a) * 96
        for one, other in zip(errors, alone.errors, strict=True):
            assert one == pytest.approx(other, rel=1e-6, abs=1e-6)
            assert one["err_max"] == other["err_max"]
    assert found.signal == pytest.approx(merge([signal for signal, _ in found.groups]), rel=1e-12)


def test_a_16_bit_tensor_is_measured_as_its_values() -> None:
    x = array("gauss", (40, 96)).astype(ml_dtypes.bfloat16)
    texts = ["fp8-e4m3", "int8", "mxfp4", "bf16", "fp8-e4m3-tensor-mse", "int8-p99.99"]
    patterns, values = measure_tensor(tensor(x), formats(texts)), measure_tensor(x.astype(np.float32), formats(texts))
    assert patterns.signal == pytest.approx(values.signal, rel=1e-12, abs=1e-9)
    for a, b in zip(patterns.errors, values.errors, strict=True):
        assert a == pytest.approx(b, rel=1e-6, abs=1e-7 * max(b["err_abs"], 1e-30))
        for exact in ("err_max", "zeros_made", "clipped"):
            assert a[exact] == b[exact]


def test_progress_counts_values_times_formats() -> None:
    done: list[int] = []
    measure_tensor(
        tensor(array("gauss", (40, 96)).astype(ml_dtypes.bfloat16)),
        formats(["mxfp4", "fp8-e4m3", "nf4-dq"]),
        progress=done.append,
    )
    assert sum(done) == 3 * 40 * 96


@pytest.mark.parametrize("shape", [(0,), (0, 5), (3, 0), (2, 0, 4), ()])
@pytest.mark.parametrize("name", [*FORMATS, "s4@16x1:f16", "int4-row-mse", "s4@16:f16+mean"])
def test_empty_and_single_tensors_have_sums(name: str, shape: tuple[int, ...]) -> None:
    found = measure_tensor(np.zeros(shape, np.float32), formats([name]))
    assert found.signal["count"] == int(np.prod(shape))
    assert found.errors[0]["err_sq"] == 0


def test_non_finite_values_are_counted_and_left_out() -> None:
    x = array("gauss", (4, 64))
    x[0, :3], x[2, 5] = [np.nan, np.inf, -np.inf], np.nan
    finite = np.where(np.isfinite(x), x, np.float32(0))
    for name in FORMATS:
        found, clean = measure_tensor(x, formats([name])), measure_tensor(finite, formats([name]))
        assert (found.signal["count"], found.signal["nan"], found.signal["inf"]) == (252, 2, 2)
        assert found.signal["sum"] == pytest.approx(clean.signal["sum"], rel=1e-12)
        assert all(np.isfinite(v) for v in found.errors[0].values())


def test_the_table_has_a_row_a_format_with_bits_and_metrics() -> None:
    x = array("gauss", (64, 128))
    rows = fb.measure(x, ["nvfp4", "mxfp4", "e2m1@16:f16", fb.parse("s4@8:e4m3")])
    assert rows["format"].to_list() == ["nvfp4", "mxfp4", "e2m1@16:f16", "s4@8:e4m3"]
    assert rows["spec"].to_list() == ["e2m1@16:e4m3@tensor:f32", "e2m1@32:e8m0", "e2m1@16:f16", "s4@8:e4m3"]
    assert rows["bits"].to_list() == [fb.bits(text, (64, 128)) for text in rows["spec"]]
    e = fb.quantize(x, "nvfp4").astype(np.float64) - x
    assert rows["mse"][0] == pytest.approx((e * e).mean(), rel=1e-6)
    assert fb.measure(x, "all")["format"].len() == 7
    assert fb.measure(x, "mxfp4", jobs=2)["mse"][0] == rows["mse"][1]


def test_measuring_what_is_no_number_is_refused() -> None:
    with pytest.raises(DataError, match="numbers expected"):
        fb.measure(np.array(["a"]), "mxfp4")


def test_compilation_is_not_in_the_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    real, first = measurement._sum_errors, []

    def compiling(*arguments: Any) -> Any:
        if not first:
            first.append(time.sleep(0.5))
        return real(*arguments)

    monkeypatch.setattr(measurement, "_sum_errors", compiling)
    monkeypatch.setattr(measurement, "WARM", set())
    x = np.ones((8, 64), np.float32)
    assert measurement.measure_tensor(x, [catalog.format("mxfp4")]).seconds[0] < 0.4
    assert first
