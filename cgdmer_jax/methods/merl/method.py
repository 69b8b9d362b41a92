"""MERL (Liu et al., ICML 2024, arXiv 2403.06659) on the method contract; facts in docs/merl.md."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Int32, PRNGKeyArray

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.losses.contrastive import Pairs, info_nce, pair_up
from cgdmer_jax.methods.merl.config import NEGATIVES, MerlConfig, MerlDraws
from cgdmer_jax.methods.merl.network import MerlNetwork, ResNetSize, SignalFeatures, VitSize, mean_of_positions
from cgdmer_jax.methods.protocol import Aux, Declared, InTraining, Level, TokenStates, Variables
from cgdmer_jax.models.batch_norm import STATISTICS
from cgdmer_jax.models.ecg.scaling import MINMAX, minmax, scale
from cgdmer_jax.models.frozen import held
from cgdmer_jax.models.heads import unit
from cgdmer_jax.models.masking.slots import drop_leads
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.models.text.scratch import TextEncoder
from cgdmer_jax.models.text.states import mean_of_tokens
from cgdmer_jax.models.transformer import MOST_SEQUENCE, Compute

TEXT_VECTORS = "text_vectors"  # name of the table of a frozen tower's vectors
OWN_READER = "text_encoder"  # its parameters when no tower reads the reports


class Merl:
    """The method object: holds sizes, no arrays."""

    def __init__(
        self,
        config: MerlConfig,
        *,
        n_leads: int,
        n_samples: int,
        rate: float,
        vocabulary: int,
        max_tokens: int,
        full_stop: int,
    ):
        self.config = config
        compute = Compute(config.dtype, config.remat, config.unroll)
        self.network = MerlNetwork(
            ecg=config.ecg,
            patch_samples=_patch_samples(config, n_samples, rate),
            embedding=config.embed_dim,
            compute=compute,
        )
        self._frozen = None
        if config.text_architecture:
            self._reader_name, trained = text_tower.NAME, config.text_trained
            self._reader = text_tower.make_tower(config.text_architecture, trained=trained, compute=compute)
            reads_pooler = config.text_pooling == "pooler"
            self._frozen = text_tower.frozen_pattern(self._reader, trained, pooler=reads_pooler)
        else:
            self._reader_name = OWN_READER
            self._reader = TextEncoder(vocabulary, max_tokens, config.text, compute)

    # --- the contract -------------------------------------------------------------------------------

    @property
    def declared(self) -> Declared:
        """A frozen tower is asked once for each text: its vectors come as a column."""
        trained, rules, columns = self.config.text_trained, (), ()
        if self.config.text_architecture:
            rules = text_tower.rate_factors(self._frozen, trained, self.config.text_lr_multiplier)
            columns = (TEXT_VECTORS,) if trained == 0 else ()
        return Declared(
            recordings=True,
            text=True,
            tokens=True,
            joint_leads=True,
            tracks=isinstance(self.config.ecg, ResNetSize),
            levels=_levels(self.config.ecg),
            text_columns=columns,
            rate_factors=rules,
        )

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        own_key, reader_key = jax.random.split(key)
        reader = {self._reader_name: self._reader.init(reader_key, batch.tokens, batch.token_mask.sum(1))["params"]}
        vectors = self.text_vectors(reader, batch.tokens, batch.token_mask)
        made = self.network.init(own_key, self._signal(batch, batch.lead_mask), vectors)
        return Variables(made["params"] | reader, made[STATISTICS])

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> MerlDraws:
        """Nothing is scheduled."""
        lead_key, key1, key2 = jax.random.split(key, 3)
        shape, keep = (len(batch.row), self.config.embed_dim), 1 - self.config.view_dropout
        return MerlDraws(
            drop_leads(lead_key, batch.lead_mask, self.config.lead_dropout),
            jax.random.bernoulli(key1, keep, shape),
            jax.random.bernoulli(key2, keep, shape),
        )

    def loss(
        self, variables: Variables, batch: Batch, draws: MerlDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """Weighted sum of the two alignments; without `train` no dropout, and norms by their running statistics."""
        (features, views), state = self._ecg(variables, self._signal(batch, draws.lead_mask), train=train)
        if train:
            views = [self._dropped(view, keep) for view, keep in zip(views, draws[1:], strict=True)]
        if TEXT_VECTORS in batch.text_columns:
            vectors = batch.text_columns[TEXT_VECTORS]
        else:
            vectors = self.text_vectors(variables.params, batch.tokens, batch.token_mask)
        text = self._apply(variables, vectors, method="align_text")
        every_record = pair_up(jnp.arange(len(batch.row)), None, same_text="ignored")
        temperature = jnp.float32(self.config.temperature)
        terms = {
            "align": info_nce(features.aligned, text, self._pairs(batch.text_id), temperature),
            "views": info_nce(unit(views[0]), unit(views[1]), every_record, temperature),
        }
        total = self.config.weight_align * terms["align"] + self.config.weight_views * terms["views"]
        return total, Aux(state, terms)

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """`main`: the encoder's own feature, as MERL's linear probe reads it (a ResNet's map averaged over time).

        `narrow`: what the two views map (of a ResNet: its map narrowed to the embedding's width, then averaged; of a
        ViT the same as `main`). `aligned`: the unit vector that reports are compared with.
        """
        signal = self._signal(batch, batch.lead_mask)
        features = self._apply(variables, signal, method="ecg_features", train=False)
        return {"main": features.encoder, "narrow": features.viewed, "aligned": features.aligned}

    def ecg_token_states(self, variables: Variables, batch: Batch) -> TokenStates:
        """Positions of a ResNet's map, or tokens of a ViT."""
        signal = self._signal(batch, batch.lead_mask)
        return self._placed(self._apply(variables, signal, method="ecg_tokens", train=False), batch)

    def ecg_in_training(self, variables: Variables, batch: Batch, trained_from: int) -> InTraining:
        """Result of one step; `trained_from` counts the stages of a ResNet."""
        tree = {"params": variables.params, STATISTICS: variables.state}
        signal, options = self._signal(batch, batch.lead_mask), {"train": True, "trained_from": trained_from}
        made, changed = self.network.apply(tree, signal, **options, method="ecg_tokens", mutable=[STATISTICS])
        return InTraining(mean_of_positions(made), self._placed(made, batch), changed[STATISTICS])

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        vectors = self.text_vectors(variables.params, tokens, token_mask)
        return self._apply(variables, vectors, method="align_text")

    def text_vectors(
        self, params: dict, tokens: Int32[Array, "text token"], token_mask: Bool[Array, "text token"]
    ) -> Float[Array, "text vector"]:
        """One vector a text: of a tower, whose frozen parts give no gradient, by its pooling, else the tokens' mean."""
        length = token_mask.sum(1)
        states = self._reader.apply({"params": held(params, self._frozen)[self._reader_name]}, tokens, length)
        if self.config.text_architecture:
            return text_tower.pool(states, length, self.config.text_pooling)
        return mean_of_tokens(states, length)

    # --- pieces -------------------------------------------------------------------------------------

    def _signal(self, batch: Batch, lead_mask: Bool[Array, "batch lead"]) -> Float[Array, "batch lead time"]:
        """Input of the encoder: an absent lead and samples beyond `length` read as 0 mV."""
        if self.config.scaling == MINMAX:
            return minmax(batch.signal, lead_mask, batch.length)
        return scale(batch.signal, lead_mask, batch.length, self.config.scaling).signal

    def _placed(self, states: Float[Array, "batch position channel"], batch: Batch) -> TokenStates:
        """A ViT's patch is valid when it ends before the recording does; a position of a map when its middle does."""
        of_resnet = isinstance(self.config.ecg, ResNetSize)
        samples = 2 ** len(self.config.ecg.blocks) if of_resnet else self.network.patch_samples
        last = jnp.arange(states.shape[1]) * samples + (0 if of_resnet else samples - 1)
        valid = (last[None, :] < batch.length[:, None]) & batch.lead_mask.any(1)[:, None]
        return TokenStates(jnp.where(valid[:, :, None], states, 0)[:, None], valid[:, None])

    def _pairs(self, text_id: Int[Array, "batch"]) -> Pairs:
        """No `positives`: both directions together, records of one report share their weight to no effect at all."""
        if self.config.same_text != NEGATIVES:
            return pair_up(text_id, None, same_text=self.config.same_text)
        own = jnp.where(text_id == NO_TEXT, NO_TEXT, jnp.arange(len(text_id)))  # as if no report occurred twice
        return pair_up(own, None, same_text="ignored")

    def _dropped(
        self, view: Float[Array, "batch embedding"], keep: Bool[Array, "batch embedding"]
    ) -> Float[Array, "batch embedding"]:
        return jnp.where(keep, view / (1 - self.config.view_dropout), 0)

    def _ecg(self, variables: Variables, signal: Float[Array, "batch lead time"], *, train: bool):
        """((features, the two views), state): in training the state has this batch's statistics in it."""
        tree = {"params": variables.params, STATISTICS: variables.state}

        def both(network: MerlNetwork) -> tuple[SignalFeatures, tuple]:
            features = network.ecg_features(signal, train=train)
            return features, network.views(features.viewed)

        made, changed = self.network.apply(tree, method=both, mutable=[STATISTICS])
        return made, changed[STATISTICS]

    def _apply(self, variables: Variables, *args, method: str, **options):
        tree = {"params": variables.params, STATISTICS: variables.state}
        return self.network.apply(tree, *args, method=method, **options)


def _levels(ecg: ResNetSize | VitSize) -> tuple[Level, ...]:
    """Stages of a ResNet, blocks of a ViT."""
    if isinstance(ecg, ResNetSize):
        return tuple(Level(f"encoder/stage{stage}_", stage, stage) for stage in range(1, len(ecg.blocks) + 1))
    return Level("encoder/blocks/", 1, ecg.depth), Level("encoder/norm/", ecg.depth, ecg.depth)


def _patch_samples(config: MerlConfig, n_samples: int, rate: float) -> int:
    """Samples of a ViT's token; 0 for a ResNet, which has none."""
    if not isinstance(config.ecg, VitSize):
        return 0
    samples = round(config.ecg.patch_seconds * rate)
    if samples < 1 or n_samples % samples:
        raise CgdmerError(
            f"config.method.ecg.patch_seconds is {config.ecg.patch_seconds}, {samples} samples, which do not "
            f"divide the {n_samples} samples of a recording; give a length that does"
        )
    if n_samples // samples > MOST_SEQUENCE:
        raise CgdmerError(
            f"config.method.ecg.patch_seconds is {config.ecg.patch_seconds}, which makes {n_samples // samples:,} "
            f"tokens of a recording, more than the {MOST_SEQUENCE:,} that are computed; give a longer one"
        )
    return samples
