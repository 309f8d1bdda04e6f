"""`fewbits conformance`: agreement with the packages that are there, and a wrong one is found out."""

from __future__ import annotations

import ctypes
import importlib
import importlib.util
import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock

import numpy as np
import pytest

from fewbits import catalog, quantize
from fewbits.cli import run
from fewbits.conformance import Oracle, check, installed
from fewbits.conformance import oracle as oracles
from fewbits.conformance.check import AGREES, DIFFERS, KNOWN, NOT_COVERED
from fewbits.conformance.inputs import suites
from fewbits.conformance.libraries import bundled

FOUND = {oracle.name: oracle for oracle in installed()[0]}
ALWAYS = {"ml_dtypes", "gfloat", "gguf"}
COVERED = {  # rows at least
    "modelopt": {
        "nvfp4",
        "mxfp4-modelopt",
        "mxfp8-e4m3-rceil",
        "int8-modelopt",
        "int8-row-modelopt",
        "int4-row-modelopt",
    }
    | {"int4-g128-modelopt", "int4-g32-modelopt", "fp8-e4m3-tensor-modelopt", "fp8-e4m3-row-modelopt"},
    "ggml": {
        "q4_0",
        "q4_1",
        "q5_0",
        "q5_1",
        "q8_0",
        "q2_k",
        "q3_k",
        "q4_k",
        "q5_k",
        "q6_k",
        "iq4_nl",
        "iq4_xs",
        "tq2_0",
    }
    | {"mxfp4-ggml", "bf16", "fp16"},
    "ttnn": {"bfp8", "bfp4", "bf16"},
}


@pytest.mark.parametrize("name", sorted(ALWAYS | {*FOUND}))
def test_packages_agree(name: str) -> None:
    rows = [row for row in check(catalog.resolve(["catalog"]), [FOUND[name]]) if row["verdict"] != NOT_COVERED]
    assert len(rows) >= (8 if name in ALWAYS else 3)
    assert {row["format"] for row in rows} >= COVERED.get(name, set())
    assert [row for row in rows if row["verdict"] not in (AGREES, KNOWN)] == []
    assert all(row["reason"] for row in rows if row["verdict"] == KNOWN)


def test_microscaling_agrees_without_exception() -> None:
    rows = list(check(catalog.resolve(["mxfp4", "mxfp6-e2m3", "mxfp8-e4m3"]), [FOUND["gfloat"]]))
    assert [row["verdict"] for row in rows] == [AGREES] * 3


def one_bit_off(wanted: Oracle) -> Oracle:
    """The oracle, but for one value of the ties: the next float32."""

    def answer(f):
        right = wanted.answer(f)
        if right is None:
            return None

        def wrong(x):
            y = np.array(right(x))
            if y.shape != suites(f)["gauss"].shape or np.array_equal(x, suites(f)["ties"]):
                y[0, 3] = np.nextafter(y[0, 3], np.float32(9e9))
            return y

        return wrong

    return replace(wanted, answer=answer)


def test_difference_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(
        importlib.import_module("fewbits.conformance.check"), "installed", lambda: ((one_bit_off(FOUND["gfloat"]),), ())
    )
    assert run(["conformance", "mxfp4", "--json"]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    assert row["verdict"] == DIFFERS
    assert row["where"].endswith("[0, 3]")
    assert np.float32(row["theirs"]) == np.nextafter(np.float32(row["ours"]), np.float32(9e9))


def test_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["conformance", "mxfp4", "nvfp4-46"]) == 0
    text = capsys.readouterr().out
    assert "agrees" in text
    assert "not covered: nvfp4-46" in text


def test_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str):
        raise ImportError(name)

    monkeypatch.setattr(oracles.importlib, "import_module", refuse)
    oracles.installed.cache_clear()
    try:
        found, missing = installed()
    finally:
        oracles.installed.cache_clear()
    assert found == ()
    assert "gguf" in missing


@pytest.mark.parametrize("name", ["mxfp4", "bf16", "nf4", "nvfp4", "q4_k"])
def test_inputs_are_finite_and_the_same_each_time(name: str) -> None:
    f = catalog.format(name)
    first, second = suites(f), suites(f)
    for suite, x in first.items():
        assert x.dtype == np.float32
        assert np.isfinite(x).all()
        assert np.array_equal(x.view(np.uint32), second[suite].view(np.uint32))
        assert x.shape[1] == 256


def adapter(name: str, monkeypatch: pytest.MonkeyPatch, **packages: ModuleType) -> ModuleType:
    """The file of an oracle with stand-ins for what it imports (`__` for a dot)."""
    for package, stand_in in packages.items():
        monkeypatch.setitem(sys.modules, package.replace("__", "."), stand_in)
    monkeypatch.setattr(oracles, "version_of", lambda distribution: "0")
    spec = importlib.util.spec_from_file_location(f"{name}_alone", Path(oracles.__file__).parent / f"oracles/{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def covered(module: ModuleType) -> set[str]:
    return {name for name, f in catalog.resolve(["catalog"]) if module.answer(f) is not None}


def test_modelopt_covers_its_rows_and_excuses_no_wrong_code(monkeypatch: pytest.MonkeyPatch) -> None:
    names = [
        "torch",
        "modelopt",
        "modelopt__torch",
        "modelopt__torch__quantization",
        "modelopt__torch__quantization__qtensor",
    ]
    modelopt = adapter("modelopt", monkeypatch, **{name: MagicMock() for name in names})
    assert covered(modelopt) == COVERED["modelopt"]
    for name in covered(modelopt):
        f = catalog.format(name)
        x = suites(f)["gauss"] + np.float32(1e-3)
        ours = quantize(x, f)
        wrong = np.where(ours > 0, ours * np.float32(1 - 2.0**-8), ours * np.float32(1 + 2.0**-8))  # less than a step
        excused = sum(known.where(f, x, ours, wrong) & (ours != 0) for known in modelopt.KNOWN)
        assert np.count_nonzero(excused) < 20  # values that happen to lie halfway


def test_ggml_reads_types_from_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWBITS_GGML", "/somewhere/libggml-base.so")
    monkeypatch.setattr("ctypes.CDLL", lambda path: library)
    library = MagicMock(ggml_version=lambda: b"0.1")
    library.ggml_type_name.side_effect = lambda number: {8: b"q8_0", 2: b"q4_0"}.get(number, b"NONE")
    ggml = adapter("ggml", monkeypatch)
    assert ggml.VERSION == "0.1 (libggml-base.so)"
    assert covered(ggml) == {"q4_0", "q8_0"}
    assert {name for name, f in catalog.resolve(["catalog"]) if str(f) in ggml.TYPES} == COVERED["ggml"]

    @ggml.ROW
    def halves(source: int, target: int, count: int) -> None:
        x = np.ctypeslib.as_array((ctypes.c_float * count).from_address(source))
        np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(target))[:] = x * 2

    @ggml.ROW
    def back(source: int, target: int, count: int) -> None:
        codes = np.ctypeslib.as_array((ctypes.c_uint8 * count).from_address(source))
        np.ctypeslib.as_array((ctypes.c_float * count).from_address(target))[:] = codes / 2

    x = np.arange(64, dtype=np.float32).reshape(2, 32) / 4
    made = ggml.through(x, ggml.Traits(b"halves", 32, 0, 32, True, back, halves))
    assert np.array_equal(made, np.floor(x * 2) / 2)


def test_ggml_without_a_library_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FEWBITS_GGML", "/nowhere/libggml-base.so")
    with pytest.raises(ImportError, match="no ggml library"):
        adapter("ggml", monkeypatch)


def test_libraries_of_packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    info = tmp_path / "brings_ggml-1.2.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: brings-ggml\nVersion: 1.2\n")
    paths = ["brings/libggml-base-3f.so.0.13", "libggml-base.dylib", "bin/ggml-base.dll"]
    others = ["brings/libggml-cpu.so", "brings/ggml-base.h", "brings/ggml_base.so", "libggml-basement.so"]
    (info / "RECORD").write_text("".join(f"{path},sha256=0,1\n" for path in paths + others))
    monkeypatch.syspath_prepend(tmp_path)
    found = [(path, origin) for path, origin in bundled("ggml-base") if origin == "brings-ggml 1.2"]
    assert [path for path, _ in found] == [str(tmp_path / path) for path in paths]


@pytest.mark.parametrize("converts", [True, False])
def test_ttnn_is_given_a_device(converts: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    variable = "TT_METAL_MOCK_CLUSTER_DESC_PATH"
    for name in (variable, "TT_METAL_SIMULATOR"):
        monkeypatch.delenv(name, raising=False)
    for name in ("TT_LOGGER_LEVEL", "LOGURU_LEVEL"):  # set for good; undone here
        monkeypatch.setenv(name, "off")
    boards = []

    def to_tiles(*arguments, **options):
        boards.append("n150" in Path(os.environ[variable]).read_text())
        if not converts:
            raise RuntimeError("No chips detected")

    ttnn = MagicMock(from_torch=to_tiles)
    ttnn.to_torch.return_value.float.return_value.numpy.return_value = np.zeros((32, 32), np.float32)
    if converts:
        assert covered(adapter("ttnn", monkeypatch, torch=MagicMock(), ttnn=ttnn)) == COVERED["ttnn"]
    else:
        with pytest.raises(ImportError, match="no device"):
            adapter("ttnn", monkeypatch, torch=MagicMock(), ttnn=ttnn)
    assert boards == [True]
    assert variable not in os.environ
