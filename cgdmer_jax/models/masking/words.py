"""Input of a text pass: masked words (Devlin et al. 2019: 15 % of tokens, 80/10/10), or some statements only."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int32, PRNGKeyArray

from cgdmer_jax.models.masking.slots import Slots

PADDING = 0  # beyond a text's length, where nothing is read
# [PAD] 0, [UNK] 1, [CLS] 2, [SEP] 3, [MASK] 4: so our own WordPieces number them (data/text/tokenizer.py)
MASK_TOKEN = 4
FIRST_WORD = 5
_INVALID = 1e3


class Marks(NamedTuple):
    """Numbers of the tokens that are no words."""

    mask: int  # what stands for a hidden word
    special: tuple[int, ...]  # all of them, `mask` too: never hidden, never put in a word's place


WORD_PIECE = Marks(MASK_TOKEN, tuple(range(FIRST_WORD)))


def is_word(
    tokens: Int32[Array, "batch token"], token_mask: Bool[Array, "batch token"], marks: Marks
) -> Bool[Array, "batch token"]:
    """True for what is neither padding nor special."""
    return token_mask & ~jnp.isin(tokens, jnp.array(marks.special, jnp.int32))


class MaskedTokens(NamedTuple):
    """Positions in slots and what stands there instead."""

    slots: Slots
    replacement: Int32[Array, "batch slot"]

    def apply(self, tokens: Int32[Array, "batch token"]) -> Int32[Array, "batch token"]:
        original = self.original(tokens)
        value = jnp.where(self.slots.live(), self.replacement, original)
        return tokens.at[jnp.arange(tokens.shape[0])[:, None], self.slots.index].set(value)

    def original(self, tokens: Int32[Array, "batch token"]) -> Int32[Array, "batch slot"]:
        return jnp.take_along_axis(tokens, self.slots.index, axis=1)


def draw_masked_tokens(
    key: PRNGKeyArray,
    tokens: Int32[Array, "batch token"],
    token_mask: Bool[Array, "batch token"],
    *,
    ratio: float,
    vocabulary: int,
    marks: Marks = WORD_PIECE,
) -> MaskedTokens:
    """Masks `ratio` of each report's words (at least one, if it has any); special tokens never."""
    order_key, kind_key, word_key = jax.random.split(key, 3)
    batch, n_tokens = tokens.shape
    n_slots = max(1, round(ratio * n_tokens))
    words = is_word(tokens, token_mask, marks)
    n_words = words.sum(1, dtype=jnp.int32)
    wanted = jnp.clip(jnp.round(ratio * n_words).astype(jnp.int32), 1, n_slots)
    order = jnp.argsort(jnp.where(words, jax.random.uniform(order_key, words.shape), _INVALID), axis=1)
    slots = Slots(order[:, :n_slots].astype(jnp.int32), jnp.minimum(wanted, n_words))

    kind = jax.random.uniform(kind_key, (batch, n_slots))
    ordinary = jnp.array(np.setdiff1d(np.arange(vocabulary), marks.special), jnp.int32)
    random_word = ordinary[jax.random.randint(word_key, (batch, n_slots), 0, len(ordinary), dtype=jnp.int32)]
    original = jnp.take_along_axis(tokens, slots.index, axis=1)
    replacement = jnp.where(kind < 0.8, marks.mask, jnp.where(kind < 0.9, random_word, original))
    return MaskedTokens(slots, replacement)


class Text(NamedTuple):
    """Tokens, the first `length` of each record live."""

    tokens: Int32[Array, "batch token"]
    length: Int32[Array, "batch"]

    def live(self) -> Bool[Array, "batch token"]:
        return jnp.arange(self.tokens.shape[1])[None, :] < self.length[:, None]


def draw_statements(key: PRNGKeyArray, text: Text, *, dropout: float, full_stop: int) -> Text:
    """The report without some of its statements (what a full stop ends); at least one stays, their order too.

    A prompt is a report of one statement: an alignment that has met whole reports only ranks it badly.
    """
    drop_key, stay_key = jax.random.split(key)
    batch, n_tokens = text.tokens.shape
    live, place = text.live(), jnp.arange(n_tokens)[None, :]
    stop = live & (text.tokens == full_stop)
    statement = jnp.cumsum(stop, axis=1) - stop
    outer = (place == 0) | (place == text.length[:, None] - 1)  # [CLS] and [SEP]
    n_statements = jnp.where(live & ~outer, statement, 0).max(1) + 1
    staying = jnp.floor(jax.random.uniform(stay_key, (batch,)) * n_statements).astype(statement.dtype)
    stays = jax.random.uniform(drop_key, (batch, n_tokens)) >= dropout
    kept = live & (outer | jnp.take_along_axis(stays, statement, axis=1) | (statement == staying[:, None]))
    order = jnp.argsort(~kept, axis=1, stable=True)
    n_kept = kept.sum(1, dtype=jnp.int32)
    tokens = jnp.where(place < n_kept[:, None], jnp.take_along_axis(text.tokens, order, axis=1), PADDING)
    return Text(tokens, n_kept)
