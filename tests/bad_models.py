"""Model folders and text encoders that are not what they should be, and recordings that a model cannot take."""

from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from safetensors.numpy import load_file, save_file

from cgdmer_jax import load
from cgdmer_jax.commands import embed
from cgdmer_jax.contract import prepare
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.waveform.conditioning import LEADS
from tests.bad_recordings import clean
from tests.data.ptbxl_root import write_record
from tests.interop.bert_folder import VOCABULARY, word_tokenizer, write_bert
from tests.interop.small_model import reseal, write_small_model
from tests.outcome import Outcome, raised, run
from tests.waveform.test_conditioning import heart


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


def no_number(tensors: dict) -> None:
    tensors["params/log_inverse_temperature"] = np.array(np.nan, np.float32)


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


def run_in_place_of_model(folder: Path) -> Outcome:
    (folder / "runs/a/checkpoints").mkdir(parents=True)
    return raised(lambda: load(folder / "runs/a"))


def misspelt_folder(folder: Path) -> Outcome:
    return raised(lambda: load("somebody/some-model"))


def hub_without_revision(folder: Path) -> Outcome:
    return raised(lambda: load("hf://somebody/some-model"))


def hub_without_network(folder: Path) -> Outcome:
    with mock.patch("huggingface_hub.constants.HF_HUB_OFFLINE", True):
        return raised(lambda: load_text_encoder("hf://nobody/nothing-at-all@v1"))


def embedding(folder: Path, spoil: Callable[[Path], None], *, out: str = "e.npz") -> Outcome:
    """`embed` of two recordings, one of them spoilt."""
    for number in (1, 2):
        write_record(folder / f"records/r{number}", clean(number), 100)
    spoil(folder / "records/r2")
    write_small_model(folder / "model")
    return run(embed.main, [f"--model={folder / 'model'}", f"--records={folder / 'records'}", f"--out={folder / out}"])


def no_signal_but_a_folder(record: Path) -> None:
    record.with_suffix(".dat").unlink()
    record.with_suffix(".dat").mkdir()


def half_a_minute(record: Path) -> None:
    write_record(record, clean(2, seconds=30), 100)


def another_format(record: Path) -> None:
    record.with_suffix(".dat").rename(record.with_suffix(".dcm"))
    record.with_suffix(".hea").unlink()


def a_file_in_the_way(record: Path) -> None:
    (record.parents[1] / "file").write_text("")
