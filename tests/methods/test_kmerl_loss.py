"""K-MERL's loss against a second derivation in NumPy float64, and what moves which term and which parameter."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.data.text import entities as extracted
from cgdmer_jax.methods.losses import entities
from cgdmer_jax.methods.protocol import Variables
from tests.methods import numpy_kmerl as plain
from tests.methods.conftest import NO_REPORT, ONE_LEAD, PATCH, SAMPLES, SHORT, WHOLE
from tests.methods.kmerl_small import CONFIG, SHARES, STATES, TOKENS, make_kmerl, weights_of, with_findings
from tests.methods.slopes import assert_slopes, in_float64


@pytest.fixture(scope="module")
def kmerl():
    return make_kmerl(lead_masking=0.9)


@pytest.fixture(scope="module")
def found(batch):
    return with_findings(batch)


@pytest.fixture(scope="module")
def weights(kmerl, found):
    return weights_of(kmerl, found)


@pytest.fixture(scope="module")
def drawn(kmerl, found):
    return jax.jit(kmerl.draw)(jax.random.key(2), found, jnp.float32(0))


def terms_of(method, weights, batch, draws):
    def loss(params, batch, draws):
        value, aux = method.loss(Variables(params, {}), batch, draws, train=True)
        return value, aux.terms

    return jax.jit(jax.value_and_grad(loss, has_aux=True))(weights.params, batch, draws)


@pytest.fixture(scope="module")
def step(kmerl, weights, found, drawn):
    """((loss, terms), gradient)."""
    return terms_of(kmerl, weights, found, drawn)


def derived_outputs(p, found, drawn):
    """Vectors of recordings and reports, and logits, for these parameters, record by record in float64."""
    names = np.stack([plain.text_vector(words, p, CONFIG.text.heads) for words in TOKENS])
    ecg, text, logits = [], [], []
    for record in range(len(found.row)):
        leads = np.flatnonzero(drawn.lead_mask[record])
        index = np.asarray(drawn.kept.index[record][: drawn.kept.length[record]])
        kept = {(int(i) // (SAMPLES // PATCH), int(i) % (SAMPLES // PATCH)) for i in index}
        tokens = plain.scaled(np.asarray(found.signal[record]), leads, int(found.length[record]), PATCH)
        x = plain.ecg_tokens(tokens, kept, p, CONFIG.ecg.heads, SAMPLES // PATCH)
        words = np.asarray(found.tokens[record])[np.asarray(found.token_mask[record])]
        vector = plain.text_vector(words, p, CONFIG.text.heads) if len(words) else np.zeros(CONFIG.text.width)
        ecg.append(plain.unit(plain.dense(x.mean(0), p["ecg_out"])))
        text.append(plain.unit(plain.dense(vector, p["text_out"])))
        logits.append(plain.answers(names, x, p, CONFIG.query.heads))
    return np.stack(ecg), np.stack(text), np.stack(logits)


def derived_terms(ecg, text, logits, found):
    return {
        "align": plain.contrast(ecg, text, np.asarray(found.text_id), CONFIG.temperature),
        "entities": plain.supervision(logits, STATES, SHARES, CONFIG.positive_weight, "ignored"),
    }


@pytest.fixture(scope="module")
def derived(weights, found, drawn):
    return derived_outputs(in_float64(weights.params), found, drawn)


def test_each_part_s_gradient_is_the_slope_of_the_derivation_in_float64(step, weights, found, drawn):
    def total(params):
        return sum(derived_terms(*derived_outputs(params, found, drawn), found).values())

    assert_slopes(total, in_float64(weights.params), in_float64(step[1]))


def test_each_term_is_that_of_a_second_derivation_in_float64(step, derived, found):
    (loss, terms), _ = step
    expected = derived_terms(*derived, found)
    assert terms.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-5, err_msg=name)
    np.testing.assert_allclose(loss, sum(expected.values()), rtol=1e-5)


@pytest.mark.parametrize(("hedged", "most"), [("present", 10.0), ("absent", 3.0), ("ignored", 1.0)])
def test_what_is_hedged_and_the_weight_of_rare_findings(hedged, most, derived):
    logits = derived[2]
    weight = entities.positive_weights(jnp.array(SHARES), most)
    assert most > 1 or np.all(np.asarray(weight) == 1)
    term = entities.entity_loss(jnp.asarray(logits, jnp.float32), jnp.asarray(STATES), weight, hedged=hedged)
    np.testing.assert_allclose(term, plain.supervision(logits, STATES, SHARES, most, hedged), rtol=1e-5)


def test_the_states_are_those_that_the_extractor_writes():
    for name in ("ABSENT", "NOT_MENTIONED", "PRESENT", "UNCERTAIN"):
        assert getattr(entities, name) == getattr(extracted, name)


def test_every_module_gets_a_gradient(step):
    for path, gradient in jax.tree.leaves_with_path(step[1]):
        assert np.any(np.asarray(gradient) != 0), jax.tree_util.keystr(path)


def test_each_term_teaches_what_it_reads(kmerl, weights, found, drawn):
    """The contrast does not reach the query network, nor the entities the maps into the aligned space."""
    for changed, silent in (
        ({"weight_entities": 0.0}, {"query_decoder"}),
        ({"weight_align": 0.0}, {"ecg_out", "text_out"}),
    ):
        (_, terms), gradient = terms_of(make_kmerl(**changed), weights, found, drawn)
        assert len(terms) == 1
        still = {name for name, part in gradient.items() if not any(np.any(x) for x in jax.tree.leaves(part))}
        assert still == silent


def test_a_report_that_says_nothing_and_a_missing_one_move_no_term(kmerl, weights, found, drawn, step):
    (_, terms), _ = step
    for record, name in ((NO_REPORT, "align"), (NO_REPORT, "entities"), (ONE_LEAD, "entities")):
        other = found._replace(signal=found.signal.at[record].multiply(-1))
        (_, moved), _ = terms_of(kmerl, weights, other, drawn)
        np.testing.assert_allclose(moved[name], terms[name], rtol=1e-6)
    other = found._replace(signal=found.signal.at[WHOLE].multiply(-1))
    (_, moved), _ = terms_of(kmerl, weights, other, drawn)
    assert all(abs(float(moved[name] - terms[name])) > 1e-4 for name in terms)


def test_hidden_segments_and_lost_leads_reach_nothing(kmerl, weights, found, drawn):
    """NaN in every token that is not kept changes no bit of loss and gradient."""
    patches, _ = kmerl.patches(found, drawn.lead_mask)
    kept = np.zeros(patches.shape[:2], bool)
    for record, slots in enumerate(np.asarray(drawn.kept.index)):
        kept[record, slots[: int(drawn.kept.length[record])]] = True
    assert not kept[SHORT].all() and 0.05 < kept.mean() < 0.8

    @jax.jit
    def graded(params, patches):
        return jax.value_and_grad(lambda p: kmerl.loss_of_patches(Variables(p, {}), patches, found, drawn)[0])(params)

    clean = graded(weights.params, patches)
    dirty = graded(weights.params, jnp.where(kept[:, :, None], patches, jnp.nan))
    jax.tree.map(np.testing.assert_array_equal, clean, dirty)


def test_a_batch_in_parts_has_loss_and_gradient_of_the_whole(weights, found, drawn, step):
    (loss, terms), gradient = step
    (parts, others), in_parts = terms_of(make_kmerl(lead_masking=0.9, microbatches=4), weights, found, drawn)
    np.testing.assert_allclose([parts, *others.values()], [loss, *terms.values()], rtol=1e-5)
    size = np.sqrt(sum(float((leaf**2).sum()) for leaf in jax.tree.leaves(gradient)))
    assert size > 0.1
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-5 * size), gradient, in_parts)
