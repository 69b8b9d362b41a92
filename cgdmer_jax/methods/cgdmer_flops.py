"""Where CG-DMER's forward pass spends its products, by part; a training step costs about three times as much."""

import jax
import jax.numpy as jnp

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.cgdmer import CgDmer
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.flops import matmul_flops

ECG_SIDE = ("ecg encoder", "ecg specific and shared", "ecg decoder")
TEXT_SIDE = ("text encoder", "text specific and shared", "language head")


def flops_by_part(method: CgDmer, batch: Batch) -> dict[str, int]:
    """FLOPs a record of one training forward pass (both text passes); `batch` may be shapes alone."""
    n = batch.signal.shape[0]
    key = jax.random.key(0)
    variables = jax.eval_shape(method.init, key, batch)
    draws = jax.eval_shape(method.draw, key, batch, jnp.float32(0))
    patches = jax.eval_shape(lambda b, m: method.patches(b, m)[0], batch, draws.lead_mask)
    queries = jax.eval_shape(lambda s: s.first(method.config.decode_ratio), draws.hidden)
    shape = jax.ShapeDtypeStruct
    tokens = shape((2 * n, *batch.tokens.shape[1:]), "int32")  # the masked and the unmasked pass
    length = shape((2 * n,), "int32")

    def count(function, *args) -> int:
        return matmul_flops(function, variables.params, *args)

    def apply(params, *args, run):
        return method.network.apply({"params": params}, *args, method=run)

    ecg_parts = jax.eval_shape(lambda p, *a: apply(p, *a, run="ecg_parts"), variables.params, patches, draws.kept)
    text_parts = jax.eval_shape(lambda p, *a: apply(p, *a, run="text_parts"), variables.params, tokens, length)
    masked_parts = jax.tree.map(lambda x: shape((n, *x.shape[1:]), x.dtype), text_parts)
    encoder = count(lambda p, *a: apply(p, *a, run=lambda net, x, k: net.ecg_encoder(x, k)), patches, draws.kept)
    text = count(lambda p, *a: apply(p, *a, run=lambda net, t, n: net.text_encoder(t, n)), tokens, length)
    parts = {
        "ecg encoder": encoder,
        "ecg specific and shared": count(lambda p, *a: apply(p, *a, run="ecg_parts"), patches, draws.kept) - encoder,
        "ecg decoder": count(lambda p, *a: apply(p, *a, run="decode_ecg"), ecg_parts, draws.kept, queries),
        "text encoder": text,
        "text specific and shared": count(lambda p, *a: apply(p, *a, run="text_parts"), tokens, length) - text,
        "language head": count(lambda p, *a: apply(p, *a, run="decode_text"), masked_parts, draws.masked.slots),
    }
    whole = count(lambda p, b, d: method.loss(Variables(p, {}), b, d, train=True)[0], batch, draws)
    parts["losses"] = whole - sum(parts.values())
    return {name: flops // n for name, flops in parts.items()}
