"""Entities that a method asks for: chosen from the findings of the training reports, and told to it in its config."""

import numpy as np
from jaxtyping import Int8
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.entity_tables import PHRASES, Extraction, by_phrases, read_entities
from cgdmer_jax.data.text.entities import NOT_MENTIONED, PRESENT, shipped_table
from cgdmer_jax.data.text.own_cleaning import cleaned
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.recipes.entity_questions import PROMPT_VERSION
from cgdmer_jax.training.run_folder import RunFolder

FIELD = "entities"  # of the config of a method that asks


def with_known_entities(config: ConfigDict, run: RunFolder) -> ConfigDict:
    """The config with the entities of the run that goes on, whatever the tables say today."""
    if FIELD not in config.method or config.method.entities or not run.exists():
        return config
    known = run.config().get("method")
    kept = known.get(FIELD) if isinstance(known, dict) else None
    return _filled(config, kept) if isinstance(kept, dict) else config


def with_entities(config: ConfigDict, corpus: Corpus, tokenizer: Tokenizer) -> ConfigDict:
    """The config with every entity that some training report states as present: names, tokens, share of the records.

    As it is where the method asks for none, or its entities stand there already.
    """
    if FIELD not in config.method or config.method.entities:
        return config
    number = corpus.text_id[corpus.lines("train")]
    states = _findings(config, corpus)[number[number != NO_TEXT]]
    states = states[(states != NOT_MENTIONED).any(1)]
    shares = (states == PRESENT).mean(0) if len(states) else np.zeros(states.shape[1])
    chosen = [(one.name, share) for one, share in zip(shipped_table().entities, shares, strict=True) if share > 0]
    if not chosen:
        raise CgdmerError(
            f"no training report states an entity that is present (read by {config.method.entity_reader}), and "
            f"{config.method_name} learns from such statements; give stores with reports in English or German"
        )
    names = [name for name, _ in chosen]
    rules = corpus.stores[0].namespace, corpus.stores[0].info.get("own_cleaning")
    read = [cleaned(name, *rules) or name for name in names]
    tokens, mask, n_cut = encode(tokenizer, read, config.data.max_tokens)
    if n_cut:
        raise CgdmerError(
            f"config.data.max_tokens is {config.data.max_tokens}, but the names of {n_cut} entities have more word "
            "pieces; give a larger one"
        )
    pieces = [row[own].tolist() for row, own in zip(tokens, mask, strict=True)]
    print(f"{len(names)} entities are asked for, read by {config.method.entity_reader}")
    return _filled(config, {"names": names, "tokens": pieces, "shares": [float(share) for _, share in chosen]})


def entity_column(config: ConfigDict, corpus: Corpus) -> Int8[np.ndarray, "text entity"]:
    """Findings of each text of the corpus, of the entities that the config has, in its order."""
    place = {one.name: number for number, one in enumerate(shipped_table().entities)}
    names = config.method.entities["names"]
    if unknown := [name for name in names if name not in place]:
        raise CgdmerError(
            f'the run asks for the entity "{unknown[0]}", which the table of entities here does not have; '
            "go on with the version of the program that began it"
        )
    return _findings(config, corpus)[:, [place[name] for name in names]]


def _filled(config: ConfigDict, entities: dict) -> ConfigDict:
    config = config.copy_and_resolve_references()
    with config.unlocked():
        config.method.entities = entities
    return config


def _findings(config: ConfigDict, corpus: Corpus) -> Int8[np.ndarray, "text entity"]:
    """The table beside the stores; what the phrase table reads needs none, as it takes seconds."""
    table, reader = shipped_table(), config.method.entity_reader
    if reader == PHRASES:
        extraction, model = by_phrases(table), ""
    else:
        extraction, model = Extraction(reader, PROMPT_VERSION, table.sha256), f" --endpoint=URL --model={reader}"
    if reader == PHRASES and not all(extraction.path(store).exists() for store in corpus.stores):
        return table.table(corpus.texts)
    stores = ",".join(str(store.path) for store in corpus.stores)
    return read_entities(corpus, extraction, f"python -m experiments.extract_entities --store={stores}{model}")
