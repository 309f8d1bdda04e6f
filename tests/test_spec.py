"""Spec strings: round trips, the caret under the mistake, the nearest names, and no other exception whatever is typed."""

from __future__ import annotations

import contextlib
import pickle

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import fewbits as fb
from fewbits import catalog
from fewbits.errors import FewbitsError, SpecError, UnknownName, UsageError
from fewbits.formats import Format
from strategies import NAMES, formats, specs

BLOCKS = "N, RxC, row, col, matrix, tensor and flatN are allowed"
MISTAKES = [
    ("", 0, "an element expected, such as e2m1, s4 or nf4lut"),
    ("+min", 0, "an element expected, such as e2m1, s4 or nf4lut"),
    ("é2m1", 0, "an element expected, such as e2m1, s4 or nf4lut"),
    ("e2m1@32", 7, "':' and a scale expected after the block, as in e2m1@32:e8m0"),
    ("e2m1@32:", 8, "an element expected, such as e2m1, s4 or nf4lut"),
    ("e2m1@:f16", 5, f"unknown block ''; {BLOCKS}"),
    ("e2m1@0:f16", 5, f"unknown block '0'; {BLOCKS}"),
    ("e2m1@32x:f16", 5, f"unknown block '32x'; {BLOCKS}"),
    ("e2m1@rows:f16", 5, f"unknown block 'rows'; did you mean row?; {BLOCKS}"),
    ("q2m1@32:e8m0", 0, "unknown element 'q2m1'; did you mean e2m1 or e2m3?"),
    ("e2m1@32:e8m0x", 8, "unknown element 'e8m0x'; did you mean e8m0?"),
    ("nf4@32:f16", 0, "unknown element 'nf4'; did you mean nf4lut or bnbfp4?"),
    ("e2m1@32-flor:e8m0", 8, "unknown rule 'flor'; did you mean floor?"),
    ("i4@32-p0:f16", 6, "rule 'p0': pP needs a percentage 0 < P ≤ 100"),
    ("e2m1@32:e8m0+", 13, "unknown option ''; options are min, zero, mean, outliers, hadamard"),
    (
        "e2m1@32:e8m0+mni",
        13,
        "unknown option 'mni'; did you mean min or mean?; options are min, zero, mean, outliers, hadamard",
    ),
    ("u4@32:f16+min+min", 14, "option 'min' is given twice"),
    ("e2m1@32:e4m3+hadamard", 21, "a power of two expected, as in hadamard128"),
    ("e2m1@32:f16+outliers:f16", 20, "a ratio and ':' with an element expected, as in outliers0.01:f16"),
    ("e2m1@32:f16+outliers0.1", 23, "a ratio and ':' with an element expected, as in outliers0.01:f16"),
    ("e2m1@32:(e4m3@16:f32", 20, "')' expected"),
    ("e2m1@32:(e4m3@16:f32))", 21, "end of the spec expected"),
    ("e2m1@32:e8m0 ", 12, "end of the spec expected"),
    ("e2m1@32:f16:f16", 11, "':' is not allowed here"),
    ("s4@32:f16@32:f16@2:f16@3:f16@4:f16@5:f16@6:f16", 37, "at most 6 levels of scales are allowed"),
]
REASONS = [
    ("s99", "element 's99': sN needs N from 2 to 16, not 99"),
    ("s1", "element 's1': sN needs N from 2 to 16, not 1"),
    ("E9M30", "element 'e9m30': 1 to 8 exponent bits and at most 16 bits are allowed, not e9 and 40 bits"),
    ("e0m0", "element 'e0m0': 1 to 8 exponent bits and at most 16 bits are allowed, not e0 and 1 bits"),
    ("s99@32:f16", "element 's99': sN needs N from 2 to 16, not 99"),
    ("s4@32-p200:f16", "rule 'p200': pP needs a percentage 0 < P ≤ 100"),
    ("s4@32-0rms:f16", "rule '0rms': Krms needs a number K > 0"),
]
ILLEGAL = [
    ("e2m1@32-floor:f16", "rule floor needs an e8m0 scale, not f16"),
    ("e2m1@32:f16+zero", "+zero needs an integer element and the rule range"),
    ("u4@32:f16+min+zero", "min and zero exclude each other"),
    ("u4@32-amax:f16+min", "+min and +zero need a rule of the range, such as range, not amax"),
    ("s4@32-range:f16", "rule range needs +min or +zero"),
    ("u4@32-signmax:u4", "rule signmax gives signed scales, which u4 does not hold"),
    ("e2m1@32:e4m3+hadamard3", "hadamard3: a power of two from 2 is allowed"),
    ("e2m1@32:f16+hadamard1٦", "hadamard1: a power of two from 2 is allowed"),
    ("f16@32:f16", "element f16 takes no block"),
    ("s4@32:zero", "a scale of no bits"),
    ("s4@32:(f16+mean)", "mean in a scale needs blocks of scales"),
    ("s4@32:(e4m3@8:f32+hadamard8)", "of the options only mean is allowed in a scale"),
    ("s8@16-align:f16", "rule align is for sN@…:e8m0"),
    ("nf4lut@32-even:e8m0", "rule even needs an element with a mantissa"),
    ("u4@32-qkx2:f16+min", "rule qkx2 is for uN@B-qkx2:uM@S:f16+min"),
    ("e2m1@32-q40:f16", "rule q40 needs an integer element"),
    ("mxi8@32-q40:f16", "rule q40 needs an integer element"),
    ("e2m1+zero", "min, zero and outliers need a block"),
    ("s4@32:u4@8-mse:f16", "searched and aligned rules are for values, not for scales"),
    ("s4@32:u4@8-even:e8m0", "of the rules for powers of two, scales of scales take floor, ceil, rceil and amax"),
    ("i4@32:f16+outliers0.1:e8m0", "outliers: a float or integer element is allowed"),
]
EQUIVALENT = [
    ("e4m3fn@32:e8m0", "e4m3@32:e8m0"),
    ("e5m2ieee", "e5m2"),
    ("e2m1@32-floor:e8m0", "e2m1@32:e8m0"),
    ("e2m1@1x32:e8m0", "e2m1@32:e8m0"),
    ("s4@32-amax:f16", "s4@32:f16"),
    ("u4@32-range:f16+min", "u4@32:f16+min"),
    ("e2m1@16:(e4m3@tensor:f32)", "e2m1@16:e4m3@tensor:f32"),
    ("s4@16:f16+hadamard16+mean", "s4@16:f16+mean+hadamard16"),
    ("s4@16:f16+outliers.0100:f16", "s4@16:f16+outliers0.01:f16"),
    ("s04@16:f16", "s4@16:f16"),
    ("e02m01", "e2m1"),
    ("i1@32-signmax:f16", "i1@32:f16"),
]


@pytest.mark.parametrize(("text", "position", "reason"), MISTAKES)
def test_a_mistake_is_marked_where_it_is(text: str, position: int, reason: str) -> None:
    with pytest.raises(SpecError) as error:
        fb.parse(text)
    message, line, caret = str(error.value).split("\n")
    assert message == reason
    assert line == f"  {text}"
    assert caret == "  " + " " * position + "^"
    assert error.value.exit_code == 2


@pytest.mark.parametrize(("text", "reason"), ILLEGAL)
def test_what_cannot_be_says_why(text: str, reason: str) -> None:
    with pytest.raises(SpecError) as error:
        fb.parse(text)
    assert str(error.value).split("\n")[0].endswith(f": {reason}")


def test_the_caret_of_an_inner_format_stands_under_it() -> None:
    with pytest.raises(SpecError) as error:
        fb.parse("s4@32:(u4@32-range:f16)")
    assert str(error.value).split("\n") == [
        "format 'u4@32-range:f16': rule range needs +min or +zero",
        "  s4@32:(u4@32-range:f16)",
        "         ^",
    ]


@pytest.mark.parametrize(("typed", "canonical"), EQUIVALENT)
def test_two_spellings_of_one_format(typed: str, canonical: str) -> None:
    assert fb.parse(typed) == fb.parse(canonical)
    assert str(fb.parse(typed)) == canonical
    assert hash(fb.parse(typed)) == hash(fb.parse(canonical))


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(formats())
def test_text_and_format_round_trip(f: Format) -> None:
    text = str(f)
    assert fb.parse(text) == f
    assert fb.format(text) == f
    assert str(fb.parse(text)) == text
    assert eval(repr(f), {"parse": fb.parse}) == f
    assert pickle.loads(pickle.dumps(f)) == f
    assert all(c.isascii() and (c.isalnum() or c in ".-_") for c in f.slug)


@settings(max_examples=300)
@given(specs(), st.integers(0, 60), st.text(alphabet="@:+()-x.0123456789abemnstu \té\n", max_size=3), st.integers(0, 3))
def test_a_damaged_spec_is_a_format_or_one_clear_error(text: str, at: int, inserted: str, removed: int) -> None:
    damaged = text[:at] + inserted + text[at + removed :]
    try:
        f = fb.parse(damaged)
    except FewbitsError:
        return
    assert fb.parse(str(f)) == f


@settings(max_examples=400)
@given(st.text(max_size=60))
@example("e2m1@" + "9" * 190 + ":f16")
@example("e" + "9" * 99 + "m" + "9" * 99)
@example("s4@32-" + "9" * 150 + "rms:f16")
@example("s4@32-p" + "9" * 150 + ":f16")
@example("s4@32-p99." + "9" * 150 + ":f16")
@example("s4@32:" + "(" * 190)
@example("s4@32:(" * 27)
@example("(" * 100000)
@example("s" + "0" * 190 + "4")
@example("e2m1@32:e8m0+outliers0.000000000000:f16")
@example("e2m1@³:f16")
@example("e2m1@٣:f16")
@example("\x00")
def test_any_text_is_a_format_or_one_clear_error(text: str) -> None:
    for read in (fb.parse, fb.format):
        with contextlib.suppress(FewbitsError):
            assert str(read(text))


def test_a_long_spec_is_refused_before_it_is_read() -> None:
    with pytest.raises(UsageError, match="a spec has at most 200 characters, not 100000"):
        fb.parse("(" * 100000)


def test_names_are_found_in_any_case_and_with_spaces_around() -> None:
    assert fb.format(" MXFP4 ") == fb.parse("e2m1@32:e8m0")
    assert fb.format("nf4") == fb.parse("nf4lut@flat64:f32")


@pytest.mark.parametrize(("word", "near"), [("mxfp5", "mxfp4"), ("nvpf4", "nvfp4"), ("bfp9", "bfp8"), ("q4k", "q4_k")])
def test_an_unknown_name_is_answered_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(UnknownName, match=f"unknown format '{word}': did you mean .*{near}"):
        fb.format(word)


def test_no_two_rows_share_a_spec_and_every_name_is_its_own() -> None:
    specs = [str(fb.format(name)) for name in NAMES]
    assert len(set(specs)) == len(specs) == len(set(NAMES))
    for row in catalog.rows():
        assert str(fb.parse(row.spec)) == row.spec
        assert catalog.name_of(fb.parse(row.spec)) == row.name
        assert row.name == row.name.lower()


def test_groups_resolve_in_order_without_duplicates() -> None:
    assert [name for name, _ in catalog.resolve(["all"])] == ["mxfp4", "nvfp4", "bf16", "bfp8", "bfp4", "bfp2", "fp0"]
    assert [name for name, _ in catalog.resolve(["catalog"])] == NAMES
    assert [name for name, _ in catalog.resolve(["e2m1@32:e8m0", "mxfp4", "bf16", "all"])][:3] == [
        "e2m1@32:e8m0",
        "bf16",
        "nvfp4",
    ]


@pytest.mark.parametrize(("text", "reason"), REASONS)
def test_a_size_that_is_not_allowed_says_so(text: str, reason: str) -> None:
    with pytest.raises(UsageError) as error:
        fb.format(text)
    assert str(error.value).split("\n")[0] == reason


@pytest.mark.parametrize("text", ["e2m1@32:e8m0", "u4@32-qkx2:u6@8:f16+min", "e2m1@8X16:e4m3@tensor:f32", "e4m3"])
def test_case_does_not_matter(text: str) -> None:
    assert fb.format(text.upper()) == fb.parse(text.title()) == fb.parse(text.lower())
    with pytest.raises(SpecError) as error:
        fb.parse(f"{text.upper()}İ@")
    assert str(error.value).split("\n")[1].strip() == f"{text.upper()}İ@"


@pytest.mark.parametrize("value", [7, None, b"mxfp4", ["mxfp4"]])
def test_what_is_no_text_is_no_format(value: object) -> None:
    for verb in (fb.format, fb.parse, lambda v: fb.quantize([1.0], v), lambda v: fb.measure([1.0], [v])):
        with pytest.raises(UsageError, match=r"not (int 7|NoneType|bytes b'mxfp4'|list ..mxfp4..)") as error:
            verb(value)
        assert "\n" not in str(error.value)


def test_every_verb_takes_a_format() -> None:
    f = fb.parse("e2m1@32:e8m0")
    assert fb.format(f) is fb.parse(f) is f
    assert catalog.resolve([f, "mxfp4", fb.parse("e3m0")]) == [("mxfp4", f), ("e3m0", fb.parse("e3m0"))]
