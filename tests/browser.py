"""A page in a real browser: opened from disk without a network, asked a question by a script of the test."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from canned.pages import Page

__all__ = ["browse", "chromium"]

FLAGS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    "--host-resolver-rules=MAP * ~NOTFOUND",  # no network
)
SCREEN = ("--virtual-time-budget=60000", "--window-size=1200,900")

# Before the page: what must not happen.
BEFORE = """<script>
const told = (name, text) => document.documentElement.setAttribute(`data-${name}`, text);
addEventListener("error", (e) => told("error", e.message));
addEventListener("unhandledrejection", (e) => told("error", String(e.reason)));
addEventListener("securitypolicyviolation", (e) => told("violation", `${e.violatedDirective} ${e.blockedURI}`));
</script>
"""

# After the page: `probe` runs when the promise READY is kept; what it returns is written where the test finds it.
AFTER = """<script>
const settle = () => new Promise((resolve) => setTimeout(resolve, 300));
const count = (selector) => document.querySelectorAll(selector).length;
const texts = (selector) => [...document.querySelectorAll(selector)].map((found) => found.textContent);
const css = (selector, what) => getComputedStyle(document.querySelector(selector))[what];
const there = async (selector) => { while (!count(selector)) await settle(); };
%s
const probe = async () => { %s };
%s.then(probe).then((result) => told("result", JSON.stringify(result)));
</script>
"""


def chromium() -> str:
    """The browser's program; the test is skipped where there is none (a failure with FEWBITS_BROWSER=required)."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None:
        pytest.skip("chromium is not installed")
    return found


def browse(page: Path, probe: str, *flags: str, ready: str = "Promise.resolve()", helpers: str = "") -> dict[str, Any]:
    """What `probe`, the body of an async function, returns in the page once the promise `ready` is kept.

    The page may not end with a rejected promise, an error or a violation of its policy, nor be taken over
    (`data-pwned`). `helpers` are definitions for `probe`; `flags` are the browser's.
    """
    program = chromium()
    start, title, rest = page.read_text(encoding="utf-8").partition("<title>")
    assert title, "BEFORE stands before the title"
    probed = page.with_name(f"probed-{page.name}")
    script = AFTER % (helpers, probe, ready)
    probed.write_text(f"{start}{BEFORE}<title>{rest}{script}", encoding="utf-8")  # what comes last belongs to the body
    profile = f"--user-data-dir={page.parent / 'profile'}"
    command = [program, *FLAGS, profile, *SCREEN, *flags, "--dump-dom", probed.as_uri()]
    done = subprocess.run(command, capture_output=True, timeout=180, check=False)
    assert done.returncode == 0, done.stderr.decode(errors="replace")
    root = next(attributes for tag, attributes in Page(done.stdout.decode()).tags if tag == "html")
    assert not {"data-error", "data-violation", "data-pwned"} & set(root), root
    assert root.get("data-result"), "the probe did not end"
    return dict(json.loads(root["data-result"] or ""))
