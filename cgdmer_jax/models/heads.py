"""Heads on the two encoders: pooling, the specific and shared encoders, projection to the unit sphere."""

from functools import partial

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from cgdmer_jax.models.dense import Dense, precise
from cgdmer_jax.models.transformer import Compute, Encoder, Size

MODALITIES = ("ecg", "text")
POOLINGS = ("mean", "attention")


def masked_mean(x: Float[Array, "batch token width"], live: Bool[Array, "batch token"]) -> Float[Array, "batch width"]:
    """Mean over live tokens in float32; 0 for a record without any."""
    weight = live[:, :, None].astype(precise(x).dtype)
    total = precise(jnp.where(live[:, :, None], x, 0)).sum(1)
    return total / jnp.maximum(weight.sum(1), 1.0)


def masked_std(x: Float[Array, "batch token width"], live: Bool[Array, "batch token"]) -> Float[Array, "batch width"]:
    """Standard deviation over live tokens in float32; 0 for a record without any."""
    centred = precise(x) - masked_mean(x, live)[:, None, :]
    return jnp.sqrt(masked_mean(centred**2, live))


def per_lead_moments(
    x: Float[Array, "batch token width"],
    lead: Int[Array, "batch token"],
    live: Bool[Array, "batch token"],
    n_leads: int,
) -> tuple[Float[Array, "batch lead width"], Float[Array, "batch lead width"]]:
    """Mean and standard deviation over the live tokens of each lead; absent leads are 0."""
    member = jax.nn.one_hot(lead, n_leads) * live[:, :, None]
    x = precise(jnp.where(live[:, :, None], x, 0))
    n = jnp.maximum(member.sum(1), 1)[:, :, None]
    mean = jnp.einsum("btl,btw->blw", member, x) / n
    centred = x - jnp.einsum("btl,blw->btw", member, mean)
    return mean, jnp.sqrt(jnp.einsum("btl,btw->blw", member, centred**2) / n)


def unit(x: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
    """L2-normalised; a zero vector stays zero, with a finite gradient."""
    return x * jax.lax.rsqrt(jnp.maximum((x * x).sum(-1, keepdims=True), 1e-12))


class AttentionPool(nn.Module):
    """A weighted mean over live tokens; each head has a learned query and its own part of the width.

    Its queries start at 0, where it is the plain mean; 0 for a record without any token.
    """

    heads: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "batch token width"], live: Bool[Array, "batch token"]
    ) -> Float[Array, "batch width"]:
        batch, n_tokens, width = x.shape
        query = self.param("query", nn.initializers.zeros_init(), (width, self.heads))
        x = precise(jnp.where(live[:, :, None], x, 0))
        scores = jnp.where(live[:, :, None], x @ query, -1e30)
        weight = jnp.where(live[:, :, None], jax.nn.softmax(scores, axis=1), 0)
        parts = x.reshape(batch, n_tokens, self.heads, -1)
        return jnp.einsum("bth,bthd->bhd", weight, parts).reshape(batch, width)


class SecondEncoders(nn.Module):
    """One specific encoder for each modality and ONE shared encoder, same weights for both, or two.

    The shared encoder sees each modality through its own linear map plus a modality embedding. What is shared has
    one pool as it has one encoder.
    """

    one_shared: bool
    pooling: str  # one of POOLINGS
    size: Size
    compute: Compute = Compute()

    def setup(self):
        def encoder():
            return Encoder(self.size, self.compute)

        width, dtype = self.size.width, self.compute.dtype
        self.specific_input = {m: Dense(width, dtype) for m in MODALITIES}
        self.shared_input = {m: Dense(width, dtype) for m in MODALITIES}
        self.specific_encoder = {m: encoder() for m in MODALITIES}
        self.shared_encoder = encoder() if self.one_shared else {m: encoder() for m in MODALITIES}
        if self.pooling == "attention":
            pool = partial(AttentionPool, self.size.heads)
            self.specific_pool = {m: pool() for m in MODALITIES}
            self.shared_pool = pool() if self.one_shared else {m: pool() for m in MODALITIES}
        shape = (len(MODALITIES), width)
        self.modality = self.param("modality", nn.initializers.normal(0.02), shape)

    def specific(
        self, modality: str, x: Float[Array, "batch token in"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        return self.specific_encoder[modality](self.specific_input[modality](x), length)

    def shared(
        self, modality: str, x: Float[Array, "batch token in"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        mark = self.modality[MODALITIES.index(modality)].astype(self.compute.dtype)
        encoder = self.shared_encoder if self.one_shared else self.shared_encoder[modality]
        return encoder(self.shared_input[modality](x) + mark, length)

    def pool(
        self,
        modality: str,
        shared: Float[Array, "batch token width"],
        specific: Float[Array, "batch token width"],
        live: Bool[Array, "batch token"],
    ) -> tuple[Float[Array, "batch width"], Float[Array, "batch width"]]:
        """A record's shared and specific features."""
        if self.pooling == "mean":
            return masked_mean(shared, live), masked_mean(specific, live)
        shared_pool = self.shared_pool if self.one_shared else self.shared_pool[modality]
        return shared_pool(shared, live), self.specific_pool[modality](specific, live)
