"""The head: from the encoder's feature to a logit for each class."""

import flax.linen as nn
from jaxtyping import Array, Float

from cgdmer_jax.models.dense import Dense, LayerNorm, precise


class ClassHead(nn.Module):
    """Layer norm and one linear map, in float32 at least."""

    n_classes: int

    @nn.compact
    def __call__(self, features: Float[Array, "batch feature"]) -> Float[Array, "batch klass"]:
        features = precise(features)
        dtype = str(features.dtype)
        return Dense(self.n_classes, dtype, name="logits")(LayerNorm(dtype, name="norm")(features))
