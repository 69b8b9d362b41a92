"""The text side of CG-DMER: records without a report, same reports, masked words."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.methods.zero_shot import class_vectors
from tests.methods.conftest import CONFIG, NO_REPORT, TWIN, VOCABULARY, WHOLE, assert_same_bits, make_method

TEXT_TERMS = ("text", "align", "disentangle")


def terms(compiled, variables, batch, draws):
    return {name: float(value) for name, value in compiled.loss_of_batch(variables.params, batch, draws)[1].items()}


def silent(batch, *records):
    """The batch as the loader gives it when these records have no clinical text."""
    at = jnp.asarray(records)
    return batch._replace(
        text_id=batch.text_id.at[at].set(NO_TEXT),
        tokens=batch.tokens.at[at].set(0),
        token_mask=batch.token_mask.at[at].set(False),
    )


def silent_draws(draws, *records):
    slots = draws.masked.slots
    length = slots.length.at[jnp.asarray(records)].set(0)
    return draws._replace(masked=draws.masked._replace(slots=slots._replace(length=length)))


def test_a_record_without_text_still_trains_reconstruction(compiled, variables, patches, batch, draws, plain):
    moved = compiled.outcome(variables.params, patches.at[NO_REPORT].multiply(1.5), batch, draws)
    assert moved.terms["ecg"] != plain.terms["ecg"]
    assert np.asarray(plain.gradients.patches)[NO_REPORT].any()


def test_the_ecg_of_a_record_without_text_never_moves_alignment_nor_language(
    compiled, variables, patches, batch, draws, plain
):
    """Its own ECG features are in the ECG side of L_dis; alignment and language know nothing of it."""
    moved = compiled.outcome(variables.params, patches.at[NO_REPORT].multiply(1.5), batch, draws)
    assert moved.terms["align"] == plain.terms["align"]
    assert moved.terms["text"] == plain.terms["text"]


def test_what_stands_in_the_tokens_of_a_record_without_text_moves_no_term(compiled, variables, batch, draws):
    plain = terms(compiled, variables, batch, draws)
    scribbled = batch._replace(tokens=batch.tokens.at[NO_REPORT].set(9))
    assert terms(compiled, variables, scribbled, draws) == plain
    masked = scribbled._replace(token_mask=batch.token_mask.at[NO_REPORT, :5].set(True))
    moved = terms(compiled, variables, masked, draws)
    assert moved["align"] == plain["align"] and moved["disentangle"] == plain["disentangle"]


def test_a_batch_without_any_text_has_reconstruction_and_ecg_disentangling_alone(compiled, variables, batch, draws):
    everyone = range(len(batch.text_id))
    no_text, fixed = silent(batch, *everyone), silent_draws(draws, *everyone)
    found = compiled.outcome(variables.params, compiled.patches(no_text, fixed.lead_mask)[0], no_text, fixed)
    assert found.terms["align"] == 0 and found.terms["text"] == 0 and found.terms["ecg"] > 0
    for path, gradient in jax.tree.leaves_with_path(found.gradients.params):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(gradient).all(), name
        if "text" in name or "language" in name or "projector" in name:
            assert not np.asarray(gradient).any(), name


def test_identical_reports_are_never_each_others_negatives(compiled, variables, patches, batch, draws, plain):
    """Moving a twin's ECG moves the other twin's logits nowhere: its gradient through the pair is zero."""
    text_id = batch.text_id.at[:].set(batch.text_id[WHOLE])
    all_same = batch._replace(text_id=text_id)
    found = compiled.outcome(variables.params, patches, all_same, draws)
    assert found.terms["align"] == 0
    assert plain.terms["align"] > 0
    other = compiled.outcome(variables.params, patches, batch._replace(text_id=batch.text_id.at[TWIN].set(99)), draws)
    assert float(other.terms["align"]) > float(plain.terms["align"])


def test_masked_words_never_reach_the_alignment_nor_the_disentangling(compiled, variables, batch, draws):
    """Both read the unmasked pass: other replacements move the language term alone."""
    plain = terms(compiled, variables, batch, draws)
    other = draws._replace(masked=draws.masked._replace(replacement=(draws.masked.replacement + 1) % VOCABULARY))
    moved = terms(compiled, variables, batch, other)
    assert moved["text"] != plain["text"]
    assert {k: v for k, v in moved.items() if k != "text"} == {k: v for k, v in plain.items() if k != "text"}


def test_padding_of_a_report_never_reaches_its_embedding(compiled, variables, batch):
    plain = compiled.embed_text(variables, batch.tokens, batch.token_mask)
    scribbled = jnp.where(batch.token_mask, batch.tokens, 7)
    assert_same_bits(compiled.embed_text(variables, scribbled, batch.token_mask), plain)


def test_text_embeddings_have_length_one_and_depend_on_their_own_words_alone(compiled, variables, batch):
    plain = np.asarray(compiled.embed_text(variables, batch.tokens, batch.token_mask))
    np.testing.assert_allclose(np.linalg.norm(plain, axis=1), 1, atol=1e-5)
    np.testing.assert_array_equal(plain[TWIN], plain[WHOLE])
    moved = np.asarray(compiled.embed_text(variables, batch.tokens.at[WHOLE, 1].add(1), batch.token_mask))
    assert (moved[WHOLE] != plain[WHOLE]).any()
    np.testing.assert_array_equal(moved[1:], plain[1:])


def test_zero_shot_score_is_the_cosine_to_the_renormalised_mean_of_the_prompts(compiled, variables, batch):
    by_text = np.asarray(compiled.embed_text(variables, batch.tokens, batch.token_mask), np.float64)
    ecg = np.asarray(compiled.embed_ecg(variables, batch)["aligned"], np.float64)
    classes = [[0, 2, 3], [4, 5, 7]]
    found = ecg @ class_vectors(by_text[np.array(classes)]).T
    for klass, prompts in enumerate(classes):
        mean = by_text[prompts].mean(0)
        np.testing.assert_allclose(found[:, klass], ecg @ mean / np.linalg.norm(mean), atol=1e-5)


def test_statement_dropout_shortens_what_alignment_reads_and_leaves_the_masked_words_alone(compiled, variables, batch):
    every = dataclasses.replace(CONFIG, statement_dropout=0.9)
    stops = batch._replace(tokens=jnp.where(batch.token_mask & (batch.tokens % 3 == 0), 9, batch.tokens))
    drawn = jax.jit(make_method(every).draw)(jax.random.key(0), stops, jnp.float32(1))
    whole = jax.jit(make_method(CONFIG).draw)(jax.random.key(0), stops, jnp.float32(1))
    np.testing.assert_array_equal(whole.aligned_text.tokens, stops.tokens)
    assert (drawn.aligned_text.length < whole.aligned_text.length).any()
    assert_same_bits(drawn.masked, whole.masked)
    losses = [compiled.loss_of_batch(variables.params, stops, d)[1] for d in (drawn, whole)]
    assert losses[0]["text"] == losses[1]["text"]
    assert losses[0]["align"] != losses[1]["align"]
