"""The verdict on a format and an oracle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from fewbits.conformance.inputs import suites
from fewbits.conformance.oracle import Answer, Float32, Mask, Oracle, installed
from fewbits.formats import Format
from fewbits.verbs import quantize

__all__ = ["AGREES", "COLUMNS", "DIFFERS", "KNOWN", "NOT_COVERED", "check"]

Example = tuple[str, Float32, Float32, Float32, Mask]  # suite, x, ours, theirs, which differ
AGREES, DIFFERS, KNOWN, NOT_COVERED = "agrees", "differs", "known difference", "not covered"
COLUMNS = (
    "format",
    "spec",
    "oracle",
    "version",
    "verdict",
    "values",
    "differ",
    "x",
    "ours",
    "theirs",
    "where",
    "reason",
)


def check(formats: Iterable[tuple[str, Format]], oracles: Sequence[Oracle] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of `COLUMNS`, one per (name, format) and oracle that covers it, or one "not covered" for a format that none does.

    values: how many were compared; differ: how many had other bits; x, ours, theirs, where: the first of them that no known
    difference of the oracle explains, or the first.
    """
    given = installed()[0] if oracles is None else oracles
    for name, f in formats:
        covered = False
        for oracle in given:
            answer = oracle.answer(f)
            if answer is not None:
                covered = True
                yield {"format": name, "spec": str(f), "oracle": oracle.name, "version": oracle.version} | _compare(
                    f, oracle, answer
                )
        if not covered:
            nothing = dict.fromkeys(COLUMNS[5:])
            yield {"format": name, "spec": str(f), "oracle": "", "version": "", "verdict": NOT_COVERED} | nothing


def _compare(f: Format, oracle: Oracle, answer: Answer) -> dict[str, Any]:
    values = differ = 0
    example: Example | None = None
    reasons: dict[str, None] = {}
    for suite, x in suites(f).items():
        ours = quantize(x, f)
        with np.errstate(all="ignore"):
            theirs = np.asarray(answer(x.copy())).astype(np.float32).reshape(x.shape)
            wrong = ~_same(ours, theirs)
            values += x.size
            differ += int(wrong.sum())
            unexplained = wrong.copy()
            for known in oracle.known:
                explained = unexplained & known.where(f, x, ours, theirs)
                if explained.any():
                    reasons[known.reason] = None
                    unexplained &= ~explained
        if unexplained.any():
            return _row(DIFFERS, values, int(unexplained.sum()), (suite, x, ours, theirs, unexplained), "")
        if wrong.any() and example is None:
            example = (suite, x, ours, theirs, wrong)
    return _row(KNOWN if differ else AGREES, values, differ, example, "; ".join(reasons))


def _same(a: Float32, b: Float32) -> Mask:
    """Equal bits; any NaN equals any NaN."""
    same: Mask = (a.view(np.uint32) == b.view(np.uint32)) | (np.isnan(a) & np.isnan(b))
    return same


def _row(verdict: str, values: int, differ: int, example: Example | None, reason: str) -> dict[str, Any]:
    found: dict[str, Any] = dict.fromkeys(("x", "ours", "theirs", "where"))
    if example is not None:
        suite, x, ours, theirs, mask = example
        at = tuple(int(i) for i in np.argwhere(mask)[0])
        found = {
            "x": _exact(x[at]),
            "ours": _exact(ours[at]),
            "theirs": _exact(theirs[at]),
            "where": f"{suite}[{at[0]}, {at[1]}]",
        }
    return {"verdict": verdict, "values": values, "differ": differ} | found | {"reason": reason}


def _exact(value: np.float32) -> str:
    """The shortest decimal that reads back as the same float32, the sign of zero included."""
    return str(np.float32(value))
