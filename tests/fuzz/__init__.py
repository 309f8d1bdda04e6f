"""Fuzzing of every reader: `make fuzz SECONDS=60`, see README.md."""
