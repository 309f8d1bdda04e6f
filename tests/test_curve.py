"""Staircases: values against the library's arithmetic, the two variants, real tensors, the picture and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars
import pytest
import vl_convert

import fewbits as fb
from canned import pictures as canned
from fewbits import catalog, figures
from fewbits.cli import run
from fewbits.pictures import curve
from fewbits.pictures.local import localised, unit
from fewbits.pictures.probe import probe
from fewbits.tensor import Tensor

X = curve.values(400)


def line(rows: list[dict[str, Any]], series: str) -> np.ndarray:
    return np.array([row["y"] for row in rows if row["series"] == series], np.float32)


@pytest.fixture(scope="module")
def default() -> list[dict[str, Any]]:
    return curve.curve(catalog.resolve(curve.DEFAULT))


def held(values: np.ndarray, name: str = "a.weight") -> Tensor:
    class Held:
        def read(self, start: int, stop: int) -> np.ndarray:
            return np.ascontiguousarray(values.reshape(-1, values.shape[-1])[start:stop], np.float32)

        def read16(self, start: int, stop: int) -> None: ...

    return Tensor(name, values.shape, "float32", values.nbytes, name, Held())


def test_default_series_in_order(default: list[dict[str, Any]]) -> None:
    names = list(dict.fromkeys(row["series"] for row in default))
    both = [f"{name} {kind}" for name in ("mxfp4", "nvfp4", "bfp8", "bfp4", "bfp2") for kind in ("own", "shared")]
    assert names == ["IDEAL", "bf16", *both, "fp0"]
    assert all(len(line(default, name)) == 400 for name in names)
    assert (line(default, "IDEAL") == X).all()
    assert (line(default, "fp0") == 0).all()
    assert (line(default, "bf16") == fb.quantize(X, "bf16")).all()


@pytest.mark.parametrize(
    "name", ["mxfp4", "bfp8", "bfp4", "bfp2", "int4-g128", "nf4", "q4_k", "int8-row", "s4@tensor:f32"]
)
def test_own_is_each_value_alone(name: str) -> None:
    f = fb.format(name)
    alone = np.array([fb.quantize(np.array([[x]], np.float32), f)[0, 0] for x in X[::7]])
    assert np.array_equal(curve.own(f, X)[::7], alone)


def test_own_of_nvfp4_has_the_scale_of_a_tensor_that_reaches_one() -> None:
    alone = [fb.quantize(np.array([[x], [1.0]], np.float32), "nvfp4")[0, 0] for x in X[::5]]
    assert np.array_equal(curve.own(fb.format("nvfp4"), X)[::5], alone)


def test_known_steps() -> None:
    """BFP2 alone: the power of two below; MXFP4 alone: 6 · 2^-3 is the largest below 1, ties to even."""
    assert curve.own(fb.format("bfp2"), np.array([0.3, 0.5, 0.99, 1], np.float32)).tolist() == [0.25, 0.5, 0.5, 1]
    assert curve.own(fb.format("mxfp4"), np.array([0.74, 0.99, 0.625], np.float32)).tolist() == [0.75, 0.75, 0.5]


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "bfp4", "q4_k", "nf4"])
def test_shared_is_the_mean_of_real_quantizations(name: str) -> None:
    """The definition, spelled with `quantize` and a loop."""
    f, x = fb.format(name), np.array([0.1, 0.45, 0.9], np.float32)
    rows, columns = unit(f)
    random = np.random.default_rng(3)
    blocks = (0.5 * random.standard_normal((6, rows, columns))).astype(np.float32)
    places = random.integers(0, rows * columns, 6)
    largest = max(1.0, float(np.abs(blocks).max()))
    expected = []
    for value in x:
        found = []
        for block, place in zip(blocks, places, strict=True):
            one = block.copy()
            one.reshape(-1)[place] = value
            other = np.zeros_like(one)
            other[0, 0] = largest
            made = fb.quantize(np.concatenate((one, other)), localised(f))
            found.append(made[:rows].reshape(-1)[place])
        expected.append(np.mean(found, dtype=np.float64))
    assert curve.shared(f, x, 6, 3) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "bfp8", "bfp4", "bfp2"])
def test_randomness_has_an_effect_and_a_seed(name: str) -> None:
    """A-B21: the curve depends on the blocks, and is the same for the same seed."""
    f = fb.format(name)
    first = curve.shared(f, X, 20, 0)
    assert np.array_equal(first, curve.shared(f, X, 20, 0))
    assert not np.array_equal(first, curve.shared(f, X, 20, 1))
    assert not np.array_equal(first, curve.own(f, X))


@pytest.mark.parametrize("name", ["mxfp4", "nvfp4", "q4_k", "nf4", "int8-row"])
def test_points_do_not_depend_on_each_other(name: str) -> None:
    f = fb.format(name)
    random = np.random.default_rng(0)
    blocks = random.standard_normal((5, *unit(f))).astype(np.float32)
    places = np.zeros(5, np.int64)
    together = probe(f, blocks, places, X, 3.0)
    assert np.array_equal(together[::40], probe(f, blocks, places, X[::40], 3.0))


def test_every_format_of_the_catalogue_has_a_curve() -> None:
    x = curve.values(5)
    for row in catalog.rows():
        for y in (curve.own(row.format, x), curve.shared(row.format, x, 2)):
            assert y.shape == x.shape
            assert np.isfinite(y).all(), row.name


def test_tensor_line_scales_blocks_to_a_mean_of_one_half() -> None:
    """The same whatever power of ten the tensor's values have, and it is the mean over its own blocks."""
    w = np.random.default_rng(0).standard_normal((8, 64)).astype(np.float32)
    f, x = fb.format("bfp4"), curve.values(50)
    rows = curve.tensor_line(held(w), f, "a", x, samples=100)
    blocks = w.reshape(-1, 1, 16) * (0.5 / np.abs(w.reshape(-1, 1, 16)).mean(axis=2, keepdims=True))
    blocks = blocks.astype(np.float32)
    expected = []
    for value in x:
        copies = blocks.copy()
        copies[np.arange(len(blocks)), 0, np.abs(blocks[:, 0]).argmin(axis=1)] = value
        made = fb.quantize(copies, f)
        expected.append(made[np.arange(len(blocks)), 0, np.abs(blocks[:, 0]).argmin(axis=1)].mean(dtype=np.float64))
    assert [row["y"] for row in rows] == pytest.approx(expected, abs=1e-6)
    assert {row["variant"] for row in rows} == {"tensor"}


def test_tensor_without_blocks_is_an_error() -> None:
    for values in (np.zeros((4, 32), np.float32), np.zeros((0, 32), np.float32)):
        with pytest.raises(fb.errors.DataError, match=r"a\.weight"):
            curve.tensor_line(held(values), fb.format("bfp4"), "a", X)


def test_the_legend_is_of_visible_lines() -> None:
    """Parameters as checkboxes; with one off, its name is in the picture no more, and colours stay (S-069)."""
    spec = figures.draw("staircase", canned.tables()["staircase"])
    names = [row["bind"]["name"] for row in spec["params"]]
    assert names[:3] == ["IDEAL", "bf16", "mxfp4 own"]
    everything = vl_convert.vegalite_to_svg(json.dumps(spec))
    assert all(f">{name}<" in everything for name in names)
    spec["params"][2]["value"] = False
    less = vl_convert.vegalite_to_svg(json.dumps(spec))
    assert ">mxfp4 own<" not in less
    assert ">mxfp4 shared<" in less


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["curve", "-f", "bfp4", "--rand-samples", "3"]) == 0
    assert capsys.readouterr().out == "plots/compare_reconstr_error_synth_data.png\n"
    for name in ("a.png", "a.svg", "a.pdf", "a.html", "a.json", "a.csv"):
        assert run(["curve", "-f", "bfp4", "--rand-samples", "3", "-o", name, "--no-show"]) == 0
        assert (tmp_path / name).stat().st_size > 1000
    found = list(csv.DictReader((tmp_path / "a.csv").read_text().splitlines()))
    assert list(found[0]) == list(curve.COLUMNS)
    assert len(found) == 3 * 400
    assert run(["curve", "-o", "a.gif"]) == 2


def test_rows_of_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The numbers of the picture: --json and --csv - alone on stdout and without a picture, a file beside one."""
    monkeypatch.chdir(tmp_path)
    common = ["curve", "-f", "bfp4", "--rand-samples", "3", "--points", "11"]
    assert run([*common, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert rows == curve.curve(catalog.resolve(["bfp4"]), points=11, samples=3)
    assert not list(tmp_path.iterdir())
    assert run([*common, "--csv", "-"]) == 0
    table = capsys.readouterr().out
    assert [float(row["y"]) for row in csv.DictReader(table.splitlines())] == [row["y"] for row in rows]
    assert run([*common, "--csv", "a.csv", "--json", "-o", "a.svg"]) == 0
    assert json.loads(capsys.readouterr().out) == rows
    assert (tmp_path / "a.csv").read_text() == table
    assert (tmp_path / "a.svg").exists()
    assert run([*common, "-o", "a.parquet"]) == 0
    assert polars.read_parquet(tmp_path / "a.parquet").to_dicts() == rows
    assert run([*common, "--json", "--csv", "-"]) == 2
    assert run([*common, "--json", "--show"]) == 2


def test_tensors_that_fail_are_warnings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "list.txt").write_text("encoder.layer.5.output.dense.weight | BFP4 out\nnot.there\n")
    common = ["-f", "bfp2", "--rand-samples", "3", "-o", "a.csv"]
    assert run(["curve", "sample", "--tensors-file", "list.txt", *common]) == 0
    assert "warning" in capsys.readouterr().err
    assert "BFP4 out" in set(polars.read_csv(tmp_path / "a.csv")["series"])
    assert run(["curve", "no/such/file.safetensors", *common]) == 0
    assert "warning" in capsys.readouterr().err
