"""CG-DMER with a pretrained text encoder: its weights at step 0, what is frozen, and folders that need it no more."""

import shutil

import jax
import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.models.text.tower import join_blocks
from cgdmer_jax.recipes.export import export_model
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from configs import cgdmer
from tests.data.small_stores import write_store
from tests.interop.tower_folder import write_tower

WORDS = "sinus rhythm left axis normal ecg old infarction".split()
REPORTS = [" ".join(WORDS[(n * k) % 8] for k in range(1, 2 + n % 5)) if n % 9 else None for n in range(60)]


def config_of(store, tower, trained):
    """The preset, made narrow; the small encoder has two blocks."""
    config = cgdmer.get_config("minilm")
    for part in ("ecg", "second", "decoder"):
        config.method[part].update(width=16, depth=1, heads=2)
    config.method.update(text_tower=str(tower), text_trained=trained, embed_dim=12, unroll=1)
    config.data.update(stores=(str(store),), batch_size=4, max_tokens=8)
    config.optimizer.update(steps=2, warmup_fraction=0.0)
    config.run.update(validate_every=2, checkpoint_every=2, validation_records=4, diagnose_every=0, keep_last=9)
    return config


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store") / "s", REPORTS)


@pytest.fixture(scope="module")
def made(store, tmp_path_factory):
    """A run of two steps whose text encoder's folder is gone, and that encoder."""
    root = tmp_path_factory.mktemp("made")
    tower = write_tower(root / "bert", [" ".join(WORDS)] * 3)
    loaded = load_text_encoder(tower)
    assert pretrain(config_of(store, tower, 1), root / "run") == 0
    shutil.rmtree(tower)
    return root / "run", loaded


def tower_at(run, step):
    return join_blocks(jax.device_get(load_run(run, step).variables.params["text_tower"]))


def test_step_0_has_the_given_weights_and_later_steps_all_but_the_last_block_of_them(made):
    run, loaded = made
    jax.tree.map(np.testing.assert_array_equal, tower_at(run, 0), loaded.params)
    after = tower_at(run, 2)
    for name in ("token", "position", "token_type", "norm", "pool"):
        jax.tree.map(np.testing.assert_array_equal, after[name], loaded.params[name])
    for (path, old), new in zip(
        jax.tree_util.tree_leaves_with_path(loaded.params["blocks"]), jax.tree.leaves(after["blocks"]), strict=True
    ):
        np.testing.assert_array_equal(new[0], old[0], err_msg=str(path))
        if "key" not in str(path) or "bias" not in str(path):  # a bias of all keys moves every score alike
            assert (new[1] != old[1]).any(), path


def test_the_run_and_its_export_need_the_encoders_folder_no_more(made, store, tmp_path):
    run, loaded = made
    config = config_of(store, "", 1)
    config.method.text_tower = load_run(run, None).config.method.text_tower
    config.optimizer.steps = 3
    assert pretrain(config, shutil.copytree(run, tmp_path / "run"), allowed=("optimizer.steps",)) == 0
    assert [r["step"] for r in read_metrics(tmp_path / "run" / "metrics.jsonl") if "validation_loss" in r] == [2, 3]
    trained = load_run(run, None)
    export_model(trained, tmp_path / "model")
    encoder = cgdmer_jax.load(tmp_path / "model")
    texts = [text for text in open_corpus([store]).texts[:5]]
    found = encoder.embed_text(texts)
    ids = [loaded.tokenizer.encode(text).ids for text in texts]
    tokens = np.zeros((5, 8), np.int32)
    for line, each in enumerate(ids):
        tokens[line, : len(each)] = each
    mask = np.arange(8) < np.array([len(each) for each in ids])[:, None]
    expected = jax.jit(trained.method.embed_text)(trained.variables, tokens, mask)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_no_masked_words_are_trained_and_the_tower_learns_at_its_own_rate(made):
    run, _ = made
    trained = load_run(run, None)
    assert trained.config.method.weight_text == 0
    assert not any("text" in record for record in read_metrics(run / "metrics.jsonl"))
    assert trained.method.declared.rate_factors[-1] == ("^text_tower/", 0.1)


def test_another_encoder_or_a_second_tokenizer_is_refused(made, store, tmp_path):
    run, _ = made
    with pytest.raises(CgdmerError, match=r"method\.text_tower: .*bert -> elsewhere"):
        pretrain(config_of(store, "elsewhere", 1), run)
    config = config_of(store, "elsewhere", 1)
    config.data.tokenizer = "somewhere"
    with pytest.raises(CgdmerError, match=r"data\.tokenizer is given beside config\.method\.text_tower"):
        pretrain(config, tmp_path / "new")
    with pytest.raises(CgdmerError, match="there is no folder elsewhere"):
        pretrain(config_of(store, "elsewhere", 1), tmp_path / "new")
    assert not (tmp_path / "new").exists()
