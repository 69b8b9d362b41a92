"""Parameters that are read and never learned."""

import re

import jax


def held(params: dict, pattern: str | None) -> dict:
    """The same values; those whose path ("text_tower/token") matches give no gradient, and none is computed."""
    if pattern is None:
        return params
    expression = re.compile(pattern)

    def hold(path, leaf):
        found = expression.search(jax.tree_util.keystr(path, simple=True, separator="/"))
        return jax.lax.stop_gradient(leaf) if found else leaf

    return jax.tree_util.tree_map_with_path(hold, params)
