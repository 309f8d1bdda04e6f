"""Pictures as pages in a real browser: checkboxes toggle lines, the legend follows, colours follow the reader's setting."""

from __future__ import annotations

from pathlib import Path

import pytest

from browser import browse
from canned import gallery
from canned.pages import HOSTILE
from fewbits import figures
from fewbits.cli import run

pytestmark = pytest.mark.browser

READY = 'there("#chart svg.marks")'
HELPERS = """
const boxes = () => [...document.querySelectorAll(".vega-bindings input[type=checkbox]")];
const lines = () => [...document.querySelectorAll("g[class*=lines_] path[stroke]")].filter(
  (path) => path.getAttribute("d") && path.getBoundingClientRect().width > 100);
const strokes = (found) => found.map((each) => each.getAttribute("stroke"));
const downwards = (selector) => [...document.querySelectorAll(selector)].sort(
  (a, b) => a.getBoundingClientRect().top - b.getBoundingClientRect().top);
const names = () => downwards("g[class*=legend_names] text").map((text) => text.textContent);
const state = () => [names(), strokes(downwards("g[class*=legend_lines] line")), strokes(lines()).sort()];
"""


@pytest.mark.parametrize("name", ["staircase", "transfer"])
def test_checkboxes_toggle_lines_and_the_legend_follows(name: str, tmp_path: Path) -> None:
    """S-069: one checkbox a line; the legend lists the visible lines only, and colours stay with their lines."""
    figures.save(figures.draw(name, gallery.tables()[name]), tmp_path / "a.html")
    found = browse(
        tmp_path / "a.html",
        """
        const out = { labels: texts(".vega-bindings label, .vega-bindings .vega-bind-name"), all: state() };
        boxes()[2].click(); await settle();
        out.less = state();
        boxes()[2].click(); await settle();
        out.again = state();
        for (const box of boxes()) box.click();
        await settle();
        out.none = state();
        boxes()[1].click(); await settle();
        out.one = state();
        return out;
        """,
        ready=READY,
        helpers=HELPERS,
    )
    names, colours, drawn = found["all"]
    assert len(names) == len(colours) > 3
    assert drawn == sorted(colours)
    assert set(names) <= {label.strip() for label in found["labels"]}
    assert found["less"] == [names[:2] + names[3:], colours[:2] + colours[3:], sorted(colours[:2] + colours[3:])]
    assert found["again"] == found["all"]
    assert found["none"] == [[], [], []]
    assert found["one"] == [names[1:2], colours[1:2], colours[1:2]]


def test_the_command_makes_such_a_page(tmp_path: Path) -> None:
    out = tmp_path / "curve.html"
    assert run(["curve", "-f", "mxfp4", "-f", "fp0", "--rand-samples", "2", "--points", "40", "-o", str(out)]) == 0
    found = browse(out, "boxes()[1].click(); await settle(); return { names: names() };", ready=READY, helpers=HELPERS)
    assert found["names"] == ["IDEAL", "mxfp4 shared", "fp0"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_follow_the_readers_colours(scheme: str, tmp_path: Path) -> None:
    figures.save(figures.draw("transfer", gallery.tables()["transfer"]), tmp_path / "a.html")
    flag = f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"
    probe = 'return { ground: css("body", "backgroundColor"), text: css("g[class*=legend_names] text", "fill") };'
    found = browse(tmp_path / "a.html", probe, flag, ready=READY)
    light = {"ground": "rgba(0, 0, 0, 0)", "text": "rgb(26, 29, 33)"}
    assert found == (light if scheme == "light" else {"ground": "rgb(20, 23, 26)", "text": "rgb(232, 234, 237)"})


def test_names_of_tensors_are_text(tmp_path: Path) -> None:
    """A title, a legend and a tooltip with a name that wants to be code."""
    import polars

    table = gallery.tables()["transfer"]
    for i, name in enumerate(HOSTILE[:6]):
        named = table.with_columns(tensor=polars.lit(name), format=polars.col("format") + name)
        figures.save(figures.draw("transfer", named, label=name), tmp_path / f"{i}.html")
        found = browse(
            tmp_path / f"{i}.html",
            """
            for (const line of lines()) line.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: 200, clientY: 200 }));
            await settle();
            return { images: document.images.length, title: texts(".role-title-text text, .role-title text") };
            """,
            ready=READY,
            helpers=HELPERS,
        )
        assert found["images"] == 0
        assert any(text.startswith(f"{name}: {name}"[:20]) for text in found["title"]), found
