"""The tests' type checker sees arguments and results of each function's first calls."""

from contextlib import suppress

import numpy as np
import pytest
from jaxtyping import Float, TypeCheckError, jaxtyped

from tests.first_calls import CHECKED_CALLS, first_calls


@jaxtyped(typechecker=first_calls)
def doubled(x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    return x + x if x.ndim == 1 else x


class Scale:
    @jaxtyped(typechecker=first_calls)
    def __call__(self, x: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
        return x[:-1]

    @property
    @jaxtyped(typechecker=first_calls)
    def size(self) -> int:
        return "one"


def test_the_first_calls_are_checked_and_later_ones_run():
    doubled(np.zeros(3))
    with pytest.raises(TypeCheckError, match="x"):
        doubled(np.zeros((3, 2)))
    for _ in range(CHECKED_CALLS):
        doubled(np.zeros(3))
    assert doubled(np.zeros((3, 2))).shape == (3, 2)


def test_results_are_checked_and_methods_and_properties_too():
    with pytest.raises(TypeCheckError, match="return value"):
        Scale()(np.zeros(3))
    with pytest.raises(TypeCheckError, match="return value"):
        _ = Scale().size
    for _ in range(CHECKED_CALLS):
        with suppress(TypeCheckError):
            Scale()(np.zeros(3))
        with suppress(TypeCheckError):
            _ = Scale().size
    assert Scale()(np.zeros(3)).shape == (2,) and Scale().size == "one"
