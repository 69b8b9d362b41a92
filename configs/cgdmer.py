"""CG-DMER, `--config=configs/cgdmer.py:SIZE` with SIZE quickstart, nano, tiny, small, base or minilm.

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning, and
`--config_help` with its value in this config. Any field is overridden as `--config.a.b=value`.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.cgdmer.config import CgDmerConfig
from cgdmer_jax.recipes.config_fields import DataConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig


def size(width: int, depth: int, heads: int) -> dict:
    return {"width": width, "depth": depth, "heads": heads}


# The commit stands there so that the hub gives the same files every time.
MINILM = "hf://sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
# What each size changes. nano and quickstart are for CPUs: wide tokens, few of them decoded. No loop over blocks: on an
# H200 base trains 1.6 times as fast so as with one block a turn, and compiles longer (docs/performance.md). All but
# quickstart, whose figures are older, are told millivolts (`scale_feature`): one standard deviation a record takes them
# away, and they are the criterion of hypertrophy.
SIZES = {
    "quickstart": {
        "ecg": size(64, 2, 4),
        "text": size(128, 1, 4),
        "second": size(64, 1, 4),
        "decoder": size(64, 1, 4),
        "patch_seconds": 0.4,
        "stem": "conv",
        "decode_ratio": 0.5,
        "embed_dim": 128,
        "unroll": 2,
    },
    "nano": {
        "ecg": size(128, 4, 4),
        "text": size(128, 2, 4),
        "second": size(128, 1, 4),
        "decoder": size(128, 1, 4),
        "patch_seconds": 0.4,
        "stem": "conv",
        "scale_feature": True,
        "weight_ecg": 10.0,
        "decode_ratio": 0.75,
        "statement_dropout": 0.3,  # a zero-shot prompt is a report of one statement
        "embed_dim": 128,
        "unroll": 4,
    },
    "tiny": {
        "ecg": size(192, 12, 3),
        "text": size(192, 4, 3),
        "second": size(256, 2, 4),
        "decoder": size(128, 2, 4),
        "scale_feature": True,
        "unroll": 12,
    },
    "small": {
        "ecg": size(384, 12, 6),
        "text": size(384, 6, 6),
        "second": size(256, 2, 4),
        "decoder": size(256, 4, 4),
        "scale_feature": True,
        "dtype": "bfloat16",
        "unroll": 12,
    },
    "base": {
        "ecg": size(768, 12, 12),
        "text": size(768, 6, 12),
        "second": size(256, 2, 4),
        "decoder": size(256, 4, 4),
        "scale_feature": True,
        "dtype": "bfloat16",
        "remat": "dots",
        "unroll": 12,
    },
}
FROM_SCRATCH = tuple(SIZES)  # those that no folder is needed for
# nano with a small pretrained text encoder, of which the last third is trained.
SIZES["minilm"] = SIZES["nano"] | {
    "text_tower": MINILM,
    "text_trained": 2,
    "weight_text": 0.0,  # it knows words already; masking them costs a second pass
    "unroll": 6,
}
DATA = {"stores": ("stores/ptbxl100",)}
OPTIMIZER = {
    "steps": 3600,  # nano: about an hour on 2 cores
    "learning_rate": 1.5e-3,
    "rate_factors": (("log_inverse_temperature|alignment_bias", 10.0),),
}
RUN = {"diagnose_every": 300}
# nano: text at most half of the ECG; a general vocabulary needs more pieces for the same report.
MAX_TOKENS = {
    "quickstart": 32,
    "nano": 36,
    "minilm": 64,
    "tiny": 64,
    "small": 64,
    "base": 64,
}  # nano: text at most half of the ECG
LARGE_BATCH = {"tiny": 256, "small": 1024, "base": 1024}
LARGE_RATE = {"tiny": 5e-4, "small": 2e-4, "base": 1e-4}


def get_config(name: str = "nano") -> ConfigDict:
    if name not in SIZES:
        raise ValueError(f'configs/cgdmer.py has no size "{name}"; it has {", ".join(SIZES)}')
    config = ConfigDict(
        {
            "seed": 0,
            "method_name": "cgdmer",
            "method": defaults(CgDmerConfig) | SIZES[name],
            "data": defaults(DataConfig) | DATA | {"max_tokens": MAX_TOKENS[name]},
            "optimizer": defaults(OptimizerConfig) | OPTIMIZER,
            "run": defaults(RunConfig) | RUN,
        }
    )
    # As much as reconstruction hides, also when that is overridden, unless a value of its own is given.
    config.method.align_mask_ratio = config.method.get_oneway_ref("mask_ratio")
    if name in LARGE_BATCH:
        config.data.batch_size = LARGE_BATCH[name]
        config.run.validation_records = max(config.run.validation_records, LARGE_BATCH[name])
        config.optimizer.learning_rate = LARGE_RATE[name]
        config.optimizer.steps = 10_000
    return config
