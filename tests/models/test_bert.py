"""BERT's encoder: what the comparison with transformers (tests/interop/test_text_parity.py) does not show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.models.text.bert import BertEncoder, positions
from cgdmer_jax.models.transformer import Compute

FIELDS = {"vocabulary": 11, "max_tokens": 6, "token_types": 2, "width": 8, "depth": 2, "heads": 2, "hidden": 12}
TOKENS = jnp.asarray(np.random.default_rng(0).integers(2, 11, (3, 6)), jnp.int32)
LENGTH = jnp.array([6, 3, 0], jnp.int32)


def encoder(**more):
    return BertEncoder(**FIELDS, activation="gelu", epsilon=1e-12, **more)


@pytest.fixture(scope="module")
def params():
    return jax.jit(encoder().init)(jax.random.key(0), TOKENS, LENGTH)


def test_tokens_beyond_the_length_change_nothing_and_an_empty_text_stays_finite(params):
    apply = jax.jit(encoder().apply)
    plain, moved = apply(params, TOKENS, LENGTH), apply(params, TOKENS.at[1, 3:].set(7), LENGTH)
    np.testing.assert_array_equal(plain.tokens[1, :3], moved.tokens[1, :3])
    np.testing.assert_array_equal(plain.pooled[1], moved.pooled[1])
    assert np.isfinite(plain.tokens).all()


def test_gradients_stay_finite_with_an_empty_text(params):
    grads = jax.jit(jax.grad(lambda p: (encoder().apply(p, TOKENS, LENGTH).tokens ** 3).sum()))(params)
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(grads))


def test_unrolling_changes_no_value(params):
    one, other = (jax.jit(encoder(compute=Compute(unroll=n)).apply)(params, TOKENS, LENGTH).tokens for n in (1, 2))
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_parameters_stay_float32_and_blocks_are_stacked_when_computing_in_bfloat16():
    half = encoder(compute=Compute("bfloat16"))
    (states, params) = jax.eval_shape(half.init_with_output, jax.random.key(0), TOKENS, LENGTH)
    assert states.tokens.dtype == states.pooled.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert params["params"]["blocks"]["up"]["kernel"].shape == (2, 8, 12)


def test_a_text_longer_than_the_positions_is_refused(params):
    with pytest.raises(CgdmerError, match=r"texts of 7 tokens, .* cut them to 6"):
        encoder().apply(params, jnp.zeros((1, 7), jnp.int32), jnp.array([7]))


def test_roberta_positions_count_from_behind_the_pad_id():
    tokens = jnp.array([[5, 6, 1, 7, 1, 1]], jnp.int32)
    np.testing.assert_array_equal(positions(tokens, 1), [[2, 3, 1, 4, 1, 1]])
    np.testing.assert_array_equal(positions(tokens, None), [[0, 1, 2, 3, 4, 5]])
