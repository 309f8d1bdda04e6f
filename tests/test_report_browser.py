"""The report in a real browser: opened from disk, drawn, used; whatever the tensors are called."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import canned
from canned.pages import HOSTILE, Page
from fewbits import metrics
from fewbits.report import write_report

pytestmark = pytest.mark.browser

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
)

# Before the page: what must not happen.
BEFORE = """<script>
const told = (name, text) => document.documentElement.setAttribute(`data-${name}`, text);
addEventListener("error", (e) => told("error", e.message));
addEventListener("unhandledrejection", (e) => told("error", String(e.reason)));
addEventListener("securitypolicyviolation", (e) => told("violation", `${e.violatedDirective} ${e.blockedURI}`));
</script>
"""

# After the page: `probe` runs when everything is drawn; what it returns is written where the test finds it.
AFTER = """<script>
const settle = async () => { await new Promise((resolve) => setTimeout(resolve, 300)); await drawing.done; };
const count = (selector) => document.querySelectorAll(selector).length;
const texts = (selector) => [...document.querySelectorAll(selector)].map((found) => found.textContent);
const set = (id, value, kind = "change") => { $(id).value = value; $(id).dispatchEvent(new Event(kind)); };
const css = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
const rows = (id) => [...$(id).querySelectorAll("tbody tr:not(.above, .below)")];
const lines = (id) => rows(id).map((row) => [...row.cells].map((cell) => cell.textContent));
const head = (id, title) => [...$(id).querySelectorAll("thead button")].find((button) => button.textContent === title);
const chip = (name) => [...$("formats").querySelectorAll("label")].find((label) => label.textContent === name);
const parts_of = () => [...document.querySelectorAll("[data-of]")].filter((part) => part.checkVisibility());
const visible = () => parts_of().map((part) => part.id || part.getAttribute("aria-labelledby"));
const press = (key) => $("heat-scroll").dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
const go = async (hash) => { location.hash = hash; await settle(); };
const probe = async () => { await settle(); %s };
ready.then(probe).then((result) => told("result", JSON.stringify(result)));
</script>
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(canned.run(tmp_path_factory.mktemp("run"), canned.records(canned.tensors(2))))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs: the second one lacks a format and has less error in one tensor."""
    folder = tmp_path_factory.mktemp("two")
    first = canned.run(folder / "before", canned.records(canned.tensors(2)))
    records = canned.records(canned.tensors(2), canned.FORMATS[1:])
    for record in records:
        if record.tensor == "pooler.dense.weight":
            record.error["err_sq"] *= 0.5
    return write_report(first, canned.run(folder / "after", records))


def browse(path: Path, probe: str, *flags: str, at: str = "") -> dict[str, Any]:
    """Open a report from disk without a network, at a fragment; what `probe`, the body of an async function, returns."""
    if CHROMIUM is None:
        if os.environ.get("CI"):
            pytest.fail("chromium is not installed, and CI must have it")
        pytest.skip("chromium is not installed")
    start, _, rest = path.read_text(encoding="utf-8").partition("<title>")
    page, _, end = rest.rpartition("</body>")
    probed = path.with_name("probed.html")
    probed.write_text(f"{start}{BEFORE}<title>{page}{AFTER % probe}</body>{end}", encoding="utf-8")
    profile = f"--user-data-dir={path.parent / 'profile'}"
    command = [CHROMIUM, *FLAGS, profile, "--virtual-time-budget=60000", "--window-size=1200,900", *flags, "--dump-dom"]
    done = subprocess.run([*command, probed.as_uri() + at], capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    root = next(attributes for tag, attributes in Page(done.stdout.decode()).tags if tag == "html")
    assert not {"data-error", "data-violation", "data-pwned"} & set(root), root
    assert root.get("data-result"), "the page was not drawn"
    return dict(json.loads(root["data-result"] or ""))


N = len(canned.FORMATS)
TENSORS = len(canned.tensors(2))


def test_overview(report: Path) -> None:
    found = browse(
        report,
        """
        return {
          visible: visible(), points: count("#accuracy .points_marks path"), ranking: count("#ranking tbody tr"),
          front: texts("#accuracy [class*=label_front] text"), shares: lines("shares-table"), hardest: lines("hardest-table"),
          count: $("count").textContent, current: document.querySelector("#tabs [aria-current]").textContent,
        };
        """,
    )
    assert found["points"] == found["ranking"] == N
    assert "q4_k" in found["front"]
    assert "nvfp4" not in found["front"]
    assert sum(int(row[2]) for row in found["shares"]) == TENSORS
    assert len(found["hardest"]) == 8
    assert found["count"] == f"{TENSORS} tensors, {N} formats"
    assert found["current"] == "Overview"
    assert {"h-accuracy", "h-shares", "h-hardest", "h-ranking"} <= set(found["visible"])
    assert not {"h-heat", "h-table", "tensor"} & set(found["visible"])


def test_formats_metrics_and_budget_are_chosen(report: Path) -> None:
    found = browse(
        report,
        """
        const points = () => count("#accuracy .points_marks path");
        const front = () => texts("#accuracy [class*=label_front] text");
        const out = {};
        chip("q4_k").firstChild.click(); await settle();
        out.hidden = [points(), front(), chip("q4_k").firstChild.checked, $("count").textContent];
        chip("q4_k").firstChild.click(); await settle();
        out.back = [points(), location.hash];
        set("metric", "pcc"); await settle();
        out.pcc = [points(), $("accuracy-note").textContent, $("meaning").textContent];
        set("metric", "sqnr_db");
        document.querySelector("[data-show=front]").click(); await settle();
        out.front = [points(), front().length];
        document.querySelector("[data-show=none]").click(); await settle();
        out.none = [points(), $("shares").textContent, count("#hardest-table tbody tr")];
        $("clear").click(); await settle();
        const budget = document.querySelector("#shares input");
        budget.value = "6.5"; budget.dispatchEvent(new Event("change")); await settle();
        out.budget = lines("shares-table").map((row) => row[0]);
        out.address = location.hash;
        return out;
        """,
    )
    points, front, checked, shown = found["hidden"]
    assert points == N - 1
    assert "nf4" in front or "nvfp4" in front  # what q4_k beat
    assert not checked
    assert shown == f"{TENSORS} tensors, {N - 1} of {N} formats"
    assert found["back"] == [N, "#/"]
    assert found["pcc"][0] == N - 1
    assert "undefined: fp0" in found["pcc"][1]
    assert "Pearson" in found["pcc"][2]
    assert found["front"][0] == found["front"][1] > 5
    assert found["none"][0] == found["none"][2] == 0
    assert "No tensor in sight has a format within this budget" in found["none"][1]
    assert found["budget"] == ["mxfp6-e2m3"]
    assert found["address"] == "#/?budget=6.5"


def test_measurements_are_filtered_and_sorted(report: Path) -> None:
    found = browse(
        report,
        """
        const out = {};
        out.count = $("measurements-count").textContent; out.drawn = lines("measurements").length;
        set("filter", "LAYER.1 mxfp4-even query", "input");
        out.filtered = lines("measurements");
        set("filter", "layer:1 role:query format:mxfp4-even -bias", "input");
        out.keys = lines("measurements");
        set("filter", "", "input");
        head("measurements", "sqnr_db").click(); out.lowest = lines("measurements")[0];
        head("measurements", "sqnr_db").click(); out.highest = lines("measurements")[0];
        out.sorted = head("measurements", "sqnr_db").parentNode.getAttribute("aria-sort");
        head("measurements", "sqnr_db").focus(); head("measurements", "sqnr_db").click();
        out.focused = document.activeElement.textContent;
        set("filter", "fp0 pooler", "input");
        out.reasons = [...document.querySelectorAll("#measurements td[title]")].map((cell) => [cell.textContent, cell.title]);
        set("filter", "", "input");
        $("columns").click(); out.columns = texts("#measurements thead th");
        let saved; save = (name, type, parts) => { saved = parts.join(""); };
        set("filter", "pooler", "input"); $("csv").click();
        out.csv = saved.split("\\n");
        return out;
        """,
        at="#/table",
    )
    ends = ("bias", "weight")
    assert found["count"] == f"{N * TENSORS} measurements"
    assert 20 < found["drawn"] < 100
    assert [row[0] for row in found["filtered"]] == [f"encoder.layer.1.attention.self.query.{end}" for end in ends]
    assert [row[0] for row in found["keys"]] == ["encoder.layer.1.attention.self.query.weight"]
    assert found["lowest"][3] == "fp0"
    assert found["highest"][3] == "fp32"
    assert found["sorted"] == "descending"
    assert found["focused"] == "sqnr_db"
    assert ["–", "undefined for this tensor"] in found["reasons"]
    assert {"layer", "role", "layout", "seconds", "notes", "cosine"} <= set(found["columns"])
    (header, *rows, last) = found["csv"]
    assert last == ""
    assert len(rows) == N
    table = [dict(zip(header.split(","), row.split(","), strict=True)) for row in rows]
    (record,) = [r for r in canned.records([("pooler.dense.weight", (384, 384))]) if r.format == "bfp8"]
    (row,) = [row for row in table if row["format"] == "bfp8"]
    values = metrics.compute(record.signal, record.error)[0]
    for name in ("sqnr_db", "pcc", "nmse"):
        assert float(row[name]) == pytest.approx(values[name], rel=1e-5), name
    assert next(row for row in table if row["format"] == "fp32")["sqnr_db"] == "inf"


def test_only_rows_in_sight_exist(report: Path) -> None:
    found = browse(
        report,
        """
        const scroller = document.querySelector("#measurements .scroll");
        const names = () => rows("measurements").map((row) => +row.getAttribute("aria-rowindex"));
        const total = document.querySelector("#measurements table").getAttribute("aria-rowcount");
        const out = { first: names(), height: scroller.scrollHeight, total };
        scroller.scrollTop = scroller.scrollHeight; scroller.dispatchEvent(new Event("scroll"));
        out.last = names();
        return out;
        """,
        at="#/table",
    )
    assert found["first"][0] == 2
    assert found["last"][-1] == N * TENSORS + 1 == int(found["total"])
    assert len(found["last"]) < 100
    assert found["height"] == pytest.approx(31 * (N * TENSORS + 1), abs=40)


def test_heat_map_leads_to_a_tensor(report: Path) -> None:
    found = browse(
        report,
        """
        const out = { start: [map.grid.rows, map.grid.columns, $("heat-cell").textContent] };
        choose({ grid: "layers" }); out.layers = [...Array(map.grid.rows).keys()].map((i) => map.grid.rowName(i));
        choose({ grid: "roles" }); out.roles = map.grid.rows;
        choose({ grid: "layer-role", shade: "difference" });
        out.legend = $("heat-legend").textContent; out.cells = [map.grid.rows, map.grid.columns];
        choose({ grid: "tensors", filter: "pooler" });
        press("ArrowRight"); press("ArrowRight"); out.said = $("heat-cell").textContent;
        $("heat-numbers").open = true; await settle(); out.table = lines("heat-table");
        const box = $("heat-scroll").getBoundingClientRect();
        const at = { bubbles: true, clientX: box.left + map.names + map.cell * 2.5, clientY: box.top + HEADROOM + 10 };
        $("heat-scroll").dispatchEvent(new PointerEvent("pointermove", at));
        out.tip = [$("tip").hidden, $("tip").textContent];
        $("heat-scroll").dispatchEvent(new MouseEvent("click", at)); await settle();
        out.hash = location.hash; out.name = $("tensor-name").textContent; out.visible = visible();
        out.rows = count("#comparison tbody tr"); out.points = count("#tensor-pictures .plot .point");
        history.back(); await settle(); out.back = location.hash;
        return out;
        """,
        at="#/heat",
    )
    assert found["start"][:2] == [TENSORS, N]
    assert {"encoder.layer.0", "encoder.layer.1", "embeddings.word_embeddings"} & set(found["layers"])
    assert "difference from the format's median" in found["legend"]
    assert found["cells"][0] == 3  # no layer, 0, 1
    assert found["said"].startswith("pooler.dense.weight · q2_k: sqnr_db")
    assert len(found["table"]) == 1
    assert len(found["table"][0]) == N + 1
    assert found["tip"][0] is False
    assert "pooler.dense.weight · q2_k" in found["tip"][1]
    assert found["hash"].startswith("#/tensor/pooler.dense.weight?")
    assert found["name"] == "pooler.dense.weight"
    assert "tensor" in found["visible"]
    assert found["rows"] == N
    assert found["points"] == N
    assert found["back"].startswith("#/heat?")


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report of a scan, which has profiles; one tensor has outliers in its last row."""
    folder = tmp_path_factory.mktemp("scan")
    x = np.random.default_rng(0).standard_normal((2, 64, 256)).astype(np.float32)
    x[1, 63, 32:64] *= 20
    np.savez(folder / "model.npz", first=x[0], second=x[1])
    options = ("-f", "nf4", "-f", "mxfp4", "-f", "q4_k", "-f", "int8-row", "-o", "run", "-q")
    subprocess.run(
        [sys.executable, "-m", "fewbits", "scan", "model.npz", *options], cwd=folder, check=True, capture_output=True
    )
    return folder / "run" / "report.html"


def test_pictures_of_one_tensor(scanned: Path) -> None:
    found = browse(
        scanned,
        """
        const pictures = () => texts("#tensor-pictures h3");
        const boxes = () => [...document.querySelectorAll(".legend-chips input")];
        const out = { pictures: pictures(), levels: count("#tensor-pictures line.level"), bars: count("#tensor-pictures rect.bar"),
                      curves: count("path.curve"), chips: boxes().map((box) => box.checked) };
        boxes().find((box) => box.checked).click(); await settle();
        out.fewer = [count("path.curve"), location.hash.includes("curves=")];
        choose({ levels: "mxfp4", axis: "log" });
        out.mxfp4 = [count("#tensor-pictures line.level"), texts("#tensor-pictures .caption")[1], texts("#tensor-worst .caption")[0]];
        out.worst = lines("worst-table"); out.spots = count("#tensor-worst .spot");
        const total = DATA.profiles.histogram.subarray(BINS * profileOf(state.tensor), BINS * (profileOf(state.tensor) + 1));
        out.values = total.reduce((sum, n) => sum + n, 0);
        return out;
        """,
        at="#/tensor/second?levels=nf4",
    )
    assert found["pictures"] == ["Error against bits", "Values and levels", "Transfer curve", "Sizes of blocks"]
    assert found["levels"] == 16
    assert found["bars"] > 20
    assert found["curves"] == sum(found["chips"]) == 2  # q4_k has minima, int8-row too many levels to begin with
    assert found["fewer"] == [1, True]
    levels, caption, worst = found["mxfp4"]
    assert levels == 15
    assert "the 15 levels of mxfp4" in caption
    assert "of mxfp4 (blocks of 32)" in worst
    assert found["worst"][0][1:3] == ["63", "32"]  # the row and column of the outliers
    assert found["spots"] == len(found["worst"]) == 8
    assert found["values"] == 64 * 256


def test_the_address_is_the_view(report: Path) -> None:
    """A link holds everything that was chosen; a broken one shows what it can."""
    link = "#/table?filter=layer%3A1&metric=pcc&sort=-pcc&formats=nf4,q4_k"
    found = browse(
        report,
        """
        const out = { first: [location.hash, lines("measurements").map((row) => row[3]), $("filter").value, $("metric").value] };
        out.address = address();
        for (const broken of ["#/nowhere", "#/tensor/none", "#/table?metric=no&run=9&budget=x&formats=%E0%A4%A", "#/compare", "#%"]) {
          await go(broken); (out.broken ??= []).push([state.view, $("metric").value]);
        }
        await go("#/tensor/encoder.layer.1.output.dense.weight");
        $("next").click(); await settle();
        out.next = $("tensor-name").textContent;
        return out;
        """,
        at=link,
    )
    hash_, formats, text, metric = found["first"]
    assert hash_ == found["address"] == link
    assert set(formats) == {"nf4", "q4_k"}
    assert (text, metric) == ("layer:1", "pcc")
    views = ["overview", "tensors", "table", "overview", "overview"]
    assert found["broken"] == [[view, "sqnr_db"] for view in views]
    assert found["next"] == "pooler.dense.weight"


def test_two_runs_are_compared(two: Path) -> None:
    found = browse(
        two,
        """
        const out = { rows: lines("compare-table"), summary: $("compare-summary").textContent, tabs: texts("#tabs a"),
                      marks: [count("#compare-picture circle.point"), count("#compare-picture rect.point")] };
        set("run", "1"); await settle();
        out.swapped = lines("compare-table")[0];
        await go("#/table?run=1"); out.second = $("measurements-count").textContent;
        await go("#/provenance"); out.provenance = texts("h2").filter((text) => text.startsWith("Provenance"));
        return out;
        """,
        at="#/compare",
    )
    assert two.name == "comparison.html"
    assert "Compare runs" in found["tabs"]
    first = found["rows"][0]
    assert first[0] == "pooler.dense.weight"
    assert first[5] == "+3.010"
    assert found["swapped"][5] == "−3.010"
    assert found["summary"].startswith(f"{(N - 1) * TENSORS} measurements in both")
    assert f"Only in before: {TENSORS}; only in after: 0." in found["summary"]
    assert found["marks"] == [N - 1, N - 2]  # fp32 is exact
    assert found["second"] == f"{(N - 1) * TENSORS} measurements"
    assert found["provenance"] == ["Provenance of before", "Provenance of after"]


def test_hostile_names_are_text(tmp_path: Path) -> None:
    records = canned.records([(name, (16, 64)) for name in HOSTILE], canned.FORMATS[5:8], model=HOSTILE[0])
    facts = {"filter": HOSTILE[2], "uri": HOSTILE[1], "revision": HOSTILE[2]}
    found = browse(
        write_report(canned.run(tmp_path / "run", records, **facts)),
        """
        const out = { names: TENSORS.name, title: document.title, heading: texts("h1")[0], scripts: document.scripts.length };
        out.pages = [];
        for (let t = 0; t < T; t++) {
          await go(address({ view: "tensor", tensor: t }));
          out.pages.push([state.view, state.tensor, count("#comparison tbody tr")]);
        }
        const views = ["heat?grid=tensors", "heat?grid=roles", "heat?grid=layer-role", "tensors", "table?columns=all", "provenance", ""];
        for (const view of views) {
          await go(`#/${view}`);
          if (state.view === "heat") {
            $("heat-numbers").open = true;
            for (let i = 0; i < map.grid.rows; i++) {
              const box = $("heat-scroll").getBoundingClientRect();
              const at = { clientX: box.left + map.names + 10, clientY: box.top + HEADROOM + CELL * i + 5 };
              $("heat-scroll").dispatchEvent(new PointerEvent("pointermove", at));
            }
          }
          if (view === "tensors") out.shown = lines("tensors-table").length;
          if (state.view === "table") out.rows = $("measurements-count").textContent;
        }
        out.images = document.images.length; out.after = document.scripts.length;
        return out;
        """,
    )
    assert set(found["names"]) == set(HOSTILE)
    assert found["images"] == 0
    assert found["after"] == found["scripts"]
    assert found["heading"] == HOSTILE[0]
    assert found["title"].startswith(HOSTILE[0])
    assert found["pages"] == [["tensor", t, 3] for t in range(len(HOSTILE))]
    assert found["shown"] == len(HOSTILE)
    assert found["rows"] == f"{3 * len(HOSTILE)} measurements"


SCHEMES = pytest.mark.parametrize("scheme", ["light", "dark"])


def themed(scheme: str) -> str:
    return f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}"


def contrast(one: str, other: str) -> float:
    """Contrast ratio (WCAG 2) of two colors."""
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@SCHEMES
def test_contrast(report: Path, scheme: str) -> None:
    """WCAG AA for everything that is read, in both themes: 4.5 to 1 against the page."""
    found = browse(
        report,
        """
        const read = ["body", ".lead", ".answer", ".yes", ".quiet", "#count", "#tabs a", "#formats span", "#hardest a"];
        const drawn = ["#accuracy .role-axis-label text", "#accuracy [class*=label_front] text", "#accuracy [class*=label_other] text"];
        const out = { paper: css("body", "backgroundColor"), chart: css("svg.marks", "backgroundColor"), colors: [] };
        $("chosen-formats").open = true;
        for (const one of read) out.colors.push([one, css(one, "color")]);
        for (const one of drawn) out.colors.push([one, css(one, "fill")]);
        await go("#/tensor/pooler.dense.weight");
        for (const one of [".plot text.title", ".plot .label", ".plot .axes text"]) out.colors.push([one, css(one, "fill")]);
        await go("#/table");
        for (const one of [".good", ".fair", ".bad", "thead button"]) out.colors.push([one, css(`#measurements ${one}`, "color")]);
        await go("#/heat?grid=tensors");
        out.cells = [];
        for (const shade of ["value", "difference"]) {
          choose({ shade });
          for (let i = 0; i < map.grid.rows; i++) for (let j = 0; j < F; j++) {
            const look = map.shade.look(map.grid.value(i, j), map.grid.format(i, j));
            if (look) { document.body.style.color = look.ink; out.cells.push([look.css, css("body", "color")]); }
          }
        }
        return out;
        """,
        themed(scheme),
    )
    assert found["chart"] == "rgba(0, 0, 0, 0)"
    assert (luminance(found["paper"]) < 0.1) == (scheme == "dark")
    for name, color in found["colors"]:
        assert contrast(color, found["paper"]) >= 4.5, (name, color)
    assert len(found["cells"]) > 100
    for cell, ink in found["cells"]:
        assert contrast(cell, ink) >= 4.5, (cell, ink)


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2) of a CSS color as a browser computes it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


VIEWS = ("", "heat", "tensors", "table", "tensor/pooler.dense.weight", "compare", "provenance")


@pytest.mark.parametrize("width", [500, 900])
def test_pages_do_not_scroll_sideways(two: Path, width: int) -> None:
    probe = """
    const out = {};
    for (const view of VIEWS) { await go(`#/${view}`); out[view] = document.documentElement.scrollWidth; }
    return { out, window: innerWidth };
    """.replace("VIEWS", json.dumps(VIEWS))
    found = browse(two, probe, f"--window-size={width},900")
    assert {view: wide for view, wide in found["out"].items() if wide > found["window"]} == {}


def test_names_that_are_long_or_turn_the_text_around(tmp_path: Path) -> None:
    names = ["\u202eright to left.weight", "tab\there \u2028", "‹U+202E›", "long.name." * 40 + "weight"]
    records = canned.records([(name, (16, 64)) for name in names], canned.FORMATS[5:7])
    found = browse(
        write_report(canned.run(tmp_path / "run", records)),
        """
        const out = { shown: TENSORS.shown, wide: {} };
        for (const view of ["tensors", "table", "heat", "heat?grid=roles", ""]) {
          await go(`#/${view}`); out.wide[view] = document.documentElement.scrollWidth;
          if (view === "tensors") out.names = lines("tensors-table").map((row) => row[0]);
        }
        for (let t = 0; t < T; t++) {
          await go(address({ view: "tensor", tensor: t }));
          out.wide[`tensor ${t}`] = document.documentElement.scrollWidth;
        }
        return { ...out, window: innerWidth };
        """,
    )
    shown = {
        "‹U+202E›right to left.weight",
        "tab‹U+0009›here ‹U+2028›",
        "‹U+2039›U+202E‹U+203A›",
        "‹U+2039›U+202E›",
        names[3],
    }
    assert set(found["shown"]) <= shown
    assert len(set(found["shown"])) == 4
    assert not {"\u202e", "\t", "\u2028"} & set("".join(found["names"]))
    assert {view: wide for view, wide in found["wide"].items() if wide > found["window"]} == {}


def test_many_tensors(tmp_path: Path) -> None:
    """Hundreds of tensors: layers × roles first, and a page that holds only what is in sight."""
    names = [(f"layers.{i}.{role}.weight", (64, 64)) for i in range(40) for role in "qkvougdrnb"]
    found = browse(
        write_report(canned.run(tmp_path / "run", canned.records(names, canned.FORMATS[1:12]))),
        """
        const out = { grid: [gridName(), map.grid.rows, map.grid.columns] };
        choose({ grid: "tensors" });
        out.canvas = $("heat-canvas").height <= innerHeight;
        out.space = parseInt($("heat-space").style.height);
        $("heat-scroll").focus();
        for (const key of ["PageDown", "PageDown", "End"]) press(key);
        await settle();
        out.at = [map.at.row > 20, map.at.column, $("heat-scroll").scrollTop > 0];
        choose({ filter: "layer:3-4 .q." }); out.filtered = map.grid.rows;
        await go("#/tensors"); out.rows = lines("tensors-table").length;
        return out;
        """,
        at="#/heat",
    )
    assert found["grid"] == ["layer-role", 40, 10]
    assert found["canvas"]
    assert found["space"] > 400 * 22
    assert found["at"] == [True, 10, True]
    assert found["filtered"] == 2
    assert found["rows"] < 60


def test_without_scripts_the_answer_is_there(report: Path) -> None:
    """What a mail program or a reader without JavaScript sees."""
    css = re.search(r"<style>(.*?)</style>", report.read_text(encoding="utf-8"), re.DOTALL)
    assert css
    page = Page(report.read_text(encoding="utf-8"))
    assert "html:not(.scripted) .interactive { display: none; }" in css[1]
    static = [a for tag, a in page.tags if tag == "section" and "interactive" not in (a.get("class") or "")]
    assert [a["aria-labelledby"] for a in static] == ["h-ranking", "h-provenance-1", "h-method"]
    assert not [a for a in static if "hidden" in a]
    assert "q4_k" in page.text


def test_printed(report: Path) -> None:
    """On paper: no controls, light colours."""
    found = browse(
        report,
        """
        const all = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]);
        const print = all.filter((rule) => rule.media?.mediaText === "print").flatMap((rule) => [...rule.cssRules]);
        const hides = (rule) => rule.selectorText?.includes(".toolbar") && rule.style.display === "none";
        return { hides: print.some(hides) };
        """,
    )
    assert found["hides"]
