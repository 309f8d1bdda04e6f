"""Generated pages in docs/: formats.md (catalogue), metrics.md (table of metrics), cli.md (the commands themselves).

python tools/docs.py            writes them
python tools/docs.py --check    exit code 1 when one is not what would be written
"""

from __future__ import annotations

import difflib
import sys
from pathlib import Path

from pages import cli, formats, metrics

DOCS = Path(__file__).parents[1] / "docs"
PAGES = {"formats": formats.page, "metrics": metrics.page, "cli": cli.page}


def main(arguments: list[str]) -> int:
    """Exit code: 1 when --check found a page that is not current."""
    stale = 0
    for name, page in PAGES.items():
        path, text = DOCS / f"{name}.md", page()
        old = path.read_text() if path.exists() else ""
        if old == text:
            continue
        stale += 1
        if "--check" in arguments:
            changes = difflib.unified_diff(
                old.splitlines(), text.splitlines(), path.name, "generated", lineterm="", n=1
            )
            print(*list(changes)[:40], sep="\n")
        else:
            path.write_text(text)
            print(f"docs/{path.name} written")
    if "--check" not in arguments:
        return 0
    print(f"{stale} generated pages are not current: make docs-write" if stale else "generated pages are current")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
