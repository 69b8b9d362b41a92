"""Pooling, the unit sphere, and who shares weights with whom."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.heads import MODALITIES, AttentionPool, SecondEncoders, masked_mean, unit
from cgdmer_jax.models.transformer import Size


def test_masked_mean_is_the_mean_of_the_live_tokens_and_zero_without_any():
    x = np.random.default_rng(0).normal(size=(3, 4, 5)).astype(np.float32)
    live = np.array([[1, 1, 1, 1], [1, 0, 1, 0], [0, 0, 0, 0]], bool)
    x[~live] = np.nan
    found = masked_mean(jnp.asarray(x), jnp.asarray(live))
    np.testing.assert_allclose(found[0], x[0].mean(0), atol=1e-6)
    np.testing.assert_allclose(found[1], x[1, [0, 2]].mean(0), atol=1e-6)
    np.testing.assert_array_equal(found[2], 0)
    gradient = jax.grad(lambda x: masked_mean(x, jnp.asarray(live)).sum())(jnp.asarray(x))
    np.testing.assert_allclose(gradient[..., 0], [[0.25] * 4, [0.5, 0, 0.5, 0], [0] * 4])


def test_masked_mean_of_bfloat16_adds_in_float32():
    x = jnp.concatenate([jnp.full((1, 1, 1), 256.0), jnp.ones((1, 255, 1))], axis=1).astype(jnp.bfloat16)
    assert masked_mean(x, jnp.ones((1, 256), bool))[0, 0] == (256 + 255) / 256


def test_unit_vectors_have_length_one_and_zero_stays_zero_with_a_finite_gradient():
    x = np.random.default_rng(0).normal(size=(4, 7)) * np.array([[1e-4], [1], [1e4], [0]])
    x = jnp.asarray(x, jnp.float32)
    np.testing.assert_allclose(np.linalg.norm(unit(x), axis=1), [1, 1, 1, 0], atol=1e-5)
    assert np.isfinite(jax.grad(lambda x: unit(x).sum())(x)).all()


LENGTH = jnp.array([5, 2], jnp.int32)


@pytest.fixture(scope="module")
def gradients():
    """Gradients of the weights from each modality's shared and specific tokens: {(modality, kind): gradient}."""
    room = SecondEncoders(one_shared=True, pooling="mean", size=Size(width=8, depth=1, heads=2))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 6)), jnp.float32)

    sources = [(modality, kind) for modality in MODALITIES for kind in ("shared", "specific")]

    def total(room, x, share):
        parts = [(getattr(room, kind)(modality, x, LENGTH) ** 3).sum() for modality, kind in sources]
        return share @ jnp.stack(parts)

    params = jax.jit(partial(room.init, method=total))(jax.random.key(0), x, jnp.ones(4))["params"]
    gradient = jax.jit(jax.grad(lambda p, share: room.apply({"params": p}, x, share, method=total)))
    return {source: gradient(params, share) for source, share in zip(sources, jnp.eye(4), strict=True)}


def reached(tree) -> bool:
    return any(np.asarray(leaf).any() for leaf in jax.tree.leaves(tree))


def test_both_modalities_send_gradients_into_every_weight_of_the_one_shared_encoder(gradients):
    for modality in MODALITIES:
        encoders = {k: v for k, v in gradients[modality, "shared"].items() if k.startswith("shared_encoder")}
        assert len(encoders) == 1
        for path, leaf in jax.tree.leaves_with_path(encoders):
            assert np.asarray(leaf).any(), (modality, jax.tree_util.keystr(path))


def test_specific_encoders_hear_from_their_own_modality_alone(gradients):
    for modality, other in (("ecg", "text"), ("text", "ecg")):
        own = gradients[modality, "specific"]
        assert reached(own[f"specific_encoder_{modality}"]) and reached(own[f"specific_input_{modality}"])
        assert not reached(own[f"specific_encoder_{other}"]) and not reached(own["shared_encoder"])
        assert not reached(gradients[modality, "shared"][f"specific_encoder_{modality}"])


def test_the_shared_encoder_sees_each_modality_through_its_own_map_and_mark(gradients):
    for place, (modality, other) in enumerate((("ecg", "text"), ("text", "ecg"))):
        own = gradients[modality, "shared"]
        assert reached(own[f"shared_input_{modality}"]) and not reached(own[f"shared_input_{other}"])
        assert np.asarray(own["modality"]).any(1).tolist() == [place == 0, place == 1]


def test_two_shared_encoders_hear_from_their_own_modality_alone():
    room = SecondEncoders(one_shared=False, pooling="mean", size=Size(width=8, depth=1, heads=2))
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 5, 6)), jnp.float32)

    def total(room, x, share):
        return share @ jnp.stack([(room.shared(m, x, LENGTH) ** 3).sum() for m in MODALITIES])

    params = jax.jit(partial(room.init, method=total))(jax.random.key(0), x, jnp.ones(2))["params"]
    gradient = jax.jit(jax.grad(lambda p, share: room.apply({"params": p}, x, share, method=total)))
    for modality, share in zip(MODALITIES, jnp.eye(2), strict=True):
        found = {k: reached(v) for k, v in gradient(params, share).items() if k.startswith("shared_encoder")}
        assert found == {f"shared_encoder_{m}": m == modality for m in MODALITIES}


def pooled(x, live, query):
    return AttentionPool(heads=query.shape[1]).apply({"params": {"query": query}}, x, live)


def test_attention_pooling_is_a_softmax_over_live_tokens_for_each_head_by_numpy():
    draw = np.random.default_rng(0)
    x, query = draw.normal(size=(3, 5, 6)).astype(np.float32), draw.normal(size=(6, 2)).astype(np.float32)
    live = np.arange(5) < np.array([5, 2, 0])[:, None]
    found = pooled(jnp.asarray(np.where(live[:, :, None], x, np.nan)), jnp.asarray(live), jnp.asarray(query))
    for record in range(2):
        tokens = x[record, live[record]]
        weight = np.exp(tokens @ query)
        weight /= weight.sum(0)
        expected = np.concatenate([weight[:, head] @ tokens[:, 3 * head : 3 * head + 3] for head in (0, 1)])
        np.testing.assert_allclose(found[record], expected, atol=1e-5)
    np.testing.assert_array_equal(found[2], 0)


def test_attention_pooling_starts_as_the_mean():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(3, 5, 6)), jnp.float32)
    live = jnp.arange(5) < jnp.array([5, 2, 0])[:, None]
    params = AttentionPool(heads=2).init(jax.random.key(0), x, live)["params"]
    np.testing.assert_allclose(pooled(x, live, params["query"]), masked_mean(x, live), atol=1e-6)
    gradient = jax.grad(lambda q: (pooled(x, live, q) ** 2).sum())(params["query"])
    assert np.isfinite(gradient).all() and np.asarray(gradient).any(0).all()
