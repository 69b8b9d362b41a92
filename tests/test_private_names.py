"""A name with a leading underscore is used in its own module alone."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROOMS = ("cgdmer_jax", "baselines", "benchmarks", "configs", "experiments")


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def private_names(source: str) -> list[str]:
    """`line name` of every private name that is taken from another module: imported, or read as its attribute."""
    tree, modules, found = ast.parse(source), set(), []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom | ast.Import):
            inside = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            for name in [*inside, *(alias.name for alias in node.names)]:
                if any(map(is_private, name.split("."))):
                    found.append(f"{node.lineno} {name}")
            modules |= {alias.asname or alias.name for alias in node.names}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr) and ast.unparse(node.value) in modules:
            found.append(f"{node.lineno} {ast.unparse(node)}")
    return [name for name in found if not name.endswith(" os._exit")]  # documented, so public


def test_no_private_name_of_another_module_is_used():
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*.py")]
    found = {str(file.relative_to(ROOT)): private_names(file.read_text(encoding="utf-8")) for file in files}
    assert found and not {file: names for file, names in found.items() if names}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from cgdmer_jax.report.plots import INK, _ticks", ["1 _ticks"]),
        ("from cgdmer_jax import _attic", ["1 _attic"]),
        ("from jax._src import core", ["1 jax._src"]),
        ("import jax._src.core", ["1 jax._src.core"]),
        ("from cgdmer_jax.report import plots\nplots._ticks(0, 1)", ["2 plots._ticks"]),
        ("import cgdmer_jax.cli as c\nc._find", ["2 c._find"]),
        ("import os\nos._exit(1)", []),
        ("from __future__ import annotations\nself._ticks, row._replace(x=1)", []),
    ],
)
def test_a_private_name_is_seen(source, found):
    assert private_names(source) == found
