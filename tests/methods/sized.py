"""Methods and batches of the sizes in configs/cgdmer.py, as shapes alone."""

import jax
import numpy as np
from ml_collections import ConfigDict

from cgdmer_jax.batch import Batch
from cgdmer_jax.config import from_fields
from cgdmer_jax.methods.cgdmer.method import CgDmer, CgDmerConfig

BATCH, SAMPLES = 64, 1000


def method_of(config: ConfigDict) -> CgDmer:
    return CgDmer(
        from_fields(CgDmerConfig, config.method.to_dict()),
        n_leads=12,
        n_samples=SAMPLES,
        rate=100.0,
        vocabulary=config.data.vocabulary,
        max_tokens=config.data.max_tokens,
        full_stop=-1,
    )


def shapes(max_tokens: int) -> Batch:
    shape = jax.ShapeDtypeStruct
    return Batch(
        signal=shape((BATCH, 12, SAMPLES), np.int16),
        lead_mask=shape((BATCH, 12), bool),
        length=shape((BATCH,), np.int32),
        row=shape((BATCH,), np.int32),
        tokens=shape((BATCH, max_tokens), np.int32),
        token_mask=shape((BATCH, max_tokens), bool),
        text_id=shape((BATCH,), np.int32),
        text_columns={},
    )
