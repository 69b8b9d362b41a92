"""A loss term and its gradient, compiled once a shape."""

from functools import partial

import jax


@partial(jax.jit, static_argnames=("term", "of"))
def graded_term(*arguments, term, of):
    return jax.value_and_grad(term, of)(*arguments)


def graded(term, of=0):
    """The term's value and its gradient by the arguments `of`."""
    return partial(graded_term, term=term, of=of)
