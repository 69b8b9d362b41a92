"""Adapting a text encoder to reports: `--config=configs/masked_text.py` of experiments.adapt_text, which fills in
what its flags name. What the method's fields mean stands in cgdmer_jax/methods/masked_text.py.
"""

from ml_collections import ConfigDict

METHOD = {
    "text_tower": "",
    "text_architecture": {},
    "text_trained": -1,
    "text_rate": 0.1,
    "text_pooling": "mean",
    "language_ratio": 0.15,
    "dtype": "float32",
    "remat": "none",
    "unroll": 6,
}
DATA = {
    "stores": (),  # converted stores, or
    "reports": "",  # the folder of a collection's published table, without recordings
    "source": "ptbxl",  # whose table that is
    "batch_size": 32,
    "tokenizer": "",  # always the text encoder's own
    "max_tokens": 64,
}
OPTIMIZER = {
    "steps": 1000,
    "learning_rate": 1e-3,  # of the new head; the encoder's own parameters have text_rate of it
    "warmup_fraction": 0.1,
    "final_fraction": 0.0,
    "beta1": 0.9,
    "beta2": 0.98,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "rate_factors": (),
}
RUN = {
    "log_every": 10,
    "validate_every": 250,
    "validation_records": 1024,  # held-out texts
    "checkpoint_every": 250,
    "keep_last": 1,
    "diagnose_every": 0,
    "trace": False,
    "mesh": (0, 1),
    "mirrors": (),
}


def get_config(_: str = "") -> ConfigDict:
    return ConfigDict(
        {
            "seed": 0,
            "method_name": "masked_text",
            "method": dict(METHOD),
            "data": dict(DATA),
            "optimizer": dict(OPTIMIZER),
            "run": dict(RUN),
        }
    )
