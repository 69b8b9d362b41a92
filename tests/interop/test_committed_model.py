"""The model folder in the checkout: it loads, reads recordings, and its card has the figures of README."""

import json
from pathlib import Path

import numpy as np

import cgdmer_jax
from tests.bad_recordings import clean

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "models/ptbxl-nano"
LEADS = "I II III aVR aVL aVF V1 V2 V3 V4 V5 V6".split()


def test_it_embeds_and_scores_recordings():
    encoder = cgdmer_jax.load(FOLDER)
    about = {"rate": 100, "leads": LEADS, "unit": "mV"}
    signals = np.stack([clean(1), clean(2)])
    vectors = encoder.embed(signals, **about)
    assert vectors.shape == (2, encoder.features["main"]) and np.isfinite(vectors).all()
    assert not np.allclose(vectors[0], vectors[1])
    assert encoder.zero_shot(signals, {"AFIB": "atrial fibrillation", "NORM": "normal ECG"}, **about).shape == (2, 2)
    assert not encoder.was_trained_on(signals, **about).any()


def test_its_card_has_the_figures_of_the_table():
    card, rows = (
        (FOLDER / "README.md").read_text(),
        json.loads((ROOT / "results/ptbxl-nano-test.json").read_text())["rows"],
    )
    wanted = {"method": "cgdmer", "feature": "main", "evaluation": "probe", "class": "macro_ge10", "metric": "auroc"}
    wanted |= {"variant": None, "group": "all", "leads": "all", "label_fraction": 1.0}
    found = [row for row in rows if wanted.items() <= row.items()]
    assert [row["task"] for row in found] == ["super", "sub", "form", "rhythm"]
    for row in found:
        assert f"| {row['task']} | {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}] |" in card
