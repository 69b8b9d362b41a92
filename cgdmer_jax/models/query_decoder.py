"""Query network: texts ask the tokens of a recording, and each gets one logit."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.models.dense import Dense, precise
from cgdmer_jax.models.transformer import Compute, CrossDecoder, Size


class QueryDecoder(nn.Module):
    """Transformer decoder whose queries are vectors of texts, the same for every record; one linear map to a logit.

    Queries attend to the tokens and not to each other, so what is answered to one is independent of the others.
    """

    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self,
        queries: Float[Array, "query vector"],
        tokens: Float[Array, "batch token width"],
        length: Int[Array, "batch"],
    ) -> Float[Array, "batch query"]:
        """Logits, float32 at least; only the first `length` tokens of a record are read."""
        dtype = self.compute.dtype
        asked = Dense(self.size.width, dtype, name="query")(queries)
        asked = jnp.broadcast_to(asked, (len(tokens), *asked.shape))
        decoded = CrossDecoder(self.size, self.compute, name="decoder")(asked, tokens, length)
        return precise(Dense(1, dtype, name="logit")(decoded))[:, :, 0]
