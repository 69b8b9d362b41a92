"""A run folder belongs to one config and to one process."""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys

import pytest

from cgdmer_jax.config import flat
from cgdmer_jax.contract import UNIT, InputContract, TrainedOn
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.json_file import MOST_BYTES
from cgdmer_jax.training.run_folder import YOUNGER, RunFolder, check_config
from cgdmer_jax.waveform.conditioning import LEADS
from cgdmer_jax.whole_file import write_json

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
    assert [start["command"] for start in run.starts()] == ["first", "second"]
    assert sorted(p.name for p in run.path.iterdir()) == ["config.json", "environment.json", "input.json"]


def test_the_contract_of_a_run_on_millions_of_recordings_is_read_back(tmp_path):
    """CODE has 2.3 million recordings of 1.7 million patients; here a million patients, 75 MB of JSON."""
    many = dataclasses.replace(
        CONTRACT, trained_on=(TrainedOn("code", "f" * 64, ("a" * 64,) * 1_000_000, ("b" * 16,)),)
    )
    run = RunFolder(tmp_path)
    run.begin(CONFIG, {"command": "first"}, many)
    assert (tmp_path / "input.json").stat().st_size > MOST_BYTES and run.contract() == many


def test_what_a_start_measured_stands_in_its_own_entry(tmp_path):
    run = begun(tmp_path / "run")
    run.finish({"last_step": 3})
    run.begin(CONFIG, {"command": "killed"}, CONTRACT)  # a start that was killed has no figures
    run.begin(CONFIG, {"command": "third"}, CONTRACT)
    run.finish({"last_step": 9})
    assert run.starts() == [
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


@pytest.mark.parametrize(
    ("name", "kind"), [("dataset.json", "a store"), ("model.safetensors", "a model folder"), (".git", "a project")]
)
def test_a_folder_of_another_kind_starts_no_run(tmp_path, name, kind):
    (tmp_path / name).touch()
    with pytest.raises(CgdmerError, match=f"is {kind}; name a new folder, such as"):
        RunFolder(tmp_path).check({}, ())


def test_a_folder_of_runs_starts_no_run_of_its_own(tmp_path):
    begun(tmp_path / "first").checkpoints.mkdir()
    with pytest.raises(CgdmerError, match=r"is a folder of runs \(first\); name a new folder"):
        RunFolder(tmp_path).check({}, ())


@pytest.mark.parametrize("name", ["tokenizer", "tensorboard", "lost+found", "code", ".hydra"])
def test_what_a_start_leaves_or_a_scheduler_makes_stops_no_new_run(tmp_path, name):
    (tmp_path / name).mkdir()
    (tmp_path / "slurm-1.out").write_text("")
    RunFolder(tmp_path).check({}, ())
    assert sorted(one.name for one in tmp_path.iterdir()) == sorted([name, "slurm-1.out"]), "nothing is touched"


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(CgdmerError, match="file is a file; name a folder"):
        RunFolder(tmp_path / "file").check({}, ())


def test_a_missing_or_broken_file_of_the_folder_is_named(tmp_path):
    with pytest.raises(CgdmerError, match=r"config\.json is missing, so .* is not a whole run folder"):
        RunFolder(tmp_path).config()
    run = begun(tmp_path / "run")
    (run.path / "config.json").write_text("{")
    with pytest.raises(CgdmerError, match=r"config\.json is not valid JSON"):
        run.check(CONFIG, ())


def flipped(path, old: str, new: str):
    content = path.read_text()
    assert old in content
    path.write_text(content.replace(old, new, 1))


@pytest.mark.parametrize(
    ("name", "old", "new", "read"),
    [
        ("config.json", '"seed": 0', '"seed": 2', RunFolder.config),
        ("config.json", '"tokenizer/tokenizer.json"', '"tokenizer/tokenizer.jsoo"', RunFolder.config),
        ("config.json", '"sha256"', '"sha257"', RunFolder.config),
        ("input.json", '"rate": 50.0', '"rate": 51.0', RunFolder.contract),
        ("input.json", '"name": "synthetic"', '"name": "syntheuic"', RunFolder.contract),
        ("environment.json", "first", "fisst", RunFolder.starts),
        ("tokenizer/tokenizer.json", "rhythm", "rhytim", RunFolder.checked_tokenizer),
    ],
)
def test_one_other_letter_in_a_file_is_named(tmp_path, name, old, new, read):
    run = RunFolder(tmp_path / "run")
    (run.path / "tokenizer").mkdir(parents=True)
    (run.path / "tokenizer/tokenizer.json").write_text('{"rhythm": 7}')
    run.begin(CONFIG, {"command": "first"}, CONTRACT)
    read(run)
    flipped(run.path / name, old, new)
    with pytest.raises(CgdmerError, match=rf"{name} (differs from what was written|has lost its sha256)"):
        read(run)


def without_hashes(run: RunFolder) -> None:
    """The folder as commit b09bd52 wrote it."""
    for name in ("config.json", "input.json"):
        fields = json.loads((run.path / name).read_text())
        (run.path / name).write_text(json.dumps({k: v for k, v in fields.items() if k not in ("sha256", "files")}))
    (run.path / "environment.json").write_text(json.dumps(run.starts()))


def test_an_older_folder_is_read_goes_on_and_is_sealed_from_then_on(tmp_path):
    run = begun(tmp_path / "run")
    (run.path / "tokenizer").mkdir()
    (run.path / "tokenizer/tokenizer.json").write_text("{}")
    without_hashes(run)
    assert flat(run.config()) == flat(CONFIG) and run.contract() == CONTRACT
    assert run.checked_tokenizer() == run.tokenizer and run.starts() == [{"command": "first"}]
    run.check(CONFIG, ())
    run.begin(CONFIG, {"command": "second"}, run.contract())
    assert [start["command"] for start in run.starts()] == ["first", "second"]
    (run.path / "tokenizer/tokenizer.json").write_text("{ }")
    with pytest.raises(CgdmerError, match=r"tokenizer\.json differs from what was written"):
        run.checked_tokenizer()


def test_a_kill_between_any_two_writes_of_a_start_leaves_a_folder_that_goes_on(tmp_path, monkeypatch):
    """Each file holds its own hash, so that old and new ones may stand beside each other."""
    changed_config = CONFIG | {"run": {"log_every": 99}}
    for n_written in range(4):
        run = begun(tmp_path / f"run{n_written}")
        before, counter = os.replace, iter(range(9))

        def killed(source, target, before=before, counter=counter, limit=n_written):
            if next(counter) == limit:
                raise KeyboardInterrupt
            before(source, target)

        with monkeypatch.context() as patch, contextlib.suppress(KeyboardInterrupt):
            patch.setattr(os, "replace", killed)
            run.begin(changed_config, {"command": "second"}, CONTRACT)
        run.check(changed_config, ())
        assert run.contract() == CONTRACT and run.starts()[0] == {"command": "first"}
        run.begin(changed_config, {"command": "third"}, CONTRACT)
        assert flat(run.config()) == flat(changed_config)


def test_an_edit_of_config_json_is_told_how_fields_are_changed(tmp_path):
    run = begun(tmp_path / "run")
    file = run.path / "config.json"
    file.write_text(file.read_text().replace('"seed": 0', '"seed": 2'))
    with pytest.raises(CgdmerError, match=r"differs .* undo the edit, .* --allow_changed=a\.b$"):
        run.check(CONFIG, ())


def test_a_field_younger_than_the_run_has_the_value_of_then(tmp_path):
    run = begun(tmp_path / "run")
    assert run.unsaid() == YOUNGER and RunFolder(tmp_path / "none").unsaid() == {}
    run.check(changed(min_patients=1), ())
    with pytest.raises(CgdmerError, match=r"data\.min_patients: 1 -> 5"):
        run.check(changed(min_patients=5), ())


@pytest.mark.parametrize("content", ["[" * 200_000, "[]", '"text"', "5"])
def test_a_file_of_another_kind_is_one_sentence(tmp_path, content):
    run = begun(tmp_path / "run")
    for name, read in (("config.json", run.config), ("input.json", run.contract), ("environment.json", run.starts)):
        (run.path / name).write_text(content)
        if not (content == "[]" and name == "environment.json"):
            with pytest.raises(CgdmerError, match=f"{name} is "):
                read()


def test_a_file_is_whole_or_absent(tmp_path, monkeypatch):
    write_json(tmp_path / "a.json", {"a": 1})

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", killed)
    with pytest.raises(KeyboardInterrupt):
        write_json(tmp_path / "a.json", {"a": 2})
    assert json.loads((tmp_path / "a.json").read_text()) == {"a": 1}
