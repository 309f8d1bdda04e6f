"""Samples of rows: formats whose values depend on all rows are measured on all rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fewbits import catalog
from fewbits.measurement import measure_tensor
from fewbits.scan import Options, sample, scan
from test_scan import open_run, tensor

WHOLE = ["int4", "s4@col:f16", "s4@matrix:f32", "nvfp4", "bf16+mean", "e2m1@16:e4m3@col:f32", "nf4lut@flat999999:f32"]
BY_ROWS = ["mxfp4", "bf16", "int8-row", "nf4", "fp8-e4m3-128x128", "e2m1@16:e4m3@row:f32"]


def test_which_formats_no_sample_of_rows_stands_for() -> None:
    def found(texts: list[str], shape: tuple[int, ...]) -> set[str]:
        return {typed for typed, f in catalog.resolve(texts) if sample.in_full(f, shape)}

    assert found(WHOLE + BY_ROWS, (1024, 128)) == set(WHOLE)
    assert "nf4" in found(["nf4", "mxfp4"], (3, 99, 96)), "flat blocks go on in the next matrix"
    assert "mxfp4" not in found(["nf4", "mxfp4"], (3, 99, 96))


def test_scales_of_the_whole_tensor_see_the_whole_tensor(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(0, 1, (1024, 128)).astype(np.float32)
    x[::511] *= 50  # few rows have the largest values
    t, formats = tensor("t", x=x), catalog.resolve([*WHOLE, *BY_ROWS])
    done: list[int] = []
    with open_run(tmp_path) as store:
        options = Options(sample_rows=256)
        (found,) = scan(
            [t], formats, store, model="m", backends={"cpu": measure_tensor}, options=options, progress=done.append
        )
        (again,) = scan([t], formats, store, model="m", backends={"cpu": measure_tensor}, options=options)
    assert again.cached == {str(f) for _, f in formats}
    assert [record.format for record in found.records] == [typed for typed, _ in formats]
    full = measure_tensor(t, [f for _, f in formats])
    for record, error in zip(found.records, full.errors, strict=True):
        if record.format in WHOLE:
            assert (record.sampling, record.errors, record.error) == ("", {}, error), record.format
        else:
            assert record.sampling.startswith("256 of 1024 rows"), record.format
            assert record.errors["mae"] >= 0
    assert sum(done) == 128 * (1024 * len(WHOLE) + 256 * len(BY_ROWS))


@pytest.mark.parametrize("back", [False, True])
def test_bytes_that_change_take_the_old_records_out_of_the_table(back: bool, tmp_path: Path) -> None:
    from fewbits import run

    formats = catalog.resolve(["mxfp4", "bf16"])
    old, new, other = tensor("a"), tensor("a", seed=1), tensor("b")
    with open_run(tmp_path) as store:
        for tensors, chosen in [([old, other], formats), ([new], formats[:1]), ([old] * back, formats)]:
            list(scan(tensors, chosen, store, model="m", backends={"cpu": measure_tensor}))
    table = {(record.tensor, record.format): record.identity for record in run.current(tmp_path)}
    kept = {("a", "mxfp4"): new.identity} if not back else {("a", name): old.identity for name in ("mxfp4", "bf16")}
    assert table == kept | {("b", "mxfp4"): other.identity, ("b", "bf16"): other.identity}
