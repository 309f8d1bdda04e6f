"""The shape of the package, kept true: who may import what, where names may decide, how long a file may be."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src" / "fewbits"
FILES = sorted(SOURCE.rglob("*.py"))
MODULES = {
    ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__"): path for path in FILES
}

LONGEST = 300  # lines; a file that outgrows this has become two things

# Third-party packages a module (or everything below it) may import, lazily or not. Longest prefix wins.
THIRD_PARTY: dict[str, set[str]] = {
    "fewbits": set(),
    "fewbits.element": {"numpy"},
    "fewbits.codebook": {"numpy"},
    "fewbits.plan": {"numpy"},
    "fewbits.kernels": {"numpy", "numba", "llvmlite"},
    "fewbits.kernels.histogram": {"numpy", "numba", "ml_dtypes"},
    "fewbits.codes": {"numpy", "ml_dtypes"},
    "fewbits.transform": {"numpy"},
    "fewbits.encoded": {"numpy"},
    "fewbits.verbs": {"numpy", "ml_dtypes"},
    "fewbits.measurement": {"numpy"},
    "fewbits.passes": {"numpy"},
    "fewbits.options": {"numpy"},
    "fewbits.tensorwide": {"numpy"},
    "fewbits.comparison": {"numpy", "polars"},
    "fewbits.compilation": {"numpy"},
    "fewbits.tensor": {"numpy"},
    "fewbits.sources": {"numpy", "ml_dtypes", "huggingface_hub", "safetensors", "fsspec", "gguf", "httpx"},
    "fewbits.pull": {"numpy"},
    "fewbits.metrics": set(),
    "fewbits.table": {"polars"},
    "fewbits.profile": {"numpy"},
    "fewbits.run": {"polars"},
    "fewbits.scan": {"numpy", "polars", "rich"},
    "fewbits.figures": {"polars", "vl_convert"},
    "fewbits.report": {"numpy", "jinja2", "markupsafe", "polars"},
    "fewbits.pictures": {"numpy"},
    "fewbits.packing": {"numpy", "gguf"},
    "fewbits.explain": {"numpy"},
    "fewbits.properties": set(),
    "fewbits.sheet": {"jinja2", "markupsafe", "polars", "vl_convert"},
    "fewbits.transposed": {"numpy"},
    "fewbits.diff": {"numpy", "gguf"},
    "fewbits.convert": {"numpy"},
    "fewbits.conformance": {
        *("numpy", "polars", "ml_dtypes", "gfloat", "gguf", "torch", "torchao"),
        *("bitsandbytes", "compressed_tensors", "modelopt", "ttnn"),
    },
    "fewbits.bench": {"numpy", "numba", "polars", "torch", "ml_dtypes", "gguf"},
    "fewbits.cli": {"typer", "click", "rich", "polars"},
}

# Everything that turns a spec into bits. A name in a string there would decide something.
NAMELESS = (
    "element",
    "block",
    "rule",
    "format",
    "spec",
    "plan",
    "kernels",
    "transform",
    "quantize",
    "encoded",
    "codebook",
)

HEAVY = {
    "numba",
    "llvmlite",
    "polars",
    "altair",
    "vl_convert",
    "huggingface_hub",
    "jinja2",
    "gguf",
    "torch",
    "pydantic",
}


def rows() -> list[dict[str, object]]:
    rows = tomllib.loads((SOURCE / "catalog.toml").read_text())["row"]
    assert len(rows) > 50
    return list(rows)


def catalogue_names() -> set[str]:
    return {str(row["name"]) for row in rows()}


def element_names() -> set[str]:
    """The elements that catalogue rows are made of, taken from the specs themselves."""
    scalar = {re.split(r"[@+]", str(row["spec"]))[0] for row in rows()}
    scales = {match for row in rows() for match in re.findall(r"[:(]([a-z][a-z0-9]*)", str(row["spec"]))}
    return scalar | scales


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=str(path))


def strings(module: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every string literal that is not a docstring."""
    for node in ast.walk(module):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value.value = None  # a docstring, or a string used as a comment
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, node.value


def identifiers(module: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(module):
        match node:
            case ast.Name(id=name) | ast.Attribute(attr=name) | ast.arg(arg=name):
                yield node.lineno, name
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                yield node.lineno, name


def imported(module: ast.Module) -> Iterator[str]:
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield (node.module or "").split(".")[0]


def below(*parts: str) -> list[Path]:
    return [path for path in FILES if path.relative_to(SOURCE).with_suffix("").parts[0] in parts]


@pytest.mark.parametrize("path", below(*NAMELESS), ids=lambda path: str(path.relative_to(SOURCE)))
def test_no_catalogue_name_decides(path: Path) -> None:
    """A name that is also the element itself (bf16) is the element."""
    names = catalogue_names() - element_names()
    found = [f"{path.name}:{line}: {text!r}" for line, text in strings(tree(path)) if text.lower() in names]
    assert not found


@pytest.mark.parametrize("path", below("kernels"), ids=lambda path: str(path.relative_to(SOURCE)))
def test_kernels_know_no_element_and_no_format(path: Path) -> None:
    elements = element_names()
    spelled = re.compile(r"(?<![a-z0-9])u?e\d+m\d+(ieee|fn|fnuz|b11fnuz|all)?(?![a-z0-9])")
    # Identifiers: i8, s4 and np.int8 are ordinary; `e2m1`, `nf4lut` and `q4_k` are not.
    telling = {name.replace("-", "_") for name in catalogue_names() | elements if len(name) > 3} - {"zero", "int8"}
    module = tree(path)
    found = [
        f"{line}: {text!r}" for line, text in strings(module) if text in elements - {"zero"} or spelled.fullmatch(text)
    ]
    for line, name in identifiers(module):
        if spelled.search(name.lower()) or any(re.search(rf"(^|_){word}($|_)", name.lower()) for word in telling):
            found.append(f"{line}: {name}")
    assert not found


@pytest.mark.parametrize("module", MODULES)
def test_third_party_imports(module: str) -> None:
    prefix = max((p for p in THIRD_PARTY if module == p or module.startswith(p + ".")), key=len)
    ours = set(sys.stdlib_module_names) | {"fewbits"}
    assert set(imported(tree(MODULES[module]))) - ours <= THIRD_PARTY[prefix], f"see THIRD_PARTY[{prefix!r}]"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_file_length(path: Path) -> None:
    lines = len(path.read_text().splitlines())
    assert lines <= LONGEST, f"{path.relative_to(SOURCE)}: {lines} lines, at most {LONGEST}"


def test_no_drawer_for_everything() -> None:
    assert not [path for path in FILES if path.stem in {"utils", "util", "helpers", "common", "misc"}]


@pytest.mark.parametrize("module", [name for name, path in MODULES.items() if "__all__" in path.read_text()])
def test_all_is_what_is_public(module: str) -> None:
    """`__all__` names everything public that the module defines, nothing private, nothing that is not there."""
    loaded = importlib.import_module(module)
    listed = list(loaded.__all__)
    assert len(set(listed)) == len(listed)
    assert not [name for name in listed if not hasattr(loaded, name)]
    assert not [name for name in listed if name.startswith("_") and not name.startswith("__")]
    definitions = (ast.FunctionDef, ast.ClassDef)
    defined = {node.name for node in tree(MODULES[module]).body if isinstance(node, definitions)}
    assert {name for name in defined if not name.startswith("_")} <= set(listed)


def test_public_names() -> None:
    """The library in one line: what the design promises, and nothing that was forgotten to be hidden."""
    import fewbits

    promised = {"parse", "format", "quantize", "encode", "decode", "bits", "measure", "open_source"}
    assert promised <= set(fewbits.__all__)
    assert set(dir(fewbits)) >= set(fewbits.__all__)


def test_version_stands_in_one_place() -> None:
    import fewbits

    project = tomllib.loads((SOURCE.parents[1] / "pyproject.toml").read_text())["project"]
    assert fewbits.__version__ == project["version"]


def run_python(code: str) -> str:
    """What the code prints in a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_core_imports_without_the_extras() -> None:
    lent = ("fewbits.conformance.oracles.", "fewbits.bench.peers")  # what they wrap is theirs to import
    names = [name for name in MODULES if not name.endswith("__main__") and not name.startswith(lent)]
    extras = ["torch", "transformers", "torchao", "bitsandbytes", "ray", "s3fs", "gfloat", "modelopt", "ttnn"]
    run_python(
        f"import importlib, sys\nsys.modules.update(dict.fromkeys({extras}))\n"
        f"for name in {names}: importlib.import_module(name)\n"
    )


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["--version"], ["scan", "--help"], ["formats"], ["explain", "e2m1", "f16"], ["memory", "7B"]],
    ids=" ".join,
)
def test_light_commands_import_nothing_heavy(arguments: list[str]) -> None:
    loaded = run_python(
        f"import sys\nsys.argv = ['fewbits', *{arguments}]\nfrom fewbits.cli import main\n"
        "try: main()\nexcept SystemExit as done: assert not done.code, done.code\n"
        "print('LOADED', *sorted(sys.modules))\n"
    )
    modules = loaded.split("LOADED", 1)[1].split()
    assert sorted(HEAVY & set(modules)) == []
