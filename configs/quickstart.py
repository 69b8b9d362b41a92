"""The README's first command: CG-DMER at its smallest on the embedded synthetic recordings, in minutes on 2 cores."""

from ml_collections import ConfigDict

from configs import cgdmer

RECORDS = 4000
RATE = 100
DATA_SEED = 0
KERNELS = 500  # of the random-convolution floor


def get_config(_: str = "") -> ConfigDict:
    config = cgdmer.get_config("quickstart")
    config.data.stores = ("stores/synthetic100",)
    config.data.batch_size = 64
    config.data.vocabulary = 1024
    config.optimizer.steps = 600
    config.optimizer.learning_rate = 2e-3
    config.run.validate_every = 300
    config.run.checkpoint_every = 300
    config.run.validation_records = 256
    return config
