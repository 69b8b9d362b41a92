"""The model folder through the package's public functions; run as it is by tests/golden/make.py in the old checkout."""

import sys

import numpy as np

import cgdmer_jax

LEADS = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()
PROMPTS = {"SR": "sinus rhythm", "AFIB": "atrial fibrillation"}


def signal_uv(rate: int) -> np.ndarray:
    """Int64 [lead, time], 1.2 s of a slow wave and a spike in each lead; integers alone, so equal on every machine."""
    time = np.arange(rate * 6 // 5) * 1000 // rate  # ms
    lead = np.arange(1, 13)[:, None]
    wave = abs((time * lead) % 900 - 450) - 225
    spike = 600 * ((time + 40 * lead) % 700 < 60)
    return wave + spike


def use(folder: str) -> dict[str, np.ndarray]:
    """Every output of the encoder, by name."""
    encoder = cgdmer_jax.load(folder)
    signals = np.stack([signal_uv(500), -signal_uv(500)]) / 1000
    about = {"rate": 500, "leads": LEADS, "unit": "mV"}
    made = {f"ecg {name}": encoder.embed(signals, **about, feature=name) for name in sorted(encoder.features)}
    made["one signal"] = encoder.embed(signals[0], **about)
    made["text"] = encoder.embed_text(["sinus rhythm. left axis deviation.", *PROMPTS.values()])
    made["zero_shot"] = encoder.zero_shot(signals, PROMPTS, **about)
    return made


if __name__ == "__main__":
    np.savez(sys.argv[2], **use(sys.argv[1]))
