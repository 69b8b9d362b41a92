"""Input of a token (stem, scaling, scale feature), and the features that come out."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.method import CgDmer
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.masking.slots import all_valid
from tests.methods.conftest import CONFIG, FULL_STOP, N_TOKENS, VOCABULARY, make_method, weights_of


def embeddings(batch, **changes):
    """main features of the batch, and of the same batch with lead V3 of record 0 twice as large."""
    method = make_method(dataclasses.replace(CONFIG, **changes))
    variables = weights_of(method, batch)
    embed = jax.jit(lambda b: method.embed_ecg(variables, b)["main"])
    louder = batch._replace(signal=batch.signal.at[0, 8].multiply(2))
    return np.asarray(embed(batch))[0], np.asarray(embed(louder))[0]


def test_lead_scaling_forgets_a_leads_amplitude_unless_the_scale_feature_tells_it(batch):
    plain, louder = embeddings(batch, scaling="lead_std")
    np.testing.assert_allclose(plain, louder, atol=2e-3)  # int16 rounding aside
    plain, louder = embeddings(batch, scaling="lead_std", scale_feature=True)
    assert np.abs(plain - louder).max() > 1e-2
    plain, louder = embeddings(batch, scaling="record_std")
    assert np.abs(plain - louder).max() > 1e-2


def test_every_scaling_stem_and_feature_column_trains_and_reconstructs_in_millivolts(batch):
    method = make_method(dataclasses.replace(CONFIG, scaling="lead_std", scale_feature=True, stem="conv"))
    variables = weights_of(method, batch)
    draws = method.draw(jax.random.key(1), batch, jnp.float32(1))
    patches, _ = method.patches(batch, draws.lead_mask)
    assert patches.shape[2] == method.patch_samples + 1

    def loss(params):
        return method.loss_of_patches(Variables(params, {}), patches, batch, draws)[0]

    gradients = jax.jit(jax.grad(loss))(variables.params)
    ecg = gradients["ecg_encoder"]
    assert {"stem", "features"} <= ecg.keys()
    assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for g in jax.tree.leaves(ecg["stem"]))
    drawn = method.reconstruct(variables, batch, draws)
    shown = ~np.asarray(drawn.hidden) & np.asarray(method.patches(batch, draws.lead_mask)[1])
    given = np.asarray(batch.signal, np.float32).reshape(*shown.shape, -1) / 1000
    np.testing.assert_allclose(np.asarray(drawn.signal_mv).reshape(given.shape)[shown], given[shown], atol=1e-5)


def test_moments_and_per_lead_features_equal_numpy_over_the_valid_tokens(compiled, method, variables, batch):
    found = {k: np.asarray(v) for k, v in compiled.embed_ecg(variables, batch).items()}
    patches, valid = method.patches(batch, batch.lead_mask)
    slots = all_valid(valid)
    parts = method.network.apply({"params": variables.params}, patches, slots, method="ecg_parts")
    both = np.concatenate([parts.shared, parts.specific], axis=2)
    for record in range(len(both)):
        n = int(slots.length[record])
        tokens, lead = both[record, :n], np.asarray(slots.index)[record, :n] // method.n_patches
        moments = np.concatenate([tokens.mean(0), tokens.std(0)])
        np.testing.assert_allclose(found["moments"][record], moments, atol=1e-5)
        per_lead, moments = np.zeros((12, 16)), np.zeros((12, 64))
        for one in set(lead.tolist()):
            own = tokens[lead == one]
            per_lead[one] = own.mean(0)[:16] + own.mean(0)[16:]
            moments[one] = np.concatenate([own.mean(0), own.std(0)])
        np.testing.assert_allclose(found["per_lead"][record], per_lead.ravel(), atol=1e-5)
        np.testing.assert_allclose(found["per_lead_moments"][record], moments.ravel(), atol=1e-5)


UNKNOWN = [
    ("stem", "convolution"),
    ("scaling", "record_sd"),
    ("masking", "leads"),
    ("dtype", "float31"),
    ("remat", "x"),
    ("attention", "flash"),
]


@pytest.mark.parametrize("seconds", [0.3, 0.001])
def test_a_patch_length_that_leaves_samples_over_is_refused(seconds):
    with pytest.raises(CgdmerError, match="patch_seconds"):
        make_method(dataclasses.replace(CONFIG, patch_seconds=seconds))


def test_a_patch_length_that_makes_more_tokens_than_are_computed_is_refused():
    sizes = {"n_leads": 12, "rate": 100.0, "vocabulary": VOCABULARY, "max_tokens": N_TOKENS, "full_stop": FULL_STOP}
    config = dataclasses.replace(CONFIG, patch_seconds=0.01)
    assert CgDmer(config, n_samples=5461, **sizes).n_patches == 5461  # 65,532 tokens
    with pytest.raises(CgdmerError, match=r"patch_seconds is 0\.01, which makes 65,544 tokens of a recording, more"):
        CgDmer(config, n_samples=5462, **sizes)


@pytest.mark.parametrize("field, value", UNKNOWN)
def test_an_unknown_choice_is_refused_by_name(field, value):
    with pytest.raises(CgdmerError, match=rf'config.method.{field} is "{value}"'):
        make_method(dataclasses.replace(CONFIG, **{field: value}))
