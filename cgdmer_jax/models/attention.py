"""Attention whose keys end at a length, in the form that is fastest on the platform at hand."""

from functools import partial

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.models.dense import precise

KINDS = ("auto", "blocked", "xla", "cudnn")
_MASKED = -1e30  # finite: a record without any key attends evenly and stays finite
_BLOCK_BYTES = 4 << 20  # scores of one block of heads; 2-13 MB measured best on a 32 MB cache
_WHOLE_BYTES = 16 << 20  # up to here all heads at once: no loop, half the time at nano's 75 tokens


def attention(
    query: Float[Array, "batch query head dim"],
    key: Float[Array, "batch key head dim"],
    value: Float[Array, "batch key head dim"],
    key_length: Int[Array, "batch"],
    kind: str = "auto",
) -> Float[Array, "batch query head dim"]:
    """Softmax attention over the first `key_length` keys of each record, in one of the forms of KINDS.

    `blocked`: blocks of heads with scores recomputed in the backward pass (on a CPU XLA materialises the whole score
    tensor and transposes it, 1.4-4.9x slower). `cudnn`: the fused kernel of NVIDIA GPUs, 16 bits only.
    `xla`: XLA's own. `auto`: the one that was fastest where it was measured (docs/performance.md).
    """
    if kind == "auto":
        kind = _fastest(query)
    if kind == "blocked":
        return blocked_attention(query, key, value, key_length)
    if kind == "cudnn":  # a record without any key would become NaN there; what it attends to is read by nobody
        key_length = jnp.maximum(key_length, 1)
    return jax.nn.dot_product_attention(query, key, value, key_value_seq_lengths=key_length, implementation=kind)


def _fastest(query) -> str:
    backend = jax.default_backend()
    fits_cudnn = query.dtype in (jnp.bfloat16, jnp.float16) and query.shape[-1] % 8 == 0 and query.shape[-1] <= 128
    if backend == "gpu" and fits_cudnn:
        return "cudnn"
    return "blocked" if backend == "cpu" else "xla"


def blocked_attention(query, key, value, key_length):
    """`attention` by blocks of (record, head) pairs; same arguments and result."""
    batch, n_query, heads, dim = query.shape
    lengths = jnp.repeat(key_length, heads)
    flat = (_heads_first(query * dim**-0.5), _heads_first(key), _heads_first(value), lengths)
    block = _block_size(batch * heads, n_query * key.shape[1] * 4)
    out = _attend(block, *flat)
    return out.reshape(batch, heads, n_query, dim).transpose(0, 2, 1, 3)


def _heads_first(x):
    batch, n, heads, dim = x.shape
    return x.transpose(0, 2, 1, 3).reshape(batch * heads, n, dim)


def _block_size(n: int, bytes_each: int) -> int:
    """n when all scores are small, else the largest divisor of n whose scores fit the cache (1 if none)."""
    if n * bytes_each <= _WHOLE_BYTES:
        return n
    most = max(1, _BLOCK_BYTES // bytes_each)
    return next(size for size in range(min(n, most), 0, -1) if n % size == 0)


@partial(jax.custom_vjp, nondiff_argnums=(0,))
def _attend(block, query, key, value, length):
    return _forward(block, query, key, value, length)[0]


def _score_dtype(query):
    return jnp.promote_types(query.dtype, jnp.float32)


def _scores(query, key, length):
    scores = jnp.einsum("nqd,nkd->nqk", query, key, preferred_element_type=_score_dtype(query))
    live = jnp.arange(key.shape[1])[None, None, :] < length[:, None, None]
    return jnp.where(live, scores, _MASKED)


def _map(one, arrays):
    """`one` over the leading axis; a single block needs no loop, in which XLA's CPU backend keeps to one thread."""
    if arrays[0].shape[0] == 1:
        return jax.tree.map(lambda x: x[None], one(tuple(a[0] for a in arrays)))
    return jax.lax.map(one, arrays)


def _blocks(block, *arrays):
    return tuple(a.reshape(a.shape[0] // block, block, *a.shape[1:]) for a in arrays)


def _forward(block, query, key, value, length):
    def one(arrays):
        q, k, v, n = arrays
        scores = _scores(q, k, n)
        top = scores.max(-1, keepdims=True)
        weight = jnp.exp(scores - top)
        total = weight.sum(-1, keepdims=True)
        out = jnp.einsum("nqk,nkd->nqd", (weight / total).astype(v.dtype), v)
        return out, (top + jnp.log(total))[..., 0]

    out, log_total = _map(one, _blocks(block, query, key, value, length))
    out = out.reshape(query.shape[:2] + value.shape[2:])
    return out, (query, key, value, length, out, log_total.reshape(query.shape[:2]))


def _backward(block, saved, d_out):
    def one(arrays):
        q, k, v, n, out, log_total, d = arrays
        weight = jnp.exp(_scores(q, k, n) - log_total[..., None])
        d_value = jnp.einsum("nqk,nqd->nkd", weight.astype(d.dtype), d)
        d_weight = jnp.einsum("nqd,nkd->nqk", d, v, preferred_element_type=_score_dtype(q))
        row = (precise(d) * out).sum(-1, keepdims=True)
        d_scores = (weight * (d_weight - row)).astype(q.dtype)
        return jnp.einsum("nqk,nkd->nqd", d_scores, k), jnp.einsum("nqk,nqd->nkd", d_scores, q), d_value

    grads = _map(one, _blocks(block, *saved, d_out))
    query, key, value = saved[:3]
    return (*(g.reshape(x.shape) for g, x in zip(grads, (query, key, value), strict=True)), None)


_attend.defvjp(_forward, _backward)
