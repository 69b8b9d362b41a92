"""The smallest K-MERL, on the batch of awkward records of conftest.py with a small table of findings."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.kmerl.config import KMerlConfig
from cgdmer_jax.methods.kmerl.method import ENTITIES, KMerl
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Size
from tests.methods.conftest import FULL_STOP, N_TOKENS, PATCH, RATE, SAMPLES, VOCABULARY

# Five findings, as a report says them of each record: -1 absent, 0 not mentioned, 1 present, 2 uncertain.
NAMES = ("sinus rhythm", "atrial fibrillation", "left bundle branch block", "old infarction", "long qt")
TOKENS = ((2, 10, 11, 3), (2, 12, 13, 3), (2, 14, 15, 16, 17, 3), (2, 18, 19, 3), (2, 20, 3))
SHARES = (0.6, 0.4, 0.05, 0.2, 0.125)
STATES = np.array(
    [
        [1, 0, -1, 0, 2],  # WHOLE
        [1, 0, -1, 0, 2],  # TWIN, of the same report
        [0, 1, 0, 0, 0],
        [1, -1, 1, 2, 0],
        [0, 0, 0, 0, 0],  # ONE_LEAD: a report in which nothing was recognised
        [-1, 0, 0, 1, 1],
        [0, 0, 0, 0, 0],  # NO_REPORT
        [2, 2, 0, -1, -1],
    ],
    np.int8,
)
FACTS = {"names": NAMES, "tokens": TOKENS, "shares": SHARES}
CONFIG = KMerlConfig(
    ecg=Size(16, 2, 2),
    text=Size(12, 1, 2),
    query=Size(8, 2, 2),
    entities=FACTS,
    patch_seconds=PATCH / RATE,
    embed_dim=16,
    unroll=2,
)


def make_kmerl(**changed) -> KMerl:
    return KMerl(
        dataclasses.replace(CONFIG, **changed),
        n_leads=12,
        n_samples=SAMPLES,
        rate=RATE,
        vocabulary=VOCABULARY,
        max_tokens=N_TOKENS,
        full_stop=FULL_STOP,
    )


def with_findings(batch: Batch) -> Batch:
    return batch._replace(text_columns={ENTITIES: jnp.asarray(STATES)})


def weights_of(method: KMerl, batch: Batch) -> Variables:
    """Weights as after some training: no bias is zero, no norm's scale is one."""
    shapes = jax.eval_shape(method.init, jax.random.key(0), batch).params
    draw = np.random.default_rng(1)

    def weight(path, leaf):
        name = path[-1].key
        spread = leaf.shape[-2] ** -0.5 if name == "kernel" else 0.1
        return jnp.asarray((name == "scale") + spread * draw.normal(size=leaf.shape), jnp.float32)

    return Variables(jax.tree.map_with_path(weight, shapes), {})
