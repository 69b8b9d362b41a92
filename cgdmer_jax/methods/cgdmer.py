"""CG-DMER (Niu et al. 2026, arXiv 2602.21154) on the method contract; our choices are DESIGN 4.

L = w_ecg L_ecg + w_text L_txt + w_align L_align + w_disentangle L_dis
"""

from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods import losses
from cgdmer_jax.methods.cgdmer_network import CgDmerNetwork, Compute, Size
from cgdmer_jax.methods.protocol import Aux, Reconstruction, Variables
from cgdmer_jax.models.ecg_vit import patchify, take_tokens
from cgdmer_jax.models.heads import masked_mean, unit
from cgdmer_jax.models.masking import (
    STRATEGIES,
    Slots,
    all_valid,
    draw_masks,
    drop_leads,
    valid_tokens,
)
from cgdmer_jax.models.scaling import Scaled, record_std
from cgdmer_jax.models.token_masking import MaskedTokens, draw_masked_tokens


@dataclass(frozen=True)
class CgDmerConfig:
    """What a config file says of the method; every field is named there."""

    ecg: Size  # lead x time encoder
    text: Size  # report encoder
    second: Size  # specific and shared encoders
    decoder: Size  # ECG decoder
    patch_seconds: float  # length of a token
    hide_ratio: float  # share of the valid tokens that is hidden
    masking: str  # one of models/masking.py STRATEGIES
    decode_ratio: float  # share of the hidden tokens that is predicted, chosen at random
    lead_dropout: float  # share of the records that lose 1..n-1 leads for good
    language_ratio: float  # share of the words that is masked
    embedding: int  # width of the aligned space
    temperature: float  # where the learned InfoNCE temperature starts
    weight_ecg: float
    weight_text: float
    weight_align: float
    weight_disentangle: float
    disentangle_warmup: float  # share of the steps over which its weight rises from 0
    dtype: str
    remat: str
    unroll: int


class CgDmerDraws(NamedTuple):
    """Everything random or scheduled in one step."""

    lead_mask: Bool[Array, "batch lead"]  # after lead dropout
    kept: Slots
    hidden: Slots
    masked: MaskedTokens
    disentangle_weight: Float[Array, ""]


class CgDmer:
    """The method object: holds sizes, no arrays."""

    def __init__(
        self,
        config: CgDmerConfig,
        *,
        n_leads: int,
        n_samples: int,
        rate: float,
        vocabulary: int,
        max_tokens: int,
    ):
        if config.masking not in STRATEGIES:
            raise CgdmerError(f'config.method.masking is "{config.masking}".{suggest(config.masking, STRATEGIES)}')
        self.config = config
        self.patch_samples = round(config.patch_seconds * rate)
        self.n_patches = n_samples // self.patch_samples
        self.vocabulary = vocabulary
        self.network = CgDmerNetwork(
            n_leads=n_leads,
            n_patches=self.n_patches,
            patch_samples=self.patch_samples,
            vocabulary=vocabulary,
            max_tokens=max_tokens,
            embedding=config.embedding,
            temperature=config.temperature,
            ecg=config.ecg,
            text=config.text,
            second=config.second,
            decoder=config.decoder,
            compute=Compute(config.dtype, config.remat, config.unroll),
        )

    # --- the contract -------------------------------------------------------------------------------

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        draws = self.draw(key, batch, jnp.float32(0))
        length = batch.token_mask.sum(1)
        variables = self.network.init(
            key,
            self.patches(batch, draws.lead_mask)[0],
            draws.kept,
            draws.hidden,
            batch.tokens,
            length,
            draws.masked.slots,
        )
        return Variables(variables["params"], {})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> CgDmerDraws:
        config = self.config
        lead_key, mask_key, word_key = jax.random.split(key, 3)
        lead_mask = drop_leads(lead_key, batch.lead_mask, config.lead_dropout)
        valid = valid_tokens(lead_mask, batch.length, self.n_patches, self.patch_samples)
        kept, hidden = draw_masks(mask_key, valid, strategy=config.masking, hide_ratio=config.hide_ratio)
        masked = draw_masked_tokens(
            word_key,
            batch.tokens,
            batch.token_mask,
            ratio=config.language_ratio,
            vocabulary=self.vocabulary,
        )
        warm = jnp.clip(progress / max(config.disentangle_warmup, 1e-9), 0.0, 1.0)
        return CgDmerDraws(lead_mask, kept, hidden, masked, config.weight_disentangle * warm)

    def loss(
        self, variables: Variables, batch: Batch, draws: CgDmerDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """The hybrid loss of the global batch; `train` changes nothing, since there is no dropout inside."""
        patches, _ = self.patches(batch, draws.lead_mask)
        return self.loss_of_patches(variables, patches, batch, draws)

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """`main` (shared and specific side by side), `encoder`, `shared`, `specific`, `per_lead`, `aligned`."""
        patches, valid = self.patches(batch, batch.lead_mask)
        return self.embed_patches(variables, patches, all_valid(valid))

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        parts = self._apply(variables, tokens, token_mask.sum(1), method="text_parts")
        return self._apply(variables, masked_mean(parts.shared, token_mask), method="align")

    def zero_shot_scores(
        self,
        variables: Variables,
        batch: Batch,
        tokens: Int32[Array, "klass prompt token"],
        token_mask: Bool[Array, "klass prompt token"],
    ) -> Float[Array, "batch klass"]:
        """Cosine to the re-normalised mean of each class's prompt embeddings."""
        classes, prompts, width = tokens.shape
        flat = self.embed_text(variables, tokens.reshape(-1, width), token_mask.reshape(-1, width))
        vectors = unit(flat.reshape(classes, prompts, -1).mean(1))
        return self.embed_ecg(variables, batch)["aligned"] @ vectors.T

    def reconstruct(self, variables: Variables, batch: Batch, draws: CgDmerDraws) -> Reconstruction:
        """The prediction for every hidden token, the input elsewhere."""
        patches, _ = self.patches(batch, draws.lead_mask)
        parts = self._apply(variables, patches, draws.kept, method="ecg_parts")
        predicted = self._apply(variables, parts, draws.kept, draws.hidden, method="decode_ecg")
        live = draws.hidden.live()
        at = (jnp.arange(len(patches))[:, None], draws.hidden.index)
        value = jnp.where(live[:, :, None], predicted, patches[at])  # dead slots may name visible tokens
        grid = (len(patches), batch.signal.shape[1], self.n_patches)
        hidden = jnp.zeros(patches.shape[:2], bool).at[at].set(live)
        signal = patches.at[at].set(value).reshape(*grid[:2], -1)
        scale_mv = self._scaled(batch, draws.lead_mask).scale_mv
        return Reconstruction(signal * scale_mv[:, None, None], hidden.reshape(grid))

    # --- the same, from scaled patches: tests put NaN and changes there ---------------------------------

    def patches(
        self, batch: Batch, lead_mask: Bool[Array, "batch lead"]
    ) -> tuple[Float[Array, "batch token sample"], Bool[Array, "batch lead patch"]]:
        """Scaled patches and which of them are valid."""
        valid = valid_tokens(lead_mask, batch.length, self.n_patches, self.patch_samples)
        return patchify(self._scaled(batch, lead_mask).signal, self.patch_samples), valid

    def loss_of_patches(
        self,
        variables: Variables,
        patches: Float[Array, "batch token sample"],
        batch: Batch,
        draws: CgDmerDraws,
    ) -> tuple[Float[Array, ""], Aux]:
        config = self.config
        ecg = self._apply(variables, patches, draws.kept, method="ecg_parts")
        queries = draws.hidden.first(config.decode_ratio)
        predicted = self._apply(variables, ecg, draws.kept, queries, method="decode_ecg")
        loss_ecg = losses.reconstruction(predicted, take_tokens(patches, queries), queries.live())

        masked_text, text = self._both_text_passes(variables, batch, draws)
        logits = self._apply(variables, masked_text, draws.masked.slots, method="decode_text")
        word = draws.masked.original(batch.tokens)
        loss_text = losses.masked_language(logits, word, draws.masked.slots.live())

        pooled_ecg = [masked_mean(x, draws.kept.live()) for x in (ecg.shared, ecg.specific)]
        pooled_text = [masked_mean(x, batch.token_mask) for x in (text.shared, text.specific)]
        temperature = self._apply(variables, method="current_temperature")
        loss_align = losses.info_nce(
            self._apply(variables, pooled_ecg[0], method="align"),
            self._apply(variables, pooled_text[0], method="align"),
            batch.text_id,
            temperature,
        )
        has_text = batch.text_id != NO_TEXT
        loss_disentangle = 0.5 * (
            losses.disentangle(*pooled_ecg, draws.kept.length > 0) + losses.disentangle(*pooled_text, has_text)
        )
        total = (
            config.weight_ecg * loss_ecg
            + config.weight_text * loss_text
            + config.weight_align * loss_align
            + draws.disentangle_weight * loss_disentangle
        )
        terms = {
            "ecg": loss_ecg,
            "text": loss_text,
            "align": loss_align,
            "disentangle": loss_disentangle,
            "temperature": temperature,
        }
        return total, Aux(variables.state, terms)

    def embed_patches(
        self, variables: Variables, patches: Float[Array, "batch token sample"], slots: Slots
    ) -> dict[str, Float[Array, "batch feature"]]:
        parts = self._apply(variables, patches, slots, method="ecg_parts")
        live = slots.live()
        encoder, shared, specific = (masked_mean(x, live) for x in parts)
        return {
            "main": jnp.concatenate([shared, specific], axis=1),
            "encoder": encoder,
            "shared": shared,
            "specific": specific,
            "per_lead": self._per_lead(parts.joined(), slots),
            "aligned": self._apply(variables, shared, method="align"),
        }

    # --- pieces -------------------------------------------------------------------------------------

    def _apply(self, variables: Variables, *args, method: str):
        return self.network.apply({"params": variables.params}, *args, method=method)

    def _scaled(self, batch: Batch, lead_mask: Bool[Array, "batch lead"]) -> Scaled:
        return record_std(batch.signal, lead_mask, batch.length)

    def _both_text_passes(self, variables, batch, draws):
        """The masked pass (for L_txt) and the unmasked one (masked words would blur the alignment), stacked."""
        tokens = jnp.concatenate([draws.masked.apply(batch.tokens), batch.tokens])
        length = jnp.tile(batch.token_mask.sum(1), 2)
        both = self._apply(variables, tokens, length, method="text_parts")
        half = len(batch.tokens)
        return jax.tree.map(lambda x: x[:half], both), jax.tree.map(lambda x: x[half:], both)

    def _per_lead(self, tokens: Float[Array, "batch slot width"], slots: Slots):
        """Mean over time for each lead, side by side; absent leads are 0."""
        n_leads = self.network.n_leads
        lead = jax.nn.one_hot(slots.index // self.n_patches, n_leads) * slots.live()[:, :, None]
        mean = jnp.einsum("bsl,bsw->blw", lead, tokens) / jnp.maximum(lead.sum(1), 1)[:, :, None]
        return mean.reshape(len(tokens), -1)
