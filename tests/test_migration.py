"""docs/migration.md is true: every line of its table of command lines runs."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs" / "migration.md"
LINES = re.findall(r"^\| .*? \| `(fewbits [^`]+)` \|$", PAGE.read_text().split("## What is different")[0], re.MULTILINE)


def test_the_page_has_lines() -> None:
    assert len(LINES) >= 13
    assert len(set(LINES)) == len(LINES)


@pytest.mark.slow
@pytest.mark.parametrize("line", LINES)
def test_line_runs(line: str, tmp_path: Path) -> None:
    """On the bundled sample, without a network; where Tenstorrent's package is missing, its backend says so."""
    (tmp_path / "ds_tensors.txt").write_text("encoder.layer.5.output.dense.weight_fp32 | BFP4 output\n")
    _, *arguments = shlex.split(line.replace("MODEL", "sample").replace("FILTER", "weight"))
    command = [sys.executable, "-m", "fewbits", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    if "ttnn" in line and importlib.util.find_spec("ttnn") is None:
        assert done.returncode == 1
        assert "ttnn" in done.stderr
        assert "Traceback" not in done.stderr
    else:
        assert done.returncode == 0, done.stderr
        shown = {"scan": "mxfp4", "curve": ".png", "transfer": "picture"}
        assert next((text for word, text in shown.items() if word in line), "1 tensor, 2.36 MB") in done.stdout
