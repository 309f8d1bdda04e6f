"""The report: one file that a real browser opens from disk, whatever the tensors are called."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canned
from canned.pages import HOSTILE, Page, payload_of
from fewbits import metrics
from fewbits.errors import FewbitsError
from fewbits.figures import libraries
from fewbits.figures.axes import axis_of
from fewbits.figures.script import json_script
from fewbits.report import write_report
from fewbits.report.answer import answer
from fewbits.report.groups import layer_name
from fewbits.scan import Summary


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return canned.run(tmp_path_factory.mktemp("run"), canned.records(canned.tensors(3)))


@pytest.fixture(scope="module")
def html(run: Path) -> str:
    return write_report(run).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    records = canned.records([(name, (16, 64)) for name in HOSTILE], canned.FORMATS[5:8], model=HOSTILE[0])
    directory = canned.run(
        tmp_path_factory.mktemp("hostile"), records, filter=HOSTILE[2], uri=HOSTILE[1], revision=HOSTILE[2]
    )
    return write_report(directory)


def cells_of(data: dict[str, Any], name: str, run: int = 0) -> Any:
    """A metric of a run, tensors × formats."""
    return data["runs"][run]["tensors"]["metrics"][name].reshape(len(data["tensors"]["name"]), len(data["formats"]))


def place(data: dict[str, Any], tensor: str, format: str) -> tuple[int, int]:
    """Where a measurement stands."""
    return data["tensors"]["name"].index(tensor), [row["format"] for row in data["formats"]].index(format)


def words(html: str) -> str:
    return re.sub(r"\s+", " ", Page(html).text)


# ---- content


def test_answer_names_the_best_format_within_the_budget(html: str) -> None:
    text = words(html)
    assert "Up to 4.5 bits a weight, q4_k keeps the most: SQNR" in text
    assert "Worth their bits: bfp2, q2_k, q3_k, nf4-dq, q4_k, mxfp6-e2m3, q6_k, int8-row, q8_0, bf16, fp32." in text
    assert "weights only" in text


def test_answer_without_a_format_that_fits() -> None:
    def summary(*names: str) -> list[dict[str, Any]]:
        found = Summary()
        for record in canned.records(canned.tensors(1), [row for row in canned.FORMATS if row[0] in names]):
            found.add(record, record.format)
        return found.rows()

    found = answer(summary("bf16", "bfp8"))
    assert found.best is None
    assert found.smallest is not None
    assert found.smallest["format"] == "bfp8"
    nothing = answer(summary("fp0"))
    assert (nothing.best, nothing.smallest, nothing.front) == (None, None, [])
    exact = answer(summary("fp32", "fp0"))
    assert [row["format"] for row in exact.front] == ["fp32"]


def test_bits_that_count_as_equal_are_within_the_budget() -> None:
    """A float32 scale a tensor: nvfp4 takes 4.5002 bits, and is not left out for it."""
    measured = (("mxfp4", 4.25, 18.8), ("bfp4", 4.5, 18.6), ("nvfp4", 4.5002, 20.4), ("dearer", 4.51, 22.9))
    rows = [{"format": f, "bits": bits, "sqnr_db": db, "better": "", "flags": []} for f, bits, db in measured]
    found = answer(sorted(rows, key=lambda row: -float(str(row["sqnr_db"]))))
    assert found.best is not None
    assert found.best["format"] == "nvfp4"


def test_merged_rows_are_metrics_of_merged_sums(html: str) -> None:
    records = [record for record in canned.records(canned.tensors(3)) if record.format == "mxfp4"]
    data = payload_of(html)
    groups = data["runs"][0]["groups"]
    f = [row["format"] for row in data["formats"]].index("mxfp4")
    signal = metrics.merge([record.signal for record in records])
    error = metrics.merge([record.error for record in records])
    values = metrics.compute(signal, error)[0]
    assert groups["all"]["metrics"]["sqnr_db"][f] == pytest.approx(values["sqnr_db"], rel=1e-5)
    assert 1 - groups["all"]["metrics"]["pcc"][f] == pytest.approx(values["pcc"], rel=1e-6)
    layer = [record for record in records if ".layer.1." in record.tensor]
    at = groups["layers"]["name"].index("encoder.layer.1") * len(data["formats"]) + f
    energy = sum(record.signal["sum_sq"] for record in layer)
    ratio = energy / sum(record.error["err_sq"] for record in layer)
    assert groups["layers"]["metrics"]["sqnr_db"][at] == pytest.approx(10 * math.log10(ratio), rel=1e-5)
    assert groups["layers"]["bits"][at] == pytest.approx(4.25)
    assert {"query", "word_embeddings"} <= set(groups["roles"]["name"])


def test_every_measurement_is_there(html: str) -> None:
    data = payload_of(html)
    shape = len(canned.tensors(3)), len(canned.FORMATS)
    assert (len(data["tensors"]["name"]), len(data["formats"])) == shape
    for record in canned.records(canned.tensors(3)):
        at = place(data, record.tensor, record.format)
        values, flags = metrics.compute(record.signal, record.error)
        for name, value in values.items():
            stored = cells_of(data, name)[at]
            if value is None:
                assert np.isposinf(stored) if f"{name}:inf" in flags else np.isnan(stored), (record.tensor, name)
            elif axis_of(name).kind == "nines":
                assert stored == pytest.approx(1 - value, rel=1e-5, abs=1e-12)
            else:
                assert stored == pytest.approx(value, rel=1e-5)
    tensors = data["tensors"]
    t = tensors["name"].index("pooler.dense.weight")
    assert tensors["shape"]["values"][tensors["shape"]["at"][t]] == "384×384"
    assert tensors["weights"][t] == 384 * 384


def test_two_runs_share_their_places(run: Path, tmp_path: Path) -> None:
    """Formats that one run lacks are not measured there; tensors are one list."""
    names = [*canned.tensors(1), ("extra.weight", (8, 32))]
    other = canned.run(tmp_path / "other", canned.records(names, canned.FORMATS[4:7]))
    page = write_report(run, other)
    data = payload_of(page.read_text(encoding="utf-8"))
    assert page == run / "comparison.html"
    page.unlink()
    assert [found["name"] for found in data["runs"]] == [run.name, "other"]
    assert "extra.weight" in data["tensors"]["name"]
    bits = [found["tensors"]["bits"].reshape(-1, len(data["formats"])) for found in data["runs"]]
    assert np.isfinite(bits[0]).sum() == len(canned.tensors(3)) * len(canned.FORMATS)
    assert np.isfinite(bits[1]).sum() == len(names) * 3
    assert np.isnan(bits[0][data["tensors"]["name"].index("extra.weight")]).all()


def test_provenance(run: Path, html: str) -> None:
    text = words(html)
    facts = json.loads((run / "run.json").read_text())
    for value in (
        facts["revision"],
        facts["versions"]["numpy"],
        facts["hashes"]["catalog.toml"],
        facts["created"],
        "model.safetensors · 90.9 MB",
    ):
        assert value in text
    for metric in metrics.METRICS:
        assert re.sub(r"\s+", " ", metric.definition) in text


def test_one_file_and_nothing_from_outside(html: str) -> None:
    page = Page(html)
    for tag, attributes in page.tags:
        assert tag not in ("link", "iframe", "object", "embed", "base", "img")
        assert not {"src", "action", "srcset", "background"} & set(attributes)
        assert (attributes.get("href") or "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    policy = next(
        a["content"] for t, a in page.tags if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    assert "eval" not in policy
    assert len(html) < 3_000_000


def test_ids_and_labels(html: str) -> None:
    """What assistive technology needs: unique ids, a name for every control, headings in order."""
    page = Page(html)
    ids = [a["id"] for _, a in page.tags if "id" in a]
    assert len(set(ids)) == len(ids)
    for tag, attributes in page.tags:
        if name := attributes.get("aria-labelledby"):
            assert name in ids, tag
    assert [tag for tag, _ in page.tags].count("h1") == 1
    assert ("html", {"lang": "en"}) in page.tags


def test_hostile_names_are_text(hostile: Path) -> None:
    html = hostile.read_text(encoding="utf-8")
    page = Page(html)
    plain = Page(write_report_of_plain(hostile))
    assert [tag for tag, _ in page.tags] == [tag for tag, _ in plain.tags]
    assert set(payload_of(html)["tensors"]["name"]) == set(HOSTILE)
    assert HOSTILE[0] in page.text


def write_report_of_plain(hostile: Path) -> str:
    """The report of as many tensors with harmless names."""
    records = canned.records([(f"t{i}", (16, 64)) for i in range(len(HOSTILE))], canned.FORMATS[5:8], model="m")
    directory = canned.run(hostile.parent / "plain", records, filter="f", uri="u", revision="r")
    return write_report(directory).read_text(encoding="utf-8")


@pytest.mark.parametrize("text", HOSTILE)
def test_json_cannot_end_its_script(text: str) -> None:
    found = json_script({text: [text]})
    assert not re.search(r"[<>&\u2028\u2029]", found)
    assert json.loads(found) == {text: [text]}


def test_json_has_no_infinities() -> None:
    with pytest.raises(ValueError, match="JSON"):
        json_script([math.inf])


# ---- files


def test_written_where_asked(run: Path, tmp_path: Path) -> None:
    assert write_report(run, out=tmp_path / "new" / "r.html") == tmp_path / "new" / "r.html"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["r.html"]


def test_the_same_run_gives_the_same_report(run: Path, html: str) -> None:
    assert write_report(run).read_text(encoding="utf-8") == html


def test_no_run_and_no_measurements(tmp_path: Path) -> None:
    with pytest.raises(FewbitsError, match=r"not a run directory.*run\.json"):
        write_report(tmp_path)
    empty = canned.run(tmp_path / "empty", [])
    with pytest.raises(FewbitsError, match="no measurements"):
        write_report(empty)
    assert not (empty / "report.html").exists()


def test_a_run_by_another_version(tmp_path: Path) -> None:
    """A run.json that lacks what this version writes, or says more."""
    directory = canned.run(tmp_path / "run", canned.records(canned.tensors(1), canned.FORMATS[1:3]))
    (directory / "run.json").write_text(json.dumps({"model": "old", "machine": {}, "unknown": [1]}))
    assert "old" in words(write_report(directory).read_text(encoding="utf-8"))


@pytest.mark.parametrize("count", [1, 2])
def test_small_runs(tmp_path: Path, count: int) -> None:
    formats = [row for row in canned.FORMATS if row[0] in ("fp32", "fp0")][:count]
    directory = canned.run(tmp_path / "run", canned.records([("w", ())], formats))
    assert "fp0" in words(write_report(directory).read_text(encoding="utf-8"))


def test_notes(tmp_path: Path) -> None:
    strange = canned.records([("a", (4, 32))], canned.FORMATS[1:2], sampling="2 of 4 rows", errors={"sqnr_db": 0.1})
    bad = canned.record("b", (4, 32), canned.FORMATS[1])
    bad.signal["nan"] = 3.0
    text = words(write_report(canned.run(tmp_path / "run", [*strange, bad])).read_text(encoding="utf-8"))
    assert "1 tensors were measured on a sample of their rows" in text
    assert "1 tensors hold NaN or infinite values" in text


def test_layer_names() -> None:
    assert layer_name("encoder.layer.3.output.dense.weight") == "encoder.layer.3"
    assert layer_name("model.layers.10.mlp.experts.7.up_proj.weight") == "model.layers.10"
    assert layer_name("embeddings.word_embeddings.weight") == layer_name("embeddings.word_embeddings")


def test_libraries_are_kept_and_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path))
    monkeypatch.setattr(libraries, "_bundled", lambda: "one")
    load = libraries.libraries.__wrapped__
    assert "one" in load()
    monkeypatch.setattr(libraries, "_bundled", lambda: "two")
    assert "one" in load()
    (kept,) = (tmp_path / "fewbits").iterdir()
    kept.write_text(kept.read_text() + " ")
    assert "two" in load()
    monkeypatch.setattr(libraries, "_bundled", lambda: "</script>")
    kept.unlink()
    with pytest.raises(ValueError, match="script element"):
        load()


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "file"))
    monkeypatch.setattr(libraries, "_bundled", lambda: "one")
    assert "one" in libraries.libraries.__wrapped__()
