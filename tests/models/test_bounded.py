"""A bounded parameter keeps its bound and comes back from it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from cgdmer_jax.methods.losses.contrastive import info_nce, pair_up
from cgdmer_jax.models.bounded import at_most

BOUND = float(np.log(100.0))


@pytest.mark.parametrize("x", [0.0, BOUND - 1e-3, BOUND, BOUND + 1.0])
@pytest.mark.parametrize("gradient", [-2.0, 3.0])
def test_the_value_is_the_smaller_and_beyond_the_bound_only_the_way_back_is_left(x, gradient):
    x = jnp.float32(x)
    assert at_most(x, BOUND) == min(x, np.float32(BOUND))
    got = jax.grad(lambda x: gradient * at_most(x, BOUND))(x)
    assert got == (gradient if x < np.float32(BOUND) or gradient > 0 else 0.0)


def test_a_temperature_beyond_the_bound_comes_back_when_the_pairs_are_hard():
    draw = np.random.default_rng(0)
    ecg, text = (draw.normal(size=(16, 8)) for _ in range(2))
    ecg, text = (jnp.asarray(x / np.linalg.norm(x, axis=1, keepdims=True), jnp.float32) for x in (ecg, text))

    pairs = pair_up(jnp.arange(16), None, same_text="ignored")

    def loss(log_inverse):
        return info_nce(ecg, text, pairs, jnp.exp(-at_most(log_inverse, BOUND)))

    adam = optax.adam(0.05)
    log_inverse = jnp.float32(BOUND + 0.5)
    state = adam.init(log_inverse)
    for _ in range(60):  # what pairs of noise want is a flat distribution
        update, state = adam.update(jax.grad(loss)(log_inverse), state)
        log_inverse = optax.apply_updates(log_inverse, update)
    assert log_inverse < BOUND - 0.5
