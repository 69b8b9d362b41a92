"""Rooms import only what docs/design.md allows, no file stands outside a room, and commands stay thin."""

import ast
import graphlib
import re
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "cgdmer_jax"
# Errors, names of commands as they are started, checked fields, whole files, checked JSON and arrays, the progress bar,
# pointers in place of files: free to all.
EVERYWHERE = {"errors", "invocation", "fields", "whole_file", "json_file", "sealed_json", "npz_file", "progress"} | {
    "git_lfs"
}
# Room -> rooms, or one module of a room, that it imports beside itself and EVERYWHERE. A room is a folder or a file;
# the longest name holds: data.store is no part of data.
ALLOWED: dict[str, set[str]] = {
    **{name: EVERYWHERE for name in EVERYWHERE},
    "batch": set(),
    "given_input": set(),
    "early_stop": set(),
    "short_paths": set(),
    "metrics_file": set(),
    "path_arguments": set(),
    "renamed_fields": set(),
    "config": {"path_arguments", "renamed_fields"},
    "provenance": {"short_paths"},
    "huge_pages": set(),
    "cli": {"early_stop", "huge_pages", "commands"},
    "__main__": {"cli"},
    "waveform": set(),
    "contract": {"waveform", "given_input"},
    "data.tables": set(),
    "data.splits": set(),
    "data.readers": {"waveform"},
    "data.synthetic": set(),
    "data.wfdb_reader": {"data.readers"},  # an import path of version 0.1, until 0.2
    "data.sources": {"data.readers", "data.splits", "data.tables", "data.synthetic", "waveform", "given_input"},
    "data.text": set(),
    "data.store": {"data.text", "data.sources", "data.readers", "data.splits", "data.tables"}
    | {"waveform", "contract", "batch"},
    "data": {"data.store", "data.sources", "data.text", "data.splits", "data.tables", "contract", "batch", "waveform"},
    "models": set(),
    "methods": {"models", "batch"},
    "training": {"methods.protocol", "batch", "contract", "config", "early_stop", "metrics_file", "renamed_fields"},
    "metrics": {"batch", "provenance", "waveform.waves"},
    "interop": {"models", "methods", "contract", "waveform", "batch", "given_input", "renamed_fields", "data.text"},
    "report": {"metrics", "metrics_file", "waveform.waves"},  # it draws the training curves from metrics.jsonl
}
UPPER = (
    "recipes",
    "evaluation",
    "studies",
    "commands",
)  # each may use all rooms above it, whether it does today or not
ALLOWED["recipes"] = {room for room in ALLOWED if room not in {"report", "cli", "__main__"}}
ALLOWED["evaluation"] = {*ALLOWED["recipes"], "report", "recipes"}
ALLOWED["studies"] = {*ALLOWED["recipes"], "recipes", "report", "evaluation"}
ALLOWED["commands"] = {*ALLOWED["studies"], "studies", "cli"}
WITHOUT_JAX = EVERYWHERE | {
    *("batch", "given_input", "early_stop", "short_paths", "metrics_file", "path_arguments", "config"),
    *("renamed_fields",),
    *("provenance", "cli", "__main__", "waveform", "contract", "metrics", "report"),
    *(room for room in ALLOWED if room.split(".")[0] == "data"),
}
TRAINING_ONLY = {"optax", "orbax"}
# Name -> modules that each mean something else by it. Shorten it; a new class gets a name of its own.
NAMED_TWICE: dict[str, list[str]] = {
    # The first is what a user imports; the second is the usual name of a stack of transformer blocks.
    "Encoder": ["interop.encoder", "models.transformer"],
}
MOST_LINES_OF_A_COMMAND = 100
FILES = sorted(PACKAGE.rglob("*.py"))
COMMANDS = sorted([*(PACKAGE / "commands").glob("*.py"), *(ROOT / "experiments").glob("*.py")])


def room_of(module: str) -> str | None:
    """The room that a module, named below the package, belongs to."""
    return longest_of(ALLOWED, module)


def longest_of(known: Collection[str], name: str) -> str | None:
    """The longest beginning of a dotted name that is known."""
    parts = name.split(".")
    return next((one for n in range(len(parts), 0, -1) if (one := ".".join(parts[:n])) in known), None)


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(PACKAGE).with_suffix("").parts)


def imports(source: str) -> set[str]:
    return imports_of(ast.parse(source))


def imports_of(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def permission(room: str, name: str) -> str | None:
    """The entry of the table by which a room imports this name of the package; None where no entry allows it."""
    target = room_of(name)
    if target == room or target in ALLOWED[room] | EVERYWHERE:
        return target
    return next((one for one in ALLOWED[room] if name.startswith(f"{one}.") and one not in ALLOWED), None)


def fault_of(module: str, source: str) -> str | None:
    """Fault of the imports of a module of the package, in words; None where there is none."""
    room = room_of(module)
    if room is None:
        return f"{module} stands in no room; docs/design.md lists them"
    for name in imports(source):
        top, _, inner = name.partition(".")
        if top == "cgdmer_jax" and inner and inner != "__version__" and permission(room, inner) is None:
            return f"{module} imports {inner}; {room} may import {sorted(ALLOWED[room] | EVERYWHERE)}"
        if top in {"experiments", "configs", "tests", "benchmarks", "baselines"}:
            return f"{module} imports {name}; nothing in the package may"
        if room in WITHOUT_JAX and top in {"jax", "flax", "chex"}:
            return f"{module} imports {name}; {room} is free of jax"
        if top in TRAINING_ONLY and room != "training":
            return f"{module} imports {name}; only training may"
    return None


@pytest.mark.parametrize("file", FILES, ids=lambda f: str(f.relative_to(PACKAGE)))
def test_room_imports_only_what_the_design_allows(file):
    if module_of(file) != "__init__":
        assert fault_of(module_of(file), file.read_text(encoding="utf-8")) is None


@pytest.mark.parametrize(
    ("module", "source", "fault"),
    [
        ("helpers", "", "stands in no room"),
        ("waveform.windows", "from cgdmer_jax.data.store import seal", "waveform.windows imports data.store.seal"),
        ("data.store.seal", "from cgdmer_jax.data import corpus", "imports data.corpus"),
        ("data.loader", "from cgdmer_jax.data.readers import wfdb_reader", "imports data.readers.wfdb_reader"),
        ("training.loop", "from cgdmer_jax.methods.cgdmer import loss", "imports methods.cgdmer.loss"),
        ("report.page", "import jax", "free of jax"),
        ("recipes.pretrain", "from cgdmer_jax.evaluation import leaks", "imports evaluation.leaks"),
        ("methods.merl.method", "from cgdmer_jax.training import loop", "imports training.loop"),
        ("evaluation.leaks", "import optax", "only training may"),
        ("studies.grid", "from experiments import evaluate", "nothing in the package may"),
    ],
)
def test_a_fault_is_seen_in_subfolders_too(module, source, fault):
    assert fault in (fault_of(module, source) or "")


def test_every_permission_is_used():
    """The table says what is so, not what might be; only the upper rooms may use all that stands above them."""
    used: dict[str, set[str | None]] = {room: set() for room in ALLOWED}
    for file in FILES:
        if module_of(file) != "__init__":
            room = room_of(module_of(file))
            names = [name.removeprefix("cgdmer_jax.") for name in imports(file.read_text(encoding="utf-8"))]
            used[room] |= {permission(room, name) for name in names if room_of(name)}
    used["cli"].add("commands")  # by importlib, for one command at a time
    unused = {room: ALLOWED[room] - used[room] for room in ALLOWED if room not in {*UPPER, *EVERYWHERE}}
    assert {room: rooms for room, rooms in unused.items() if rooms} == {}


IMPORTING = (ast.Import, ast.ImportFrom, ast.Try)  # not a function, nor `if TYPE_CHECKING`


def imported_on_loading() -> dict[str, set[str]]:
    """Module -> modules of the package that its own body imports; imports inside functions come later."""
    modules = {module_of(file).removesuffix(".__init__"): file for file in FILES}
    graph = {}
    for module, file in modules.items():
        body = ast.parse(file.read_text(encoding="utf-8")).body
        names = [name for node in body if isinstance(node, IMPORTING) for name in imports_of(node)]
        targets = {longest_of(modules, name.removeprefix("cgdmer_jax.")) for name in names}
        graph[module] = targets - {None, module}
    return graph


def test_no_module_imports_itself_by_a_detour():
    check_no_cycle(imported_on_loading())
    with pytest.raises(graphlib.CycleError):
        check_no_cycle({"a": {"b"}, "b": {"a"}})


def check_no_cycle(graph: dict[str, set[str]]) -> None:
    graphlib.TopologicalSorter(graph).prepare()  # the error names the modules


def test_every_room_is_used():
    assert {room_of(module_of(file)) for file in FILES if module_of(file) != "__init__"} == set(ALLOWED)


@pytest.mark.parametrize("file", COMMANDS, ids=lambda f: f"{f.parent.name}/{f.name}")
def test_a_command_is_short(file):
    """The work of a command is in recipes, evaluation and studies, where Python can call it too."""
    assert len(file.read_text(encoding="utf-8").splitlines()) <= MOST_LINES_OF_A_COMMAND


def test_each_command_of_the_package_can_be_started_in_a_checkout_too():
    shims = {file.stem for file in (ROOT / "experiments").glob("*.py")}
    assert {file.stem for file in (PACKAGE / "commands").glob("*.py")} <= shims


def homonyms() -> dict[str, list[str]]:
    """Public names of classes and of types that stand at the top of more than one module, with those modules."""
    found: dict[str, list[str]] = {}
    for file in FILES:
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            name = None
            if isinstance(node, ast.ClassDef):
                name = node.name
            elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                name = node.targets[0].id
            # A type is written as Words, a constant as WORDS.
            if name and re.fullmatch(r"[A-Z]\w*[a-z]\w*", name):
                found.setdefault(name, []).append(module_of(file))
    return {name: modules for name, modules in found.items() if len(modules) > 1}


def test_no_public_class_or_type_has_the_name_of_another():
    assert homonyms() == NAMED_TWICE


def test_nothing_rests_on_a_private_part_of_jax():
    """`jax._src` and jaxlib change without notice."""
    rooms = ("cgdmer_jax", "baselines", "experiments", "benchmarks", "configs", "tests")
    ours = [file for room in rooms for file in (ROOT / room).rglob("*.py")]
    private = {
        str(file)
        for file in ours
        for name in imports(file.read_text(encoding="utf-8"))
        if name.startswith("jax._src") or name.split(".")[0] == "jaxlib"
    }
    assert not private


@pytest.mark.parametrize("room", ["data", "waveform", "metrics", "report"])
def test_importing_a_room_without_jax_leaves_jax_unimported(room):
    code = (
        f"import sys, pkgutil, importlib, cgdmer_jax.{room} as d\n"
        f"for m in pkgutil.walk_packages(d.__path__, 'cgdmer_jax.{room}.'): importlib.import_module(m.name)\n"
        "sys.exit('jax' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=PACKAGE.parent, check=False).returncode == 0
