"""K-MERL, `--config=configs/kmerl.py:SIZE` or `:SIZE,PRESET`, SIZE of SIZES and PRESET of PRESETS below.

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning, and
`--config_help` with its value in this config. Any field is overridden as `--config.a.b=value`. What the paper says and
what is our choice: docs/methods.md.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.kmerl.config import KMerlConfig
from cgdmer_jax.recipes.config_fields import DataConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig


def size(width: int, depth: int, heads: int) -> dict:
    return {"width": width, "depth": depth, "heads": heads}


# The commit stands there so that the hub gives the same files every time.
MEDCPT = "hf://ncbi/MedCPT-Query-Encoder@d83a36cc6b8e3a5c5e9d9d6ba156808c1643dcbc"
FROZEN = {"text_tower": MEDCPT, "text_trained": 0, "text_pooling": "pooler"}
# nano is for CPUs and reads reports with an encoder of its own; the others with a frozen one, as MERL does.
SIZES = {
    "nano": {
        "ecg": size(128, 4, 4),
        "text": size(128, 2, 4),
        "query": size(128, 2, 4),
        "patch_seconds": 0.4,
        "embed_dim": 128,
        "unroll": 4,
    },
    "tiny": FROZEN | {"unroll": 12},  # the encoder of the paper's size
    "small": FROZEN | {"ecg": size(384, 12, 6), "dtype": "bfloat16", "unroll": 12},
    "base": FROZEN | {"ecg": size(768, 12, 12), "dtype": "bfloat16", "remat": "dots", "unroll": 12},
}
PRESETS = {
    "few_leads": {},
    "most_leads": {"kept_leads": (9, 10, 11)},  # kept and not lost: the other reading of the paper
}
DATA = {"stores": ("stores/ptbxl100",), "max_tokens": 36}
OPTIMIZER = {
    "steps": 1500,
    "learning_rate": 1.5e-3,
}  # nano: 1.84 GFLOP a record, some 40 minutes on 2 cores (an estimate)
LARGE_DATA = {"batch_size": 512, "vocabulary": 0, "max_tokens": 256}  # the text tower brings its own tokenizer
LARGE_OPTIMIZER = {"steps": 75_000, "learning_rate": 2e-4, "weight_decay": 1e-5}  # 50 epochs of MIMIC-IV-ECG


def get_config(name: str = "nano") -> ConfigDict:
    size, _, preset = name.partition(",")
    preset = preset or "few_leads"
    for kind, given, known in (("size", size, SIZES), ("preset", preset, PRESETS)):
        if given not in known:
            raise ValueError(f'configs/kmerl.py has no {kind} "{given}"; it has {", ".join(known)}')
    config = ConfigDict(
        {
            "seed": 0,
            "method_name": "kmerl",
            "method": defaults(KMerlConfig) | SIZES[size] | PRESETS[preset],
            "data": defaults(DataConfig) | DATA,
            "optimizer": defaults(OptimizerConfig) | OPTIMIZER,
            "run": defaults(RunConfig),
        }
    )
    if config.method.text_tower:
        del config.data.min_patients  # of a WordPiece, which is not made here
        config.data.update(LARGE_DATA)
        config.optimizer.update(LARGE_OPTIMIZER)
        config.run.validation_records = max(config.run.validation_records, config.data.batch_size)
        # Each report is encoded once, by experiments.encode_texts.
        config.data.text_columns.text_vectors = config.method.get_oneway_ref("text_tower")
    return config
