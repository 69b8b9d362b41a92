"""The smallest fine-tuning: an encoder of one matrix, whose text side and running statistics it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import Batch, blank_batch
from cgdmer_jax.methods.finetune.config import FinetuneConfig
from cgdmer_jax.methods.finetune.method import Finetune
from cgdmer_jax.methods.protocol import Declared, Variables

SAMPLES, RATE, WIDTH = 50, 10.0, 6
CLASSES = ("A", "B", "C")


class Means:
    """`main`: the mean of each lead, times a matrix and a number that is tracked; `aligned` has a matrix of its own."""

    declared = Declared(recordings=True, text=True)

    def init(self, key, batch):
        lead, word, aligned = jax.random.split(key, 3)
        params = {
            "lead": {"kernel": jax.random.normal(lead, (12, WIDTH))},
            "word": {"kernel": jax.random.normal(word, (5, WIDTH))},
            "projector": {"kernel": jax.random.normal(aligned, (WIDTH, 2))},
        }
        return Variables(params, {"statistics": jnp.float32(2)})

    def embed_ecg(self, variables, batch):
        millivolts = batch.signal.astype(jnp.float32).mean(2) / 1000
        main = variables.state["statistics"] * (millivolts @ variables.params["lead"]["kernel"])
        return {"main": main, "aligned": main @ variables.params["projector"]["kernel"]}


def config_of(**fields) -> FinetuneConfig:
    return FinetuneConfig(encoder_name="means", encoder={"a": 1}, task="toy", classes=CLASSES, **fields)


def small_finetune(**fields) -> Finetune:
    return Finetune(config_of(**fields), Means(), n_leads=12, n_samples=SAMPLES, rate=RATE, max_tokens=3)


def labelled_batch(n: int = 8) -> Batch:
    """Records of 12 to 3 leads, some of them short; every number in them occurs once."""
    draw = np.random.default_rng(0)
    lead_mask = np.arange(12) < np.linspace(12, 3, n).round()[:, None]
    length = np.where(np.arange(n) % 3, SAMPLES, SAMPLES - 13).astype(np.int32)
    values = draw.permutation(np.arange(1, n * 12 * SAMPLES + 1)).reshape(n, 12, SAMPLES)
    live = lead_mask[:, :, None] & (np.arange(SAMPLES) < length[:, None, None])
    labels = draw.random((n, len(CLASSES))) < 0.5
    batch = blank_batch(n, n_leads=12, n_samples=SAMPLES, n_tokens=3)._replace(
        signal=np.where(live, values, 0).astype(np.int16),
        lead_mask=lead_mask,
        length=length,
        record_columns={"labels:toy": labels},
    )
    return jax.tree.map(jnp.asarray, batch)
