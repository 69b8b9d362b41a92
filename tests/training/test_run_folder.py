"""A run folder belongs to one config and to one process."""

import json
import os
import subprocess
import sys

import pytest

from cgdmer_jax.contract import UNIT, InputContract, TrainedOn
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.training.run_folder import RunFolder, check_config, flat, write_json
from cgdmer_jax.waveform import LEADS

CONTRACT = InputContract(
    rate=50.0,
    seconds=10.0,
    unit=UNIT,
    leads=LEADS,
    filter="none",
    scaling="record_std",
    cleaning_version="1",
    tokenizer_sha256="0" * 64,
    trained_on=(TrainedOn("synthetic", "f" * 64, ("a" * 64,), ("b" * 16,)),),
)
CONFIG = {"seed": 0, "data": {"stores": ("a", "b"), "batch_size": 8}, "run": {"log_every": 10}}


def begun(path) -> RunFolder:
    run = RunFolder(path)
    with run.locked():
        run.begin(CONFIG, {"command": "first"}, CONTRACT)
    return run


def changed(**fields) -> dict:
    return CONFIG | {"data": CONFIG["data"] | fields}


def test_what_begin_writes_is_read_back(tmp_path):
    run = begun(tmp_path / "run")
    assert flat(run.config()) == flat(CONFIG)
    assert run.contract() == CONTRACT
    run.begin(CONFIG, {"command": "second"}, CONTRACT)
    known = json.loads((run.path / "environment.json").read_text())
    assert [e["command"] for e in known] == ["first", "second"]
    assert sorted(p.name for p in run.path.iterdir()) == ["config.json", "environment.json", "input.json"]


def test_what_a_start_measured_stands_in_its_own_entry(tmp_path):
    run = begun(tmp_path / "run")
    run.finish({"last_step": 3})
    run.begin(CONFIG, {"command": "killed"}, CONTRACT)  # a start that was killed has no figures
    run.begin(CONFIG, {"command": "third"}, CONTRACT)
    run.finish({"last_step": 9})
    assert json.loads((run.path / "environment.json").read_text()) == [
        {"command": "first", "last_step": 3},
        {"command": "killed"},
        {"command": "third", "last_step": 9},
    ]


def test_another_config_is_refused_with_old_and_new_values(tmp_path):
    run = begun(tmp_path / "run")
    with pytest.raises(CgdmerError) as caught:
        run.check(changed(batch_size=16) | {"seed": 1}, ())
    assert "data.batch_size: 8 -> 16; seed: 0 -> 1" in str(caught.value)
    with pytest.raises(CgdmerError, match=r"data\.stores: \['a', 'b'\] -> \['a'\]"):
        run.check(changed(stores=("a",)), ())


def test_the_same_config_intervals_and_allowed_fields_may_differ(tmp_path):
    run = begun(tmp_path / "run")
    run.check(CONFIG, ())
    run.check(CONFIG | {"run": {"log_every": 99}}, ())
    run.check(changed(batch_size=16), ("data.batch_size",))
    with pytest.raises(CgdmerError, match="seed: 0 -> 1"):
        run.check(changed(batch_size=16) | {"seed": 1}, ("data.batch_size",))


def test_a_field_that_only_one_side_has_is_a_difference(tmp_path):
    for old, new in ((CONFIG, CONFIG | {"extra": 1}), (CONFIG | {"extra": 1}, CONFIG)):
        with pytest.raises(CgdmerError, match="extra: "):
            check_config(old, new, (), tmp_path)
    check_config(CONFIG, CONFIG | {"runner": 1}, ("runner",), tmp_path)
    with pytest.raises(CgdmerError, match="runner"):  # not under `run`
        check_config(CONFIG, CONFIG | {"runner": 1}, (), tmp_path)


def test_an_empty_folder_takes_any_config(tmp_path):
    run = RunFolder(tmp_path)
    run.check(CONFIG, ())
    assert not run.exists() and not list(tmp_path.iterdir())


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    code = (
        "import sys, pathlib\n"
        "from cgdmer_jax.training.run_folder import RunFolder\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).locked():\n"
        "    print('locked', flush=True); sys.stdin.read()"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "run")], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        assert holder.stdout.readline() == b"locked\n"
        with pytest.raises(CgdmerError, match="another process is training in"), RunFolder(tmp_path / "run").locked():
            pass
    finally:
        holder.kill()  # as kill -9 does: the lock ends with the process
        holder.communicate()
    with RunFolder(tmp_path / "run").locked():
        pass
    assert list((tmp_path / "run").iterdir()) == []


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with (
            pytest.raises(CgdmerError, match=r"cannot be written .*; choose a folder you own"),
            RunFolder(path).locked(),
        ):
            pass


def test_a_missing_or_broken_file_of_the_folder_is_named(tmp_path):
    with pytest.raises(CgdmerError, match=r"config\.json is missing, so .* is not a whole run folder"):
        RunFolder(tmp_path).config()
    run = begun(tmp_path / "run")
    (run.path / "config.json").write_text("{")
    with pytest.raises(CgdmerError, match=r"config\.json is no JSON"):
        run.check(CONFIG, ())


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"a": 1})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_json(tmp_path / "a.json", {"a": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
