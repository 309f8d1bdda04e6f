"""Figures: pure functions of a canned table, valid Vega-Lite, the same as a browser or a file would draw."""

from __future__ import annotations

import inspect
import json
import math
import re
from pathlib import Path
from typing import Any

import polars
import pytest
import vl_convert

import canned
from canned import gallery
from fewbits import figures, metrics, table
from fewbits.errors import FewbitsError, UnknownName, UsageError
from fewbits.figures import style
from fewbits.figures.axes import axis_of
from fewbits.figures.front import front
from fewbits.figures.labels import CHARACTER, HEIGHT, place
from fewbits.figures.palette import ON_COLOUR
from fewbits.figures.pixels import Pixels
from fewbits.figures.rows import natural

METRICS = [metric.name for metric in metrics.METRICS]
MEASURED = [n for n, figure in figures.FIGURES.items() if figure.metric and set(figure.needs) <= set(table.COLUMNS)]


@pytest.fixture(scope="module")
def measurements() -> polars.DataFrame:
    return table.from_records(canned.records(canned.tensors(2)))


@pytest.fixture(scope="module")
def merged() -> polars.DataFrame:
    return gallery.summary(canned.records(canned.tensors(2)))


@pytest.fixture(scope="module")
def shown() -> dict[str, polars.DataFrame]:
    return gallery.tables()


def tables(name: str, measurements: polars.DataFrame, merged: polars.DataFrame) -> polars.DataFrame:
    return merged if name == "accuracy_bits" else measurements


def drawn(spec: dict[str, Any]) -> str:
    """What the chart looks like as SVG; an expression that Vega does not understand is an error here."""
    return str(vl_convert.vegalite_to_svg(json.dumps(spec, allow_nan=False)))


def test_every_figure_has_a_canned_table_and_a_picture(shown: dict[str, polars.DataFrame]) -> None:
    """A figure that is new fails here until it has both: `python tools/gallery.py` draws the picture."""
    import gallery as page  # tools/gallery.py

    assert set(shown) == set(figures.FIGURES)
    assert page.main(["--check"]) == 0


@pytest.mark.parametrize("name", figures.FIGURES)
def test_canned_tables_are_drawn(name: str, shown: dict[str, polars.DataFrame]) -> None:
    """Valid, pure, and the same from the needed columns alone; every axis of numbers has a title."""
    import altair

    figure, whole = figures.FIGURES[name], shown[name]
    before = whole.clone()
    spec = figures.draw(name, whole)
    altair.Chart.from_dict(spec, validate=True)
    needed = [*figure.needs, *(["sqnr_db"] * figure.metric)]
    assert figures.draw(name, whole.select(needed)) == spec
    assert whole.equals(before)
    assert "NaN" not in drawn(spec)
    for channels in axes(spec):
        assert any(channel.get("title") for channel in channels), channels


def axes(part: Any) -> list[list[dict[str, Any]]]:
    """For each view in a chart and each of its axes of numbers, the channels of its layers that share the axis."""
    if isinstance(part, list):
        return [axis for each in part for axis in axes(each)]
    if not isinstance(part, dict):
        return []
    if "mark" not in part and "layer" not in part:
        return [axis for key, value in part.items() if key != "data" for axis in axes(value)]
    layers = [layer.get("encoding", {}) for layer in part.get("layer", [part])]
    both = [[layer[name] for layer in layers if name in layer] for name in ("x", "y")]
    found = [[c for c in own if c.get("type") == "quantitative" and c.get("axis", True)] for own in both]
    return [own for own in found if own]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", figures.FIGURES)
def test_texts_are_readable(name: str, theme: str, shown: dict[str, polars.DataFrame]) -> None:
    """WCAG AA, 4.5 to 1: on the ground, or on a cell's colour (there ON_COLOUR, or what the heat map chose, checked in the browser)."""
    spec = figures.draw(name, shown[name])
    svg = drawn(style.dark(spec) if theme == "dark" else spec)
    ground = style.DARK_GROUND if theme == "dark" else style.GROUND
    on_cells = {ON_COLOUR, "white", "#14171a"} if name in ("heat_map", "fit_map", "bit_layout") else set()
    texts = re.findall(r"<text([^>]*)>([^<]+)<", svg)
    assert texts
    for attributes, text in texts:
        fill = re.search(r'fill="([^"]+)"', attributes)
        assert fill, (text, attributes)
        assert fill[1] in on_cells | {"transparent"} or contrast(fill[1], ground) >= 4.5, (text, fill[1])


def contrast(color: str, ground: str) -> float:
    """The ratio of WCAG 2 between two colours #rrggbb."""
    light, dark = sorted((luminance(color), luminance(ground)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def luminance(color: str) -> float:
    parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", MEASURED)
def test_figures_are_valid_vega_lite(name: str, measurements: polars.DataFrame, merged: polars.DataFrame) -> None:
    import altair

    few = tables(name, measurements, merged).head(25)
    for metric in ("sqnr_db", "pcc", "nmse", "zeroed"):
        altair.LayerChart.from_dict(figures.draw(name, few, metric), validate=True)


@pytest.mark.parametrize("name", MEASURED)
def test_every_metric_is_drawn(name: str, measurements: polars.DataFrame, merged: polars.DataFrame) -> None:
    for metric in METRICS:
        svg = drawn(figures.draw(name, tables(name, measurements, merged).head(20), metric))
        assert "mxfp4: " in svg
        assert "NaN" not in svg


@pytest.mark.parametrize("name", MEASURED)
def test_figures_are_pure(name: str, measurements: polars.DataFrame, merged: polars.DataFrame) -> None:
    """Same table, same chart; the needed columns and the metric are enough, and nothing is changed."""
    whole = tables(name, measurements, merged)
    before = whole.clone()
    spec = figures.draw(name, whole)
    assert figures.draw(name, whole.select(*figures.FIGURES[name].needs, "sqnr_db")) == spec
    assert whole.equals(before)


@pytest.mark.parametrize("name", MEASURED)
def test_missing_columns_are_named(name: str, measurements: polars.DataFrame, merged: polars.DataFrame) -> None:
    without = tables(name, measurements, merged).drop("bits", "sqnr_db")
    with pytest.raises(UsageError, match="bits, sqnr_db"):
        figures.draw(name, without)


def test_unknown_names() -> None:
    with pytest.raises(UnknownName, match="accuracy_bits"):
        figures.draw("pie", polars.DataFrame())
    with pytest.raises(UnknownName, match="sqnr_db"):
        figures.draw("heat_map", polars.DataFrame(), "beauty")


def test_each_figure_is_one_file_and_says_what_it_is() -> None:
    for name, figure in figures.FIGURES.items():
        assert Path(inspect.getsourcefile(figure.function) or "").stem == name
        assert figure.title
        assert figure.function.__doc__


@pytest.mark.parametrize("name", MEASURED)
def test_empty_and_single_tables(name: str, measurements: polars.DataFrame, merged: polars.DataFrame) -> None:
    whole = tables(name, measurements, merged)
    for metric in ("sqnr_db", "pcc", "nmse"):
        one = whole.filter(polars.col("format") == "mxfp4").head(1)
        assert ">mxfp4<" in drawn(figures.draw(name, one, metric))
        exact = whole.filter(polars.col("format") == "fp32").head(1)
        assert "fp32" in drawn(figures.draw(name, exact, metric))
    if name != "tensor_formats":
        drawn(figures.draw(name, whole.head(0)))


def test_exact_and_undefined_values_are_said(merged: polars.DataFrame, measurements: polars.DataFrame) -> None:
    assert "fp32 (exact)" in drawn(figures.accuracy_bits(merged))
    pcc = figures.accuracy_bits(merged, "pcc")
    assert "fp0" not in {row["format"] for row in pcc["data"]["values"]}
    assert "fp32" in {row["format"] for row in pcc["data"]["values"]}
    first = measurements.filter(polars.col("tensor") == measurements["tensor"][0])
    heat = drawn(figures.heat_map(first, "pcc"))
    assert heat.count(">exact<") == 1
    assert heat.count(">–<") == 1
    one = drawn(figures.tensor_formats(first, "pcc"))
    assert ">exact<" in one
    assert ">undefined<" in one


def test_points_stand_where_their_values_are(merged: polars.DataFrame) -> None:
    """Read back from the drawing itself: distances in pixels are as distances in bits and in decibels."""
    spec = figures.accuracy_bits(merged.filter(polars.col("bits") < 9))
    scene = vl_convert.vegalite_to_scenegraph(json.dumps(spec))
    points = {item["description"].split(":")[0]: item for item in marks(scene, "points_marks")}
    rows = {row["format"]: row for row in merged.iter_rows(named=True)}
    a, b, c = "bfp2", "mxfp4", "bfp8"
    share = (points[b]["x"] - points[a]["x"]) / (points[c]["x"] - points[a]["x"])
    assert share == pytest.approx((4.25 - 2.5) / (8.5 - 2.5), abs=1e-3)
    share = (points[b]["y"] - points[a]["y"]) / (points[c]["y"] - points[a]["y"])
    levels = [rows[name]["sqnr_db"] for name in (a, b, c)]
    assert share == pytest.approx((levels[1] - levels[0]) / (levels[2] - levels[0]), abs=1e-3)
    colors = {name: item["fill"] for name, item in points.items()}
    assert colors["q4_k"] != colors["bfp4"]


def marks(scene: Any, name: str) -> list[Any]:
    """The items of the mark of a name, anywhere in a scene graph."""
    if isinstance(scene, dict):
        if scene.get("name") == name:
            return list(scene["items"])
        return [item for value in scene.values() for item in marks(value, name)]
    return [item for value in scene for item in marks(value, name)] if isinstance(scene, list) else []


def test_the_front_is_the_one_of_the_summary(merged: polars.DataFrame) -> None:
    rows = merged.to_dicts()
    assert set(front(rows, axis_of("sqnr_db"))) == {row["format"] for row in rows if not row["better"]}


def test_front_of_errors_and_ties() -> None:
    def row(name: str, bits: float, nmse: float) -> dict[str, Any]:
        return {"format": name, "bits": bits, "nmse": nmse, "flags": []}

    rows = [
        row("a", 4, 0.1),
        row("b", 4, 0.1),
        row("c", 4.5, 0.1),
        row("d", 3, 0.2),
        row("e", 8, 0.0),
        row("f", 3.5, 0.3),
    ]
    assert front(rows, axis_of("nmse")) == ["a", "b", "d", "e"]


def test_heat_map_rows_are_in_natural_order_and_formats_by_bits() -> None:
    names = [(f"layer.{i}.w", (8, 32)) for i in (10, 2, 1)]
    spec = figures.heat_map(table.from_records(canned.records(names)))
    assert list(dict.fromkeys(row["tensor"] for row in spec["data"]["values"])) == [
        "layer.1.w",
        "layer.2.w",
        "layer.10.w",
    ]
    assert spec["layer"][0]["encoding"]["x"]["sort"] == [row[0] for row in canned.FORMATS]


def test_heat_map_relative_is_the_difference_from_the_median() -> None:
    found = table.from_records(canned.records(canned.tensors(1), canned.FORMATS[6:7]))
    spec = figures.heat_map(found, relative=True)
    scene = vl_convert.vegalite_to_scenegraph(json.dumps(spec))
    texts = {item["text"] for item in marks(scene, "values_marks")}
    median = found["sqnr_db"].median()
    assert isinstance(median, float)
    expected = {f"{value - median:+.1f}".replace("-", "−") for value in found["sqnr_db"]}
    assert {text.replace("-0.0", "+0.0") for text in texts} == {text.replace("−0.0", "+0.0") for text in expected}


def test_numbers_leave_large_heat_maps(measurements: polars.DataFrame) -> None:
    many = polars.concat([measurements] * 8)
    assert [layer["name"] for layer in figures.heat_map(measurements)["layer"]] == ["cells", "values"]
    assert [layer["name"] for layer in figures.heat_map(many)["layer"]] == ["cells"]


def test_large_heat_maps_stay_on_a_screen() -> None:
    """Hundreds of tensors: every cell is there, names stand as far apart as ever, and no row is a fraction of a pixel."""
    found = table.from_records(canned.records(canned.tensors(40), canned.FORMATS[5:8]))
    tensors = found["tensor"].n_unique()
    spec = figures.heat_map(found)
    scene = vl_convert.vegalite_to_scenegraph(json.dumps(spec))
    cells = marks(scene, "cells_marks")
    assert len(cells) == 3 * tensors == 3 * len(canned.tensors(40))
    assert {cell["height"] for cell in cells} == {spec["height"]["step"]} == {2}
    named = spec["layer"][0]["encoding"]["y"]["axis"]["values"]
    assert 50 < len(named) < 80
    assert drawn(spec).count("LayerNorm") > 4


def test_long_names_keep_both_ends() -> None:
    name = "a." * 100 + "last.weight"
    for figure in ("heat_map", "tensor_errors"):
        svg = drawn(figures.draw(figure, table.from_records(canned.records([(name, (8, 32))], canned.FORMATS[5:7]))))
        assert re.search(r">a\.a\.[a.]*…[a.]*last\.weight<", svg)


@pytest.mark.parametrize("kind", figures.KINDS)
def test_save(kind: str, tmp_path: Path, merged: polars.DataFrame) -> None:
    path = tmp_path / f"chart{kind.upper()}"
    figures.save(figures.accuracy_bits(merged.head(6)), path)
    start = {".png": b"\x89PNG", ".svg": b"<svg", ".pdf": b"%PDF", ".html": b"<!doctype html>", ".json": b"{"}[kind]
    content = path.read_bytes()
    assert content.lstrip().startswith(start)
    if kind == ".html":
        assert b"cdn." not in content
        assert content.count(b"<script") == content.count(b"</script>")
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_save_scales_pictures(tmp_path: Path, merged: polars.DataFrame) -> None:
    sizes = []
    for scale in (1.0, 2.0):
        figures.save(figures.accuracy_bits(merged.head(3)), tmp_path / "a.png", scale=scale)
        sizes.append(int.from_bytes((tmp_path / "a.png").read_bytes()[16:20]))
    assert sizes[1] == 2 * sizes[0]


def test_saved_html_cannot_be_broken_out_of(tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><!--"
    found = table.from_records(canned.records([(name, (8, 32))], canned.FORMATS[5:8]))
    figures.save(figures.heat_map(found), tmp_path / "a.html")
    assert "alert(1)</script>" not in (tmp_path / "a.html").read_text()


def test_save_refuses(tmp_path: Path, merged: polars.DataFrame) -> None:
    spec = figures.accuracy_bits(merged.head(2))
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf, \.html, \.json"):
        figures.save(spec, tmp_path / "a.gif")
    with pytest.raises(UsageError, match="positive"):
        figures.save(spec, tmp_path / "a.png", scale=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(FewbitsError, match="cannot write"):
        figures.save(spec, tmp_path / "file" / "a.png")


def test_tensor_of_the_table_only(measurements: polars.DataFrame) -> None:
    with pytest.raises(UsageError, match="no tensor 'x'"):
        figures.tensor_formats(measurements, tensor="x")


def test_labels_do_not_cover_anything() -> None:
    points = [(100 + 7 * (i % 5), 200 + 9 * (i // 5), f"format-{i}") for i in range(20)] + [(400.0, 10.0, "alone")]
    labels = place(points, (800, 400))
    boxes = []
    for (_, _, text), label in zip(points, labels, strict=True):
        if label is not None:
            left = label.x - {"left": 0, "center": 0.5, "right": 1}[label.align] * CHARACTER * len(text)
            boxes.append((left, label.y - HEIGHT / 2, left + CHARACTER * len(text), label.y + HEIGHT / 2))
    assert labels[-1] is not None
    assert not labels[-1].leader
    assert len(boxes) > 8
    for i, a in enumerate(boxes):
        assert all(a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1] for b in boxes[:i])
        assert all(not (a[0] < x < a[2] and a[1] < y < a[3]) for x, y, _ in points)


@pytest.mark.parametrize("flipped", [True, False])
@pytest.mark.parametrize(("kind", "domain"), [("linear", (-3.0, 7.0)), ("log", (1e-6, 0.3)), ("symlog", (0.0, 32.0))])
def test_pixels_and_back(kind: Any, domain: tuple[float, float], flipped: bool) -> None:
    scale = Pixels(kind, domain, 300, flipped)
    assert scale(domain[0]) == pytest.approx(300 if flipped else 0)
    assert scale(domain[1]) == pytest.approx(0 if flipped else 300, abs=1e-9)
    for pixel in (10.0, 150.0, 299.0):
        assert scale(scale.value(pixel)) == pytest.approx(pixel)


def test_ticks_of_correlations_are_nines() -> None:
    axis = axis_of("pcc")
    assert axis.labels((1e-6, 0.2))["values"] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1])
    assert math.isclose(axis.place({"pcc": 0.999, "flags": []}) or 0, 1e-3)
    assert axis.place({"pcc": 1.0, "flags": []}) is None


def test_natural_order() -> None:
    assert sorted(["a.10", "a.2", "", "a", "a.2.b", "10", "²"], key=natural) == [
        "",
        "10",
        "a",
        "a.2",
        "a.2.b",
        "a.10",
        "²",
    ]
