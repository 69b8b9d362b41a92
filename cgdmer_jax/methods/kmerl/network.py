"""K-MERL's parameters and forward passes; losses and masks are elsewhere."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32

from cgdmer_jax.models.dense import Dense
from cgdmer_jax.models.ecg.vit import EcgVit
from cgdmer_jax.models.heads import masked_mean, unit
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.query_decoder import QueryDecoder
from cgdmer_jax.models.text.scratch import TextEncoder
from cgdmer_jax.models.text.states import mean_of_tokens
from cgdmer_jax.models.text.tower import TextModule, pool
from cgdmer_jax.models.transformer import Compute, Size


class KMerlNetwork(nn.Module):
    """Encoders of recordings and of texts, a linear map behind each, and the query network over a recording's tokens.

    One text encoder reads reports and names of entities.
    """

    n_leads: int
    n_patches: int
    patch_samples: int
    vocabulary: int
    max_tokens: int
    embedding: int
    ecg: Size
    text: Size
    text_tower: TextModule | None  # in place of the text encoder from scratch
    text_pooling: str  # of that tower
    query: Size
    compute: Compute

    def setup(self):
        grid = (self.n_leads, self.n_patches, self.patch_samples)
        wide = str(jnp.promote_types(self.compute.dtype, jnp.float32))  # what lies behind the encoders costs little
        self.ecg_encoder = EcgVit(*grid, "linear", self.ecg, self.compute)
        if self.text_tower is None:
            self.text_encoder = TextEncoder(self.vocabulary, self.max_tokens, self.text, self.compute)
        self.ecg_out = Dense(self.embedding, wide)
        self.text_out = Dense(self.embedding, wide)
        self.query_decoder = QueryDecoder(self.query, self.compute)

    def ecg_tokens(self, patches: Float[Array, "batch token sample"], kept: Slots) -> Float[Array, "batch slot width"]:
        return self.ecg_encoder(patches, kept)

    def text_vectors(
        self, tokens: Int32[Array, "text token"], length: Int[Array, "text"]
    ) -> Float[Array, "text vector"]:
        """One vector a text; of the encoder from scratch the mean over its tokens."""
        if self.text_tower is None:
            return mean_of_tokens(self.text_encoder(tokens, length), length)
        return pool(self.text_tower(tokens, length), length, self.text_pooling)

    def align_ecg(
        self, tokens: Float[Array, "batch slot width"], live: Bool[Array, "batch slot"]
    ) -> Float[Array, "batch embedding"]:
        """The mean over a recording's tokens on the unit sphere."""
        return unit(self.ecg_out(masked_mean(tokens, live)))

    def align_text(self, vectors: Float[Array, "text vector"]) -> Float[Array, "text embedding"]:
        return unit(self.text_out(vectors))

    def answer(
        self,
        queries: Float[Array, "query vector"],
        tokens: Float[Array, "batch slot width"],
        length: Int[Array, "batch"],
    ) -> Float[Array, "batch query"]:
        return self.query_decoder(queries, tokens, length)

    def __call__(self, patches: Float[Array, "batch token sample"], kept: Slots, tokens, length):
        """Every parameter touched once: what `init` traces."""
        ecg, vectors = self.ecg_tokens(patches, kept), self.text_vectors(tokens, length)
        return self.align_ecg(ecg, kept.live()), self.align_text(vectors), self.answer(vectors, ecg, kept.length)
