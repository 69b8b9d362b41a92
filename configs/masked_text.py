"""Adapting a text encoder to reports: `--config=configs/masked_text.py` of experiments.adapt_text, which fills in
what its flags name.

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.masked_text import MaskedTextConfig
from cgdmer_jax.recipes.config_fields import ReportsConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig

METHOD = {"unroll": 6}
OPTIMIZER = {
    "steps": 1000,
    "warmup_fraction": 0.1,
    "beta2": 0.98,
    "weight_decay": 0.01,
}
RUN = {
    "validate_every": 250,
    "validation_records": 1024,  # held-out texts
    "checkpoint_every": 250,
    "keep_last": 1,
}


def get_config(_: str = "") -> ConfigDict:
    return ConfigDict(
        {
            "seed": 0,
            "method_name": "masked_text",
            "method": defaults(MaskedTextConfig) | METHOD,
            "data": defaults(ReportsConfig),
            "optimizer": defaults(OptimizerConfig) | OPTIMIZER,
            "run": defaults(RunConfig) | RUN,
        }
    )
