"""The README's first command: CG-DMER at its smallest on the embedded synthetic recordings, in minutes on 2 cores."""

from ml_collections import ConfigDict

from cgdmer_jax.config import shipped

RECORDS = 4500
RATE = 100
DATA_SEED = 0
KERNELS = 300  # of the random-convolution floor


def get_config(_: str = "") -> ConfigDict:
    config = shipped("cgdmer").get_config("quickstart")
    config.data.stores = ("stores/synthetic100",)
    config.data.batch_size = 32
    config.data.vocabulary = 1024
    config.method.mask_ratio = 0.7  # minutes of training see enough of each recording to align it with its report
    config.method.lead_dropout = 0.1
    config.method.statement_dropout = 0.5  # prompts are single statements
    config.optimizer.steps = 1100
    config.optimizer.learning_rate = 1.5e-3
    config.run.validate_every = 550
    config.run.checkpoint_every = 550
    config.run.diagnose_every = 0  # compiling it takes too long here
    config.run.validation_records = 256
    return config
