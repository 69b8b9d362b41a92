"""MERL on the contract: what its encoder sees, which pairs count, what is frozen and what moves."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.config import from_fields
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.merl.config import MerlConfig
from cgdmer_jax.methods.merl.method import TEXT_VECTORS
from cgdmer_jax.methods.merl.network import ResNetSize, VitSize
from cgdmer_jax.methods.protocol import Embedder, Method, TextEmbedder, Variables
from cgdmer_jax.models.text.scratch import TextEncoder
from cgdmer_jax.models.transformer import Size
from tests.methods.conftest import N_TOKENS, NO_REPORT, SHORT, THREE_LEADS, TWIN, VOCABULARY, WHOLE, assert_same_bits
from tests.methods.merl_small import BERT, CONFIG, EMBEDDING, RESNET, VIT, make_merl, weights_of

ENCODERS = {"resnet": RESNET, "bottleneck": dataclasses.replace(RESNET, bottleneck=True), "vit": VIT}


@pytest.fixture(scope="module", params=ENCODERS)
def merl(request):
    return make_merl(ecg=ENCODERS[request.param])


@pytest.fixture(scope="module")
def weights(merl, batch):
    return weights_of(merl, batch)


@pytest.fixture(scope="module")
def resnet():
    return make_merl()


@pytest.fixture(scope="module")
def resnet_weights(resnet, batch):
    return weights_of(resnet, batch)


def draws_of(merl, batch, seed=0):
    return merl.draw(jax.random.key(seed), batch, jnp.float32(0))


def loss_of(merl, weights, batch, *, train=False):
    value, aux = jax.jit(merl.loss, static_argnames="train")(weights, batch, draws_of(merl, batch), train=train)
    return value, aux


def test_it_is_a_method_whose_first_weights_give_finite_terms_and_unit_vectors(merl, batch):
    assert isinstance(merl, Method) and isinstance(merl, Embedder) and isinstance(merl, TextEmbedder)
    variables = jax.jit(merl.init)(jax.random.key(0), batch)
    value, aux = loss_of(merl, variables, batch, train=True)
    assert np.isfinite(value) and aux.terms.keys() == {"align", "views"}
    np.testing.assert_allclose(value, 2 * aux.terms["align"] + 2 * aux.terms["views"], rtol=1e-6)
    features = jax.jit(merl.embed_ecg)(variables, batch)
    texts = jax.jit(merl.embed_text)(variables, batch.tokens, batch.token_mask)
    assert features.keys() == {"main", "narrow", "aligned"}
    assert features["aligned"].shape == texts.shape == (len(batch.row), EMBEDDING)
    for vectors in (features["aligned"], texts):
        np.testing.assert_allclose(jnp.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_each_record_is_embedded_by_itself(merl, weights, batch):
    embed = jax.jit(merl.embed_ecg)
    order = np.array([5, 0, 3, 3, 1, 7, 2, 6])
    together = embed(weights, batch)
    other = embed(weights, jax.tree.map(lambda x: x[order], batch))
    for name, value in other.items():
        np.testing.assert_allclose(value, together[name][order], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("scaling", ["record_minmax", "record_std"])
def test_an_absent_lead_and_what_lies_beyond_the_length_read_as_0_mv_whatever_stands_there(scaling, batch):
    merl = make_merl(scaling=scaling)
    weights = weights_of(merl, batch)
    embed = jax.jit(merl.embed_ecg)
    plain = embed(weights, batch)
    live = batch.lead_mask[:, :, None] & (jnp.arange(batch.signal.shape[2]) < batch.length[:, None, None])
    noise = np.random.default_rng(0).integers(-9000, 9000, batch.signal.shape).astype(np.int16)
    dirty = embed(weights, batch._replace(signal=jnp.where(live, batch.signal, noise)))
    for name in plain:
        np.testing.assert_array_equal(plain[name], dirty[name])
    marked = embed(weights, batch._replace(lead_mask=jnp.ones_like(batch.lead_mask)))
    np.testing.assert_allclose(marked["main"][THREE_LEADS], plain["main"][THREE_LEADS], rtol=1e-5) if (
        scaling == "record_minmax"
    ) else None
    assert not np.allclose(plain["main"][SHORT], plain["main"][WHOLE])


def test_statistics_move_by_a_tenth_in_training_and_not_at_all_in_evaluation(merl, weights, batch):
    _, aux = loss_of(merl, weights, batch, train=False)
    assert_same_bits(aux.state, weights.state)
    _, aux = loss_of(merl, weights, batch, train=True)
    once = [np.asarray(x) for x in jax.tree.leaves(aux.state)]
    before = [np.asarray(x) for x in jax.tree.leaves(weights.state)]
    assert all(not np.array_equal(a, b) for a, b in zip(once, before, strict=True))
    # The same batch again moves them on by 0.9 of the first move: its own statistics do not depend on them.
    _, again = loss_of(merl, weights._replace(state=aux.state), batch, train=True)
    for a, b, c in zip(before, once, jax.tree.leaves(again.state), strict=True):
        np.testing.assert_allclose(c - b, 0.9 * (b - a), rtol=1e-3, atol=1e-5)


def test_a_table_of_vectors_gives_the_loss_of_the_tower_reading_the_tokens(resnet, resnet_weights, batch):
    vectors = resnet.text_vectors(resnet_weights.params, batch.tokens, batch.token_mask)
    assert resnet.declared.text_columns == (TEXT_VECTORS,) and vectors.dtype == jnp.float32
    unread = batch._replace(tokens=jnp.zeros_like(batch.tokens), text_columns={TEXT_VECTORS: vectors})
    np.testing.assert_allclose(
        loss_of(resnet, resnet_weights, unread)[0], loss_of(resnet, resnet_weights, batch)[0], rtol=1e-5
    )


def gradients(merl, weights, batch):
    def value(params):
        return merl.loss(Variables(params, weights.state), batch, draws_of(merl, batch), train=True)[0]

    return jax.jit(jax.grad(value))(weights.params)


@pytest.mark.parametrize(("trained", "moving"), [(0, ()), (1, ("blocks", "pool")), (-1, ("blocks", "pool", "token"))])
def test_only_the_trained_part_of_the_tower_gets_a_gradient(trained, moving, batch):
    merl = make_merl(text_trained=trained)
    tower = gradients(merl, weights_of(merl, batch), batch)["text_tower"]
    for name, part in tower.items():
        reached = any(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(part))
        assert reached == (name in moving or (trained == -1 and name in ("position", "token_type", "norm"))), name
    factors = dict(merl.declared.rate_factors)
    assert (0.0 in factors.values()) == (trained != -1)
    assert merl.declared.text_columns == ((TEXT_VECTORS,) if trained == 0 else ())


def test_without_a_tower_an_encoder_of_its_own_learns_to_read_the_tokens(batch):
    merl = make_merl(text_tower="", text_architecture={}, text=Size(12, 2, 2))
    weights = weights_of(merl, batch)
    assert merl.declared.text_columns == () and merl.declared.rate_factors == ()
    assert "text_tower" not in weights.params
    learned = gradients(merl, weights, batch)["text_encoder"]
    assert all(np.any(np.asarray(leaf) != 0) for leaf in jax.tree.leaves(learned))
    # The vector of a text is the mean of its own tokens: what padding holds is not read.
    padded = jnp.where(batch.token_mask, batch.tokens, VOCABULARY - 1)
    for tokens in (batch.tokens, padded):
        vectors = merl.text_vectors(weights.params, tokens, batch.token_mask)
        states = TextEncoder(VOCABULARY, N_TOKENS, Size(12, 2, 2)).apply(
            {"params": weights.params["text_encoder"]}, batch.tokens, batch.token_mask.sum(1)
        )
        for row, n in ((WHOLE, 8), (THREE_LEADS, 5)):
            np.testing.assert_allclose(vectors[row], states[row, :n].mean(0), rtol=1e-4, atol=1e-5)


def test_twins_of_one_report_are_negatives_as_released_unless_a_switch_says_otherwise(batch):
    """With `ignored` neither of two records of the same report adds to the other's term."""
    assert batch.text_id[WHOLE] == batch.text_id[TWIN]
    terms = {}
    for same_text in ("negatives", "ignored"):
        merl = make_merl(same_text=same_text)
        terms[same_text] = loss_of(merl, weights_of(merl, batch), batch)[1].terms
    assert terms["negatives"]["align"] > terms["ignored"]["align"]
    assert terms["negatives"]["views"] == terms["ignored"]["views"]


def test_a_record_without_report_is_in_the_views_alone(resnet, resnet_weights, batch):
    """Changing its signal in evaluation, where no statistic is shared, moves the one term and not the other."""
    assert batch.text_id[NO_REPORT] == NO_TEXT
    signal = batch.signal.at[NO_REPORT].multiply(-1)
    plain = loss_of(resnet, resnet_weights, batch)[1].terms
    other = loss_of(resnet, resnet_weights, batch._replace(signal=signal))[1].terms
    np.testing.assert_allclose(other["align"], plain["align"], rtol=1e-6)
    assert abs(float(other["views"] - plain["views"])) > 1e-4


def test_dropout_acts_in_training_alone(resnet, resnet_weights, batch):
    loss = jax.jit(resnet.loss, static_argnames="train")
    one, other = draws_of(resnet, batch, 0), draws_of(resnet, batch, 1)
    assert 0.8 < float(jnp.concatenate([one.keep1, one.keep2]).mean()) < 1
    assert loss(resnet_weights, batch, one, train=False)[0] == loss(resnet_weights, batch, other, train=False)[0]
    assert loss(resnet_weights, batch, one, train=True)[0] != loss(resnet_weights, batch, other, train=True)[0]


def test_lead_dropout_takes_leads_in_training_and_the_default_takes_none(batch):
    assert_same_bits(draws_of(make_merl(), batch).lead_mask, batch.lead_mask)
    dropped = draws_of(make_merl(lead_dropout=0.99), batch).lead_mask
    assert np.all(dropped <= batch.lead_mask) and np.all(dropped.any(1))
    assert int(dropped.sum()) < int(batch.lead_mask.sum())


def test_half_precision_stays_near_and_keeps_float32_statistics(batch):
    half = make_merl(dtype="bfloat16")
    weights = weights_of(half, batch)
    value, aux = loss_of(half, weights, batch, train=True)
    np.testing.assert_allclose(value, loss_of(make_merl(), weights, batch, train=True)[0], rtol=0.05)
    assert value.dtype == jnp.float32 and all(x.dtype == jnp.float32 for x in jax.tree.leaves(aux.state))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"scaling": "minmax"}, 'scaling is "minmax". Did you mean "record_minmax"?'),
        ({"same_text": "negative"}, 'same_text is "negative". Did you mean "negatives"?'),
        ({"text_pooling": "max"}, 'text_pooling is "max"'),
        ({"temperature": 0.0}, "temperature is 0.0; give a number above 0"),
        ({"view_dropout": 1.0}, "view_dropout is 1.0; give a number from 0, below 1"),
        ({"embed_dim": 10}, "embed_dim is 10; give a multiple of the 4 heads"),
        ({"text_architecture": {}}, 'text_tower is "a folder", but text_architecture is empty; give the first alone'),
        ({"ecg": VitSize(16, 1, 2, 0.15)}, "patch_seconds is 0.15, 15 samples, which do not divide the 200 samples"),
    ],
)
def test_a_wrong_value_is_one_sentence_with_the_remedy(changed, told):
    with pytest.raises(CgdmerError) as caught:
        make_merl(**changed)
    assert told in str(caught.value)


def test_the_fields_of_a_config_say_which_encoder_is_meant():
    fields = dataclasses.asdict(CONFIG)
    assert from_fields(MerlConfig, fields).ecg == RESNET
    fields["ecg"] = dataclasses.asdict(VIT)
    assert from_fields(MerlConfig, fields).ecg == VIT
    del fields["text"]  # as what was written before there was such a field
    assert from_fields(MerlConfig, fields).text == MerlConfig.text
    fields["ecg"] = {"width": 8, "block": [1, 1], "bottleneck": False}
    with pytest.raises(CgdmerError, match=r"config\.method\.ecg has no field block\. Did you mean"):
        from_fields(MerlConfig, fields)
    assert isinstance(RESNET, ResNetSize) and BERT["pooler"]
