"""C-MELT, `--config=configs/cmelt.py:SIZE` or `:SIZE,PRESET`, SIZE of SIZES and PRESET of PRESETS below.

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning, and
`--config_help` with its value in this config. Any field is overridden as `--config.a.b=value`. What the paper says,
what its code does and what we chose: docs/methods.md.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.cmelt.config import CMeltConfig
from cgdmer_jax.recipes.config_fields import DataConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig


def size(width: int, depth: int, heads: int) -> dict:
    return {"width": width, "depth": depth, "heads": heads}


# The commit stands there so that the hub gives the same files every time.
FLAN_T5 = "hf://google/flan-t5-base@7bcac572ce56db69c1ea7c8af255c5d7c9672fc2"
# nano and tiny read reports with an encoder of their own; base is the paper's, at 500 Hz.
SIZES = {
    "nano": {"halvings": 3, "unroll": 4},
    "tiny": {
        "ecg": size(192, 8, 3),
        "front_channels": 128,
        "text": size(192, 4, 3),
        "fusion": size(192, 4, 3),
        "decoder": size(128, 2, 4),
        "unroll": 8,
    },
    "base": {
        "ecg": size(768, 8, 12),
        "front_channels": 256,
        "text_tower": FLAN_T5,
        "fusion": size(768, 6, 12),
        "decoder": size(384, 4, 6),
        "dtype": "bfloat16",
        "remat": "dots",
        "unroll": 8,
    },
}
RIGHT, LITERAL = "right", "literal"
PRESETS = {
    RIGHT: {},
    # What the released code does and a comparison may ask for.
    LITERAL: {
        "front_end": "released",
        "negatives": {"chosen": "farthest"},
        "alignment": "dot",
        "text_padding": True,
    },
}
DATA = {"stores": ("stores/ptbxl100",)}
OPTIMIZER = {
    "steps": 2400,  # nano: what 40 minutes on 2 cores allow
    "warmup_fraction": 0.1,
}
LEARNED_ALIGNMENT = (("log_alignment_scale|alignment_bias", 10.0),)
# Of each size: text tokens, batch, learning rate.
MAX_TOKENS = {"nano": 36, "tiny": 64, "base": 256}
LARGE_BATCH = {"tiny": 256, "base": 128}
LARGE_RATE = {"tiny": 5e-4, "base": 5e-5}
LARGE_STEPS = {"tiny": 10_000, "base": 300_000}


def get_config(name: str = "nano") -> ConfigDict:
    size, _, preset = name.partition(",")
    preset = preset or RIGHT
    for kind, given, known in (("size", size, SIZES), ("preset", preset, PRESETS)):
        if given not in known:
            raise ValueError(f'configs/cmelt.py has no {kind} "{given}"; it has {", ".join(known)}')
    config = ConfigDict(
        {
            "seed": 0,
            "method_name": "cmelt",
            "method": defaults(CMeltConfig) | SIZES[size],
            "data": defaults(DataConfig) | DATA | {"max_tokens": MAX_TOKENS[size]},
            "optimizer": defaults(OptimizerConfig) | OPTIMIZER,
            "run": defaults(RunConfig),
        }
    )
    config.method.update(PRESETS[preset])
    if preset != LITERAL:  # whose alignment learns nothing
        config.optimizer.rate_factors = LEARNED_ALIGNMENT
    if config.method.text_tower:
        del config.data.min_patients  # of a WordPiece, which is not made here
        config.data.vocabulary = 0
    if size in LARGE_BATCH:
        config.data.batch_size = LARGE_BATCH[size]
        config.run.validation_records = max(config.run.validation_records, LARGE_BATCH[size])
        config.optimizer.update(learning_rate=LARGE_RATE[size], steps=LARGE_STEPS[size])
    return config
