"""T5's encoder: what the comparison with transformers (tests/interop/test_text_parity.py) does not show."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models.text.t5 import T5Block, T5Encoder, relative_buckets
from cgdmer_jax.models.transformer import Compute

TOKENS = jnp.asarray(np.random.default_rng(0).integers(2, 11, (3, 6)), jnp.int32)
LENGTH = jnp.array([6, 3, 0], jnp.int32)
ENCODER = T5Encoder(
    vocabulary=11,
    width=8,
    depth=2,
    heads=2,
    head_width=3,
    hidden=12,
    activation="gelu_new",
    gated=True,
    buckets=8,
    max_distance=20,
    epsilon=1e-6,
)


@pytest.fixture(scope="module")
def params():
    return jax.jit(ENCODER.init)(jax.random.key(0), TOKENS, LENGTH)


def test_buckets_of_a_hand_computed_row():
    """8 buckets, furthest 20: 4 a side, distances 0 and 1 alone, then log-wide up to 6 (2 sqrt 10), then the rest."""
    np.testing.assert_array_equal(relative_buckets(9, 8, 20)[0], [0, 5, 6, 6, 6, 6, 6, 7, 7])
    np.testing.assert_array_equal(relative_buckets(9, 8, 20)[:, 0], [0, 1, 2, 2, 2, 2, 2, 3, 3])


@pytest.mark.parametrize(("buckets", "furthest"), [(32, 128), (16, 64), (8, 20), (12, 100), (10, 33)])
def test_buckets_equal_transformers(buckets, furthest):
    torch = pytest.importorskip("torch", reason="transformers' buckets need torch (the extra `torch`)")
    from transformers.models.t5.modeling_t5 import T5Attention

    distance = torch.arange(300)[None, :] - torch.arange(300)[:, None]
    expected = T5Attention._relative_position_bucket(distance, True, buckets, furthest)
    np.testing.assert_array_equal(relative_buckets(300, buckets, furthest), expected.numpy())


def test_tokens_beyond_the_length_change_nothing_and_an_empty_text_stays_finite(params):
    apply = jax.jit(ENCODER.apply)
    plain, moved = apply(params, TOKENS, LENGTH), apply(params, TOKENS.at[1, 3:].set(7), LENGTH)
    np.testing.assert_array_equal(plain.tokens[1, :3], moved.tokens[1, :3])
    assert np.isfinite(plain.tokens).all() and plain.pooled is None


def test_unrolling_changes_no_value(params):
    one, other = (
        jax.jit(ENCODER.clone(compute=Compute(unroll=n)).apply)(params, TOKENS, LENGTH).tokens for n in (1, 2)
    )
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_float16_holds_a_feed_forward_sum_beyond_its_largest_number():
    """Real T5 weights do that; transformers keeps `wo` in float32 for it."""
    block = T5Block(heads=1, head_width=2, hidden=4, activation="relu", gated=False, epsilon=1e-6, dtype="float16")
    x, bias, length = jnp.ones((1, 1, 2)), jnp.zeros((1, 1, 1)), jnp.array([1])
    params = block.init(jax.random.key(0), x, bias, length)["params"]
    params |= {"up": {"kernel": jnp.full((2, 4), 1e3)}, "down": {"kernel": jnp.full((4, 2), 50.0)}}
    (out, _) = block.apply({"params": params}, x, bias, length)
    assert np.isfinite(out).all() and out.min() > 65_504


def test_computing_in_bfloat16_keeps_float32_parameters_stacked_by_block():
    half = ENCODER.clone(compute=Compute("bfloat16"))
    states, params = jax.eval_shape(half.init_with_output, jax.random.key(0), TOKENS, LENGTH)
    assert states.tokens.dtype == jnp.bfloat16
    assert {leaf.dtype for leaf in jax.tree.leaves(params)} == {np.dtype(np.float32)}
    assert params["params"]["blocks"]["gate"]["kernel"].shape == (2, 8, 12)
