"""Masked-language modelling of reports alone (Devlin et al. 2019), on the method contract: adapts a text encoder."""

from dataclasses import dataclass

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods.losses import reconstruction
from cgdmer_jax.methods.protocol import Aux, Declared, Variables
from cgdmer_jax.models.frozen import held
from cgdmer_jax.models.heads import unit
from cgdmer_jax.models.masking.slots import Slots
from cgdmer_jax.models.masking.words import MaskedTokens, draw_masked_tokens
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.models.text.scratch import LanguageHead


@dataclass(frozen=True)
class MaskedTextConfig:
    """What a config file says of the method; the first four fields as in cgdmer_config.py."""

    text_tower: str
    text_architecture: dict
    text_trained: int
    text_rate: float
    text_pooling: str  # of `embed_text`: one of models/text_tower.py POOLINGS
    language_ratio: float  # share of the words that is hidden
    dtype: str
    remat: str
    unroll: int

    def __post_init__(self):
        if not (self.text_tower and self.text_architecture):
            raise CgdmerError("config.method.text_tower is empty; name the text encoder to adapt")
        if self.text_pooling not in text_tower.POOLINGS:
            told = suggest(self.text_pooling, text_tower.POOLINGS)
            raise CgdmerError(f'config.method.text_pooling is "{self.text_pooling}".{told}')
        if not self.text_rate > 0:
            raise CgdmerError(f"config.method.text_rate is {self.text_rate}; give a factor above 0")
        if not 0 < self.language_ratio < 1:
            raise CgdmerError(f"config.method.language_ratio is {self.language_ratio}; give a share between 0 and 1")


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
        compute = {"dtype": config.dtype, "remat": config.remat, "unroll": config.unroll}
        tower = text_tower.make_tower(config.text_architecture, trained=config.text_trained, **compute)
        self.marks = text_tower.marks_of(config.text_architecture)
        self.network = MaskedTextNetwork(tower, config.dtype)
        self._frozen = text_tower.frozen_pattern(tower, config.text_trained, pooler=False)
        rules = text_tower.rate_factors(self._frozen, config.text_trained, config.text_rate)
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
            ratio=self.config.language_ratio,
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
