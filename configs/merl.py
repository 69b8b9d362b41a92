"""MERL, `--config=configs/merl.py:SIZE` or `:SIZE,PRESET`, SIZE of SIZES and PRESET of PRESETS below (docs/merl.md).

Plain values; any field is overridden as `--config.a.b=value`. What the method's fields mean stands beside them in
cgdmer_jax/methods/merl/config.py. The sizes and presets are those of the paper and of the released code.
"""

from ml_collections import ConfigDict


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
METHOD = {
    "text_tower": MEDCPT,  # a folder or hf://owner/name@revision
    "text_architecture": {},
    "text_trained": 0,  # the released code froze the whole tower
    "text_rate": 1.0,
    "text_pooling": "pooler",
    "scaling": "record_minmax",
    "lead_dropout": 0.0,
    "embedding": 256,
    "temperature": 0.07,
    "same_text": "negatives",
    "view_dropout": 0.1,
    "weight_align": 2.0,  # each term is the mean of two directions here, their sum in MERL
    "weight_views": 2.0,
    "dtype": "float32",
    "remat": "none",
    "unroll": 1,
}
DATA = {
    "stores": ("stores/ptbxl100",),
    "leave_out": (),
    "batch_size": 1024,  # 8 GPUs of 128
    "tokenizer": "",  # the text tower brings its own
    "vocabulary": 0,
    "max_tokens": 256,
    "text_columns": {"text_vectors": ""},  # the text tower, when it is frozen: below
}
OPTIMIZER = {
    "steps": 14_760,  # 20 epochs of 98 % of MIMIC-IV-ECG's 771,693 records
    "learning_rate": 1e-3,
    "warmup_fraction": 0.0,
    "final_fraction": 0.0,
    "beta1": 0.9,
    "beta2": 0.999,
    "weight_decay": 1e-8,
    "clip_norm": 1e6,  # that is, none
    "rate_factors": (),
}
RUN = {
    "log_every": 10,
    "validate_every": 300,
    "validation_records": 1024,
    "checkpoint_every": 300,
    "keep_last": 2,
    "diagnose_every": 0,
    "trace": False,
    "mesh": (0, 1),
    "mirrors": (),
}
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
            "method": METHOD | {"ecg": SIZES[size]},
            "data": dict(DATA),
            "optimizer": dict(OPTIMIZER),
            "run": dict(RUN),
        }
    )
    config.update(PRESETS[preset])
    if config.method.text_trained == 0:  # each text is encoded once, by experiments.encode_texts
        config.data.text_columns.text_vectors = config.method.get_oneway_ref("text_tower")
    return config
