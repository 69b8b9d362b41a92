"""Masked words: how many, which never, and what stands there instead."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.models.token_masking import FIRST_WORD, MASK_TOKEN, draw_masked_tokens

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
