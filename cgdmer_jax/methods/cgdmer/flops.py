"""Where CG-DMER's forward pass spends its products, by part; a training step costs about three times as much."""

import jax
import jax.numpy as jnp

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.cgdmer.forward import needed_passes
from cgdmer_jax.methods.cgdmer.method import CgDmer
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.flops import matmul_flops
from cgdmer_jax.models.masking.slots import widened

ECG_SIDE = ("ecg encoder", "ecg specific and shared", "ecg decoder")
TEXT_SIDE = ("text encoder", "text specific and shared", "language head")


def flops_by_part(method: CgDmer, batch: Batch) -> dict[str, int]:
    """FLOPs a record of one training forward pass (every pass that is made); `batch` may be shapes alone."""
    n = batch.signal.shape[0]
    key = jax.random.key(0)
    variables = jax.eval_shape(method.init, key, batch)
    draws = jax.eval_shape(method.draw, key, batch, jnp.float32(0))
    patches = jax.eval_shape(lambda b, m: method.patches(b, m)[0], batch, draws.lead_mask)

    def count(name, *args) -> int:
        """FLOPs of a function of the network, given or by name."""
        return matmul_flops(lambda p, *a: method.network.apply({"params": p}, *a, method=name), variables.params, *args)

    def made(name, *args):
        return jax.eval_shape(
            lambda p, *a: method.network.apply({"params": p}, *a, method=name), variables.params, *args
        )

    config, needed = method.config, needed_passes(method.config)
    passes = [draws.kept] * needed.kept
    if needed.wide:
        wide = jax.eval_shape(lambda k, h: widened(k, h, patches.shape[1], config.align_mask_ratio), *draws[1:3])
        passes.append(wide)
    ecg_encoder = sum(count(lambda net, x, k: net.ecg_encoder(x, k), patches, slots) for slots in passes)
    ecg_parts = sum(count("ecg_parts", patches, slots) for slots in passes)

    text = draws.aligned_text
    n_texts = needed.masked_text + needed.whole_text  # passes of the same shape
    text_encoder = n_texts * count(lambda net, t, k: net.text_states(t, k), *text)
    text_parts = n_texts * count("text_parts", *text)

    queries = jax.eval_shape(lambda s: s.first(config.decode_ratio), draws.hidden)
    ecg_tokens, text_tokens = made("ecg_parts", patches, draws.kept), made("text_parts", *text)
    decoder = language = 0
    if config.weight_ecg > 0:
        decoder += count("decode_ecg", ecg_tokens, draws.kept, queries)
    if config.weight_cross > 0:
        decoder += count("decode_ecg_across", ecg_tokens, draws.kept, text_tokens, text.length, queries)
    if needed.masked_text:
        language = count("decode_text", text_tokens, draws.masked.slots)
    parts = {
        "ecg encoder": ecg_encoder,
        "ecg specific and shared": ecg_parts - ecg_encoder,
        "ecg decoder": decoder,
        "text encoder": text_encoder,
        "text specific and shared": text_parts - text_encoder,
        "language head": language,
    }
    whole = matmul_flops(
        lambda p, b, d: method.loss(Variables(p, {}), b, d, train=True)[0], variables.params, batch, draws
    )
    parts["losses"] = whole - sum(parts.values())
    return {name: flops // n for name, flops in parts.items()}
