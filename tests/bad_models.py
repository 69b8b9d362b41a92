"""Model folders and text encoders that are not what they should be, and recordings that a model cannot take."""

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from safetensors.numpy import load_file, save_file

from cgdmer_jax import load
from cgdmer_jax.contract import prepare
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.waveform import LEADS
from tests.interop.bert_folder import VOCABULARY, word_tokenizer, write_bert
from tests.interop.small_model import reseal, write_small_model
from tests.outcome import Outcome, raised
from tests.test_waveform import heart


def prepared(folder: Path, **changes: object) -> Outcome:
    contract = load(write_small_model(folder / "model")).contract
    given = {"signal": heart(500), "rate": 500, "leads": LEADS, "unit": "mV"} | changes
    return raised(lambda: prepare(contract, **given))


def model(folder: Path, change: Callable[[dict], None]) -> Outcome:
    """`load` of a folder whose tensors were changed."""
    path = write_small_model(folder / "model") / "model.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    reseal(folder / "model")
    return raised(lambda: load(folder / "model"))


def renamed(tensors: dict) -> None:
    tensors["params/temperature"] = tensors.pop("params/log_inverse_temperature")


def other_dtype(tensors: dict) -> None:
    name = "params/log_inverse_temperature"
    tensors[name] = tensors[name].astype(np.float16)


def text_encoder(folder: Path, spoil: Callable[[Path], None]) -> Outcome:
    """`load_text_encoder` of a folder that was spoilt."""
    spoil(write_bert(folder / "bert"))
    return raised(lambda: load_text_encoder(folder / "bert"))


def without_config(bert: Path) -> None:
    (bert / "config.json").unlink()


def cut_weights(bert: Path) -> None:
    file = bert / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-40])


def longer_vocabulary(bert: Path) -> None:
    (bert / "tokenizer.json").write_text(word_tokenizer(VOCABULARY + 1).to_str())


def misspelt_folder(folder: Path) -> Outcome:
    return raised(lambda: load("models/misspelt"))


def hub_without_revision(folder: Path) -> Outcome:
    return raised(lambda: load("hf://somebody/some-model"))


def hub_without_network(folder: Path) -> Outcome:
    with mock.patch("huggingface_hub.constants.HF_HUB_OFFLINE", True):
        return raised(lambda: load_text_encoder("hf://nobody/nothing-at-all@v1"))
