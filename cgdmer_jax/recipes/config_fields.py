"""Every field of a config with its meaning: the groups, and the list that `--config_help` prints."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from ml_collections import ConfigDict

from cgdmer_jax.config import Field, explained, load_config
from cgdmer_jax.data.sources import REPORTS
from cgdmer_jax.data.splits import PROBE_FOLDS
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.fields import Checked, check_field, check_names, check_values, from_fields, hints_of, setting
from cgdmer_jax.methods import METHODS
from cgdmer_jax.methods.make import MOST_TOKENS, named_method
from cgdmer_jax.training.optimizer import OptimizerConfig
from cgdmer_jax.training.run_config import RunConfig
from cgdmer_jax.training.run_folder import REMEDY

ASKED = "--config_help"
NAMES = tuple[str, ...]  # type of a field that lists names; one string is a list of one
MOST_WIDE = 60  # characters of a field with its value; the meaning of a longer one is not in line with the others
MOST_RECORDS, MOST_WORDS = 1 << 20, 1 << 20
HELP = "list the fields of the config, each with its value and meaning, and stop"


@dataclass(frozen=True)
class TextColumnsConfig(Checked):
    """`config.data.text_columns`: tables of one value for each distinct report, found beside the store."""

    where = "config.data.text_columns"

    text_vectors: str = setting("", "frozen text encoder whose vectors are read (made by encode_texts); empty = none")


@dataclass(frozen=True)
class DataConfig(Checked):
    """`config.data` of a method that reads recordings: each field's default and meaning."""

    where = "config.data"

    stores: tuple[str, ...] = setting((), "folders of the converted stores that are trained on")
    leave_out: tuple[str, ...] = setting((), "quality columns of records.parquet: marked records are not trained on")
    batch_size: int = setting(64, "records of one step, over all devices and hosts", least=1, most=MOST_RECORDS)
    tokenizer: str = setting(
        "", "folder with tokenizer.json; empty = the text encoder's, or a WordPiece of the reports"
    )
    vocabulary: int = setting(
        4096, "word pieces of a WordPiece made from the training reports, at most", least=0, most=MOST_WORDS
    )
    min_patients: int = setting(
        5,
        "words in fewer patients' reports enter that WordPiece letter by letter: they may be names",
        least=0,
        most=1 << 31,
        younger=True,
    )
    max_tokens: int = setting(
        64, "word pieces of a report; longer ones are cut, and counted", least=1, most=MOST_TOKENS
    )
    text_columns: TextColumnsConfig = setting(TextColumnsConfig(), "tables of one value for each distinct report")


@dataclass(frozen=True)
class ReportsConfig(Checked):
    """`config.data` of a method that reads reports alone: each field's default and meaning."""

    where = "config.data"

    stores: tuple[str, ...] = setting((), "folders of the converted stores whose reports are read")
    reports: str = setting("", "folder of a collection's published table, in place of stores")
    source: str = setting("ptbxl", "collection that this table belongs to", choices=sorted(REPORTS))
    batch_size: int = setting(32, "reports of one step, over all devices and hosts", least=1, most=MOST_RECORDS)
    tokenizer: str = setting("", "always empty: the text encoder's own is used")
    max_tokens: int = setting(
        64, "word pieces of a report; longer ones are cut, and counted", least=1, most=MOST_TOKENS
    )


@dataclass(frozen=True)
class LabelledConfig(Checked):
    """`config.data` of fine-tuning: each field's default and meaning."""

    where = "config.data"

    stores: tuple[str, ...] = setting((), "folder of the converted store whose labels are learned; one")
    split: str = setting(
        "validation",
        "what is scored at the end; as for a probe it decides which folds are trained on",
        choices=tuple(PROBE_FOLDS),
    )
    label_fraction: float = setting(
        1.0, "share of the labelled patients that is trained on, drawn by the seed", above=0, most=1
    )
    batch_size: int = setting(
        64, "records of one step, over all devices and hosts; at most as many as there are", least=1, most=MOST_RECORDS
    )
    max_tokens: int = setting(
        64, "word pieces of a report, as the encoder has them; finetune fills it in", least=1, most=MOST_TOKENS
    )


@dataclass(frozen=True)
class Config(Checked):
    """Fields outside the groups `method`, `data`, `optimizer` and `run`."""

    where = "config"

    seed: int = setting(
        0,
        "seed of the first weights, of the order of the records and of every draw",
        least=-(1 << 31),
        most=(1 << 32) - 1,  # JAX takes a seed modulo 2^32
    )
    method_name: str = setting("cgdmer", f"pretraining method: {', '.join(f'`{name}`' for name in METHODS)}")


_GROUPS = ("method", "data", "optimizer", "run")
DATA = {  # of the methods that are not pretrained
    "masked_text": ReportsConfig,
    "finetune": LabelledConfig,
    "delineate": DataConfig,  # which no config file has: it is trained by its command alone
}


def groups(method_name: str, where: str = "config.method") -> dict[str, type]:
    """Dataclass of each group of a config, by the group's name; `where` as for `make_method`."""
    _, method = named_method(method_name, where)
    return {
        "method": method,
        "data": DATA.get(method_name, DataConfig),
        "optimizer": OptimizerConfig,
        "run": RunConfig,
    }


def check_fields(config: ConfigDict) -> ConfigDict:
    """Raises where a field is missing or unknown, or its value none that it may have: the file may be a user's own.

    Nothing is opened or loaded for it. What fields of the method say together is checked by `check_method`. Returns the
    config itself, or a copy in which one string in place of a list of names is a list of one.
    """
    plain = config.to_dict()
    for name in (*hints_of(Config), *_GROUPS):
        if name not in plain:
            raise CgdmerError(f"config.{name} is missing; docs/config_fields.md lists each field with its default")
    from_fields(Config, {name: plain[name] for name in hints_of(Config)})
    config = _with_lists(config)
    plain = config.to_dict()
    for group, kind in groups(plain["method_name"]).items():
        if not isinstance(plain[group], dict):
            raise CgdmerError(f"config.{group} is {plain[group]!r:.80}; give the fields of {kind.__name__}")
        check = check_values if group == "method" else from_fields
        check(kind, plain[group], f"config.{group}")
    return config


def _with_lists(config: ConfigDict) -> ConfigDict:
    """One string of a field that lists names is a list of one."""
    alone = [
        (group, field)
        for group, kind in groups(config.method_name).items()
        for field, hint in hints_of(kind).items()
        if hint == NAMES and isinstance(config[group], ConfigDict) and isinstance(config[group].get(field), str)
    ]
    if not alone:
        return config
    listed = config.copy_and_resolve_references()
    with listed.ignore_type():
        for group, field in alone:
            listed[group][field] = (listed[group][field],)
    return listed


def check_method(config: ConfigDict) -> None:
    """Raises where the method's fields do not go together; a pretrained text encoder has told its architecture."""
    from_fields(groups(config.method_name)["method"], config.method.to_dict())


def check_stored(config: dict, path: Path) -> None:
    """The same of the config that a run folder holds at that path, with which something is made that was trained.

    `optimizer` and `run` decide nothing any more, so they may have other fields, those of an earlier version. The
    method's fields are checked where it is made.
    """
    where = f"{path}: "
    check_names(Config, {name: config[name] for name in config.keys() - _GROUPS}, where, remedy=REMEDY)
    for name in hints_of(Config):
        check_field(Config, name, config[name], f"{where}{name}", remedy=REMEDY)
    for group, kind in groups(config["method_name"], f"{where}method").items():
        values = config.get(group)
        if not isinstance(values, dict):
            raise CgdmerError(f"{where}{group} is {values!r:.80}, expected the fields of {kind.__name__}; {REMEDY}")
        if group == "data":
            check_values(kind, values, f"{where}{group}", remedy=REMEDY)
        elif group != "method":
            for name in hints_of(kind).keys() & values.keys():
                check_field(kind, name, values[name], f"{where}{group}.{name}", remedy=REMEDY)


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
    shown = [
        (f"--config.{field.name}={field.value}", field.meaning + (f" ({field.values})" if field.values else ""))
        for field in fields
    ]
    width = max(len(word) for word, _ in shown if len(word) <= MOST_WIDE)
    for word, meaning in shown:
        print(f"{word:{width}}  {meaning}")
    return 0
