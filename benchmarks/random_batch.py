"""A batch of noise in the form of real ones, for measurements that no store is needed for."""

import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.waveform.conditioning import LEADS

FIRST_WORD, FEWEST_WORDS = 5, 8


def random_batch(n: int, samples: int, max_tokens: int, vocabulary: int, seed: int) -> Batch:
    """All leads, whole length, a report of its own for each record, of 8 words up to `max_tokens`."""
    draw = np.random.default_rng(seed)
    n_words = draw.integers(min(FEWEST_WORDS, max_tokens), max_tokens + 1, n)
    token_mask = np.arange(max_tokens)[None, :] < n_words[:, None]
    tokens = np.where(token_mask, draw.integers(FIRST_WORD, vocabulary, (n, max_tokens)), 0)
    return Batch(
        signal=draw.normal(0, 300, (n, len(LEADS), samples)).astype(np.int16),
        lead_mask=np.ones((n, len(LEADS)), bool),
        length=np.full(n, samples, np.int32),
        row=np.arange(n, dtype=np.int32),
        tokens=tokens.astype(np.int32),
        token_mask=token_mask,
        text_id=np.arange(n, dtype=np.int32),
        text_columns={},
    ).check()
