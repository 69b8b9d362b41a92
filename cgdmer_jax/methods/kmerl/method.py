"""K-MERL (Liu et al., Findings of EMNLP 2025, arXiv 2502.17900) on the method contract.

What the paper says and what we chose where it is silent: docs/methods.md, "K-MERL".
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.kmerl.config import KMerlConfig, KMerlDraws
from cgdmer_jax.methods.kmerl.loss import ReadBatch, knowledge_loss
from cgdmer_jax.methods.kmerl.network import KMerlNetwork
from cgdmer_jax.methods.losses.entities import positive_weights
from cgdmer_jax.methods.protocol import Aux, Declared, Level, TokenStates, Variables
from cgdmer_jax.models.ecg.scaling import scale
from cgdmer_jax.models.ecg.vit import patchify
from cgdmer_jax.models.frozen import held
from cgdmer_jax.models.heads import masked_mean, masked_std, per_lead_moments
from cgdmer_jax.models.masking.segments import draw_segments, keep_leads
from cgdmer_jax.models.masking.slots import Slots, all_valid, on_grid, valid_tokens
from cgdmer_jax.models.masking.words import PADDING
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.models.transformer import MOST_SEQUENCE, Compute

TEXT_VECTORS, ENTITIES = "text_vectors", "entities"  # by report: vectors of a frozen tower; states of findings


class KMerl:
    """The method object: holds sizes and the names of the entities as tokens, no weights."""

    def __init__(
        self,
        config: KMerlConfig,
        *,
        n_leads: int,
        n_samples: int,
        rate: float,
        vocabulary: int,
        max_tokens: int,
        full_stop: int,
    ):
        self.config = config
        self.patch_samples = round(config.patch_seconds * rate)
        if self.patch_samples < 1 or n_samples % self.patch_samples:
            raise CgdmerError(
                f"config.method.patch_seconds is {config.patch_seconds}, {self.patch_samples} samples, which do not "
                f"divide the {n_samples} samples of a recording; give a length that does"
            )
        self.n_patches = n_samples // self.patch_samples
        if n_leads * self.n_patches > MOST_SEQUENCE:
            raise CgdmerError(
                f"config.method.patch_seconds is {config.patch_seconds}, which makes {n_leads * self.n_patches:,} "
                f"tokens of a recording, more than the {MOST_SEQUENCE:,} that are computed; give a longer one"
            )
        self.entities = config.asked()
        self._names = _padded(self.entities.tokens, vocabulary, max_tokens)
        tower, self._frozen = None, None
        compute = Compute(config.dtype, config.remat, config.unroll, config.attention)
        if config.text_architecture:
            of_tower = Compute(config.dtype, config.remat, config.unroll)  # a tower's attention is always `auto`
            tower = text_tower.make_tower(config.text_architecture, trained=config.text_trained, compute=of_tower)
            reads_pooler = config.text_pooling == "pooler"
            self._frozen = text_tower.frozen_pattern(tower, config.text_trained, pooler=reads_pooler)
        self.network = KMerlNetwork(
            n_leads=n_leads,
            n_patches=self.n_patches,
            patch_samples=self.patch_samples,
            vocabulary=vocabulary,
            max_tokens=max_tokens,
            embedding=config.embed_dim,
            ecg=config.ecg,
            text=config.text,
            text_tower=tower,
            text_pooling=config.text_pooling,
            query=config.query,
            compute=compute,
        )

    # --- the contract -------------------------------------------------------------------------------

    @property
    def declared(self) -> Declared:
        """A frozen tower reads each report once, its vectors come as a column; the names it reads in every step."""
        trained, rules, columns = self.config.text_trained, (), (ENTITIES,)
        if self.network.text_tower is not None:
            rules = text_tower.rate_factors(self._frozen, trained, self.config.text_lr_multiplier)
            columns = (TEXT_VECTORS, ENTITIES) if trained == 0 else columns
        depth = self.config.ecg.depth
        return Declared(
            recordings=True,
            text=True,
            tokens=True,
            queries=True,
            levels=(Level("ecg_encoder/encoder/blocks/", 1, depth), Level("ecg_encoder/encoder/norm/", depth, depth)),
            text_columns=columns,
            rate_factors=rules,
        )

    @property
    def entity_names(self) -> tuple[str, ...]:
        return self.entities.names

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        patches, valid = self.patches(batch, batch.lead_mask)
        length = batch.token_mask.sum(1, dtype=jnp.int32)
        return Variables(self.network.init(key, patches, all_valid(valid), batch.tokens, length)["params"], {})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> KMerlDraws:
        """Leads, then segments of those that are left; nothing is scheduled."""
        lead_key, segment_key = jax.random.split(key)
        config = self.config
        lead_mask = keep_leads(lead_key, batch.lead_mask, config.kept_leads, config.lead_masking)
        valid = valid_tokens(lead_mask, batch.length, self.n_patches, self.patch_samples)
        return KMerlDraws(lead_mask, draw_segments(segment_key, valid, config.mask_ratio))

    def loss(
        self, variables: Variables, batch: Batch, draws: KMerlDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """Contrast and entities of the global batch; `train` changes nothing, since there is no dropout inside."""
        patches, _ = self.patches(batch, draws.lead_mask)
        return self.loss_of_patches(variables, patches, batch, draws)

    def embed_ecg(
        self, variables: Variables, batch: Batch, seen: Slots | None = None
    ) -> dict[str, Float[Array, "batch feature"]]:
        """`main`: the mean over the tokens of the encoder. `moments`: the standard deviations beside it.

        `per_lead`: the mean over time of each lead, absent leads are 0. `aligned`: what reports are compared with.
        """
        patches, valid = self.patches(batch, batch.lead_mask)
        slots = seen or all_valid(valid)
        tokens, live = self._apply(variables, patches, slots, method="ecg_tokens"), slots.live()
        main = masked_mean(tokens, live)
        per_lead, _ = per_lead_moments(tokens, slots.index // self.n_patches, live, self.network.n_leads)
        return {
            "main": main,
            "moments": jnp.concatenate([main, masked_std(tokens, live)], axis=1),
            "per_lead": per_lead.reshape(len(main), -1),
            "aligned": self._apply(variables, tokens, live, method="align_ecg"),
        }

    def ecg_token_states(self, variables: Variables, batch: Batch, seen: Slots | None = None) -> TokenStates:
        """The encoder's own."""
        patches, valid = self.patches(batch, batch.lead_mask)
        slots = seen or all_valid(valid)
        tokens = self._apply(variables, patches, slots, method="ecg_tokens")
        return TokenStates(on_grid(tokens, slots, *valid.shape[1:]), slots.among(valid[0].size).reshape(valid.shape))

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        return self._apply(variables, self.query_texts(variables, tokens, token_mask), method="align_text")

    def query_texts(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text vector"]:
        """The text encoder's own vectors."""
        return self._apply(variables, tokens, token_mask.sum(1, dtype=jnp.int32), method="text_vectors")

    def query_ecg(
        self, variables: Variables, batch: Batch, queries: Float[Array, "text vector"]
    ) -> Float[Array, "batch text"]:
        patches, valid = self.patches(batch, batch.lead_mask)
        slots = all_valid(valid)
        tokens = self._apply(variables, patches, slots, method="ecg_tokens")
        return self._apply(variables, queries, tokens, slots.length, method="answer")

    # --- the same, from scaled patches: tests put NaN and changes there ---------------------------------

    def patches(
        self, batch: Batch, lead_mask: Bool[Array, "batch lead"]
    ) -> tuple[Float[Array, "batch token sample"], Bool[Array, "batch lead patch"]]:
        """Scaled patches and which of them are valid; a lead that was taken away has no share in the scale either."""
        valid = valid_tokens(lead_mask, batch.length, self.n_patches, self.patch_samples)
        scaled = scale(batch.signal, lead_mask, batch.length, self.config.scaling)
        return patchify(scaled.signal, self.patch_samples), valid

    def loss_of_patches(
        self,
        variables: Variables,
        patches: Float[Array, "batch token sample"],
        batch: Batch,
        draws: KMerlDraws,
    ) -> tuple[Float[Array, ""], Aux]:
        def apply(*args, method: str):
            return self._apply(variables, *args, method=method)

        n_tokens = batch.token_mask.sum(1, dtype=jnp.int32)
        read = ReadBatch(patches, draws.kept, batch.tokens, n_tokens, batch.text_columns.get(TEXT_VECTORS))
        weight = positive_weights(jnp.asarray(self.entities.shares, float), self.config.positive_weight)
        states, names = batch.text_columns[ENTITIES], tuple(jnp.asarray(part) for part in self._names)
        total, terms = knowledge_loss(apply, self.config, read, batch.text_id, states, names, weight)
        return total, Aux(variables.state, terms)

    # --- pieces -------------------------------------------------------------------------------------

    def _apply(self, variables: Variables, *args, method: str):
        return self.network.apply({"params": held(variables.params, self._frozen)}, *args, method=method)


def _padded(
    tokens: tuple[tuple[int, ...], ...], vocabulary: int, max_tokens: int
) -> tuple[Int32[np.ndarray, "entity word"], Int32[np.ndarray, "entity"]]:
    """Tokens of each name, right-padded to the longest, and their number."""
    longest, largest = max(map(len, tokens)), max(map(max, tokens))
    if longest > max_tokens or largest >= vocabulary:
        raise CgdmerError(
            f"config.method.entities has a name of {longest} tokens and a token {largest}, but the text encoder reads "
            f"{max_tokens} tokens below {vocabulary}; leave it empty, experiments.pretrain fills it in"
        )
    padded = np.full((len(tokens), longest), PADDING, np.int32)
    for row, of_name in zip(padded, tokens, strict=True):
        row[: len(of_name)] = of_name
    return padded, np.array([len(of_name) for of_name in tokens], np.int32)
