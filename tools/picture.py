"""The README's picture: accuracy against bits on the bundled sample. `python tools/picture.py` draws docs/images/accuracy-bits.svg."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from fewbits import figures
from fewbits.report.content import collect

FORMATS = "bfp2 q2_k q3_k nf4-dq iq4_xs mxfp4 int4-g128 nvfp4 nvfp4-46 bfp4 q4_0 q4_k q5_k mxfp6-e2m3 q6_k mxfp8-e4m3-rceil bfp8 q8_0"
PICTURE = Path(__file__).parents[1] / "docs" / "images" / "accuracy-bits.svg"


def main() -> None:
    """Scan, merge, draw."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        formats = [option for name in FORMATS.split() for option in ("-f", name)]
        subprocess.run([sys.executable, "-m", "fewbits", "scan", "sample", *formats, "-q", "-o", run], check=True)
        chart = collect([run]).data["runs"][0]["accuracy_bits"]["sqnr_db"]
        PICTURE.parent.mkdir(exist_ok=True)
        figures.save(chart, PICTURE)
        print(PICTURE)


if __name__ == "__main__":
    main()
