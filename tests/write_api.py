"""Writes docs/api.md from the docstrings of what a user imports.

`python -m tests.write_api`
"""

import ast
import copy
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs/api.md"
HEAD = """# API

Made by `python -m tests.write_api` from the docstrings. Arrays are NumPy's; axes stand in square brackets, in order.
Whatever a caller can put right is raised as `cgdmer_jax.errors.CgdmerError`, a `ValueError` whose one sentence says
what is wrong, where, and what to do. Importing `cgdmer_jax` alone imports no JAX.
"""


class Public(NamedTuple):
    """A public name: its module, and whether a user calls a class to make one."""

    module: str
    name: str
    called: bool = False


SECTIONS = {
    "Using a model": [
        Public("cgdmer_jax", "load"),
        Public("cgdmer_jax.interop.encoder", "Encoder"),
        Public("cgdmer_jax.waveform.waves", "FoundWave"),
        Public("cgdmer_jax.interop.sklearn_features", "EcgFeatures", called=True),
        Public("cgdmer_jax.interop.sklearn_classifier", "EcgClassifier", called=True),
    ],
    "Reading recordings": [
        Public("cgdmer_jax.data.readers.formats", "read_recording"),
        Public("cgdmer_jax.data.readers.reader", "Location"),
        Public("cgdmer_jax.data.readers.reader", "Hints"),
        Public("cgdmer_jax.data.readers.wfdb", "read_wfdb"),
        Public("cgdmer_jax.data.readers.recording", "Recording"),
        Public("cgdmer_jax.data.readers.recording", "RecordError"),
    ],
    "Converted collections": [
        Public("cgdmer_jax.data.store.convert", "convert"),
        Public("cgdmer_jax.data.store.convert", "Summary"),
        Public("cgdmer_jax.data.store.store", "open_store"),
        Public("cgdmer_jax.data.store.store", "Store"),
    ],
    "Findings in reports": [
        Public("cgdmer_jax.data.text.entities", "shipped_table"),
        Public("cgdmer_jax.data.text.entities", "EntityTable"),
        Public("cgdmer_jax.recipes.extract_entities", "extract_entities"),
    ],
    "Training and scoring": [
        Public("cgdmer_jax.config", "load_config"),
        Public("cgdmer_jax.recipes.pretrain", "pretrain"),
        Public("cgdmer_jax.evaluation.evaluate", "evaluate"),
    ],
    "Errors": [Public("cgdmer_jax.errors", "CgdmerError")],
}
Node = ast.FunctionDef | ast.ClassDef


def node_of(public: Public) -> Node:
    """The definition in the source, which is read and not imported."""
    stem = ROOT.joinpath(*public.module.split("."))
    file = stem / "__init__.py" if stem.is_dir() else stem.with_suffix(".py")
    found = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, Node)]
    return next(node for node in found if node.name == public.name)


def methods_of(node: ast.ClassDef) -> list[ast.FunctionDef]:
    """Public methods and properties."""
    return [one for one in node.body if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")]


def is_property(node: ast.FunctionDef) -> bool:
    return any(ast.unparse(one) in ("property", "cached_property") for one in node.decorator_list)


def fields_of(node: ast.ClassDef) -> list[str]:
    """Names of a dataclass's fields; empty for another class."""
    if not any(ast.unparse(one).startswith("dataclass") for one in node.decorator_list):
        return []
    return [one.target.id for one in node.body if isinstance(one, ast.AnnAssign)]


def parameters(node: ast.FunctionDef) -> list[str]:
    """Names of its parameters, without self."""
    return [one.arg for one in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs) if one.arg != "self"]


def signature(node: ast.FunctionDef, name: str, *, returns: bool = True) -> str:
    """`name(parameters) -> result`, without self."""
    arguments = copy.copy(node.args)
    arguments.args = [one for one in node.args.args if one.arg != "self"]
    result = f" -> {ast.unparse(node.returns)}" if returns and node.returns else ""
    return f"{name}({ast.unparse(arguments)}){result}".replace("'", '"')


def doc_of(node: Node) -> str:
    return ast.get_docstring(node) or ""


def entry(public: Public) -> Iterator[str]:
    """Lines of the page about one name."""
    node, where = node_of(public), f"{public.module}.{public.name}"
    yield f"### `{where}`\n"
    if isinstance(node, ast.FunctionDef):
        yield f"```\n{signature(node, public.name)}\n```\n\n{doc_of(node)}\n"
        return
    if public.called:
        init = next(one for one in node.body if isinstance(one, ast.FunctionDef) and one.name == "__init__")
        yield f"```\n{signature(init, public.name, returns=False)}\n```\n"
    yield f"{doc_of(node)}\n"
    for method in methods_of(node):
        if is_property(method):
            yield f"#### `.{method.name}`: `{ast.unparse(method.returns)}`\n\n{doc_of(method)}\n"
        else:
            yield f"#### `.{method.name}`\n\n```\n{signature(method, method.name)}\n```\n\n{doc_of(method)}\n"


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for title, names in SECTIONS.items():
        parts += [f"## {title}\n", *(line for public in names for line in entry(public))]
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
