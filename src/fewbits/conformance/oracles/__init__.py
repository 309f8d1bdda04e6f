"""One file per oracle, each with an `ORACLE`; a file whose package is missing fails to import and is reported as not installed."""
