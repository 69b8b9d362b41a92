"""CG-DMER's loss terms of the global batch from one step's passes; a term of weight 0 is not computed.

L = w_ecg L_ecg + w_cross L_cross + w_text L_txt + w_align L_align + w_disentangle L_dis
"""

from collections.abc import Callable
from functools import partial

import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.methods.cgdmer.config import CgDmerConfig, CgDmerDraws
from cgdmer_jax.methods.cgdmer.forward import Apply, aligned_slots, needed_passes, passes, step_inputs
from cgdmer_jax.methods.cgdmer.network import Pooled
from cgdmer_jax.methods.chunks import in_chunks
from cgdmer_jax.methods.losses import contrastive
from cgdmer_jax.methods.losses.independence import disentangle
from cgdmer_jax.methods.losses.reconstruction import masked_average
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.words import Marks, Text


def hybrid_loss(
    apply: Apply,
    config: CgDmerConfig,
    patches: Float[Array, "batch token sample"],
    target: Callable[[Slots], Float[Array, "batch slot patch_sample"]],
    batch: Batch,
    draws: CgDmerDraws,
    vocabulary: int,
    marks: Marks,
) -> tuple[Float[Array, ""], dict[str, Float[Array, ""]]]:
    """The loss of the global batch and its terms by name; `target`: what the decoder should give for these tokens."""
    records = step_inputs(config, patches, target, batch, draws)
    passed = in_chunks(partial(passes, apply, config), records, config.microbatches)
    has_text = batch.text_id != NO_TEXT

    terms = {}
    if passed.ecg_error is not None:
        terms["ecg"] = masked_average(passed.ecg_error, records.queries.live())
    if passed.cross_error is not None:
        terms["cross"] = masked_average(passed.cross_error, records.queries.live() & has_text[:, None])
    if passed.word_error is not None:
        terms["text"] = masked_average(passed.word_error, draws.masked.slots.live())
    if config.weight_align > 0:
        terms |= _alignment(apply, config, passed.ecg, passed.text, batch, draws.aligned_text, vocabulary, marks)
    if needed_passes(config).disentangle:
        sides = ((passed.ecg, aligned_slots(config, records).length > 0), (passed.text, has_text))
        terms["disentangle"] = 0.5 * sum(
            disentangle(*pooled, live, kind=config.disentangling) for pooled, live in sides
        )
    weights = {
        "ecg": config.weight_ecg,
        "cross": config.weight_cross,
        "text": config.weight_text,
        "align": config.weight_align,
        "disentangle": draws.disentangle_weight,
    }
    total = sum((weight * terms[name] for name, weight in weights.items() if name in terms), jnp.float32(0))
    return total, terms


def _alignment(
    apply: Apply,
    config: CgDmerConfig,
    ecg: Pooled,
    text: Pooled,
    batch: Batch,
    read: Text,
    vocabulary: int,
    marks: Marks,
) -> dict[str, Float[Array, ""]]:
    """The alignment of the shared parts, and the learned numbers in it; `read` is what is left of the reports."""
    alike = None
    if config.near_duplicate < 1:
        alike = contrastive.near_duplicates(
            batch.tokens, batch.token_mask, vocabulary=vocabulary, threshold=config.near_duplicate, marks=marks
        )
    if config.statement_dropout > 0:
        equal = contrastive.same_tokens(read.tokens)
        alike = equal if alike is None else alike | equal
    pairs = contrastive.pair_up(batch.text_id, alike, same_text=config.same_text)
    points = [apply(pooled.shared, method="align") for pooled in (ecg, text)]
    temperature = apply(method="current_temperature")
    if config.alignment == "siglip":
        bias = apply(method="current_bias")
        return {
            "align": contrastive.siglip(*points, pairs, 1 / temperature, bias),
            "temperature": temperature,
            "alignment_bias": bias,
        }
    return {"align": contrastive.info_nce(*points, pairs, temperature), "temperature": temperature}
