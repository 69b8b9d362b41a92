"""Delineation on the method contract: the tokens of a pretrained method, a head, and the marked waves."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float, Int, Int8, Int32, PRNGKeyArray

from cgdmer_jax.batch import Batch, blank_batch
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.delineate.config import HEAD_ALONE, DelineateConfig
from cgdmer_jax.methods.delineate.loss import masked_cross_entropy
from cgdmer_jax.methods.delineate.network import WaveHead
from cgdmer_jax.methods.finetune.augment import rotated
from cgdmer_jax.methods.finetune.config import SCRATCH
from cgdmer_jax.methods.finetune.needed import needed_paths
from cgdmer_jax.methods.protocol import Aux, Declared, Delineator, Embedder, Variables

ENCODER, HEAD = "encoder", "head"  # parts of the parameters; the first also of the state
WAVES = "waves"  # the record column (data/record_columns.py)
ENCODER_RATE = 0.3  # learning rate of a pretrained encoder as a share of the head's
SHIFT_SECONDS = 1.0  # a record is rotated in time by up to so much, either way; all leads alike
JOINED_SECONDS = 0.1  # width of the head's convolution


class Shift(NamedTuple):
    """Everything random in one step."""

    samples: Int32[Array, "batch"]


class Delineate:
    """The method object: holds sizes and the encoder's method, no arrays.

    Of the encoder's parameters it has those alone that its tokens are made by.
    """

    def __init__(
        self,
        config: DelineateConfig,
        encoder: Embedder,
        *,
        n_leads: int,
        n_samples: int,
        rate: float,
        max_tokens: int,
    ):
        if not encoder.declared.tokens or encoder.declared.joint_leads:
            raise CgdmerError(
                f"the encoder is of {config.encoder_name}, whose tokens are not each of one lead; delineation needs "
                "one that has these, such as cgdmer or kmerl"
            )
        self.config, self.encoder = config, encoder
        self.most_shift = min(round(SHIFT_SECONDS * rate), n_samples)
        self._frozen, slower = config.trained == HEAD_ALONE, config.init != SCRATCH
        rules = ((f"^{ENCODER}/", 0.0 if self._frozen else ENCODER_RATE),) if self._frozen or slower else ()
        self.declared = Declared(
            recordings=False, text=False, delineates=True, record_columns=(WAVES,), rate_factors=rules
        )
        blank = blank_batch(2, n_leads=n_leads, n_samples=n_samples, n_tokens=max_tokens)
        shapes = jax.eval_shape(encoder.init, jax.random.key(0), blank)
        tokens = jax.eval_shape(encoder.ecg_token_states, shapes, blank)
        self.head = WaveHead(n_samples // tokens.valid.shape[2], 2 * round(JOINED_SECONDS * rate / 2) + 1)
        self._needed = needed_paths(
            lambda params, rest: encoder.ecg_token_states(Variables(params, rest[0]), rest[1]).states,
            shapes.params,
            (shapes.state, blank),
        )
        self._left_out = {path: leaf for path, leaf in flatten_dict(shapes.params).items() if path not in self._needed}

    def init(self, key: PRNGKeyArray, batch: Batch) -> Variables:
        encoder_key, head_key = jax.random.split(key)
        encoder = self.encoder.init(encoder_key, batch)
        head = self.head.init(head_key, self.encoder.ecg_token_states(encoder, batch).states)["params"]
        return Variables({ENCODER: self.of_encoder(encoder).params, HEAD: head}, {ENCODER: encoder.state})

    def draw(self, key: PRNGKeyArray, batch: Batch, progress: Float[Array, ""]) -> Shift:
        """Nothing is scheduled."""
        return Shift(jax.random.randint(key, (len(batch.row),), -self.most_shift, self.most_shift + 1))

    def loss(self, variables: Variables, batch: Batch, draws: Shift, *, train: bool) -> tuple[Float[Array, ""], Aux]:
        """Masked cross entropy; without `train` that of the recordings as they are."""
        classes = batch.record_columns[WAVES]
        params = variables.params
        if train:
            batch, classes = turned(batch, classes, draws.samples)
        if self._frozen:  # nor is its gradient computed
            params = params | {ENCODER: jax.lax.stop_gradient(params[ENCODER])}
        logits = self.wave_logits(Variables(params, variables.state), batch)
        return masked_cross_entropy(logits, classes, batch.lead_mask), Aux(variables.state, {})

    def wave_logits(self, variables: Variables, batch: Batch) -> Float[Array, "batch lead time klass"]:
        left_out = {path: jnp.zeros(leaf.shape, leaf.dtype) for path, leaf in self._left_out.items()}
        params = unflatten_dict(flatten_dict(variables.params[ENCODER]) | left_out)
        states = self.encoder.ecg_token_states(Variables(params, variables.state[ENCODER]), batch).states
        return self.head.apply({"params": variables.params[HEAD]}, states)

    def of_encoder(self, encoder: Variables) -> Variables:
        """Those of an encoder's variables that are needed here."""
        params = {path: leaf for path, leaf in flatten_dict(encoder.params).items() if path in self._needed}
        return Variables(unflatten_dict(params), encoder.state)


def turned(
    batch: Batch, classes: Int[Array, "batch lead time"], shift: Int32[Array, "batch"]
) -> tuple[Batch, Int[Array, "batch lead time"]]:
    """Recordings and their classes, rotated in time alike."""
    moved = rotated(classes.astype(jnp.int16), batch.length, shift)
    return batch._replace(signal=rotated(batch.signal, batch.length, shift)), moved


def wave_classes(method: Delineator, variables: Variables, batch: Batch) -> Int8[Array, "batch lead time"]:
    """Likeliest class of each sample; none (0) throughout a lead that is absent."""
    found = method.wave_logits(variables, batch).argmax(-1).astype(jnp.int8)
    return jnp.where(batch.lead_mask[:, :, None], found, 0)
