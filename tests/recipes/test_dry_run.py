"""pretrain --dry_run: what a mesh would take, without weights and without a run folder."""

import json
import re

import pytest

from cgdmer_jax.commands.pretrain import main
from cgdmer_jax.errors import CgdmerError
from tests.interop.tower_folder import write_tower
from tests.small_runs import ROOT, SMALL, make_store, start_command


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return make_store(tmp_path_factory.mktemp("dry") / "store")


def words(store, *more):
    return ["--config=configs/cgdmer.py:quickstart", f"--config.data.stores={store}", *SMALL, *more]


def test_it_prints_placement_bytes_flops_and_rate_of_the_stated_mesh(store, tmp_path):
    folder, out = tmp_path / "run", tmp_path / "figures.json"
    process = start_command("pretrain", words(store, "--dry_run=2x2", f"--workdir={folder}", f"--dry_run_out={out}"))
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert "compiled for 2 x 2 (data x fsdp) fake CPU devices" in said
    assert "variables/params/ecg_encoder/" in said
    (row,) = json.loads(out.read_text())["rows"]
    assert row["records_per_second"] == pytest.approx(4 * 989e12 * 0.4 / row["flop_a_record"], rel=1e-6, abs=1)
    assert float(re.search(r"([\d.,]+) GFLOP a record", said)[1]) == pytest.approx(
        row["flop_a_record"] / 1e9, abs=0.006
    )
    assert (
        row["argument_bytes_per_device"] >= row["state_bytes_per_device"] >= 3 * row["n_parameters"]
    )  # 12 / 4 devices
    assert not folder.exists()


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--dry_run=64"], r"--dry_run=64 is no topology; give .DATAxFSDP."),
        (["--dry_run=2x0"], "is no topology"),
        (["--dry_run=2x2", "--accelerator=h10"], r'--accelerator is "h10"\. Did you mean "h100"'),
        ([], "--workdir is missing"),
    ],
)
def test_what_it_cannot_do_is_told_in_a_sentence(store, monkeypatch, more, sentence):
    monkeypatch.chdir(ROOT)
    with pytest.raises(CgdmerError, match=sentence) as caught:
        main(words(store, *more))
    assert "\n" not in str(caught.value)


def test_a_method_that_reads_vectors_of_a_frozen_text_encoder_is_compiled_without_any_vector(store, tmp_path):
    """The encoder's folder gives their width; encode_texts has not run."""
    tower = write_tower(tmp_path / "bert", ["sinus rhythm normal ecg"] * 3)
    changed = {
        "method.ecg.width": 4, "method.ecg.blocks": "(1,1,1,1)", "method.embed_dim": 8, "method.text_tower": tower,
        "data.text_columns.text_vectors": tower, "data.stores": store, "data.batch_size": 4, "data.max_tokens": 10,
    }  # fmt: skip
    fields = [f"--config.{name}={value}" for name, value in changed.items()]
    process = start_command("pretrain", ["--config=configs/merl.py:resnet18", *fields, "--dry_run=2x1"])
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert "compiled for 2 x 1" in said and "GFLOP a record" in said
    assert not list(store.glob("cache/text_vectors*"))
