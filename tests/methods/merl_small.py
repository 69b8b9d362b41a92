"""The smallest MERLs, on the batch of awkward records of conftest.py; weights as after some training."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.methods.merl.config import MerlConfig
from cgdmer_jax.methods.merl.method import Merl
from cgdmer_jax.methods.merl.network import ResNetSize, VitSize
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.models.transformer import Size
from tests.methods.conftest import FULL_STOP, N_TOKENS, PATCH, RATE, SAMPLES, VOCABULARY

EMBEDDING = 16
RESNET = ResNetSize(8, (1, 1, 1, 1), False)
VIT = VitSize(16, 2, 2, PATCH / RATE)
BERT = {
    "kind": "bert",
    "vocabulary": VOCABULARY,
    "max_tokens": N_TOKENS,
    "token_types": 2,
    "width": 12,
    "depth": 2,
    "heads": 2,
    "hidden": 16,
    "activation": "gelu",
    "epsilon": 1e-12,
    "counted_from": None,
    "pooler": True,
    "mask_id": 4,
    "special_ids": [0, 1, 2, 3, 4],
    "weights_sha256": "",
}
CONFIG = MerlConfig(
    ecg=RESNET,
    text=Size(128, 2, 4),
    text_tower="a folder",
    text_architecture=BERT,
    text_trained=0,
    text_lr_multiplier=1.0,
    text_pooling="pooler",
    scaling="record_minmax",
    lead_dropout=0.0,
    embed_dim=EMBEDDING,
    temperature=0.07,
    same_text="negatives",
    view_dropout=0.1,
    weight_align=2.0,
    weight_views=2.0,
    dtype="float32",
    remat="none",
    unroll=1,
)


def make_merl(**changed) -> Merl:
    return Merl(
        dataclasses.replace(CONFIG, **changed),
        n_leads=12,
        n_samples=SAMPLES,
        rate=RATE,
        vocabulary=VOCABULARY,
        max_tokens=N_TOKENS,
        full_stop=FULL_STOP,
    )


def weights_of(merl: Merl, batch: Batch) -> Variables:
    """No bias is zero, no scale or running statistic as it began."""
    shapes = jax.eval_shape(merl.init, jax.random.key(0), batch)
    draw = np.random.default_rng(1)

    def weight(path, leaf):
        name = str(path[-1].key)
        spread = np.prod(leaf.shape[:-1]) ** -0.5 if name == "kernel" else 0.1
        made = (name in ("scale", "variance")) + spread * draw.normal(size=leaf.shape)
        return jnp.asarray(np.abs(made) if name == "variance" else made, leaf.dtype)

    return jax.tree.map_with_path(weight, shapes)
