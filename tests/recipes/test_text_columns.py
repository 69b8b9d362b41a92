"""Vectors of a frozen text encoder: made once a text, found by id, refused with the command that makes them."""

import dataclasses
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_architecture import architecture_of
from cgdmer_jax.models.text.tower import pool
from cgdmer_jax.recipes.text_columns import with_columns
from cgdmer_jax.recipes.text_vectors import encode_texts
from tests.data.small_stores import write_store
from tests.interop.tower_folder import write_tower
from tests.toy_runs import toy_config
from tests.training.toy import Toy

WORDS = "sinus rhythm left axis normal ecg old infarction".split()
REPORTS = [" ".join(WORDS[n % 5 : n % 5 + 1 + n % 4]) if n % 6 else None for n in range(30)]


class Reader(Toy):
    """A method whose loss reads vectors."""

    declared = dataclasses.replace(Toy.declared, text_columns=("text_vectors",))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_tower(tmp_path_factory.mktemp("tower") / "bert", [" ".join(WORDS)] * 3)


@pytest.fixture(scope="module")
def tower(folder):
    return load_text_encoder(folder)


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """Two stores with vectors for both together."""
    root = tmp_path_factory.mktemp("stores")
    stores = (
        write_store(root / "a", REPORTS),
        write_store(root / "b", [*REPORTS[::-1], "normal normal"], name="ptbxl"),
    )
    encode_texts(stores, str(folder), "mean", 8)
    return stores


def test_a_store_that_takes_no_vectors_is_told_before_the_work(folder, tmp_path, monkeypatch):
    store = write_store(tmp_path / "a", REPORTS)
    (tmp_path / "a/cache").write_text("a file in the place of the folder")
    monkeypatch.setattr("cgdmer_jax.recipes.text_vectors.vectors_of", lambda *_: pytest.fail("they were encoded first"))
    with pytest.raises(CgdmerError, match=r"nothing can be written to .*cache"):
        encode_texts([store], str(folder), "mean", 8)


def config_of(tower, folder, *stores, **method):
    config = toy_config(*stores)
    config.data.max_tokens = 8
    config.data.text_columns.text_vectors = str(folder)
    with config.unlocked():
        config.method.update(
            text_tower=str(folder), text_architecture=architecture_of(tower), text_trained=0, text_pooling="mean"
        )
        config.method.update(method)
    return config


def table_of(config, tower, method=None):
    corpus = open_corpus(tuple(config.data.stores))
    table = token_table(corpus, tower.tokenizer, config.data.max_tokens)
    return corpus, with_columns(table, config, method or Reader(), corpus, tower.tokenizer)


def one_by_one(tower, text, pooling="mean"):
    ids = tower.tokenizer.encode(text).ids
    length = jnp.array([len(ids)])
    states = tower.module.apply({"params": jax.device_put(tower.params)}, jnp.array([ids], jnp.int32), length)
    return np.asarray(pool(states, length, pooling))[0]


def test_every_text_has_the_vector_that_it_has_alone_in_one_store_or_several(made, tower, folder):
    for stores in ([made[0]], [made[1]], made):
        corpus, table = table_of(config_of(tower, folder, *stores), tower)
        vectors = table.columns["text_vectors"]
        assert vectors.shape == (len(corpus.texts), 8) and vectors.dtype == np.float32
        for text, vector in zip(corpus.texts, vectors, strict=True):
            np.testing.assert_allclose(vector, one_by_one(tower, text), rtol=1e-4, atol=1e-5)


def test_a_batch_has_each_records_vector_and_zeros_where_there_is_no_report(made, tower, folder):
    corpus, table = table_of(config_of(tower, folder, made[0]), tower)
    lines = np.arange(corpus.n_records)
    loader = Loader(corpus, lines, table.tokens, table.mask, table.columns, batch_size=30, seed=0)
    batch = loader.batch(0).check()
    vectors, without = batch.text_columns["text_vectors"], batch.text_id == -1
    assert without.sum() == 5 and not vectors[without].any()
    np.testing.assert_array_equal(vectors[~without], table.columns["text_vectors"][batch.text_id[~without]])
    assert jax.tree.all(jax.tree.map(np.array_equal, batch, loader.batch(0)))


def test_another_pooling_length_or_tower_has_no_vectors_and_the_command_is_told(made, tower, folder):
    config = config_of(tower, folder, *made, text_pooling="cls")
    with pytest.raises(CgdmerError, match="has no vectors of this text encoder") as caught:
        table_of(config, tower)
    assert str(caught.value).endswith(
        f"make it with python -m experiments.encode_texts --store={made[0]},{made[1]} --text={folder} "
        "--pooling=cls --max_tokens=8"
    )
    config = config_of(tower, folder, made[0])
    config.data.max_tokens = 7
    with pytest.raises(CgdmerError, match="has no vectors of this text encoder"):
        table_of(config, tower)
    config = config_of(tower, folder, made[0])
    config.method.text_architecture.weights_sha256 = "00" * 32
    with pytest.raises(CgdmerError, match="has no vectors of this text encoder"):
        table_of(config, tower)


def test_vectors_of_a_store_that_was_converted_again_are_refused_as_stale(made, tower, folder, tmp_path):
    changed = write_store(tmp_path / "a", [*REPORTS, "another"])
    shutil.copytree(f"{made[0]}/cache", tmp_path / "a" / "cache", dirs_exist_ok=True)
    for tokens in (tmp_path / "a" / "cache").glob("tokens-*"):
        tokens.unlink()
    with pytest.raises(CgdmerError, match=r"text vectors .* is stale \(other store\); make it with python -m exp"):
        table_of(config_of(tower, folder, changed), tower)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [({"text_trained": 2}, "does not learn; set it to 0"), ({"text_tower": "another"}, "give both the same text enc")],
)
def test_vectors_that_would_not_be_those_of_the_prompts_are_refused(made, tower, folder, fields, sentence):
    with pytest.raises(CgdmerError, match=sentence):
        table_of(config_of(tower, folder, made[0], **fields), tower)


def test_a_method_that_reads_no_vectors_gets_none_and_a_column_for_nobody_is_refused(made, tower, folder):
    config = config_of(tower, folder, made[0])
    with pytest.raises(CgdmerError, match="toy as configured reads no such column; leave it empty"):
        table_of(config, tower, Toy())
    config.data.text_columns.text_vectors = ""
    assert table_of(config, tower, Toy())[1].columns == {}
    with pytest.raises(CgdmerError, match='text_vectors is ""'):
        table_of(config, tower)
