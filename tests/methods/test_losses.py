"""Loss terms against values worked by hand, formulas in NumPy, and torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.methods import losses
from tests.methods.graded import graded


def unit_vectors(*shape, seed=0):
    x = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), jnp.float32)


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
    found = losses.reconstruction(predicted, jnp.zeros_like(predicted), live)
    assert float(found) == pytest.approx((0.25 + 1.25 + 0.125) / 3)


def test_reconstruction_of_no_patch_is_zero_with_zero_gradient():
    x = jnp.ones((2, 3, 4))
    dead = jnp.zeros((2, 3), bool)
    value, gradient = graded(losses.reconstruction)(x, 2 * x, dead)
    assert value == 0 and not np.asarray(gradient).any()


def test_dead_patches_may_hold_nan():
    predicted, target = jnp.ones((1, 2, 3)), jnp.zeros((1, 2, 3)).at[0, 1].set(jnp.nan)
    value, gradient = graded(losses.reconstruction)(predicted, target, jnp.array([[True, False]]))
    assert value == 0.5
    np.testing.assert_allclose(gradient[0], [[1 / 3] * 3, [0] * 3], rtol=1e-6)


def test_masked_language_is_the_mean_cross_entropy_of_the_live_positions():
    p = np.array([[[0.7, 0.2, 0.1], [0.25, 0.5, 0.25]], [[0.1, 0.1, 0.8], [1.0, 1e-9, 1e-9]]])
    target, live = ids([0, 1], [0, 2]), jnp.array([[True, True], [True, False]])
    found = losses.masked_language(jnp.asarray(np.log(p), jnp.float32), target, live)
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
    value, gradient = graded(losses.masked_language)(*arguments)
    assert float(value) == pytest.approx(expected.item(), rel=1e-5)
    np.testing.assert_allclose(gradient, given.grad, atol=1e-6)


# --- alignment ---------------------------------------------------------------------------------------

info_nce = jax.jit(losses.info_nce)
TEMPERATURE = jnp.float32(0.1)


def test_info_nce_of_two_pairs_by_hand():
    """Own pairs at cosine 1, the others at 0: log(1 + exp(-1 / t)) both ways."""
    x = jnp.eye(2)
    assert float(info_nce(x, x, ids(0, 1), jnp.float32(0.5))) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)


def test_info_nce_equals_torchs_symmetric_cross_entropy_where_all_reports_differ():
    torch = pytest.importorskip("torch")
    ecg, text = unit_vectors(9, 6), unit_vectors(9, 6, seed=1)
    given = [torch.tensor(np.array(x), requires_grad=True) for x in (ecg, text)]
    logits, own = given[0] @ given[1].T / 0.1, torch.arange(9)
    expected = 0.5 * (torch.nn.functional.cross_entropy(logits, own) + torch.nn.functional.cross_entropy(logits.T, own))
    expected.backward()
    value, gradients = graded(losses.info_nce, (0, 1))(ecg, text, jnp.arange(9), TEMPERATURE)
    assert float(value) == pytest.approx(expected.item(), rel=1e-5)
    for one, other in zip(gradients, given, strict=True):
        np.testing.assert_allclose(one, other.grad, atol=1e-5)


def info_nce_in_loops(ecg, text, text_id, temperature):
    """For each record with a report: itself against every record with another report, both ways."""
    s = np.asarray(ecg, np.float64) @ np.asarray(text, np.float64).T / float(temperature)
    total, n = 0.0, 0
    for i, own in enumerate(text_id):
        if own == NO_TEXT:
            continue
        others = [j for j, other in enumerate(text_id) if other not in (own, NO_TEXT)]
        for row in (s[i], s[:, i]):
            total += 0.5 * (np.log(np.exp(row[i]) + np.exp(row[others]).sum()) - row[i])
        n += 1
    return total / n


@pytest.mark.parametrize(
    "text_id", [(0, 1, 2, 3, 4, 5), (7, 7, 2, 7, 4, 2), (NO_TEXT, 7, 7, NO_TEXT, 1, 3), (3, 3, 3, 3, 3, 1)]
)
def test_info_nce_leaves_out_same_reports_and_records_without_text(text_id):
    ecg, text = unit_vectors(6, 4), unit_vectors(6, 4, seed=1)
    found = info_nce(ecg, text, ids(*text_id), TEMPERATURE)
    assert float(found) == pytest.approx(info_nce_in_loops(ecg, text, text_id, TEMPERATURE), rel=1e-5)


def test_identical_reports_are_never_each_others_negatives():
    """Records 0 and 1 share a report: nothing of the pair (0, 1) moves the loss of either."""
    ecg, text = unit_vectors(3, 4), unit_vectors(3, 4, seed=1)

    # Two records with one report and nobody else: no negative, no loss, no gradient.
    value, gradient = graded(losses.info_nce, (0, 1))(ecg[:2], text[:2], ids(5, 5), TEMPERATURE)
    assert value == 0 and not np.asarray(gradient[0]).any() and not np.asarray(gradient[1]).any()
    # With a third record each twin is compared with that one alone.
    s = np.asarray(ecg) @ np.asarray(text).T / 0.1
    twin = [0.5 * (np.log1p(np.exp(s[i, 2] - s[i, i])) + np.log1p(np.exp(s[2, i] - s[i, i]))) for i in (0, 1)]
    third = 0.5 * sum(np.log(np.exp(row[2]) + np.exp(row[:2]).sum()) - row[2] for row in (s[2], s[:, 2]))
    found = info_nce(ecg, text, ids(5, 5, 9), TEMPERATURE)
    assert float(found) == pytest.approx((twin[0] + twin[1] + third) / 3, rel=1e-5)


def test_a_record_without_text_neither_gives_nor_receives_a_gradient():
    ecg, text = unit_vectors(4, 5), unit_vectors(4, 5, seed=1)
    text_id = ids(NO_TEXT, 1, NO_TEXT, 2)
    value, (d_ecg, d_text) = graded(losses.info_nce, (0, 1))(ecg, text, text_id, TEMPERATURE)
    for gradient in (d_ecg, d_text):
        assert not np.asarray(gradient)[[0, 2]].any() and np.asarray(gradient)[[1, 3]].any(axis=1).all()
    alone = info_nce(ecg[jnp.array([1, 3])], text[jnp.array([1, 3])], ids(1, 2), TEMPERATURE)
    assert float(value) == pytest.approx(float(alone), rel=1e-6)


def test_a_batch_without_any_text_has_no_alignment_and_a_zero_gradient():
    x = unit_vectors(3, 4)
    value, gradient = graded(losses.info_nce)(x, x, ids(NO_TEXT, NO_TEXT, NO_TEXT), TEMPERATURE)
    assert value == 0 and not np.asarray(gradient).any()


# --- gradients by finite differences, in float64 -----------------------------------------------------


def test_every_term_has_the_gradient_of_finite_differences():
    draw = np.random.default_rng(0)
    with jax.enable_x64():
        x, y = jnp.asarray(draw.normal(size=(2, 6, 4)))
        live = jnp.array([1, 1, 0, 1, 1, 1], bool)
        text_id = ids(0, 1, NO_TEXT, 1, 2, 3)
        slots = jnp.asarray(draw.normal(size=(6, 3, 4)))
        words, masked = jnp.asarray(draw.integers(0, 4, (6, 3))), jnp.asarray(draw.random((6, 3)) < 0.6)
        terms = {
            "disentangle": (lambda x, y: losses.disentangle(x, y, live), (x, y)),
            "info_nce": (lambda x, y, t: losses.info_nce(x, y, text_id, t), (x, y, jnp.float64(0.3))),
            "reconstruction": (lambda a, b: losses.reconstruction(a, b, masked), (slots, 0.3 * slots[::-1])),
            "masked_language": (lambda a: losses.masked_language(a, words, masked), (slots,)),
        }
        for term, arguments in terms.values():
            check_grads(jax.jit(term), arguments, order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)
