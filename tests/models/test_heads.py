"""Pooling and the unit sphere."""

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.models.heads import masked_mean, unit


def test_masked_mean_is_the_mean_of_the_live_tokens_and_zero_without_any():
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    live = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    x[~live] = np.nan
    found = masked_mean(jnp.asarray(x), jnp.asarray(live))
    np.testing.assert_allclose(found[0], x[0].mean(0), atol=1e-6)
    np.testing.assert_allclose(found[1], x[1, [0, 2]].mean(0), atol=1e-6)
    np.testing.assert_array_equal(found[2], 0)
    gradient = jax.grad(lambda x: masked_mean(x, jnp.asarray(live)).sum())(jnp.asarray(x))
    np.testing.assert_allclose(gradient[..., 0], [[0.25] * 4, [0.5, 0, 0.5, 0], [0] * 4])


def test_masked_mean_of_bfloat16_adds_in_float32():
    x = jnp.concatenate([jnp.full((1, 1, 1), 256.0), jnp.ones((1, 255, 1))], axis=1).astype(jnp.bfloat16)
    assert masked_mean(x, jnp.ones((1, 256), bool))[0, 0] == (256 + 255) / 256


def test_unit_vectors_have_length_one_and_zero_stays_zero_with_a_finite_gradient():
    x = np.random.default_rng(0).normal(size=(4, 7)) * np.array([[1e-4], [1], [1e4], [0]])
    x = jnp.asarray(x, jnp.float32)
    np.testing.assert_allclose(np.linalg.norm(unit(x), axis=1), [1, 1, 1, 0], atol=1e-5)
    assert np.isfinite(jax.grad(lambda x: unit(x).sum())(x)).all()
