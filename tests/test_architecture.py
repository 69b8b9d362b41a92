"""Rooms import only what DESIGN 1 allows, and the data room never wakes jax."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cgdmer_jax"
# Sentences, whole files, JSON and arrays that are checked, the bar: no rooms.
EVERYWHERE = {"errors", "whole_file", "json_file", "sealed_json", "npz_file", "progress"}
ALLOWED = {
    "errors": set(),
    "whole_file": set(),
    "json_file": set(),
    "sealed_json": set(),
    "npz_file": set(),
    "progress": set(),
    "quality": set(),
    "limb_leads": set(),
    "waveform": {"quality", "limb_leads"},
    "batch": set(),
    "given_input": set(),
    "windows": {"waveform"},
    "contract": {"waveform", "quality", "limb_leads", "given_input"},
    "data": {"data", "waveform", "contract", "batch"},
    "models": {"models"},
    "methods": {"methods", "models", "batch"},
    "training": {"training", "methods.protocol", "batch", "contract"},
    "evaluation": {"evaluation", "batch"},
    "interop": {"interop", "models", "methods", "contract", "waveform", "batch", "data.reports", "data.special_tokens"}
    | {"given_input", "windows"},
}
WITHOUT_JAX = (
    EVERYWHERE
    | {"quality", "limb_leads", "waveform", "contract", "batch", "data", "evaluation"}
    | {
        "given_input",
        "windows",
    }
)
TRAINING_ONLY = {"optax", "orbax"}
FILES = sorted(PACKAGE.rglob("*.py"))


def imports(file: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_room_imports_only_what_the_design_allows(file):
    room = file.relative_to(PACKAGE).with_suffix("").parts[0]
    if room == "__init__":
        return
    allowed = ALLOWED[room] | EVERYWHERE
    for name in imports(file):
        top = name.split(".")[0]
        if top == "cgdmer_jax":
            inner = name.removeprefix("cgdmer_jax.")
            fits = any(inner == a or inner.startswith(a + ".") for a in allowed)
            assert fits or inner == "__version__", f"{file} imports {name}; {room} may import {sorted(allowed)}"
        assert top not in {"experiments", "configs", "tests"}, f"{file} imports {name}; nothing may"
        if room in WITHOUT_JAX:
            assert top not in {"jax", "flax", "chex"}, f"{file} imports {name}; {room} is free of jax"
        if top in TRAINING_ONLY:
            assert room == "training", f"{file} imports {name}; only training may"


def test_nothing_rests_on_a_private_part_of_jax():
    """`jax._src` and jaxlib change without notice."""
    ours = [
        file
        for room in ("cgdmer_jax", "experiments", "benchmarks", "configs", "tests")
        for file in (ROOT / room).rglob("*.py")
    ]
    private = {
        str(f) for f in ours for name in imports(f) if name.startswith("jax._src") or name.split(".")[0] == "jaxlib"
    }
    assert not private


def test_importing_data_leaves_jax_unimported():
    code = (
        "import sys, pkgutil, importlib, cgdmer_jax.data as d\n"
        "for m in pkgutil.walk_packages(d.__path__, 'cgdmer_jax.data.'): importlib.import_module(m.name)\n"
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=False).returncode == 0
