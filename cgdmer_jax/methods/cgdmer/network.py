"""CG-DMER's parameters and forward passes; losses and masks are elsewhere.

See docs/design.md, "Encoders" and "Decoders".
"""

import math
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from cgdmer_jax.methods.protocol import Level
from cgdmer_jax.models.bounded import at_most
from cgdmer_jax.models.dense import Dense
from cgdmer_jax.models.ecg.vit import EcgDecoder, EcgVit
from cgdmer_jax.models.heads import SecondEncoders, unit
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.text.scratch import LanguageHead, TextEncoder
from cgdmer_jax.models.text.tower import TextModule
from cgdmer_jax.models.transformer import Compute, Size

LARGEST_LOG_INVERSE = math.log(100.0)  # of the temperature


class ModalityTokens(NamedTuple):
    """Tokens after one modality's encoder, its shared and its specific encoder."""

    encoder: Float[Array, "batch token width"]
    shared: Float[Array, "batch token second"]
    specific: Float[Array, "batch token second"]

    def joined(self) -> Float[Array, "batch token second"]:
        """Input of the decoders: it includes the specific part, which would otherwise have nothing to learn."""
        return self.shared + self.specific


class Pooled(NamedTuple):
    """One record's features, from which alignment and disentangling start."""

    shared: Float[Array, "batch second"]
    specific: Float[Array, "batch second"]


class CgDmerNetwork(nn.Module):
    """Both encoders, specific and shared encoders, both decoders, one projector, the alignment's own numbers."""

    n_leads: int
    n_patches: int
    patch_samples: int
    stem: str
    column_queries: bool
    vocabulary: int
    max_tokens: int
    embedding: int
    one_shared: bool
    pooling: str
    temperature: float  # where the alignment's starts
    biased: bool  # whether its logits have a bias
    ecg: Size
    text: Size
    text_tower: TextModule | None  # in place of the text encoder from scratch
    second: Size
    decoder: Size
    compute: Compute

    def setup(self):
        grid, dtype = (self.n_leads, self.n_patches, self.patch_samples), self.compute.dtype
        self.ecg_encoder = EcgVit(*grid, self.stem, self.ecg, self.compute)
        if self.text_tower is None:
            self.text_encoder = TextEncoder(self.vocabulary, self.max_tokens, self.text, self.compute)
        self.second_encoders = SecondEncoders(self.one_shared, self.pooling, self.second, self.compute)
        self.ecg_decoder = EcgDecoder(*grid, self.column_queries, self.decoder, self.compute)
        self.language_head = LanguageHead((self.text_tower or self.text).width, dtype)
        self.projector = Dense(self.embedding, str(jnp.promote_types(dtype, jnp.float32)))
        start = nn.initializers.constant(jnp.log(1 / self.temperature))
        self.log_inverse_temperature = self.param("log_inverse_temperature", start, ())
        if self.biased:
            self.alignment_bias = self.param("alignment_bias", nn.initializers.zeros_init(), ())

    def ecg_parts(self, patches: Float[Array, "batch token sample"], kept: Slots) -> ModalityTokens:
        x = self.ecg_encoder(patches, kept)
        return self._parts("ecg", x, kept.length)

    def text_parts(self, tokens: Int32[Array, "batch token"], length: Int[Array, "batch"]) -> ModalityTokens:
        return self._parts("text", self.text_states(tokens, length), length)

    def text_states(
        self, tokens: Int32[Array, "batch token"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        """Token states of whichever text encoder there is; the second encoders map them to their width."""
        if self.text_tower is None:
            return self.text_encoder(tokens, length)
        return self.text_tower(tokens, length).tokens

    def _parts(self, modality, x, length) -> ModalityTokens:
        second = self.second_encoders
        return ModalityTokens(x, second.shared(modality, x, length), second.specific(modality, x, length))

    def pooled(self, modality: str, parts: ModalityTokens, live: Bool[Array, "batch token"]) -> Pooled:
        return Pooled(*self.second_encoders.pool(modality, parts.shared, parts.specific, live))

    def decode_ecg(self, parts: ModalityTokens, kept: Slots, hidden: Slots) -> Float[Array, "batch query sample"]:
        return self.ecg_decoder(parts.joined(), kept, hidden)

    def decode_ecg_across(
        self, ecg: ModalityTokens, kept: Slots, text: ModalityTokens, length: Int[Array, "batch"], hidden: Slots
    ) -> Float[Array, "batch query sample"]:
        """From the ECG's specific tokens and, in place of its shared ones, the report's, side by side as keys."""
        return self.ecg_decoder(ecg.specific, kept, hidden, (text.shared, length))

    def decode_text(self, parts: ModalityTokens, masked: Slots) -> Float[Array, "batch slot vocabulary"]:
        at_masked = jnp.take_along_axis(parts.joined(), masked.index[:, :, None], axis=1)
        encoder = self.text_encoder if self.text_tower is None else self.text_tower
        return encoder.token_logits(self.language_head(at_masked))

    def align(self, shared: Float[Array, "batch second"]) -> Float[Array, "batch embedding"]:
        """Pooled shared features on the unit sphere; one projector, since the space is one."""
        return unit(self.projector(shared))

    def current_temperature(self) -> Float[Array, ""]:
        """Never below 0.01, the bound of CLIP; SigLIP's factor is 1 / temperature."""
        return jnp.exp(-at_most(self.log_inverse_temperature, LARGEST_LOG_INVERSE))

    def current_bias(self) -> Float[Array, ""]:
        return self.alignment_bias

    def __call__(self, patches, kept, hidden, tokens, length, masked):
        """Every parameter touched once: what `init` traces."""
        ecg, text = self.ecg_parts(patches, kept), self.text_parts(tokens, length)
        self.pooled("text", text, jnp.arange(tokens.shape[1])[None, :] < length[:, None])
        self.align(self.pooled("ecg", ecg, kept.live()).shared)
        self.current_temperature()
        return self.decode_ecg(ecg, kept, hidden), self.decode_text(text, masked)


def ecg_levels(first: int, second: int) -> tuple[Level, ...]:
    """Blocks of the ViT, then those of the shared and the specific encoder, which stand side by side."""
    whole = first + second
    return (
        Level("ecg_encoder/encoder/blocks/", 1, first),
        Level("ecg_encoder/encoder/norm/", first, first),
        Level("second_encoders/[^/]+/blocks/", first + 1, whole),
        Level("second_encoders/[^/]+/norm/|second_encoders/[^/]+_pool", whole, whole),
        Level("second_encoders/", first + 1, first + 1),
    )
