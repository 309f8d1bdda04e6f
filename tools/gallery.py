"""docs/gallery.md: every registered figure, drawn from canned tables, without a network. `python tools/gallery.py` writes it.

A figure whose canned table is missing is listed without a picture. `--check` writes nothing: exit code 1 when the page is not current.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import canned  # type: ignore[import-not-found]  # noqa: E402
from canned import pictures  # noqa: E402
from fewbits import figures, table  # noqa: E402
from fewbits.scan import Summary  # noqa: E402

if TYPE_CHECKING:
    import polars

PAGE = ROOT / "docs" / "gallery.md"
IMAGES = ROOT / "docs" / "images" / "gallery"
INTRODUCTION = """\
# Gallery

Every figure of `fewbits.figures`, drawn from canned tables by `tools/gallery.py`: the pictures show what a figure looks like,
not what any format does. A figure is a function of a table with the columns named below. What they show of real formats is
explained in the [tutorial](tutorials/number-formats.ipynb)."""


def main(arguments: list[str]) -> int:
    """Exit code: 1 when --check found a page that is not current."""
    tables = dict(_tables())
    page = _page(set(tables))
    if "--check" in arguments:
        return int(not PAGE.exists() or PAGE.read_text() != page)
    for name, data in tables.items():
        figures.save(figures.draw(name, data), IMAGES / f"{name}.png", scale=1)
    PAGE.write_text(page)
    print(PAGE.relative_to(ROOT))
    return 0


def _tables() -> Iterator[tuple[str, polars.DataFrame]]:
    """A canned table for every figure that has one."""
    import polars

    records = canned.records(canned.tensors(1))
    measured = table.from_records(records)
    found = Summary()
    for record in records:
        found.add(record, record.format)
    rows: list[dict[str, Any]] = [{**row, "tensor": "(all)", "shape": [1]} for row in found.rows()]
    merged = polars.DataFrame(rows, infer_schema_length=None)
    shown = pictures.tables()
    for name, figure in figures.FIGURES.items():
        if name in shown:
            yield name, shown[name]
        elif figure.metric:
            data = merged if name == "accuracy_bits" else measured
            if set(figure.needs) <= set(data.columns):
                yield name, data


def _page(drawn: set[str]) -> str:
    parts = [INTRODUCTION]
    for name, figure in sorted(figures.FIGURES.items()):
        text = (figure.function.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", "\n")
        columns = ", ".join(f"`{column}`" for column in figure.needs) + (" and a metric" if figure.metric else "")
        picture = f"![{figure.title}](images/gallery/{name}.png)" if name in drawn else "(no canned table yet)"
        parts.append(f"## {figure.title}: `{name}`\n\n{text}\n\nColumns: {columns}.\n\n{picture}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
