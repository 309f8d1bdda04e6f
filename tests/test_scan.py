"""Scanning: what is known is not measured again, samples are unbiased and repeatable, summaries merge sums."""

from __future__ import annotations

import math
import sys
import types
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fewbits import catalog, metrics, run
from fewbits.errors import DataError, FewbitsError, UsageError
from fewbits.formats import Format
from fewbits.run import RunDirectory
from fewbits.scan import Options, Summary, grow, sample, scan, ttnn
from fewbits.scan.job import Job, Request
from fewbits.table import Record
from fewbits.tensor import Tensor

FORMATS = catalog.resolve(["mxfp4", "bf16"])


@dataclass
class Array:
    x: np.ndarray

    def read(self, start: int, stop: int) -> np.ndarray:
        return self.x[start:stop].copy()

    def read16(self, start: int, stop: int) -> None:
        return None


def tensor(name: str, shape: tuple[int, ...] = (4, 32), seed: int = 0, x: np.ndarray | None = None) -> Tensor:
    x = np.random.default_rng(seed).normal(0, 1, shape).astype(np.float32) if x is None else x
    rows = x.reshape(-1, x.shape[-1])
    return Tensor(name, x.shape, "float32", x.nbytes, f"id {name} {seed}", Array(rows))


@dataclass
class Sums:
    signal: dict[str, float]
    errors: list[dict[str, float]]
    seconds: list[float]
    groups: Any


@dataclass
class Rounding:
    """A stand-in for the kernels: y = round(8 x) / 8 whatever the format; counts what it is asked for."""

    asked: list[tuple[str, tuple[str, ...], Any]] = field(default_factory=list)

    def __call__(
        self,
        tensor: Tensor,
        formats: Sequence[Format],
        *,
        jobs: int = 1,
        rows: Sequence[tuple[int, int]] | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> Sums:
        self.asked.append((tensor.name, tuple(str(f) for f in formats), rows))
        parts = []
        for start, stop in rows if rows is not None else [(0, tensor.rows)]:
            x = tensor.read(start, stop)
            y = np.where(np.isfinite(x), np.round(x * 8) / 8, x).astype(np.float32)
            parts.append((ttnn._signal(x), [ttnn._errors(x, y) | {"clipped": 0.0}] * len(formats)))
            if progress:
                progress(x.size * len(formats))
        merged = metrics.merge([metrics.empty(metrics.SIGNAL), *(s for s, _ in parts)])
        errors = [metrics.merge([metrics.empty(metrics.ERROR), *(e[i] for _, e in parts)]) for i in range(len(formats))]
        return Sums(merged, errors, [0.5] * len(formats), parts if rows is not None else None)


def open_run(path: Path) -> RunDirectory:
    return RunDirectory(path, {"model": "m", "revision": ""}, [])


def test_the_second_time_nothing_is_measured(tmp_path: Path) -> None:
    kernels, tensors = Rounding(), [tensor("a"), tensor("b")]
    done: list[int] = []
    with open_run(tmp_path) as store:
        first = list(scan(tensors, FORMATS, store, model="m", backends={"cpu": kernels}, progress=done.append))
    assert sum(done) == 2 * 2 * 128
    assert [m.cached for m in first] == [frozenset(), frozenset()]
    assert [r.format for r in first[0].records] == ["mxfp4", "bf16"]
    assert first[0].records[0].bits == 4.25
    done.clear()
    with open_run(tmp_path) as store:
        second = list(scan(tensors, FORMATS, store, model="m", backends={"cpu": kernels}, progress=done.append))
    assert len(kernels.asked) == 2
    assert sum(done) == 2 * 2 * 128
    assert [m.records for m in second] == [m.records for m in first]
    assert all(m.cached == {"e2m1@32:e8m0", "bf16"} for m in second)


def test_only_what_is_missing_is_measured(tmp_path: Path) -> None:
    kernels = Rounding()
    more = catalog.resolve(["nvfp4", "MXFP4", "bf16"])
    with open_run(tmp_path) as store:
        list(scan([tensor("a")], FORMATS, store, model="m", backends={"cpu": kernels}))
        found = list(scan([tensor("a"), tensor("b")], more, store, model="m", backends={"cpu": kernels}))
        assert [r.format for r in found[0].records] == [typed for typed, _ in more]
        changed = list(scan([tensor("a", seed=1)], FORMATS, store, model="m", backends={"cpu": kernels}))
    assert [(name, len(specs)) for name, specs, _ in kernels.asked] == [("a", 2), ("a", 1), ("b", 3), ("a", 2)]
    assert changed[0].records[0].signal != found[0].records[0].signal


def test_recompute_measures_again_and_the_new_record_counts(tmp_path: Path) -> None:
    kernels = Rounding()
    with open_run(tmp_path) as store:
        for _ in range(2):
            list(
                scan(
                    [tensor("a")], FORMATS, store, model="m", backends={"cpu": kernels}, options=Options(recompute=True)
                )
            )
    assert len(kernels.asked) == 2
    assert len(list(run.current(tmp_path))) == 2


def test_an_interruption_keeps_what_was_measured(tmp_path: Path) -> None:
    def stopping(*args: Any, **keywords: Any) -> Sums:
        if args[0].name == "c":
            raise KeyboardInterrupt
        return Rounding()(*args, **keywords)

    tensors = [tensor(name) for name in "abcd"]
    with pytest.raises(KeyboardInterrupt), open_run(tmp_path) as store:
        list(scan(tensors, FORMATS, store, model="m", backends={"cpu": stopping}))
    kernels = Rounding()
    with open_run(tmp_path) as store:
        found = list(scan(tensors, FORMATS, store, model="m", backends={"cpu": kernels}))
    assert [name for name, _, _ in kernels.asked] == ["c", "d"]
    assert [bool(m.cached) for m in found] == [True, True, False, False]


def test_strict_refuses_what_is_not_finite_and_keeps_it_measured(tmp_path: Path) -> None:
    x = np.array([[1, np.nan, np.inf, -np.inf]], np.float32)
    with open_run(tmp_path) as store:
        assert len(list(scan([tensor("a", x=x)], FORMATS, store, model="m", backends={"cpu": Rounding()}))) == 1
        with pytest.raises(DataError, match="a has 1 NaN and 2 infinite values of 4, which --strict refuses"):
            list(scan([tensor("a", x=x)], FORMATS, store, model="m", backends={}, options=Options(strict=True)))


@pytest.mark.parametrize("shape", [(1000, 16), (4, 250, 8), (2, 3, 100, 4)])
def test_samples_are_strata_that_repeat(shape: tuple[int, ...]) -> None:
    formats = [f for _, f in FORMATS]
    rows = sample.draw(shape, 128, 0, "t", formats)
    assert rows is not None
    assert rows == sample.draw(shape, 128, 0, "t", formats) == sorted(rows)
    assert rows != sample.draw(shape, 128, 1, "t", formats)
    assert rows != sample.draw(shape, 128, 0, "u", formats)
    assert 128 <= sum(stop - start for start, stop in rows) < 128 + 32
    matrix = shape[-2]
    for start, stop in rows:
        assert start // matrix == (stop - 1) // matrix, "a stratum lies in one matrix"
        assert start % matrix % 32 == 0


def test_samples_never_cut_a_block() -> None:
    tall = [f for _, f in catalog.resolve(["fp8-e4m3-128x128", "e2m1@48x2:e8m0", "nf4lut@flat64:f32"])]
    rows = sample.draw((5000, 24), 500, 0, "t", tall)
    assert rows is not None
    assert all(start % math.lcm(128, 48) == 0 for start, _ in rows)
    assert all(start * 24 % 64 == 0 for start, _ in rows)


@pytest.mark.parametrize(
    ("shape", "wanted"), [((), 5), ((100,), 5), ((20, 4), 5), ((64, 4), 5), ((1000, 4), 1000), ((0, 4), 5)]
)
def test_small_tensors_are_not_sampled(shape: tuple[int, ...], wanted: int) -> None:
    assert sample.draw(shape, wanted, 0, "t") is None


def test_standard_errors_say_how_far_samples_are_off(tmp_path: Path) -> None:
    """Over 200 seeds the deviation from the whole tensor is about one standard error (rows differ in size)."""
    rng = np.random.default_rng(7)
    x = (rng.normal(0, 1, (4096, 8)) * np.repeat(rng.uniform(0.5, 2, 128), 32)[:, None]).astype(np.float32)
    t, kernels = tensor("t", x=x), Rounding()
    whole = kernels(t, [FORMATS[0][1]])
    truth, _ = metrics.compute(whole.signal, whole.errors[0])
    off: dict[str, list[float]] = {"mae": [], "sqnr_db": [], "rmse": []}
    with open_run(tmp_path) as store:
        for seed in range(200):
            options = Options(sample_rows=640, seed=seed)
            (found,) = scan([t], FORMATS[:1], store, model="m", backends={"cpu": kernels}, options=options)
            (record,) = found.records
            values, _ = metrics.compute(record.signal, record.error)
            assert record.sampling == f"640 of 4096 rows, strata of 32, seed {seed}"
            assert "atol" not in record.errors
            for name, errors in off.items():
                errors.append((values[name] - truth[name]) / record.errors[name])  # type: ignore[operator]
    for name, errors in off.items():
        assert 0.85 < np.sqrt(np.mean(np.square(errors))) < 1.3, name
        assert abs(np.mean(errors)) < 0.3, name


def test_summary_merges_sums_and_shows_plain_means_beside_them(tmp_path: Path) -> None:
    tensors = [tensor("a", (64, 32), 1), tensor("b", x=tensor("b", (8, 32), 2).read() * 100)]
    summary = Summary()
    with open_run(tmp_path) as store:
        for found in scan(tensors, FORMATS, store, model="m", backends={"cpu": Rounding()}):
            for record in found.records:
                summary.add(record, record.format)
    x = np.concatenate([t.read().ravel() for t in tensors]).astype(np.float64)
    e = np.round(x * 8) / 8 - x
    (first, second) = summary.rows()
    assert {first["format"], second["format"]} == {"mxfp4", "bf16"}
    assert first["mae"] == pytest.approx(abs(e).mean())
    assert first["sqnr_db"] == pytest.approx(10 * math.log10((x**2).sum() / (e**2).sum()))
    parts = [abs(np.round(t.read() * 8) / 8 - t.read()).mean() for t in tensors]
    assert first["mean_mae"] == pytest.approx(np.mean(parts), rel=1e-6)
    assert abs(first["mean_mae"] - first["mae"]) > 1e-4
    assert first["bytes"] == first["bits"] * 72 * 32 / 8


def entry(spec: str, bits: float, noise: float) -> Record:
    signal = dict.fromkeys(metrics.SIGNAL, 0.0) | {"count": 10.0, "sum_sq": 10.0, "maximum": 1.0}
    error = dict.fromkeys(metrics.ERROR, 0.0) | {"err_sq": noise, "err_max": noise}
    return Record("m", "t", "i", (10,), "float32", "", spec, spec, bits, signal, error, 0.0)


def test_ranking_by_error_and_the_pareto_front() -> None:
    summary = Summary()
    for spec, bits, noise in [("c", 4.5, 0.2), ("a", 4.0, 0.1), ("b", 8.0, 0.0), ("d", 4.0, 0.1), ("e", 2.0, 1.0)]:
        summary.add(entry(spec, bits, noise), spec)
    rows = summary.rows()
    assert [row["format"] for row in rows] == ["b", "a", "d", "c", "e"]
    assert {row["format"]: row["better"] for row in rows} == {"a": "", "b": "", "c": "a", "d": "", "e": ""}


def test_a_sample_counts_as_the_tensor_it_stands_for() -> None:
    whole, half = entry("s", 4.0, 1.0), entry("s", 4.0, 1.0)
    half = Record(**{**vars(half), "shape": (30,), "sampling": "10 of 30 rows"})
    summary = Summary()
    summary.add(whole, "s")
    summary.add(half, "s")
    (row,) = summary.rows()
    assert (row["weights"], row["mse"], row["atol"]) == (40, pytest.approx(4 / 40), 1.0)


def test_the_tree_collapses_layers_that_are_alike() -> None:
    names = [f"model.layers.{i}.{part}.weight" for i in range(12) for part in ("q_proj", "k_proj")]
    tensors = [tensor(name) for name in [*names, "model.embed.weight", "model.embed.bias", "head"]]
    tensors += [tensor("model.layers.12.q_proj.weight", (8, 32)), tensor("model.layers.14.q_proj.weight", (8, 32))]
    root = grow(tensors)
    assert root.tensors == len(tensors)
    assert root.nbytes == sum(t.nbytes for t in tensors)
    lines = [(depth, node.label, node.tensors, node.copies) for depth, node in root.walk()]
    assert lines == [
        (0, "head", 1, 1),
        (0, "model", 28, 1),
        (1, "embed", 2, 1),
        (2, "bias", 1, 1),
        (2, "weight", 1, 1),
        (1, "layers", 26, 1),
        (2, "0–11", 24, 12),
        (3, "k_proj", 1, 1),
        (3, "q_proj", 1, 1),
        (2, "12.q_proj", 1, 1),
        (2, "14.q_proj", 1, 1),
    ]


def test_names_that_are_both_tensor_and_module_or_have_no_end() -> None:
    tensors = [tensor(name) for name in ("a", "a.b", "a.b.c", "", ".", "x" + ".y" * 5000)]
    root = grow(tensors)
    assert root.tensors == len(tensors)
    assert sum(node.tensor is not None for _, node in root.walk()) == len(tensors)


@pytest.fixture
def packages(monkeypatch: pytest.MonkeyPatch) -> types.ModuleType:
    """Stand-ins for ttnn and torch: dtypes round to 1/8 and 1/2."""
    fake = types.ModuleType("ttnn")

    class Converted:
        def __init__(self, x: np.ndarray) -> None:
            self.x = x

        def float(self) -> Converted:
            return self

        def numpy(self) -> np.ndarray:
            return self.x

    fake.bfloat8_b, fake.bfloat4_b, fake.TILE_LAYOUT = 8.0, 2.0, "tile"  # type: ignore[attr-defined]
    fake.from_torch = lambda x, *, dtype, layout: Converted(np.round(x.x * dtype) / dtype)  # type: ignore[attr-defined]
    fake.to_torch = lambda x: x  # type: ignore[attr-defined]
    torch = types.ModuleType("torch")
    torch.from_numpy = Converted  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "ttnn", fake)
    monkeypatch.setitem(sys.modules, "torch", torch)
    return fake


def test_ttnn_measures_its_own_formats_only(
    packages: types.ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fewbits.scan.ttnn.SLAB", 64)  # many slabs
    kernels, t = Rounding(), tensor("a", (100, 32))
    formats = catalog.resolve(["all"])
    job = Job.__new__(Job)
    job.backends = {"cpu": kernels, "ttnn": ttnn.measure}
    chosen = {typed: job.backend_of(f) for typed, f in formats}
    assert {typed for typed, backend in chosen.items() if backend == "ttnn"} == {"bfp8", "bfp4"}
    with open_run(tmp_path) as store:
        arguments: dict[str, Any] = {"model": "m", "backends": job.backends, "backend_of": job.backend_of}
        (found,) = scan([t], formats, store, **arguments)
        (again,) = scan([t], formats, store, **arguments)
    assert len(kernels.asked) == 1
    assert len(kernels.asked[0][1]) == 5
    assert len(again.cached) == 7
    by_name = {record.format: record for record in found.records}
    assert {name: record.backend for name, record in by_name.items()} == chosen
    x = t.read().astype(np.float64)
    e = np.round(x * 2) / 2 - x
    assert by_name["bfp4"].error["err_sq"] == pytest.approx((e**2).sum())
    assert by_name["bfp8"].signal["sum"] == pytest.approx(x.sum())
    values, flags = metrics.compute(by_name["bfp4"].signal, by_name["bfp4"].error)
    assert values["saturated"] is None
    assert "saturated:undefined" in flags
    del packages.bfloat4_b  # type: ignore[attr-defined]
    with pytest.raises(DataError, match="has no bfloat4_b"):
        ttnn.measure(t, [f for typed, f in formats if typed == "bfp4"])


def test_backends_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ttnn", None)
    with pytest.raises(FewbitsError, match=r"--backend ttnn needs .* cannot be imported") as caught:
        Job(Request("sample", backend="ttnn"))
    assert caught.value.exit_code == 1
    with pytest.raises(UsageError, match="unknown backend 'npu'; backends are cpu, ttnn"):
        Job(Request("sample", backend="npu"))


def test_ttnn_names_formats_of_the_catalogue() -> None:
    assert {catalog.name_of(catalog.format(spec)) for spec in ttnn.DTYPES} == {"bfp8", "bfp4"}
    assert all(str(catalog.format(spec)) == spec for spec in ttnn.DTYPES)
