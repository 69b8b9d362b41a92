"""C-MELT's loss against a second derivation in NumPy float64; what is hidden, and which term reads what."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.methods.protocol import Variables
from tests.methods import numpy_cmelt as plain
from tests.methods.cmelt_small import CONFIG, PATCH, make_cmelt, weights_of, with_negatives
from tests.methods.conftest import LENGTH, NO_REPORT, SAMPLES, assert_same_bits
from tests.methods.slopes import assert_slopes, in_float64

N_PATCHES = SAMPLES // PATCH


@pytest.fixture(scope="module")
def cmelt():
    return make_cmelt()


@pytest.fixture(scope="module")
def found(batch):
    return with_negatives(batch)


@pytest.fixture(scope="module")
def weights(cmelt, found):
    return weights_of(cmelt, found)


@pytest.fixture(scope="module")
def drawn(cmelt, found):
    return jax.jit(cmelt.draw)(jax.random.key(2), found, jnp.float32(0))


@pytest.fixture(scope="module")
def graded(cmelt):
    """(parameters, what the encoder sees, batch, draws) -> ((loss, terms), gradient)."""

    def loss(params, patches, batch, draws):
        value, aux = cmelt.loss_of_patches(Variables(params, {}), patches, batch, draws)
        return value, aux.terms

    return jax.jit(jax.value_and_grad(loss, has_aux=True))


@pytest.fixture(scope="module")
def patches(found, drawn):
    """What the encoder sees: millivolts of the leads that are not masked."""
    seen = [
        plain.millivolts(np.asarray(found.signal[i]), np.flatnonzero(drawn.lead_mask[i]), LENGTH[i])
        for i in range(len(LENGTH))
    ]
    return jnp.asarray(np.stack(seen).reshape(len(seen), 12, N_PATCHES, PATCH).transpose(0, 2, 3, 1), jnp.float32)


@pytest.fixture(scope="module")
def step(graded, weights, patches, found, drawn):
    return graded(weights.params, patches, found, drawn)


def tokens_in(slots, record) -> list[int]:
    return [int(n) for n in slots.index[record][: int(slots.length[record])]]


def derived_terms(p, found, drawn):
    """The terms for these parameters, record by record in float64."""
    read, masked = drawn.read, drawn.masked
    recordings, words, matches, points = [], [], [], []
    for i in range(len(LENGTH)):
        signal, recorded = np.asarray(found.signal[i]), np.flatnonzero(found.lead_mask[i])
        kept, hidden = tokens_in(drawn.kept, i), tokens_in(drawn.hidden, i)
        seen = plain.millivolts(signal, np.flatnonzero(drawn.lead_mask[i]), LENGTH[i])
        ecg = plain.dense(plain.ecg_tokens(seen, kept, N_PATCHES, p, CONFIG.ecg.heads), p["projection_ecg"])
        report = np.asarray(read.tokens[i])[: int(read.length[i])].copy()
        at = tokens_in(masked.slots, i)
        labels = report[at]
        report[at] = np.asarray(masked.replacement[i])[: len(at)]
        text = np.zeros((0, CONFIG.fusion.width))
        if len(report):
            text = plain.dense(plain.text_tokens(report, p, CONFIG.text.heads), p["projection_text"])
        middle, last, last_text = plain.fused(ecg, text, p, CONFIG.fusion.heads)
        target = plain.standardised(signal, LENGTH[i])
        for n, values in plain.drawn(middle, kept, hidden, N_PATCHES, p, CONFIG.decoder.heads).items():
            wanted = target[recorded, n * PATCH : (n + 1) * PATCH]
            recordings.append(((values.reshape(PATCH, 12).T[recorded] - wanted) ** 2).mean())
        words += plain.word_losses(last_text, at, labels, p) if at else []
        if len(report):
            logits = plain.match_logits(last, last_text, p)
            own = 0 if read.replaced[i] else 1
            matches.append(np.log(np.exp(logits).sum()) - logits[own])
        vectors = [
            np.tanh(plain.dense(x[0], p[f"pooler_{m}"])) if len(x) else None for m, x in (("ecg", ecg), ("text", text))
        ]
        points.append(vectors)
    scale, bias = np.exp(p["log_alignment_scale"]), p["alignment_bias"]
    ids = np.asarray(found.text_id), np.asarray(read.text_id)
    align = plain.pairwise(*zip(*points, strict=True), *ids, scale, bias)
    return {"ecg": np.mean(recordings), "text": np.mean(words), "match": np.mean(matches), "align": align}


@pytest.fixture(scope="module")
def expected(weights, found, drawn):
    return derived_terms(in_float64(weights.params), found, drawn)


def test_each_term_is_that_of_a_second_derivation_in_float64(step, expected, drawn):
    (loss, terms), _ = step
    assert 0 < int(drawn.read.replaced.sum()) < 7
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, err_msg=name)
    assert terms.keys() == {*expected, "alignment_scale", "alignment_bias"}
    np.testing.assert_allclose(loss, sum(expected.values()), rtol=1e-5)


def test_each_part_s_gradient_is_the_slope_of_the_derivation_in_float64(step, weights, found, drawn):
    def derived(params):
        return sum(derived_terms(params, found, drawn).values())

    assert_slopes(derived, in_float64(weights.params), in_float64(step[1]))


def test_the_step_of_a_batch_reads_what_the_derivation_read(cmelt, weights, found, drawn, step):
    value, _ = jax.jit(lambda v, b, d: cmelt.loss(v, b, d, train=True))(weights, found, drawn)
    np.testing.assert_allclose(value, step[0][0], rtol=1e-5)


def test_every_parameter_gets_a_gradient(step):
    for path, gradient in jax.tree.leaves_with_path(step[1]):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(gradient).all(), name
        # A key's bias shifts all scores of a query alike: softmax does not see it.
        assert np.abs(gradient).max() > 1e-7 or name.endswith("['key']['bias']"), name


def test_nan_in_every_hidden_token_changes_no_bit_of_loss_and_gradient(graded, weights, patches, found, drawn, step):
    kept = np.zeros(patches.shape[:2], bool)
    for record in range(len(kept)):
        kept[record, tokens_in(drawn.kept, record)] = True
    assert 0.1 < kept.mean() < 0.4
    hidden = graded(weights.params, jnp.where(kept[:, :, None, None], patches, jnp.nan), found, drawn)
    assert_same_bits(hidden, step)


def test_the_target_is_the_clean_signal_whatever_leads_the_encoder_sees(graded, weights, patches, found, drawn):
    """With a decoder that says 0 the term is the mean square of the standardised recording where it is hidden."""
    params = jax.tree.map(lambda x: x, weights.params)
    params["ecg_decoder"]["samples"] = jax.tree.map(jnp.zeros_like, params["ecg_decoder"]["samples"])
    squares = []
    for i in range(len(LENGTH)):
        target = plain.standardised(np.asarray(found.signal[i]), LENGTH[i])[np.flatnonzero(found.lead_mask[i])]
        squares += [(target[:, n * PATCH : (n + 1) * PATCH] ** 2).mean() for n in tokens_in(drawn.hidden, i)]
    assert int(drawn.lead_mask.sum()) < 0.8 * int(found.lead_mask.sum())
    (_, terms), _ = graded(params, patches, found, drawn)
    np.testing.assert_allclose(terms["ecg"], np.mean(squares), rtol=1e-5)


def test_a_record_without_report_is_in_the_term_of_recordings_alone(graded, weights, patches, found, drawn, step):
    assert found.text_id[NO_REPORT] == NO_TEXT
    (_, moved), _ = graded(weights.params, patches.at[NO_REPORT].multiply(-1), found, drawn)
    terms = step[0][1]
    assert abs(float(moved["ecg"] - terms["ecg"])) > 1e-5
    for name in ("text", "match", "align"):
        np.testing.assert_allclose(moved[name], terms[name], rtol=1e-6)


def test_a_batch_in_parts_has_loss_and_gradient_of_the_whole(weights, patches, found, drawn, step):
    (loss, terms), gradient = step
    parted = make_cmelt(microbatches=4)

    def value_of(params):
        value, aux = parted.loss_of_patches(Variables(params, {}), patches, found, drawn)
        return value, aux.terms

    (parts, others), in_parts = jax.jit(jax.value_and_grad(value_of, has_aux=True))(weights.params)
    np.testing.assert_allclose([parts, *others.values()], [loss, *terms.values()], rtol=1e-5)
    size = np.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient)))
    assert size > 0.1
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * size), gradient, in_parts)
