"""ECG vision transformer: one token for each lead and patch, and the decoder that draws hidden patches."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from cgdmer_jax.models.dense import Dense, precise
from cgdmer_jax.models.ecg.stem import ConvStem
from cgdmer_jax.models.masking.slots import Slots, right_behind
from cgdmer_jax.models.transformer import Compute, CrossDecoder, Encoder, Size, sin_cos_positions

LEAD_STD = 0.5


def patchify(signal: Float[Array, "batch lead time"], patch_samples: int) -> Float[Array, "batch token sample"]:
    """Cuts each lead into patches; token number = lead * N + patch."""
    batch, leads, samples = signal.shape
    n = samples // patch_samples
    return signal[:, :, : n * patch_samples].reshape(batch, leads * n, patch_samples)


def take_tokens(x: Float[Array, "batch token sample"], slots: Slots) -> Float[Array, "batch slot sample"]:
    """The tokens in their slots; dead slots are 0 whatever stood there (0 x NaN would be NaN)."""
    taken = jnp.take_along_axis(x, slots.index[:, :, None], axis=1)
    return jnp.where(slots.live()[:, :, None], taken, 0.0)


class Positions(nn.Module):
    """Learned lead embedding + fixed sin-cos time, for the tokens in slots.

    The lead embedding starts as large as the time's (root mean square 0.7), else minutes pass before leads differ.
    """

    n_leads: int
    n_patches: int
    width: int

    @nn.compact
    def __call__(self, slots: Slots) -> Float[Array, "batch slot width"]:
        lead = self.param("lead", nn.initializers.normal(LEAD_STD), (self.n_leads, self.width))
        time = sin_cos_positions(self.n_patches, self.width)
        # A one-hot product: its gradient is a matrix product, where a gather's would be a slow scatter.
        chosen = jax.nn.one_hot(slots.index // self.n_patches, self.n_leads)
        return chosen @ lead + time[slots.index % self.n_patches]


class EcgVit(nn.Module):
    """Pre-norm ViT on the kept tokens.

    A patch holds `patch_samples` samples; columns beyond them are features of its lead (`scale_feature`).
    """

    n_leads: int
    n_patches: int
    patch_samples: int
    stem: str
    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(self, patches: Float[Array, "batch token sample"], kept: Slots) -> Float[Array, "batch slot width"]:
        width, dtype = self.size.width, self.compute.dtype
        taken = take_tokens(patches, kept)
        if self.stem == "conv":
            x = ConvStem(width, dtype, name="stem")(taken[:, :, : self.patch_samples])
        else:
            x = Dense(width, dtype, name="patch")(taken[:, :, : self.patch_samples])
        if patches.shape[2] > self.patch_samples:
            x = x + Dense(width, dtype, name="features")(taken[:, :, self.patch_samples :])
        x = x + Positions(self.n_leads, self.n_patches, width, name="positions")(kept).astype(dtype)
        return Encoder(self.size, self.compute, name="encoder")(x, kept.length)


class EcgDecoder(nn.Module):
    """Predicts hidden patches: queries (mask token + lead + time) cross-attend to the kept tokens of ALL leads.

    With `column_queries` a query also starts from the mean of the kept tokens of its own time column, mapped linearly
    (0 where the whole column is hidden): to find the same moment in other leads need not be learnt first.
    """

    n_leads: int
    n_patches: int
    patch_samples: int
    column_queries: bool
    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self,
        memory: Float[Array, "batch kept memory_width"],
        memory_slots: Slots,
        queries: Slots,
        report: tuple[Float[Array, "batch word memory_width"], Int[Array, "batch"]] | None = None,
    ) -> Float[Array, "batch query sample"]:
        """`report`: tokens without a place in the recording that are keys too, and how many of them are live."""
        width, dtype = self.size.width, self.compute.dtype
        mask_token = self.param("mask_token", nn.initializers.normal(0.02), (width,))
        place = Positions(self.n_leads, self.n_patches, width, name="positions")
        to_width = Dense(width, dtype, name="memory")
        memory = to_width(memory) + place(memory_slots).astype(dtype)
        x = (mask_token + place(queries)).astype(dtype)
        if self.column_queries:
            x = x + Dense(width, dtype, name="column")(self._own_column(memory, memory_slots, queries))
        length = memory_slots.length
        if report is not None:  # live keys come first, so words follow the live patches
            order = right_behind(length, memory.shape[1], report[0].shape[1])
            both = jnp.concatenate([memory, to_width(report[0])], axis=1)
            memory, length = jnp.take_along_axis(both, order[:, :, None], axis=1), length + report[1]
        x = CrossDecoder(self.size, self.compute, name="decoder")(x, memory, length)
        # From 0, the best guess that does not look: a random drawing would have to be unlearnt first.
        return precise(Dense(self.patch_samples, dtype, start=0.0, name="samples")(x))

    def _own_column(self, memory, memory_slots: Slots, queries: Slots) -> Float[Array, "batch query width"]:
        """Mean of the live memory tokens of each query's time column."""
        member = jax.nn.one_hot(memory_slots.index % self.n_patches, self.n_patches, dtype=memory.dtype)
        member = member * memory_slots.live()[:, :, None]
        n = jnp.maximum(member.sum(1), 1)[:, :, None]
        columns = jnp.einsum("bkc,bkw->bcw", member, memory) / n
        return jax.nn.one_hot(queries.index % self.n_patches, self.n_patches, dtype=memory.dtype) @ columns
