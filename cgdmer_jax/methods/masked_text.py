"""Masked-language modelling of reports alone (Devlin et al. 2019), on the method contract: adapts a text encoder."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, setting
from cgdmer_jax.methods.losses import reconstruction
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.models.frozen import held
from cgdmer_jax.models.heads import unit
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.words import MaskedTokens, draw_masked_tokens
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.models.text.scratch import LanguageHead
from cgdmer_jax.models.text.tower import POOLINGS
from cgdmer_jax.models.transformer import DEEPEST, REMAT_POLICIES, Compute


@dataclass(frozen=True)
class MaskedTextConfig(Checked):
    """`config.method` of masked-language adaptation: each field's default and meaning."""

    where = "config.method"

    text_tower: str = setting("", "text encoder to adapt: a folder or hf://owner/name@revision")
    text_architecture: dict = setting({}, "architecture of that encoder; adapt_text fills it in from its folder")
    text_trained: int = setting(
        -1, "number of its last blocks that are trained; 0 = none, -1 = all of it", least=-1, most=DEEPEST
    )
    text_lr_multiplier: float = setting(0.1, "learning-rate multiplier of the encoder; the new head has none", above=0)
    text_pooling: str = setting("mean", "from its tokens to one vector", choices=POOLINGS)
    mlm_ratio: float = setting(0.15, "share of the words that is masked", above=0, below=1)
    dtype: str = setting("float32", "of activations and products", choices=("float32", "bfloat16"))
    remat: str = setting(
        "none",
        "what the backward pass computes again: nothing, whole blocks, or all but their products",
        choices=REMAT_POLICIES,
    )
    unroll: int = setting(1, "blocks in one turn of the scan over layers", least=1, most=DEEPEST)

    def __post_init__(self):
        super().__post_init__()
        if not (self.text_tower and self.text_architecture):
            raise CgdmerError("config.method.text_tower is empty; name the text encoder to adapt")


class MaskedTextNetwork(nn.Module):
    """The encoder and a head tied to its token embeddings; the head starts anew."""

    text_tower: text_tower.TextModule
    dtype: str

    def setup(self):
        self.language_head = LanguageHead(self.text_tower.width, self.dtype)

    def __call__(
        self, tokens: Int32[Array, "batch token"], length: Int32[Array, "batch"], masked: Slots
    ) -> Float[Array, "batch slot vocabulary"]:
        states = self.text_tower(tokens, length).tokens
        at_masked = jnp.take_along_axis(states, masked.index[:, :, None], axis=1)
        return self.text_tower.token_logits(self.language_head(at_masked))

    def pooled(
        self, tokens: Int32[Array, "batch token"], length: Int32[Array, "batch"], pooling: str
    ) -> Float[Array, "batch width"]:
        return text_tower.pool(self.text_tower(tokens, length), length, pooling)


class MaskedText:
    """The method object; of a batch it reads the reports alone."""

    def __init__(
        self,
        config: MaskedTextConfig,
        *,
        n_leads: int,
        n_samples: int,
        rate: float | int,
        vocabulary: int,
        max_tokens: int,
        full_stop: int,
    ):
        self.config, self.vocabulary = config, vocabulary
        compute = Compute(config.dtype, config.remat, config.unroll)
        tower = text_tower.make_tower(config.text_architecture, trained=config.text_trained, compute=compute)
        self.marks = text_tower.marks_of(config.text_architecture)
        self.network = MaskedTextNetwork(tower, config.dtype)
        self._frozen = text_tower.frozen_pattern(tower, config.text_trained, pooler=False)
        rules = text_tower.rate_factors(self._frozen, config.text_trained, config.text_lr_multiplier)
        self.declared = Declared(recordings=False, text=True, rate_factors=rules)

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        masked = self.draw(key, batch, jnp.float32(0))
        length = batch.token_mask.sum(1, dtype=jnp.int32)
        return Variables(self.network.init(key, batch.tokens, length, masked.slots)["params"], {})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> MaskedTokens:
        return draw_masked_tokens(
            key,
            batch.tokens,
            batch.token_mask,
            ratio=self.config.mlm_ratio,
            vocabulary=self.vocabulary,
            marks=self.marks,
        )

    def loss(
        self, variables: Variables, batch: Batch, draws: MaskedTokens, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """Cross-entropy of the hidden words, in nats a word; `train` changes nothing: there is no dropout."""
        length = batch.token_mask.sum(1, dtype=jnp.int32)
        logits = self._apply(variables, draws.apply(batch.tokens), length, draws.slots)
        loss = reconstruction.masked_average(
            reconstruction.word_errors(logits, draws.original(batch.tokens)), draws.slots.live()
        )
        return loss, Aux(variables.state, {"text": loss})

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        """Pooled states as unit vectors."""
        length = token_mask.sum(1, dtype=jnp.int32)
        return unit(self._apply(variables, tokens, length, self.config.text_pooling, method="pooled"))

    def _apply(self, variables: Variables, *args, method: str | None = None) -> jax.Array:
        return self.network.apply({"params": held(variables.params, self._frozen)}, *args, method=method)
