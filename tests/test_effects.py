"""Tables of effects, rows, sweeps and chains on odd data; arrays as tensors; charts that notebooks draw."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import vl_convert

from fewbits import catalog, figures
from fewbits.errors import DataError
from fewbits.figures.panels import beside
from fewbits.pictures.bit_sweep import bit_sweep, uniform_sqnr_db
from fewbits.pictures.chain import chain
from fewbits.pictures.effects import effects
from fewbits.pictures.row_gain import row_gain
from fewbits.sources import tensor_of
from small_png import _pixels, small_png

FORMATS = catalog.resolve(["int8", "int4", "mxfp4", "fp0"])
ODD = {
    "zeros": np.zeros((3, 40)),
    "constant": np.full((3, 40), 2.5),
    "not finite": np.array([[1.0, np.nan, np.inf, -2]]),
    "one": np.ones(1),
    "scalar": np.float64(3.5),
    "large": np.full((2, 64), 3e38),
}


@pytest.mark.parametrize("shape", [(), (1,), (7,), (3, 5), (2, 3, 4), (0,), (3, 0), (0, 4)])
def test_arrays_as_tensors(shape: tuple[int, ...]) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    tensor = tensor_of(x, "x")
    assert (tensor.name, tensor.shape, tensor.dtype, tensor.size) == ("x", shape, "float64", x.size)
    read = tensor.read()
    assert read.dtype == np.float32
    assert np.array_equal(read.ravel(), x.astype(np.float32).ravel())
    assert tensor.identity == tensor_of(x.copy()).identity
    assert x.size == 0 or tensor.identity != tensor_of(x + 1).identity
    read += 1
    assert np.array_equal(tensor.read().ravel(), x.astype(np.float32).ravel())  # what is read is the reader's own


def test_what_is_no_array_of_numbers() -> None:
    with pytest.raises(DataError, match="array of numbers"):
        tensor_of([[1, 2], [3]])


@pytest.mark.parametrize("name", ODD)
def test_odd_data_is_drawn(name: str) -> None:
    tensor = tensor_of(ODD[name])
    for figure, rows in (("effects", effects(tensor, FORMATS)), ("row_gain", row_gain(tensor, FORMATS))):
        svg = vl_convert.vegalite_to_svg(
            json.dumps(figures.draw(figure, pl.DataFrame(rows, infer_schema_length=None)), allow_nan=False)
        )
        assert "NaN" not in svg


def test_shares_are_of_all_values() -> None:
    rows = pl.DataFrame(effects(tensor_of(np.random.default_rng(1).normal(size=1000)), FORMATS[:2]))
    sums = rows.filter(pl.col("part").is_in(["error", "value"])).group_by("part", "format").agg(pl.col("y").sum())
    assert sums["y"].to_list() == pytest.approx(3 * [1.0])
    levels = rows.filter(pl.col("part") == "level")
    assert (levels.height, set(levels["format"])) == (15, {"int4"})


def test_nothing_to_show_is_said() -> None:
    with pytest.raises(DataError, match="finite"):
        effects(tensor_of([np.nan]), FORMATS)
    for x in (np.zeros(5), np.array([np.inf])):
        with pytest.raises(DataError, match="other than 0"):
            bit_sweep(tensor_of(x))


def test_uniform_noise() -> None:
    """A full-scale uniform source has crest √3: 6.02 dB for each factor of two in the number of steps."""
    x = np.random.default_rng(2).uniform(-1, 1, 100_000)
    for row in bit_sweep(tensor_of(x), [4, 8]):
        assert row["sqnr_db"] == pytest.approx(row["theory_db"], abs=0.7 if row["bits"] == 4 else 0.05)
    assert uniform_sqnr_db(8, 3**0.5) == pytest.approx(20 * np.log10(2 * 127), abs=1e-9)


def test_chains_keep_what_is_not_finite() -> None:
    rows = chain([1e6, np.nan, np.inf, 3.0, 1e-9], catalog.resolve(["fp16", "fp8-e4m3"]), "odd")
    assert [row["chain"] for row in rows] == ["odd", "odd"]
    assert (rows[0]["overflowed"], rows[0]["zeroed"], rows[1]["overflowed"]) == (1, 1, 0)
    assert rows[1]["sqnr_db"] is not None
    assert chain([], FORMATS)[0]["mse"] == 0


def test_charts_show_themselves() -> None:
    chart = figures.draw("bit_sweep", pl.DataFrame(bit_sweep(tensor_of([1.0, 0.3, -0.2]))))
    data, metadata = beside([chart], title="both")._repr_mimebundle_()
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"].startswith("picture: both; Mean squared error")
    assert 0 < metadata["image/png"]["width"] < 2000
    assert json.loads(json.dumps(chart)) == chart


def test_small_pictures_are_the_same_pictures() -> None:
    png = figures.rendered(
        {"data": {"values": [{"x": 1}]}, "mark": "bar", "encoding": {"x": {"field": "x"}}}, ".png", 1.0
    )
    small = small_png(png)
    assert len(small) < len(png)
    width, height = (int.from_bytes(small[at : at + 4], "big") for at in (16, 20))
    assert _pixels(png).shape[:2] == (height, width)
