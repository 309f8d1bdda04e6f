"""A file in memory, for readers of positions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field

from fewbits.errors import SourceError
from fewbits.tensor import Tensor


@dataclass(eq=False)  # hashed by what it is, as readers keep what they read of a file
class Held:
    content: bytes
    where: str = "held"
    reads: list[tuple[int, int]] = field(default_factory=list)  # begin and end of each read

    @property
    def size(self) -> int:
        return len(self.content)

    @property
    def key(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def read_into(self, offset: int, buffer: memoryview, what: str) -> None:
        """Fill the buffer; a reader that asks for what is not there has not checked something."""
        assert 0 <= offset <= offset + len(buffer) <= self.size, (offset, len(buffer), self.size, what)
        self.reads.append((offset, offset + len(buffer)))
        buffer[:] = self.content[offset : offset + len(buffer)]


def tried(read: Callable[[Held], list[Tensor]], content: bytes) -> tuple[list[Tensor], str]:
    """The tensors, all of them read, or the one line that refuses them; anything else is a failure."""
    try:
        tensors = read(Held(content))
        for tensor in tensors:
            if not tensor.unreadable and tensor.size <= 1 << 20:
                assert tensor.read().shape == (tensor.rows, tensor.columns)
                tensor.read16()
    except SourceError as error:
        line = str(error)
        assert line
        assert "\n" not in line
        assert len(line) < 1_000
        return [], line
    return tensors, ""


def refused(read: Callable[[Held], list[Tensor]], content: bytes) -> str:
    tensors, line = tried(read, content)
    assert line, tensors
    return line
