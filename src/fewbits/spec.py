"""Spec strings: text ⇄ `Format`.

format  = element [ "@" block [ "-" rule ] ":" scale ] { "+" option }      # options belong to the outermost format
scale   = the same without options, or "(" format ")"
block   = INT | INT "x" INT | "row" | "col" | "matrix" | "tensor" | "flat" INT
element = NAME | ["u"] "e" INT "m" INT [suffix] | ("i" | "s" | "u" | "h") INT
option  = "min" [":" element] | "zero" | "mean" | "outliers" RATIO ":" element | "hadamard" INT
"""

from __future__ import annotations

import difflib
import re
import string
from fractions import Fraction
from functools import lru_cache
from typing import Any

from fewbits import element as elements
from fewbits import rule as rules
from fewbits.block import parse_block
from fewbits.element import Element, element
from fewbits.errors import SpecError, UnknownName, UsageError, kind_of
from fewbits.formats import Format, Outliers
from fewbits.rule import Rule, rule

MAX_LENGTH = 200
MAX_LEVELS = 6
LOWER = {ord(letter): letter.lower() for letter in string.ascii_uppercase}


def parse(text: str | Format) -> Format:
    """The `Format` of a spec string, any case, or of itself; `str()` of it is the canonical spec.

    Raises `SpecError` with a caret, and `UsageError` for what is no text.
    """
    if isinstance(text, Format):
        return text
    if not isinstance(text, str):
        raise UsageError(f"a spec is a text such as e2m1@32:e8m0, not {kind_of(text)}")
    return _parsed(text)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> Format:
    if len(text) > MAX_LENGTH:
        raise UsageError(f"a spec has at most {MAX_LENGTH} characters, not {len(text)}")
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        # Only A to Z: other characters may change their number, and the caret counts them.
        self.text, self.lower, self.at, self.depth = text, text.translate(LOWER), 0, 0

    def whole(self) -> Format:
        result = self.format(options=True)
        if self.at < len(self.text):
            raise self.wrong(
                "end of the spec expected" if self.peek() not in "@:-" else f"'{self.peek()}' is not allowed here"
            )
        return result

    def format(self, options: bool) -> Format:
        start = self.at
        self.depth += 1
        if self.depth > MAX_LEVELS:
            raise self.wrong(f"at most {MAX_LEVELS} levels of scales are allowed")
        fields: dict[str, Any] = {"element": self.element()}
        if self.take("@"):
            fields["block"] = self.block()
            if self.take("-"):
                fields["rule"] = self.rule()
            if not self.take(":"):
                raise self.wrong("':' and a scale expected after the block, as in e2m1@32:e8m0")
            fields["scale"] = self.scale()
        while options and self.take("+"):
            self.option(fields)
        self.depth -= 1
        try:
            return Format(**fields)
        except SpecError:
            raise
        except UsageError as error:
            raise SpecError(self.text, start, str(error)) from None

    def scale(self) -> Format:
        if not self.take("("):
            return self.format(options=False)
        inner = self.format(options=True)
        if not self.take(")"):
            raise self.wrong("')' expected")
        return inner

    def element(self) -> Element:
        start, word = self.at, self.word(r"[a-z0-9]+")
        if not word:
            raise self.wrong("an element expected, such as e2m1, s4 or nf4lut")
        try:
            return element(word)
        except UnknownName as error:
            raise SpecError(self.text, start, f"{str(error).split(';')[0]}{_nearest(word, _element_words())}") from None
        except UsageError as error:  # of a size that is not allowed
            raise SpecError(self.text, start, str(error)) from None

    def rule(self) -> Rule:
        start, word = self.at, self.word(r"[a-z0-9.]+")
        try:
            return rule(word)
        except UnknownName:
            known = rules.names()
            raise SpecError(
                self.text, start, f"unknown rule '{word}'{_nearest(word, known) or '; rules are ' + ', '.join(known)}"
            ) from None
        except UsageError as error:  # a number that is not allowed
            raise SpecError(self.text, start, str(error)) from None

    def block(self) -> Any:
        start, word = self.at, self.word(r"[a-z0-9]+")
        found = parse_block(word)
        if found is None:
            near = _nearest(word, ("row", "col", "matrix", "tensor", "flat64"))
            raise SpecError(
                self.text,
                start,
                f"unknown block '{word}'{near}; N, RxC, row, col, matrix, tensor and flatN are allowed",
            )
        return found

    def option(self, fields: dict[str, Any]) -> None:
        start, word = self.at, self.word(r"[a-z]+")
        key = {"min": "minimum"}.get(word, word)
        if key in fields:
            raise SpecError(self.text, start, f"option '{word}' is given twice")
        if word == "min":
            fields[key] = self.element() if self.take(":") else True
        elif word in ("zero", "mean"):
            fields[key] = True
        elif word == "outliers":
            ratio = self.word(r"0?\.[0-9]{1,12}")
            if not ratio or not self.take(":"):
                raise self.wrong("a ratio and ':' with an element expected, as in outliers0.01:f16")
            fields[key] = Outliers(Fraction(ratio), self.element())
        elif word == "hadamard":
            size = self.word(r"[1-9][0-9]{0,4}")
            if not size:
                raise self.wrong("a power of two expected, as in hadamard128")
            fields[key] = int(size)
        else:
            known = ("min", "zero", "mean", "outliers", "hadamard")
            raise SpecError(
                self.text, start, f"unknown option '{word}'{_nearest(word, known)}; options are {', '.join(known)}"
            )

    def word(self, pattern: str) -> str:
        m = re.compile(pattern).match(self.lower, self.at)
        self.at += len(m[0]) if m else 0
        return m[0] if m else ""

    def take(self, character: str) -> bool:
        found = self.peek() == character
        self.at += found
        return found

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def wrong(self, reason: str) -> SpecError:
        return SpecError(self.text, self.at, reason)


def _element_words() -> tuple[str, ...]:
    return (*elements.names(), "e4m3", "e5m2", "e2m1", "e2m3", "e3m2", "s4", "s8", "u4", "u8", "i4", "i8", "h4")


def _nearest(word: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(word, known, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(near)}?" if near else ""
