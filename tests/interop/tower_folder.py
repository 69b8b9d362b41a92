"""The small BERT of bert_folder.py with a WordPiece that knows the given texts: a whole text encoder, no torch."""

from collections.abc import Sequence
from pathlib import Path

from cgdmer_jax.data.reports import train_wordpiece
from tests.interop.bert_folder import change_config, rewrite_rows, write_bert


def write_tower(folder: Path, texts: Sequence[str]) -> Path:
    """Texts of at most 10 tokens."""
    write_bert(folder)
    tokenizer = train_wordpiece(texts, 200)
    (folder / "tokenizer.json").write_text(tokenizer.to_str(), encoding="utf-8")
    rewrite_rows(folder, tokenizer.get_vocab_size())
    change_config(folder, vocab_size=tokenizer.get_vocab_size())
    return folder
