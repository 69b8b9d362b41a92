"""Dense layer and layer norm against NumPy and torch, their hand-written gradient against autodiff."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.dense import Dense, LayerNorm, affine, gelu, layer_norm

DRAW = np.random.default_rng(0)
X = jnp.asarray(DRAW.normal(3, 2, (4, 5, 6)), jnp.float32)
KERNEL = jnp.asarray(DRAW.normal(size=(6, 7)), jnp.float32)
BIAS = jnp.asarray(DRAW.normal(size=7), jnp.float32)
WEIGHT = jnp.asarray(DRAW.normal(size=(4, 5, 7)), jnp.float32)


def test_affine_has_the_gradients_of_its_formula():
    flat, weight = X.reshape(-1, 6), WEIGHT.reshape(-1, 7)
    ours = jax.grad(lambda *a: (affine(*a) * weight).sum(), (0, 1, 2))(flat, KERNEL, BIAS)
    by_formula = jax.grad(lambda x, w, b: ((jnp.dot(x, w) + b) * weight).sum(), (0, 1, 2))(flat, KERNEL, BIAS)
    for one, other in zip(ours, by_formula, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_dense_maps_the_last_axis_of_any_array():
    params = {"params": {"kernel": KERNEL, "bias": BIAS}}
    np.testing.assert_allclose(Dense(7).apply(params, X), X @ KERNEL + BIAS, atol=1e-5)
    np.testing.assert_allclose(Dense(7).apply(params, X[0, 0]), X[0, 0] @ KERNEL + BIAS, atol=1e-5)


def test_dense_keeps_float32_parameters_whatever_it_computes_in():
    made = Dense(7, "bfloat16").init_with_output(jax.random.key(0), X)
    assert made[0].dtype == jnp.bfloat16
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(made[1])} == {"float32"}


def test_layer_norm_has_no_mean_and_unit_variance_before_scale_and_bias():
    normed = np.asarray(LayerNorm().init_with_output(jax.random.key(0), X)[0])
    np.testing.assert_allclose(normed.mean(-1), 0, atol=1e-5)
    np.testing.assert_allclose(normed.std(-1), 1, atol=1e-4)


def test_layer_norm_of_bfloat16_is_computed_in_float32():
    x = (1000 + DRAW.normal(size=(8, 64))).astype(np.float32)
    out = LayerNorm("bfloat16").init_with_output(jax.random.key(0), jnp.asarray(x))[0].astype(jnp.float32)
    np.testing.assert_allclose(out, (x - x.mean(-1, keepdims=True)) / x.std(-1, keepdims=True), atol=0.02)


def test_layer_norm_and_its_gradients_equal_torch():
    torch = pytest.importorskip("torch")
    scale, bias = jnp.asarray(DRAW.normal(size=(2, 6)), jnp.float32)
    given = [torch.tensor(np.array(a), requires_grad=True) for a in (X, scale, bias)]
    expected = torch.nn.functional.layer_norm(given[0], (6,), given[1], given[2], eps=1e-6)
    (expected**3).sum().backward()

    def ours(x, scale, bias):
        return LayerNorm().apply({"params": {"scale": scale, "bias": bias}}, x)

    np.testing.assert_allclose(ours(X, scale, bias), expected.detach(), atol=1e-5)
    gradients = jax.grad(lambda *a: (ours(*a) ** 3).sum(), (0, 1, 2))(X, scale, bias)
    for one, other in zip(gradients, given, strict=True):
        np.testing.assert_allclose(one, other.grad, rtol=1e-4, atol=1e-4)


def test_gelu_and_its_gradient_equal_torch():
    torch = pytest.importorskip("torch")
    x, d_out = DRAW.normal(0, 2, (2, 64, 31))
    theirs = torch.tensor(x, requires_grad=True)
    out = torch.nn.functional.gelu(theirs, approximate="tanh")
    out.backward(torch.tensor(d_out))
    with jax.enable_x64(True):
        found, backward = jax.vjp(gelu, jnp.asarray(x))
        (d_x,) = backward(jnp.asarray(d_out))
    np.testing.assert_allclose(found, out.detach(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(d_x, theirs.grad, rtol=0, atol=1e-12)


def test_gelu_and_layer_norm_keep_no_more_than_their_arguments():
    x, width = jnp.ones((64, 32)), jnp.ones(32)
    for function, given in ((gelu, (x,)), (lambda *a: layer_norm(*a, 1e-6), (x, width, width))):
        _, backward = jax.vjp(function, *given)
        assert sum(kept.size for kept in jax.tree.leaves(backward)) <= sum(one.size for one in given)
