"""The report in a real browser: opened from disk, drawn, used; whatever the tensors are called."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

import canned
from canned.pages import HOSTILE, Page
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
const settle = () => new Promise((resolve) => setTimeout(resolve, 300));
const count = (selector) => document.querySelectorAll(selector).length;
const texts = (selector) => [...document.querySelectorAll(selector)].map((found) => found.textContent);
const set = (id, value, kind = "change") => { $(id).value = value; $(id).dispatchEvent(new Event(kind)); };
const css = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
const lines = () => [...$("measurements").tBodies[0].rows].map((row) => [...row.cells].map((cell) => cell.textContent));
const probe = async () => { %s };
ready.then(probe).then((result) => told("result", JSON.stringify(result)));
</script>
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(canned.run(tmp_path_factory.mktemp("run"), canned.records(canned.tensors(2))))


def browse(path: Path, probe: str, *flags: str) -> dict[str, Any]:
    """Open a report from disk without a network; what `probe`, the body of an async function, returns."""
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
    done = subprocess.run([*command, probed.as_uri()], capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    root = next(attributes for tag, attributes in Page(done.stdout.decode()).tags if tag == "html")
    assert not {"data-error", "data-violation", "data-pwned"} & set(root), root
    assert root.get("data-result"), "the page was not drawn"
    return dict(json.loads(root["data-result"] or ""))


def test_pictures_and_tables_are_there(report: Path) -> None:
    found = browse(
        report,
        """
        return {
          charts: count("svg.marks"), canvas: count("canvas"), points: count("#accuracy .points_marks path"),
          front: texts("#accuracy [class*=label_front] text"), cells: count("#heat .cells_marks path"),
          ranking: count("#ranking tbody tr"), rows: lines().length, shown: $("shown").textContent,
          one: count("#tensor-chart .points_marks path"),
          exact: texts("#heat .values_marks text").filter((text) => text === "exact").length,
        };
        """,
    )
    formats, tensors = len(canned.FORMATS), len(canned.tensors(2))
    assert found["charts"] == 3
    assert found["canvas"] == 0
    assert found["points"] == found["ranking"] == formats
    assert found["cells"] == formats * tensors
    assert found["exact"] == tensors
    assert found["rows"] == 250
    assert found["shown"] == f"{formats * tensors} of {formats * tensors} rows"
    assert found["one"] == formats - 1
    assert "q4_k" in found["front"]
    assert "nvfp4" not in found["front"]


def test_formats_and_metrics_are_chosen(report: Path) -> None:
    found = browse(
        report,
        """
        const chip = (name) => [...$("formats").children].find((button) => button.textContent === name);
        const points = () => count("#accuracy .points_marks path");
        const front = () => texts("#accuracy [class*=label_front] text");
        const out = {};
        chip("q4_k").click(); await settle();
        out.hidden = [points(), front(), chip("q4_k").getAttribute("aria-pressed"), $("shown").textContent];
        chip("q4_k").click();
        set("metric", "pcc"); await settle();
        out.pcc = [points(), $("accuracy-note").textContent];
        set("metric", "sqnr_db");
        document.querySelector("[data-show=front]").click(); await settle();
        out.front = [points(), front().length];
        document.querySelector("[data-show=none]").click(); await settle();
        out.none = [points(), $("heat-note").textContent, lines().length];
        return out;
        """,
    )
    formats, tensors = len(canned.FORMATS), len(canned.tensors(2))
    points, front, pressed, shown = found["hidden"]
    assert points == formats - 1
    assert "nf4" in front or "nvfp4" in front  # what q4_k beat
    assert pressed == "false"
    assert shown.startswith(f"{(formats - 1) * tensors} of")
    assert found["pcc"][0] == formats - 1
    assert "undefined: fp0" in found["pcc"][1]
    assert found["front"][0] == found["front"][1] > 5
    assert found["none"][0] == found["none"][2] == 0
    assert "filtered out" in found["none"][1]


def test_tables_are_filtered_and_sorted(report: Path) -> None:
    found = browse(
        report,
        """
        const heads = () => [...$("measurements").tHead.querySelectorAll("button")];
        const head = (name) => heads().find((button) => button.textContent === name);
        const out = {};
        set("filter", "LAYER.1 mxfp4-even query", "input");
        out.filtered = lines();
        set("filter", "", "input");
        head("sqnr_db").click(); out.lowest = lines()[0];
        head("sqnr_db").click(); out.highest = lines()[0];
        out.sorted = head("sqnr_db").parentNode.getAttribute("aria-sort");
        out.focused = document.activeElement.textContent;
        set("filter", "fp0 pooler", "input");
        out.reasons = [...document.querySelectorAll("#measurements td[title]")].map((cell) => [cell.textContent, cell.title]);
        $("columns").click(); out.columns = texts("#measurements thead button");
        document.querySelector("#ranking th:nth-child(2) button").click();
        out.ranked = texts("#ranking tbody th");
        return out;
        """,
    )
    ends = ("bias", "weight")
    assert [row[0] for row in found["filtered"]] == [f"encoder.layer.1.attention.self.query.{end}" for end in ends]
    assert found["lowest"][3] == "fp0"
    assert found["highest"][3] == "fp32"
    assert found["sorted"] == "descending"
    assert found["focused"] == "sqnr_db"
    assert ["–", "undefined for this tensor"] in found["reasons"]
    assert found["ranked"][0] == "fp0"
    assert found["ranked"][-2:] == ["bf16", "fp32"]
    assert {"model", "layer", "evidence", "seconds", "flags"} <= set(found["columns"])


def test_heat_map_and_one_tensor(report: Path) -> None:
    found = browse(
        report,
        """
        const out = {};
        set("rows", "layers"); await settle();
        out.layers = texts("#heat .role-axis-label text");
        set("relative", "1"); await settle();
        out.relative = texts("#heat .role-legend-title");
        set("rows", "tensors"); set("heat-filter", "pooler", "input"); await settle();
        out.pooler = count("#heat .cells_marks path");
        document.querySelector("#heat .cells_marks path").dispatchEvent(new MouseEvent("click", { bubbles: true }));
        await settle();
        out.tensor = [$("tensor").value, $("tensor-facts").textContent];
        out.marks = [count("#tensor-chart .points_marks path"), count("#tensor-chart .everywhere_marks path")];
        return out;
        """,
    )
    assert {"encoder.layer.0", "encoder.layer.1", "pooler.dense"} <= set(found["layers"])
    assert "difference" in found["relative"][0]
    assert found["pooler"] == len(canned.FORMATS)
    assert found["tensor"] == ["pooler.dense.weight", "384×384 · float32 · role pooler.dense"]
    assert found["marks"] == [len(canned.FORMATS) - 1] * 2


def test_hostile_names_are_text(tmp_path: Path) -> None:
    records = canned.records([(name, (16, 64)) for name in HOSTILE], canned.FORMATS[5:8], model=HOSTILE[0])
    facts = {"filter": HOSTILE[2], "uri": HOSTILE[1], "revision": HOSTILE[2]}
    found = browse(
        write_report(canned.run(tmp_path / "run", records, **facts)),
        """
        for (const name of TENSORS) { choose(name); await settle(); }
        $("columns").click();
        for (const cell of document.querySelectorAll("#heat .cells_marks path")) {
          cell.dispatchEvent(new MouseEvent("mousemove", { bubbles: true, clientX: 500, clientY: 500 }));
        }
        await settle();
        return {
          names: TENSORS, images: document.images.length, scripts: document.scripts.length, title: document.title,
          heading: texts("h1")[0], drawn: count("#heat .cells_marks path"), rows: lines().length,
          labels: texts("#heat .role-axis-label text"), one: count("#tensor-chart .points_marks path"),
        };
        """,
    )
    assert set(found["names"]) == set(HOSTILE)
    assert found["images"] == 0
    assert found["scripts"] == 7  # data, libraries, three of ours, two of this test
    assert found["heading"] == HOSTILE[0]
    assert found["title"].startswith(HOSTILE[0])
    assert found["drawn"] == found["rows"] == 3 * len(HOSTILE)
    assert any(label.startswith(HOSTILE[0][:30]) for label in found["labels"])
    assert found["one"] == 3


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_contrast(report: Path, scheme: str) -> None:
    """WCAG AA for everything that is read, in both themes: 4.5 to 1 against the page."""
    found = browse(
        report,
        """
        const read = ["body", ".lead", ".answer", ".yes", ".quiet", "dt", "#measurements .good", "#measurements .bad",
                      "#measurements .fair", "#formats button", "#measurements thead button"];
        const drawn = ["#accuracy .role-axis-label text", "#accuracy [class*=label_front] text",
                       "#accuracy [class*=label_other] text", "#heat .role-axis-label text",
                       "#heat .role-legend-title text", "#tensor-chart .words_marks text"];
        const colors = [...read.map((s) => [s, css(s, "color")]), ...drawn.map((s) => [s, css(s, "fill")])];
        return {
          paper: css("body", "backgroundColor"), chart: css("svg.marks", "backgroundColor"),
          colors: Object.fromEntries(colors),
        };
        """,
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
    )
    assert found["chart"] == "rgba(0, 0, 0, 0)"
    paper = luminance(found["paper"])
    assert (paper < 0.1) == (scheme == "dark")
    for name, color in found["colors"].items():
        light, dark = sorted((luminance(color), paper), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (name, color)


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2) of a CSS color as a browser computes it."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("width", [500, 900])
def test_pages_do_not_scroll_sideways(report: Path, width: int) -> None:
    probe = "return { page: document.documentElement.scrollWidth, window: innerWidth };"
    found = browse(report, probe, f"--window-size={width},900")
    assert found["page"] <= found["window"]


def test_long_names_do_not_widen_the_page(tmp_path: Path) -> None:
    records = canned.records([("long.name." * 40 + "weight", (16, 64))], canned.FORMATS[5:7])
    probe = "return { page: document.documentElement.scrollWidth, window: innerWidth };"
    found = browse(write_report(canned.run(tmp_path / "run", records)), probe)
    assert found["page"] <= found["window"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("relative", ["", "1"])
def test_cells_without_a_value_are_neutral_and_readable(report: Path, scheme: str, relative: str) -> None:
    found = browse(
        report,
        """
        set("relative", RELATIVE); set("metric", "pcc"); await settle();
        const [cells, words] = ["#heat .cells_marks path", "#heat .values_marks text"].map((s) => [...document.querySelectorAll(s)]);
        const pairs = words.map((word, i) => [word.textContent, getComputedStyle(cells[i]).fill, getComputedStyle(word).fill]);
        const rule = getComputedStyle(document.documentElement).getPropertyValue("--line");
        document.body.style.color = rule;
        return { pairs, neutral: css("body", "color") };
        """.replace("RELATIVE", f'"{relative}"'),
        f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
    )
    kinds = {"exact": 0, "–": 0, "number": 0}
    for text, cell, word in found["pairs"]:
        kind = text if text in kinds else "number"
        kinds[kind] += 1
        assert (cell == found["neutral"]) == (kind != "number"), (text, cell)
        light, dark = sorted((luminance(cell), luminance(word)), reverse=True)
        assert kind == "number" or (light + 0.05) / (dark + 0.05) >= 4.5, (text, cell, word)
    assert all(kinds.values()), kinds


def test_names_that_are_long_or_turn_the_text_around(tmp_path: Path) -> None:
    names = ["\u202eright to left.weight", "tab\there \u2028", "‹U+202E›", "long.name." * 40 + "weight"]
    records = canned.records([(name, (16, 64)) for name in names], canned.FORMATS[5:7])
    found = browse(
        write_report(canned.run(tmp_path / "run", records)),
        """
        const cell = document.querySelector("#heat .cells_marks path");
        const wanted = cell.getAttribute("aria-label").split(",")[0];
        cell.dispatchEvent(new MouseEvent("click", { bubbles: true })); await settle();
        document.documentElement.style.width = "420px"; await heat(); await settle();
        const rows = [...$("measurements").tBodies[0].rows];
        const boxes = ["accuracy", "heat", "tensor-chart"].map((id) => {
          const box = $(id).closest(".scroll");
          const [outer, inner] = [box, $(id).querySelector("svg.marks")].map((e) => e.getBoundingClientRect());
          return [outer.right, inner.right - outer.left + box.scrollLeft - box.scrollWidth, box.scrollWidth];
        });
        return {
          select: [...$("tensor").options].map((o) => o.textContent), labels: texts("#heat .role-axis-label text"),
          names: rows.map((row) => row.cells[0].textContent), titles: rows.map((row) => row.cells[0].title), boxes,
          widths: rows.map((row) => row.cells[0].getBoundingClientRect().width), chosen: plain(state.tensor), wanted,
        };
        """,
    )
    shown = ["‹U+202E›right to left.weight", "tab‹U+0009›here ‹U+2028›", "‹U+2039›U+202E›", names[3]]
    assert set(found["select"]) == set(found["names"]) == set(found["titles"]) == set(shown)
    assert not {"\u202e", "\t", "\u2028"} & set("".join(found["labels"] + found["names"]))
    assert max(found["widths"]) <= 22 * 16
    assert found["chosen"] == found["wanted"]
    for right, cut, wide in found["boxes"]:
        assert right <= 420
        assert cut <= 1
        assert wide > 0


def test_many_tensors(tmp_path: Path) -> None:
    """Hundreds of tensors: merged layers first, tables in parts, format names that stay while rows scroll."""
    names = [(f"layers.{i}.{role}.weight", (64, 64)) for i in range(40) for role in "qkvougdrnb"]
    found = browse(
        write_report(canned.run(tmp_path / "run", canned.records(names, canned.FORMATS[1:12]))),
        """
        const cells = () => count("#heat .cells_marks path");
        const out = { rows: $("rows").value, layers: cells(), page: lines().length };
        $("more").click();
        out.more = lines().length;
        $("rows").value = "tensors"; await heat();
        out.tensors = cells();
        out.numbers = count("#heat .values_marks text");
        $("heat-scroll").scrollTop = 2000;
        await settle();
        out.veil = count("#heat .veil");
        return out;
        """,
    )
    assert found == {
        "rows": "layers", "layers": 40 * 11, "page": 250, "more": 500, "tensors": 400 * 11, "numbers": 0, "veil": 2,
    }  # fmt: skip
