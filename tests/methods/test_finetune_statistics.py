"""Running statistics of a fine-tuned encoder's norms: they move where it is trained, and stay where it is not."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.ecg.scaling import minmax
from tests.methods.conftest import N_TOKENS, RATE, SAMPLES, assert_same_bits
from tests.methods.finetune_small import CLASSES, config_of
from tests.methods.merl_small import make_merl, weights_of

KEY = jax.random.key(0)
TORCH_MOMENTUM = 0.1


@pytest.fixture(scope="module")
def labelled(batch):
    labels = np.random.default_rng(0).random((len(batch.row), len(CLASSES))) < 0.5
    return batch._replace(record_columns={"labels:toy": jnp.asarray(labels)})


@pytest.fixture(scope="module")
def merl():
    return make_merl()


@pytest.fixture(scope="module")
def pretrained(merl, batch):
    return weights_of(merl, batch)


def finetune_of(merl, **fields):
    return Finetune(config_of(**fields), merl, n_leads=12, n_samples=SAMPLES, rate=RATE, max_tokens=N_TOKENS)


def started(method, pretrained, batch):
    head = jax.jit(method.init)(KEY, batch).params["head"]
    given = method.of_encoder(pretrained)
    return method.started({"encoder": given.params, "head": head}, given.state)


def after_a_step(method, variables, batch, train=True):
    """(loss, new state) of a step of training, compiled."""
    draws = method.draw(KEY, batch, jnp.float32(0))
    loss, aux = jax.jit(lambda v: method.loss(v, batch, draws, train=train))(variables)
    return float(loss), aux.state


def moved(before, after):
    """Names of the norms whose statistics differ."""
    pairs = zip(jax.tree.leaves_with_path(before), jax.tree.leaves(after), strict=True)
    return {path[1].key for (path, a), b in pairs if not np.array_equal(a, b)}


def test_trained_as_a_whole_the_statistics_are_those_that_pretraining_would_have_made(merl, pretrained, labelled):
    """MERL's own step of the same batch is the oracle: the same norms of the same encoder move alike."""
    method = finetune_of(merl)
    variables = started(method, pretrained, labelled)
    _, state = after_a_step(method, variables, labelled)
    draws = merl.draw(KEY, labelled, jnp.float32(0))
    own = jax.jit(lambda v: merl.loss(v, labelled, draws, train=True)[1].state)(pretrained)
    assert moved(pretrained.state, own) == {"stem_norm", *(f"stage{number}_block0" for number in (1, 2, 3, 4))}
    for a, b in zip(jax.tree.leaves(state["encoder"]), jax.tree.leaves(own), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_the_first_norm_moves_by_a_tenth_towards_mean_and_unbiased_variance_of_the_batch(merl, pretrained, labelled):
    method = finetune_of(merl)
    _, state = after_a_step(method, started(method, pretrained, labelled), labelled)
    signal = np.asarray(minmax(labelled.signal, labelled.lead_mask, labelled.length), np.float64)
    kernel = np.asarray(pretrained.params["encoder"]["stem"]["kernel"], np.float64)  # [sample, lead, channel]
    padded = np.pad(signal, ((0, 0), (0, 0), (3, 3)))
    seen = np.stack([padded[:, :, at : at + 7] for at in range(0, SAMPLES, 2)], axis=1)
    convolved = np.einsum("bplk,klc->bpc", seen, kernel).reshape(-1, kernel.shape[2])
    before, after = (one["encoder"]["stem_norm"] for one in (pretrained.state, state["encoder"]))
    for name, value in (("mean", convolved.mean(0)), ("variance", convolved.var(0, ddof=1))):
        wanted = (1 - TORCH_MOMENTUM) * np.asarray(before[name]) + TORCH_MOMENTUM * value
        np.testing.assert_allclose(after[name], wanted, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fields", [{"encoder_trained": 0}, {"encoder_lr_multiplier": 0.0}])
def test_with_the_head_alone_the_encoder_runs_as_in_use_and_its_statistics_keep_every_bit(
    fields, merl, pretrained, labelled
):
    method = finetune_of(merl, **fields)
    variables = started(method, pretrained, labelled)
    loss, state = after_a_step(method, variables, labelled)
    assert_same_bits(state, variables.state)
    assert loss == pytest.approx(after_a_step(method, variables, labelled, train=False)[0], rel=1e-6)
    whole = finetune_of(merl)
    assert abs(loss - after_a_step(whole, variables, labelled)[0]) > 1e-4  # which reads the batch's own


def test_of_the_last_stages_alone_the_statistics_move(merl, pretrained, labelled):
    method = finetune_of(merl, encoder_trained=2)
    _, state = after_a_step(method, started(method, pretrained, labelled), labelled)
    assert moved(pretrained.state, state["encoder"]) == {"stage3_block0", "stage4_block0"}


def test_in_use_and_in_validation_they_are_the_running_ones_and_stay(merl, pretrained, labelled):
    method = finetune_of(merl)
    variables = started(method, pretrained, labelled)
    _, state = after_a_step(method, variables, labelled, train=False)
    assert_same_bits(state, variables.state)
    embed = jax.jit(method.embed_ecg)
    found = embed(variables, labelled)["main"]
    np.testing.assert_allclose(found, jax.jit(merl.embed_ecg)(pretrained, labelled)["main"], rtol=1e-5, atol=1e-6)
    alone = embed(variables, jax.tree.map(lambda x: x[2:3], labelled))["main"][0]
    np.testing.assert_allclose(alone, found[2], rtol=1e-4, atol=1e-5)  # no record depends on its batch
    other = variables._replace(state=after_a_step(method, variables, labelled)[1])
    assert not np.allclose(embed(other, labelled)["main"], found)


def test_weights_are_averaged_and_statistics_are_taken_as_they_are(merl, pretrained, labelled):
    plain, averaging = finetune_of(merl), finetune_of(merl, average_decay=0.9)
    variables = started(averaging, pretrained, labelled)
    other = jax.tree.map(lambda x: x + 0.01, variables.params)
    _, state = after_a_step(averaging, Variables(other, variables.state), labelled)
    _, wanted = after_a_step(plain, Variables(other, {"encoder": variables.state["encoder"]}), labelled)
    for a, b in zip(jax.tree.leaves(state["encoder"]), jax.tree.leaves(wanted["encoder"]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)  # two programs
    assert jax.tree.structure(state["average"]) == jax.tree.structure(variables.params)  # no statistic among them
    scored = jax.jit(averaging.embed_ecg)(Variables(other, state), labelled)["logits"]
    by_hand = jax.jit(plain.embed_ecg)(Variables(state["average"], {"encoder": state["encoder"]}), labelled)["logits"]
    np.testing.assert_allclose(scored, by_hand, rtol=1e-6)


def test_tokens_in_training_are_those_of_the_batchs_own_norms(merl, pretrained, labelled):
    """Attention starts as the mean over valid positions; a record of full length has `main` there."""
    method = finetune_of(merl, head_pooling="attention")
    variables = started(method, pretrained, labelled)
    draws = method.draw(KEY, labelled, jnp.float32(0))
    made = jax.jit(lambda v: merl.ecg_in_training(v, labelled, 0))(pretrained)
    _, logits = method.head.apply({"params": variables.params["head"]}, made.tokens)
    labels = np.asarray(labelled.record_columns["labels:toy"])
    wanted = (np.logaddexp(0, np.asarray(logits, np.float64)) - np.asarray(logits) * labels).mean()
    loss, aux = jax.jit(lambda v: method.loss(v, labelled, draws, train=True))(variables)
    assert float(loss) == pytest.approx(wanted, rel=1e-5)
    assert moved(pretrained.state, aux.state["encoder"])
    np.testing.assert_allclose(made.tokens.states[0, 0].mean(0), made.main[0], rtol=1e-4, atol=1e-5)
