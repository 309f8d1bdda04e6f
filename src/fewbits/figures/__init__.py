"""Figures: table → chart, a Vega-Lite specification. One function per file; none reads a file or computes a metric.

To add a figure, add a file with a registered function and import it here.
"""

from fewbits.figures.accuracy_bits import accuracy_bits
from fewbits.figures.heat_map import heat_map
from fewbits.figures.methods import methods
from fewbits.figures.registry import FIGURES, Figure, Spec, draw
from fewbits.figures.save import KINDS, save
from fewbits.figures.tensor_errors import tensor_errors
from fewbits.figures.tensor_formats import tensor_formats

__all__ = [
    "FIGURES",
    "KINDS",
    "Figure",
    "Spec",
    "accuracy_bits",
    "draw",
    "heat_map",
    "methods",
    "save",
    "tensor_errors",
    "tensor_formats",
]
