"""The token cache: equal to encoding anew, or refused."""

import numpy as np
import pytest

from cgdmer_jax.data import tokens as tokens_module
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.reports import encode, train_wordpiece
from cgdmer_jax.data.tokens import token_table
from cgdmer_jax.errors import CgdmerError
from tests.data.small_stores import write_store

REPORTS = ["sinus rhythm. normal ecg.", None, "atrial fibrillation.", "sinus rhythm. left axis deviation."]


@pytest.fixture
def corpus(tmp_path):
    return open_corpus([write_store(tmp_path / "a", REPORTS)])


@pytest.fixture(scope="module")
def tokenizer():
    return train_wordpiece([text for text in REPORTS if text] * 3, 100)


def assert_equal(one, other):
    np.testing.assert_array_equal(one[0], other[0])
    np.testing.assert_array_equal(one[1], other[1])
    assert one[2] == other[2]


def test_table_has_one_line_a_text_id_and_is_equal_from_the_cache(corpus, tokenizer, tmp_path, monkeypatch):
    expected = encode(tokenizer, corpus.texts, 7)
    assert expected[2] > 0
    assert_equal(token_table(corpus, tokenizer, 7, None), expected)
    assert_equal(token_table(corpus, tokenizer, 7, tmp_path / "cache"), expected)
    monkeypatch.delattr(tokens_module, "encode")  # from here on the cache alone can answer
    assert_equal(token_table(corpus, tokenizer, 7, tmp_path / "cache"), expected)


def test_no_cache_folder_writes_nothing(corpus, tokenizer, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    token_table(corpus, tokenizer, 7, None)
    assert sorted(tmp_path.rglob("*")) == before


def test_cache_of_other_texts_is_refused_by_name(corpus, tokenizer, tmp_path):
    token_table(corpus, tokenizer, 7, tmp_path / "cache")
    changed = open_corpus([write_store(tmp_path / "b", ["pacemaker.", *REPORTS])])
    with pytest.raises(CgdmerError, match=r"tokens-synthetic-.*\.npz is stale \(other texts\); delete it"):
        token_table(changed, tokenizer, 7, tmp_path / "cache")


def test_cache_of_another_cleaning_version_is_refused(corpus, tokenizer, tmp_path, monkeypatch):
    token_table(corpus, tokenizer, 7, tmp_path / "cache")
    monkeypatch.setattr(tokens_module, "CLEANING_VERSION", 99)
    with pytest.raises(CgdmerError, match="other cleaning_version"):
        token_table(corpus, tokenizer, 7, tmp_path / "cache")


def test_cache_put_in_the_place_of_another_tokenizers_is_refused(corpus, tokenizer, tmp_path):
    token_table(corpus, tokenizer, 7, tmp_path / "cache")
    (old,) = (tmp_path / "cache").iterdir()
    other = train_wordpiece(["sinus rhythm", "normal ecg. atrial fibrillation left axis deviation"] * 3, 60)
    token_table(corpus, other, 7, tmp_path / "cache")
    (new,) = set((tmp_path / "cache").iterdir()) - {old}
    old.replace(new)
    with pytest.raises(CgdmerError, match="other tokenizer"):
        token_table(corpus, other, 7, tmp_path / "cache")


def test_each_length_has_its_own_cache(corpus, tokenizer, tmp_path):
    token_table(corpus, tokenizer, 7, tmp_path / "cache")
    assert_equal(token_table(corpus, tokenizer, 12, tmp_path / "cache"), encode(tokenizer, corpus.texts, 12))


@pytest.mark.parametrize("damage", [lambda content: content[:-30], lambda content: b"not a zip file"])
def test_damaged_cache_is_refused_by_name(corpus, tokenizer, tmp_path, damage):
    token_table(corpus, tokenizer, 7, tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(CgdmerError, match=r"\.npz cannot be read .* delete it"):
        token_table(corpus, tokenizer, 7, tmp_path / "cache")
