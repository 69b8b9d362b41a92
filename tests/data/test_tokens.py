"""The token cache: equal to encoding anew, or made again; in the store's folder, or nowhere."""

import json
import re
import shutil

import numpy as np
import pytest

from cgdmer_jax.data import token_table as tokens_module
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.text.tokenizer import encode, train_wordpiece
from cgdmer_jax.data.text_cache import write_cache
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.npz_file import read_arrays
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


def assert_made_again(corpus, tokenizer, capsys, file, said):
    """The table is right, one line tells why the file was not taken, and from then on the file is."""
    for line in (rf"{file} .*{said}.*; it is made again\n", ""):
        capsys.readouterr()
        assert_equal(token_table(corpus, tokenizer, 7), encode(tokenizer, corpus.texts, 7))
        printed = capsys.readouterr().out
        assert re.fullmatch(line, printed), printed


def test_cache_of_another_store_is_made_again(corpus, cache, tokenizer, tmp_path, capsys):
    token_table(corpus, tokenizer, 7)
    changed = write_store(tmp_path / "b", ["pacemaker.", *REPORTS])
    (file,) = shutil.copytree(cache, tmp_path / "b" / "cache").iterdir()
    assert_made_again(open_corpus([changed]), tokenizer, capsys, "token cache " + str(file), "is stale .other store.")


def test_cache_of_another_cleaning_version_is_made_again(store, cache, tokenizer, capsys):
    token_table(open_corpus([store]), tokenizer, 7)
    (file,) = cache.iterdir()
    changed = open_corpus([rewrite_info(store, cleaning_version=99)])
    assert_made_again(changed, tokenizer, capsys, "token cache " + str(file), "other store, cleaning_version")


def test_cache_put_in_the_place_of_another_tokenizers_is_made_again(corpus, cache, tokenizer, capsys):
    token_table(corpus, tokenizer, 7)
    (old,) = cache.iterdir()
    other = train_wordpiece(["sinus rhythm", "normal ecg. atrial fibrillation left axis deviation"] * 3, 60)
    token_table(corpus, other, 7)
    (new,) = set(cache.iterdir()) - {old}
    old.replace(new)
    assert_made_again(corpus, other, capsys, "token cache " + str(new), "other tokenizer")


@pytest.mark.parametrize("length", [0, -1])
def test_texts_are_not_cut_at_nothing(tokenizer, length):
    with pytest.raises(CgdmerError, match=f"cannot be cut at {length} word pieces; give max_tokens of at least 1"):
        encode(tokenizer, ["sinus rhythm"], length)


def test_each_length_has_its_own_cache(corpus, tokenizer):
    token_table(corpus, tokenizer, 7)
    assert_equal(token_table(corpus, tokenizer, 12), encode(tokenizer, corpus.texts, 12))


def test_a_cache_of_an_earlier_version_which_has_no_hash_is_still_read(corpus, cache, tokenizer, monkeypatch):
    expected = token_table(corpus, tokenizer, 7)
    (file,) = cache.iterdir()
    file.write_bytes(file.read_bytes().partition(b"\nsha256=")[0])
    monkeypatch.delattr(tokens_module, "encode")
    assert_equal(token_table(corpus, tokenizer, 7), expected)


def flipped(content: bytes) -> bytes:
    return content[:100] + bytes([content[100] ^ 1]) + content[101:]


@pytest.mark.parametrize("damage", [lambda content: content[:-30], lambda content: b"not a zip file", flipped])
def test_damaged_cache_is_made_again(corpus, cache, tokenizer, damage, capsys):
    token_table(corpus, tokenizer, 7)
    (file,) = cache.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert_made_again(corpus, tokenizer, capsys, file, r"(is damaged|is cut|differs from what was written)")


@pytest.mark.parametrize(
    "changed",
    [
        lambda arrays: arrays | {"tokens": arrays["tokens"][:-1]},
        lambda arrays: arrays | {"tokens": arrays["tokens"] + 10**6},
        lambda arrays: arrays | {"mask": arrays["mask"].astype(np.int32)},
        lambda arrays: {"tokens": arrays["tokens"], "mask": arrays["mask"]},
        lambda arrays: arrays | {"n_cut": np.zeros(10**7, np.int64)},
    ],
)
def test_a_whole_cache_that_is_no_table_of_these_texts_is_made_again(corpus, cache, tokenizer, changed, capsys):
    token_table(corpus, tokenizer, 7)
    (file,) = cache.iterdir()
    arrays = read_arrays(file, remedy="none")
    key = json.loads(str(arrays.pop("key")))
    write_cache(file, key, changed(arrays))
    assert_made_again(corpus, tokenizer, capsys, file, "(holds no token ids of 3 texts|unpacks into more than)")


def test_a_table_larger_than_any_memory_is_refused_before_it_is_made(tokenizer):
    with pytest.raises(CgdmerError, match=r"^3,000 texts of 1,048,576 tokens each would take 16 GB; give a smaller"):
        encode(tokenizer, ["sinus rhythm"] * 3000, 1 << 20)
