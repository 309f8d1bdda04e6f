"""What a report says: everything that the page shows, taken from run directories and nothing else."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fewbits import metrics, run
from fewbits.errors import FewbitsError
from fewbits.figures import draw
from fewbits.figures.axes import axis_of
from fewbits.figures.rows import natural
from fewbits.figures.style import DIFFERENCE, HEAT
from fewbits.profile import Profile
from fewbits.profile.pieces import block_text, levels
from fewbits.report.answer import Answer, answer
from fewbits.report.grid import Cells, dictionary
from fewbits.report.groups import ALL, Groups
from fewbits.report.profiles import arrays, importance
from fewbits.scan.summary import SAME_BITS
from fewbits.spec import parse
from fewbits.table import Record
from fewbits.table.columns import frame
from fewbits.table.columns import row as row_of
from fewbits.table.names import layer_of, role_of

if TYPE_CHECKING:
    import polars

__all__ = ["About", "Content", "Run", "collect"]

FIRST = "sqnr_db"  # the metric that is shown first
NAMES = tuple(metric.name for metric in metrics.METRICS)

Row = Mapping[str, Any]


@dataclass(frozen=True)
class About:
    """What the page says of a tensor besides measurements."""

    shape: tuple[int, ...]
    dtype: str
    layout: str
    identity: str


@dataclass
class Run:
    """One run: what run.json says, and what its records come to; they are read once and not kept."""

    name: str
    facts: Mapping[str, Any]
    groups: Groups = field(default_factory=Groups)
    cells: Cells = field(default_factory=Cells)
    about: dict[str, About] = field(default_factory=dict)
    evidence: set[str] = field(default_factory=set)
    notes: dict[str, set[str]] = field(default_factory=dict)

    @property
    def tensors(self) -> int:
        """How many tensors were measured."""
        return len(self.about)

    def take(self, records: Iterable[Record]) -> None:
        """Take in the records."""
        for record in self.groups.following(records):
            row = row_of(record, sampled=True)
            self.cells.add(row)
            self.about.setdefault(record.tensor, About(record.shape, record.dtype, record.layout, record.identity))
            self.evidence.add(record.evidence)
            for flag in row["flags"] or ():
                kind, _, value = flag.partition(":")
                self.notes.setdefault(f"backend {value}" if kind == "backend" else kind, set()).add(record.tensor)


@dataclass(frozen=True)
class Content:
    """A report before it is a page; words and ranking are those of the first run."""

    runs: Sequence[Run]
    ranking: Sequence[Row]
    answer: Answer
    notes: Sequence[str]
    data: Mapping[str, Any]

    @property
    def facts(self) -> Mapping[str, Any]:
        """What run.json of the first run says."""
        return self.runs[0].facts

    @property
    def evidence(self) -> list[str]:
        """Levels of evidence, of all runs."""
        return sorted(set().union(*(run.evidence for run in self.runs)))

    @property
    def tensors(self) -> int:
        """Tensors of the first run."""
        return self.runs[0].tensors


def collect(directories: Sequence[Path]) -> Content:
    """Read run directories: run.json and the records. FewbitsError when one is none or holds no measurements."""
    runs = []
    for directory, name in zip(directories, _names(directories), strict=True):
        found = Run(name, run.read(directory))
        found.take(run.current(directory))
        if not found.about:
            raise FewbitsError(f"{directory} has no measurements")
        runs.append(found)
    rankings = [each.groups.everything.rows() for each in runs]
    formats = _formats([row for ranking in rankings for row in ranking])
    about = {name: facts for each in reversed(runs) for name, facts in each.about.items()}
    tensors = sorted(about, key=natural)
    data = {
        "version": 2,
        "same_bits": SAME_BITS,
        "metrics": [_metric(name) for name in (FIRST, *(name for name in NAMES if name != FIRST))],
        "formats": formats,
        "colors": {"heat": HEAT, "difference": DIFFERENCE},
        "tensors": _tensors({name: about[name] for name in tensors}),
        "runs": [_run(each, tensors, formats) for each in runs],
    }
    data["profiles"] = _profiles(directories, runs, data)
    return Content(runs, rankings[0], answer(rankings[0]), _notes(runs), data)


def _profiles(directories: Sequence[Path], runs: Sequence[Run], data: Mapping[str, Any]) -> dict[str, Any] | None:
    """The profile of each tensor in the first run that has one; those that hold most of the error come first."""
    names, specs = data["tensors"]["name"], [f["spec"] for f in data["formats"]]
    errors = data["runs"][0]["tensors"]["metrics"]["mse"].reshape(len(names), len(specs))
    order = importance(errors * np.array(data["tensors"]["weights"], np.float64)[:, None])
    wanted = [names[at] for at in order]

    def found() -> Iterator[Profile]:
        seen: set[str] = set()
        for directory, each in zip(directories, runs, strict=True):
            left = {name: each.about[name].identity for name in wanted if name in each.about and name not in seen}
            for profile in run.profiles(directory, left):
                seen.add(profile.tensor)
                yield profile

    return arrays(found(), {name: at for at, name in enumerate(names)}, specs)


def _names(directories: Sequence[Path]) -> list[str]:
    """What to call runs: the last part of the path, or more of it where that does not tell them apart."""
    paths = [Path(directory).resolve() for directory in directories]
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            return names
    return [f"{path} ({number})" for number, path in enumerate(paths, 1)]


def _run(found: Run, tensors: Sequence[str], formats: Sequence[Row]) -> dict[str, Any]:
    """The arrays of a run over the tensors and formats of all runs, and merged rows over its own groups."""
    columns = {f["spec"]: at for at, f in enumerate(formats)}
    merged = {name: _natural(rows) for name, rows in found.groups.merged().items()}
    merged["all"] = [{**row, "tensor": ALL} for row in found.groups.everything.rows()]
    return {
        "name": found.name,
        "model": found.facts.get("model", ""),
        "tensors": found.cells.dense({name: at for at, name in enumerate(tensors)}, columns),
        "groups": {name: _group(rows, columns) for name, rows in merged.items()},
        "accuracy_bits": _accuracy(found.groups.everything.rows()),
    }


def _group(rows: Sequence[Row], columns: Mapping[str, int]) -> dict[str, Any]:
    cells = Cells(rows)
    return {"name": list(cells.names), **cells.dense(cells.names, columns)}


def _tensors(about: Mapping[str, About]) -> dict[str, Any]:
    layers = [layer_of(name) for name in about]
    return {
        "name": list(about),
        "layer": dictionary(["" if layer is None else str(layer) for layer in layers]),
        "role": dictionary([role_of(name) for name in about]),
        "dtype": dictionary([facts.dtype for facts in about.values()]),
        "layout": dictionary([facts.layout for facts in about.values()]),
        "shape": dictionary(["×".join(map(str, facts.shape)) for facts in about.values()]),
        "weights": [math.prod(facts.shape) for facts in about.values()],
    }


def _natural(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(found, key=lambda row: natural(row["tensor"]))


def _metric(name: str) -> dict[str, Any]:
    row, axis = metrics.metric(name), axis_of(name)
    return {"name": name, "unit": row.unit, "higher": row.better == "higher", "digits": row.digits, "good": row.good,
            "fair": row.fair, "definition": row.definition, "axis": axis.kind, "title": axis.title}  # fmt: skip


def _formats(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Formats of all runs, by bits; what one of them is called in the first run that has it."""
    found: dict[str, dict[str, Any]] = {}
    for row in rows:
        front = {"front": not row["better"]}
        found.setdefault(row["spec"], {"format": row["format"], "spec": row["spec"], "bits": row["bits"], **front})
    taken: dict[str, int] = {}
    for row in found.values():  # one name for each
        taken[row["format"]] = taken.get(row["format"], 0) + 1
        if taken[row["format"]] > 1:
            row["format"] = row["spec"]
    return [{**row, **_layout(row["spec"])} for row in sorted(found.values(), key=lambda row: row["bits"])]


def _layout(spec: str) -> dict[str, Any]:
    """What pictures of a tensor say of a format; nothing for a spec that only another version knows."""
    try:
        f = parse(spec)
    except FewbitsError:
        return {"levels": [], "block": ""}
    return {"levels": levels(f), "block": block_text(f)}


def _accuracy(ranking: Sequence[Row]) -> dict[str, Any]:
    """Accuracy against bits of merged rows, for every metric."""
    everything = _table([{**row, "tensor": ALL, "shape": [int(row["weights"])]} for row in ranking])
    return {name: draw("accuracy_bits", everything, name) for name in NAMES}


def _table(rows: Sequence[Row]) -> polars.DataFrame:
    """What figures need of rows; metrics are floats even where all are undefined."""
    keys = ("tensor", "shape", "format", "spec", "bits", *NAMES, "flags")
    return frame([{key: row[key] for key in keys} for row in rows])


def _notes(runs: Sequence[Run]) -> list[str]:
    """What a reader must know before comparing numbers: samples, other backends, values that are not finite."""
    found: dict[str, set[str]] = {}
    for each in runs:
        for kind, tensors in each.notes.items():
            found.setdefault(kind, set()).update(tensors)
    count = {kind: len(tensors) for kind, tensors in found.items()}
    notes = []
    if "sampled" in count:
        notes.append(
            f"{count['sampled']} tensors were measured on a sample of their rows; the table has standard errors."
        )
    if backends := sorted(kind.removeprefix("backend ") for kind in count if kind.startswith("backend ")):
        notes.append(f"Some measurements were made by another backend: {', '.join(backends)}.")
    if "nonfinite" in count:
        notes.append(f"{count['nonfinite']} tensors hold NaN or infinite values, which no sum includes.")
    if "empty" in count:
        notes.append(f"{count['empty']} tensors have no finite values at all.")
    return notes
