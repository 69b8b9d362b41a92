"""The per-text tables that a method's loss reads, found beside the stores as the config names them."""

import numpy as np
from jaxtyping import Float32, Shaped
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.entity_tables import ENTITIES
from cgdmer_jax.data.text.tokenizer import tokenizer_sha256
from cgdmer_jax.data.text_columns import VECTORS, Encoding
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.huggingface import TextTower
from cgdmer_jax.methods.protocol import Method
from cgdmer_jax.recipes.asked_entities import entity_column
from cgdmer_jax.recipes.report_negatives import NEGATIVES, blank_negatives, negatives
from cgdmer_jax.recipes.stored_vectors import stored_vectors


def with_columns(
    table: TokenTable, config: ConfigDict, method: Method, corpus: Corpus, tokenizer: Tokenizer
) -> TokenTable:
    """The table with the columns that the method needs; one that is missing or stale is an error naming the command."""
    makers = {
        VECTORS: lambda: _vectors(config, corpus, tokenizer),
        ENTITIES: lambda: entity_column(config, corpus),
        NEGATIVES: lambda: negatives(config, table, corpus, tokenizer),
    }
    columns = {name: makers[name]() for name in _needed(config, method)}
    return table._replace(columns=columns) if columns else table


def blank_columns(
    config: ConfigDict, method: Method, tower: TextTower | None, size: int
) -> dict[str, Shaped[np.ndarray, "batch ..."]]:
    """Zeros in place of the columns that the method needs: shapes from `tower` and config, no store is asked."""
    blank = {}
    for name in _needed(config, method):
        if name == VECTORS:
            _check_tower(config)
            blank[name] = np.zeros((size, tower.facts.width), np.float32)
        elif name == NEGATIVES:
            blank[name] = blank_negatives(config, size)
        else:
            blank[name] = np.zeros((size, len(config.method.entities["names"])), np.int8)
    return blank


def _needed(config: ConfigDict, method: Method) -> tuple[str, ...]:
    """Names of the columns that the method reads; refuses one that nothing makes, and one given in vain."""
    needed, named = method.declared.text_columns, config.data.text_columns
    for name in needed:
        if name not in (VECTORS, ENTITIES, NEGATIVES):
            raise CgdmerError(f'{config.method_name} reads the text column "{name}", which nothing here makes')
    for name, tower in named.items():
        if tower and name not in needed:
            raise CgdmerError(
                f"config.data.text_columns.{name} is given, but {config.method_name} as configured reads no such "
                "column; leave it empty"
            )
    return needed


def _check_tower(config: ConfigDict) -> None:
    """Refuses vectors of a text encoder other than the method's own, and of one that learns."""
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


def _vectors(config: ConfigDict, corpus: Corpus, tokenizer: Tokenizer) -> Float32[np.ndarray, "text width"]:
    _check_tower(config)
    method = config.method
    encoding = Encoding(
        method.text_architecture["weights_sha256"],
        tokenizer_sha256(tokenizer),
        method.text_pooling,
        config.data.max_tokens,
    )
    return stored_vectors(corpus, encoding, method.text_tower)
