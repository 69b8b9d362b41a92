"""Masked words: how many, which never, and what stands there instead."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from cgdmer_jax.models.masking.words import FIRST_WORD, MASK_TOKEN, Text, draw_masked_tokens, draw_statements

VOCABULARY = 50
N_TOKENS = 24  # of the array; 4 slots at 15 %
CLS, SEP, UNKNOWN = 2, 3, 1


def reports(n_words: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """[CLS] words [SEP], right-padded; the first word of a report of 10 or more is unknown."""
    draw = np.random.default_rng(0)
    tokens = np.zeros((len(n_words), N_TOKENS), np.int32)
    mask = np.zeros(tokens.shape, bool)
    for report, n in enumerate(n_words):
        words = draw.integers(FIRST_WORD, VOCABULARY, n)
        tokens[report, : n + 2] = [CLS, *words, SEP]
        mask[report, : n + 2] = True
    return tokens, mask


@partial(jax.jit, static_argnames="ratio")
def drawn(key, tokens, mask, ratio=0.15):
    return draw_masked_tokens(key, tokens, mask, ratio=ratio, vocabulary=VOCABULARY)


def test_fifteen_percent_of_the_words_are_masked_and_at_least_one_where_there_is_one():
    # 0.15 n by hand: 0.15 0.45 0.75 1.05 1.5 (even: 2) 1.8 2.1 3.3
    tokens, mask = reports([0, 1, 3, 5, 7, 10, 12, 14, 22])
    masked = drawn(jax.random.key(0), tokens, mask)
    assert masked.slots.index.shape == (9, 4)  # round(0.15 * 24)
    assert masked.slots.length.tolist() == [0, 1, 1, 1, 1, 2, 2, 2, 3]


def test_a_record_without_text_has_no_masked_word():
    tokens, mask = np.zeros((3, N_TOKENS), np.int32), np.zeros((3, N_TOKENS), bool)
    assert drawn(jax.random.key(0), tokens, mask).slots.length.tolist() == [0, 0, 0]


def test_special_tokens_and_padding_are_never_masked():
    tokens, mask = reports([1, 2, 3, 5, 8, 22] * 20)
    tokens[3::6, 2] = UNKNOWN
    for seed in range(10):
        masked = drawn(jax.random.key(seed), tokens, mask)
        changed = np.asarray(masked.apply(jnp.asarray(tokens)))
        special = ~mask | (tokens < FIRST_WORD)
        np.testing.assert_array_equal(changed[special], tokens[special])
        original = np.asarray(masked.original(jnp.asarray(tokens)))
        assert (original[np.asarray(masked.slots.live())] >= FIRST_WORD).all()


def test_tokens_outside_the_slots_stay_as_they_are():
    tokens, mask = reports([12] * 50)
    masked = drawn(jax.random.key(1), tokens, mask)
    changed = np.asarray(masked.apply(jnp.asarray(tokens)))
    inside = np.zeros(tokens.shape, bool)
    live = np.asarray(masked.slots.live())
    for report in range(50):
        inside[report, np.asarray(masked.slots.index)[report][live[report]]] = True
    np.testing.assert_array_equal(changed[~inside], tokens[~inside])
    assert inside.sum() == 2 * 50


def test_masked_positions_are_distinct_and_every_word_comes_equally_often():
    tokens, mask = reports([22] * 4000)
    slots = drawn(jax.random.key(2), tokens, mask).slots
    live = np.asarray(slots.index)[:, :3]
    assert all(len(set(row)) == 3 for row in live.tolist())
    share = np.bincount(live.ravel(), minlength=N_TOKENS)[1:23] / 4000
    p = 3 / 22
    assert abs(share - p).max() < 5 * np.sqrt(p * (1 - p) / 4000)


def test_eighty_percent_become_mask_ten_another_word_ten_stay():
    tokens, mask = reports([22] * 6000)
    masked = drawn(jax.random.key(3), tokens, mask)
    live = np.asarray(masked.slots.live())
    replacement = np.asarray(masked.replacement)[live]
    original = np.asarray(masked.original(jnp.asarray(tokens)))[live]
    n = len(replacement)
    as_mask, same = (replacement == MASK_TOKEN).mean(), (replacement == original).mean()
    by_chance = 0.1 / (VOCABULARY - FIRST_WORD)
    assert abs(as_mask - 0.8) < 5 * np.sqrt(0.16 / n)
    assert abs(same - 0.1 - by_chance) < 5 * np.sqrt(0.09 / n)
    others = replacement[(replacement != MASK_TOKEN)]
    assert others.min() >= FIRST_WORD and others.max() == VOCABULARY - 1


@settings(max_examples=50)
@given(
    tokens=hnp.arrays(np.int32, (4, N_TOKENS), elements=st.integers(0, VOCABULARY - 1), fill=st.integers(1, 9)),
    lengths=hnp.arrays(np.int32, 4, elements=st.integers(0, N_TOKENS)),
    seed=st.integers(0, 2**31 - 1),
)
def test_of_any_reports_the_stated_number_of_distinct_words_is_masked_and_nothing_else_changes(tokens, lengths, seed):
    mask = np.arange(N_TOKENS) < lengths[:, None]
    masked, again = (drawn(jax.random.key(seed), tokens, mask) for _ in range(2))
    jax.tree.map(np.testing.assert_array_equal, masked, again)
    changed = np.asarray(masked.apply(jnp.asarray(tokens)))
    for report in range(4):
        words = {place for place in range(lengths[report]) if tokens[report, place] >= FIRST_WORD}
        places = np.asarray(masked.slots.index)[report, : int(masked.slots.length[report])].tolist()
        assert len(places) == min(max(round(0.15 * len(words)), 1), len(words))
        assert len(set(places)) == len(places) and words.issuperset(places)
        others = [place for place in range(N_TOKENS) if place not in places]
        np.testing.assert_array_equal(changed[report, others], tokens[report, others])
        assert all(value == MASK_TOKEN or value >= FIRST_WORD for value in changed[report, places])


STOP = 9


def statements(*lengths: int) -> list[int]:
    """Statement number i holds words 10 + i, each ended by a full stop."""
    return [word for i, n in enumerate(lengths) for word in [*[10 + i] * n, STOP]]


def texts(*reports: list[int]) -> Text:
    tokens = np.zeros((len(reports), N_TOKENS), np.int32)
    for line, words in enumerate(reports):
        tokens[line, : len(words) + 2] = [CLS, *words, SEP]
    return Text(jnp.asarray(tokens), jnp.asarray([len(words) + 2 for words in reports], jnp.int32))


@partial(jax.jit, static_argnames="dropout")
def kept_text(key, text, dropout):
    return draw_statements(key, text, dropout=dropout, full_stop=STOP)


def test_statements_stay_whole_in_order_and_one_always_stays():
    text = texts(statements(3, 1, 4), statements(2), [10, 10], [], statements(1, 1, 1, 1, 1, 1))
    seen = set()
    for seed in range(60):
        found = kept_text(jax.random.key(seed), text, dropout=0.6)
        for line in range(5):
            n = int(found.length[line])
            words = np.asarray(found.tokens[line])
            assert not words[n:].any()
            assert words[0] == CLS and words[n - 1] == SEP
            ids = [w for w in words[1 : n - 1].tolist() if w != STOP]
            assert ids == sorted(ids)
            if line == 0:
                counts = {i: ids.count(10 + i) for i in range(3)}
                assert all(counts[i] in (0, full) for i, full in enumerate((3, 1, 4)))
                assert ids
                seen.add(tuple(sorted(set(ids))))
        assert np.asarray(found.tokens[1, :5]).tolist() == [CLS, 10, 10, STOP, SEP]  # a single statement stays
        assert found.length.tolist()[2:4] == [4, 2]  # no full stop: one statement; no word: nothing to leave out
    assert len(seen) == 7  # every non-empty choice of three statements


@settings(max_examples=50)
@given(
    lengths=st.lists(st.lists(st.integers(1, 4), max_size=4), min_size=4, max_size=4), seed=st.integers(0, 2**31 - 1)
)
def test_of_any_reports_whole_statements_stay_in_order_and_at_least_one(lengths, seed):
    found = kept_text(jax.random.key(seed), texts(*[statements(*report) for report in lengths]), dropout=0.6)
    for report, words, n in zip(lengths, np.asarray(found.tokens).tolist(), found.length.tolist(), strict=True):
        stay = [i for i in range(len(report)) if 10 + i in words]
        assert stay or not report
        expected = [CLS, *(word for i in stay for word in [*[10 + i] * report[i], STOP]), SEP]
        assert words == expected + [0] * (N_TOKENS - len(expected)) and n == len(expected)


def test_statement_dropout_leaves_out_that_share_beyond_the_one_that_stays():
    text = texts(*[statements(1, 1, 1, 1, 1, 1, 1, 1, 1, 1)] * 400)
    kept = (np.asarray(kept_text(jax.random.key(0), text, dropout=0.5).length) - 2) / 2
    assert abs(kept.mean() - (1 + 9 * 0.5)) < 0.25  # one stays, the nine others with probability 0.5
    whole = kept_text(jax.random.key(0), text, dropout=0.0)
    np.testing.assert_array_equal(whole.tokens, text.tokens)
