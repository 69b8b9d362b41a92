"""The per-text tables that a method's loss reads, found beside the stores as the config names them."""

from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.text.tokenizer import tokenizer_sha256
from cgdmer_jax.data.text_columns import VECTORS, Encoding, read_vectors
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.protocol import Method


def with_columns(
    table: TokenTable, config: ConfigDict, method: Method, corpus: Corpus, tokenizer: Tokenizer
) -> TokenTable:
    """The table with the columns that the method needs; one that is missing or stale is an error naming the command."""
    needed, named = method.declared.text_columns, config.data.text_columns
    for name in needed:
        if name != VECTORS:
            raise CgdmerError(f'{config.method_name} reads the text column "{name}", which nothing here makes')
    for name, tower in named.items():
        if tower and name not in needed:
            raise CgdmerError(
                f"config.data.text_columns.{name} is given, but {config.method_name} as configured reads no such "
                "column; leave it empty"
            )
    if VECTORS not in needed:
        return table
    return table._replace(columns={VECTORS: _vectors(config, corpus, tokenizer)})


def _vectors(config: ConfigDict, corpus: Corpus, tokenizer: Tokenizer):
    method, tower = config.method, config.data.text_columns[VECTORS]
    if not tower or tower != method.text_tower:
        raise CgdmerError(
            f'config.data.text_columns.{VECTORS} is "{tower}" and config.method.text_tower "{method.text_tower}"; give '
            "both the same text encoder: it reads the reports, and later the prompts"
        )
    if method.text_trained != 0:
        raise CgdmerError(
            f"config.method.text_trained is {method.text_trained}, but vectors are of a text encoder that does not "
            "learn; set it to 0"
        )
    encoding = Encoding(
        method.text_architecture["weights_sha256"],
        tokenizer_sha256(tokenizer),
        method.text_pooling,
        config.data.max_tokens,
    )
    command = (
        f"python -m experiments.encode_texts --store={','.join(config.data.stores)} --text={tower} "
        f"--pooling={encoding.pooling} --max_tokens={encoding.max_tokens}"
    )
    return read_vectors(corpus, encoding, command)
