"""CG-DMER's alignment: the loss by name, same and nearly same reports, and its own lighter mask."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.methods.losses import contrastive
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.masking.words import Text
from tests.methods.conftest import OTHER, WHOLE
from tests.methods.switched import changed, run, terms_of


@pytest.mark.parametrize("same_text", ["ignored", "positives"])
@pytest.mark.parametrize("name", ["info_nce", "siglip"])
def test_alignment_is_the_named_loss_of_the_vectors_with_same_reports_treated_as_told(
    name, same_text, points, variables, patches, batch, draws
):
    method = changed(alignment=name, same_text=same_text)
    params = variables.params | {"alignment_bias": jnp.float32(-1.5)} if name == "siglip" else variables.params
    names = ("align", "temperature")
    found = terms_of(method, names, Variables(params, {}), draws)(patches, batch)
    pairs = contrastive.pair_up(batch.text_id, None, same_text=same_text)
    learned = (jnp.float32(1 / 0.07), jnp.float32(-1.5)) if name == "siglip" else (jnp.float32(0.07),)
    expected = getattr(contrastive, name)(*points[0], pairs, *learned)
    np.testing.assert_allclose(found["align"], expected, rtol=1e-4)
    assert found["temperature"] == pytest.approx(0.07)


def test_siglip_starts_at_a_factor_of_ten_and_a_bias_of_minus_log_batch(batch):
    def start(key):
        params = changed(alignment="siglip").init(key, batch).params
        return params["log_inverse_temperature"], params["alignment_bias"]

    log_factor, bias = run(start, jax.random.key(0))
    assert np.exp(log_factor) == pytest.approx(10)
    assert float(bias) == pytest.approx(-np.log(8))


def test_a_temperature_that_passed_its_bound_is_the_bound_and_the_loss_leads_it_back(variables, patches, batch, draws):
    """At 1/100 the pairs of untrained vectors cost much: a smaller factor would cost less."""
    alone = changed(weight_ecg=0.0, weight_text=0.0, weight_disentangle=0.0)

    def loss(log_inverse):
        params = variables.params | {"log_inverse_temperature": log_inverse}
        value, aux = alone.loss_of_patches(Variables(params, {}), patches, batch, draws)
        return value, aux.terms["temperature"]

    gradient, temperature = run(jax.grad(loss, has_aux=True), jnp.log(100.0) + 1)
    np.testing.assert_allclose(temperature, 0.01, rtol=1e-6)
    assert gradient > 0.1


def test_near_duplicates_are_no_negatives_from_the_threshold_on(variables, patches, batch, draws):
    """OTHER's report is made WHOLE's with one word more: 6 of 7 words in common (the twin's too)."""
    words = np.array(batch.tokens)
    words[WHOLE, 1:7] = words[1, 1:7] = np.arange(10, 16)
    words[OTHER, :9] = [2, *range(10, 17), 3]
    words[OTHER, 9:] = 0
    near = batch._replace(tokens=jnp.asarray(words), token_mask=jnp.asarray(words > 0))
    found = {
        threshold: terms_of(changed(near_duplicate=threshold), ("align",), variables, draws)(patches, near)["align"]
        for threshold in (0.85, 0.9, 1.0)
    }
    assert found[0.9] == pytest.approx(float(found[1.0]), rel=1e-6)
    assert found[0.85] < found[1.0] - 1e-3  # fewer negatives


def test_reports_that_statement_dropout_made_equal_are_no_negatives(variables, patches, batch, draws):
    """Alignment reads the same words of WHOLE's and OTHER's reports; without dropout the text number decides."""
    read = np.array(draws.aligned_text.tokens)
    length = np.array(draws.aligned_text.length)
    read[OTHER], length[OTHER] = read[WHOLE], length[WHOLE]
    same = draws._replace(aligned_text=Text(jnp.asarray(read), jnp.asarray(length)))
    found = {
        dropout: terms_of(changed(statement_dropout=dropout), ("align",), variables, same)(patches, batch)["align"]
        for dropout in (0.0, 0.5)
    }
    assert found[0.5] < found[0.0] - 1e-3  # fewer negatives, and those gone were as near as the positive


def test_alignment_reads_a_second_pass_over_more_tokens_when_its_mask_is_lighter(
    variables, patches, batch, draws, plain
):
    """A quarter hidden: the first two thirds of what reconstruction hides are read, the rest is not."""
    names = ("ecg", "text", "align", "disentangle")
    terms = terms_of(changed(align_mask_ratio=0.25), names, variables, draws)
    first = terms(patches, batch)
    for name in ("ecg", "text"):
        np.testing.assert_allclose(first[name], plain.terms[name], rtol=1e-5)
    assert abs(float(first["align"] - plain.terms["align"])) > 1e-3
    assert abs(float(first["disentangle"] - plain.terms["disentangle"])) > 1e-6
    n = int(draws.hidden.length[WHOLE])
    read, unread = draws.hidden.index[WHOLE, round(n * 2 / 3) - 1], draws.hidden.index[WHOLE, round(n * 2 / 3)]
    moved = terms(patches.at[WHOLE, read].add(3.0), batch)
    assert moved["align"] != first["align"] and moved["disentangle"] != first["disentangle"]
    moved = terms(patches.at[WHOLE, unread].add(3.0), batch)
    assert moved["align"] == first["align"] and moved["disentangle"] == first["disentangle"]
    assert moved["ecg"] != first["ecg"]
