"""K-MERL on the contract: leads that are there, questions, what is frozen, and wrong values."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods import zero_shot
from cgdmer_jax.methods.kmerl.method import ENTITIES, TEXT_VECTORS
from cgdmer_jax.methods.protocol import Embedder, Method, Queried, TextEmbedder, Variables
from tests.methods.conftest import THREE_LEADS, VOCABULARY, WHOLE
from tests.methods.kmerl_small import FACTS, NAMES, make_kmerl, weights_of, with_findings
from tests.methods.merl_small import BERT


@pytest.fixture(scope="module")
def kmerl():
    return make_kmerl()


@pytest.fixture(scope="module")
def found(batch):
    return with_findings(batch)


@pytest.fixture(scope="module")
def weights(kmerl, found):
    return weights_of(kmerl, found)


@pytest.fixture(scope="module")
def used(kmerl):
    """variables, batch -> every feature, and the answers to the batch's first six reports as questions."""

    def both(variables, batch):
        queries = kmerl.query_texts(variables, batch.tokens[:6], batch.token_mask[:6])
        return kmerl.embed_ecg(variables, batch) | {"answers": kmerl.query_ecg(variables, batch, queries)}

    return jax.jit(both)


@pytest.fixture(scope="module")
def plain(used, weights, found):
    return used(weights, found)


def test_it_is_a_method_that_embeds_and_answers(kmerl, plain, weights, found):
    for contract in (Method, Embedder, TextEmbedder, Queried):
        assert isinstance(kmerl, contract)
    assert kmerl.entity_names == NAMES and kmerl.declared.text_columns == (ENTITIES,)
    assert (
        plain["main"].shape == (8, 16) and plain["per_lead"].shape == (8, 12 * 16) and plain["answers"].shape == (8, 6)
    )
    texts = jax.jit(kmerl.embed_text)(weights, found.tokens, found.token_mask)
    for vectors in (plain["aligned"], texts):
        np.testing.assert_allclose(jnp.linalg.norm(vectors, axis=1), 1, rtol=1e-5)


def test_each_record_is_read_by_itself(used, weights, found, plain):
    order = np.array([5, 0, 3, 3, 1, 7, 2, 6])
    other = used(
        weights, jax.tree.map(lambda x: x[order], found)._replace(tokens=found.tokens, token_mask=found.token_mask)
    )
    for name, value in other.items():
        np.testing.assert_allclose(value, plain[name][order], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("n_leads", range(1, 13))
def test_any_number_of_leads_is_read_and_what_stands_in_the_others_is_not(n_leads, used, weights, found):
    leads = np.random.default_rng(n_leads).permutation(12)[:n_leads]
    given = np.isin(np.arange(12), leads)
    few = found._replace(lead_mask=found.lead_mask.at[WHOLE].set(given))
    clean = found.signal.at[WHOLE].set(jnp.where(given[:, None], found.signal[WHOLE], 0))
    dirty = found.signal.at[WHOLE].set(jnp.where(given[:, None], found.signal[WHOLE], 9999))
    one, other = (used(weights, few._replace(signal=signal)) for signal in (clean, dirty))
    for name in one:
        assert np.all(np.isfinite(one[name]))
        np.testing.assert_array_equal(one[name], other[name])
    own = np.asarray(one["per_lead"][WHOLE]).reshape(12, -1)
    assert not own[~given].any() and own[given].any(1).all()


def test_leads_differ_by_their_embedding_and_not_by_their_place_alone(used, weights, found, plain):
    """The same three curves under other names are another recording."""
    present = np.flatnonzero(found.lead_mask[THREE_LEADS])
    moved = found.signal.at[THREE_LEADS, present].set(found.signal[THREE_LEADS, np.roll(present, 1)])
    other = used(weights, found._replace(signal=moved))
    assert np.abs(other["main"][THREE_LEADS] - plain["main"][THREE_LEADS]).max() > 1e-3


def test_the_answer_to_a_class_is_the_mean_over_its_phrasings():
    logits = np.arange(12.0).reshape(2, 6)
    np.testing.assert_array_equal(zero_shot.class_answers(logits, 3), [[0.5, 2.5, 4.5], [6.5, 8.5, 10.5]])


@pytest.mark.parametrize(("trained", "moving"), [(0, ()), (1, ("blocks", "pool"))])
def test_a_frozen_tower_reads_reports_once_and_only_its_trained_part_moves(trained, moving, found):
    method = make_kmerl(text_tower="x", text_architecture=BERT, text_trained=trained, text_pooling="pooler")
    variables = weights_of(method, found)
    assert method.declared.text_columns == ((TEXT_VECTORS, ENTITIES) if trained == 0 else (ENTITIES,))
    read = jax.jit(method.query_texts)(variables, found.tokens, found.token_mask)
    draws = jax.jit(method.draw)(jax.random.key(0), found, jnp.float32(0))

    @jax.jit
    def graded(params, batch):
        def loss(params):
            return method.loss(Variables(params, {}), batch, draws, train=True)[0]

        return jax.value_and_grad(loss)(params)

    loss, gradient = graded(variables.params, found)
    for name, part in gradient["text_tower"].items():
        assert any(np.any(leaf) for leaf in jax.tree.leaves(part)) == (name in moving), name
    if trained == 0:  # the column in place of the tokens
        columns = found.text_columns | {TEXT_VECTORS: read}
        other, _ = graded(variables.params, found._replace(text_columns=columns, tokens=found.tokens * 0))
        np.testing.assert_allclose(other, loss, rtol=1e-5)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"entities": {}}, "entities is empty, and K-MERL asks for entities; experiments.pretrain fills it in"),
        ({"entities": FACTS | {"shares": (0.5,)}}, "entities has 5 names, the tokens of 5 and the shares of 1"),
        ({"entities": {"names": NAMES}}, "config.method.entities.shares is missing"),
        ({"entities": FACTS | {"tokens": ((VOCABULARY,),) * 5}}, f"a token {VOCABULARY}, but the text encoder reads"),
        ({"kept_leads": ()}, "kept_leads is empty"),
        ({"kept_leads": (0, 3)}, "kept_leads is (0, 3); give a list, each entry a whole number from 1 to 12"),
        ({"hedged": "positive"}, 'hedged is "positive"'),
        ({"positive_weight": 0.5}, "positive_weight is 0.5; give a number of at least 1"),
        ({"mask_ratio": 1.0}, "mask_ratio is 1.0; give a number from 0, below 1"),
        ({"patch_seconds": 0.15}, "patch_seconds is 0.15, 15 samples, which do not divide the 200 samples"),
        ({"text_tower": "a folder"}, 'text_tower is "a folder", but text_architecture is empty'),
    ],
)
def test_a_wrong_value_is_one_sentence_with_the_remedy(changed, told):
    with pytest.raises(CgdmerError) as caught:
        make_kmerl(**changed)
    assert told in str(caught.value)


def test_half_precision_stays_near(kmerl, weights, found):
    draws = jax.jit(kmerl.draw)(jax.random.key(0), found, jnp.float32(0))
    whole, half = (
        jax.jit(partial(method.loss, train=True))(weights, found, draws)[0]
        for method in (kmerl, make_kmerl(dtype="bfloat16"))
    )
    assert half.dtype == jnp.float32
    np.testing.assert_allclose(half, whole, rtol=0.05)
