"""Tensors of a model into safetensors files of one's own, without the rest of it."""

from fewbits.pull.names import Wanted, read_names
from fewbits.pull.plan import Finder, Item, Plan, make_plan
from fewbits.pull.write import Written, fetch, write_plan

__all__ = ["Finder", "Item", "Plan", "Wanted", "Written", "fetch", "make_plan", "read_names", "write_plan"]
