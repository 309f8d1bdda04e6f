"""The main job: formats × tensors → records, kept as they are made; then what they say together."""

from fewbits.scan.loop import Measured, Options, scan
from fewbits.scan.summary import Summary
from fewbits.scan.tree import Node, grow

__all__ = ["Measured", "Node", "Options", "Summary", "grow", "scan"]
