"""The run directory: nothing measured is lost, nothing torn is believed, several processes do no harm."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import polars
import pytest

from fewbits import run
from fewbits.errors import FewbitsError
from fewbits.metrics import ERROR, SIGNAL
from fewbits.run import RunDirectory, default_path
from fewbits.run.records import lock_directory, record_files
from fewbits.table import COLUMNS, Record

FACTS = {"model": "org/m", "revision": "abc"}
FORMATS = [("mxfp4", "e2m1@32:e8m0", 4.25)]


def record(tensor: str, spec: str = "e2m1@32:e8m0", **changes: object) -> Record:
    fields: dict[str, object] = {
        "model": "org/m",
        "tensor": tensor,
        "identity": f"id {tensor}",
        "shape": (2, 4),
        "dtype": "float32",
        "layout": "",
        "format": "mxfp4",
        "spec": spec,
        "bits": 4.25,
        "signal": dict.fromkeys(SIGNAL, 1.0),
        "error": dict.fromkeys(ERROR, 0.5),
        "seconds": 0.25,
        "time": 1.0,
    }
    return Record(**(fields | changes))  # type: ignore[arg-type]


def open_run(path: Path) -> RunDirectory:
    return RunDirectory(path, FACTS, FORMATS)


def test_what_is_appended_is_found_again(tmp_path: Path) -> None:
    records = [record("b"), record("a"), record("a", "e2m1@16:e8m0")]
    with open_run(tmp_path / "r") as store:
        assert store.get(records[0].key) is None
        store.append(records[:1])
        store.append(records[1:])
        assert store.get(records[0].key) == records[0]
    with open_run(tmp_path / "r") as store:
        assert len(store) == 3
        assert [store.get(r.key) for r in records] == records
    assert [r.tensor for r in run.current(tmp_path / "r")] == ["a", "a", "b"]


def test_a_torn_last_line_is_ignored_and_stays_alone(tmp_path: Path) -> None:
    with open_run(tmp_path) as store:
        store.append([record("a"), record("b")])
    path = record_files(tmp_path)[0]
    whole = path.read_bytes()
    for cut in (2, 40, len(record("b").to_json())):
        path.write_bytes(whole[:-cut])
        with open_run(tmp_path) as store:
            assert len(store) == 1
            assert store.get(record("b").key) is None
            store.append([record("c")])
        assert [r.tensor for r in run.current(tmp_path)] == ["a", "c"]


def test_foreign_lines_are_ignored(tmp_path: Path) -> None:
    with open_run(tmp_path) as store:
        store.append([record("a")])
    with record_files(tmp_path)[0].open("ab") as file:
        file.write(b'\n\xff\xfe\n[]\n{"key":3}\n{"key":"x","tensor":"y"}\nnull\n')
    assert [r.tensor for r in run.current(tmp_path)] == ["a"]
    with open_run(tmp_path) as store:
        assert store.get("x") is None
        assert store.get(record("a").key) is not None


def test_of_two_measurements_of_one_cell_the_later_counts(tmp_path: Path) -> None:
    with open_run(tmp_path) as first, open_run(tmp_path) as second:
        assert (first.worker, second.worker) == ("0", "1")
        first.append([record("a", time=5.0, identity="new")])
        second.append([record("a", time=3.0, identity="old")])
        assert first.get(record("a", identity="old").key) is None
        first.refresh()
        assert first.get(record("a", identity="old").key) is not None
    assert [r.identity for r in run.current(tmp_path)] == ["new"]


def test_files_of_records_are_used_again(tmp_path: Path) -> None:
    for tensor in "abc":
        with open_run(tmp_path) as store:
            store.append([record(tensor)])
    with open_run(tmp_path), open_run(tmp_path):
        pass  # the second file held nothing and is gone
    assert [path.name for path in record_files(tmp_path)] == ["records-0.jsonl"]


def test_provenance(tmp_path: Path) -> None:
    with open_run(tmp_path):
        pass
    with RunDirectory(tmp_path, FACTS | {"filter": "q"}, [("nf4", "nf4lut@flat64:f32", 4.5), *FORMATS]):
        pass
    data = run.read(tmp_path)
    assert (data["model"], data["revision"], data["filter"]) == ("org/m", "abc", "q")
    assert [row["format"] for row in data["formats"]] == ["mxfp4", "nf4"]
    assert len(data["commands"]) == 2
    assert data["commands"][0]["command"][1:] == sys.argv[1:]
    assert set(data["versions"]) >= {"python", "fewbits", "numpy", "numba"}
    assert data["machine"]["cores"] >= 1
    assert all(len(digest) == 64 for digest in data["hashes"].values())
    assert data["arithmetic"] >= 1
    assert data["created"] <= data["updated"]


def test_a_run_of_something_else_is_refused(tmp_path: Path) -> None:
    with open_run(tmp_path / "run"):
        pass
    with pytest.raises(FewbitsError, match="a run with revision 'abc', not 'def'; -o names another"):
        RunDirectory(tmp_path / "run", FACTS | {"revision": "def"}, FORMATS)
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "thesis.tex").write_text("")
    with pytest.raises(FewbitsError, match="holds other files"):
        open_run(tmp_path / "docs")
    with pytest.raises(FewbitsError, match="is a file"):
        open_run(tmp_path / "docs" / "thesis.tex")
    with pytest.raises(FewbitsError, match="not a run directory"):
        run.read(tmp_path / "docs")
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["thesis.tex"]


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FewbitsError, match="cannot write the run directory"):
        open_run(tmp_path / "file" / "r")


def test_default_path_is_the_same_for_the_same_question() -> None:
    facts = {"revision": "abc", "seed": 0}
    path = default_path("org/m x", "model.layers.1", facts)
    assert path == default_path("org/m x", "model.layers.1", dict(reversed(facts.items())))
    assert path != default_path("org/m x", "model.layers.1", facts | {"seed": 1})
    assert path.parent == Path("results/org__m_x")
    assert path.name.startswith("model.layers.1-")
    assert default_path("../..", "", {}).parent == Path("results/model")
    assert default_path("m", "", {}).name.startswith("all-")


def test_derived_tables_hold_what_the_records_say(tmp_path: Path) -> None:
    with open_run(tmp_path) as store:
        store.append(
            [
                record("model.layers.1.q.weight"),
                record("model.layers.0.q.weight", sampling="2 of 4 rows", errors={"mae": 0.1}),
            ]
        )
    made = run.derive(tmp_path)
    assert made["layer"].to_list() == [0, 1]
    assert made.columns[: len(COLUMNS)] == list(COLUMNS)
    assert made["mae_se"].to_list() == [0.1, None]
    assert polars.read_parquet(tmp_path / "measurements.parquet").equals(made)
    assert polars.read_csv(tmp_path / "measurements.csv")["tensor"].to_list() == made["tensor"].to_list()


def test_a_run_without_measurements_has_no_table(tmp_path: Path) -> None:
    with open_run(tmp_path):
        pass
    with pytest.raises(FewbitsError, match="has no measurements"):
        run.table(tmp_path)


def test_a_full_disk_is_one_clear_line_and_loses_nothing(tmp_path: Path) -> None:
    """A limit on the size of files stands for the full disk: writes are cut short, then refused."""
    with open_run(tmp_path) as store:
        store.append([record("a")])
        path = record_files(tmp_path)[0]
        before = path.read_bytes()
        limits = resource.getrlimit(resource.RLIMIT_FSIZE)
        ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, limits[1]))
            with pytest.raises(FewbitsError, match=r"cannot write .*records-0\.jsonl: File too large"):
                store.append([record("b")])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
            signal.signal(signal.SIGXFSZ, ignored)
        assert path.read_bytes() == before
        store.append([record("c")])
    assert [r.tensor for r in run.current(tmp_path)] == ["a", "c"]


WRITER = """
import sys, time
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from test_run import open_run, record
with open_run(Path(sys.argv[1])) as store:
    for i in range(int(sys.argv[3])):
        store.append([record(f"{store.worker}.{i}")])
        print(i, flush=True)
    time.sleep(float(sys.argv[4]))
"""


def writer(path: Path, count: int, sleep: float) -> subprocess.Popen[str]:
    arguments = [sys.executable, "-c", WRITER, str(path), str(Path(__file__).parent), str(count), str(sleep)]
    return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True)


def test_kill_loses_nothing_that_was_appended(tmp_path: Path) -> None:
    with writer(tmp_path, 100_000, 0) as process:
        assert process.stdout is not None
        for _ in range(50):
            last = int(process.stdout.readline())
        process.kill()
    found = [r.tensor for r in run.current(tmp_path)]
    assert len(found) > last
    with open_run(tmp_path) as store:  # the dead process's file is free again
        assert store.worker == "0"
        assert len(store) == len(found)


def test_parallel_processes_each_have_a_file(tmp_path: Path) -> None:
    processes = [writer(tmp_path, 30, 0.5) for _ in range(3)]
    assert [process.communicate(timeout=60)[0].count("\n") for process in processes] == [30, 30, 30]
    assert len(list(run.current(tmp_path))) == 90
    assert sum(path.read_bytes().count(b"\n") for path in record_files(tmp_path)) == 90
    assert len(run.read(tmp_path)["commands"]) == 3
    json.loads((tmp_path / "run.json").read_text())
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".tmp")]
    assert time.time() - os.stat(tmp_path / "run.json").st_mtime < 60


def test_records_of_bytes_that_are_gone_do_not_count(tmp_path: Path) -> None:
    with open_run(tmp_path) as store:
        store.append([record("a", time=1.0), record("a", "bf16", time=1.0), record("b", time=1.0)])
        store.append([record("a", time=2.0, identity="new")])
        assert (store.identity("a"), store.identity("b"), store.identity("c")) == ("new", "id b", "")
    assert [(r.tensor, r.identity) for r in run.current(tmp_path)] == [("a", "new"), ("b", "id b")]
    with open_run(tmp_path) as store:
        assert store.identity("a") == "new"


@pytest.mark.skipif(sys.platform == "win32", reason="folders are not locked there")
def test_a_run_that_is_just_being_made_is_waited_for(tmp_path: Path) -> None:
    begun = threading.Event()

    def make() -> None:
        with lock_directory(tmp_path):
            half = tmp_path / ".run.json.tmp"
            half.write_text("{")
            begun.set()
            time.sleep(0.3)
            half.write_text(json.dumps({"model": "m", "revision": ""}))
            half.rename(tmp_path / "run.json")

    other = threading.Thread(target=make)
    other.start()
    begun.wait(10)
    with RunDirectory(tmp_path, {"model": "m", "revision": ""}, []):
        pass
    other.join()
