"""docs/api.md is current, and each public name on it tells parameters, shapes, units and errors."""

import ast
import importlib

import pytest

from tests.write_api import (
    PAGE,
    SECTIONS,
    Public,
    doc_of,
    fields_of,
    is_property,
    methods_of,
    node_of,
    page,
    parameters,
)

PUBLIC = [public for names in SECTIONS.values() for public in names]
CLASSES = [public for public in PUBLIC if isinstance(node_of(public), ast.ClassDef)]
UNITS = {"rate": "Hz", "seconds": "seconds", "unit": "mV", "host_timeout_s": "seconds", "signal_mv": "millivolts"}


def callables() -> list[tuple[str, ast.FunctionDef, str]]:
    """(name, node, its documentation, with that of its class) of each function and method on the page."""
    found = []
    for public in PUBLIC:
        node = node_of(public)
        if isinstance(node, ast.FunctionDef):
            found.append((public.name, node, doc_of(node)))
        else:
            methods = [one for one in methods_of(node) if not is_property(one)]
            found += [(f"{public.name}.{one.name}", one, f"{doc_of(node)}\n{doc_of(one)}") for one in methods]
    return found


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m tests.write_api"


@pytest.mark.parametrize("public", PUBLIC, ids=lambda public: public.name)
def test_a_name_on_the_page_can_be_imported_from_where_it_says(public: Public):
    assert callable(getattr(importlib.import_module(public.module), public.name))


@pytest.mark.parametrize(("name", "node", "told"), callables(), ids=[name for name, _, _ in callables()])
def test_a_callable_tells_its_parameters_units_shapes_and_errors(name, node, told):
    assert doc_of(node)
    assert [one for one in parameters(node) if f"`{one}`" not in told] == []
    assert [one for one in parameters(node) if UNITS.get(one, "") not in told] == []
    assert "aises CgdmerError" in told or "aises RecordError" in told
    if node.returns is not None and "np.ndarray" in ast.unparse(node.returns):
        assert "[" in doc_of(node) and "]" in doc_of(node)


@pytest.mark.parametrize("public", CLASSES, ids=lambda public: public.name)
def test_a_class_tells_its_fields_and_properties(public: Public):
    node = node_of(public)
    assert doc_of(node)
    assert [name for name in fields_of(node) if f"`{name}`" not in doc_of(node)] == []
    assert [unit for name, unit in UNITS.items() if name in fields_of(node) and unit not in doc_of(node)] == []
    assert [one.name for one in methods_of(node) if is_property(one) and not doc_of(one)] == []


def test_the_encoder_of_the_page_is_the_one_that_load_gives():
    """The page says that a user never makes one; its public attributes are told in the class's docstring."""
    node = node_of(Public("cgdmer_jax.interop.encoder", "Encoder"))
    set_there = {
        one.attr for one in ast.walk(node) if isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)
    }
    public = {name for name in set_there if not name.startswith("_")}
    assert public and all(f"`{name}`" in doc_of(node) for name in public)
