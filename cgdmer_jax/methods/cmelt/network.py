"""C-MELT's parameters and forward passes; losses and masks are elsewhere (docs/methods.md, "C-MELT")."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Int32

from cgdmer_jax.models.dense import Dense, LayerNorm, gelu, precise
from cgdmer_jax.models.ecg.sequence import EcgSequence
from cgdmer_jax.models.fusion import EPSILON, Fusion, Streams
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.text.scratch import TextEncoder
from cgdmer_jax.models.text.tower import TextModule
from cgdmer_jax.models.transformer import Compute, Encoder, Size, sin_cos_positions

MODALITIES = ("ecg", "text")


class WordHead(nn.Module):
    """Linear, GELU, norm, and a linear map to the vocabulary of its own."""

    vocabulary: int
    dtype: str = "float32"

    @nn.compact
    def __call__(self, x: Float[Array, "batch slot width"]) -> Float[Array, "batch slot vocabulary"]:
        x = gelu(Dense(x.shape[-1], self.dtype, name="dense")(x))
        x = LayerNorm(self.dtype, EPSILON, name="norm")(x)
        return precise(Dense(self.vocabulary, self.dtype, name="words")(x))


class SequenceDecoder(nn.Module):
    """Predicts hidden tokens: a mask token in each of their places, then pre-norm blocks over all valid places."""

    n_patches: int
    values: int  # of a token
    size: Size
    compute: Compute = Compute()

    @nn.compact
    def __call__(
        self, memory: Float[Array, "batch one_and_slot memory_width"], kept: Slots, hidden: Slots
    ) -> Float[Array, "batch query value"]:
        width, dtype = self.size.width, self.compute.dtype
        mask_token = self.param("mask_token", nn.initializers.normal(0.02), (width,)).astype(dtype)
        x = Dense(width, dtype, name="memory")(memory)
        # A one-hot product: its gradient is a matrix product, where that of a scatter would be slow.
        member = jax.nn.one_hot(kept.index, self.n_patches, dtype=dtype) * kept.live()[:, :, None]
        seen = member.sum(1) > 0
        places = jnp.einsum("bkn,bkw->bnw", member, x[:, 1:]) + jnp.where(seen[:, :, None], 0, mask_token)
        x = jnp.concatenate([x[:, :1], places], axis=1)
        x = x + sin_cos_positions(1 + self.n_patches, width).astype(dtype)
        n_valid = kept.length + hidden.length  # the first ones: a recording's valid tokens come before its end
        x = Encoder(self.size, self.compute, name="encoder")(x, 1 + n_valid)
        asked = jax.nn.one_hot(hidden.index, self.n_patches, dtype=dtype) @ x[:, 1:]
        # From 0, the mean of the standardised target: a random drawing would have to be unlearnt first.
        return precise(Dense(self.values, dtype, start=0.0, name="samples")(asked))


class CMeltNetwork(nn.Module):
    """Both encoders, fusion, the heads of the four terms, the alignment's own numbers."""

    n_leads: int
    n_patches: int
    patch_samples: int
    channels: int
    front_end: str
    vocabulary: int
    max_tokens: int
    scale: float | None  # where the alignment's starts; None = neither scale nor bias is learned
    ecg: Size
    text: Size
    text_tower: TextModule | None  # in place of the text encoder from scratch
    fusion: Size
    decoder: Size
    compute: Compute

    def setup(self):
        width, dtype = self.fusion.width, self.compute.dtype
        wide = str(jnp.promote_types(dtype, jnp.float32))  # what stands behind a pooled token costs next to nothing
        self.ecg_encoder = EcgSequence(self.n_patches, self.channels, self.front_end, self.ecg, self.compute)
        if self.text_tower is None:
            self.text_encoder = TextEncoder(self.vocabulary, self.max_tokens, self.text, self.compute)
        self.projection = {modality: Dense(width, dtype) for modality in MODALITIES}
        self.modality = self.param("modality", nn.initializers.normal(0.02), (len(MODALITIES), width))
        self.fusion_layers = Fusion(self.fusion, self.compute)
        self.pooler = {modality: Dense(width, wide) for modality in MODALITIES}  # of one modality alone
        self.fused_pooler = {modality: Dense(width, wide) for modality in MODALITIES}
        self.match_head = Dense(2, wide)
        self.word_head = WordHead(self.vocabulary, dtype)
        self.ecg_decoder = SequenceDecoder(
            self.n_patches, self.n_leads * self.patch_samples, self.decoder, self.compute
        )
        if self.scale is not None:
            self.log_alignment_scale = self.param(
                "log_alignment_scale", nn.initializers.constant(jnp.log(self.scale)), ()
            )
            self.alignment_bias = self.param("alignment_bias", nn.initializers.zeros_init(), ())

    def text_states(
        self, tokens: Int32[Array, "batch token"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        """Token states of whichever text encoder there is."""
        if self.text_tower is None:
            return self.text_encoder(tokens, length)
        return self.text_tower(tokens, length).tokens

    def ecg_tokens(
        self, patches: Float[Array, "batch patch sample lead"], kept: Slots
    ) -> Float[Array, "batch one_and_slot width"]:
        return self.projection["ecg"](self.ecg_encoder(patches, kept))

    def text_tokens(
        self, tokens: Int32[Array, "batch token"], length: Int[Array, "batch"]
    ) -> Float[Array, "batch token width"]:
        return self.projection["text"](self.text_states(tokens, length))

    def feature(self, modality: str, tokens: Float[Array, "batch token width"]) -> Float[Array, "batch width"]:
        """The first token of a modality, which alignment and probes read."""
        return jnp.tanh(self.pooler[modality](precise(tokens[:, 0])))

    def fuse(
        self,
        ecg: Float[Array, "batch one_and_slot width"],
        ecg_length: Int[Array, "batch"],
        text: Float[Array, "batch token width"],
        text_length: Int[Array, "batch"],
    ) -> tuple[Streams, Streams]:
        """(streams entering the middle layer, streams leaving the last one)."""
        mark = dict(zip(MODALITIES, self.modality.astype(self.compute.dtype), strict=True))
        return self.fusion_layers(Streams(ecg + mark["ecg"], text + mark["text"]), ecg_length, text_length)

    def decode_ecg(
        self, middle: Float[Array, "batch one_and_slot width"], kept: Slots, hidden: Slots
    ) -> Float[Array, "batch query value"]:
        return self.ecg_decoder(middle, kept, hidden)

    def decode_text(
        self, last: Float[Array, "batch token width"], masked: Slots
    ) -> Float[Array, "batch slot vocabulary"]:
        return self.word_head(jnp.take_along_axis(last, masked.index[:, :, None], axis=1))

    def match(self, last: Streams) -> Float[Array, "batch 2"]:
        """Logits of a replaced and of a record's own report."""
        pooled = [jnp.tanh(self.fused_pooler[m](precise(getattr(last, m)[:, 0]))) for m in ("text", "ecg")]
        return self.match_head(jnp.concatenate(pooled, axis=-1))

    def scale_and_bias(self) -> tuple[Float[Array, ""], Float[Array, ""]]:
        return jnp.exp(self.log_alignment_scale), self.alignment_bias

    def __call__(self, patches, kept, hidden, tokens, length, masked):
        """Every parameter touched once: what `init` traces."""
        ecg, text = self.ecg_tokens(patches, kept), self.text_tokens(tokens, length)
        middle, last = self.fuse(ecg, kept.length + 1, text, length)
        self.feature("ecg", ecg), self.feature("text", text)
        return self.decode_ecg(middle.ecg, kept, hidden), self.decode_text(last.text, masked), self.match(last)
