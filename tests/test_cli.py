"""The command line as users meet it: a process with an exit code, one line for an error, and clean outputs."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars
import pytest

from fewbits.cli import COMMANDS, run
from fewbits.run.records import current, record_files
from fewbits.table import COLUMNS

SMALL = "synthetic:normal/64x96?seed=1"
SEVEN = ["mxfp4", "nvfp4", "bf16", "bfp8", "bfp4", "bfp2", "fp0"]


def fewbits(
    *arguments: str | Path, cwd: Path, check: int | None = 0, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own; `check` is the exit code it must have."""
    command = [sys.executable, "-m", "fewbits", *map(str, arguments)]
    clean = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR", "CI", "COLUMNS")}
    done = subprocess.run(command, cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=300)
    assert check is None or done.returncode == check, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def failed(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of an error."""
    assert done.stdout == ""
    assert done.stderr.startswith("fewbits: ")
    assert done.stderr.count("\n") == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr.strip()


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, subprocess.CompletedProcess[str]]:
    """A folder in which one scan has run, and what it printed."""
    folder = tmp_path_factory.mktemp("scanned")
    return folder, fewbits("scan", SMALL, "-o", "r", cwd=folder)


# -- the frame ---------------------------------------------------------------------------------------------------------


def test_version_and_help(tmp_path: Path) -> None:
    from importlib.metadata import version

    assert fewbits("--version", cwd=tmp_path).stdout == f"fewbits {version('fewbits')}\n"
    assert fewbits(cwd=tmp_path).stdout == fewbits("--help", cwd=tmp_path).stdout
    shown = fewbits("-h", cwd=tmp_path, COLUMNS="200").stdout
    assert all(name in shown for name in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([command, "--help"]) == 0
    assert f"fewbits {command} " in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments", [["--help"], ["scan", "--help"], ["formats"], ["explain", "e2m1"], ["explain", "bfp4", "1"]]
)
def test_light_commands_import_nothing_heavy(arguments: list[str], tmp_path: Path) -> None:
    code = (
        "import sys; from fewbits.cli import run; code = run(sys.argv[1:]); "
        "heavy = {'numba', 'polars', 'altair', 'huggingface_hub', 'torch', 'vl_convert', 'gguf', 'jinja2'}; "
        "print('HEAVY', code, sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stderr.splitlines()[-1] == "HEAVY 0 []"


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["scan"], 2, "Missing argument 'MODEL'"),
        (["scna"], 2, "No such command 'scna'"),
        (["scan", SMALL, "--lmit", "3"], 2, "No such option: --lmit"),
        (["scan", SMALL, "--jobs", "many"], 2, "--jobs"),
        (["scan", SMALL, "--jobs", "0"], 2, "--jobs"),
        (["scan", SMALL, "--sample-rows", "0"], 2, "--sample-rows"),
        (["scan", SMALL, "-f", "mxfp5"], 2, "unknown format 'mxfp5': did you mean mxfp4"),
        (["scan", SMALL, "-f", "mxfp5"], 2, "mxfp4, nvfp4, bf16, bfp8, bfp4, bfp2, fp0"),
        (["scan", SMALL, "--json", "--csv", "-"], 2, "--json and --csv - both want stdout"),
        (["scan", SMALL, "--backend", "npu"], 2, "unknown backend 'npu'; backends are cpu, ttnn"),
        (["scan", SMALL, "--backend", "ttnn"], 1, "--backend ttnn needs Tenstorrent's ttnn and torch"),
        (["scan", "no/such/folder/at/all"], 1, "no/such/folder/at/all"),
        (["scan", SMALL, "no.such.tensor"], 1, "no tensor matches 'no.such.tensor'"),
        (["tensors", SMALL, "nothing"], 1, "no tensor matches 'nothing'"),
        (["report", "elsewhere"], 1, "elsewhere is not a run directory"),
        (["explain", "mxfp4", "much"], 2, "unknown format 'much'"),
        (["explain", "fp32", "--json"], 2, "too many codes to list; give VALUEs"),
        (["explain", "s4@32:f16+hadamard32", "1"], 2, "not defined with hadamard32"),
        (["formats", "-o", "list.xlsx"], 2, "one of .csv, .json, .parquet"),
    ],
)  # fmt: skip
def test_errors_are_one_line_and_a_code(arguments: list[str], code: int, message: str, tmp_path: Path) -> None:
    done = fewbits(*arguments, cwd=tmp_path, check=code)
    assert message in failed(done)
    assert not (tmp_path / "results").exists()


def test_a_misspelt_spec_has_a_caret(tmp_path: Path) -> None:
    done = fewbits("scan", SMALL, "-f", "e2m1@32:e9m0", cwd=tmp_path, check=2)
    assert done.stderr.splitlines()[-2:] == ["  e2m1@32:e9m0", "          ^"]


def test_debug_shows_where(tmp_path: Path) -> None:
    for arguments in (["--debug", "formats", "mxfp5"], ["formats", "mxfp5", "--debug"]):
        assert "Traceback" in fewbits(*arguments, cwd=tmp_path, check=1).stderr


def test_output_that_nobody_reads_is_no_error(tmp_path: Path) -> None:
    for arguments in ("formats", "formats --json"):
        command = f"set -o pipefail; {sys.executable} -m fewbits {arguments} | head -1"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with open("/dev/full", "w") as full:
        command = [sys.executable, "-m", "fewbits", "formats", "--json"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["fewbits: cannot write the output: No space left on device"]


# -- scan --------------------------------------------------------------------------------------------------------------


def test_a_scan_shows_and_keeps_everything(scanned: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = scanned
    assert "\x1b" not in done.stdout
    lines = done.stdout.splitlines()
    head = {line.split()[0]: line for line in lines[:5]}
    assert head["formats"].split()[1:] == SEVEN
    assert head["run"].split()[1] == "r"
    assert any("64×96 float32" in line for line in lines)
    assert any(line.strip().startswith("min ") and " mean " in line and " max " in line for line in lines)
    title = next(line for line in lines if line.startswith("  FORMAT")).replace("SQNR dB", "SQNR")
    assert title.split() == ["FORMAT", "BITS", "PCC", "MAE", "ATOL", "SQNR", "SIZE", "TIME"]
    rows = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in SEVEN]
    assert rows == SEVEN
    names = {path.name for path in (folder / "r").iterdir()}
    assert names == {
        "run.json",
        "profiles-0.jsonl",
        "records-0.jsonl",
        "measurements.parquet",
        "measurements.csv",
        "report.html",
        "table.txt",
    }
    table = (folder / "r" / "table.txt").read_text()
    assert table.splitlines()[: len(lines) - 3] == lines[:-3], "the file holds what the terminal showed"
    assert polars.read_parquet(folder / "r" / "measurements.parquet")["format"].to_list() == SEVEN


def test_the_same_command_again_measures_nothing(scanned: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, first = scanned
    before = (folder / "r" / "records-0.jsonl").read_bytes()
    again = fewbits("scan", SMALL, "-o", "r", cwd=folder)
    assert again.stdout.count("cached") == 7
    assert first.stdout.count("cached") == 0
    assert (folder / "r" / "records-0.jsonl").read_bytes() == before
    fewbits("scan", SMALL, "-o", "r", "--recompute", "-f", "bf16", "-q", cwd=folder)
    assert (folder / "r" / "records-0.jsonl").read_bytes().count(b"\n") == 8


def test_json_is_one_array_and_nothing_else(scanned: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = scanned
    done = fewbits(
        "scan", SMALL, "-f", "MXFP4", "-c", "e2m1@32:e8m0", "-f", "int8-row", "-o", "r", "--json", cwd=folder
    )
    rows = json.loads(done.stdout)
    assert done.stderr == ""
    assert [list(row) for row in rows] == [list(COLUMNS)] * 2
    assert [row["spec"] for row in rows] == ["e2m1@32:e8m0", "s8@row:f32"]
    assert rows[0]["bits"] == 4.25
    text = fewbits("scan", SMALL, "-f", "mxfp4", "-f", "int8-row", "-o", "r", "--csv", "-", cwd=folder).stdout
    assert [row["spec"] for row in csv.DictReader(io.StringIO(text))] == ["e2m1@32:e8m0", "s8@row:f32"]
    fewbits("scan", SMALL, "-f", "mxfp4", "-o", "r", "--csv", "out.csv", "-q", cwd=folder)
    assert len((folder / "out.csv").read_text().splitlines()) == 2


def test_numbers_do_not_depend_on_jobs(tmp_path: Path) -> None:
    def numbers(jobs: str) -> list[dict[str, object]]:
        model = "synthetic:laplace/300x200?seed=3"
        rows = json.loads(fewbits("scan", model, "-o", f"r{jobs}", "-j", jobs, "--json", cwd=tmp_path).stdout)
        return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]

    assert numbers("1") == numbers("2")


def test_the_default_place_resumes_and_formats_join_it(tmp_path: Path) -> None:
    for formats in (["-f", "mxfp4"], ["-f", "bf16"]):
        fewbits("scan", SMALL, "-q", *formats, cwd=tmp_path)
    (place,) = (tmp_path / "results").glob("*/*")
    assert polars.read_parquet(place / "measurements.parquet")["format"].to_list() == ["mxfp4", "bf16"]
    fewbits("scan", SMALL, "-q", "-f", "bf16", "--seed", "1", "--sample-rows", "5", cwd=tmp_path)
    assert len(list((tmp_path / "results").glob("*/*"))) == 2


def test_samples_show_standard_errors(tmp_path: Path) -> None:
    model = "synthetic:normal/2000x64?seed=1"
    done = fewbits("scan", model, "-f", "mxfp4", "--sample-rows", "300", cwd=tmp_path)
    assert "320 of 2000 rows, strata of 32, seed 0" in done.stdout
    assert done.stdout.count("±") >= 3
    (row,) = json.loads(fewbits("scan", model, "-f", "mxfp4", "--sample-rows", "300", "--json", cwd=tmp_path).stdout)
    assert row["sqnr_db_se"] > 0
    assert row["atol_se"] is None
    assert row["flags"] == ["sampled:320 of 2000 rows, strata of 32, seed 0"]


def test_colour_only_where_it_is_wanted(scanned: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = scanned
    arguments = ("scan", SMALL, "-o", "r", "-f", "mxfp4", "-f", "bf16")
    coloured = fewbits(*arguments, cwd=folder, FORCE_COLOR="1").stdout
    assert "\x1b[32m" in coloured
    assert "\x1b[33m" in coloured
    assert "\x1b" not in fewbits(*arguments, cwd=folder, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b" not in fewbits(*arguments, cwd=folder, FORCE_COLOR="1", TERM="dumb").stdout
    assert "\x1b" not in (folder / "r" / "table.txt").read_text()


# -- what goes wrong while it works ------------------------------------------------------------------------------------


def many(folder: Path, tensors: int = 40, size: int = 64) -> Path:
    """A checkpoint of many small tensors."""
    import numpy as np
    from safetensors.numpy import save_file

    rng = np.random.default_rng(0)
    path = folder / "model.safetensors"
    save_file({f"layers.{i}.q.weight": rng.normal(0, 1, (size, size)).astype("f4") for i in range(tensors)}, path)
    return path


def start(*arguments: str | Path, cwd: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "fewbits", *map(str, arguments)]
    return subprocess.Popen(command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for_records(run: Path, count: int, process: subprocess.Popen[str]) -> None:
    for _ in range(20_000):  # kernels may have to be compiled first
        if sum(path.read_bytes().count(b"\n") for path in record_files(run)) >= count or process.poll() is not None:
            return
        time.sleep(0.01)
    pytest.fail("no records appeared")


SLOW = ("-f", "all", "-f", "q4_k", "-f", "e2m1@16-mse:e4m3@tensor:f32")  # some work for every tensor


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_scan_that_is_stopped_continues(number: signal.Signals, tmp_path: Path) -> None:
    model = many(tmp_path, 200, 256)
    with start("scan", model, "-o", "r", *SLOW, cwd=tmp_path) as process:
        wait_for_records(tmp_path / "r", 27, process)
        process.send_signal(number)
        _, errors = process.communicate(timeout=300)
    records = list(current(tmp_path / "r"))
    kept, bf16 = len(records), sum(record.format == "bf16" for record in records)
    assert 27 <= kept < 200 * 9
    assert "\n  FORMAT" in (tmp_path / "r" / "table.txt").read_text()
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert errors.count("\n") == 1
        assert errors.startswith("fewbits: interrupted; ")
        assert "of 200 tensors are measured and kept in r; the same command continues" in errors
        assert polars.read_parquet(tmp_path / "r" / "measurements.parquet").height == kept
    with (tmp_path / "r" / "records-0.jsonl").open("ab") as file:
        file.write(b'{"key":"torn')
    fewbits("scan", model, "-o", "r", "-q", "-f", "bf16", cwd=tmp_path)
    frame = polars.read_parquet(tmp_path / "r" / "measurements.parquet")
    assert frame.filter(polars.col("format") == "bf16").height == 200
    assert frame.height == kept + 200 - bf16


def test_two_scans_at_once(tmp_path: Path) -> None:
    model = many(tmp_path)
    processes = [start("scan", model, "-q", "-f", "mxfp4", "-f", "bfp4", cwd=tmp_path) for _ in range(2)]
    for process in processes:
        _, errors = process.communicate(timeout=300)
        assert (process.returncode, errors) == (0, "")
    (place,) = (tmp_path / "results").glob("*/*")
    assert polars.read_parquet(place / "measurements.parquet").height == 80


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path) -> None:
    model = many(tmp_path, 200, 256)
    with start("scan", model, "-o", "r", *SLOW, cwd=tmp_path) as process:
        # the profile of a tensor comes after its records: the first tensor is done when the second has some
        wait_for_records(tmp_path / "r", 18, process)
        os.truncate(model, model.stat().st_size // 2)
        _, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    assert errors.count("\n") == 1
    assert "model.safetensors" in errors
    assert re.search(r"of 200 tensors (is|are) measured and kept in r;", errors)
    assert polars.read_parquet(tmp_path / "r" / "measurements.parquet").height >= 9


def test_a_full_disk(tmp_path: Path) -> None:
    model = many(tmp_path)
    limited = f"ulimit -f 24; {sys.executable} -m fewbits scan {model} -o r -f mxfp4 -f bf16"
    done = subprocess.run(["bash", "-c", limited], cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert done.returncode == 1
    assert "cannot write r/" in done.stderr
    assert "File too large" in done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    kept = sum(path.read_bytes().count(b"\n") for path in record_files(tmp_path / "r"))
    assert 0 < kept < 80
    fewbits("scan", model, "-o", "r", "-f", "mxfp4", "-f", "bf16", "-q", cwd=tmp_path)
    assert polars.read_parquet(tmp_path / "r" / "measurements.parquet").height == 80


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    line = failed(fewbits("scan", SMALL, "-o", "file/r", cwd=tmp_path, check=1))
    assert line == "fewbits: cannot write the run directory file/r: Not a directory; -o names another"


def test_values_that_are_not_finite(tmp_path: Path) -> None:
    import numpy as np
    from safetensors.numpy import save_file

    arrays = {
        "a.weight": np.array([[1, np.nan, np.inf, 2] * 8], "f4"),
        "empty.weight": np.zeros((0, 4), "f4"),
        "constant.weight": np.full((4, 32), 0.3, "f4"),
        "zero.weight": np.zeros((4, 32), "f4"),
        "one.weight": np.float32([2.5]),
        "scalar.weight": np.array(2.5, "f4"),
        "\x1b[31mred\nweight": np.ones((2, 2), "f4"),
    }
    save_file(arrays, tmp_path / "odd.safetensors")
    done = fewbits("scan", "odd.safetensors", "-o", "r", cwd=tmp_path)
    assert "16 NaN or infinite, left out" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\\x1b[31mred\\nweight" in done.stdout
    rows = json.loads(fewbits("scan", "odd.safetensors", "-o", "r", "--json", cwd=tmp_path).stdout)
    flags = {(row["tensor"], row["format"]): row["flags"] for row in rows}
    assert "nonfinite:16" in flags["a.weight", "mxfp4"]
    assert "empty" in flags["empty.weight", "mxfp4"]
    assert "pcc:undefined" in flags["constant.weight", "bfp4"]
    assert not any(flag.startswith("pcc") for flag in flags["zero.weight", "bfp4"])
    line = failed(fewbits("scan", "odd.safetensors", "a.", "-o", "r", "--strict", "-q", cwd=tmp_path, check=1))
    assert "a.weight has 8 NaN and 8 infinite values of 32, which --strict refuses" in line


# -- the other commands ------------------------------------------------------------------------------------------------


def test_report_is_made_again_from_records(scanned: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = scanned
    for name in ("report.html", "measurements.parquet"):
        (folder / "r" / name).unlink()
    assert fewbits("report", "r", cwd=folder).stdout == "r/report.html\n"
    assert (folder / "r" / "report.html").stat().st_size > 0
    assert (folder / "r" / "measurements.parquet").exists()


def test_runs_are_compared_in_one_page(scanned: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, _ = scanned
    shutil.copytree(folder / "r", folder / "again")
    assert fewbits("report", "r", "again", "-o", "both.html", cwd=folder).stdout == "both.html\n"
    assert "Compare runs" in (folder / "both.html").read_text(encoding="utf-8")
    assert "r is given twice" in failed(fewbits("report", "r", "./r", cwd=folder, check=2))
    assert "a report is an .html file" in failed(fewbits("report", "r", "-o", "r.pdf", cwd=folder, check=2))


def test_tensors_shows_a_tree_and_reads_no_weights(tmp_path: Path) -> None:
    model = many(tmp_path, 12)
    shown = fewbits("tensors", model, cwd=tmp_path).stdout
    assert "0–11.q" in shown
    assert "12 × 16.4 kB" in shown
    assert "64×64 float32" in shown
    rows = json.loads(fewbits("tensors", model, "layers.1", "--json", cwd=tmp_path).stdout)
    assert [row["tensor"] for row in rows] == ["layers.1.q.weight"]
    assert (rows[0]["bytes"], rows[0]["layer"], rows[0]["role"]) == (64 * 64 * 4, 1, "q")
    assert rows[0]["share"] == pytest.approx(1 / 12)
    fewbits("tensors", model, "-o", "t.parquet", cwd=tmp_path)
    assert polars.read_parquet(tmp_path / "t.parquet").height == 12


def test_formats_lists_the_catalogue(tmp_path: Path) -> None:
    from fewbits import catalog

    rows = json.loads(fewbits("formats", "--json", cwd=tmp_path).stdout)
    assert [row["format"] for row in rows] == [row.name for row in catalog.rows()]
    by_name = {row["format"]: row for row in rows}
    e4m3 = by_name["fp8-e4m3"]
    assert (e4m3["max"], e4m3["min_normal"], e4m3["min_subnormal"], e4m3["epsilon"], e4m3["values"]) == (
        448,
        2**-6,
        2**-9,
        0.125,
        253,
    )
    assert by_name["bf16"]["values"] == 65279
    assert by_name["mxfp4"]["bits"] == 4.25
    assert by_name["fp0"]["dynamic_range_db"] is None
    table = fewbits("formats", "mx", "e3m0", cwd=tmp_path).stdout
    assert "mxfp4" in table
    assert "e3m0" in table
    assert "nf4" not in table


def test_explain_goes_step_by_step(tmp_path: Path) -> None:
    rows = json.loads(fewbits("explain", "nvfp4", "0.7", "-1.3", "6", "--json", cwd=tmp_path).stdout)
    assert [row["reconstruction"] for row in rows] == [0.5, -1.5, 6.0]
    assert (rows[0]["scale_element"], rows[0]["scale"], rows[0]["statistic"]) == (448.0, 1.0, 6.0)
    assert [(row["below"], row["above"], row["chosen"], row["bits"]) for row in rows[:2]] == [
        (0.5, 1.0, 0.5, "0001"),
        (-1.5, -1.0, -1.5, "1011"),
    ]
    shown = fewbits("explain", "nvfp4", cwd=tmp_path).stdout
    assert "s ee m, bias 1" in shown
    assert "0111 6" in shown
    assert "1  e4m3 01111110  = 448 × 0.002232143\n" in fewbits("explain", "nvfp4", "6", cwd=tmp_path).stdout
    assert fewbits("explain", "nvfp4", "nan", "-inf", "3", cwd=tmp_path).stdout.splitlines()[-2].split() == [
        *("-inf", "–", "–", "–", "–", "–", "-inf", "–")
    ]
