"""What fuzzing found stays found: small inputs that readers once took wrongly, and the seeds that it starts from.

`make fuzz` looks for more (tests/fuzz/README.md); nothing here needs the fuzzer.
"""

from __future__ import annotations

import random
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from fewbits.errors import SourceError
from fewbits.sources.strict_json import quoted
from fewbits.tensor import Tensor
from fuzz.mutators import Mutator, json_mutated, safetensors_mutated, zip_mutated
from fuzz.outcome import Finding, outcome, watch
from fuzz.targets import TARGETS
from held_file import Held, refused

CANNED = Path(__file__).parent / "canned" / "fuzz"
INPUTS = sorted(path for path in CANNED.glob("*/*") if path.is_file())
BY_NAME = {target.name: target for target in TARGETS}


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """What readers import and compile once would look like files touched by an input."""
    for target in TARGETS:
        for content in target.seeds():
            outcome(target.read, content)
    watch()


@pytest.mark.parametrize("path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_inputs_that_were_findings(path: Path) -> None:
    content = path.read_bytes()
    assert len(content) < 10_000
    tracemalloc.start()
    try:
        outcome(BY_NAME[path.parent.name].read, content)
        assert tracemalloc.get_traced_memory()[1] < 200 << 20
    finally:
        tracemalloc.stop()


def test_every_folder_of_inputs_is_a_target() -> None:
    assert {path.parent.name for path in INPUTS} <= set(BY_NAME)


@pytest.mark.parametrize("name", BY_NAME)
def test_most_seeds_are_read(name: str) -> None:
    target = BY_NAME[name]
    lines = [outcome(target.read, content) for content in target.seeds()]
    assert lines
    assert lines.count("") >= 0.8 * len(lines), lines


def test_a_list_made_into_a_dict_again_and_again() -> None:
    """A pickle of half a megabyte that would copy 10,000 pairs 60,000 times."""
    pairs = b"".join(b"X\x06\0\0\0%06dK\1\x86" % number for number in range(10_000))
    made = b"\x80\2ccollections\nOrderedDict\nq\0](" + pairs + b"e\x85q\1h\0h\1R" + b"0h\0h\1R" * 60_000 + b"."
    assert "calls with more than 2,000,000 values" in refused(BY_NAME["pickle"].read, made)


def test_any_integer_is_quoted() -> None:
    assert quoted([1 << 20_000]) == "[integer of 20,001 bits]"
    assert quoted(10**40) == f"{10**40}"[:18] + "..." + "0" * 19


def refuses(line: str) -> None:
    raise SourceError(line)


def opens(path: str) -> None:
    Path(path).read_bytes()


@pytest.mark.parametrize(
    ("act", "argument", "problem"),
    [
        (refuses, "two\nlines", "does not print"),
        (refuses, "x" * 3_000, "3000 characters"),
        (refuses, "", "an empty line"),
        (opens, __file__, "reached beyond the bytes: open"),
        (warnings.warn, "odd", "warned: odd"),
    ],
)
def test_what_is_a_finding(act: Callable[[str], object], argument: str, problem: str) -> None:
    def read(file: Held) -> list[Tensor]:
        act(argument)
        return []

    with pytest.raises(Finding, match=problem):
        outcome(read, b"")


@pytest.mark.parametrize(
    ("mutator", "name"), [(json_mutated, "packed"), (safetensors_mutated, "safetensors"), (zip_mutated, "npz")]
)
def test_mutators_keep_the_frame(mutator: Mutator, name: str) -> None:
    """Few of the changed files are refused for a broken frame."""
    target, rng = BY_NAME[name], random.Random(0)

    def plainly(data: bytes, most: int) -> bytes:
        at = rng.randrange(len(data) or 1)
        return (data[:at] + bytes([rng.randrange(256)]) + data[at + 1 :])[:most]

    lines = [outcome(target.read, mutator(target.seeds()[0], 10_000, rng, plainly)) for _ in range(40)]
    assert sum("JSON" in line or "header would" in line or "directory" in line for line in lines) < 20, lines
