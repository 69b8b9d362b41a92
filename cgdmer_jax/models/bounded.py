"""A parameter with an upper bound that it can leave again."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def at_most(x: Float[Array, ""], bound: float) -> Float[Array, ""]:
    """min(x, bound), whose gradient at the bound leads back and never on.

    That of `jnp.minimum` is 0 there, so a parameter that once passed the bound would stay for good. CLIP clips the
    parameter itself after each update instead, which a loss cannot do.
    """
    return jnp.minimum(x, bound)


def _forward(x: Float[Array, ""], bound: float) -> tuple[Float[Array, ""], Float[Array, ""]]:
    return at_most(x, bound), x


def _backward(bound: float, x: Float[Array, ""], gradient: Float[Array, ""]) -> tuple[Float[Array, ""]]:
    # An update goes against the gradient, so a positive one makes the parameter smaller.
    return (jnp.where((x < bound) | (gradient > 0), gradient, 0.0),)


at_most.defvjp(_forward, _backward)
