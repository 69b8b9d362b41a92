"""Negatives of reports: cosines by another way, the band, candidates of the training split, the table on disk."""

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfTransformer

from cgdmer_jax.data import text_neighbours
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.loader import Loader
from cgdmer_jax.data.referenced import Referenced
from cgdmer_jax.data.text_neighbours import choose, kept_beside, negatives_column, training_texts, word_vectors
from cgdmer_jax.errors import CgdmerError
from tests.data.small_stores import write_store

N, WIDTH = 200, 6
ALL = np.arange(N)


@pytest.fixture(scope="module")
def vectors():
    x = np.random.default_rng(0).normal(size=(N, WIDTH)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def cosines(vectors):
    wide = vectors.astype(np.float64)
    return np.array([[a @ b / np.linalg.norm(a) / np.linalg.norm(b) for b in wide] for a in wide])


def test_as_released_they_are_those_of_the_lowest_cosine(vectors, monkeypatch):
    monkeypatch.setattr(text_neighbours, "BLOCK", 64)  # the last block is a part
    chosen, cosine = choose(vectors, ALL, 16, band=None), cosines(vectors)
    for text in ALL:
        assert set(chosen[text]) == set(np.argsort(cosine[text])[:16])


def test_those_in_the_band_come_first_then_the_less_alike_then_the_more_alike(vectors):
    cosine = cosines(vectors)
    chosen = choose(vectors, ALL, 16, band=(0.3, 0.8))
    inside = (cosine >= 0.3) & (cosine <= 0.8)
    assert inside.sum(1).min() >= 16
    assert all(inside[text, chosen[text]].all() and len(set(chosen[text])) == 16 for text in ALL)
    assert len({tuple(row) for row in chosen.tolist()}) == N
    narrow = choose(vectors, ALL, 16, band=(0.85, 0.9))
    for text in ALL:
        found = cosine[text, narrow[text]]
        n_inside = ((cosine[text] >= 0.85) & (cosine[text] <= 0.9)).sum()
        assert (found >= 0.85).sum() == n_inside < 16  # none of the nearly identical ones
        below = np.sort(cosine[text][cosine[text] < 0.85])[::-1][: 16 - n_inside]
        np.testing.assert_allclose(np.sort(found[found < 0.85])[::-1], below, atol=1e-6)
    everyone = choose(vectors, ALL, 10_000, band=(0.3, 0.8))
    assert everyone.shape == (N, N - 1) and all(text not in everyone[text] for text in ALL)


def test_only_candidates_are_chosen_and_a_block_or_another_start_changes_nothing_it_should_not(vectors):
    candidates = np.arange(0, N, 3)
    chosen = choose(vectors, candidates, 8, band=(0.3, 0.8))
    assert np.isin(chosen, candidates).all() and (chosen != ALL[:, None]).all()
    np.testing.assert_array_equal(chosen, choose(vectors, candidates, 8, band=(0.3, 0.8)))


def test_one_report_has_no_negative_and_the_sentence_says_so(vectors):
    with pytest.raises(CgdmerError, match=r"has 1 distinct reports.*--config\.method\.replaced=0"):
        choose(vectors, np.array([3]), 8, band=None)


def test_word_vectors_are_tf_idf_of_word_pieces():
    draw = np.random.default_rng(1)
    tokens, length = draw.integers(5, 30, (50, 9)).astype(np.int32), draw.integers(2, 10, 50)
    mask = np.arange(9) < length[:, None]
    tokens[:, 0] = 2  # stands in every text and says nothing
    counts = np.zeros((50, 30))
    for text, row in enumerate(tokens):
        np.add.at(counts[text], row[mask[text]], 1)
    # scikit-learn's smoothed idf is 1 + log((1 + n) / (1 + n_with)): ours is that without the 1.
    idf = TfidfTransformer(norm=None).fit(counts).idf_ - 1
    expected = counts * np.where(counts.any(0), idf, 0)
    expected /= np.maximum(np.linalg.norm(expected, axis=1, keepdims=True), 1e-12)
    found = word_vectors(tokens, mask).toarray()
    np.testing.assert_allclose(found, expected[:, : found.shape[1]], atol=1e-6)
    assert not found[:, 2].any()


REPORTS = [f"report {n % 17} {n % 5}" if n % 6 else None for n in range(60)]


@pytest.fixture
def corpus(tmp_path):
    return open_corpus([write_store(tmp_path / "s", REPORTS)])


def test_candidates_are_reports_of_the_training_split(corpus):
    ids = training_texts(corpus)
    lines = corpus.lines("train")
    assert {corpus.texts[i] for i in ids} == {text for text in corpus.reports(lines[corpus.text_id[lines] >= 0])}
    assert 0 < len(ids) < len(corpus.texts)


def test_a_batch_has_id_length_and_tokens_of_each_negative_and_zeros_without_report(corpus):
    n = len(corpus.texts)
    draw = np.random.default_rng(0)
    tokens, mask = draw.integers(5, 30, (n, 4)).astype(np.int32), np.arange(4) < draw.integers(1, 5, n)[:, None]
    chosen = choose(word_vectors(tokens, mask), np.arange(n), 3, band=None)
    column = negatives_column(tokens, mask, chosen)
    assert isinstance(column, Referenced) and column.shape == (n, 3, 6)
    loader = Loader(corpus, np.arange(60), tokens, mask, {"negatives": column}, batch_size=60, seed=0)
    batch = loader.batch(0).check()
    rows = batch.text_columns["negatives"]
    assert rows.shape == (60, 3, 6) and rows.dtype == np.int32
    for row, text in zip(rows, batch.text_id, strict=True):
        if text < 0:
            assert not row.any()
            continue
        for one, other in zip(row, chosen[text], strict=True):
            assert one.tolist() == [other, mask[other].sum(), *tokens[other]]


def test_the_table_is_made_once_read_again_and_made_anew_when_stale_or_damaged(corpus, capsys):
    n, calls = len(corpus.texts), []
    key = {"chosen": "band", "low": 0.3, "high": 0.8, "count": 4, "by": "words-abcdef123456", "max_tokens": 8}

    def make():
        calls.append(1)
        return np.full((n, 4), len(calls), np.int32)

    first = kept_beside(corpus, key, n, make)
    np.testing.assert_array_equal(kept_beside(corpus, key, n, make), first)
    assert len(calls) == 1
    assert kept_beside(corpus, key | {"low": 0.2}, n, make).max() == 2
    assert "is stale (other low); it is made again" in capsys.readouterr().out
    (file,) = (corpus.stores[0].path / "cache").glob("negatives-*.npz")
    file.write_bytes(file.read_bytes()[:-100])
    assert kept_beside(corpus, key, n, make).max() == 3
    assert "it is made again" in capsys.readouterr().out
    assert len(calls) == 3
