"""The head of fine-tuning: what it pools, that nothing absent reaches it, and its dropout."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.methods.finetune.network import ClassHead
from cgdmer_jax.methods.protocol import Declared, TokenStates, Variables
from tests.methods.cmelt_small import make_cmelt
from tests.methods.conftest import N_TOKENS
from tests.methods.conftest import RATE as BATCH_RATE
from tests.methods.conftest import SAMPLES as BATCH_SAMPLES
from tests.methods.finetune_small import RATE, SAMPLES, Means, config_of, labelled_batch, small_finetune
from tests.methods.merl_small import make_merl

KEY = jax.random.key(0)
POOLED = ("attention", "per_lead")
PATCH, WIDTH = 10, 8


class Patches(Means):
    """Tokens are patches times a matrix; what stands in places without a token is given."""

    declared = Declared(recordings=True, text=False, tokens=True)

    def __init__(self, elsewhere: float):
        self.elsewhere = elsewhere

    def init(self, key, batch):
        return Variables({"patch": {"kernel": jax.random.normal(key, (PATCH, WIDTH))}}, {})

    def ecg_token_states(self, variables, batch):
        millivolts = batch.signal.reshape(*batch.lead_mask.shape, -1, PATCH) / 1000
        ends = (jnp.arange(SAMPLES // PATCH) + 1) * PATCH
        valid = batch.lead_mask[:, :, None] & (ends <= batch.length[:, None, None])
        states = millivolts @ variables.params["patch"]["kernel"]
        return TokenStates(jnp.where(valid[..., None], states, self.elsewhere), valid)


@pytest.fixture(scope="module")
def batch():
    """With a record of no lead at all."""
    batch = labelled_batch()
    return batch._replace(lead_mask=batch.lead_mask.at[3].set(False), signal=batch.signal.at[3].set(0))


def on_patches(pooling, elsewhere=0.0, **fields):
    size = {"n_leads": 12, "n_samples": SAMPLES, "rate": RATE, "max_tokens": 3}
    return Finetune(config_of(head_pooling=pooling, **fields), Patches(elsewhere), **size)


def shaken(method, batch):
    """Weights none of which is where it started."""
    draw = np.random.default_rng(2)
    shapes = jax.eval_shape(method.init, KEY, batch)
    return jax.tree.map(lambda x: jnp.asarray(draw.normal(0, 0.5, x.shape), x.dtype), shapes)


def pooled_by_hand(pooling, params, tokens):
    """One record: its tokens [lead, patch, width] and which there are, in NumPy, one by one."""
    states, valid = (np.asarray(one, np.float64) for one in tokens)
    if pooling == "per_lead":
        means = [
            one[there > 0].mean(0) if there.any() else np.zeros(WIDTH) for one, there in zip(states, valid, strict=True)
        ]
        return np.concatenate(means)
    live, query = states[valid > 0], np.asarray(params["head"]["pool"]["query"], np.float64)
    parts = []
    for head, part in enumerate(np.split(live, query.shape[1], axis=1)):
        weight = np.exp(live @ query[:, head])
        parts.append(weight @ part / weight.sum() if len(live) else np.zeros(part.shape[1]))
    return np.concatenate(parts)


@pytest.mark.parametrize("pooling", POOLED)
def test_the_pooled_feature_is_that_of_numpy_over_the_tokens_that_are_there(pooling, batch):
    method = on_patches(pooling)
    variables = shaken(method, batch)
    found = np.asarray(method.embed_ecg(variables, batch)["main"])
    tokens = Patches(0.0).ecg_token_states(Variables(variables.params["encoder"], {}), batch)
    for record, row in enumerate(found):
        wanted = pooled_by_hand(pooling, variables.params, jax.tree.map(lambda x, r=record: x[r], tokens))
        np.testing.assert_allclose(row, wanted, rtol=1e-4, atol=1e-5)
    assert not found[3].any() and found.shape[1] == (WIDTH if pooling == "attention" else 12 * WIDTH)
    if pooling == "per_lead":  # each lead at its own place, absent ones 0
        present = found.reshape(len(found), 12, WIDTH).any(2)
        np.testing.assert_array_equal(present, np.asarray(batch.lead_mask))


@pytest.mark.parametrize("pooling", POOLED)
def test_what_stands_in_an_absent_lead_or_behind_the_end_changes_no_bit_of_feature_loss_or_gradient(pooling, batch):
    variables = shaken(on_patches(pooling), batch)
    made = []
    for elsewhere in (0.0, np.nan):
        method = on_patches(pooling, elsewhere, head_dropout=0.2)
        draws = method.draw(KEY, batch, jnp.float32(0))

        def loss_of(params, method=method, draws=draws):
            return method.loss(Variables(params, variables.state), batch, draws, train=True)[0]

        made.append((method.embed_ecg(variables, batch), jax.value_and_grad(loss_of)(variables.params)))
    for clean, dirty in zip(*map(jax.tree.leaves, made), strict=True):
        assert np.all(np.isfinite(dirty))
        np.testing.assert_array_equal(clean, dirty)


def test_attention_starts_as_the_mean_of_all_tokens_and_learns(batch):
    method = on_patches("attention")
    variables = method.init(KEY, batch)
    states, valid = Patches(0.0).ecg_token_states(Variables(variables.params["encoder"], {}), batch)
    found = method.embed_ecg(variables, batch)["main"]
    for record in (0, 5):
        np.testing.assert_allclose(found[record], states[record][valid[record]].mean(0), rtol=1e-5, atol=1e-6)
    draws = method.draw(KEY, batch, jnp.float32(0))
    gradient = jax.grad(lambda p: method.loss(Variables(p, {"encoder": {}}), batch, draws, train=True)[0])
    assert np.all(np.any(gradient(variables.params)["head"]["pool"]["query"] != 0, axis=0))


@pytest.mark.parametrize("make", [make_merl, make_cmelt])
def test_an_encoder_of_joint_leads_is_pooled_over_time_and_not_by_lead(make):
    encoder, size = make(), {"n_leads": 12, "n_samples": BATCH_SAMPLES, "rate": BATCH_RATE, "max_tokens": N_TOKENS}
    assert Finetune(config_of(head_pooling="attention"), encoder, **size).head.pooling == "attention"
    with pytest.raises(
        CgdmerError,
        match='"per_lead", but the encoder is of means, whose tokens are each of all leads; give main or attention',
    ):
        Finetune(config_of(head_pooling="per_lead"), encoder, **size)


@pytest.mark.parametrize("pooling", POOLED)
def test_an_encoder_without_tokens_is_refused_by_name(pooling):
    with pytest.raises(
        CgdmerError, match=f'head_pooling is "{pooling}", but the encoder is of means, which gives no tokens; give main'
    ):
        small_finetune(head_pooling=pooling)


def test_dropout_leaves_out_the_asked_share_and_keeps_the_mean_of_the_logits():
    """The linear map comes right behind it: over many draws the logits are those without it."""
    n, dropout = 4000, 0.3
    one = labelled_batch(1)
    many = jax.tree.map(lambda x: jnp.repeat(x, n, axis=0), one)
    method = small_finetune(head_dropout=dropout)
    kept = np.asarray(method.draw(KEY, many, jnp.float32(0)).kept)
    assert kept.shape == (n, 6) and set(np.unique(kept).round(6)) == {0, np.float32(1 / 0.7).round(6)}
    assert (kept == 0).mean() == pytest.approx(dropout, abs=0.01)
    head, features = ClassHead(3, "main"), jnp.asarray(np.random.default_rng(0).normal(size=(1, 6)), jnp.float32)
    params = head.init(KEY, features)
    _, plain = head.apply(params, features)
    _, dropped = head.apply(params, jnp.repeat(features, n, axis=0), jnp.asarray(kept))
    spread = np.asarray(dropped).std(0) / n**0.5
    assert np.all(spread > 0) and np.all(np.abs(np.asarray(dropped).mean(0) - plain[0]) < 4 * spread)


def test_dropout_is_of_training_alone():
    batch, dropping, plain = labelled_batch(), small_finetune(head_dropout=0.5), small_finetune()
    variables = dropping.init(KEY, batch)
    draws = dropping.draw(KEY, batch, jnp.float32(0))
    assert plain.draw(KEY, batch, jnp.float32(0)).kept is None
    np.testing.assert_array_equal(
        dropping.embed_ecg(variables, batch)["logits"], plain.embed_ecg(variables, batch)["logits"]
    )
    losses = [float(dropping.loss(variables, batch, draws, train=train)[0]) for train in (True, False)]
    assert losses[1] == float(plain.loss(variables, batch, draws, train=False)[0]) != losses[0]
    with pytest.raises(CgdmerError, match=r"head_dropout is 1\.0; give a number from 0, below 1"):
        dataclasses.replace(config_of(), head_dropout=1.0)
