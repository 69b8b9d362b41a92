"""A gradient against the slope of a loss that somebody else derived, in float64."""

from collections.abc import Callable

import jax
import numpy as np

REACH = 1e-4  # of a step along the gradient's direction: float64 leaves six more digits


def in_float64(tree: dict) -> dict:
    return jax.tree.map(lambda x: np.asarray(x, np.float64), tree)


def assert_slopes(loss: Callable[[dict], float], params: dict, gradient: dict) -> None:
    """(L(p + e d) - L(p - e d)) / 2 e = |g| for d = g / |g|, one after another for each part of the parameters."""
    assert params.keys() == gradient.keys()
    for part, own in gradient.items():
        norm = np.sqrt(sum((leaf**2).sum() for leaf in jax.tree.leaves(own)))
        assert norm > 1e-4, part

        def moved(reach, part=part, own=own, norm=norm):
            return params | {part: jax.tree.map(lambda p, g: p + reach / norm * g, params[part], own)}

        slope = (loss(moved(REACH)) - loss(moved(-REACH))) / (2 * REACH)
        np.testing.assert_allclose(norm, slope, rtol=1e-4, err_msg=part)
