"""Explanations on paper: the page, the pictures, several formats side by side, and the rule for numbers."""

from __future__ import annotations

import json
import re
from pathlib import Path

import polars
import pytest

from browser import browse
from canned.pages import Page
from fewbits import catalog, figures
from fewbits.cli import run
from fewbits.explain import bit_rows, number_line, properties, relative_error, steps
from fewbits.sheet import explained, render

SEVEN = ["fp32", "fp16", "bf16", "fp8-e4m3", "fp8-e5m2", "i8", "i4"]
TABLES = {
    "bit_layout": bit_rows,
    "number_line": number_line,
    "relative_error": lambda formats: relative_error(formats, 60),
    "dynamic_range": lambda formats: [properties(*one) for one in formats],
}


def table(name: str, names: list[str]) -> polars.DataFrame:
    return polars.DataFrame(TABLES[name](catalog.resolve(names)), infer_schema_length=None)


@pytest.mark.parametrize("names", [SEVEN, ["mxfp4"], ["nf4", "int4", "e8m0"]], ids=str)
@pytest.mark.parametrize("name", TABLES)
def test_figures_are_valid_and_pure(name: str, names: list[str], tmp_path: Path) -> None:
    import altair

    rows = table(name, names)
    spec = figures.draw(name, rows)
    assert figures.draw(name, rows.select(*figures.FIGURES[name].needs)) == spec
    altair.Chart.from_dict(spec, validate=True)
    figures.save(spec, tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert "NaN" not in svg
    assert all(f">{name}<" in svg for name in names)


def test_counts_stand_in_the_picture(tmp_path: Path) -> None:
    """Read back from the drawing: each panel has data of its own."""
    rows = table("number_line", ["fp16", "bf16", "fp8-e4m3", "fp8-e5m2"])
    figures.save(figures.draw("number_line", rows), tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text().replace("\u2009", "")
    assert {text for text in re.findall(r">([0-9]+)</text>", svg) if len(text) > 2} >= {"34817", "33025", "145", "137"}
    assert ">22529<" in svg


def test_integers_have_weights_and_no_fields(tmp_path: Path) -> None:
    figures.save(figures.draw("bit_layout", table("bit_layout", ["i8"])), tmp_path / "a.svg")
    svg = (tmp_path / "a.svg").read_text()
    assert all(f">{weight}<" in svg for weight in ("−128", 64, 32, 16, 8, 4, 2, 1, "8-bit two's complement"))
    assert "mantissa" not in svg


def test_page_asks_nothing_of_the_network() -> None:
    formats = catalog.resolve(["nvfp4", "fp8-e4m3"])
    html = render(explained(formats, {name: steps([0.3, 1.1, 6.0], f) for name, f in formats}))
    page = Page(html)
    assert not [tag for tag, _ in page.tags if tag in ("script", "link", "img", "iframe")]
    assert "url(http" not in html
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(set(ids)) == len(ids)
    assert "stored scale 1 = 448 × 0.002232143" in html
    assert "prefers-color-scheme: dark" in html
    assert "two's complement" in html or "two&#39;s complement" in html


@pytest.mark.browser
@pytest.mark.parametrize("width", [500, 1200])
def test_page_in_a_browser(width: int, tmp_path: Path) -> None:
    """No part is wider than the screen: what is, scrolls in its own box."""
    html = render(explained(catalog.resolve(["fp16", "nvfp4"]), {}))
    html = re.sub("<meta http-equiv[^>]*>", "", html)  # the probe is a script, which the page forbids
    (tmp_path / "page.html").write_text(html)
    probe = "return { wide: document.documentElement.scrollWidth - innerWidth };"
    assert browse(tmp_path / "page.html", probe, f"--window-size={width},900")["wide"] <= 0


def test_numbers_are_values_and_all_else_formats(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "fp8-e4m3", "0.99", "fp8-e5m2", "-2.5", "1e9", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["format"], row["reconstruction"]) for row in rows] == [
        *(("fp8-e4m3", 1.0), ("fp8-e4m3", -2.5), ("fp8-e4m3", 448.0)),
        *(("fp8-e5m2", 1.0), ("fp8-e5m2", -2.5), ("fp8-e5m2", 57344.0)),
    ]
    assert run(["explain", "fp16", "bf16", "0.5", "0.001"]) == 0
    assert "exact" in capsys.readouterr().out
    assert run(["explain", "0.5"]) == 2
    assert run(["explain", "catalog"]) == 2


def test_without_values_rows_are_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", "e2m1", "i4", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert len(rows) == 32
    assert rows[7] == {"format": "e2m1", "element": "e2m1", "code": 7, "bits": "0111", "value": 6.0}
    assert run(["explain", "fp32", "--json"]) == 2


@pytest.mark.parametrize("kind", ["png", "svg", "pdf", "html"])
def test_pictures_of_commands(kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / f"a.{kind}"
    assert run(["explain", "mxfp4", "fp16", "--range", "-2", "2", "-o", str(out)]) == 0
    start = {"png": b"\x89PNG", "svg": b"<svg", "pdf": b"%PDF", "html": b"<!doctype html>"}[kind]
    assert out.read_bytes().lstrip().startswith(start)
    assert run(["formats", "mxfp4", "fp0", "-o", str(out)]) == 0
    assert out.read_bytes().lstrip().startswith(start)
    assert run(["explain", "fp0", "-o", str(out)]) == 0
    assert "number line" in capsys.readouterr().out
