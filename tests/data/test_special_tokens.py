"""Padding, masks, frames and cutting of each kind of tokenizer that pretrained text encoders bring."""

import numpy as np
import pytest

from cgdmer_jax.data.text.special_tokens import MASK, PADDING, first_id, frame, special_token_ids, vocabulary_size
from cgdmer_jax.data.text.tokenizer import encode
from tests.interop.test_text_tokenizers import byte_pairs, unigrams, wordpiece

# tokenizer -> [before], [after], padding, ids of all special tokens
KINDS = {
    wordpiece: ([2], [3], 0, (0, 1, 2, 3, 4)),
    byte_pairs: ([0], [2], 1, (0, 1, 2, 3, 4)),
    unigrams: ([], [1], 0, (0, 1, 2)),
}


@pytest.mark.parametrize("make", KINDS)
def test_every_text_has_its_frame_is_cut_inside_it_and_padded_right(make):
    before, after, padding, special = KINDS[make]
    tokenizer = make()
    assert frame(tokenizer) == (before, after)
    assert first_id(tokenizer, PADDING) == padding
    assert special_token_ids(tokenizer) == special
    assert vocabulary_size(tokenizer) == tokenizer.get_vocab_size()
    texts = ["a", "sinus rhythm. normal ecg. atrial fibrillation with rapid ventricular response", ""]
    whole = [tokenizer.encode(text).ids for text in texts]
    tokens, mask, n_cut = encode(tokenizer, texts, 7)
    assert n_cut == 1
    for line, ids in enumerate(whole):
        kept = ids if len(ids) <= 7 else ids[: 7 - len(after)] + after
        assert tokens[line].tolist() == kept + [padding] * (7 - len(kept))
        assert mask[line].tolist() == [True] * len(kept) + [False] * (7 - len(kept))
    assert np.count_nonzero(mask[2]) == len(before) + len(after)


def test_a_tokenizer_without_mask_token_masks_with_its_first_sentinel():
    tokenizer = unigrams()
    assert first_id(tokenizer, MASK) is None
    tokenizer.add_special_tokens(["<extra_id_0>", "<extra_id_1>"])
    size = tokenizer.get_vocab_size()
    assert first_id(tokenizer, MASK) == size - 2
    assert special_token_ids(tokenizer) == (0, 1, 2, size - 2, size - 1)
