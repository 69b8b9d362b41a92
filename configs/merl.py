"""MERL, `--config=configs/merl.py:SIZE` or `:SIZE,PRESET`, SIZE of SIZES and PRESET of PRESETS below (docs/merl.md).

Only what differs from the defaults is here; docs/config_fields.md lists every field with its default and meaning, and
`--config_help` with its value in this config. Any field is overridden as `--config.a.b=value`. The sizes and presets
are those of the paper and of the released code; nano is ours, for CPUs and with `lead_dropout` alone.
"""

from ml_collections import ConfigDict

from cgdmer_jax.config import defaults
from cgdmer_jax.methods.merl.config import MerlConfig
from cgdmer_jax.recipes.config_fields import DataConfig
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig


def resnet(blocks: tuple[int, ...], bottleneck: bool = False, width: int = 64) -> dict:
    return {"width": width, "blocks": blocks, "bottleneck": bottleneck}


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
    # Half as wide as resnet18. There is no tower to freeze: an encoder of its own learns to read reports.
    "nano": resnet((2, 2, 2, 2), width=32),
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
    "decayed": "everything",  # as torch's AdamW has it
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
# Of the sizes that are published, and of nano, whose data and optimiser are those of the other methods' nano.
PUBLISHED = {"method": {"text_tower": MEDCPT}, "data": DATA, "optimizer": OPTIMIZER, "run": RUN}
NANO = {
    "method": {"text": {"width": 128, "depth": 2, "heads": 4}, "embed_dim": 128, "unroll": 2},
    "data": {"stores": ("stores/ptbxl100",), "max_tokens": 36},
    "optimizer": {"steps": 3300, "learning_rate": 1.5e-3},
    "run": {},
}
NANO_PRESETS = {"": {}, "lead_dropout": PRESETS["lead_dropout"]}


def get_config(name: str = "resnet18") -> ConfigDict:
    size, _, preset = name.partition(",")
    if size not in SIZES:
        raise ValueError(f'configs/merl.py has no size "{size}"; it has {", ".join(SIZES)}')
    own, presets = (NANO, NANO_PRESETS) if size == "nano" else (PUBLISHED, PRESETS)
    preset = preset or next(iter(presets))
    if preset not in presets:
        known = ", ".join(filter(None, presets))
        raise ValueError(f'configs/merl.py has no preset "{preset}" of {size}; it has {known}')
    config = ConfigDict(
        {
            "seed": 0,
            "method_name": "merl",
            # Each default is the released code's: the whole text tower is frozen, and each loss term is a mean of two
            # directions with twice the weight that their sum has in MERL.
            "method": defaults(MerlConfig) | {"ecg": SIZES[size]} | own["method"],
            "data": defaults(DataConfig) | own["data"],
            "optimizer": defaults(OptimizerConfig) | own["optimizer"],
            "run": defaults(RunConfig) | own["run"],
        }
    )
    config.update(presets[preset])
    if config.method.text_tower:
        del config.data.min_patients  # of a WordPiece, which is not made here
        if config.method.text_trained == 0:  # each text is encoded once, by experiments.encode_texts
            config.data.text_columns.text_vectors = config.method.get_oneway_ref("text_tower")
    return config
