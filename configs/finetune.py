"""Fine-tuning a pretrained encoder: `--config=configs/finetune.py` of experiments.finetune, which fills in what its
flags name.

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.finetune.config import FinetuneConfig
from cgdmer_jax.recipes.config_fields import LabelledConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig

METHOD = {
    "encoder_lr_multiplier": 0.3,
    "lead_dropout": 0.1,
    "time_shift_seconds": 1.0,
    "noise_uv": 10.0,
    "average_decay": 0.99,
}
OPTIMIZER = {
    "steps": 2000,
    "learning_rate": 1e-3,
    "warmup_fraction": 0.1,
}
RUN = {
    "validate_every": 100,
    "validation_records": 4096,
    "checkpoint_every": 100,
    "keep_last": 1,
}


def get_config(_: str = "") -> ConfigDict:
    return ConfigDict(
        {
            "seed": 0,
            "method_name": "finetune",
            "method": defaults(FinetuneConfig) | METHOD,
            "data": defaults(LabelledConfig),
            "optimizer": defaults(OptimizerConfig) | OPTIMIZER,
            "run": defaults(RunConfig) | RUN,
        }
    )
