"""Visible input reaches the encoder; absent leads, padding and hidden patches leave no trace."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.masking.slots import Slots, all_valid, valid_tokens
from tests.methods.conftest import (
    LENGTH,
    ONE_LEAD,
    PATCH,
    SAMPLES,
    SHORT,
    SHORT_AND_FEW,
    THREE_LEADS,
    WHOLE,
    assert_same_bits,
)

N_PATCHES = SAMPLES // PATCH


def invalid_as(value, patches, lead_mask):
    """The patches with `value` in every one of an absent lead or beyond the length."""
    valid = valid_tokens(lead_mask, jnp.asarray(LENGTH), N_PATCHES, PATCH).reshape(len(patches), -1)
    return jnp.where(valid[:, :, None], patches, value)


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e4])
def test_nan_in_absent_leads_and_padding_leaves_loss_and_every_gradient_bit_identical(
    value, compiled, variables, patches, batch, draws, plain
):
    moved = compiled.outcome(variables.params, invalid_as(value, patches, draws.lead_mask), batch, draws)
    assert np.isfinite(moved.loss)
    assert_same_bits(moved, plain)


def test_dead_slots_may_name_any_token(compiled, variables, patches, batch, draws, plain):
    """Neither encoder, decoder nor loss looks at what a dead slot points to."""

    def renamed(slots, token):
        return slots._replace(index=jnp.where(slots.live(), slots.index, token))

    other = draws._replace(kept=renamed(draws.kept, 77), hidden=renamed(draws.hidden, 5))
    assert_same_bits(compiled.outcome(variables.params, patches, batch, other), plain)


def test_nan_in_absent_leads_and_padding_leaves_every_embedding_bit_identical(compiled, variables, patches, batch):
    slots = all_valid(valid_tokens(batch.lead_mask, batch.length, N_PATCHES, PATCH))
    plain = compiled.embed_patches(variables, patches, slots)
    moved = compiled.embed_patches(variables, invalid_as(jnp.nan, patches, batch.lead_mask), slots)
    assert all(np.isfinite(feature).all() for feature in moved.values())
    assert_same_bits(moved, plain)


def test_every_gradient_is_finite_and_reaches_every_parameter(plain):
    for path, gradient in jax.tree.leaves_with_path(plain.gradients.params):
        name = jax.tree_util.keystr(path)
        assert np.isfinite(gradient).all(), name
        # A key's bias shifts all scores of a query alike: softmax does not see it.
        if not name.endswith("['key']['bias']"):
            assert np.abs(gradient).max() > 1e-7, name


def absent_leads_hold(batch, value):
    """The batch with `value` microvolts where a lead is absent or a sample lies beyond the length."""
    live = batch.lead_mask[:, :, None] & (jnp.arange(SAMPLES) < batch.length[:, None, None])
    return batch._replace(signal=jnp.where(live, batch.signal, jnp.int16(value)))


@pytest.mark.parametrize("value", [0, 30_000, -7])
def test_absent_lead_samples_never_change_the_loss(value, compiled, variables, batch, draws):
    plain = compiled.loss_of_batch(variables.params, batch, draws)
    assert_same_bits(compiled.loss_of_batch(variables.params, absent_leads_hold(batch, value), draws), plain)


@pytest.mark.parametrize("value", [0, 30_000, -7])
def test_absent_lead_samples_never_change_the_embedding(value, compiled, variables, batch):
    plain = compiled.embed_ecg(variables, batch)
    assert_same_bits(compiled.embed_ecg(variables, absent_leads_hold(batch, value)), plain)


def test_a_dropped_lead_is_as_if_it_had_never_been_recorded(compiled, variables, batch, dropped):
    """Lead dropout takes a lead from the scale, the tokens and the targets."""
    left = dropped.lead_mask
    never = batch._replace(lead_mask=left, signal=jnp.where(left[:, :, None], batch.signal, jnp.int16(0)))
    plain = compiled.loss_of_batch(variables.params, batch, dropped)
    assert_same_bits(compiled.loss_of_batch(variables.params, never, dropped), plain)


# --- hidden patches ----------------------------------------------------------------------------------


@pytest.mark.parametrize("record", [WHOLE, THREE_LEADS, SHORT, ONE_LEAD, SHORT_AND_FEW])
@pytest.mark.parametrize("slot", [0, -1])
def test_changing_a_hidden_patch_moves_only_its_own_error(record, slot, compiled, variables, patches, draws):
    slot = slot % int(draws.hidden.length[record])
    token = int(draws.hidden.index[record, slot])
    plain = compiled.insight(variables.params, patches, draws)
    moved = compiled.insight(variables.params, patches.at[record, token].add(3.0), draws)
    assert_same_bits(moved.parts, plain.parts)
    assert_same_bits(moved.predicted, plain.predicted)
    live = np.asarray(draws.hidden.live())
    differs = (np.asarray(moved.squared_error) != np.asarray(plain.squared_error)) & live
    assert np.argwhere(differs).tolist() == [[record, slot]]


@pytest.mark.parametrize("record", [WHOLE, THREE_LEADS, SHORT_AND_FEW])
def test_changing_a_hidden_patch_moves_the_loss_by_its_own_smooth_l1_alone(
    record, compiled, variables, patches, batch, draws, plain
):
    token = int(draws.hidden.index[record, 1])
    predicted = np.asarray(compiled.insight(variables.params, patches, draws).predicted[record, 1], np.float64)
    moved = compiled.outcome(variables.params, patches.at[record, token].add(3.0), batch, draws)

    def smooth_l1(target):
        error = np.abs(predicted - np.asarray(target, np.float64))
        return np.where(error < 1, error**2 / 2, error - 0.5).mean()

    target = patches[record, token]
    share = (smooth_l1(target + 3.0) - smooth_l1(target)) / float(draws.hidden.length.sum())
    assert float(moved.terms["ecg"] - plain.terms["ecg"]) == pytest.approx(share, abs=2e-7)
    for term in ("text", "align", "disentangle", "temperature"):
        assert moved.terms[term] == plain.terms[term]


def test_the_loss_feels_a_hidden_patch_as_a_target_and_in_no_other_way(compiled, variables, patches, draws, plain):
    """dL / d target = -clip(error, -1, 1) / (samples x live patches), for every hidden patch of every record."""
    insight = compiled.insight(variables.params, patches, draws)
    at = (np.arange(len(patches))[:, None], np.asarray(draws.hidden.index))
    live = np.asarray(draws.hidden.live())
    error = np.asarray(insight.predicted) - np.asarray(patches)[at]
    expected = -np.clip(error, -1, 1) / (PATCH * live.sum())
    found = np.asarray(plain.gradients.patches)[at]
    np.testing.assert_allclose(found[live], expected[live], atol=1e-9, rtol=1e-4)


def test_every_hidden_patch_may_change_without_any_trace_in_the_encoders(compiled, variables, patches, draws):
    """All of them at once: no token of the encoder, shared or specific, and no prediction moves a bit."""
    at = (jnp.arange(len(patches))[:, None], draws.hidden.index)
    value = jnp.where(draws.hidden.live()[:, :, None], -5.0, patches[at])
    plain = compiled.insight(variables.params, patches, draws)
    moved = compiled.insight(variables.params, patches.at[at].set(value), draws)
    live = np.asarray(draws.kept.live())
    for one, other in zip(moved.parts, plain.parts, strict=True):
        np.testing.assert_array_equal(np.asarray(one)[live], np.asarray(other)[live])
    assert_same_bits(moved.predicted, plain.predicted)


def test_changing_a_kept_patch_changes_the_predictions_of_its_own_record_alone(compiled, variables, patches, draws):
    token = int(draws.kept.index[WHOLE, 0])
    plain = compiled.insight(variables.params, patches, draws).predicted
    moved = compiled.insight(variables.params, patches.at[WHOLE, token].add(1.0), draws).predicted
    differs = (np.asarray(moved) != np.asarray(plain)).any(-1)
    assert differs[WHOLE].all()
    assert not np.delete(differs, WHOLE, axis=0).any()


def test_a_wholly_hidden_leads_reconstruction_changes_when_another_visible_lead_changes(
    compiled, variables, patches, draws
):
    """Leads V1..V6 hidden, a quarter of all tokens kept from the limb leads; one patch of lead II changes."""
    limb, chest = np.arange(0, 60, 2), np.arange(60, 120)
    rest = np.arange(1, 60, 2)
    kept = Slots(draws.kept.index.at[WHOLE].set(limb), draws.kept.length)
    hidden = Slots(draws.hidden.index.at[WHOLE].set(np.concatenate([chest, rest])), draws.hidden.length)
    fixed = draws._replace(kept=kept, hidden=hidden)
    lead_ii = 1 * N_PATCHES + 2
    assert lead_ii in limb
    plain = compiled.insight(variables.params, patches, fixed).predicted[WHOLE, :60]
    moved = compiled.insight(variables.params, patches.at[WHOLE, lead_ii].add(1.0), fixed).predicted[WHOLE, :60]
    assert (np.abs(np.asarray(moved - plain)).max(axis=1) > 1e-6).all()


# --- reconstruct -------------------------------------------------------------------------------------


def test_reconstruction_leaves_every_patch_that_is_not_hidden_as_it_was_measured(compiled, variables, batch, draws):
    found = compiled.reconstruct(variables, batch, draws)
    live = np.asarray(batch.lead_mask)[:, :, None] & (np.arange(SAMPLES) < LENGTH[:, None, None])
    measured_mv = np.where(live, np.asarray(batch.signal) / 1000, 0)
    shown = ~np.repeat(np.asarray(found.hidden), PATCH, axis=2)
    np.testing.assert_allclose(np.asarray(found.signal_mv)[shown], measured_mv[shown], atol=1e-5)
    assert np.asarray(found.hidden).sum((1, 2)).tolist() == draws.hidden.length.tolist()


def test_reconstruction_of_hidden_patches_is_the_decoders_prediction_in_millivolts(
    compiled, variables, patches, batch, draws
):
    found = np.asarray(compiled.reconstruct(variables, batch, draws).signal_mv).reshape(len(patches), -1, PATCH)
    predicted = compiled.insight(variables.params, patches, draws).predicted
    live = np.asarray(batch.lead_mask)[:, :, None] & (np.arange(SAMPLES) < LENGTH[:, None, None])
    for record in (WHOLE, THREE_LEADS, SHORT):
        scale_mv = np.std(np.asarray(batch.signal)[record][live[record]] / 1000)
        for slot in (0, 5, 21):
            token = int(draws.hidden.index[record, slot])
            np.testing.assert_allclose(found[record, token], predicted[record, slot] * scale_mv, rtol=1e-4, atol=1e-5)


def test_the_batch_holds_what_these_tests_are_about(batch, draws, patches):
    filled = np.isnan(invalid_as(jnp.nan, patches, draws.lead_mask)).any(-1)
    assert filled[THREE_LEADS].sum() == 9 * 10
    assert filled[SHORT].sum() == 12 * 4
    assert filled[SHORT_AND_FEW].sum() == 120 - 4 * 3
    assert draws.kept.length.tolist() == [30, 30, 8, 18, 2, 3, 30, 25]  # a quarter of 120 120 30 72 10 12 120 100
    assert draws.hidden.length.tolist() == [90, 90, 22, 54, 8, 9, 90, 75]
