"""Loss terms against values worked by hand, formulas in NumPy, and torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cgdmer_jax.methods.losses import reconstruction as losses
from tests.methods.graded import graded


def reconstruction(predicted, target, live):
    return losses.masked_average(losses.reconstruction_errors(predicted, target, live), live)


def masked_language(logits, target, live):
    return losses.masked_average(losses.word_errors(logits, target), live)


def ids(*values):
    return jnp.asarray(values, jnp.int32)


# --- reconstruction, masked language -----------------------------------------------------------------


def test_smooth_l1_is_half_a_square_within_one_and_linear_beyond():
    np.testing.assert_allclose(losses.smooth_l1(jnp.array([0, 0.5, -1, 1, 3, -2.5])), [0, 0.125, 0.5, 0.5, 2.5, 2])


def test_smooth_l1_equals_torch():
    torch = pytest.importorskip("torch")
    error = np.random.default_rng(0).normal(0, 2, (5, 7)).astype(np.float32)
    expected = torch.nn.functional.smooth_l1_loss(torch.tensor(error), torch.zeros(5, 7), reduction="none", beta=1.0)
    np.testing.assert_allclose(losses.smooth_l1(jnp.asarray(error)), expected, rtol=1e-6)


def test_reconstruction_is_the_mean_over_the_live_patches_of_the_whole_batch():
    predicted = jnp.array([[[1.0, 0.0], [9.0, 9.0]], [[0.0, 3.0], [0.5, 0.5]]])
    live = jnp.array([[True, False], [True, True]])
    # patches: (0.5 + 0) / 2, (0 + 2.5) / 2, (0.125 + 0.125) / 2; their mean
    found = reconstruction(predicted, jnp.zeros_like(predicted), live)
    assert float(found) == pytest.approx((0.25 + 1.25 + 0.125) / 3)


def test_reconstruction_of_no_patch_is_zero_with_zero_gradient():
    x = jnp.ones((2, 3, 4))
    dead = jnp.zeros((2, 3), bool)
    value, gradient = graded(reconstruction)(x, 2 * x, dead)
    assert value == 0 and not np.asarray(gradient).any()


def test_dead_patches_may_hold_nan():
    predicted, target = jnp.ones((1, 2, 3)), jnp.zeros((1, 2, 3)).at[0, 1].set(jnp.nan)
    value, gradient = graded(reconstruction)(predicted, target, jnp.array([[True, False]]))
    assert value == 0.5
    np.testing.assert_allclose(gradient[0], [[1 / 3] * 3, [0] * 3], rtol=1e-6)


def test_patch_z_is_the_z_score_of_each_patch_by_numpy():
    draw = np.random.default_rng(0)
    patches = draw.normal(3, 2, size=(2, 5, 20)).astype(np.float32)
    expected = (patches - patches.mean(-1, keepdims=True)) / patches.std(-1, keepdims=True)
    found = losses.patch_z(jnp.asarray(patches), jnp.full((2, 1), 0.25))
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_patch_z_divides_by_at_least_a_fiftieth_of_a_millivolt():
    """The same patch of +-0.01 mV, a quiet one, at any scale; one of +-0.1 mV; one that is flat."""
    shape = np.array([1.0, -1.0, 1.0, -1.0])
    for scale_mv in (0.1, 1.0, 2.5):
        patches = jnp.asarray(np.stack([0.01 * shape, 5 + 0.1 * shape, 0 * shape + 3])[None] / scale_mv, jnp.float32)
        found = losses.patch_z(patches, jnp.full((1, 3), scale_mv, jnp.float32))
        np.testing.assert_allclose(found[0], [0.5 * shape, shape, 0 * shape], atol=1e-4)


def test_masked_language_is_the_mean_cross_entropy_of_the_live_positions():
    p = np.array([[[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]], [[0.1, 0.1, 0.8], [1.0, 1e-9, 1e-9]]])
    target, live = ids([0, 1], [0, 2]), jnp.array([[True, True], [True, False]])
    found = masked_language(jnp.asarray(np.log(p), jnp.float32), target, live)
    assert float(found) == pytest.approx(-np.log([0.7, 0.5, 0.1]).mean(), rel=1e-5)


def test_masked_language_equals_torchs_cross_entropy():
    torch = pytest.importorskip("torch")
    draw = np.random.default_rng(0)
    logits = draw.normal(0, 3, (4, 5, 11)).astype(np.float32)
    target, live = draw.integers(0, 11, (4, 5)), draw.random((4, 5)) < 0.6
    given = torch.tensor(logits, requires_grad=True)
    marked = torch.tensor(np.where(live, target, -100))
    expected = torch.nn.functional.cross_entropy(given.flatten(0, 1), marked.flatten(), ignore_index=-100)
    expected.backward()
    arguments = jnp.asarray(logits), jnp.asarray(target, jnp.int32), jnp.asarray(live)
    value, gradient = graded(masked_language)(*arguments)
    assert float(value) == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, given.grad, atol=1e-6)


# --- gradients by finite differences, in float64 -----------------------------------------------------


def test_every_term_has_the_gradient_of_finite_differences():
    draw = np.random.default_rng(0)
    with jax.enable_x64():
        slots = jnp.asarray(draw.normal(size=(6, 3, 4)))
        words, masked = jnp.asarray(draw.integers(0, 4, (6, 3))), jnp.asarray(draw.random((6, 3)) < 0.6)
        terms = {
            "patch_z": (lambda a: losses.patch_z(a, jnp.full((6, 1), 0.01)) ** 3, (slots,)),
            "reconstruction": (lambda a, b: reconstruction(a, b, masked), (slots, 0.3 * slots[::-1])),
            "masked_language": (lambda a: masked_language(a, words, masked), (slots,)),
        }
        for term, arguments in terms.values():
            check_grads(jax.jit(term), arguments, order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)
