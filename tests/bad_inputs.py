"""Bad inputs by name: each is made in an empty folder and given to the real command or function, as a user would.

`python -m tests.write_errors` writes what they answer into docs/errors.md; tests/test_bad_inputs.py asserts it.
"""

import contextlib
import csv
import io
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import numpy as np
from safetensors.numpy import load_file, save_file

from cgdmer_jax import load
from cgdmer_jax.contract import prepare
from cgdmer_jax.training import checkpoint
from cgdmer_jax.waveform import LEADS
from experiments import command, convert, export_model, pretrain
from tests.data.ptbxl_root import line, write_record, write_root
from tests.data.small_stores import write_store
from tests.experiments.toy_runs import toy_config, toy_known
from tests.interop.small_model import write_small_model
from tests.test_limb_leads import leads_of
from tests.test_waveform import heart


class Outcome(NamedTuple):
    """What a user gets: the exit code (None: an exception in Python), and the sentence."""

    code: int | None
    sentence: str


def run(main: Callable[[list[str]], int], words: list[str]) -> Outcome:
    """A command as its process would end."""
    out, err = io.StringIO(), io.StringIO()
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "argv", ["x", *words]),
    ):
        try:
            command.run(main)
        except SystemExit as end:
            code = end.code
    said = next((text for text in err.getvalue().splitlines() if text.startswith("error: ")), "")
    return Outcome(code, said.removeprefix("error: ") or out.getvalue())


def raised(call: Callable) -> Outcome:
    try:
        call()
    except ValueError as error:
        return Outcome(None, str(error))
    return Outcome(None, "nothing was refused")


# --- recordings: a small PTB-XL of four records, of which number 2 is bad --------------------------------------

SECOND = line(2)["filename_lr"]


def clean(number: int) -> np.ndarray:
    """Digital values [sample, lead] of two seconds that give no reason for any mark; another size each."""
    electrodes = np.array([-0.4, 0.3, 0.5, -0.4, 0.6, 0.4, 0.8, 1.0, 0.9])[:, None] * heart(leads=1, seconds=2)
    return np.rint((800 + 100 * number) * leads_of(*electrodes[:3], electrodes[3:]).T).astype("<i2")


def conversion(folder: Path, spoil: Callable[[Path, Path], None], **changes: str) -> Outcome:
    """Rejected: the sentence is that of rejected.csv. Marked: that of the summary. Else the error's."""
    lines = [line(1), line(2) | changes, line(3), line(4)]
    root = write_root(folder / "PTB-XL", lines)
    for number in range(1, 5):
        write_record(root / line(number)["filename_lr"], clean(number), 100)
    spoil(root, root / SECOND)
    return converted(root, folder / "store")


def converted(root: Path, out: Path) -> Outcome:
    words = ["--source=ptbxl", f"--root={root}", f"--out={out}", "--seconds=2", "--processes=1"]
    outcome = run(convert.main, words)
    if outcome.code == 0:
        with (out / "rejected.csv").open() as file:
            rejected = [row["reason"] for row in csv.DictReader(file)]
        if rejected:
            return Outcome(0, f"rejected.csv: {rejected[0]}")
        marked = [text.strip() for text in outcome.sentence.splitlines() if "1 records: " in text]
        return Outcome(0, "; ".join(marked))
    return outcome


def header(old: str, new: str) -> Callable[[Path, Path], None]:
    """Rewrites that text in the header of the record."""

    def spoil(root: Path, record: Path) -> None:
        file = record.with_suffix(".hea")
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    return spoil


def signal(change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path, Path], None]:
    """Rewrites the digital values [sample, lead], 1,000 a millivolt; the header agrees with them."""

    def spoil(root: Path, record: Path) -> None:
        write_record(record, change(clean(2)).astype("<i2"), 100)

    return spoil


def swapped(digital: np.ndarray) -> np.ndarray:
    """I becomes -I, II and III change places, aVR and aVL too."""
    return digital[:, [0, 2, 1, 4, 3, *range(5, 12)]] * np.where(np.arange(12) == 0, -1, 1)


def gap(digital: np.ndarray) -> np.ndarray:
    digital[50:56, 7] = -32768
    return digital


def flat(digital: np.ndarray) -> np.ndarray:
    digital[:, 7] = 30
    return digital


def cut_file(root: Path, record: Path) -> None:
    file = record.with_suffix(".dat")
    file.write_bytes(file.read_bytes()[:-100])


def flip_bit(root: Path, record: Path) -> None:
    file = record.with_suffix(".dat")
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)


def no_file(root: Path, record: Path) -> None:
    record.with_suffix(".dat").unlink()


def itself(root: Path, record: Path) -> None:
    record.with_suffix(".hea").write_text(f"{record.name}/2 12 100 200\n{record.name} 100\n{record.name} 100\n")


def nothing(root: Path, record: Path) -> None: ...


def full_disk_in_conversion(folder: Path) -> Outcome:
    root = write_root(folder / "PTB-XL", [line(1), line(2)])
    usage = mock.Mock(return_value=mock.Mock(free=1000))
    with mock.patch("cgdmer_jax.data.unfinished.shutil.disk_usage", usage):
        return converted(root, folder / "store")


def disk_fills_up_in_conversion(folder: Path) -> Outcome:
    root = write_root(folder / "PTB-XL", [line(1), line(2)])
    answer = ValueError("RESOURCE_EXHAUSTED: No space left on device")
    with mock.patch("cgdmer_jax.data.shard_writer.ts.open", side_effect=answer):
        return converted(root, folder / "store")


def unwritable_output(folder: Path) -> Outcome:
    (folder / "file").write_text("no folder")
    return converted(write_root(folder / "PTB-XL", [line(1)]), folder / "file" / "store")


# --- use of a model ---------------------------------------------------------------------------------------------


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
    return raised(lambda: load(folder / "model"))


def renamed(tensors: dict) -> None:
    tensors["params/temperature"] = tensors.pop("params/log_inverse_temperature")


def other_dtype(tensors: dict) -> None:
    name = "params/log_inverse_temperature"
    tensors[name] = tensors[name].astype(np.float16)


# --- training ---------------------------------------------------------------------------------------------------

REPORTS = [f"report number {row}" for row in range(60)]
NANO = "--config=configs/cgdmer.py:nano"


def training(folder: Path, *words: str) -> Outcome:
    return run(pretrain.main, [NANO, f"--workdir={folder / 'run'}", *words])


def other_rate(folder: Path) -> Outcome:
    first = write_store(folder / "store100", REPORTS)
    second = write_store(folder / "store50", REPORTS, rate=50.0, n_samples=60)
    return training(folder, f"--config.data.stores=('{first}','{second}')")


def toy_run(folder: Path) -> Path:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert pretrain.pretrain(toy_config(write_store(folder / "store", REPORTS)), folder / "run") == 0
    return folder / "run"


def full_disk_in_checkpoint(folder: Path) -> Outcome:
    failed = mock.Mock(side_effect=OSError(28, "No space left on device"))
    config = toy_config(write_store(folder / "store", REPORTS))
    with toy_known(), mock.patch.object(checkpoint.ocp, "save_async", failed):
        return run(lambda words: pretrain.pretrain(config, folder / "run"), [])


def half_deleted(folder: Path, name: str) -> Outcome:
    with toy_known():
        gone = toy_run(folder) / name
        shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
        return run(export_model.main, [f"--run={folder / 'run'}", f"--out={folder / 'model'}"])


def run_without_config(folder: Path) -> Outcome:
    with toy_known():
        (toy_run(folder) / "config.json").unlink()
        same = toy_config(str(folder / "store"))
        return run(lambda words: pretrain.pretrain(same, folder / "run"), [])


def changed_run(folder: Path) -> Outcome:
    with toy_known():
        config_file = toy_run(folder) / "config.json"
        config = json.loads(config_file.read_text())
        config["seed"] = 7
        config_file.write_text(json.dumps(config))
        same = toy_config(str(folder / "store"))
        return run(lambda words: pretrain.pretrain(same, folder / "run"), [])


def wrong_weights(folder: Path) -> Outcome:
    store = write_store(folder / "store", REPORTS)
    return training(folder, f"--config.data.stores={store}", f"--init_from={folder / 'nowhere'}")


class Case(NamedTuple):
    """`make` runs it in an empty folder; `code` and `words` (a regular expression) are what must come of it."""

    input: str
    make: Callable[[Path], Outcome]
    code: int | None
    words: str


def recording(spoil: Callable[[Path, Path], None], **changes: str) -> Callable[[Path], Outcome]:
    return lambda folder: conversion(folder, spoil, **changes)


CASES = (
    Case("no lead name is known", lambda f: prepared(f, leads=[f"E{n}" for n in range(12)]), None, "no lead among E0"),
    Case("a lead name occurs twice", recording(header("0 II\n", "0 I\n")), 0, 'lead "I" is described twice'),
    Case("arm electrodes exchanged", recording(signal(swapped)), 0, "suspicion of exchanged arm electrodes"),
    Case("a stretch without measurement (NaN)", recording(signal(gap)), 0, "a lead with gaps or clipped samples"),
    Case("a flat lead", recording(signal(flat)), 0, "a lead that was not recorded, flat or clipped"),
    Case("truncated .dat", recording(cut_file), 0, "has 4,700 bytes, its header promises 4,800"),
    Case("wrong checksum", recording(flip_bit), 0, "sums to .*, its header promises"),
    Case("a header that refers to itself", recording(itself), 0, "joins several segments"),
    Case("a header that announces 5,000 signals", recording(header("_lr 12 ", "_lr 5000 ")), 0, "at most 64"),
    Case("sampling rate 0", recording(header(" 12 100 ", " 12 0 ")), 0, 'its rate is "0"'),
    Case("gain 0", recording(header("1000.0(0)/mV", "0(0)/mV")), 0, "is uncalibrated"),
    Case("signal file missing", recording(no_file), 0, "00002_lr.dat does not exist"),
    Case(
        "a rate that is not the collection's",
        recording(header(" 12 100 ", " 12 200 ")),
        0,
        "200 Hz in a folder of 100 Hz",
    ),
    Case("microvolts said to be millivolts (record)", recording(header("1000.0(0)", "1(0)")), 0, "median peak-to-peak"),
    Case(
        "microvolts said to be millivolts (use)", lambda f: prepared(f, signal=1000 * heart(500)), None, 'likely "uV"'
    ),
    Case("a rate below the model's", lambda f: prepared(f, rate=50), None, "below the 100 Hz"),
    Case("[time, lead] instead of [lead, time]", lambda f: prepared(f, signal=heart(500).T), None, "transpose it"),
    Case("empty report", recording(nothing, report=" "), 0, "no clinical text"),
    Case("record id twice", recording(nothing, ecg_id="3"), 1, "lists record 3 2 times"),
    Case("patient in two splits", recording(nothing, strat_fold="9", patient_id="1"), 1, "a patient in folds 9 and 2"),
    Case("output that cannot be written", unwritable_output, 1, "file/store"),
    Case("too little disk for a conversion", full_disk_in_conversion, 1, "are free; free some"),
    Case("disk fills up during a conversion", disk_fills_up_in_conversion, 1, "it continues"),
    Case("disk full at a checkpoint", full_disk_in_checkpoint, 1, "the earlier ones are untouched"),
    Case(
        "unknown config field", lambda f: training(f, "--config.optimizer.step=3"), 1, 'Did you mean "optimizer.steps"'
    ),
    Case("config value of another type", lambda f: training(f, "--config.optimizer.steps=many"), 1, "many"),
    Case("no store at that path", lambda f: training(f, "--config.data.stores=nowhere"), 1, "there is no store"),
    Case("stores of different rates", other_rate, 1, "differ in rate"),
    Case("a path to weights that is wrong", wrong_weights, 1, "is not a whole run folder"),
    Case("a run folder of another config", changed_run, 1, "was written with another config"),
    Case("a run folder without input.json", lambda f: half_deleted(f, "input.json"), 1, "input.json is missing"),
    Case("a run folder without tokenizer", lambda f: half_deleted(f, "tokenizer"), 1, "no tokenizer.json"),
    Case("going on in a run folder without config.json", run_without_config, 1, "has no config.json; restore it"),
    Case("a run folder without checkpoints", lambda f: half_deleted(f, "checkpoints"), 1, "holds no checkpoint"),
    Case("model folder: a tensor renamed", lambda f: model(f, renamed), None, "is missing; params/temperature is not"),
    Case("model folder: a tensor of another dtype", lambda f: model(f, other_dtype), None, "F16.*expected F32"),
    Case("model folder: wrong path", lambda f: raised(lambda: load(f / "nowhere")), None, "there is no model folder"),
)


def outcome(case: Case, folder: Path) -> Outcome:
    """The case run in that empty folder, whose path is left out of the sentence."""
    code, sentence = case.make(folder)
    return Outcome(code, " ".join(sentence.replace(f"{folder}/", "").split()))
