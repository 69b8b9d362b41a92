"""The portable model folder: weights, config, input contract, tokenizer and card; no pickle anywhere (DESIGN 2)."""

import hashlib
import json
import os
import shutil
from pathlib import Path

import jax
from tokenizers import Tokenizer

from cgdmer_jax import __version__
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.reports import (
    CLEANING_VERSION,
    TOKENIZER_FILE,
    load_tokenizer,
    save_tokenizer,
    tokenizer_sha256,
)
from cgdmer_jax.data.special_tokens import full_stop_id, vocabulary_size
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.encoder import Encoder, blank_batch
from cgdmer_jax.interop.hub import hub_hint, is_hub_address, snapshot
from cgdmer_jax.interop.weights import read_weights, write_weights
from cgdmer_jax.methods.make import make_method
from cgdmer_jax.methods.protocol import Variables

FORMAT_VERSION = 1
WEIGHTS, CONFIG, INPUT, CARD = "model.safetensors", "config.json", "input.json", "README.md"
FILES = (WEIGHTS, CONFIG, INPUT, TOKENIZER_FILE)  # what `load` needs; the card is for people
FIELDS = {"format_version", "package_version", "method_name", "method", "max_tokens", "origin"}
SEALS = {"weights_sha256", "input_sha256", "config_sha256"}  # the last one over all other fields


def save_model(
    folder: Path,
    *,
    variables: Variables,
    method_name: str,
    method_fields: dict,
    max_tokens: int,
    contract: InputContract,
    tokenizer: Tokenizer,
    origin: dict,
    card: str,
) -> None:
    """Writes the folder, which must not exist yet: whole or not at all. `origin` tells which run it comes from."""
    if folder.exists():
        raise CgdmerError(f"{folder} exists already; name a new folder, a model is never written over")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()
    write_weights(part / WEIGHTS, variables)
    config = {
        "format_version": FORMAT_VERSION,
        "package_version": __version__,
        "method_name": method_name,
        "method": method_fields,
        "max_tokens": max_tokens,
        "origin": origin,
    }
    (part / INPUT).write_text(contract.to_json())
    config |= {"weights_sha256": _sha256(part / WEIGHTS), "input_sha256": _sha256(part / INPUT)}
    config["config_sha256"] = _config_sha256(config)
    (part / CONFIG).write_text(json.dumps(config, indent=1) + "\n")
    save_tokenizer(tokenizer, part)
    (part / CARD).write_text(card)
    load(part)  # what cannot be loaded here is not handed on
    os.replace(part, folder)


def load(name: str | Path) -> Encoder:
    """A model folder, or hf://owner/name@revision, as an encoder; refuses what is not exactly what was saved."""
    folder = _resolve(name)
    for name in FILES:
        if not (folder / name).is_file():
            raise CgdmerError(
                f"{folder} has no {name}, so it is no model folder; one has {', '.join(FILES)} "
                "(python -m experiments.export_model makes it from a run folder)"
            )
    config = _read_config(folder / CONFIG)
    if _sha256(folder / INPUT) != config["input_sha256"]:
        raise CgdmerError(f"{folder / INPUT} differs from what was exported (sha256); copy the folder again")
    contract = InputContract.from_json((folder / INPUT).read_text())
    if contract.cleaning_version != str(CLEANING_VERSION):
        raise CgdmerError(
            f"{folder} cleans reports by version {contract.cleaning_version}, this program by {CLEANING_VERSION}; "
            f"install the cgdmer_jax that wrote it ({config['package_version']})"
        )
    tokenizer = load_tokenizer(folder)
    if tokenizer_sha256(tokenizer) != contract.tokenizer_sha256:
        raise CgdmerError(
            f"{folder / TOKENIZER_FILE} is not the tokenizer of this model (sha256 in {INPUT}); copy the folder again"
        )
    method = make_method(
        config["method_name"],
        config["method"],
        n_leads=len(contract.leads),
        n_samples=contract.samples,
        rate=contract.rate,
        vocabulary=vocabulary_size(tokenizer),
        max_tokens=config["max_tokens"],
        full_stop=full_stop_id(tokenizer),
    )
    like = jax.eval_shape(method.init, jax.random.key(0), blank_batch(2, contract, config["max_tokens"]))
    variables = read_weights(folder / WEIGHTS, like)
    if _sha256(folder / WEIGHTS) != config["weights_sha256"]:
        raise CgdmerError(f"{folder / WEIGHTS} differs from what was exported (sha256); copy the folder again")
    return Encoder(method, variables, contract, tokenizer, config["max_tokens"])


def _resolve(name: str | Path) -> Path:
    if is_hub_address(name):
        return snapshot(name, patterns=(*FILES, CARD), needed=", ".join(FILES))
    if not (folder := Path(name)).is_dir():
        raise CgdmerError(
            f"there is no model folder {name}; experiments.export_model makes one from a run folder{hub_hint(name)}"
        )
    return folder


def _read_config(path: Path) -> dict:
    try:
        config = json.loads(path.read_text())
    except ValueError as error:
        raise CgdmerError(f"{path} is no JSON ({error}); copy the model folder again") from error
    if not isinstance(config, dict) or "format_version" not in config:
        raise CgdmerError(f"{path} is not the config of a model folder; copy the folder again")
    if config["format_version"] != FORMAT_VERSION:
        raise CgdmerError(
            f"{path} has format version {config['format_version']}, this program reads {FORMAT_VERSION}; "
            f"install the cgdmer_jax that wrote it ({config.get('package_version')})"
        )
    if config.keys() != FIELDS | SEALS:
        odd = sorted(config.keys() ^ (FIELDS | SEALS))[0]
        raise CgdmerError(f"{path} differs in the field {odd}; copy the folder again")
    if _config_sha256(config) != config["config_sha256"]:
        raise CgdmerError(f"{path} differs from what was exported (config_sha256); copy the folder again")
    return config


def _config_sha256(config: dict) -> str:
    sealed = {name: value for name, value in config.items() if name != "config_sha256"}
    return hashlib.sha256(json.dumps(sealed, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
