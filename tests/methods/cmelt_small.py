"""The smallest C-MELT, on the batch of awkward records of conftest.py with three negatives of each report."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import NO_TEXT, Batch
from cgdmer_jax.methods.cmelt.config import CMeltConfig
from cgdmer_jax.methods.cmelt.method import NEGATIVES, CMelt
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Size
from tests.methods.conftest import FULL_STOP, N_TOKENS, RATE, SAMPLES, VOCABULARY

PATCH = 8
CONFIG = CMeltConfig(
    ecg=Size(16, 2, 2),
    front_channels=8,
    halvings=3,
    text=Size(12, 1, 2),
    fusion=Size(16, 2, 2),
    decoder=Size(8, 2, 2),
    mask_ratio=0.7,
    unroll=2,
)
FIRST_ID = 50  # of the negatives, which no record of the batch has
RELEASED = {"front_end": "released", "alignment": "dot", "text_padding": True}


def make_cmelt(**changed) -> CMelt:
    return CMelt(
        dataclasses.replace(CONFIG, **changed),
        n_leads=12,
        n_samples=SAMPLES,
        rate=RATE,
        vocabulary=VOCABULARY,
        max_tokens=N_TOKENS,
        full_stop=FULL_STOP,
    )


def table_of(text_id: np.ndarray, seed: int = 7) -> np.ndarray:
    """[record, 3, 2 + token]: id, number of tokens, tokens; zeros where a record has no report."""
    draw = np.random.default_rng(seed)
    table = np.zeros((len(text_id), 3, 2 + N_TOKENS), np.int32)
    for record, number in np.ndindex(table.shape[:2]):
        if text_id[record] != NO_TEXT:
            length = draw.integers(5, N_TOKENS + 1)
            words = draw.integers(5, VOCABULARY, length - 2)
            table[record, number, : 2 + length] = [FIRST_ID + 3 * text_id[record] + number, length, 2, *words, 3]
    return table


def with_negatives(batch: Batch) -> Batch:
    return batch._replace(text_columns={NEGATIVES: jnp.asarray(table_of(np.asarray(batch.text_id)))})


def weights_of(method: CMelt, batch: Batch) -> Variables:
    """Weights as after some training: no bias is zero, no norm's scale is one."""
    shapes = jax.eval_shape(method.init, jax.random.key(0), batch).params
    draw = np.random.default_rng(1)

    def weight(path, leaf):
        name = path[-1].key
        spread = leaf.shape[-2] ** -0.5 if name == "kernel" else 0.1
        return jnp.asarray((name == "scale") + spread * draw.normal(size=leaf.shape), jnp.float32)

    return Variables(jax.tree.map_with_path(weight, shapes), {})
