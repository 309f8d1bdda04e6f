"""Records, rows, columns, and files that are whole or absent."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import polars
import pytest

from fewbits import table
from fewbits.errors import DataError, FewbitsError, UsageError
from fewbits.metrics import ERROR, METRICS, SIGNAL
from fewbits.table import COLUMNS, Record, layer_of, role_of
from fewbits.table.files import write_csv, write_json

ORDER = ["model", "tensor", "layer", "role", "shape", "dtype", "format", "spec", "encoder", "evidence", "bits"]


def record(tensor: str = "model.layers.3.mlp.up_proj.weight", spec: str = "e2m1@32:e8m0", **changes: object) -> Record:
    signal = dict.fromkeys(SIGNAL, 0.0) | {
        "count": 8.0,
        "sum": 0.5,
        "sum_sq": 8.0,
        "sum_abs": 7.0,
        "max_abs": 2.0,
        "minimum": -2.0,
        "maximum": 1.5,
    }
    error = dict.fromkeys(ERROR, 0.0) | {"err_sq": 0.08, "err_abs": 0.5, "err_max": 0.2, "err": 0.01, "err_x": 0.002}
    fields: dict[str, object] = {
        "model": "org/m",
        "tensor": tensor,
        "identity": "id",
        "shape": (2, 4),
        "dtype": "float32",
        "layout": "",
        "format": "mxfp4",
        "spec": spec,
        "bits": 4.25,
        "signal": signal,
        "error": error,
        "seconds": 0.25,
    }
    return Record(**(fields | changes))  # type: ignore[arg-type]


def test_columns_are_the_documented_ones_in_order() -> None:
    names = [*ORDER, *(metric.name for metric in METRICS), "seconds", "flags"]
    assert list(COLUMNS) == names
    assert list(table.row(record())) == names
    assert table.from_records([record()]).columns == names
    assert table.from_records([]).columns == names


def test_a_row() -> None:
    row = table.row(record(), typed="MXFP4")
    assert row["format"] == "MXFP4"
    assert (row["layer"], row["role"], row["shape"]) == (3, "up_proj", [2, 4])
    assert row["mae"] == 0.0625
    assert row["sqnr_db"] == pytest.approx(20.0)
    assert row["flags"] == []


def test_samples_show_standard_errors_after_the_flags() -> None:
    sampled = record(sampling="64 of 512 rows", errors={"mae": 0.01}, backend="ttnn")
    rows = table.rows([sampled, record()])
    assert list(rows[0])[len(COLUMNS) :] == list(table.standard_error_columns())
    assert rows[0]["mae_se"] == 0.01
    assert rows[0]["atol_se"] is None
    assert rows[1]["mae_se"] is None
    assert rows[0]["flags"] == ["backend:ttnn", "sampled:64 of 512 rows"]


def test_a_record_survives_its_line_bit_for_bit() -> None:
    odd = record("naïve\n\x1b[31m.weight")
    odd.error.update(err=0.1 + 0.2, err_sq=5e-324, err_max=math.inf, err_abs=math.nan)
    line = odd.to_json()
    assert "\n" not in line
    json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is not JSON"))
    back = Record.from_json(line)
    assert math.isnan(back.error.pop("err_abs"))
    odd.error.pop("err_abs")
    assert back == odd


@pytest.mark.parametrize("line", ["", "{", "[]", "null", '"x"', "{}", '{"key":"k","signal":3}', '{"model":1}'])
def test_what_is_no_record(line: str) -> None:
    with pytest.raises(DataError, match="not a record"):
        Record.from_json(line)


def test_the_key_names_everything_that_the_numbers_depend_on() -> None:
    changes: list[dict[str, object]] = [
        {},
        {"identity": "other"},
        {"spec": "e2m1@16:e8m0"},
        {"sampling": "64 rows"},
        {"backend": "ttnn"},
        {"encoder": "gptq"},
        {"evidence": "activations"},
        {"arithmetic": 99},
    ]
    assert len({record(**change).key for change in changes}) == len(changes)
    assert record(seconds=9.0, format="MX", model="copy").key == record().key
    assert table.key("id", "e2m1@32:e8m0") == record().key


@pytest.mark.parametrize(
    ("name", "layer", "role"),
    [
        ("model.layers.10.self_attn.q_proj.weight", 10, "q_proj"),
        ("model.layers.3.mlp.experts.17.down_proj.weight", 3, "down_proj"),
        ("model.embed_tokens.weight", None, "embed_tokens"),
        ("model.norm.weight", None, "norm"),
        ("lm_head.weight", None, "lm_head"),
        ("encoder.layer.2.attention.output.dense.weight", 2, "attention.output.dense"),
        ("encoder.layer.2.attention.output.LayerNorm.weight", 2, "attention.output.LayerNorm"),
        ("encoder.layer.2.output.dense.bias", 2, "output.dense.bias"),
        ("encoder.layer.2.attention.self.query.bias", 2, "query.bias"),
        ("embeddings.LayerNorm.weight", None, "embeddings.LayerNorm"),
        ("h.0.attn.c_attn.weight", 0, "c_attn"),
        ("features.0.weight", 0, "features.0"),
        ("weight", None, "weight"),
        ("", None, ""),
        ("a..b", None, "b"),
        ("x." + "9" * 5000 + ".weight", None, "9" * 5000),
    ],
)
def test_layer_and_role(name: str, layer: int | None, role: str) -> None:
    assert layer_of(name) == layer
    if len(role) < 100:
        assert role_of(name) == role


def test_files_of_a_table(tmp_path: Path) -> None:
    rows = table.rows([record(), record('w\n;,"x', sampling="s")])
    for suffix in ("csv", "json", "parquet"):
        table.write(rows, tmp_path / f"t.{suffix}")
    assert json.loads((tmp_path / "t.json").read_text()) == rows
    frame = table.read(tmp_path / "t.parquet")
    assert frame.to_dicts() == rows
    assert frame.schema["shape"] == polars.List(polars.Int64)
    text = polars.read_csv(tmp_path / "t.csv")
    assert text["shape"].to_list() == ["2x4", "2x4"]
    assert text["tensor"].to_list() == [row["tensor"] for row in rows]
    with pytest.raises(UsageError, match=r"'.*t\.xlsx': the suffix"):
        table.write(rows, tmp_path / "t.xlsx")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["t.csv", "t.json", "t.parquet"]


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.json"
    path.write_text("old")
    with pytest.raises(ValueError, match="JSON"):
        table.write([{"a": math.nan}], path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FewbitsError, match=r"cannot write .*file/t\.csv"):
        table.write([], tmp_path / "file" / "t.csv")
    with pytest.raises(DataError, match="cannot read the table"):
        table.read(tmp_path / "file")


def test_text_that_a_spreadsheet_would_compute_and_text_that_does_not_print(tmp_path: Path) -> None:
    rows = [{"tensor": name, "mae": -0.5} for name in ("=1+1", "@a", "-x", "-0.5", "a\u202e\x1bb", "a=b")]
    write_csv(rows, whole := io.BytesIO())
    read = list(csv.DictReader(io.StringIO(whole.getvalue().decode())))
    assert [row["tensor"] for row in read] == ["'=1+1", "'@a", "'-x", "-0.5", "a\u202e\x1bb", "a=b"]
    assert {row["mae"] for row in read} == {"-0.5"}
    write_csv(rows, shown := io.BytesIO(), escaped=True)
    assert "a\\u202e\\x1bb" in shown.getvalue().decode()
    write_json(rows, found := io.BytesIO())
    assert json.loads(found.getvalue()) == rows
    assert found.getvalue().decode().replace("\n", "").isprintable()
