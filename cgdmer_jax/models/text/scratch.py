"""Report encoder trained from scratch, and its masked-language head."""

import flax.linen as nn
from jaxtyping import Array, Float, Int, Int32

from cgdmer_jax.models.dense import Dense, LayerNorm
from cgdmer_jax.models.text.states import tied_logits
from cgdmer_jax.models.transformer import Compute, Encoder, Size


class TextEncoder(nn.Module):
    """Token + learned position embeddings, then pre-norm blocks; `embed_tokens` ties the language head."""

    vocabulary: int
    max_tokens: int
    size: Size
    compute: Compute = Compute()

    def setup(self):
        normal, width = nn.initializers.normal(0.02), self.size.width
        self.token = self.param("token", normal, (self.vocabulary, width))
        self.position = self.param("position", normal, (self.max_tokens, width))
        self.norm = LayerNorm(self.compute.dtype)
        self.encoder = Encoder(self.size, self.compute)

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
