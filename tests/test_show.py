"""Pictures of the commands as files and in the browser: no display is needed, and no window opens unless it is asked for."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fewbits.cli import run

CURVE = ("curve", "-f", "fp0")
TRANSFER = ("transfer", "m.npz", "a.weight", "-f", "bfp4", "--points", "5")
HISTOGRAM = ("histogram", "m.npz", "a.weight", "-f", "bfp4")
MADE = {
    CURVE: "plots/compare_reconstr_error_synth_data.png",
    TRANSFER: "plots/visualize_quantization_error/a.weight.png",
    HISTOGRAM: "plots/histogram/a.weight.bfp4.png",
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    w = np.random.default_rng(0).standard_normal((8, 32)).astype(np.float32)
    np.savez(tmp_path / "m.npz", **{"a.weight": w, "empty.weight": w[:0]})
    return tmp_path


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url, *_, **__: found.append(url) or True)
    return found


@pytest.mark.parametrize("command", MADE, ids=lambda command: command[0])
def test_without_show_nothing_opens(command: tuple[str, ...], folder: Path, opened: list[str]) -> None:
    """S-070, S-071: the default place, a bare file name, and no window."""
    assert run(list(command)) == 0
    assert run([*command, "--no-show", "-o", "bare.png" if command is CURVE else "bare"]) == 0
    assert (folder / MADE[command]).read_bytes().startswith(b"\x89PNG")
    bare = folder / "bare.png" if command is CURVE else folder / "bare" / Path(MADE[command]).name
    assert bare.read_bytes() == (folder / MADE[command]).read_bytes()
    assert not opened


@pytest.mark.parametrize("command", MADE, ids=lambda command: command[0])
def test_show_opens_a_page_that_is_there(command: tuple[str, ...], folder: Path, opened: list[str]) -> None:
    """S-072, S-082: beside a PNG, a page with its checkboxes and libraries."""
    assert run([*command, "--show"]) == 0
    assert (folder / MADE[command]).exists()
    (url,) = opened
    assert url.startswith("file:///")
    page = Path(url.removeprefix("file://")).read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "vegaEmbed" in page


def test_no_browser_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("webbrowser.open", lambda url: False)
    assert run([*CURVE, "-o", "a.html", "--show"]) == 0
    assert "no browser could be opened; the page is a.html" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="the browser of this test is a shell script")
def test_the_readers_browser_is_asked(folder: Path) -> None:
    """A process of its own, without a display, and the browser that the environment names; elsewhere Python's webbrowser finds one."""
    browser = folder / "browser.sh"
    browser.write_text(f'#!/bin/sh\necho "$1" >> {folder}/urls\n')
    browser.chmod(0o755)
    bare = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    command = [sys.executable, "-m", "fewbits", *CURVE, "-o", "a.html", "--show"]
    subprocess.run(command, cwd=folder, env=bare | {"BROWSER": str(browser)}, check=True, timeout=120)
    assert (folder / "urls").read_text().split() == [(folder / "a.html").as_uri()]


@pytest.mark.parametrize("command", ["transfer", "histogram"])
def test_titles_have_label_and_name(command: str, folder: Path) -> None:
    """S-083: what the list calls the tensor, then its name."""
    (folder / "list.txt").write_text("a.weight | output of layer 5\n")
    assert run([command, "m.npz", "--tensors-file", "list.txt", "-f", "bfp4", "--kind", "svg", "-o", "o"]) == 0
    (svg,) = (folder / "o").glob("*.svg")
    assert ">output of layer 5: a.weight" in svg.read_text()


@pytest.mark.parametrize("command", ["transfer", "histogram"])
def test_an_empty_tensor_is_one_line(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """S-085: said, and the other tensors are drawn."""
    assert run([command, "m.npz", "-f", "bfp4", "-o", "o"]) == 0
    done = capsys.readouterr()
    assert done.err.splitlines() == ["fewbits: warning: empty.weight: empty, it has no values to draw"]
    assert done.out.endswith("1 picture of 2 tensors\n")
    assert run([command, "m.npz", "empty", "-f", "bfp4", "-o", "o"]) == 1
