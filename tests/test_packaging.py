"""The wheel as users get it: complete, and working from outside the checkout and where nothing can be cached."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env=os.environ | {"PYTHONUTF8": "1", "NO_COLOR": "1"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    offline = ["--no-deps", "--no-build-isolation", "--no-index"]
    run(sys.executable, "-m", "pip", "wheel", "--quiet", *offline, "--wheel-dir", folder, ROOT, cwd=folder)
    (built,) = folder.glob("fewbits-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the unpacked wheel; its dependencies come from the running environment."""
    target = tmp_path_factory.mktemp("site")
    options = ["--quiet", "--no-deps", "--no-index", "--target"]
    run(sys.executable, "-m", "pip", "install", *options, target, wheel, cwd=target)
    return target


def fewbits(installed: Path, *arguments: str, cwd: Path, **environment: str) -> str:
    """The output of a command of the installed copy, which must not be the checkout."""
    code = (
        "import sys, fewbits.cli; from pathlib import Path\n"
        f"assert Path(fewbits.cli.__file__).is_relative_to({str(installed)!r}), fewbits.cli.__file__\n"
        "sys.argv[0] = 'fewbits'; fewbits.cli.main()"
    )
    return run(sys.executable, "-c", code, *arguments, cwd=cwd, PYTHONPATH=str(installed), **environment)


def test_the_wheel_holds_the_data_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    source = ROOT / "src"
    wanted = {
        str(path.relative_to(source))
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".nbi", ".nbc"}
    }
    packed = {name for name in names if ".dist-info/" not in name}
    assert packed == wanted
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {"fewbits/catalog.toml", "fewbits/rules.toml", "fewbits/codebooks.toml", "fewbits/py.typed"} <= packed
    assert any(name.endswith(".safetensors") for name in packed), "the bundled sample"
    assert wheel.stat().st_size < 8 << 20


def test_the_wheel_works_from_elsewhere(installed: Path, tmp_path: Path) -> None:
    assert "e2m1@32:e8m0" in fewbits(installed, "formats", "mxfp4", cwd=tmp_path)
    printed = fewbits(installed, "scan", "sample", "-f", "mxfp4", "-o", "run", cwd=tmp_path)
    assert "mxfp4" in printed
    assert (tmp_path / "run" / "report.html").stat().st_size > 10_000
    assert list((tmp_path / "run").glob("records-*.jsonl"))


def test_nothing_can_be_cached(wheel: Path, tmp_path: Path) -> None:
    """No place for compiled kernels beside the package or below the home folder: slower, not broken."""
    target = tmp_path / "site"
    zipfile.ZipFile(wheel).extractall(target)
    for folder in [target / "fewbits", *(p for p in (target / "fewbits").rglob("*") if p.is_dir())]:
        (folder / "__pycache__").write_text("a file, so that no folder of this name can be made")
    blocked = {
        "NUMBA_CACHE_DIR": "",
        "HOME": "/dev/null",
        "XDG_CACHE_HOME": "/dev/null",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    assert "mxfp4" in fewbits(target, "scan", "sample", "-f", "mxfp4", "-o", "run", cwd=tmp_path, **blocked)


def test_the_module_runs(tmp_path: Path) -> None:
    assert "mxfp4" in run(sys.executable, "-m", "fewbits", "formats", "mxfp4", cwd=tmp_path)
