"""Parameters that a result depends on, found from its jaxpr: decoders and the text side are in no `main`."""

from collections.abc import Callable
from typing import Any

import jax
from jax.extend import core

Path = tuple[str, ...]  # of a parameter in nested dicts


def needed_paths(function: Callable[[dict, Any], Any], params: dict, others: Any) -> frozenset[Path]:
    """Paths of the parameters that enter `function(params, others)`; shapes alone suffice.

    An inner call counts as a whole: what goes into it enters all that comes out. So none is missed.
    """
    jaxpr = jax.make_jaxpr(function)(params, others).jaxpr
    needed = {one for one in jaxpr.outvars if isinstance(one, core.Var)}
    for equation in reversed(jaxpr.eqns):
        if not needed.isdisjoint(equation.outvars):
            needed |= {one for one in equation.invars if isinstance(one, core.Var)}
    paths = [tuple(entry.key for entry in path) for path, _ in jax.tree_util.tree_leaves_with_path(params)]
    return frozenset(path for path, variable in zip(paths, jaxpr.invars, strict=False) if variable in needed)
