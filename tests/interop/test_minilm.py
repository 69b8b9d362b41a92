"""The real all-MiniLM-L6-v2 against transformers, on real reports; CGDMER_MINILM names its folder."""

import os
import tarfile
from pathlib import Path

import pytest

from benchmarks.minilm_parity import N_REPORTS, choose_reports, measure
from cgdmer_jax.interop.huggingface import load_text_encoder

pytestmark = pytest.mark.real_weights


@pytest.fixture(scope="module")
def folder() -> Path:
    if "CGDMER_MINILM" not in os.environ:
        pytest.skip("CGDMER_MINILM does not name the folder of all-MiniLM-L6-v2 (docs/text_encoders.md)")
    return Path(os.environ["CGDMER_MINILM"])


def test_the_whole_checkpoint_is_accounted_for(folder):
    facts = load_text_encoder(folder).facts
    assert (facts.family, facts.width, facts.max_tokens, facts.pad_id, facts.mask_id) == ("bert", 384, 512, 0, 103)
    assert facts.left_out == ("embeddings.position_ids",)


def test_200_real_reports_equal_transformers(folder, shared_data, tmp_path):
    pytest.importorskip("torch", reason="transformers' model needs torch (the extra `torch`)")
    with tarfile.open(shared_data / "ptb-xl-metadata.tar.xz") as archive:
        archive.extract("ptb-xl-metadata/ptbxl_database.csv", tmp_path, filter="data")
    rows = {
        row["quantity"]: row for row in measure(folder, choose_reports(tmp_path / "ptb-xl-metadata/ptbxl_database.csv"))
    }
    assert rows.pop("texts with other token ids")["value"] == 0
    assert set(rows) == {"last hidden state", "pooler", "mean-pooled unit embedding"}
    for row in rows.values():
        assert row["n"] == N_REPORTS and row["value"] < 1e-4
