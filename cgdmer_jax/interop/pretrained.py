"""The portable model folder: weights, config, input contract, tokenizer and card; no pickle anywhere.

See docs/design.md, "Model folder".
"""

import dataclasses
import json
import warnings
from dataclasses import dataclass
from pathlib import Path

import jax
from tokenizers import Tokenizer

from cgdmer_jax import __version__
from cgdmer_jax.batch import blank_batch
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.text.cleaning import CLEANING_VERSION
from cgdmer_jax.data.text.own_cleaning import check_rules
from cgdmer_jax.data.text.special_tokens import full_stop_id, vocabulary_size
from cgdmer_jax.data.text.tokenizer import TOKENIZER_FILE, load_tokenizer, save_tokenizer, tokenizer_sha256
from cgdmer_jax.errors import CgdmerError, reason_of
from cgdmer_jax.fields import REQUIRED, Checked, check_field, hints_of, setting
from cgdmer_jax.git_lfs import refuse_pointer
from cgdmer_jax.interop.encoder import Encoder
from cgdmer_jax.interop.hub import is_hub_address, local_folder, snapshot
from cgdmer_jax.interop.model_folder import new_folder
from cgdmer_jax.interop.prediction_head import HEAD, PredictionHead, head_from
from cgdmer_jax.interop.weights import read_weights, write_weights
from cgdmer_jax.json_file import own_sha256, read_json
from cgdmer_jax.methods.make import MOST_TOKENS, make_method
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.renamed_fields import renamed
from cgdmer_jax.whole_file import sha256_of, write_whole

FORMAT_VERSION, WITH_HEAD = 2, 3  # the second of a folder that has a head, too
WEIGHTS, CONFIG, INPUT, CARD = "model.safetensors", "config.json", "input.json", "README.md"
FILES = (WEIGHTS, CONFIG, INPUT, TOKENIZER_FILE)  # what `load` needs; the card is for people
# Field of config.json with the sha256 of each file; version 1 had the first two, version 3 alone has the last.
FILE_HASHES = {
    "weights_sha256": WEIGHTS,
    "input_sha256": INPUT,
    "tokenizer_sha256": TOKENIZER_FILE,
    "card_sha256": CARD,
    "head_sha256": HEAD,
}
OWN_HASH = "config_sha256"  # over all other fields
REMEDY = "copy the folder again"


@dataclass(frozen=True)
class ModelConfig(Checked):
    """Fields of config.json; the fields in `method` are those of the method's own config."""

    format_version: int = setting(REQUIRED, "version of the folder's form", least=1, most=WITH_HEAD)
    package_version: str = setting(REQUIRED, "version of the package that wrote it")
    method_name: str = setting(REQUIRED, "pretraining method")
    method: dict = setting(REQUIRED, "its config")
    max_tokens: int = setting(REQUIRED, "word pieces of a report; longer ones are cut", least=1, most=MOST_TOKENS)
    origin: dict = setting(REQUIRED, "which run it comes from")
    config_sha256: str = setting(REQUIRED, "hash of all the other fields")
    weights_sha256: str = setting(REQUIRED, f"hash of {WEIGHTS}")
    input_sha256: str = setting(REQUIRED, f"hash of {INPUT}")
    tokenizer_sha256: str = setting(REQUIRED, f"hash of {TOKENIZER_FILE}")
    card_sha256: str = setting(REQUIRED, f"hash of {CARD}")
    head_sha256: str = setting(REQUIRED, f"hash of {HEAD}")


_EVERY = hints_of(ModelConfig).keys()
_FIELDS = {
    1: _EVERY - {"tokenizer_sha256", "card_sha256", "head_sha256"},
    FORMAT_VERSION: _EVERY - {"head_sha256"},
    WITH_HEAD: _EVERY,
}


@dataclass(frozen=True)
class Model:
    """Contents of a model folder."""

    method_name: str
    method_fields: dict
    method: Method
    variables: Variables
    contract: InputContract
    tokenizer: Tokenizer
    max_tokens: int
    head: PredictionHead | None


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
    head: PredictionHead | None = None,
) -> None:
    """Writes the folder, which must not exist yet: whole or not at all. `origin` tells which run it comes from."""
    with new_folder(folder) as part:
        write_weights(part / WEIGHTS, variables)
        write_whole(part / INPUT, contract.to_json())
        save_tokenizer(tokenizer, part)
        write_whole(part / CARD, card)
        if head is not None:
            write_whole(part / HEAD, json.dumps(dataclasses.asdict(head), indent=1) + "\n")
        config = {
            "format_version": FORMAT_VERSION if head is None else WITH_HEAD,
            "package_version": __version__,
            "method_name": method_name,
            "method": method_fields,
            "max_tokens": max_tokens,
            "origin": origin,
        }
        files = {field: file for field, file in FILE_HASHES.items() if file != HEAD or head is not None}
        config |= {field: _sha256(part / file) for field, file in files.items()}
        config[OWN_HASH] = own_sha256(config, OWN_HASH)
        write_whole(part / CONFIG, json.dumps(config, indent=1) + "\n")
        load(part)  # what cannot be loaded here is not handed on


def load(name: str | Path) -> Encoder:
    """A model folder, or hf://owner/name@revision, as an encoder; refuses what is not exactly what was saved.

    Every file is compared with its hash before it is parsed.
    """
    model = read_model(name)
    return Encoder(model.method, model.variables, model.contract, model.tokenizer, model.max_tokens, model.head)


def read_model(name: str | Path) -> Model:
    """The same as its parts."""
    folder = _resolve(name)
    _check_complete(folder)
    config = _read_config(folder / CONFIG)
    _check_hashes(folder, config)
    contract = InputContract.from_fields(read_json(folder / INPUT, remedy=REMEDY), f"{folder / INPUT}: ")
    if contract.cleaning_version != str(CLEANING_VERSION):
        raise CgdmerError(
            f"{folder} cleans reports by version {contract.cleaning_version}, this program by {CLEANING_VERSION}; "
            f"install the cgdmer_jax that wrote it ({config['package_version']})"
        )
    for store in contract.trained_on:
        if store.own_cleaning is not None:
            check_rules(store.own_cleaning, f"{folder / INPUT}: own_cleaning of store {store.name}")
    tokenizer = load_tokenizer(folder)
    if tokenizer_sha256(tokenizer) != contract.tokenizer_sha256:
        raise CgdmerError(f"{folder / TOKENIZER_FILE} is not the tokenizer of this model (sha256 in {INPUT}); {REMEDY}")
    shape, where = {"n_leads": len(contract.leads), "n_samples": contract.samples}, f"{folder / CONFIG}: method"
    name, max_tokens = config["method_name"], config["max_tokens"]
    fields = renamed(config["method"], str(folder / CONFIG), "method.")
    method = make_method(
        name,
        fields,
        **shape,
        rate=contract.rate,
        vocabulary=vocabulary_size(tokenizer),
        max_tokens=max_tokens,
        full_stop=full_stop_id(tokenizer),
        where=where,
        remedy=REMEDY,
    )
    like = jax.eval_shape(method.init, jax.random.key(0), blank_batch(2, **shape, n_tokens=max_tokens))
    variables = read_weights(folder / WEIGHTS, like)
    head = _read_head(folder, fields) if "head_sha256" in config else None
    return Model(name, fields, method, variables, contract, tokenizer, max_tokens, head)


def _read_head(folder: Path, fields: dict) -> PredictionHead:
    """The head, whose classes must be those of the method."""
    head = head_from(read_json(folder / HEAD, remedy=REMEDY), f"{folder / HEAD}: ", REMEDY)
    if list(head.codes) != list(fields.get("classes", ())):
        raise CgdmerError(f"{folder / HEAD} has other classes than {folder / CONFIG}; {REMEDY}")
    return head


def content_sha256(name: str | Path) -> str:
    """Hash that stands for all that decides values in a model folder: its config names the other files' hashes."""
    return _sha256(_resolve(name) / CONFIG)


def _resolve(name: str | Path) -> Path:
    if is_hub_address(name):
        return snapshot(name, patterns=(*FILES, CARD, HEAD), needed=", ".join(FILES))
    return local_folder(name, f"there is no model folder {name}; experiments.export_model makes one from a run folder")


def _check_complete(folder: Path) -> None:
    try:
        missing = [name for name in FILES if not (folder / name).is_file()]
    except OSError as error:  # a folder that this user may not look into
        raise CgdmerError(f"{folder} cannot be read ({reason_of(error)}); ask its owner") from error
    if missing and (folder / "checkpoints").is_dir():
        raise CgdmerError(
            f"{folder} is a run folder; python -m experiments.export_model --run={folder} --out=MODEL makes a model "
            "folder of it"
        )
    if missing:
        raise CgdmerError(
            f"{folder} has no {missing[0]}, so it is no model folder; one has {', '.join(FILES)} "
            "(python -m experiments.export_model makes it from a run folder)"
        )


def _check_hashes(folder: Path, config: dict) -> None:
    """Raises where a file that decides values differs; an edited card, as the hub's form asks for, is a warning."""
    for field, file in FILE_HASHES.items():
        if field not in config or (file == CARD and not (folder / CARD).exists()):
            continue
        if _sha256(folder / file) == config[field]:
            continue
        differs = f"{folder / file} differs from what was exported (sha256)"
        if file != CARD:
            refuse_pointer(folder / file)
            raise CgdmerError(f"{differs}; {REMEDY}")
        warnings.warn(f"{differs}: its words and figures may not be those of this model", stacklevel=3)


def _read_config(path: Path) -> dict:
    config = read_json(path, remedy=REMEDY)
    if not isinstance(config, dict) or "format_version" not in config:
        raise CgdmerError(f"{path} is not the config of a model folder; {REMEDY}")
    version = config["format_version"]
    if not isinstance(version, int) or version not in _FIELDS:
        raise CgdmerError(
            f"{path} has format version {version!r}, this program reads {', '.join(map(str, _FIELDS))}; "
            f"install the cgdmer_jax that wrote it ({config.get('package_version')})"
        )
    if config.keys() != set(_FIELDS[version]):
        odd = sorted(config.keys() ^ set(_FIELDS[version]))[0]
        raise CgdmerError(f"{path} differs in the field {odd}; {REMEDY}")
    if own_sha256(config, OWN_HASH) != config[OWN_HASH]:
        raise CgdmerError(f"{path} differs from what was exported ({OWN_HASH}); {REMEDY}")
    for field, value in config.items():
        check_field(ModelConfig, field, value, f"{path}: {field}", remedy=REMEDY)
    return config


def _sha256(path: Path) -> str:
    try:
        return sha256_of(path)
    except OSError as error:
        raise CgdmerError(f"{path} cannot be read ({reason_of(error)}); ask its owner, or {REMEDY}") from error
