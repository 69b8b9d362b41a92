"""Benchmark of embedding: what it compares are the same features."""

import pytest

from benchmarks.embedding import throughput
from benchmarks.train_step import method_of
from cgdmer_jax.config import load_config


def test_ours_and_torchs_features_agree_before_they_are_timed():
    pytest.importorskip("torch", reason="the comparison needs the extra torch")
    small = ["--config.method.ecg.depth=1", "--config.method.unroll=1"]
    config = load_config("configs/cgdmer.py:nano", small)
    rows = throughput(method_of(config), n_records=8, repeats=1, max_tokens=config.data.max_tokens)
    assert {row["way"] for row in rows[:-1]} >= {"ours", "torch, batches of 4"}
    assert rows[-1]["ratio"].startswith("ours over torch")
