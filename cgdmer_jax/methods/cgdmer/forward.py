"""CG-DMER's forward passes: what each record gives to the loss terms, for the whole batch at once or part by part."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int32

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.cgdmer.config import CgDmerConfig, CgDmerDraws
from cgdmer_jax.methods.cgdmer.network import ModalityTokens, Pooled
from cgdmer_jax.methods.losses import reconstruction
from cgdmer_jax.models.masking.slots import Slots, widened
from cgdmer_jax.models.masking.words import MaskedTokens, Text

Apply = Callable  # (*arguments, method=name) -> what that function of the network gives with the step's parameters


class NeededPasses(NamedTuple):
    """Passes that the terms of a config read."""

    kept: bool  # the ECG's kept tokens
    wide: bool  # the ECG once more, under its own lighter mask
    masked_text: bool
    whole_text: bool
    disentangle: bool


def needed_passes(config: CgDmerConfig) -> NeededPasses:
    disentangles = config.weight_disentangle > 0 and config.disentangling != "none"
    pools = disentangles or config.weight_align > 0
    wide = pools and config.align_mask_ratio < config.mask_ratio
    decodes = config.weight_ecg > 0 or config.weight_cross > 0
    return NeededPasses(
        kept=decodes or (pools and not wide),
        wide=wide,
        masked_text=config.weight_text > 0,
        whole_text=pools or config.weight_cross > 0,
        disentangle=disentangles,
    )


class StepInputs(NamedTuple):
    """Everything of a step that has an axis of records, as the passes read it."""

    patches: Float[Array, "batch token sample"]
    wanted: (
        Float[Array, "batch query patch_sample"] | None
    )  # what the decoder should give; None when nothing is decoded
    kept: Slots
    hidden: Slots
    queries: Slots  # the hidden tokens that are predicted
    tokens: Int32[Array, "batch word"]
    n_tokens: Int32[Array, "batch"]
    masked: MaskedTokens
    read: Text  # what alignment reads of the reports


class Passed(NamedTuple):
    """Inputs of the loss terms; a field that no term reads is None."""

    ecg_error: Float[Array, "batch query"] | None
    cross_error: Float[Array, "batch query"] | None
    word_error: Float[Array, "batch slot"] | None
    ecg: Pooled | None
    text: Pooled | None


def step_inputs(
    config: CgDmerConfig,
    patches: Float[Array, "batch token sample"],
    target: Callable[[Slots], Float[Array, "batch slot patch_sample"]],
    batch: Batch,
    draws: CgDmerDraws,
) -> StepInputs:
    queries = draws.hidden.first(config.decode_ratio)
    decodes = config.weight_ecg > 0 or config.weight_cross > 0
    wanted = target(queries) if decodes else None
    n_tokens = batch.token_mask.sum(1, dtype=jnp.int32)
    ecg, text = (draws.kept, draws.hidden, queries), (batch.tokens, n_tokens, draws.masked, draws.aligned_text)
    return StepInputs(patches, wanted, *ecg, *text)


def passes(apply: Apply, config: CgDmerConfig, records: StepInputs) -> Passed:
    """Nothing here looks from one record to another."""
    needed = needed_passes(config)
    kept, queries = records.kept, records.queries
    ecg = apply(records.patches, kept, method="ecg_parts") if needed.kept else None
    masked_text, text = _text_passes(apply, needed, records)
    ecg_error = cross_error = word_error = pooled_ecg = pooled_text = None
    if config.weight_ecg > 0:
        predicted = apply(ecg, kept, queries, method="decode_ecg")
        ecg_error = reconstruction.reconstruction_errors(predicted, records.wanted, queries.live())
    if config.weight_cross > 0:
        predicted = apply(ecg, kept, text, records.read.length, queries, method="decode_ecg_across")
        cross_error = reconstruction.reconstruction_errors(predicted, records.wanted, queries.live())
    if needed.masked_text:
        logits = apply(masked_text, records.masked.slots, method="decode_text")
        word_error = reconstruction.word_errors(logits, records.masked.original(records.tokens))
    if config.weight_align > 0 or needed.disentangle:
        slots = aligned_slots(config, records)
        if needed.wide:
            ecg = apply(records.patches, slots, method="ecg_parts")
        pooled_ecg = apply("ecg", ecg, slots.live(), method="pooled")
        pooled_text = apply("text", text, records.read.live(), method="pooled")
    return Passed(ecg_error, cross_error, word_error, pooled_ecg, pooled_text)


def aligned_slots(config: CgDmerConfig, records: StepInputs) -> Slots:
    """The ECG tokens from which alignment and disentangling start."""
    if not needed_passes(config).wide:
        return records.kept
    return widened(records.kept, records.hidden, records.patches.shape[1], config.align_mask_ratio)


def _text_passes(
    apply: Apply, needed: NeededPasses, records: StepInputs
) -> tuple[ModalityTokens | None, ModalityTokens | None]:
    """The masked pass (for L_txt) and the one that alignment reads (masked words would blur it), stacked."""
    made = []
    if needed.masked_text:
        made.append(Text(records.masked.apply(records.tokens), records.n_tokens))
    if needed.whole_text:
        made.append(records.read)
    if not made:
        return None, None
    tokens, length = (jnp.concatenate(field) for field in zip(*made, strict=True))
    parts = apply(tokens, length, method="text_parts")
    n = len(records.tokens)
    masked = jax.tree.map(lambda x: x[:n], parts) if needed.masked_text else None
    whole = jax.tree.map(lambda x: x[-n:], parts) if needed.whole_text else None
    return masked, whole
