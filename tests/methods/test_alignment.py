"""Alignment losses against values worked by hand, loops in NumPy, and torch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.methods.losses import contrastive
from cgdmer_jax.methods.losses.contrastive import SAME_TEXT, Pairs
from tests.methods.graded import graded

TEXT_IDS = [(0, 1, 2, 3, 4, 5), (7, 7, 2, 7, 4, 2), (NO_TEXT, 7, 7, NO_TEXT, 1, 3), (3, 3, 3, 3, 3, 1)]
TEMPERATURE, SCALE, BIAS = jnp.float32(0.1), jnp.float32(10.0), jnp.float32(-1.8)
info_nce, siglip = jax.jit(contrastive.info_nce), jax.jit(contrastive.siglip)
near_duplicates = jax.jit(contrastive.near_duplicates, static_argnames=("vocabulary", "threshold"))


def unit_vectors(*shape, seed=0):
    x = np.random.default_rng(seed).normal(size=shape)
    return jnp.asarray(x / np.linalg.norm(x, axis=-1, keepdims=True), jnp.float32)


def pairs_of(*text_id, alike=None, same_text="ignored") -> Pairs:
    alike = None if alike is None else jnp.asarray(alike)
    return contrastive.pair_up(jnp.asarray(text_id, jnp.int32), alike, same_text=same_text)


# --- which pairs count -------------------------------------------------------------------------------


def test_same_reports_are_ignored_and_records_without_text_are_in_no_pair():
    pairs = pairs_of(7, 7, NO_TEXT, 2, NO_TEXT)
    assert pairs.live.tolist() == [True, True, False, True, False]
    np.testing.assert_array_equal(pairs.positive, np.diag([1.0, 1, 0, 1, 0]))
    expected = np.zeros((5, 5), bool)
    expected[[0, 1, 3, 3], [3, 3, 0, 1]] = True
    np.testing.assert_array_equal(pairs.negative, expected)


def test_same_reports_as_positives_have_weights_that_add_to_one_in_each_row():
    pairs = pairs_of(7, 7, NO_TEXT, 2, 7, same_text="positives")
    third = np.zeros((5, 5))
    third[np.ix_([0, 1, 4], [0, 1, 4])] = 1 / 3
    third[3, 3] = 1
    np.testing.assert_allclose(pairs.positive, third, rtol=1e-6)
    np.testing.assert_array_equal(pairs.negative, pairs_of(7, 7, NO_TEXT, 2, 7).negative)


@pytest.mark.parametrize("same_text", SAME_TEXT)
def test_near_duplicates_are_neither_positive_nor_negative(same_text):
    alike = np.eye(4, dtype=bool)
    alike[0, 2] = alike[2, 0] = True
    plain, found = (pairs_of(1, 1, 5, 6, alike=a, same_text=same_text) for a in (None, alike))
    np.testing.assert_array_equal(found.positive, plain.positive)
    expected = np.asarray(plain.negative).copy()
    expected[0, 2] = expected[2, 0] = False
    np.testing.assert_array_equal(found.negative, expected)


def jaccard(one, other) -> float:
    one, other = set(one), set(other)
    return len(one & other) / len(one | other) if one | other else 0.0


WORDS = [[5, 6, 7, 8], [8, 7, 6, 5, 5, 5], [5, 6, 7, 9], [5, 6, 7, 8, 9], [10, 11], [], [], [5, 6]]


@pytest.mark.parametrize("threshold", [1.0, 0.8, 0.6, 0.5])
def test_near_duplicates_have_a_jaccard_similarity_of_at_least_the_threshold(threshold):
    """Word sets of size 0..5; special tokens (0..4) and padding stand around them and change nothing."""
    tokens = np.zeros((8, 10), np.int32)
    mask = np.zeros((8, 10), bool)
    for record, words in enumerate(WORDS):
        row = [2, *words, 1, 3]
        tokens[record, : len(row)] = row
        mask[record, : len(row)] = True
    tokens[~mask] = 11  # whatever stands in the padding
    found = near_duplicates(jnp.asarray(tokens), jnp.asarray(mask), vocabulary=12, threshold=threshold)
    expected = [[jaccard(a, b) >= threshold for b in WORDS] for a in WORDS]
    np.testing.assert_array_equal(found, expected)


def test_a_jaccard_threshold_reached_exactly_counts():
    """4 of 5, 3 of 5: the quotients are those of the config's decimal numbers."""
    for common, size, threshold in ((4, 5, 0.8), (3, 5, 0.6), (9, 10, 0.9), (7, 10, 0.7), (19, 20, 0.95)):
        tokens = np.tile(np.arange(5, 5 + size, dtype=np.int32), (2, 1))
        mask = np.ones((2, size), bool)
        mask[1, common:] = False
        assert near_duplicates(jnp.asarray(tokens), jnp.asarray(mask), vocabulary=30, threshold=threshold)[0, 1]


# --- InfoNCE -----------------------------------------------------------------------------------------


def test_info_nce_of_two_pairs_by_hand():
    """Own pairs at cosine 1, the others at 0: log(1 + exp(-1 / t)) both ways."""
    x = jnp.eye(2)
    assert float(info_nce(x, x, pairs_of(0, 1), jnp.float32(0.5))) == pytest.approx(np.log1p(np.exp(-2)), rel=1e-5)


def test_info_nce_equals_torchs_symmetric_cross_entropy_where_all_reports_differ():
    torch = pytest.importorskip("torch")
    ecg, text = unit_vectors(9, 6), unit_vectors(9, 6, seed=1)
    given = [torch.tensor(np.array(x), requires_grad=True) for x in (ecg, text)]
    logits, own = given[0] @ given[1].T / 0.1, torch.arange(9)
    expected = 0.5 * (torch.nn.functional.cross_entropy(logits, own) + torch.nn.functional.cross_entropy(logits.T, own))
    expected.backward()
    value, gradients = graded(contrastive.info_nce, (0, 1))(ecg, text, pairs_of(*range(9)), TEMPERATURE)
    assert float(value) == pytest.approx(expected.item(), rel=1e-5)
    for one, other in zip(gradients, given, strict=True):
        np.testing.assert_allclose(one, other.grad, atol=1e-5)


def test_info_nce_with_positives_equals_torchs_cross_entropy_with_shared_targets():
    torch = pytest.importorskip("torch")
    text_id = np.array([7, 7, 2, 7, 4, 2])
    ecg, text = unit_vectors(6, 4), unit_vectors(6, 4, seed=1)
    logits = torch.tensor(np.array(ecg @ text.T / TEMPERATURE))
    target = torch.tensor(text_id[:, None] == text_id[None, :]).float()
    target = target / target.sum(1, keepdim=True)
    both = [torch.nn.functional.cross_entropy(x, target).item() for x in (logits, logits.T)]
    found = info_nce(ecg, text, pairs_of(*text_id, same_text="positives"), TEMPERATURE)
    assert float(found) == pytest.approx(sum(both) / 2, rel=1e-5)


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


@pytest.mark.parametrize("text_id", TEXT_IDS)
def test_info_nce_leaves_out_same_reports_and_records_without_text(text_id):
    ecg, text = unit_vectors(6, 4), unit_vectors(6, 4, seed=1)
    found = info_nce(ecg, text, pairs_of(*text_id), TEMPERATURE)
    assert float(found) == pytest.approx(info_nce_in_loops(ecg, text, text_id, TEMPERATURE), rel=1e-5)


def test_identical_reports_are_never_each_others_negatives():
    """Records 0 and 1 share a report: nothing of the pair (0, 1) moves the loss of either."""
    ecg, text = unit_vectors(3, 4), unit_vectors(3, 4, seed=1)

    # Two records with one report and nobody else: no negative, no loss, no gradient.
    value, gradient = graded(contrastive.info_nce, (0, 1))(ecg[:2], text[:2], pairs_of(5, 5), TEMPERATURE)
    assert value == 0 and not np.asarray(gradient[0]).any() and not np.asarray(gradient[1]).any()
    # With a third record each twin is compared with that one alone.
    s = np.asarray(ecg) @ np.asarray(text).T / 0.1
    twin = [0.5 * (np.log1p(np.exp(s[i, 2] - s[i, i])) + np.log1p(np.exp(s[2, i] - s[i, i]))) for i in (0, 1)]
    third = 0.5 * sum(np.log(np.exp(row[2]) + np.exp(row[:2]).sum()) - row[2] for row in (s[2], s[:, 2]))
    found = info_nce(ecg, text, pairs_of(5, 5, 9), TEMPERATURE)
    assert float(found) == pytest.approx((twin[0] + twin[1] + third) / 3, rel=1e-5)


# --- SigLIP ------------------------------------------------------------------------------------------


def test_siglip_of_two_pairs_by_hand():
    """Own pairs at cosine 1, the others at 0, t 10, b -2: softplus(-8) + softplus(-2)."""
    x = jnp.eye(2)
    found = siglip(x, x, pairs_of(0, 1), jnp.float32(10), jnp.float32(-2))
    assert float(found) == pytest.approx(np.log1p(np.exp(-8)) + np.log1p(np.exp(-2)), rel=1e-5)


def test_siglip_equals_torchs_binary_cross_entropy_where_all_reports_differ():
    """Zhai et al. 2023, algorithm 1: -sum(logsigmoid(labels * logits)) / n."""
    torch = pytest.importorskip("torch")
    ecg, text = unit_vectors(9, 6), unit_vectors(9, 6, seed=1)
    given = [torch.tensor(np.array(x), requires_grad=True) for x in (ecg, text, SCALE, BIAS)]
    logits = given[0] @ given[1].T * given[2] + given[3]
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.eye(9), reduction="sum") / 9
    expected.backward()
    value, gradients = graded(contrastive.siglip, (0, 1, 3, 4))(ecg, text, pairs_of(*range(9)), SCALE, BIAS)
    assert float(value) == pytest.approx(expected.item(), rel=1e-5)
    for one, other in zip(gradients, given, strict=True):
        np.testing.assert_allclose(one, other.grad, rtol=1e-4, atol=1e-5)


def siglip_in_loops(ecg, text, text_id, same_text):
    logit = float(SCALE) * np.asarray(ecg, np.float64) @ np.asarray(text, np.float64).T + float(BIAS)
    live = [i for i, own in enumerate(text_id) if own != NO_TEXT]
    total = 0.0
    for i in live:
        for j in live:
            if text_id[i] != text_id[j]:
                total += np.log1p(np.exp(logit[i, j]))
            elif same_text == "positives":
                total += np.log1p(np.exp(-logit[i, j])) / text_id.count(text_id[i])
            elif i == j:
                total += np.log1p(np.exp(-logit[i, i]))
    return total / len(live)


@pytest.mark.parametrize("same_text", SAME_TEXT)
@pytest.mark.parametrize("text_id", TEXT_IDS)
def test_siglip_treats_same_reports_as_told_and_leaves_out_records_without_text(text_id, same_text):
    ecg, text = unit_vectors(6, 4), unit_vectors(6, 4, seed=1)
    found = siglip(ecg, text, pairs_of(*text_id, same_text=same_text), SCALE, BIAS)
    assert float(found) == pytest.approx(siglip_in_loops(ecg, text, text_id, same_text), rel=1e-5)


# --- both --------------------------------------------------------------------------------------------

LOSSES = {"info_nce": partial(contrastive.info_nce, temperature=TEMPERATURE)}
LOSSES["siglip"] = partial(contrastive.siglip, scale=SCALE, bias=BIAS)


@pytest.mark.parametrize("same_text", SAME_TEXT)
@pytest.mark.parametrize("name", LOSSES)
def test_a_record_without_text_neither_gives_nor_receives_a_gradient(name, same_text):
    ecg, text = unit_vectors(4, 5), unit_vectors(4, 5, seed=1)
    pairs = pairs_of(NO_TEXT, 1, NO_TEXT, 2, same_text=same_text)
    value, (d_ecg, d_text) = jax.value_and_grad(LOSSES[name], (0, 1))(ecg, text, pairs)
    for gradient in (d_ecg, d_text):
        assert not np.asarray(gradient)[[0, 2]].any() and np.asarray(gradient)[[1, 3]].any(axis=1).all()
    some = jnp.array([1, 3])
    assert float(value) == pytest.approx(float(LOSSES[name](ecg[some], text[some], pairs_of(1, 2))), rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_any_text_has_no_alignment_and_a_zero_gradient(name):
    x = unit_vectors(3, 4)
    value, gradient = jax.value_and_grad(LOSSES[name])(x, x, pairs_of(NO_TEXT, NO_TEXT, NO_TEXT))
    assert value == 0 and not np.asarray(gradient).any()


@pytest.mark.parametrize("name", LOSSES)
def test_an_ignored_pair_moves_neither_loss_nor_gradient(name):
    """Orthogonal vectors but one ECG and one report, which are alike by name alone."""
    ecg, text = unit_vectors(3, 6), unit_vectors(3, 6, seed=1)
    alike = np.eye(3, dtype=bool)
    alike[0, 1] = alike[1, 0] = True
    gradient = jax.jacobian(lambda cosines: LOSSES[name](cosines, jnp.eye(3), pairs_of(0, 1, 2, alike=alike)))
    found = np.asarray(gradient(ecg @ text.T))
    np.testing.assert_array_equal(found == 0, [[0, 1, 0], [1, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize("same_text", SAME_TEXT)
def test_both_losses_have_the_gradient_of_finite_differences(same_text):
    draw = np.random.default_rng(0)
    with jax.enable_x64():
        x, y = jnp.asarray(draw.normal(size=(2, 6, 4)))
        pairs = pairs_of(0, 1, NO_TEXT, 1, 2, 3, same_text=same_text)
        terms = (
            (lambda x, y, t: contrastive.info_nce(x, y, pairs, t), (x, y, jnp.float64(0.3))),
            (lambda x, y, t, b: contrastive.siglip(x, y, pairs, t, b), (x, y, jnp.float64(3.0), jnp.float64(-1.0))),
        )
        for term, arguments in terms:
            check_grads(jax.jit(term), arguments, order=1, modes=("rev",), atol=1e-6, rtol=1e-6, eps=1e-5)
