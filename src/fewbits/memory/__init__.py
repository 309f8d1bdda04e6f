"""How much memory a model takes in each format, scales included, and which GPUs it fits."""

from fewbits.memory.footprint import GIB, SIZES, Model, model_of_count, model_of_tensors, parameters
from fewbits.memory.gpus import FITS, Gpu, chosen, fit, gpus
from fewbits.memory.table import fit_rows, memory_rows, stored_as

__all__ = [
    "FITS",
    "GIB",
    "SIZES",
    "Gpu",
    "Model",
    "chosen",
    "fit",
    "fit_rows",
    "gpus",
    "memory_rows",
    "model_of_count",
    "model_of_tensors",
    "parameters",
    "stored_as",
]
