"""Report encoder trained from scratch, and its masked-language head."""

import flax.linen as nn
from jaxtyping import Array, Float, Int, Int32

from cgdmer_jax.models.dense import Dense, LayerNorm
from cgdmer_jax.models.text.states import tied_logits
from cgdmer_jax.models.transformer import Encoder


class TextEncoder(nn.Module):
    """Token + learned position embeddings, then pre-norm blocks; `embed_tokens` ties the language head."""

    vocabulary: int
    max_tokens: int
    width: int
    depth: int
    heads: int
    dtype: str = "float32"
    remat: str = "none"
    unroll: int = 1
    attention: str = "auto"

    def setup(self):
        normal = nn.initializers.normal(0.02)
        self.token = self.param("token", normal, (self.vocabulary, self.width))
        self.position = self.param("position", normal, (self.max_tokens, self.width))
        self.norm = LayerNorm(self.dtype)
        self.encoder = Encoder(self.depth, self.heads, self.dtype, self.remat, self.unroll, self.attention)

    def __call__(
        self, tokens: Int32[Array, "batch token"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        x = self.token[tokens] + self.position[None, : tokens.shape[1]]
        return self.encoder(self.norm(x), length)

    def token_logits(self, x: Float[Array, "batch slot width"]) -> Float[Array, "batch slot vocabulary"]:
        """Logits over the vocabulary, tied to the token embeddings."""
        return tied_logits(x, self.token)


class LanguageHead(nn.Module):
    """Linear + norm in front of the tied logits."""

    width: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch slot in"]) -> Float[Array, "batch slot width"]:
        return LayerNorm(self.dtype, name="norm")(Dense(self.width, self.dtype, name="dense")(x))
