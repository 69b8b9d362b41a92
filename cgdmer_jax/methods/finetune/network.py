"""The head: from what it reads of the encoder to a logit for each class."""

import math

import flax.linen as nn
from jaxtyping import Array, Float

from cgdmer_jax.methods.finetune.config import ATTENTION, MAIN
from cgdmer_jax.methods.protocol import TokenStates
from cgdmer_jax.models.dense import Dense, LayerNorm, precise
from cgdmer_jax.models.heads import AttentionPool, masked_mean

MOST_QUERIES = 4  # of attention; each has its own part of a token's width


class ClassHead(nn.Module):
    """Pooling of tokens, if any, then a layer norm and one linear map, in float32 at least."""

    n_classes: int
    pooling: str  # one of config.POOLINGS

    @nn.compact
    def __call__(
        self, read: Float[Array, "batch feature"] | TokenStates, kept: Float[Array, "batch feature"] | None = None
    ) -> tuple[Float[Array, "batch feature"], Float[Array, "batch klass"]]:
        """(pooled feature, logits); `kept` are the factors of dropout, between the norm and the linear map."""
        features = precise(self._pooled(read))
        dtype = str(features.dtype)
        normed = LayerNorm(dtype, name="norm")(features)
        if kept is not None:
            normed = normed * kept
        return features, Dense(self.n_classes, dtype, name="logits")(normed)

    def _pooled(self, read: Float[Array, "batch feature"] | TokenStates) -> Float[Array, "batch feature"]:
        if self.pooling == MAIN:
            return read
        batch, leads, patches, width = read.states.shape
        if self.pooling == ATTENTION:
            pool = AttentionPool(math.gcd(MOST_QUERIES, width), name="pool")
            return pool(read.states.reshape(batch, -1, width), read.valid.reshape(batch, -1))
        # Side by side: which lead shows a finding is a part of it, as the place of an infarction is.
        means = masked_mean(read.states.reshape(-1, patches, width), read.valid.reshape(-1, patches))
        return means.reshape(batch, leads * width)
