"""Every setting of a conversion that changes a sample travels with the encoder: use gives what training saw."""

import dataclasses
import inspect
import json
from pathlib import Path

import numpy as np
import pytest

import cgdmer_jax
from cgdmer_jax.commands import evaluate, export_model
from cgdmer_jax.contract import CONVERSION, InputContract, prepare
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.data.readers.recording import Recording
from cgdmer_jax.data.sources.source import LabelClass, Source, SourceRecord
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.shard_writer import ShardJob
from cgdmer_jax.data.store.store import open_store
from cgdmer_jax.data.store.unfinished import settings_of
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.recipes.pretrain import pretrain
from cgdmer_jax.recipes.trained_run import load_run
from cgdmer_jax.waveform.conditioning import condition
from tests.outcome import run
from tests.toy_runs import toy_config, toy_known

LEADS = ("V6", "V5", "V4", "V3", "V2", "V1", "II", "I")  # eight, as many recorders give them
RATE = 500.0
BASE = {"rate": 100.0, "seconds": 2.0, "filter": "none", "derive_limb_leads": False}
# Each setting with another value. 2.003 s are 200.3 samples: the crop before resampling is not that of 2 s.
OTHER = {"rate": 125.0, "seconds": 2.003, "filter": "bandpass_0.5_40", "derive_limb_leads": True}
# `windows` says which seconds of a recording are taken, not what becomes of them.
CHANGES_NO_SAMPLE = {"source", "out", "processes", "progress", "rows_per_shard", "partial", "windows"}


def recording(row: int) -> np.ndarray:
    """Three seconds of slow waves in millivolts, other ones in each record and lead."""
    draw = np.random.default_rng(row)
    time = np.arange(1500) / RATE
    frequency, phase = draw.uniform(1, 12, (2, 8, 1)), draw.uniform(0, 6, (8, 1))
    return (np.sin(frequency[0] * time + phase) + 0.3 * np.cos(frequency[1] * time)).astype(np.float32)


def read(record: SourceRecord) -> Recording:
    return Recording(recording(record.location), RATE, LEADS, record.record_id)


def make_source() -> Source:
    records = [
        SourceRecord(f"r{row}", f"p{row}", row % 10 + 1, f"report {row}", None, None, None, {"t": ("A",)}, row)
        for row in range(40)
    ]
    return Source("synthetic", "none", "none", records, {"t": (LabelClass("A", "A"),)}, read, {}, RATE)


def write(folder: Path, **settings: object) -> str:
    convert(make_source(), folder, progress=False, **BASE | settings)
    return str(folder)


def test_each_setting_of_a_conversion_is_in_the_contract_or_changes_no_sample():
    chain = {name for name, of in inspect.signature(condition).parameters.items() if of.kind is of.KEYWORD_ONLY}
    assert chain == {"target_rate", *CONVERSION} - {"rate"}
    assert set(inspect.signature(convert).parameters) == {*CONVERSION, *CHANGES_NO_SAMPLE}
    of_job = {field.name for field in dataclasses.fields(ShardJob)}
    assert of_job - {*CONVERSION} <= {"out", "rows_per_shard", "n_rows", "read", "folder", "windows"}
    job = ShardJob(Path("out"), **BASE, rows_per_shard=1, n_rows=40, read=read)
    beside = {"format_version", "name", "cleaning_version", "own_cleaning", "windows"}
    beside |= {"rows_per_shard", "source_fingerprint"}
    assert settings_of(make_source(), job).keys() == {*CONVERSION, *beside}
    assert set(CONVERSION) == BASE.keys() == OTHER.keys() <= {field.name for field in dataclasses.fields(InputContract)}


@pytest.mark.parametrize("setting", [None, *CONVERSION])
def test_a_run_prepares_its_own_recordings_as_they_were_stored_and_knows_them_again(tmp_path, setting):
    changed = {setting: OTHER[setting]} if setting else {}
    path = write(tmp_path / "store", **changed)
    with toy_known():
        assert pretrain(toy_config(path), tmp_path / "run") == 0
        assert export_model.main([f"--run={tmp_path / 'run'}", f"--out={tmp_path / 'model'}"]) == 0
        encoder = cgdmer_jax.load(tmp_path / "model")
    store = open_store(path)
    stored = store.read(np.arange(40))
    for row in range(40):
        made = prepare(encoder.contract, recording(row), RATE, LEADS, "mV")
        np.testing.assert_array_equal(made.signal, stored[row])
        np.testing.assert_array_equal(made.lead_mask, store.column("lead_mask")[row])
    trained = np.isin(np.arange(40) % 10 + 1, range(1, 9))  # folds 1-8
    found = encoder.was_trained_on(map(recording, range(40)), RATE, LEADS, "mV")
    assert found.tolist() == trained.tolist()


@pytest.mark.parametrize("setting", CONVERSION)
def test_stores_that_differ_in_one_setting_do_not_go_together_nor_with_the_others_run(tmp_path, setting):
    base, other = write(tmp_path / "base"), write(tmp_path / "other", **{setting: OTHER[setting]})
    with pytest.raises(CgdmerError, match=f"differ in {setting} "):
        open_corpus([base, other])
    with toy_known():
        pretrain(toy_config(base), tmp_path / "run")
        words = [f"--run={tmp_path / 'run'}", f"--store={other}", "--split=validation"]
        end = run(evaluate.main, words)
        with pytest.raises(CgdmerError, match=f"was trained with {setting} {BASE[setting]}, here it is"):
            config = toy_config(other)
            config.data.tokenizer = str(tmp_path / "run/tokenizer")
            pretrain(config, tmp_path / "second", init_from=str(tmp_path / "run"))
    assert end.code == 1 and f"has {setting} {OTHER[setting]}, the run was trained with {BASE[setting]}" in end.sentence


def test_an_earlier_runs_contract_says_nothing_of_derived_leads_and_is_completed_from_its_own_store(tmp_path):
    path = write(tmp_path / "store", derive_limb_leads=True)
    with toy_known():
        pretrain(toy_config(path), tmp_path / "run")
        contract = load_run(tmp_path / "run", None).contract
        file = tmp_path / "run/input.json"
        values = json.loads(file.read_text())
        del values["derive_limb_leads"], values["sha256"]  # as it was written then
        file.write_text(json.dumps(values))
        assert load_run(tmp_path / "run", None).contract == dataclasses.replace(contract, derive_limb_leads=False)
        assert export_model.main([f"--run={tmp_path / 'run'}", f"--out={tmp_path / 'model'}"]) == 0
        assert cgdmer_jax.load(tmp_path / "model").contract.derive_limb_leads
        assert pretrain(toy_config(path), tmp_path / "run") == 0  # goes on, that is: it is done
        assert load_run(tmp_path / "run", None).contract == contract
