"""Normalised HSIC against its definition over tuples, U-centred kernels in NumPy, and chance."""

from functools import partial
from itertools import permutations

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cgdmer_jax.methods.losses import independence
from cgdmer_jax.methods.losses.independence import DISENTANGLINGS

normalised_hsic = jax.jit(independence.normalised_hsic)
hsic_unbiased = jax.jit(independence.hsic_unbiased)
normalised_hsic_rbf = jax.jit(independence.normalised_hsic_rbf)
KINDS = DISENTANGLINGS[:-1]  # but "none"
dis_of = {kind: jax.jit(partial(independence.disentangle, kind=kind)) for kind in KINDS}
dis_graded = {kind: jax.jit(jax.value_and_grad(partial(independence.disentangle, kind=kind))) for kind in KINDS}


def features(*shape):
    """Two sets that depend on each other."""
    x, noise = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    return jnp.asarray(x), jnp.asarray(x + noise)


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


def u_centred(k):
    n = len(k)
    np.fill_diagonal(k, 0)
    rows = k.sum(1, keepdims=True) / (n - 2)
    k = k - rows - rows.T + k.sum() / ((n - 1) * (n - 2))
    np.fill_diagonal(k, 0)
    return k


def normalised_in_numpy(x, y):
    """Textbook formula in float64: U-centred kernels (Szekely and Rizzo 2014), their normalised inner product."""

    def kernel(x):
        x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-6)
        return x @ x.T

    a, b = u_centred(kernel(x)), u_centred(kernel(y))
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
        return jax.lax.map(lambda xy: independence.normalised_hsic(xy[0], xy[1], everyone), draws).mean()

    assert abs(float(mean_of_100(jax.random.key(n)))) < 0.02


@pytest.mark.parametrize("n", [32, 128, 1024])
def test_normalised_hsic_of_a_rotated_copy_is_above_nine_tenths(n):
    draw = np.random.default_rng(n)
    x = draw.normal(size=(n, 128))
    rotation = np.linalg.qr(draw.normal(size=(128, 128)))[0]
    found = normalised_hsic(jnp.asarray(x, jnp.float32), jnp.asarray(x @ rotation, jnp.float32), jnp.ones(n, bool))
    assert 0.9 < float(found) < 1.001


# --- the other kinds ---------------------------------------------------------------------------------


def rbf_in_numpy(x):
    """Gaussian kernel of standardised features, s^2 the median squared distance of distinct records."""
    x = (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-6)
    distance = ((x[:, None] - x[None, :]) ** 2).sum(-1)
    return np.exp(-distance / (2 * np.median(distance[np.triu_indices(len(x), 1)])))


def test_hsic_rbf_equals_the_product_of_u_centred_gaussian_kernels_over_the_live_records():
    x = np.random.default_rng(0).normal(size=(30, 4))
    y = np.abs(x[:, :3]) + 0.3 * np.random.default_rng(1).normal(size=(30, 3))
    live = np.random.default_rng(2).random(30) < 0.7
    found = normalised_hsic_rbf(jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), jnp.asarray(live))
    a, b = (u_centred(rbf_in_numpy(z[live])) for z in (x, y))
    assert float(found) == pytest.approx((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum()), rel=1e-3)


def test_a_gaussian_kernel_sees_what_a_linear_one_does_not():
    """y = x^2 is uncorrelated with x."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(1000, 1)), jnp.float32)
    everyone = jnp.ones(1000, bool)
    assert abs(float(normalised_hsic(x, x**2, everyone))) < 0.05
    assert float(normalised_hsic_rbf(x, x**2, everyone)) > 0.15


def test_the_bandwidth_of_the_gaussian_kernel_has_no_gradient():
    """Moving one record far out moves the others' kernel entries only if it moves their median."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(7, 2)), jnp.float32)
    everyone = jnp.ones(7, bool)
    gradient = jax.jacobian(lambda x: independence.rbf_kernel(x, everyone)[:3, :3])(x)
    assert not np.asarray(gradient)[:, :, 3:].any() and np.asarray(gradient).any()


def squared_cosine_in_numpy(x, y):
    x, y = x - x.mean(0), y - y.mean(0)
    return np.mean((x * y).sum(1) ** 2 / ((x**2).sum(1) * (y**2).sum(1)))


def test_squared_cosine_is_the_mean_over_the_live_records_of_the_centred_vectors():
    x = np.random.default_rng(0).normal(3, 1, size=(20, 6))
    y = np.random.default_rng(1).normal(-2, 1, size=(20, 6)) + 0.5 * x
    live = np.random.default_rng(2).random(20) < 0.7
    found = dis_of["cosine"](jnp.asarray(x, jnp.float32), jnp.asarray(y, jnp.float32), jnp.asarray(live))
    assert float(found) == pytest.approx(squared_cosine_in_numpy(x[live], y[live]), rel=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_a_copy_is_above_nine_tenths(kind):
    x = jnp.asarray(np.random.default_rng(0).normal(size=(128, 64)), jnp.float32)
    assert 0.9 < float(dis_of[kind](x, 2 * x + 1, jnp.ones(128, bool))) < 1.001


@pytest.mark.parametrize("n", [32, 128])
def test_rbf_of_independent_features_is_zero_and_of_a_rotated_copy_above_nine_tenths(n):
    everyone = jnp.ones(n, bool)

    @jax.jit
    def mean_of_100(key):
        draws = jax.random.normal(key, (100, 2, n, 128))
        return jax.lax.map(lambda xy: independence.normalised_hsic_rbf(xy[0], xy[1], everyone), draws).mean()

    assert abs(float(mean_of_100(jax.random.key(n)))) < 0.02
    draw = np.random.default_rng(n)
    x, rotation = draw.normal(size=(n, 128)), np.linalg.qr(draw.normal(size=(128, 128)))[0]
    found = normalised_hsic_rbf(*(jnp.asarray(z, jnp.float32) for z in (x, x @ rotation)), everyone)
    assert 0.9 < float(found) < 1.001


def test_squared_cosine_of_independent_features_is_one_over_their_width():
    x, y = jnp.asarray(np.random.default_rng(0).normal(size=(2, 4000, 50)), jnp.float32)
    assert float(dis_of["cosine"](x, y, jnp.ones(4000, bool))) == pytest.approx(1 / 50, rel=0.1)


def test_hsic_kinds_are_the_square_of_the_normalised_hsic():
    x, y = features(6, 3)
    four = jnp.arange(6) < 4
    for kind, value in (("hsic_linear", normalised_hsic), ("hsic_rbf", normalised_hsic_rbf)):
        assert dis_of[kind](x, y, four) == pytest.approx(float(value(x, y, four)) ** 2, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_fewer_than_four_records_give_zero_and_no_gradient(kind):
    for n in range(4):
        value, gradient = dis_graded[kind](*features(6, 3), jnp.arange(6) < n)
        assert value == 0 and not np.asarray(gradient).any()


@pytest.mark.parametrize("kind", KINDS)
def test_records_that_are_left_out_never_move_the_disentangling_term(kind):
    x, y = np.random.default_rng(0).normal(size=(2, 8, 5)).astype(np.float32)
    live = np.array([1, 1, 0, 1, 1, 1, 0, 1], bool)
    plain = dis_of[kind](jnp.asarray(x), jnp.asarray(y), jnp.asarray(live))
    x[~live], y[~live] = 1e3, np.nan
    assert plain == dis_of[kind](jnp.asarray(x), jnp.asarray(y), jnp.asarray(live))


@pytest.mark.parametrize("kind", KINDS)
def test_constant_features_give_a_finite_gradient(kind):
    value, gradient = dis_graded[kind](jnp.ones((8, 5)), jnp.ones((8, 5)), jnp.ones(8, bool))
    assert np.isfinite(value) and np.isfinite(gradient).all()


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_has_the_gradient_of_finite_differences(kind):
    draw = np.random.default_rng(0)
    live = jnp.array([1, 1, 0, 1, 1, 1, 1], bool)
    with jax.enable_x64():
        x, y = jnp.asarray(draw.normal(size=(2, 7, 4)))
        if kind == "hsic_rbf":  # the bandwidth has no gradient, so what stands on given kernels is checked
            k, h = x @ x.T, jnp.tanh(y @ y.T)
            term = jax.jit(lambda k, h: independence.normalised(k, h, live, 1e-12))
            check_grads(term, (k, h), order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)
            return
        term = jax.jit(lambda x, y: independence.disentangle(x, y, live, kind=kind))
        check_grads(term, (x, y), order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)


def test_an_unknown_kind_names_the_known_ones():
    with pytest.raises(ValueError, match="hsic_rbf, cosine"):
        independence.disentangle(*features(6, 3), jnp.ones(6, bool), kind="none")
