"""A lazy tensor says what it is without being read, and reads only what it is asked."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from fewbits.tensor import Tensor


class Counting:
    """Values of which value (r, c) is r × columns + c; remembers which rows were read."""

    def __init__(self, columns: int) -> None:
        self.columns = columns
        self.asked: list[tuple[int, int]] = []

    def read(self, start: int, stop: int) -> NDArray[np.float32]:
        self.asked.append((start, stop))
        values = np.arange(start * self.columns, stop * self.columns, dtype=np.float32)
        return values.reshape(stop - start, self.columns)

    def read16(self, start: int, stop: int) -> None:
        self.asked.append((start, stop))


def tensor(*shape: int) -> Tensor:
    columns = shape[-1] if shape else 1
    return Tensor("t", shape, "float32", 4 * int(np.prod(shape)), "id", Counting(columns))


@pytest.mark.parametrize(
    ("shape", "rows", "columns"),
    [((), 1, 1), ((7,), 1, 7), ((3, 5), 3, 5), ((2, 3, 5), 6, 5), ((0, 5), 0, 5), ((5, 0), 5, 0), ((0,), 1, 0)],
)
def test_natural_view(shape: tuple[int, ...], rows: int, columns: int) -> None:
    t = tensor(*shape)
    assert (t.rows, t.columns, t.size) == (rows, columns, rows * columns)
    assert t.read().shape == (rows, columns)


def test_reads_only_what_is_asked() -> None:
    t = tensor(100, 4)
    assert t.values.asked == []  # type: ignore[attr-defined]
    np.testing.assert_array_equal(t.read(10, 12), [[40, 41, 42, 43], [44, 45, 46, 47]])
    assert t.read(98).shape == (2, 4)
    assert t.read16(3, 5) is None
    assert t.values.asked == [(10, 12), (98, 100), (3, 5)]  # type: ignore[attr-defined]


@pytest.mark.parametrize(("start", "stop"), [(-1, 2), (3, 2), (0, 101), (101, None)])
def test_rows_outside_are_refused(start: int, stop: int | None) -> None:
    with pytest.raises(ValueError, match="allowed are 0 to 100"):
        tensor(100, 4).read(start, stop)
    with pytest.raises(ValueError, match="allowed are 0 to 100"):
        tensor(100, 4).read16(start, stop)


def test_is_hashable_and_does_not_print_its_values() -> None:
    t = tensor(2, 2)
    assert t in {t}
    assert "Counting" not in repr(t)
