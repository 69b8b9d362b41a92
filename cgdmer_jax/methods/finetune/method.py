"""Fine-tuning on the method contract: a pretrained method's feature or tokens, a head, and the labels of a task."""

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from cgdmer_jax.batch import Batch, blank_batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.augment import noisy, rotated
from cgdmer_jax.methods.finetune.config import HEAD_ALONE, MAIN, PER_LEAD, FinetuneConfig, FinetuneDraws
from cgdmer_jax.methods.finetune.loss import binary_cross_entropy
from cgdmer_jax.methods.finetune.needed import needed_paths
from cgdmer_jax.methods.finetune.network import ClassHead
from cgdmer_jax.methods.finetune.rates import as_rules, held, rate_factors, trained_from
from cgdmer_jax.methods.protocol import Aux, Declared, Embedder, TokenStates, Variables
from cgdmer_jax.models.masking.slots import Slots, draw_masks, drop_leads, valid_tokens

ENCODER, HEAD = "encoder", "head"  # parts of the parameters; the first also of the state
AVERAGE, N_AVERAGED = "average", "n_averaged"  # parts of the state, where weights are averaged
FEATURE, LOGITS = "main", "logits"  # what the head pools and what it gives
LABELS = "labels:"  # + task: the record column (data/record_columns.py)
HeadInput = Float[Array, "batch feature"] | TokenStates  # what the head reads


class Finetune:
    """The method object: holds sizes and the encoder's method, no arrays.

    Of the encoder's parameters it has those alone that the head's input depends on. What of the encoder is trained runs
    as in training: a norm over the batch takes the batch's own mean and variance and moves its running statistics.
    What is not trained runs as in use, and its statistics stay as they are.
    """

    def __init__(
        self,
        config: FinetuneConfig,
        encoder: Embedder,
        *,
        n_leads: int,
        n_samples: int,
        rate: float,
        max_tokens: int,
    ):
        self.config = config
        self.encoder, levels = encoder, encoder.declared.levels
        self._trained_from = trained_from(config, levels)
        self.most_shift = round(config.time_shift_seconds * rate)
        if self.most_shift > n_samples:
            raise CgdmerError(
                f"config.method.time_shift_seconds is {config.time_shift_seconds:g}, and a recording has "
                f"{n_samples / rate:g} s; give at most that"
            )
        self.head = ClassHead(len(config.classes), config.head_pooling)
        blank = blank_batch(2, n_leads=n_leads, n_samples=n_samples, n_tokens=max_tokens)
        shapes = jax.eval_shape(encoder.init, jax.random.key(0), blank)
        _check_can_be_read(config, encoder, shapes, blank)
        self._needed = needed_paths(
            lambda params, others: self._read(Variables(params, others[0]), others[1]),
            shapes.params,
            (shapes.state, blank),
        )
        self._left_out = {path: leaf for path, leaf in flatten_dict(shapes.params).items() if path not in self._needed}
        self._factors = rate_factors(config, levels, sorted("/".join(path) for path in self._needed))
        self._width = self._feature_width(shapes, blank) if config.head_dropout else None
        if config.token_dropout:
            self._grid = jax.eval_shape(encoder.ecg_token_states, shapes, blank).valid.shape[1:]  # leads, patches

    # --- the contract -------------------------------------------------------------------------------

    @property
    def declared(self) -> Declared:
        """No text: once the encoder has moved, nothing says that reports still lie where recordings do."""
        return Declared(
            recordings=True,
            text=False,
            record_columns=(LABELS + self.config.task,),
            rate_factors=as_rules(self._factors, ENCODER),
        )

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        encoder_key, head_key = jax.random.split(key)
        encoder = self.encoder.init(encoder_key, batch)
        head = self.head.init(head_key, self._read(encoder, batch))["params"]
        return self.started({ENCODER: self.of_encoder(encoder).params, HEAD: head}, encoder.state)

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> FinetuneDraws:
        """Nothing is scheduled."""
        config = self.config
        lead_key, shift_key, noise_key, dropout_key, *more = jax.random.split(key, 5 if config.token_dropout else 4)
        n, most, keep = len(batch.row), self.most_shift, 1 - config.head_dropout
        lead_mask = drop_leads(lead_key, batch.lead_mask, config.lead_dropout)
        return FinetuneDraws(
            lead_mask,
            jax.random.randint(shift_key, (n,), -most, most + 1) if most else None,
            config.noise_uv * jax.random.normal(noise_key, batch.signal.shape) if config.noise_uv else None,
            jax.random.bernoulli(dropout_key, keep, (n, self._width)) / keep if keep < 1 else None,
            self._drawn_tokens(*more, lead_mask, batch) if config.token_dropout else None,
        )

    def loss(
        self, variables: Variables, batch: Batch, draws: FinetuneDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """Binary cross entropy; without `train` that of the recordings as they are, by the weights that are scored."""
        labels = batch.record_columns[LABELS + self.config.task]
        if not train:
            return binary_cross_entropy(self.embed_ecg(variables, batch)[LOGITS], labels), Aux(variables.state, {})
        encoder = self._whole(held(variables.params[ENCODER], self._factors), variables.state)
        read, encoder_state = self._read_in_training(encoder, self.augmented(batch, draws), draws.tokens)
        _, logits = self.head.apply({"params": variables.params[HEAD]}, read, draws.kept)
        state = self._averaged(variables) | {ENCODER: encoder_state}
        return binary_cross_entropy(logits, labels), Aux(state, {})

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """`main`: the pooled feature. `logits`: one for each class. Both by the average of the weights, if any."""
        params = variables.state.get(AVERAGE, variables.params)
        read = self._read(self._whole(params[ENCODER], variables.state), batch)
        features, logits = self.head.apply({"params": params[HEAD]}, read)
        return {FEATURE: features, LOGITS: logits}

    # --- pieces -------------------------------------------------------------------------------------

    def of_encoder(self, encoder: Variables) -> Variables:
        """Those of an encoder's variables that are needed here."""
        params = {path: leaf for path, leaf in flatten_dict(encoder.params).items() if path in self._needed}
        return Variables(unflatten_dict(params), encoder.state)

    def started(self, params: dict, encoder_state: dict) -> Variables:
        """Variables of step 0: these parameters, which are also the first average."""
        state = {ENCODER: encoder_state}
        if self.config.average_decay:
            state |= {AVERAGE: params, N_AVERAGED: jnp.float32(0)}
        return Variables(params, state)

    def augmented(self, batch: Batch, draws: FinetuneDraws) -> Batch:
        """The batch of one step of training, with the leads, the rotation and the noise that were drawn."""
        signal = jnp.where(draws.lead_mask[:, :, None], batch.signal, 0)
        if draws.shift is not None:
            signal = rotated(signal, batch.length, draws.shift)
        if draws.noise_uv is not None:
            signal = noisy(signal, draws.lead_mask, batch.length, draws.noise_uv)
        return batch._replace(signal=signal, lead_mask=draws.lead_mask)

    def _whole(self, params: dict, state: dict) -> Variables:
        """The encoder's variables as its method has them; 0 for those that are not needed."""
        left_out = {path: jnp.zeros(leaf.shape, leaf.dtype) for path, leaf in self._left_out.items()}
        return Variables(unflatten_dict(flatten_dict(params) | left_out), state[ENCODER])

    def _feature_width(self, shapes: Variables, blank: Batch) -> int:
        def pooled(encoder: Variables, batch: Batch):
            return self.head.init_with_output(jax.random.key(0), self._read(encoder, batch))[0][0]

        return jax.eval_shape(pooled, shapes, blank).shape[1]

    def _drawn_tokens(self, key: PRNGKeyArray, lead_mask: Bool[Array, "batch lead"], batch: Batch) -> Slots:
        _, n_patches = self._grid
        valid = valid_tokens(lead_mask, batch.length, n_patches, batch.signal.shape[2] // n_patches)
        share = self.config.token_dropout
        kept, _ = draw_masks(key, valid, strategy="random", mask_ratio=share, patch_seconds=1.0)
        return kept

    def _read(self, encoder: Variables, batch: Batch, tokens: Slots | None = None) -> HeadInput:
        seen = () if tokens is None else (tokens,)
        if self.config.head_pooling == MAIN:
            return self.encoder.embed_ecg(encoder, batch, *seen)[FEATURE]
        return self.encoder.ecg_token_states(encoder, batch, *seen)

    def _read_in_training(self, encoder: Variables, batch: Batch, tokens: Slots | None) -> tuple[HeadInput, dict]:
        """The head's input in a training step, and the encoder's new state."""
        if not self.encoder.declared.tracks or self.config.trained == HEAD_ALONE:
            return self._read(encoder, batch, tokens), encoder.state
        made = self.encoder.ecg_in_training(encoder, batch, self._trained_from)
        return made.main if self.config.head_pooling == MAIN else made.tokens, made.state

    def _averaged(self, variables: Variables) -> dict:
        """The state with the average moved towards these weights: by more in the first steps, which it soon forgets."""
        if not self.config.average_decay:
            return variables.state
        n = variables.state[N_AVERAGED]
        share = 1 - jnp.minimum(self.config.average_decay, (1 + n) / (10 + n))
        # So written, a weight that never moves keeps its bits.
        average = jax.tree.map(lambda a, new: a + share * (new - a), variables.state[AVERAGE], variables.params)
        return variables.state | {AVERAGE: average, N_AVERAGED: n + 1}


def _check_can_be_read(config: FinetuneConfig, encoder: Embedder, shapes: Variables, blank: Batch) -> None:
    """Refuses an encoder that lacks what the head is to read."""
    pooling, declared = config.head_pooling, encoder.declared
    if pooling == MAIN:
        if FEATURE not in jax.eval_shape(encoder.embed_ecg, shapes, blank):
            raise CgdmerError(
                f'the encoder is of {config.encoder_name}, which gives no feature "{FEATURE}" to learn from'
            )
    elif not declared.tokens or (pooling == PER_LEAD and declared.joint_leads):
        lacking = "whose tokens are each of all leads" if declared.tokens else "which gives no tokens"
        raise CgdmerError(
            f'config.method.head_pooling is "{pooling}", but the encoder is of {config.encoder_name}, {lacking}; give '
            + ("main or attention" if declared.tokens else "main")
        )
    if config.token_dropout and (not declared.tokens or declared.joint_leads):
        raise CgdmerError(
            f"config.method.token_dropout is {config.token_dropout:g}, but the encoder is of {config.encoder_name}, "
            "which has no token for each lead and patch; give 0"
        )
