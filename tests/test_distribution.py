"""Distributions: counts add up to the tensor whatever its slabs, levels are the library's, pictures and the command."""

from __future__ import annotations

import json
import re
import time
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
from fewbits.passes import reconstructions
from fewbits.pictures.distribution import distribution, levels
from fewbits.plan import plan
from test_curve import held

RANDOM = np.random.default_rng(6)
W = (0.02 * RANDOM.standard_normal((700, 400))).astype(np.float32)
W[3, 7] = 0.4


@pytest.mark.parametrize(
    "name", ["mxfp4", "nvfp4", "q4_k", "nf4-dq", "bf16", "s4@tensor-p90:f32", "s4@32:f16+hadamard32"]
)
def test_reconstructions_are_those_of_quantize(name: str) -> None:
    f = fb.format(name)
    parts = list(reconstructions(lambda a, b: W[a:b], W.shape, plan(f)))
    assert len(parts) > 1
    assert np.array_equal(np.concatenate([y for _, _, y in parts]), fb.quantize(W, f))
    assert np.array_equal(np.concatenate([x for _, x, _ in parts]), W)


def test_counts_are_of_every_value() -> None:
    found = distribution(held(W), fb.format("mxfp4"), sample=50)
    y = fb.quantize(W, "mxfp4")
    bins = [row for row in found.tables["value_histogram"] if row["part"] == "bin"]
    assert sum(row["original"] for row in bins) == W.size
    assert sum(row["reconstructed"] for row in bins) == W.size
    middle = next(row for row in bins if row["x"] <= 0.1 < row["x2"])
    assert middle["original"] == int(((middle["x"] <= W) & (middle["x2"] > W)).sum())
    assert sum(row["count"] for row in found.tables["reconstruction_density"]) == W.size
    blocks = found.tables["block_amax"]
    assert sum(row["blocks"] for row in blocks) == 700 * 13
    bands = [row for row in found.tables["error_value"] if row["part"] == "bin"]
    low = bands[10]["x"], bands[10]["x2"]
    inside = (low[0] <= W) & (low[1] > W)
    assert bands[10]["error"] == pytest.approx(
        float(np.sqrt(((y - W)[inside].astype(np.float64) ** 2).mean())), rel=1e-5
    )
    rows = found.tables["row_error"]
    assert len(rows) == 50
    for row in rows[:5]:
        x, made = W[row["row"]].astype(np.float64), y[row["row"]]
        assert row["amax"] == np.abs(x).max()
        assert row["rms_error"] == pytest.approx(float(np.sqrt(((made - x) ** 2).mean())), rel=1e-12)
    shares = found.tables["outliers"]
    assert shares[0]["share"] == 1
    assert shares[-1]["share"] == pytest.approx(1 / W.size)


def test_levels_are_the_elements_times_the_scale() -> None:
    found, amax = levels(held(W), fb.format("mxfp4"), 0.4)
    scale = 2.0 ** (np.floor(np.log2(amax)) - 2)
    assert found == sorted({s * v * scale for v in (0, 0.5, 1, 1.5, 2, 3, 4, 6) for s in (1, -1)})
    assert levels(held(W), fb.format("fp0"), 0.4)[0] == [0.0]


def test_samples_depend_on_the_seed_alone() -> None:
    f = fb.format("bfp4")
    first, again = (distribution(held(W), f, sample=20, seed=1).tables for _ in range(2))
    assert first == again
    other = distribution(held(W), f, sample=20, seed=2).tables
    assert other["error_value"] != first["error_value"]
    assert other["value_histogram"] == first["value_histogram"]


@pytest.mark.parametrize(
    "values",
    [
        *(np.zeros((3, 40)), np.full((3, 40), 2.5), np.array([[1.0, np.nan, np.inf, -2]]), np.ones(1)),
        *(np.full((4, 33), 0.3), 1 + 1e-6 * np.arange(384), np.full((2, 64), 3e38), np.array([[1e-38, 3e38] * 16])),
    ],
)
def test_odd_tensors(values: np.ndarray) -> None:
    for name, f in catalog.resolve(["mxfp4", "nvfp4", "bf16", "fp0", "s4@tensor:f32"]):
        found = distribution(held(values.astype(np.float32)), f)
        for figure, rows in found.tables.items():
            table = polars.DataFrame(rows, schema=None if rows else _empty(figure), infer_schema_length=None)
            svg = vl_convert.vegalite_to_svg(json.dumps(figures.draw(figure, table), allow_nan=False))
            assert "NaN" not in svg, (name, figure)
            sides = re.search(r'width="([0-9.]+)" height="([0-9.]+)"', svg)
            assert sides is not None
            assert max(map(float, sides.groups())) < 1500, (name, figure)  # nothing drawn far outside


def _empty(figure: str) -> Any:
    return dict.fromkeys(figures.FIGURES[figure].needs, polars.Float64)


@pytest.mark.parametrize("name", canned.tables())
def test_figures(name: str) -> None:
    """Valid, pure, the same from needed columns alone, and drawn in less than a second after the first."""
    import altair

    table = canned.tables()[name]
    spec = figures.draw(name, table)
    altair.Chart.from_dict(spec, validate=True)
    assert figures.draw(name, table.select(figures.FIGURES[name].needs)) == spec
    assert name in figures.FIGURES
    vl_convert.vegalite_to_png(json.dumps(spec, allow_nan=False), scale=1)
    start = time.process_time()
    svg = vl_convert.vegalite_to_svg(json.dumps(spec))
    assert time.process_time() - start < 5
    assert "NaN" not in svg
    figures.draw(name, table.head(0))
    with pytest.raises(fb.errors.UsageError, match=figures.FIGURES[name].needs[0]):
        figures.draw(name, table.drop(figures.FIGURES[name].needs[0]))


def test_dark_changes_colours_and_no_data() -> None:
    from fewbits.figures import style

    spec = figures.draw("transfer", canned.tables()["transfer"])
    dark = style.dark(spec)
    assert dark["data"] == spec["data"]
    assert dark["config"]["background"] == style.DARK_GROUND
    assert style.INK not in json.dumps({k: v for k, v in dark.items() if k != "data"})


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "o"
    assert run(["histogram", "sample", "encoder.layer.5.output", "-f", "nvfp4", "-o", str(out)]) == 0
    done = capsys.readouterr().out.splitlines()
    assert done[0].endswith("encoder.layer.5.output.dense.weight.nvfp4.png")
    assert done[1] == "1 picture of 1 tensor"
    assert Path(done[0]).stat().st_size > 20_000


def test_pictures_of_odd_tensors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arrays = {"zero.weight": np.zeros((4, 64)), "same.weight": np.full((4, 33), 0.3), "one.weight": np.ones(1)}
    np.savez(tmp_path / "a.npz", **{name: array.astype(np.float32) for name, array in arrays.items()})
    assert run(["histogram", str(tmp_path / "a.npz"), "--out-dir", str(tmp_path / "h")]) == 0
    assert "3 pictures of 3 tensors" in capsys.readouterr().out
    assert max(path.stat().st_size for path in (tmp_path / "h").glob("*.png")) < 1_000_000


def test_the_gallery_is_current() -> None:
    """Every registered figure is on the page, and every picture on it is there."""
    import gallery

    assert gallery.main(["--check"]) == 0
    for name in canned.tables():
        assert (gallery.IMAGES / f"{name}.png").exists()
