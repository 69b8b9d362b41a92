"""MERL, `--config=configs/merl.py:SIZE` or `:SIZE,PRESET`, SIZE of SIZES and PRESET of PRESETS below (docs/merl.md).

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning, and
`--config_help` with its value in this config. Any field is overridden as `--config.a.b=value`. The sizes and presets
are those of the paper and of the released code.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.merl.config import MerlConfig
from cgdmer_jax.recipes.config_fields import DataConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig


def resnet(blocks: tuple[int, ...], bottleneck: bool = False) -> dict:
    return {"width": 64, "blocks": blocks, "bottleneck": bottleneck}


def vit(width: int, heads: int) -> dict:
    return {"width": width, "depth": 12, "heads": heads, "patch_seconds": 0.1}


SIZES = {
    "resnet18": resnet((2, 2, 2, 2)),
    "resnet34": resnet((3, 4, 6, 3)),
    "resnet50": resnet((3, 4, 6, 3), bottleneck=True),
    "vit_tiny": vit(192, 3),
    "vit_small": vit(384, 6),
    "vit_middle": vit(512, 8),
    "vit_base": vit(768, 12),
}
# The commit stands there so that the hub gives the same files every time.
MEDCPT = "hf://ncbi/MedCPT-Query-Encoder@d83a36cc6b8e3a5c5e9d9d6ba156808c1643dcbc"
DATA = {
    "stores": ("stores/ptbxl100",),
    "batch_size": 1024,  # 8 GPUs of 128
    "vocabulary": 0,  # the text tower brings its own tokenizer
    "max_tokens": 256,
}
OPTIMIZER = {
    "steps": 14_760,  # 20 epochs of 98 % of MIMIC-IV-ECG's 771,693 records
    "warmup_fraction": 0.0,
    "beta2": 0.999,
    "weight_decay": 1e-8,
    "clip_norm": 1e6,  # that is, none
}
RUN = {"validation_records": 1024}
PRESETS = {
    "released": {},
    "paper": {
        "method": {"text_trained": 6},  # the last 6 of 12 blocks
        "data": {"batch_size": 4096},
        "optimizer": {"steps": 9_200, "learning_rate": 2e-4, "weight_decay": 1e-5},  # 50 epochs
        "run": {"validation_records": 4096},
    },
    "lead_dropout": {"method": {"lead_dropout": 0.3}},  # `released` but for this
}


def get_config(name: str = "resnet18") -> ConfigDict:
    size, _, preset = name.partition(",")
    preset = preset or "released"
    for kind, given, known in (("size", size, SIZES), ("preset", preset, PRESETS)):
        if given not in known:
            raise ValueError(f'configs/merl.py has no {kind} "{given}"; it has {", ".join(known)}')
    config = ConfigDict(
        {
            "seed": 0,
            "method_name": "merl",
            # Each default is the released code's: the whole text tower is frozen, and each loss term is a mean of two
            # directions with twice the weight that their sum has in MERL.
            "method": defaults(MerlConfig) | {"ecg": SIZES[size], "text_tower": MEDCPT},
            "data": defaults(DataConfig) | DATA,
            "optimizer": defaults(OptimizerConfig) | OPTIMIZER,
            "run": defaults(RunConfig) | RUN,
        }
    )
    del config.data.min_patients  # of a WordPiece, which no run of MERL makes
    config.update(PRESETS[preset])
    if config.method.text_trained == 0:  # each text is encoded once, by experiments.encode_texts
        config.data.text_columns.text_vectors = config.method.get_oneway_ref("text_tower")
    return config
