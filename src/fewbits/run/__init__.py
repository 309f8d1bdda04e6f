"""The run directory: append-only records, resumable by repeating the command, safe for several processes at once.

run.json               provenance: model, revision, formats, seed, versions, machine, hashes, every command
records-<worker>.jsonl one line a measurement, one file a process at work; the only thing that cannot be made again
profiles-<worker>.jsonl one line a tensor, beside its records: what pictures of it need
measurements.parquet   the table, made of the records (and measurements.csv, report.html)
table.txt              what the terminal showed, without colour
"""

from fewbits.run.derived import derive, table
from fewbits.run.directory import RunDirectory, default_path
from fewbits.run.profiles import profiles
from fewbits.run.provenance import machine, now, read, versions
from fewbits.run.records import current

__all__ = [
    "RunDirectory",
    "current",
    "default_path",
    "derive",
    "machine",
    "now",
    "profiles",
    "read",
    "table",
    "versions",
]
