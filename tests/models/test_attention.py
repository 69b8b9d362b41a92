"""Attention by blocks of heads against a dense softmax, by NumPy, autodiff and torch."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.models import attention as room
from cgdmer_jax.models.attention import attention, blocked_attention

# batch, queries, keys, heads, width of a head: among them B x H that no block size above 1 divides
SHAPES = [(1, 1, 1, 1, 2), (3, 7, 5, 3, 4), (7, 4, 9, 1, 8), (2, 5, 5, 4, 4)]


def inputs(batch, queries, keys, heads, dim, seed=0):
    draw = np.random.default_rng(seed)
    q = draw.normal(size=(batch, queries, heads, dim)).astype(np.float32)
    k, v = draw.normal(size=(2, batch, keys, heads, dim)).astype(np.float32)
    length = draw.integers(1, keys + 1, batch).astype(np.int32)
    return tuple(jnp.asarray(a) for a in (q, k, v, length))


def dense(q, k, v, length):
    """Softmax written out, weights of dead keys zero."""
    weight = jnp.exp(jnp.einsum("bqhd,bkhd->bhqk", q, k) / q.shape[-1] ** 0.5)
    weight = weight * (jnp.arange(k.shape[1]) < length[:, None])[:, None, None, :]
    return jnp.einsum("bhqk,bkhd->bqhd", weight / weight.sum(-1, keepdims=True), v)


def small_blocks(monkeypatch, q, k, per_block):
    monkeypatch.setattr(room, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(room, "_BLOCK_BYTES", per_block * q.shape[1] * k.shape[1] * 4)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("per_block", [2, 1000])
def test_attention_equals_dense_softmax_over_the_live_keys(shape, per_block, monkeypatch):
    q, k, v, length = inputs(*shape)
    small_blocks(monkeypatch, q, k, per_block)
    expected = dense(q, k, v, length)
    np.testing.assert_allclose(blocked_attention(q, k, v, length), expected, atol=2e-6)
    np.testing.assert_allclose(attention(q, k, v, length), expected, atol=2e-6)


@pytest.mark.parametrize("shape", SHAPES[1:], ids=str)
def test_hand_written_gradients_equal_autodiff_of_the_dense_form(shape, monkeypatch):
    q, k, v, length = inputs(*shape)
    small_blocks(monkeypatch, q, k, 2)
    weight = np.random.default_rng(1).normal(size=q.shape).astype(np.float32)

    def total(form):
        return lambda q, k, v: (form(q, k, v, length) * weight).sum()

    ours = jax.jit(jax.grad(total(blocked_attention), (0, 1, 2)))(q, k, v)
    autodiff = jax.jit(jax.grad(total(dense), (0, 1, 2)))(q, k, v)
    for one, other in zip(ours, autodiff, strict=True):
        np.testing.assert_allclose(one, other, atol=5e-6)


def test_the_block_is_the_largest_divisor_that_fits_the_cache_or_everything_when_that_is_little(monkeypatch):
    assert room._block_size(7, 1_000) == 7
    monkeypatch.setattr(room, "_WHOLE_BYTES", 0)
    monkeypatch.setattr(room, "_BLOCK_BYTES", 5 * 100)
    assert [room._block_size(n, 100) for n in (1, 4, 6, 7, 20)] == [1, 4, 3, 1, 5]
    assert room._block_size(12, 10_000) == 1


def test_keys_beyond_the_length_change_nothing_and_receive_no_gradient():
    q, k, v, _ = inputs(3, 4, 8, 2, 4)
    length = jnp.array([1, 5, 8], jnp.int32)
    beyond = np.arange(8)[None, :] >= np.array([[1], [5], [8]])
    plain = blocked_attention(q, k, v, length)
    other_k, other_v = k.at[beyond].set(1e4), v.at[beyond].set(-1e4)
    np.testing.assert_array_equal(plain, blocked_attention(q, other_k, other_v, length))
    d_k, d_v = jax.grad(lambda k, v: (blocked_attention(q, k, v, length) ** 2).sum(), (0, 1))(k, v)
    assert not np.asarray(d_k)[beyond].any() and not np.asarray(d_v)[beyond].any()
    assert np.asarray(d_v)[~beyond].any()


def test_a_record_without_any_key_stays_finite_in_value_and_gradient():
    q, k, v, _ = inputs(2, 3, 4, 2, 4)
    length = jnp.array([0, 3], jnp.int32)
    value, gradient = jax.jit(jax.value_and_grad(lambda q: blocked_attention(q, k, v, length).sum()))(q)
    assert np.isfinite(value) and np.isfinite(gradient).all()


def test_scores_of_any_size_stay_finite():
    q, k, v, length = inputs(2, 3, 4, 2, 4)
    out, gradient = jax.jit(jax.value_and_grad(lambda q: blocked_attention(q, k, v, length).sum()))(q * 1e4)
    assert np.isfinite(out) and np.isfinite(gradient).all()


def test_attention_equals_torch():
    torch = pytest.importorskip("torch")
    q, k, v, length = inputs(3, 7, 5, 3, 4)
    heads_first = [torch.tensor(np.array(x)).transpose(1, 2).requires_grad_() for x in (q, k, v)]
    live = torch.arange(5)[None, :] < torch.tensor(np.array(length))[:, None]
    expected = torch.nn.functional.scaled_dot_product_attention(*heads_first, attn_mask=live[:, None, None, :])
    np.testing.assert_allclose(attention(q, k, v, length), expected.transpose(1, 2).detach(), atol=2e-6)
    (expected**2).sum().backward()
    ours = jax.grad(lambda q, k, v: (attention(q, k, v, length) ** 2).sum(), (0, 1, 2))(q, k, v)
    for one, other in zip(ours, heads_first, strict=True):
        np.testing.assert_allclose(one, other.grad.transpose(1, 2), atol=1e-5)
