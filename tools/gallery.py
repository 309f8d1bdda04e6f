"""docs/gallery.md: every registered figure, drawn from canned tables, without a network. `python tools/gallery.py` writes it.

`--check` writes nothing: exit code 1 when the page is not current, or a picture is not there. Pictures are not compared: their bytes
change with the fonts of the machine.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from canned import gallery  # type: ignore[import-not-found]  # noqa: E402
from fewbits import figures  # noqa: E402

PAGE = ROOT / "docs" / "gallery.md"
IMAGES = ROOT / "docs" / "images" / "gallery"
INTRODUCTION = """\
# Gallery

Every figure of `fewbits.figures`, drawn by `tools/gallery.py` from canned tables: errors are made up and show what a figure looks
like, not what a format does; bits, values, ranges and memory are those of the formats. A figure is a function of a table with the
columns named below. What they show of real formats is explained in the [tutorial](tutorials/number-formats.ipynb)."""


def main(arguments: list[str]) -> int:
    """Exit code: 1 when --check found a page that is not current, or a picture too few or too many."""
    page = _page()
    if "--check" in arguments:
        stale = not PAGE.exists() or PAGE.read_text() != page
        return int(stale or {path.stem for path in IMAGES.glob("*.png")} != set(figures.FIGURES))
    for name, table in gallery.tables().items():
        figures.save(figures.draw(name, table), IMAGES / f"{name}.png", scale=1)
    PAGE.write_text(page)
    print(PAGE.relative_to(ROOT))
    return 0


def _page() -> str:
    parts = [INTRODUCTION]
    for name, figure in sorted(figures.FIGURES.items()):
        text = (figure.function.__doc__ or "").strip().split("\n\n")[0].replace("\n    ", "\n")
        columns = ", ".join(f"`{column}`" for column in figure.needs) + (" and a metric" if figure.metric else "")
        picture = f"![{figure.title}](images/gallery/{name}.png)"
        parts.append(f"## {figure.title}: `{name}`\n\n{text}\n\nColumns: {columns}.\n\n{picture}")
    return "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
