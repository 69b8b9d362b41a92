"""CG-DMER's loss terms from one step's passes; a pass that no term reads, and a term of weight 0, is not computed.

L = w_ecg L_ecg + w_cross L_cross + w_text L_txt + w_align L_align + w_disentangle L_dis
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.methods import alignment, losses
from cgdmer_jax.methods.cgdmer_config import CgDmerConfig, CgDmerDraws
from cgdmer_jax.methods.cgdmer_network import Parts, Pooled
from cgdmer_jax.methods.disentangling import disentangle
from cgdmer_jax.models.masking import Slots, widened
from cgdmer_jax.models.token_masking import Marks, Text

Apply = Callable  # (*arguments, method=name) -> what that function of the network gives with the step's parameters


class Plan(NamedTuple):
    """Which passes the terms of a config read."""

    kept: bool  # the ECG's kept tokens
    wide: bool  # the ECG once more, under its own lighter mask
    masked_text: bool
    whole_text: bool
    disentangle: bool


def plan_of(config: CgDmerConfig) -> Plan:
    disentangles = config.weight_disentangle > 0 and config.disentangling != "none"
    pools = disentangles or config.weight_align > 0
    wide = pools and config.align_hide_ratio < config.hide_ratio
    decodes = config.weight_ecg > 0 or config.weight_cross > 0
    return Plan(
        kept=decodes or (pools and not wide),
        wide=wide,
        masked_text=config.weight_text > 0,
        whole_text=pools or config.weight_cross > 0,
        disentangle=disentangles,
    )


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
    plan = plan_of(config)
    ecg = apply(patches, draws.kept, method="ecg_parts") if plan.kept else None
    masked_text, text = _text_passes(apply, plan, batch, draws)

    terms = _reconstructions(apply, config, ecg, text, target, batch, draws)
    if plan.masked_text:
        logits = apply(masked_text, draws.masked.slots, method="decode_text")
        word = draws.masked.original(batch.tokens)
        terms["text"] = losses.masked_language(logits, word, draws.masked.slots.live())

    if config.weight_align > 0 or plan.disentangle:
        slots = draws.kept
        if plan.wide:
            slots = widened(draws.kept, draws.hidden, patches.shape[1], config.align_hide_ratio)
            ecg = apply(patches, slots, method="ecg_parts")
        pooled_ecg = apply("ecg", ecg, slots.live(), method="pooled")
        pooled_text = apply("text", text, draws.aligned_text.live(), method="pooled")
        if config.weight_align > 0:
            terms |= _alignment(apply, config, pooled_ecg, pooled_text, batch, draws.aligned_text, vocabulary, marks)
        if plan.disentangle:
            sides = ((pooled_ecg, slots.length > 0), (pooled_text, batch.text_id != NO_TEXT))
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


def _text_passes(apply: Apply, plan: Plan, batch: Batch, draws: CgDmerDraws) -> tuple[Parts | None, Parts | None]:
    """The masked pass (for L_txt) and the one that alignment reads (masked words would blur it), stacked."""
    passes = []
    if plan.masked_text:
        passes.append(Text(draws.masked.apply(batch.tokens), batch.token_mask.sum(1, dtype=jnp.int32)))
    if plan.whole_text:
        passes.append(draws.aligned_text)
    if not passes:
        return None, None
    tokens, length = (jnp.concatenate(field) for field in zip(*passes, strict=True))
    parts = apply(tokens, length, method="text_parts")
    n = len(batch.tokens)
    masked = jax.tree.map(lambda x: x[:n], parts) if plan.masked_text else None
    whole = jax.tree.map(lambda x: x[-n:], parts) if plan.whole_text else None
    return masked, whole


def _reconstructions(apply, config, ecg, text, target, batch, draws) -> dict[str, Float[Array, ""]]:
    """ECG from its own tokens, and from its specific tokens with the report's shared ones."""
    terms = {}
    if config.weight_ecg > 0 or config.weight_cross > 0:
        queries = draws.hidden.first(config.decode_ratio)
        wanted = target(queries)
    if config.weight_ecg > 0:
        predicted = apply(ecg, draws.kept, queries, method="decode_ecg")
        terms["ecg"] = losses.reconstruction(predicted, wanted, queries.live())
    if config.weight_cross > 0:
        predicted = apply(ecg, draws.kept, text, draws.aligned_text.length, queries, method="decode_ecg_across")
        has_text = (batch.text_id != NO_TEXT)[:, None]
        terms["cross"] = losses.reconstruction(predicted, wanted, queries.live() & has_text)
    return terms


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
        alike = alignment.near_duplicates(
            batch.tokens, batch.token_mask, vocabulary=vocabulary, threshold=config.near_duplicate, marks=marks
        )
    if config.statement_dropout > 0:
        equal = alignment.same_tokens(read.tokens)
        alike = equal if alike is None else alike | equal
    pairs = alignment.pair_up(batch.text_id, alike, same_text=config.same_text)
    points = [apply(pooled.shared, method="align") for pooled in (ecg, text)]
    temperature = apply(method="current_temperature")
    if config.alignment == "siglip":
        bias = apply(method="current_bias")
        return {
            "align": alignment.siglip(*points, pairs, 1 / temperature, bias),
            "temperature": temperature,
            "alignment_bias": bias,
        }
    return {"align": alignment.info_nce(*points, pairs, temperature), "temperature": temperature}
