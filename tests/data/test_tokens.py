"""The token cache: equal to encoding anew, or refused; in the store's folder, or nowhere."""

import shutil

import numpy as np
import pytest

from cgdmer_jax.data import token_table as tokens_module
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.text.tokenizer import encode, train_wordpiece
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from tests.data.small_stores import rewrite_info, write_store

REPORTS = ["sinus rhythm. normal ecg.", None, "atrial fibrillation.", "sinus rhythm. left axis deviation."]


@pytest.fixture
def store(tmp_path):
    return write_store(tmp_path / "a", REPORTS)


@pytest.fixture
def corpus(store):
    return open_corpus([store])


@pytest.fixture
def cache(tmp_path):
    return tmp_path / "a" / "cache"


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece([text for text in REPORTS if text] * 3, 100)


def assert_equal(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert one[2] == other[2]


def test_table_has_one_line_a_text_id_and_is_equal_from_the_cache(corpus, tokenizer, monkeypatch, capsys):
    expected = encode(tokenizer, corpus.texts, 7)
    assert expected[2] > 0
    assert_equal(token_table(corpus, tokenizer, 7), expected)
    monkeypatch.delattr(tokens_module, "encode")  # from here on the cache alone can answer
    assert_equal(token_table(corpus, tokenizer, 7), expected)
    assert capsys.readouterr().out == ""


def test_a_copied_store_brings_its_cache_and_is_whole(store, tokenizer, tmp_path, monkeypatch):
    expected = token_table(open_corpus([store]), tokenizer, 7)
    copied = open_corpus([str(shutil.copytree(store, tmp_path / "copy"))])
    copied.stores[0].verify()
    monkeypatch.delattr(tokens_module, "encode")
    assert_equal(token_table(copied, tokenizer, 7), expected)


def test_texts_of_several_stores_are_cached_in_none(store, tokenizer, tmp_path):
    corpus = open_corpus([store, write_store(tmp_path / "b", ["pacemaker."], name="ptbxl")])
    before = sorted(tmp_path.rglob("*"))
    assert_equal(token_table(corpus, tokenizer, 7), encode(tokenizer, corpus.texts, 7))
    assert sorted(tmp_path.rglob("*")) == before


def test_a_store_that_cannot_be_written_to_costs_one_line_and_no_result(corpus, cache, tokenizer, capsys):
    cache.write_text("no folder")
    assert_equal(token_table(corpus, tokenizer, 7), encode(tokenizer, corpus.texts, 7))
    printed = capsys.readouterr().out
    assert printed.startswith(f"{cache}/tokens-") and "cannot be written (File exists)" in printed
    assert printed.count("\n") == 1


def test_a_disk_that_fills_up_leaves_no_part_of_a_cache(corpus, cache, tokenizer, monkeypatch, capsys):
    def full(entry, array, **words):
        entry.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np.lib.format, "write_array", full)
    assert_equal(token_table(corpus, tokenizer, 7), encode(tokenizer, corpus.texts, 7))
    assert list(cache.iterdir()) == [] and "No space left on device" in capsys.readouterr().out


def test_cache_of_another_store_is_refused_by_name(corpus, cache, tokenizer, tmp_path):
    token_table(corpus, tokenizer, 7)
    changed = write_store(tmp_path / "b", ["pacemaker.", *REPORTS])
    shutil.copytree(cache, tmp_path / "b" / "cache")
    with pytest.raises(CgdmerError, match=r"b/cache/tokens-.*\.npz is stale \(other store\); delete it"):
        token_table(open_corpus([changed]), tokenizer, 7)


def test_cache_of_another_cleaning_version_is_refused(store, tokenizer):
    token_table(open_corpus([store]), tokenizer, 7)
    with pytest.raises(CgdmerError, match="other store, cleaning_version"):
        token_table(open_corpus([rewrite_info(store, cleaning_version=99)]), tokenizer, 7)


def test_cache_put_in_the_place_of_another_tokenizers_is_refused(corpus, cache, tokenizer):
    token_table(corpus, tokenizer, 7)
    (old,) = cache.iterdir()
    other = train_wordpiece(["sinus rhythm", "normal ecg. atrial fibrillation left axis deviation"] * 3, 60)
    token_table(corpus, other, 7)
    (new,) = set(cache.iterdir()) - {old}
    old.replace(new)
    with pytest.raises(CgdmerError, match="other tokenizer"):
        token_table(corpus, other, 7)


def test_each_length_has_its_own_cache(corpus, tokenizer):
    token_table(corpus, tokenizer, 7)
    assert_equal(token_table(corpus, tokenizer, 12), encode(tokenizer, corpus.texts, 12))


def test_a_cache_of_an_earlier_version_which_has_no_hash_is_still_read(corpus, cache, tokenizer, monkeypatch):
    expected = token_table(corpus, tokenizer, 7)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes().partition(b"\nsha256=")[0])
    monkeypatch.delattr(tokens_module, "encode")
    assert_equal(token_table(corpus, tokenizer, 7), expected)


@pytest.mark.parametrize("damage", [lambda content: content[:-30], lambda content: b"not a zip file"])
def test_damaged_cache_is_refused_by_name(corpus, cache, tokenizer, damage):
    token_table(corpus, tokenizer, 7)
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CgdmerError, match=r"\.npz (is damaged|is cut).* delete it"):
        token_table(corpus, tokenizer, 7)
