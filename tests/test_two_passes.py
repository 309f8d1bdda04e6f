"""Tensors too large to hold: the same values as at once, slab by slab."""

from __future__ import annotations

import math

import pytest

from fewbits import catalog, measurement
from fewbits.measurement import measure_tensor
from fewbits.metrics import ERROR
from fewbits.plan import plan
from fewbits.slabs import cut
from fewbits.sources import open_source
from fewbits.two_passes import fits

WHOLE = (
    "nf4-dq",
    "fp4-bnb-dq-32",
    "s4@16:e4m3@col:f32",
    "s4@flat48:e5m2@flat5:f32",
    "u4@16x4:u6@tensor:f32+min",
    "i4@32:e4m3@matrix:f32+zero",
    "s3@8:e4m3@4:e5m2@tensor:f32",
)


SHAPES = ("700x1000", "3x130x333", "5x96x64")


def streamed(text: str, shape: str) -> bool:
    """Whether a format on a shape needs the whole tensor at once, but for its blocks of values."""
    p, size = plan(catalog.format(text)), tuple(map(int, shape.split("x")))
    return cut(p, size).whole and fits(p, size)


CASES = [(text, shape) for text in WHOLE for shape in SHAPES if streamed(text, shape)]


@pytest.mark.parametrize(("text", "shape"), CASES)
def test_two_passes_give_the_sums_of_one(text: str, shape: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and maxima are the same; sums differ by their order only."""
    f = catalog.format(text)
    tensor = open_source(f"synthetic:student5/{shape}?seed=3")[0]
    at_once = measure_tensor(tensor, [f]).errors[0]
    monkeypatch.setattr(measurement, "HELD", 0)
    monkeypatch.setattr("fewbits.slabs.SLAB", 1 << 12)
    found = [measure_tensor(tensor, [f], jobs=jobs).errors[0] for jobs in (1, 2)]
    assert found[0] == found[1]
    for name in ERROR:
        if name in ("err_max", "zeros_made", "clipped"):
            assert found[0][name] == at_once[name], name
        else:
            scale = {"err": at_once["err_abs"], "err_x": at_once["err_abs"] * 10}.get(name, at_once[name])
            assert math.isclose(found[0][name], at_once[name], rel_tol=0, abs_tol=1e-6 * scale), name


def test_there_are_such_cases() -> None:
    """Double quantization, columns and short flat blocks among them."""
    assert len(CASES) >= 9
