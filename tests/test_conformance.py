"""`fewbits conformance`: agreement with the packages that are there, and a wrong one is found out."""

from __future__ import annotations

import importlib
import json
from dataclasses import replace

import numpy as np
import pytest

from fewbits import catalog
from fewbits.cli import run
from fewbits.conformance import Oracle, check, installed
from fewbits.conformance import oracle as oracles
from fewbits.conformance.check import AGREES, DIFFERS, KNOWN, NOT_COVERED
from fewbits.conformance.inputs import suites

FOUND = {oracle.name: oracle for oracle in installed()[0]}


@pytest.mark.parametrize("name", ["ml_dtypes", "gfloat", "gguf"])
def test_packages_agree(name: str) -> None:
    rows = [row for row in check(catalog.resolve(["catalog"]), [FOUND[name]]) if row["verdict"] != NOT_COVERED]
    assert len(rows) >= 8
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
