"""Documentation is generated or executed: pages current, README sessions true, links leading somewhere."""

from __future__ import annotations

import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def run_tool(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)


def test_generated_pages_are_current() -> None:
    done = run_tool("tools/docs.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


def test_readme_shows_what_the_commands_print() -> None:
    done = run_tool("tools/readme.py", "--check")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a 1\n", "a 1\n", True),
        ("a 1\n", "a 2\n", False),
        ("a …s\n", "a 0.3 s\n", True),
        ("a\n…\nd\n", "a\nb\nc\nd\n", True),
        ("a\n…\nd\n", "a\nd\n", True),
        ("a\n…\nd\n", "a\nb\n", False),
        ("a\n", "a\nb\n", False),
        ("", "a\n", False),
        ("(1+1)\n", "11\n", False),
    ],
)
def test_readme_comparison(shown: str, printed: str, same: bool) -> None:
    """The check itself can fail: only `…` is loose, and nothing shown never equals something printed."""
    code = f"import sys; sys.path.insert(0, 'tools'); import readme; print(readme.matches({shown!r}, {printed!r}))"
    assert run_tool("-c", code).stdout.strip() == str(same)


@pytest.mark.parametrize(
    ("made", "same"),
    [
        ('<path d="M10,20L30,40"/><text>6</text>', True),
        ('<path d="M10.4,20L29,42"/><text>6</text>', True),  # fonts of another machine
        ('<path d="M10,20L30,48"/><text>6</text>', False),
        ('<path d="M10,20L30,40L30,40"/><text>6</text>', False),
        ('<path d="M10,20L30,40"/><text>six</text>', False),
    ],
)
def test_readme_pictures_are_compared(made: str, same: bool, tmp_path: Path) -> None:
    (tmp_path / "a.svg").write_text('<path d="M10,20L30,40"/><text>6</text>')
    (tmp_path / "b.svg").write_text(made)
    code = f"import sys; sys.path.insert(0, 'tools'); import readme; from pathlib import Path; folder = Path({str(tmp_path)!r}); "
    code += "print(readme.same(folder / 'a.svg', folder / 'b.svg'), readme.same(folder / 'none.svg', folder / 'b.svg'))"
    assert run_tool("-c", code).stdout.split() == [str(same), "False"]


def test_two_pictures_of_the_readme_are_made_by_its_commands() -> None:
    text = (ROOT / "README.md").read_text()
    for name in ("number-line.svg", "staircase.svg"):
        assert re.search(rf"^\$ fewbits .* -o {name}$", text, re.MULTILINE)
        assert f"](docs/images/{name})" in text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_python_sessions_run(page: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    session = "\n".join(block for block in blocks if block.startswith(">>>"))
    assert all(block.startswith(">>>") for block in blocks), "python blocks are sessions, so that they can be run"
    flags = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
    test = doctest.DocTestParser().get_doctest(session, {}, page.name, str(page), 0)
    said: list[str] = []
    result = doctest.DocTestRunner(optionflags=flags, verbose=False).run(test, out=said.append)
    assert result.failed == 0, "".join(said)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text())
    assert not [link for link in links if not (page.parent / link).exists()]


def test_readme_is_one_screen() -> None:
    """What, theory, two commands, three sessions; the rest is behind links."""
    text = (ROOT / "README.md").read_text()
    assert "A format is an element type, optionally cut into blocks whose scales are themselves an array" in text
    assert text.count("```console") == 3
    assert len(text.splitlines()) <= 110


def test_every_design_note_has_its_four_parts() -> None:
    notes = sorted((ROOT / "docs/design").glob("[0-9]*.md"))
    assert len(notes) >= 6
    for number, note in enumerate(notes, 1):
        text = note.read_text()
        assert text.startswith(f"# {number:04} ")
        parts = re.findall(r"^## (\w+)", text, re.MULTILINE)
        assert parts == ["Context", "Decision", "Consequences", "Rejected"], note.name
