"""CG-DMER, `--config=configs/cgdmer.py:SIZE` with SIZE quickstart, nano, tiny, small, base or minilm.

Plain values; any field is overridden as `--config.a.b=value`. What the method's fields mean stands beside them in
cgdmer_jax/methods/cgdmer/config.py, the optimiser's in cgdmer_jax/training/optimizer.py.
"""

from ml_collections import ConfigDict


def size(width: int, depth: int, heads: int) -> dict:
    return {"width": width, "depth": depth, "heads": heads}


# The commit stands there so that the hub gives the same files every time.
MINILM = "hf://sentence-transformers/all-MiniLM-L6-v2@c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
METHOD = {
    "text_tower": "",  # a pretrained text encoder: a folder or hf://owner/name@revision (docs/text_encoders.md)
    "text_architecture": {},
    "text_trained": -1,
    "text_rate": 0.1,
    "patch_seconds": 0.2,
    "stem": "linear",
    "scaling": "record_std",
    "scale_feature": False,
    "hide_ratio": 0.75,
    "masking": "spatiotemporal",
    "decode_ratio": 1.0,
    "column_queries": True,
    "target": "signal",
    "lead_dropout": 0.3,
    "language_ratio": 0.15,
    "statement_dropout": 0.0,
    "shared_second": True,
    "pooling": "mean",
    "embedding": 256,
    "alignment": "info_nce",
    "temperature": 0.07,
    "siglip_scale": 10.0,
    "same_text": "ignored",
    "near_duplicate": 1.0,
    "disentangling": "hsic_linear",
    "weight_ecg": 1.0,
    "weight_cross": 0.0,
    "weight_text": 0.5,
    "weight_align": 1.0,
    "weight_disentangle": 0.1,
    "disentangle_warmup": 0.1,
    "dtype": "float32",
    "remat": "none",
    "unroll": 1,
    "attention": "auto",
    "chunks": 1,
}
# What each size changes. nano and quickstart are for CPUs: wide tokens, few of them decoded. No loop over blocks: on an
# H200 base trains 1.6 times as fast so as with one block a turn, and compiles longer (docs/performance.md).
SIZES = {
    "quickstart": {
        "ecg": size(64, 2, 4),
        "text": size(128, 1, 4),
        "second": size(64, 1, 4),
        "decoder": size(64, 1, 4),
        "patch_seconds": 0.4,
        "stem": "conv",
        "decode_ratio": 0.5,
        "embedding": 128,
        "unroll": 2,
    },
    "nano": {
        "ecg": size(128, 4, 4),
        "text": size(128, 2, 4),
        "second": size(128, 1, 4),
        "decoder": size(128, 1, 4),
        "patch_seconds": 0.4,
        "decode_ratio": 0.75,
        "statement_dropout": 0.3,  # a zero-shot prompt is a report of one statement
        "embedding": 128,
        "unroll": 4,
    },
    "tiny": {
        "ecg": size(192, 12, 3),
        "text": size(192, 4, 3),
        "second": size(256, 2, 4),
        "decoder": size(128, 2, 4),
        "unroll": 12,
    },
    "small": {
        "ecg": size(384, 12, 6),
        "text": size(384, 6, 6),
        "second": size(256, 2, 4),
        "decoder": size(256, 4, 4),
        "dtype": "bfloat16",
        "unroll": 12,
    },
    "base": {
        "ecg": size(768, 12, 12),
        "text": size(768, 6, 12),
        "second": size(256, 2, 4),
        "decoder": size(256, 4, 4),
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
DATA = {
    "stores": ("stores/ptbxl100",),
    "leave_out": (),  # quality columns of records.parquet: what they mark is not trained on
    "batch_size": 64,  # nano: many steps are worth more than large ones at equal time
    "tokenizer": "",  # a folder with tokenizer.json; empty = the tower's, or a WordPiece of the training reports
    "vocabulary": 4096,  # of that WordPiece, at most
    "min_patients": 5,  # words that fewer patients' reports hold enter it letter by letter: they may be names
    "text_columns": {"text_vectors": ""},  # the frozen text encoder whose vectors are read (experiments.encode_texts)
    "max_tokens": 0,  # longer reports are cut, and counted; by size, below
}
OPTIMIZER = {
    "steps": 3300,  # nano: what 40 minutes on 2 cores allow
    "learning_rate": 1.5e-3,
    "warmup_fraction": 0.05,
    "final_fraction": 0.0,
    "beta1": 0.9,
    "beta2": 0.95,
    "weight_decay": 0.05,
    "clip_norm": 1.0,
    "rate_factors": (("log_inverse_temperature|alignment_bias", 10.0),),
}
RUN = {
    "log_every": 10,
    "validate_every": 300,
    "validation_records": 512,
    "checkpoint_every": 300,
    "keep_last": 2,
    "diagnose_every": 300,
    "trace": False,
    "mesh": (0, 1),  # devices along (data, fsdp): batch over both, large parameters over fsdp; 0 = all that are left
    "mirrors": (),  # "tensorboard", "wandb": copies of metrics.jsonl for them
}
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
            "method": METHOD | SIZES[name],
            "data": DATA | {"max_tokens": MAX_TOKENS[name]},
            "optimizer": dict(OPTIMIZER),
            "run": dict(RUN),
        }
    )
    # As much as reconstruction hides, also when that is overridden, unless a value of its own is given.
    config.method.align_hide_ratio = config.method.get_oneway_ref("hide_ratio")
    if name in LARGE_BATCH:
        config.data.batch_size = LARGE_BATCH[name]
        config.run.validation_records = max(config.run.validation_records, LARGE_BATCH[name])
        config.optimizer.learning_rate = LARGE_RATE[name]
        config.optimizer.steps = 10_000
    return config
