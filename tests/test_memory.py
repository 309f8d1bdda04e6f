"""Memory: parameters × bits with scales, GiB and GB, and the 85 % rule; pictures say what the table says."""

from __future__ import annotations

import json
from pathlib import Path

import polars
import pytest

import fewbits as fb
from fewbits import figures
from fewbits.cli import run
from fewbits.errors import UnknownName, UsageError
from fewbits.memory import (
    SIZES,
    chosen,
    fit,
    fit_rows,
    gpus,
    memory_rows,
    model_of_count,
    model_of_tensors,
    parameters,
    stored_as,
)


@pytest.mark.parametrize(
    ("text", "count"), [("7B", 7e9), ("1.5e9", 1.5e9), ("350M", 350e6), ("1.5b", 1.5e9), ("123", 123), ("2T", 2e12)]
)
def test_numbers_of_parameters(text: str, count: float) -> None:
    assert parameters(text) == count


@pytest.mark.parametrize("text", ["sample", "org/7B", "7Bx", "", "nan", "-7B", "synthetic:normal/4x4"])
def test_what_is_no_number_is_a_model(text: str) -> None:
    assert parameters(text) is None


def test_gib_of_7b() -> None:
    """The published table: 26.08, 13.04, 6.52, 3.26, 2.44, 1.63 GiB; 14 GB at 16 bits."""
    rows = memory_rows([model_of_count("7B", 7 * 10**9)], stored_as(["32", "16", "8", "4", "3", "2"]), gpus())
    assert [round(row["gib"], 2) for row in rows] == [26.08, 13.04, 6.52, 3.26, 2.44, 1.63]
    assert rows[1]["gb"] == 14
    assert rows[1]["fits"] == ["RTX 3090", "RTX 4090", "A100 40", "A100 80", "H100", "H200", "B200"]


def test_scales_count() -> None:
    model = model_of_count("7B", 7 * 10**9)
    (row,) = memory_rows([model], stored_as(["mxfp4"]), gpus())
    assert row["bytes"] == 7 * 10**9 * 4.25 / 8


def test_a_real_model_takes_exact_bits() -> None:
    source = fb.open_source("sample")
    model = model_of_tensors(source.title, source)
    matrices = [t for t in source if len(t.shape) > 1]
    kept = sum(t.nbytes for t in source if len(t.shape) <= 1)
    assert model.stored_bytes == sum(t.nbytes for t in source)
    for name in ("mxfp4", "int4-g128", "nvfp4", "q4_k"):
        exact = sum(fb.bits(name, t.shape) * t.size for t in matrices) / 8
        assert model.nbytes(fb.format(name)) == pytest.approx(exact + kept, abs=1)
    assert model.nbytes(16.0) == model.stored_bytes


@pytest.mark.parametrize(
    ("gib", "expected"), [(20.4, "fits"), (20.41, "tight"), (24.0, "tight"), (24.01, "does not fit")]
)
def test_the_85_percent_rule(gib: float, expected: str) -> None:
    assert fit(gib * 2**30, chosen(["4090"])[0]) == expected


def test_70b_on_24() -> None:
    rows = memory_rows([model_of_count("70B", 70 * 10**9)], stored_as(["2", "3"]), chosen(["3090"]))
    assert [(round(row["gib"], 2), row["fits"], row["tight"]) for row in rows] == [
        (16.30, ["RTX 3090"], []),
        (24.45, [], []),
    ]


def test_gpus_are_chosen_by_name_or_size() -> None:
    assert [g.name for g in chosen(["a100"])] == ["A100 40", "A100 80"]
    assert [(g.name, g.gib) for g in chosen(["4090", "48"])] == [("RTX 4090", 24), ("48 GiB", 48)]
    with pytest.raises(UnknownName, match="H100"):
        chosen(["H1000"])
    with pytest.raises(UsageError, match="above 0"):
        chosen(["-1"])
    with pytest.raises(UsageError, match="at most 64"):
        stored_as(["65"])


def table(models: list[str], formats: list[str], names: list[str]) -> polars.DataFrame:
    found = [model_of_count(text, parameters(text) or 0) for text in models]
    devices = chosen(names) if names else list(gpus())
    return polars.DataFrame(fit_rows(memory_rows(found, stored_as(formats), devices), devices))


def test_pictures_say_what_the_table_says(tmp_path: Path) -> None:
    import altair

    for rows in (table(list(SIZES), ["16", "4"], ["4090"]), table(["70B"], ["bf16", "q4_k"], [])):
        for name in ("memory_bars", "fit_map"):
            spec = figures.draw(name, rows)
            assert figures.draw(name, rows.select(*figures.FIGURES[name].needs)) == spec
            altair.Chart.from_dict(spec, validate=True)
            figures.save(spec, tmp_path / "a.svg")
            svg = (tmp_path / "a.svg").read_text()
            assert "NaN" not in svg
            assert ">130.4<" in svg
    assert "fits on RTX 4090 (24 GiB)" in json.dumps(figures.draw("fit_map", table(["7B"], ["4"], ["4090"])))


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["memory", "7B", "sample", "-f", "mxfp4", "-f", "16", "--gpu", "h100", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["model"], row["format"], row["fits"]) for row in rows][:2] == [
        ("7B", "mxfp4", ["H100"]),
        ("7B", "16 bits", ["H100"]),
    ]
    assert run(["memory", "34B", "--csv", "m.csv", "-o", "m.html"]) == 0
    shown = capsys.readouterr().out
    assert "tight" in shown
    assert "GiB" in shown
    assert "src=" not in (tmp_path / "m.html").read_text()
    assert (tmp_path / "m.csv").read_text().startswith("model,parameters,format")
    assert run(["memory", "-o", "m.gif"]) == 2
    assert run(["memory", "7B", "-f", "mxfp5"]) == 2
