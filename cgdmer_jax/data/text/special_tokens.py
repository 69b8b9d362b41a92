"""Names and numbers of special tokens: BERT's, RoBERTa's, T5's and those of our own WordPiece."""

from tokenizers import Tokenizer

NO_FULL_STOP = -1
PADDING = ("[PAD]", "<pad>")
UNKNOWN = ("[UNK]", "<unk>")
MASK = ("[MASK]", "<mask>", "<extra_id_0>")  # T5 has no mask token: the first of the sentinels it learned gaps with
OTHERS = ("[CLS]", "[SEP]", "<s>", "</s>")


def first_id(tokenizer: Tokenizer, names: tuple[str, ...]) -> int | None:
    """Number of the first of these tokens that there is."""
    ids = [tokenizer.token_to_id(name) for name in names]
    return next((number for number in ids if number is not None), None)


def special_token_ids(tokenizer: Tokenizer) -> tuple[int, ...]:
    """Numbers of all tokens that are no words, in order: no masked-language task may hide one or put one in."""
    marked = {number for number, token in tokenizer.get_added_tokens_decoder().items() if token.special}
    named = {tokenizer.token_to_id(name) for name in (*PADDING, *UNKNOWN, *MASK, *OTHERS)} - {None}
    return tuple(sorted(marked | named))


def vocabulary_size(tokenizer: Tokenizer) -> int:
    """One more than the highest number: ids may have gaps."""
    return 1 + max(tokenizer.get_vocab(with_added_tokens=True).values())


def frame(tokenizer: Tokenizer) -> tuple[list[int], list[int]]:
    """Tokens put before and after every text: [CLS] and [SEP], <s> and </s>, nothing and </s>."""
    framed, bare = tokenizer.encode("a").ids, tokenizer.encode("a", add_special_tokens=False).ids
    starts = (n for n in range(len(framed) - len(bare) + 1) if framed[n : n + len(bare)] == bare)
    start = next(starts, 0)
    return framed[:start], framed[start + len(bare) :]


def full_stop_id(tokenizer: Tokenizer) -> int:
    """Id of ".", which ends a statement; NO_FULL_STOP when there is none: every report is a single statement."""
    number = tokenizer.token_to_id(".")
    return NO_FULL_STOP if number is None else number
