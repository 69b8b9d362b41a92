"""Normalised HSIC against its definition over tuples, U-centred kernels in NumPy, and chance."""

from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.methods import losses
from tests.methods.graded import graded

normalised_hsic = jax.jit(losses.normalised_hsic)
hsic_unbiased = jax.jit(losses.hsic_unbiased)
disentangle = jax.jit(losses.disentangle)


def kernels(n, seed=0):
    x, y = np.random.default_rng(seed).normal(size=(2, n, 3))
    return (x @ x.T).astype(np.float32), ((y + x) @ (y + x).T).astype(np.float32)


def hsic_over_tuples(k, h):
    """Song et al. 2012, equation 3 as averages over ordered tuples of distinct records: O(n^4)."""
    n = len(k)
    pairs = np.mean([k[i, j] * h[i, j] for i, j in permutations(range(n), 2)])
    triples = np.mean([k[i, j] * h[i, q] for i, j, q in permutations(range(n), 3)])
    quads = np.mean([k[i, j] * h[q, r] for i, j, q, r in permutations(range(n), 4)])
    return pairs + quads - 2 * triples


@pytest.mark.parametrize("n", [4, 5, 7])
def test_hsic_equals_its_definition_over_all_tuples_of_distinct_records(n):
    k, h = kernels(n)
    found = hsic_unbiased(jnp.asarray(k), jnp.asarray(h), jnp.ones(n, bool))
    assert float(found) == pytest.approx(hsic_over_tuples(k.astype(float), h.astype(float)), rel=1e-4, abs=1e-5)


def test_hsic_of_a_part_of_the_records_is_that_of_the_part_alone():
    k, h = kernels(9)
    live = np.array([1, 0, 1, 1, 0, 1, 1, 0, 1], bool)
    found = hsic_unbiased(jnp.asarray(k), jnp.asarray(h), jnp.asarray(live))
    part = np.ix_(live, live)
    assert float(found) == pytest.approx(hsic_over_tuples(k[part].astype(float), h[part].astype(float)), rel=1e-4)


def test_diagonals_are_not_part_of_hsic():
    k, h = kernels(6)
    live = jnp.ones(6, bool)
    plain = hsic_unbiased(jnp.asarray(k), jnp.asarray(h), live)
    np.fill_diagonal(k, 1e3)
    np.fill_diagonal(h, -1e3)
    assert plain == hsic_unbiased(jnp.asarray(k), jnp.asarray(h), live)


def normalised_in_numpy(x, y):
    """Textbook formula in float64: U-centred kernels (Szekely and Rizzo 2014), their normalised inner product."""

    def centred(x):
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-6)
        k, n = x @ x.T, len(x)
        np.fill_diagonal(k, 0)
        rows = k.sum(1, keepdims=True) / (n - 2)
        k = k - rows - rows.T + k.sum() / ((n - 1) * (n - 2))
        np.fill_diagonal(k, 0)
        return k

    a, b = centred(x), centred(y)
    return (a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum())


def test_normalised_hsic_equals_the_product_of_u_centred_kernels_over_the_live_records():
    x = np.random.default_rng(0).normal(size=(40, 8))
    y = np.random.default_rng(1).normal(size=(40, 6)) + 0.4 * x[:, :6]
    live = np.random.default_rng(2).random(40) < 0.7
    found = normalised_hsic(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), jnp.asarray(live))
    assert float(found) == pytest.approx(normalised_in_numpy(x[live], y[live]), rel=1e-3)


@pytest.mark.parametrize("n", [32, 128, 1024])
def test_normalised_hsic_of_independent_features_is_zero_on_average(n):
    everyone = jnp.ones(n, bool)

    @jax.jit
    def mean_of_100(key):
        draws = jax.random.normal(key, (100, 2, n, 128))
        return jax.lax.map(lambda xy: losses.normalised_hsic(xy[0], xy[1], everyone), draws).mean()

    assert abs(float(mean_of_100(jax.random.key(n)))) < 0.02


@pytest.mark.parametrize("n", [32, 128, 1024])
def test_normalised_hsic_of_a_rotated_copy_is_above_nine_tenths(n):
    draw = np.random.default_rng(n)
    x = draw.normal(size=(n, 128))
    rotation = np.linalg.qr(draw.normal(size=(128, 128)))[0]
    found = normalised_hsic(jnp.asarray(x, jnp.float32), jnp.asarray(x @ rotation, jnp.float32), jnp.ones(n, bool))
    assert 0.9 < float(found) < 1.001


def test_disentangling_is_the_square_and_zero_below_four_records():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(6, 3)), jnp.float32)
    y = x + jnp.asarray(np.random.default_rng(1).normal(size=(6, 3)), jnp.float32)
    four, three = jnp.arange(6) < 4, jnp.arange(6) < 3
    assert disentangle(x, y, four) == pytest.approx(float(normalised_hsic(x, y, four)) ** 2, rel=1e-5)
    value, gradient = graded(losses.disentangle)(x, y, three)
    assert value == 0 and not np.asarray(gradient).any()


def test_records_that_are_left_out_never_move_the_disentangling_term():
    x, y = np.random.default_rng(0).normal(size=(2, 8, 5)).astype(np.float32)
    live = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    plain = disentangle(jnp.asarray(x), jnp.asarray(y), jnp.asarray(live))
    x[~live], y[~live] = 1e3, -1e3
    assert plain == disentangle(jnp.asarray(x), jnp.asarray(y), jnp.asarray(live))


def test_constant_features_give_a_finite_gradient():
    x = jnp.ones((8, 5))
    value, gradient = graded(losses.disentangle)(x, x, jnp.ones(8, bool))
    assert np.isfinite(value) and np.isfinite(gradient).all()
