"""Records become the table here: columns, names, and files of it."""

from fewbits.table.columns import COLUMNS, KEYS, flat, from_records, row, rows, standard_error_columns
from fewbits.table.files import atomic, read, write
from fewbits.table.names import layer_of, role_of
from fewbits.table.record import Record, key

__all__ = [
    "COLUMNS",
    "KEYS",
    "Record",
    "atomic",
    "flat",
    "from_records",
    "key",
    "layer_of",
    "read",
    "role_of",
    "row",
    "rows",
    "standard_error_columns",
    "write",
]
