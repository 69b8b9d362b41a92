"""CG-DMER (Niu et al. 2026, arXiv 2602.21154) on the method contract.

Our choices where the paper leaves one: docs/design.md, "CG-DMER".
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.cgdmer.config import CgDmerConfig, CgDmerDraws
from cgdmer_jax.methods.cgdmer.loss import hybrid_loss
from cgdmer_jax.methods.cgdmer.network import CgDmerNetwork, ecg_levels
from cgdmer_jax.methods.losses import reconstruction
from cgdmer_jax.methods.protocol import Aux, Declared, Reconstruction, TokenStates, Variables
from cgdmer_jax.models.ecg.scaling import Scaled, scale
from cgdmer_jax.models.ecg.vit import patchify, take_tokens
from cgdmer_jax.models.frozen import held
from cgdmer_jax.models.heads import masked_mean, masked_std, per_lead_moments
from cgdmer_jax.models.masking.slots import Slots, all_valid, draw_masks, drop_leads, on_grid, valid_tokens
from cgdmer_jax.models.masking.words import WORD_PIECE, Text, draw_masked_tokens, draw_statements
from cgdmer_jax.models.text import tower as text_tower
from cgdmer_jax.models.transformer import MOST_SEQUENCE, Compute


class CgDmer:
    """The method object: holds sizes, no arrays."""

    def __init__(
        self,
        config: CgDmerConfig,
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
        self.vocabulary = vocabulary
        self.full_stop = full_stop
        tower, self.marks, self._frozen = None, WORD_PIECE, None
        if config.text_architecture:
            compute = Compute(config.dtype, config.remat, config.unroll)  # a tower's attention is always `auto`
            tower = text_tower.make_tower(config.text_architecture, trained=config.text_trained, compute=compute)
            self.marks = text_tower.marks_of(config.text_architecture)
            self._frozen = text_tower.frozen_pattern(tower, config.text_trained, pooler=False)
        self.network = CgDmerNetwork(
            n_leads=n_leads,
            n_patches=self.n_patches,
            patch_samples=self.patch_samples,
            stem=config.stem,
            column_queries=config.column_queries,
            vocabulary=vocabulary,
            max_tokens=max_tokens,
            embedding=config.embed_dim,
            one_shared=config.shared_second,
            pooling=config.pooling,
            temperature=1 / config.siglip_scale if config.alignment == "siglip" else config.temperature,
            biased=config.alignment == "siglip",
            ecg=config.ecg,
            text=config.text,
            text_tower=tower,
            second=config.second,
            decoder=config.decoder,
            compute=Compute(config.dtype, config.remat, config.unroll, config.attention),
        )

    # --- the contract -------------------------------------------------------------------------------

    @property
    def declared(self) -> Declared:
        """Z-scores of patches (`target`) are no millivolts: nothing is reconstructed of them."""
        rules = ()
        if self.network.text_tower is not None:
            rules = text_tower.rate_factors(self._frozen, self.config.text_trained, self.config.text_lr_multiplier)
        return Declared(
            recordings=True,
            text=True,
            reconstructs=self.config.target == "signal",
            shared_specific=True,
            text_states=True,
            tokens=True,
            levels=ecg_levels(self.config.ecg.depth, self.config.second.depth),
            rate_factors=rules,
        )

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        draws = self.draw(key, batch, jnp.float32(0))
        length = batch.token_mask.sum(1)
        params = self.network.init(
            key,
            self.patches(batch, draws.lead_mask, draws.hidden)[0],
            draws.kept,
            draws.hidden,
            batch.tokens,
            length,
            draws.masked.slots,
        )["params"]
        if self.config.alignment == "siglip":  # the B - 1 negatives of a record would swamp the first steps
            params["alignment_bias"] = -jnp.log(jnp.float32(len(batch.tokens)))
        return Variables(params, {})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> CgDmerDraws:
        config = self.config
        lead_key, mask_key, word_key, statement_key = jax.random.split(key, 4)
        lead_mask = drop_leads(lead_key, batch.lead_mask, config.lead_dropout)
        valid = valid_tokens(lead_mask, batch.length, self.n_patches, self.patch_samples)
        kept, hidden = draw_masks(
            mask_key,
            valid,
            strategy=config.masking,
            mask_ratio=config.mask_ratio,
            patch_seconds=config.patch_seconds,
        )
        masked = draw_masked_tokens(
            word_key,
            batch.tokens,
            batch.token_mask,
            ratio=config.mlm_ratio,
            vocabulary=self.vocabulary,
            marks=self.marks,
        )
        text = Text(batch.tokens, batch.token_mask.sum(1, dtype=jnp.int32))
        if config.statement_dropout > 0:
            text = draw_statements(statement_key, text, dropout=config.statement_dropout, full_stop=self.full_stop)
        warm = jnp.clip(progress / max(config.disentangle_warmup, 1e-9), 0.0, 1.0)
        return CgDmerDraws(lead_mask, kept, hidden, masked, text, config.weight_disentangle * warm)

    def loss(
        self, variables: Variables, batch: Batch, draws: CgDmerDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """The hybrid loss of the global batch; `train` changes nothing, since there is no dropout inside."""
        patches, _ = self.patches(batch, draws.lead_mask, draws.hidden)
        return self.loss_of_patches(variables, patches, batch, draws)

    def embed_ecg(
        self, variables: Variables, batch: Batch, seen: Slots | None = None
    ) -> dict[str, Float[Array, "batch feature"]]:
        """Pooled over tokens: `main` (shared and specific side by side), `encoder`, `shared`, `specific`; `aligned`.

        `moments` = `main` and the standard deviations over tokens; `per_lead` = the mean over time of shared + specific
        for each lead, `per_lead_moments` = mean and standard deviation over time of both; absent leads are 0.
        """
        patches, valid = self.patches(batch, batch.lead_mask)
        return self.embed_patches(variables, patches, seen or all_valid(valid))

    def ecg_token_states(self, variables: Variables, batch: Batch, seen: Slots | None = None) -> TokenStates:
        """Shared and specific side by side."""
        patches, valid = self.patches(batch, batch.lead_mask)
        slots = seen or all_valid(valid)
        parts = self._apply(variables, patches, slots, method="ecg_parts")
        both = jnp.concatenate([parts.shared, parts.specific], axis=2)
        return TokenStates(on_grid(both, slots, *valid.shape[1:]), slots.among(valid[0].size).reshape(valid.shape))

    def embed_text(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text embedding"]:
        return self.embed_text_parts(variables, tokens, token_mask)["aligned"]

    def embed_text_parts(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> dict[str, Float[Array, "text feature"]]:
        """Unmasked texts, pooled as the loss pools them: `shared`, `specific` and `aligned`."""
        parts = self._apply(variables, tokens, token_mask.sum(1), method="text_parts")
        shared, specific = self._apply(variables, "text", parts, token_mask, method="pooled")
        return {"shared": shared, "specific": specific, "aligned": self._apply(variables, shared, method="align")}

    def text_states(
        self,
        variables: Variables,
        tokens: Int32[Array, "text token"],
        token_mask: Bool[Array, "text token"],
    ) -> Float[Array, "text token width"]:
        """The text encoder alone, before what it shares with the recordings."""
        return self._apply(variables, tokens, token_mask.sum(1, dtype=jnp.int32), method="text_states")

    def temperature(self, variables: Variables) -> Float[Array, ""]:
        """As learnt by now."""
        return self._apply(variables, method="current_temperature")

    def reconstruct(self, variables: Variables, batch: Batch, draws: CgDmerDraws) -> Reconstruction:
        """The prediction for every hidden token, the input elsewhere."""
        if not self.declared.reconstructs:
            raise CgdmerError(f"config.method.target {self.config.target} gives no millivolts to reconstruct")
        patches, _ = self.patches(batch, draws.lead_mask, draws.hidden)
        parts = self._apply(variables, patches, draws.kept, method="ecg_parts")
        predicted = self._apply(variables, parts, draws.kept, draws.hidden, method="decode_ecg")
        live = draws.hidden.live()
        at = (jnp.arange(len(patches))[:, None], draws.hidden.index)
        patches = patches[:, :, : self.patch_samples]
        value = jnp.where(live[:, :, None], predicted, patches[at])  # dead slots may name visible tokens
        grid = (len(patches), batch.signal.shape[1], self.n_patches)
        hidden = draws.hidden.among(patches.shape[1])
        signal = patches.at[at].set(value).reshape(*grid[:2], -1)
        scale_mv = self._scaled(batch, draws.lead_mask, draws.hidden).scale_mv
        return Reconstruction(signal * scale_mv[:, :, None], hidden.reshape(grid))

    # --- the same, from scaled patches: tests put NaN and changes there ---------------------------------

    def patches(
        self, batch: Batch, lead_mask: Bool[Array, "batch lead"], hidden: Slots | None = None
    ) -> tuple[Float[Array, "batch token sample"], Bool[Array, "batch lead patch"]]:
        """Scaled patches (with the scale feature as last column, if wanted) and which of them are valid.

        `hidden`: tokens that `visible_samples` leaves out of the scale; none in use.
        """
        valid = valid_tokens(lead_mask, batch.length, self.n_patches, self.patch_samples)
        scaled = self._scaled(batch, lead_mask, hidden)
        patches = patchify(scaled.signal, self.patch_samples)
        if self.config.scale_feature:
            feature = jnp.repeat(scaled.log_std, self.n_patches, axis=1)
            patches = jnp.concatenate([patches, feature[:, :, None]], axis=2)
        return patches, valid

    def loss_of_patches(
        self,
        variables: Variables,
        patches: Float[Array, "batch token sample"],
        batch: Batch,
        draws: CgDmerDraws,
    ) -> tuple[Float[Array, ""], Aux]:
        def apply(*args, method: str):
            return self._apply(variables, *args, method=method)

        def target(slots: Slots):
            wanted = take_tokens(patches[:, :, : self.patch_samples], slots)
            if self.config.target == "signal":
                return wanted
            scale_mv = self._scaled(batch, draws.lead_mask, draws.hidden).scale_mv
            return reconstruction.patch_z(wanted, jnp.take_along_axis(scale_mv, slots.index // self.n_patches, axis=1))

        total, terms = hybrid_loss(apply, self.config, patches, target, batch, draws, self.vocabulary, self.marks)
        return total, Aux(variables.state, terms)

    def embed_patches(
        self, variables: Variables, patches: Float[Array, "batch token sample"], slots: Slots
    ) -> dict[str, Float[Array, "batch feature"]]:
        parts = self._apply(variables, patches, slots, method="ecg_parts")
        live = slots.live()
        shared, specific = self._apply(variables, "ecg", parts, live, method="pooled")
        both = jnp.concatenate([parts.shared, parts.specific], axis=2)
        mean, std = per_lead_moments(both, slots.index // self.n_patches, live, self.network.n_leads)
        main, width = jnp.concatenate([shared, specific], axis=1), shared.shape[1]
        return {
            "main": main,
            "encoder": masked_mean(parts.encoder, live),
            "shared": shared,
            "specific": specific,
            "moments": jnp.concatenate([main, masked_std(both, live)], axis=1),
            "per_lead": (mean[..., :width] + mean[..., width:]).reshape(len(patches), -1),
            "per_lead_moments": jnp.concatenate([mean, std], axis=2).reshape(len(patches), -1),
            "aligned": self._apply(variables, shared, method="align"),
        }

    # --- pieces -------------------------------------------------------------------------------------

    def _apply(self, variables: Variables, *args, method: str):
        return self.network.apply({"params": held(variables.params, self._frozen)}, *args, method=method)

    def _scaled(self, batch: Batch, lead_mask: Bool[Array, "batch lead"], hidden: Slots | None) -> Scaled:
        samples = None
        if hidden is not None:
            tokens = hidden.among(self.network.n_leads * self.n_patches)
            samples = jnp.repeat(tokens, self.patch_samples, axis=1).reshape(batch.signal.shape)
        return scale(batch.signal, lead_mask, batch.length, self.config.scaling, samples)
