"""From a config to objects: the one place where names become methods, tokenizers and loaders."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Int64
from ml_collections import ConfigDict
from tokenizers import Tokenizer

from cgdmer_jax.batch import NO_TEXT, Batch, blank_batch
from cgdmer_jax.config import flat
from cgdmer_jax.contract import CONVERSION, SCALINGS, UNIT, InputContract, TrainedOn, patient_sha256
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import sequential_batches
from cgdmer_jax.data.store.store import Store
from cgdmer_jax.data.text.cleaning import CLEANING_VERSION
from cgdmer_jax.data.text.special_tokens import full_stop_id, vocabulary_size
from cgdmer_jax.data.text.tokenizer import (
    has_words,
    load_word_piece,
    shared_words,
    tokenizer_sha256,
    train_wordpiece,
    word_piece_without_words,
)
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import from_fields
from cgdmer_jax.methods import make
from cgdmer_jax.methods.protocol import Method
from cgdmer_jax.provenance import command_line, commit, environment
from cgdmer_jax.recipes.config_fields import DATA, DataConfig
from cgdmer_jax.training.run_folder import RunFolder
from cgdmer_jax.waveform.conditioning import LEADS

TEXT_ALONE = "masked_text"  # the method that reads no recordings


def make_method(
    config: ConfigDict,
    contract: InputContract,
    tokenizer: Tokenizer,
    where: str = "config.method",
    remedy: str = "",
) -> Method:
    """The config's method, on recordings as the contract has them; `where` and `remedy` as `make.make_method`."""
    method = make.make_method(
        config.method_name,
        config.method.to_dict(),
        n_leads=len(LEADS),
        n_samples=contract.samples,
        rate=contract.rate,
        **of_tokenizer(tokenizer),
        max_tokens=config.data.max_tokens,
        where=where,
        remedy=remedy,
    )
    if not method.declared.recordings:
        raise _without_recordings(config.method_name)
    if method.declared.text and not has_words(tokenizer):
        raise CgdmerError("the training split has no report to train a tokenizer on; give config.data.tokenizer")
    return method


def check_reads_recordings(method_name: object) -> None:
    """Raises for a method of reports alone, before its config is asked for what only recordings have."""
    if method_name == TEXT_ALONE:
        raise _without_recordings(TEXT_ALONE)


def check_pretrains(method_name: object) -> None:
    """Raises for a method that has a command of its own, before its config is asked for what only the others have."""
    check_reads_recordings(method_name)
    if isinstance(method_name, str) and method_name in DATA:
        raise CgdmerError(
            f'config.method_name is "{method_name}", which starts from a pretrained encoder; give it to '
            f"experiments.{method_name} with --run or --model"
        )


def _without_recordings(name: str) -> CgdmerError:
    return CgdmerError(
        f'config.method_name is "{name}", which reads no recordings; adapt a text encoder with '
        "experiments.adapt_text, or name a method that reads them"
    )


def scaling_of(config: ConfigDict) -> str:
    """How the method scales a recording; the input contract carries it."""
    if "scaling" not in config.method:
        raise CgdmerError(
            f"config.method of {config.method_name} has no field scaling, which the input contract records; add it to "
            f"the method's config, as one of {', '.join(SCALINGS)}"
        )
    return config.method.scaling


def of_tokenizer(tokenizer: Tokenizer) -> dict[str, int]:
    """Facts of the tokenizer that a method needs."""
    return {"vocabulary": vocabulary_size(tokenizer), "full_stop": full_stop_id(tokenizer)}


def make_tokenizer(config: ConfigDict, corpus: Corpus) -> Tokenizer:
    """The given one, or a WordPiece that has seen the training reports only, and rare words letter by letter.

    Without a single report it has no words, which `make_method` refuses for a method that reads text.
    """
    if config.data.tokenizer:
        return load_word_piece(Path(config.data.tokenizer))
    data = from_fields(DataConfig, config.data.to_dict())
    if not data.vocabulary:
        raise CgdmerError(
            "config.data.vocabulary is 0, and no text encoder brings word pieces of its own; name one in "
            "config.method.text_tower, or give the number of word pieces to make, such as 4096"
        )
    lines = corpus.lines("train")
    lines = lines[corpus.text_id[lines] != NO_TEXT]
    if not len(lines):
        return word_piece_without_words()
    reports = corpus.reports(lines)
    shared = shared_words(zip(corpus.patient_id[lines], reports, strict=True), data.min_patients)
    if not any(shared):
        raise CgdmerError(
            f"no word of the training reports stands in those of {data.min_patients} patients; give more "
            "recordings, or a smaller config.data.min_patients, or config.data.tokenizer"
        )
    return train_wordpiece(shared, data.vocabulary, letters_of=set(reports))


def as_begun(config: ConfigDict, run: RunFolder) -> ConfigDict:
    """The config with what an older run was begun with, where its own config has no such field: it goes on alike."""
    config = config.copy_and_resolve_references()
    config.update_from_flattened_dict({n: value for n, value in run.unsaid().items() if n in flat(config.to_dict())})
    return config


def make_contract(
    corpus: Corpus, tokenizer: Tokenizer, scaling: str, before: tuple[TrainedOn, ...] = ()
) -> InputContract:
    """The contract of a run on this corpus; `before` is what its first weights had seen."""
    info = corpus.stores[0].info
    lines = corpus.lines("train")
    own = tuple(trained_on(corpus, number, lines) for number in range(len(corpus.stores)))
    return InputContract(
        **{field: info[field] for field in CONVERSION},
        unit=UNIT,
        leads=LEADS,
        scaling=scaling,
        cleaning_version=str(info["cleaning_version"]),
        tokenizer_sha256=tokenizer_sha256(tokenizer),
        trained_on=own + tuple(store for store in before if store not in own),
    )


def check_cleaning(corpus: Corpus) -> None:
    """Refuses, before anything is trained, reports that were not cleaned as prompts will be."""
    for store in corpus.stores:
        if store.info["cleaning_version"] != CLEANING_VERSION:
            raise CgdmerError(
                f"the reports of store {store.path} were cleaned by version {store.info['cleaning_version']} of the "
                f"rules, this program has {CLEANING_VERSION}; convert its source again into another folder"
            )


def completed(contract: InputContract, stores: Iterable[Store]) -> InputContract:
    """The contract with the settings of a store it was trained on, where one of these is such a store.

    An input.json of an earlier version lacks `derive_limb_leads` and rounds `seconds` to whole samples.
    """
    seen = {part.fingerprint for part in contract.trained_on}
    for store in stores:
        if store.fingerprint in seen:
            return dataclasses.replace(contract, **{field: store.info[field] for field in CONVERSION})
    return contract


def check_contract(contract: InputContract, corpus: Corpus, store: str) -> None:
    """Refuses a store that the run's encoder was not made for."""
    info = corpus.stores[0].info
    contract = completed(contract, corpus.stores)
    needs = {field: getattr(contract, field) for field in (*CONVERSION, "cleaning_version")}
    for field, needed in needs.items():
        found = info[field] if field in CONVERSION else str(info[field])
        if needed != found:
            raise CgdmerError(
                f"store {store} has {field} {found}, the run was trained with {needed}; "
                "convert the recordings again with the run's setting (input.json)"
            )


def read_batches(corpus: Corpus, lines: Int64[np.ndarray, "n"], table: TokenTable, batch_size: int):
    return sequential_batches(corpus, lines, table.tokens, table.mask, batch_size, table.columns)


def blank_batch_of(size: int, contract: InputContract, max_tokens: int) -> Batch:
    """A batch of nothing, in the shapes that the contract gives."""
    return blank_batch(size, n_leads=len(contract.leads), n_samples=contract.samples, n_tokens=max_tokens)


def run_environment() -> dict:
    """The entry that each start of a run adds to environment.json."""
    return {
        "command": command_line(),
        "commit": commit(),
        "devices": [str(d) for d in jax.devices()],
        **environment(),
    }


def trained_on(corpus: Corpus, number: int, lines: Int64[np.ndarray, "record"]) -> TrainedOn:
    """Hashes of the patients and recordings of one store that lie on these lines of the corpus."""
    store = corpus.stores[number]
    own = lines[(lines >= corpus.first_lines[number]) & (lines < corpus.first_lines[number + 1])]
    patients = {patient_sha256(patient) for patient in corpus.patient_id[own]}
    signals = set(corpus.column("signal_sha256")[own])
    return TrainedOn(
        store.namespace,
        store.fingerprint,
        tuple(sorted(patients)),
        tuple(sorted(signals)),
        own_cleaning=store.info.get("own_cleaning"),
    )
