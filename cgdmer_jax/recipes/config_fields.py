"""Every field of a config with its meaning: the groups, and the list that `--config_help` prints."""

import argparse
from dataclasses import dataclass
from typing import get_type_hints

from ml_collections import ConfigDict

from cgdmer_jax.config import NAMES, Field, explained, from_fields, load_config, setting
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.methods import METHODS
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import YOUNGER

ASKED = "--config_help"
MOST_WIDE = 60  # characters of a field with its value; the meaning of a longer one is not in line with the others
HELP = "list the fields of the config, each with its value and meaning, and stop"


@dataclass(frozen=True)
class TextColumnsConfig:
    """`config.data.text_columns`: tables of one value for each distinct report, found beside the store."""

    text_vectors: str = setting("", "frozen text encoder whose vectors are read (made by encode_texts); empty = none")


@dataclass(frozen=True)
class DataConfig:
    """`config.data` of a method that reads recordings: each field's default and meaning."""

    stores: tuple[str, ...] = setting((), "folders of the converted stores that are trained on")
    leave_out: tuple[str, ...] = setting((), "quality columns of records.parquet: marked records are not trained on")
    batch_size: int = setting(64, "records of one step, over all devices and hosts")
    tokenizer: str = setting(
        "", "folder with tokenizer.json; empty = the text encoder's, or a WordPiece of the reports"
    )
    vocabulary: int = setting(4096, "word pieces of a WordPiece made from the training reports, at most")
    min_patients: int = setting(
        5, "words in fewer patients' reports enter that WordPiece letter by letter: they may be names"
    )
    max_tokens: int = setting(64, "word pieces of a report; longer ones are cut, and counted")
    text_columns: TextColumnsConfig = setting(TextColumnsConfig(), "tables of one value for each distinct report")


@dataclass(frozen=True)
class ReportsConfig:
    """`config.data` of a method that reads reports alone: each field's default and meaning."""

    stores: tuple[str, ...] = setting((), "folders of the converted stores whose reports are read")
    reports: str = setting("", "folder of a collection's published table, in place of stores")
    source: str = setting("ptbxl", "collection that this table belongs to")
    batch_size: int = setting(32, "reports of one step, over all devices and hosts")
    tokenizer: str = setting("", "always empty: the text encoder's own is used")
    max_tokens: int = setting(64, "word pieces of a report; longer ones are cut, and counted")


@dataclass(frozen=True)
class Config:
    """Fields outside the groups `method`, `data`, `optimizer` and `run`."""

    seed: int = setting(0, "seed of the first weights, of the order of the records and of every draw")
    method_name: str = setting("cgdmer", f"pretraining method: {', '.join(f'`{name}`' for name in METHODS)}")


DATA = {"masked_text": ReportsConfig}  # of the methods that read no recordings


def groups(method_name: str) -> dict[str, type]:
    """Dataclass of each group of a config, by the group's name."""
    if method_name not in METHODS:
        raise CgdmerError(f'config.method_name is "{method_name}".{suggest(method_name, METHODS)}')
    _, method = METHODS[method_name]
    return {
        "method": method,
        "data": DATA.get(method_name, DataConfig),
        "optimizer": OptimizerConfig,
        "run": RunConfig,
    }


def check_fields(config: ConfigDict) -> ConfigDict:
    """Raises where a field is missing, unknown or of another type: the config may be of a user's own file.

    Returns the config itself, or a copy in which one string in place of a list of names is a list of one.
    """
    plain = config.to_dict()
    for name in (*get_type_hints(Config), "method", "data", "optimizer", "run"):
        if name not in plain:
            raise CgdmerError(f"config.{name} is missing; docs/config_fields.md lists each field with its default")
    kinds = groups(plain["method_name"])
    alone = [
        (group, field)
        for group, kind in kinds.items()
        for field, hint in get_type_hints(kind).items()
        if hint == NAMES and isinstance(plain[group], dict) and isinstance(plain[group].get(field), str)
    ]
    del kinds["method"]  # `make_method` checks it, once a pretrained text encoder has said what it looks like
    for group, kind in kinds.items():
        names = {f"{group}.{field}": field for field in get_type_hints(kind)}
        from_fields(kind, {names[name]: value for name, value in YOUNGER.items() if name in names} | plain[group])
    if not alone:
        return config
    listed = config.copy_and_resolve_references()
    with listed.ignore_type():
        for group, field in alone:
            listed[group][field] = (listed[group][field],)
    return listed


def fields_of(config: ConfigDict) -> list[Field]:
    """Every field of a config, with the value that it has there."""
    plain = config.to_dict()
    kinds = groups(plain["method_name"])
    found = list(explained(Config, {name: value for name, value in plain.items() if name not in kinds}))
    for group, kind in kinds.items():
        found += explained(kind, plain[group], f"{group}.")
    return found


def print_help(words: list[str], spec: str | None = None) -> int:
    """Prints the fields of the config that a command line names, one a line; `spec` is a command's only config.

    Words that are not about the config are passed over, so that no store or folder need be there.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", default=spec)
    known, others = parser.parse_known_args(words)
    if known.config is None:
        raise CgdmerError(f"{ASKED} lists the fields of a config; name it with --config=FILE:SIZE")
    fields = fields_of(load_config(known.config, [word for word in others if word.startswith("--config.")]))
    shown = [(f"--config.{field.name}={field.value}", field.meaning) for field in fields]
    width = max(len(word) for word, _ in shown if len(word) <= MOST_WIDE)
    for word, meaning in shown:
        print(f"{word:{width}}  {meaning}")
    return 0
