"""Energy of hidden samples that each scaling gives away, and the scale that comes from visible ones alone."""

import dataclasses
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.models.ecg.scaling import SCALINGS, VISIBLE
from tests.methods.cmelt_small import make_cmelt
from tests.methods.conftest import CONFIG, LENGTH, PATCH, SAMPLES, make_method
from tests.methods.kmerl_small import make_kmerl
from tests.methods.merl_small import make_merl

N_PATCHES = SAMPLES // PATCH
RECORDS = 400
TELLS = {"record_std": True, "lead_std": True, "fixed_mv": False, VISIBLE: False}


def scaled_by(name: str, **fields):
    return make_method(dataclasses.replace(CONFIG, scaling=name, **fields))


def kept_of(draws) -> np.ndarray:
    return np.asarray(draws.kept.among(12 * N_PATCHES))


def hidden_samples(draws) -> np.ndarray:
    """[record, lead, time]"""
    tokens = np.asarray(draws.hidden.among(12 * N_PATCHES))
    return np.repeat(tokens, PATCH, axis=1).reshape(len(tokens), 12, SAMPLES)


@pytest.fixture(scope="module")
def loud_or_quiet(batch):
    """(recordings whose hidden samples are loud or quiet whatever their visible ones are, draws)."""
    draw = np.random.default_rng(0)
    many = jax.tree.map(lambda x: jnp.repeat(x[:1], RECORDS, axis=0), batch)
    draws = make_method(CONFIG).draw(jax.random.key(0), many, jnp.float32(0))
    loudness = np.exp(draw.normal(0, 0.5, (2, RECORDS, 1, 1)))
    noise_uv = draw.normal(0, 300, (RECORDS, 12, SAMPLES)) * np.where(hidden_samples(draws), *loudness)
    return many._replace(signal=jnp.asarray(noise_uv, jnp.int16)), draws


def told(name: str, batch: Batch, draws) -> float:
    """R2 on other records of the log energy of all hidden samples, from that of the visible ones and its complement.

    The complement is what would be left if the squares of all samples had the sum that unit variance gives them.
    """
    patches = scaled_by(name).patches(batch, draws.lead_mask, draws.hidden)[0]
    energy = np.asarray(patches, np.float64) ** 2
    kept = kept_of(draws)[:, :, None]
    visible, hidden = np.where(kept, energy, 0).sum((1, 2)), np.where(kept, 0, energy).sum((1, 2))
    left = np.maximum(energy[0].size - visible, 1.0)
    x = np.stack([np.ones(len(visible)), np.log(visible), np.log(left)], axis=1)
    y, fitted, other = np.log(hidden), slice(0, RECORDS // 2), slice(RECORDS // 2, None)
    weights = np.linalg.lstsq(x[fitted], y[fitted], rcond=None)[0]
    return 1 - np.mean((x[other] @ weights - y[other]) ** 2) / y[other].var()


@pytest.mark.parametrize("name", [*SCALINGS, VISIBLE])
def test_how_much_of_the_energy_of_hidden_samples_the_visible_ones_tell(name, loud_or_quiet):
    """A scale in which hidden samples have a share tells nearly all of it; no other scale tells any of it."""
    found = told(name, *loud_or_quiet)
    assert (found > 0.99) if TELLS[name] else (found < 0.05), found


def test_the_amplitude_that_each_token_is_told_tells_the_energy_of_what_is_hidden_in_its_lead(loud_or_quiet):
    batch, draws = loud_or_quiet
    told = np.asarray(scaled_by("fixed_mv", scale_feature=True).patches(batch, draws.lead_mask, draws.hidden)[0])
    of_lead = told.astype(np.float64).reshape(RECORDS, 12, N_PATCHES, PATCH + 1)
    kept = kept_of(draws).reshape(RECORDS, 12, N_PATCHES, 1)
    energy, amplitude = of_lead[..., :-1] ** 2, np.exp(of_lead[:, :, 0, -1])
    visible, hidden = (np.where(chosen, energy, 0).sum((2, 3)) for chosen in (kept, ~kept))
    some = (hidden > 0) & (hidden > 0.05 * visible)  # else what is left is the rounding of float32
    left, wanted = np.log(SAMPLES * amplitude[some] ** 2 - visible[some]), np.log(hidden[some])
    assert some.sum() > 1000
    assert 1 - np.mean((left - wanted) ** 2) / wanted.var() > 0.99  # the mean of a lead is near 0, not 0


def test_amplitude_of_what_one_pass_sees_is_not_told_to_a_pass_that_sees_more():
    with pytest.raises(CgdmerError, match=r"scale_feature with scaling visible_samples.*make the two ratios equal"):
        dataclasses.replace(CONFIG, scaling=VISIBLE, scale_feature=True, align_mask_ratio=CONFIG.mask_ratio / 2)


@pytest.mark.parametrize("name", [*SCALINGS, VISIBLE])
def test_hidden_microvolts_move_a_bit_of_what_the_encoder_sees_where_they_share_in_the_scale(name, batch, draws):
    method = scaled_by(name, scale_feature=name == VISIBLE)  # the amplitude of a lead is told of the same samples
    louder = batch._replace(signal=jnp.where(hidden_samples(draws), batch.signal * 3, batch.signal))
    seen, other = (
        np.asarray(method.patches(one, draws.lead_mask, draws.hidden)[0])[kept_of(draws)] for one in (batch, louder)
    )
    assert (seen != other).any() == TELLS[name]


def test_hidden_microvolts_are_a_target_and_move_no_bit_of_what_aligns(batch, variables, draws):
    method = scaled_by(VISIBLE)

    @jax.jit
    def terms(batch):
        found = method.loss(variables, batch, draws, train=True)[1].terms
        return found["align"], found["ecg"]

    louder = batch._replace(signal=jnp.where(hidden_samples(draws), batch.signal * 3, batch.signal))
    (align, ecg), (other_align, other_ecg) = terms(batch), terms(louder)
    assert align == other_align and other_ecg > 1.5 * ecg


def test_in_use_where_nothing_is_hidden_the_visible_scale_is_that_of_the_record(batch):
    one, other = (scaled_by(name).patches(batch, batch.lead_mask)[0] for name in (VISIBLE, "record_std"))
    np.testing.assert_array_equal(one, other)


def test_what_is_drawn_comes_back_in_millivolts_by_the_visible_scale(batch, variables, dropped):
    method, draws = scaled_by(VISIBLE), dropped

    @jax.jit
    def decoded(batch):
        apply = partial(method.network.apply, {"params": variables.params})
        patches, valid = method.patches(batch, draws.lead_mask, draws.hidden)
        parts = apply(patches, draws.kept, method="ecg_parts")
        predicted = apply(parts, draws.kept, draws.hidden, method="decode_ecg")
        return method.reconstruct(variables, batch, draws), predicted, valid

    found, predicted, valid = decoded(batch)
    drawn = np.asarray(found.signal_mv).reshape(len(LENGTH), -1, PATCH)
    measured = np.asarray(batch.signal, np.float64).reshape(drawn.shape) / 1000
    shown = np.asarray(valid & ~found.hidden).reshape(drawn.shape[:2])
    np.testing.assert_allclose(drawn[shown], measured[shown], atol=1e-5)
    inside = np.asarray(draws.lead_mask)[:, :, None] & (np.arange(SAMPLES) < LENGTH[:, None, None])
    for record, samples in enumerate(inside & ~hidden_samples(draws)):
        std_mv = (np.asarray(batch.signal[record])[samples] / 1000).std()
        tokens = np.asarray(draws.hidden.index[record])[: int(draws.hidden.length[record])]
        np.testing.assert_allclose(
            drawn[record, tokens], np.asarray(predicted)[record, : len(tokens)] * std_mv, rtol=1e-3, atol=1e-5
        )


@pytest.mark.parametrize("make", [make_cmelt, make_kmerl, make_merl])
def test_a_method_that_predicts_no_scaled_samples_refuses_it(make):
    with pytest.raises(CgdmerError, match=r'config\.method\.scaling is "visible_samples"\. Known: .*record_std'):
        make(scaling=VISIBLE)
