"""C-MELT (arXiv 2410.02131; from its third version on D-BETA) on the method contract.

What the paper says, what its code does and what we chose: docs/methods.md, "C-MELT".
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cmelt.config import SIGLIP, CMeltConfig, CMeltDraws, ReadReports
from cgdmer_jax.methods.cmelt.loss import SeenRecords, cmelt_loss
from cgdmer_jax.methods.cmelt.network import CMeltNetwork
from cgdmer_jax.methods.protocol import Aux, Declared, Level, TokenStates, Variables
from cgdmer_jax.models.ecg.scaling import scale, standardised
from cgdmer_jax.models.ecg.sequence import cut, take_patches
from cgdmer_jax.models.frozen import held
from cgdmer_jax.models.heads import masked_mean, unit
from cgdmer_jax.models.masking.slots import all_valid, draw_masks, hide_leads, on_grid, valid_tokens
from cgdmer_jax.models.masking.words import WORD_PIECE, draw_masked_tokens
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.models.transformer import MOST_SEQUENCE, Compute

# Table by text: for each of a report's negatives its text id, its number of tokens and its tokens, in a row.
NEGATIVES = "negatives"


class CMelt:
    """The method object: holds sizes, no arrays."""

    def __init__(
        self,
        config: CMeltConfig,
        *,
        n_leads: int,
        n_samples: int,
        rate: float,
        vocabulary: int,
        max_tokens: int,
        full_stop: int,
    ):
        self.config, self.patch_samples = config, 2**config.halvings
        self.n_patches = n_samples // self.patch_samples
        if not 2 <= self.n_patches <= MOST_SEQUENCE:
            raise CgdmerError(
                f"config.method.halvings is {config.halvings}, which makes {self.n_patches:,} tokens of a recording's "
                f"{n_samples:,} samples; give one that makes 2 to {MOST_SEQUENCE:,}"
            )
        compute = Compute(config.dtype, config.remat, config.unroll, config.attention)
        tower, self.marks, self._frozen = None, WORD_PIECE, None
        if config.text_architecture:
            of_tower = Compute(config.dtype, config.remat, config.unroll)  # a tower's attention is always `auto`
            tower = text_tower.make_tower(config.text_architecture, trained=config.text_trained, compute=of_tower)
            self.marks = text_tower.marks_of(config.text_architecture)
            self._frozen = text_tower.frozen_pattern(tower, config.text_trained, pooler=False)
        self.vocabulary = vocabulary
        self.network = CMeltNetwork(
            n_leads=n_leads,
            n_patches=self.n_patches,
            patch_samples=self.patch_samples,
            channels=config.front_channels,
            front_end=config.front_end,
            vocabulary=vocabulary if tower is None else tower.vocabulary,
            max_tokens=max_tokens,
            scale=config.siglip_scale if config.alignment == SIGLIP else None,
            ecg=config.ecg,
            text=config.text,
            text_tower=tower,
            fusion=config.fusion,
            decoder=config.decoder,
            compute=compute,
        )

    # --- the contract -------------------------------------------------------------------------------

    @property
    def declared(self) -> Declared:
        rules, depth = (), self.config.ecg.depth
        if self.network.text_tower is not None:
            rules = text_tower.rate_factors(self._frozen, self.config.text_trained, self.config.text_lr_multiplier)
        return Declared(
            recordings=True,
            text=True,
            text_states=True,
            tokens=True,
            joint_leads=True,
            levels=(Level("ecg_encoder/blocks/", 1, depth), Level("(projection|pooler)_ecg/", depth, depth)),
            text_columns=(NEGATIVES,) if self.config.replaced > 0 else (),
            rate_factors=rules,
        )

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        kept, hidden = self._masks(key, batch)
        masked = self._masked(key, batch.tokens, batch.token_mask)
        length = batch.token_mask.sum(1, dtype=jnp.int32)
        patches = self._patches(batch, batch.lead_mask)
        params = self.network.init(key, patches, kept, hidden, batch.tokens, length, masked.slots)["params"]
        if self.config.alignment == SIGLIP:  # the B - 1 negatives of a record would swamp the first steps
            params["alignment_bias"] = -jnp.log(jnp.float32(len(batch.tokens)))
        return Variables(params, {})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> CMeltDraws:
        """Nothing is scheduled. Words are masked, and their labels made, in the report that is read."""
        lead_key, mask_key, report_key, word_key = jax.random.split(key, 4)
        read = self._read_reports(report_key, batch)
        live = jnp.arange(read.tokens.shape[1])[None, :] < read.length[:, None]
        lead_mask = hide_leads(lead_key, batch.lead_mask, self.config.lead_masking)
        return CMeltDraws(lead_mask, *self._masks(mask_key, batch), read, self._masked(word_key, read.tokens, live))

    def loss(
        self, variables: Variables, batch: Batch, draws: CMeltDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """The weighted sum of four terms; `train` changes nothing, since there is no dropout inside."""
        return self.loss_of_patches(variables, self._patches(batch, draws.lead_mask), batch, draws)

    def loss_of_patches(
        self, variables: Variables, patches: Float[Array, "batch patch sample lead"], batch: Batch, draws: CMeltDraws
    ) -> tuple[Float[Array, ""], Aux]:
        """The same, from what the encoder sees."""
        clean = cut(standardised(batch.signal, batch.lead_mask, batch.length), self.patch_samples)
        read, masked = draws.read, draws.masked
        records = SeenRecords(
            patches,
            take_patches(clean, draws.hidden),
            batch.lead_mask,
            draws.kept,
            draws.hidden,
            masked.apply(read.tokens),
            read.length,
            masked.slots,
            masked.original(read.tokens),
        )

        def apply(*args, method: str):
            return self._apply(variables, *args, method=method)

        total, terms = cmelt_loss(apply, self.config, records, batch, draws)
        return total, Aux(variables.state, terms)

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """`main`: the pooled [CLS] of the ECG alone, as released; `encoder`: the mean over its tokens; `aligned`."""
        valid = self._valid(batch)
        slots = all_valid(valid)
        tokens = self._apply(variables, self._patches(batch, batch.lead_mask), slots, method="ecg_tokens")
        main = self._apply(variables, "ecg", tokens, method="feature")
        return {"main": main, "encoder": masked_mean(tokens[:, 1:], slots.live()), "aligned": self._aligned(main)}

    def ecg_token_states(self, variables: Variables, batch: Batch) -> TokenStates:
        """All but [CLS], as `encoder` has them."""
        valid = self._valid(batch)
        slots = all_valid(valid)
        tokens = self._apply(variables, self._patches(batch, batch.lead_mask), slots, method="ecg_tokens")
        return TokenStates(on_grid(tokens[:, 1:], slots, *valid.shape[1:]), valid)

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        states = self._apply(variables, tokens, token_mask.sum(1, dtype=jnp.int32), method="text_tokens")
        return self._aligned(self._apply(variables, "text", states, method="feature"))

    def text_states(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text token width"]:
        """The text encoder alone, before anything of the recordings."""
        return self._apply(variables, tokens, token_mask.sum(1, dtype=jnp.int32), method="text_states")

    # --- pieces -------------------------------------------------------------------------------------

    def _aligned(self, feature: Float[Array, "batch width"]) -> Float[Array, "batch width"]:
        """In the space of the alignment; as released, vectors of any length."""
        return unit(feature) if self.config.alignment == SIGLIP else feature

    def _read_reports(self, key: PRNGKeyArray, batch: Batch) -> ReadReports:
        """Some reports replaced by a negative of theirs; one whose tokens are the same is no other report."""
        length = batch.token_mask.sum(1, dtype=jnp.int32)
        own = ReadReports(batch.tokens, length, batch.text_id, jnp.zeros(len(length), bool))
        if self.config.replaced == 0:
            return own
        replace_key, pick_key = jax.random.split(key)
        table = batch.text_columns[NEGATIVES]
        pick = jax.random.randint(pick_key, (len(length), 1, 1), 0, table.shape[1])
        chosen = jnp.take_along_axis(table, pick, axis=1)[:, 0]
        other = ReadReports(chosen[:, 2:], chosen[:, 1], chosen[:, 0], ~own.replaced)
        wanted = jax.random.uniform(replace_key, (len(length),)) < self.config.replaced
        differs = (other.tokens != own.tokens).any(1) & (other.text_id != own.text_id)
        replaced = wanted & differs & (batch.text_id != NO_TEXT)
        return jax.tree.map(
            lambda theirs, ours: jnp.where(replaced[:, None] if ours.ndim == 2 else replaced, theirs, ours), other, own
        )

    def _masked(self, key, tokens, live):
        ratio, marks = self.config.mlm_ratio, self.marks
        return draw_masked_tokens(key, tokens, live, ratio=ratio, vocabulary=self.vocabulary, marks=marks)

    def _masks(self, key, batch: Batch):
        """(kept, hidden): the same time hidden in all leads, since a token holds them all."""
        seconds = 1.0  # of a patch, which random masking does not ask for
        return draw_masks(
            key, self._valid(batch), strategy="random", mask_ratio=self.config.mask_ratio, patch_seconds=seconds
        )

    def _valid(self, batch: Batch) -> Bool[Array, "batch 1 patch"]:
        """Tokens of a record with any lead, before its end; the lead masking of a step changes none."""
        return valid_tokens(batch.lead_mask.any(1)[:, None], batch.length, self.n_patches, self.patch_samples)

    def _patches(self, batch: Batch, lead_mask: Bool[Array, "batch lead"]) -> Float[Array, "batch patch sample lead"]:
        """Scaled input; an absent or masked lead, and samples beyond the recording's end, are 0."""
        return cut(scale(batch.signal, lead_mask, batch.length, self.config.scaling).signal, self.patch_samples)

    def _apply(self, variables: Variables, *args, method: str):
        if self.config.text_padding and method in ("text_tokens", "text_states"):
            tokens, length = args
            args = (tokens, jnp.full_like(length, tokens.shape[1]))
        return self.network.apply({"params": held(variables.params, self._frozen)}, *args, method=method)
