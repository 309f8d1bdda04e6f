"""The tutorial as a notebook: docs/tutorials/number-formats.ipynb is made of number_formats.py beside it, with its outputs.

    python tools/notebook.py            executes the cells and writes the notebook
    python tools/notebook.py --check    exit code 1 when a cell or a text output is not what the notebook has

The Python file is the one source: it can be read, compared, linted and run. The notebook is what Jupyter, Colab and GitHub
open. Cells are plain Python without IPython, so that nothing else is needed to execute them. Pictures are compared by what
they are called: their pixels depend on the fonts of a machine.
"""

from __future__ import annotations

import ast
import base64
import contextlib
import difflib
import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewbits.figures import Chart, rendered
from small_png import small_png

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
SOURCE, NOTEBOOK = FOLDER / "number_formats.py", FOLDER / "number-formats.ipynb"
MARK = "# %%"
SCALE = 1.25  # pixels a point: a compromise between sharp letters and a small file

Json = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """A cell: markdown or code, and the line of the source where it begins."""

    kind: str
    text: str
    line: int


@dataclass(frozen=True)
class Output:
    """What a cell printed, and the value of its last line if that is an expression, else None."""

    printed: str
    value: Any


def cells(source: str) -> list[Cell]:
    """The cells of a source: `# %%` begins one, `# %% [markdown]` one of text, whose lines are comments."""
    found: list[tuple[str, int, list[str]]] = []
    for number, line in enumerate(source.splitlines(), 1):
        if line.startswith(MARK):
            found.append(("markdown" if line.removeprefix(MARK).strip() == "[markdown]" else "code", number + 1, []))
        elif found:
            kind, _, lines = found[-1]
            lines.append(line.removeprefix("#").removeprefix(" ") if kind == "markdown" else line)
    return [Cell(kind, "\n".join(lines).strip("\n"), number) for kind, number, lines in found]


def execute(given: list[Cell], names: Json) -> Iterator[Output]:
    """Run the cells of code in `names`, one after the other."""
    for cell in given:
        if cell.kind != "code":
            continue
        tree = ast.parse(cell.text, str(SOURCE))
        ast.increment_lineno(tree, cell.line - 1)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(tree, SOURCE, "exec"), names)
            value = None
            if isinstance(last, ast.Expr):
                value = eval(compile(ast.Expression(last.value), SOURCE, "eval"), names)
        yield Output(printed.getvalue(), value)


def notebook(given: list[Cell], outputs: list[Output]) -> Json:
    """The notebook of cells and their outputs, in version 4.5 of the format."""
    found, count, waiting = [], 0, iter(outputs)
    for number, cell in enumerate(given, 1):
        one: Json = {"cell_type": cell.kind, "id": f"cell-{number:03}", "metadata": {}, "source": _lines(cell.text)}
        if cell.kind == "code":
            count += 1
            one |= {"execution_count": count, "outputs": _shown(next(waiting), count)}
        found.append(one)
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    return {"cells": found, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def texts(given: Json) -> str:
    """All of a notebook but its pictures, as lines that can be compared."""
    found: list[str] = []
    for cell in given["cells"]:
        found += [f"[{cell['cell_type']} {cell['id']}]", "".join(cell["source"])]
        for output in cell.get("outputs", ()):
            data = {"text": output["text"]} if "text" in output else output["data"]
            found += [f"{kind}:\n{''.join(text)}" for kind, text in data.items() if kind != "image/png"]
            found += ["a picture"] * ("image/png" in data)
    return "\n".join(found)


def made() -> Json:
    """The notebook as its source makes it now."""
    given = cells(SOURCE.read_text(encoding="utf-8"))
    return notebook(given, list(execute(given, {"__name__": "__main__"})))


def main(arguments: list[str]) -> int:
    """Exit code: 1 when --check found the notebook not current."""
    new = made()
    if "--check" not in arguments:
        NOTEBOOK.write_text(json.dumps(new, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        print(f"docs/tutorials/{NOTEBOOK.name} written, {NOTEBOOK.stat().st_size / 1000:.0f} kB")
        return 0
    old = json.loads(NOTEBOOK.read_text(encoding="utf-8")) if NOTEBOOK.exists() else {"cells": []}
    changes = list(
        difflib.unified_diff(texts(old).splitlines(), texts(new).splitlines(), NOTEBOOK.name, "executed", "", "", 1, "")
    )
    print(*changes[:40], sep="\n")
    print("the notebook is not current: python tools/notebook.py" if changes else "the notebook is current")
    return 1 if changes else 0


def _shown(output: Output, count: int) -> list[Json]:
    """The outputs of a cell as a notebook stores them."""
    found: list[Json] = []
    if output.printed:
        found.append({"name": "stdout", "output_type": "stream", "text": _lines(output.printed)})
    if output.value is not None:
        data, metadata = _data(output.value)
        found.append({"data": data, "execution_count": count, "metadata": metadata, "output_type": "execute_result"})
    return found


def _data(value: Any) -> tuple[Json, Json]:
    """A value as Jupyter would show it, pictures smaller: as a picture, else as HTML where it has that, and as text."""
    if isinstance(value, Chart):
        png = base64.b64encode(small_png(rendered(value, ".png", SCALE))).decode()
        return {"image/png": png, "text/plain": [f"picture: {value.caption}"]}, {}
    html = {"text/html": _lines(value._repr_html_())} if hasattr(value, "_repr_html_") else {}
    return html | {"text/plain": _lines(repr(value))}, {}


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
