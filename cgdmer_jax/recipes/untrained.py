"""A method as a config and stores make it, before any training: its shapes and costs can be told from this."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from ml_collections import ConfigDict

from cgdmer_jax.batch import Batch
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.record_columns import with_record_columns
from cgdmer_jax.methods.protocol import Method
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes.asked_entities import with_entities
from cgdmer_jax.recipes.config_fields import check_method
from cgdmer_jax.recipes.pretrained_text import with_architecture
from cgdmer_jax.recipes.text_columns import blank_columns
from cgdmer_jax.training.run_folder import RunFolder


class Untrained(NamedTuple):
    """The method, and a batch of nothing with every column that it reads."""

    method: Method
    batch: Batch


def untrained(config: ConfigDict, corpus: Corpus) -> Untrained:
    """From a config of `check_fields` and the stores that it names; raises on what no method takes."""
    build.check_pretrains(config.method_name)
    config, tower = with_architecture(config, RunFolder(Path("no-run")))
    check_method(config)
    tokenizer = build.make_tokenizer(config, corpus) if tower is None else tower.tokenizer
    config = with_entities(config, corpus, tokenizer)
    contract = build.make_contract(corpus, tokenizer, build.scaling_of(config))
    method = build.make_method(config, contract, tokenizer)
    batch = blank_with_records(config, contract, method, corpus)
    return Untrained(method, batch._replace(text_columns=blank_columns(config, method, tower, config.data.batch_size)))


def blank_with_records(config: ConfigDict, contract: InputContract, method: Method, corpus: Corpus) -> Batch:
    """An empty batch with the columns by record that the method declares."""
    size = config.data.batch_size
    columns = with_record_columns(corpus, method.declared.record_columns).record_columns
    return build.blank_batch_of(size, contract, config.data.max_tokens)._replace(
        record_columns={name: np.zeros((size, *column.shape[1:]), column.dtype) for name, column in columns.items()},
    )
