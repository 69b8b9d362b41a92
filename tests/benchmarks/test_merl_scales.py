"""The spread of an evaluated run's features, and the prompts it cuts."""

import json

import numpy as np
import pytest

from benchmarks.merl_scales import cut_prompts, spreads
from cgdmer_jax.data.text.tokenizer import save_tokenizer, train_wordpiece
from cgdmer_jax.errors import CgdmerError


def test_the_spread_is_the_median_over_features_of_trained_and_random_weights_apart(tmp_path):
    with pytest.raises(CgdmerError, match="has no features main"):
        spreads(tmp_path)
    folder = tmp_path / "evaluation/ptbxl/validation"
    folder.mkdir(parents=True)
    wave = np.array([-1.0, 1.0], np.float32)[:, None]  # standard deviation 1
    for name, scale in (("0f3a", 1.0), ("random0", 0.01)):
        features = wave * np.array([1, 2, 9], np.float32) * scale
        np.savez(folder / f"features-{name}-57-main+aligned-x.npz", main=features, aligned=features)
    found = {row["weights"]: row["median_standard_deviation"] for row in spreads(tmp_path)}
    assert found == {"trained": 2.0, "random0": 0.02}


def test_prompts_longer_than_the_run_reads_are_counted(tmp_path):
    tokenizer = train_wordpiece(["sinus rhythm"] * 3, 100)
    (tmp_path / "tokenizer").mkdir()
    save_tokenizer(tokenizer, tmp_path / "tokenizer")
    longest = len(tokenizer.encode("sinus rhythm").ids)
    (tmp_path / "config.json").write_text(json.dumps({"data": {"max_tokens": longest}}))
    found = cut_prompts(tmp_path, ["sinus", "sinus rhythm", "sinus rhythm sinus"])
    assert (found["prompts"], found["cut"]) == (3, 1)
