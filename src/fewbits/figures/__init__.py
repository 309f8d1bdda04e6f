"""Figures: table → chart, a Vega-Lite specification. One function per file; none reads a file or computes a metric.

To add a figure, add a file with a registered function and import it here.
"""

from fewbits.figures.accuracy_bits import accuracy_bits
from fewbits.figures.bit_layout import bit_layout
from fewbits.figures.bit_sweep import bit_sweep
from fewbits.figures.block_amax import block_amax
from fewbits.figures.chain_error import chain_error
from fewbits.figures.chart import Chart
from fewbits.figures.dynamic_range import dynamic_range
from fewbits.figures.effects import effects
from fewbits.figures.error_value import error_value
from fewbits.figures.fit_map import fit_map
from fewbits.figures.heat_map import heat_map
from fewbits.figures.memory_bars import memory_bars
from fewbits.figures.methods import methods
from fewbits.figures.number_line import number_line
from fewbits.figures.outliers import outliers
from fewbits.figures.panels import beside, stacked
from fewbits.figures.reconstruction_density import reconstruction_density
from fewbits.figures.registry import FIGURES, Figure, Spec, draw
from fewbits.figures.relative_error import relative_error
from fewbits.figures.row_error import row_error
from fewbits.figures.row_gain import row_gain
from fewbits.figures.save import KINDS, rendered, save
from fewbits.figures.staircase import staircase
from fewbits.figures.tensor_errors import tensor_errors
from fewbits.figures.tensor_formats import tensor_formats
from fewbits.figures.transfer import transfer
from fewbits.figures.value_histogram import value_histogram

__all__ = [
    "FIGURES",
    "KINDS",
    "Chart",
    "Figure",
    "Spec",
    "accuracy_bits",
    "beside",
    "bit_layout",
    "bit_sweep",
    "block_amax",
    "chain_error",
    "draw",
    "dynamic_range",
    "effects",
    "error_value",
    "fit_map",
    "heat_map",
    "memory_bars",
    "methods",
    "number_line",
    "outliers",
    "reconstruction_density",
    "relative_error",
    "rendered",
    "row_error",
    "row_gain",
    "save",
    "stacked",
    "staircase",
    "tensor_errors",
    "tensor_formats",
    "transfer",
    "value_histogram",
]
