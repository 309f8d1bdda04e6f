"""A pickle machine that runs nothing: a pickle becomes lists, dicts, tuples, plain values and inert records.

Python's pickle calls whatever the file names. Here a name (a "global") is looked up in a table of builders given by the
caller, who alone decides what it becomes; a name that is not there is an error. Opcodes: CPython's Lib/pickletools.py.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from typing import Any

from fewbits.errors import SourceError
from fewbits.sources.file import shown
from fewbits.sources.scanner import Scanner

__all__ = ["Builder", "Global", "Record", "unpickle"]

MOST = 2_000_000  # opcodes
LONGEST = 1 << 26  # bytes
LINE = 1_000  # bytes of a name or number that ends with a line feed
PROTOCOL = 5

Builder = Callable[..., Any]  # makes the inert value of a call from its arguments; ValueError or TypeError: not such


class Record:
    """An object that was not made: what it is called, its arguments and the state it would have been given."""

    __slots__ = ("arguments", "name", "state")

    def __init__(self, name: str, arguments: tuple[Any, ...] = ()) -> None:
        self.name, self.arguments, self.state = name, arguments, None


class Global:
    """A name in a pickle, with what is to be done where it is called."""

    __slots__ = ("build", "name")

    def __init__(self, name: str, build: Builder | None) -> None:
        self.name, self.build = name, build


def unpickle(scanner: Scanner, find: Callable[[str], Global], persistent: Builder) -> Any:
    """The value of the pickle at the scanner, which then stands behind it; raises `SourceError`.

    `find` gives the global of a dotted name or raises `SourceError`; `persistent` what a persistent id stands for.
    """
    return _Machine(scanner, find, persistent).run()


class _Machine:
    def __init__(self, scanner: Scanner, find: Callable[[str], Global], persistent: Builder) -> None:
        self.scanner, self.find, self.persistent = scanner, find, persistent
        self.stack: list[Any] = []
        self.below: list[list[Any]] = []  # stacks under the open marks
        self.memo: dict[int, Any] = {}
        self.given = 0  # values in arguments of calls, which may be the same ones each time

    def run(self) -> Any:
        first = self.scanner.position
        take = self.scanner.take
        for _ in range(MOST):
            at = self.scanner.position
            code = take(1)[0]
            if code == STOP:
                break
            try:
                OPCODES[code](self)
            except (LookupError, ValueError, TypeError, OverflowError) as error:
                raise self._wrong(code, at, error) from error
            if self.scanner.position - first > LONGEST:
                raise SourceError(f"{self._where}: longer than {LONGEST:,} bytes")
        else:
            raise SourceError(f"{self._where}: more than {MOST:,} opcodes")
        if len(self.stack) != 1 or self.below:
            raise SourceError(f"{self._where}: ends with {len(self.stack)} values and {len(self.below)} open marks")
        return self.stack.pop()

    @property
    def _where(self) -> str:
        return f"{self.scanner.file.where}: {self.scanner.what}"

    def _wrong(self, code: int, at: int, error: Exception) -> SourceError:
        if code not in OPCODES:
            return SourceError(f"{self._where}: opcode {code} at byte {at:,} is not one of those that are read")
        reason = shown(str(error)) if isinstance(error, ValueError) else "what it needs is not there"
        return SourceError(f"{self._where}: damaged at byte {at:,}, opcode {code}: {reason or 'wrong value'}")

    def number(self, code: str) -> Any:
        """The value of that struct code."""
        return struct.unpack("<" + code, self.scanner.take(struct.calcsize("<" + code)))[0]

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def marked(self) -> list[Any]:
        """The values since the last mark, which is closed."""
        values, self.stack = self.stack, self.below.pop()
        return values

    def push_marked(self, make: Builder) -> None:
        """What `make` makes of the values since the last mark."""
        self.push(make(self.marked()))

    def drop_marked(self) -> None:
        self.marked()

    def text(self, length: int) -> None:
        self.push(self.scanner.take(length).decode("utf-8"))

    def old_text(self, length: int) -> None:
        """A string of Python 2."""
        self.push(self.scanner.take(length).decode("latin-1"))

    def raw(self, length: int) -> None:
        self.push(self.scanner.take(length))

    def integer(self, length: int) -> None:
        if length > 16:
            raise ValueError(f"an integer of {length:,} bytes")
        self.push(int.from_bytes(self.scanner.take(length), "little", signed=True))

    def decimal(self) -> None:
        text = self.scanner.line(40).decode("ascii")
        self.push({"00": False, "01": True}[text] if text in ("00", "01") else int(text.removesuffix("L")))

    def floating(self) -> None:
        self.push(float(self.scanner.line(LINE).decode("ascii")))

    def quoted_text(self) -> None:
        text = self.scanner.line(LINE).decode("ascii")
        if len(text) < 2 or text[0] != text[-1] or text[0] not in "'\"" or "\\" in text:
            raise ValueError("a string that is not plain")
        self.push(text[1:-1])

    def escaped_text(self) -> None:
        text = self.scanner.line(LINE).decode("raw-unicode-escape")
        if any("\ud800" <= character <= "\udfff" for character in text):
            raise ValueError("half a character, which no terminal or file could take")
        self.push(text)

    def skip(self, length: int) -> None:
        if length > self.scanner.left:
            raise ValueError("a frame beyond the end")

    def mark(self) -> None:
        self.below.append(self.stack)
        self.stack = []

    def pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self.marked()

    def last(self, count: int) -> None:
        """The last `count` values as a tuple."""
        if len(self.stack) < count:
            raise IndexError
        values = tuple(self.stack[len(self.stack) - count :])
        del self.stack[len(self.stack) - count :]
        self.push(values)

    def extend(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if isinstance(target, list):
            target.extend(values)
        elif not isinstance(target, Record):
            raise ValueError("values are added to what is no list")

    def assign(self, values: list[Any]) -> None:
        target = self.stack[-1]
        if len(values) % 2 or not isinstance(target, dict | Record):
            raise ValueError("pairs are put into what is no dict")
        if isinstance(target, dict):
            target.update(_pairs(values))

    def assign_one(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self.assign([key, value])

    def get(self, index: int) -> None:
        self.push(self.memo[index])

    def put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def named(self) -> None:
        module = self.scanner.line(LINE).decode("utf-8")
        self.push(self.find(f"{module}.{self.scanner.line(LINE).decode('utf-8')}"))

    def named_by_stack(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if not isinstance(name, str) or not isinstance(module, str) or max(len(name), len(module)) > LINE:
            raise ValueError("a global without a name")
        self.push(self.find(f"{module}.{name}"))

    def call(self, keywords: bool = False) -> None:
        """What a call would make, by the builder of the name that is called."""
        if keywords and self.stack.pop():
            raise ValueError("a call with keywords")
        arguments, called = self.stack.pop(), self.stack.pop()
        if not isinstance(called, Global) or called.build is None or not isinstance(arguments, tuple):
            raise ValueError("a call of what cannot be called")
        self.given += len(arguments) + sum(len(value) for value in arguments if isinstance(value, list | tuple))
        if self.given > MOST:
            raise ValueError(f"calls with more than {MOST:,} values")
        self.push(called.build(*arguments))

    def state(self) -> None:
        state, target = self.stack.pop(), self.stack[-1]
        if isinstance(target, Record):
            target.state = state

    def refer(self) -> None:
        self.push(self.persistent(self.stack.pop()))


def _pairs(values: list[Any]) -> dict[Any, Any]:
    """A dict of alternating keys and values; keys are plain values, which are quickly hashed and told apart."""
    if len(values) % 2:
        raise ValueError("a key without a value")
    for key in values[::2]:
        plain = (key is None or isinstance(key, str | bytes | bool)) or (
            isinstance(key, int) and -(1 << 63) <= key < 1 << 63
        )
        if not plain and not (isinstance(key, float) and math.isfinite(key)):
            raise ValueError("a key that is no plain value")
    return dict(zip(values[::2], values[1::2], strict=True))


def _opcodes() -> Mapping[int, Callable[[_Machine], None]]:
    """What each opcode does; those that are not here (EXT1, INST, OBJ, PERSID, buffers) are refused."""
    m = _Machine

    def sized(code: str, then: Callable[[_Machine, int], None]) -> Callable[[_Machine], None]:
        return lambda machine: then(machine, machine.number(code))

    def pushing(make: Callable[[], Any]) -> Callable[[_Machine], None]:
        return lambda machine: machine.push(make())

    def numbered(code: str) -> Callable[[_Machine], None]:
        return lambda machine: machine.push(machine.number(code))

    def protocol(machine: _Machine, version: int) -> None:
        if version > PROTOCOL:
            raise ValueError(f"protocol {version}, at most {PROTOCOL} is read")

    table: dict[bytes, Callable[[_Machine], None]] = {
        b"\x80": sized("B", protocol),
        b"\x95": sized("Q", m.skip),
        b"N": pushing(lambda: None), b"\x88": pushing(lambda: True), b"\x89": pushing(lambda: False),
        b"J": numbered("i"), b"K": numbered("B"), b"M": numbered("H"),
        b"G": lambda machine: machine.push(struct.unpack(">d", machine.scanner.take(8))[0]),
        b"\x8a": sized("B", m.integer), b"\x8b": sized("I", m.integer),
        b"I": m.decimal, b"L": m.decimal, b"F": m.floating, b"S": m.quoted_text, b"V": m.escaped_text,
        b"X": sized("I", m.text), b"\x8c": sized("B", m.text), b"\x8d": sized("Q", m.text),
        b"T": sized("I", m.old_text), b"U": sized("B", m.old_text),
        b"B": sized("I", m.raw), b"C": sized("B", m.raw), b"\x8e": sized("Q", m.raw),
        b"(": m.mark, b"0": m.pop, b"1": m.drop_marked,
        b"2": lambda machine: machine.push(machine.stack[-1]),
        b")": pushing(tuple), b"\x85": lambda machine: machine.last(1),
        b"\x86": lambda machine: machine.last(2), b"\x87": lambda machine: machine.last(3),
        b"t": lambda machine: machine.push_marked(tuple), b"l": lambda machine: machine.push_marked(list),
        b"d": lambda machine: machine.push_marked(_pairs), b"\x91": lambda machine: machine.push_marked(list),
        b"]": pushing(list), b"}": pushing(dict), b"\x8f": pushing(list),
        b"a": lambda machine: machine.extend([machine.stack.pop()]),
        b"e": lambda machine: machine.extend(machine.marked()), b"\x90": lambda machine: machine.extend(machine.marked()),
        b"s": m.assign_one, b"u": lambda machine: machine.assign(machine.marked()),
        b"h": sized("B", m.get), b"j": sized("I", m.get), b"q": sized("B", m.put), b"r": sized("I", m.put),
        b"g": lambda machine: machine.get(int(machine.scanner.line(20))),
        b"p": lambda machine: machine.put(int(machine.scanner.line(20))),
        b"\x94": lambda machine: machine.put(len(machine.memo)),
        b"c": m.named, b"\x93": m.named_by_stack,
        b"R": m.call, b"\x81": m.call, b"\x92": lambda machine: machine.call(keywords=True),
        b"b": m.state, b"Q": m.refer,
    }  # fmt: skip
    return {code[0]: do for code, do in table.items()}


STOP = b"."[0]
OPCODES = _opcodes()
