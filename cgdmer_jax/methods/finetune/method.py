"""Fine-tuning on the method contract: a pretrained method's feature `main`, a head, and the labels of a task."""

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float, PRNGKeyArray

from cgdmer_jax.batch import Batch, blank_batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.augment import noisy, rotated
from cgdmer_jax.methods.finetune.config import FinetuneConfig, FinetuneDraws
from cgdmer_jax.methods.finetune.loss import binary_cross_entropy
from cgdmer_jax.methods.finetune.needed import needed_paths
from cgdmer_jax.methods.finetune.network import ClassHead
from cgdmer_jax.methods.protocol import Aux, Declared, Embedder, Variables
from cgdmer_jax.models.masking.slots import drop_leads

ENCODER, HEAD = "encoder", "head"  # parts of the parameters; the first also of the state
AVERAGE, N_AVERAGED = "average", "n_averaged"  # parts of the state, where weights are averaged
FEATURE, LOGITS = "main", "logits"  # what the head reads and what it gives
LABELS = "labels:"  # + task: the record column (data/record_columns.py)


class Finetune:
    """The method object: holds sizes and the encoder's method, no arrays.

    Of the encoder's parameters it has those alone that its feature reads. The encoder runs as it does in use: a norm
    over the batch takes its running statistics, which stay as they are.
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
        self.encoder = encoder
        self.most_shift = round(config.time_shift_seconds * rate)
        if self.most_shift > n_samples:
            raise CgdmerError(
                f"config.method.time_shift_seconds is {config.time_shift_seconds:g}, and a recording has "
                f"{n_samples / rate:g} s; give at most that"
            )
        self.head = ClassHead(len(config.classes))
        blank = blank_batch(2, n_leads=n_leads, n_samples=n_samples, n_tokens=max_tokens)
        shapes = jax.eval_shape(encoder.init, jax.random.key(0), blank)
        if FEATURE not in jax.eval_shape(encoder.embed_ecg, shapes, blank):
            raise CgdmerError(
                f'the encoder is of {config.encoder_name}, which gives no feature "{FEATURE}" to learn from'
            )
        self._needed = needed_paths(
            lambda params, others: encoder.embed_ecg(Variables(params, others[0]), others[1])[FEATURE],
            shapes.params,
            (shapes.state, blank),
        )
        self._left_out = {path: leaf for path, leaf in flatten_dict(shapes.params).items() if path not in self._needed}

    # --- the contract -------------------------------------------------------------------------------

    @property
    def declared(self) -> Declared:
        """No text: once the encoder has moved, nothing says that reports still lie where recordings do."""
        multiplier = self.config.encoder_lr_multiplier
        return Declared(
            recordings=True,
            text=False,
            record_columns=(LABELS + self.config.task,),
            rate_factors=() if multiplier == 1 else ((f"^{ENCODER}/", multiplier),),
        )

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        encoder_key, head_key = jax.random.split(key)
        encoder = self.encoder.init(encoder_key, batch)
        features = self.encoder.embed_ecg(encoder, batch)[FEATURE]
        head = self.head.init(head_key, features)["params"]
        return self.started({ENCODER: self.of_encoder(encoder).params, HEAD: head}, encoder.state)

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> FinetuneDraws:
        """Nothing is scheduled."""
        config = self.config
        lead_key, shift_key, noise_key = jax.random.split(key, 3)
        n, most = len(batch.row), self.most_shift
        return FinetuneDraws(
            drop_leads(lead_key, batch.lead_mask, config.lead_dropout),
            jax.random.randint(shift_key, (n,), -most, most + 1) if most else None,
            config.noise_uv * jax.random.normal(noise_key, batch.signal.shape) if config.noise_uv else None,
        )

    def loss(
        self, variables: Variables, batch: Batch, draws: FinetuneDraws, *, train: bool
    ) -> tuple[Float[Array, ""], Aux]:
        """Binary cross entropy; without `train` that of the recordings as they are, by the weights that are scored."""
        labels = batch.record_columns[LABELS + self.config.task]
        if not train:
            return binary_cross_entropy(self.embed_ecg(variables, batch)[LOGITS], labels), Aux(variables.state, {})
        params = variables.params
        if self.config.encoder_lr_multiplier == 0:  # nor is its gradient computed
            params = params | {ENCODER: jax.lax.stop_gradient(params[ENCODER])}
        logits = self._embedded(params, variables.state, self.augmented(batch, draws))[LOGITS]
        return binary_cross_entropy(logits, labels), Aux(self._averaged(variables), {})

    def embed_ecg(self, variables: Variables, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        """`main`: the encoder's feature. `logits`: one for each class. Both by the average of the weights, if any."""
        return self._embedded(variables.state.get(AVERAGE, variables.params), variables.state, batch)

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

    def _embedded(self, params: dict, state: dict, batch: Batch) -> dict[str, Float[Array, "batch feature"]]:
        left_out = {path: jnp.zeros(leaf.shape, leaf.dtype) for path, leaf in self._left_out.items()}
        whole = Variables(unflatten_dict(flatten_dict(params[ENCODER]) | left_out), state[ENCODER])
        features = self.encoder.embed_ecg(whole, batch)[FEATURE]
        return {FEATURE: features, LOGITS: self.head.apply({"params": params[HEAD]}, features)}

    def _averaged(self, variables: Variables) -> dict:
        """The state with the average moved towards these weights: by more in the first steps, which it soon forgets."""
        if not self.config.average_decay:
            return variables.state
        n = variables.state[N_AVERAGED]
        share = 1 - jnp.minimum(self.config.average_decay, (1 + n) / (10 + n))
        # So written, a weight that never moves keeps its bits.
        average = jax.tree.map(lambda a, new: a + share * (new - a), variables.state[AVERAGE], variables.params)
        return variables.state | {AVERAGE: average, N_AVERAGED: n + 1}
