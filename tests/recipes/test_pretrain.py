"""The pretrain command around a method it has never heard of: what is refused, continued, inherited and printed."""

import json
import re
import shutil

import numpy as np
import pytest

from cgdmer_jax.commands.pretrain import main
from cgdmer_jax.data.corpus import open_corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.recipes import build
from cgdmer_jax.recipes import training_run as room
from cgdmer_jax.recipes.pretrain import pretrain, training_lines
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.log import untimed
from cgdmer_jax.training.run_folder import RunFolder
from tests.data.small_stores import rewrite_info, write_store
from tests.sealed_files import rewrite
from tests.toy_runs import toy_config, toy_known
from tests.training.event_files import read_events
from tests.training.toy import bytes_of

CANARY = "quokka"  # a word of every report


@pytest.fixture(scope="module", autouse=True)
def toy():
    with toy_known():
        yield


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return write_store(tmp_path_factory.mktemp("store") / "s", [f"{CANARY} number {row}" for row in range(60)])


@pytest.fixture
def config(store):
    return toy_config(store)


@pytest.fixture(scope="module")
def finished(store, tmp_path_factory):
    run = tmp_path_factory.mktemp("finished") / "run"
    assert pretrain(toy_config(store), run) == 0
    return run


@pytest.fixture
def run(finished, tmp_path):
    """A copy of a finished run: a copied folder is as good as the first."""
    return shutil.copytree(finished, tmp_path / "run")


def weights(workdir, like):
    return bytes_of(Checkpoints(workdir / "checkpoints", 9).restore_latest_variables(like, print))


def state_of(config, workdir):
    """A state of the run's shape, to restore into."""
    caught = []

    def catch(state, *rest, **more):
        caught.append(state)
        return state, 0

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(room.loop, "train", catch)
        pretrain(config, workdir)
    return caught[0]


def test_a_run_leaves_the_folder_of_the_design(run):
    names = {p.name for p in run.iterdir()}
    assert names == {"config.json", "environment.json", "metrics.jsonl", "checkpoints", "tokenizer", "input.json"}
    steps = [r["step"] for r in read_metrics(run / "metrics.jsonl") if "loss" in r]
    assert steps == [1, 2, 3, 4, 5, 6]
    environment = json.loads((run / "environment.json").read_text())
    assert {"command", "commit", "devices", "python", "packages"} <= environment[0].keys()


def test_every_start_says_what_it_did_and_how_fast(config, run):
    config.optimizer.steps = 8
    assert pretrain(config, run, allowed=("optimizer.steps",)) == 0
    assert pretrain(config, run) == 0
    starts = json.loads((run / "environment.json").read_text())
    assert [(s["first_step"], s["last_step"]) for s in starts] == [(0, 6), (6, 8), (8, 8)]
    assert all(s["records_per_second"] == pytest.approx(steps * 4 / s["seconds"], rel=0.5)
               for s, steps in zip(starts[:2], (6, 2), strict=True) if s["seconds"] > 0.1)  # fmt: skip
    assert starts[2]["records_per_second"] is None


def test_validation_reports_the_loss_its_terms_and_recall(run):
    records = [r for r in read_metrics(run / "metrics.jsonl") if "validation_loss" in r]
    assert [r["step"] for r in records] == [3, 6]
    assert {"validation_bias", "validation_ecg_to_text_recall_at_10"} <= records[0].keys()


def test_the_same_command_after_the_end_changes_nothing_but_the_list_of_starts(config, run):
    kept = {p: p.read_bytes() for p in run.rglob("*") if p.is_file() and p.name != "environment.json"}
    assert pretrain(config, run) == 0
    assert {p: p.read_bytes() for p in kept} == kept
    assert len(json.loads((run / "environment.json").read_text())) == 2


def test_a_damaged_newest_checkpoint_is_told_removed_and_made_again(config, run, capsys):
    curve = [untimed(r) for r in read_metrics(run / "metrics.jsonl")]
    before = weights(run, state_of(config, run))
    data = max((run / "checkpoints" / "6").rglob("*"), key=lambda p: p.stat().st_size if p.is_file() else 0)
    content = bytearray(data.read_bytes())
    content[len(content) // 2] ^= 1
    data.write_bytes(content)
    state_of(config, run)  # up to where the loop would begin
    assert Checkpoints(run / "checkpoints", 9).steps()[-1] == 4
    assert pretrain(config, run) == 0
    printed = capsys.readouterr().out
    assert str(data) in printed and "continuing at step 4" in printed
    assert [untimed(r) for r in read_metrics(run / "metrics.jsonl")] == curve
    assert weights(run, state_of(config, run)) == before


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"seed": 1}, "seed: 0 -> 1"),
        ({"optimizer.learning_rate": 0.5}, "optimizer.learning_rate: 0.0015 -> 0.5"),
        ({"data.stores": ("nowhere",)}, r"data.stores: .* -> \['nowhere'\]"),  # before the store is even looked for
        ({"data.batch_size": 5}, "data.batch_size: 4 -> 5"),
    ],
)
def test_another_config_is_refused_with_old_and_new_values(config, run, change, sentence):
    config.update_from_flattened_dict(change)
    with pytest.raises(CgdmerError, match=sentence):
        pretrain(config, run)


def test_intervals_may_differ_and_allowed_fields_too_and_are_recorded(config, run):
    config.run.log_every = 3
    assert pretrain(config, run) == 0
    config.optimizer.steps = 8
    with pytest.raises(CgdmerError, match="steps: 6 -> 8"):
        pretrain(config, run)
    assert pretrain(config, run, allowed=("optimizer.steps",)) == 0
    assert RunFolder(run).config()["optimizer"]["steps"] == 8 and RunFolder(run).config()["run"]["log_every"] == 3
    assert Checkpoints(run / "checkpoints", 9).steps()[-1] == 8


def test_a_mistyped_allowed_field_is_refused(tmp_path):
    words = ["--config=configs/cgdmer.py:nano", f"--workdir={tmp_path / 'run'}", "--allow_changed=optimizer.step"]
    with pytest.raises(CgdmerError, match=r'no field optimizer\.step\. Did you mean "optimizer\.steps"'):
        main(words)


def test_a_store_that_was_converted_again_is_refused(config, tmp_path):
    config.data.stores = (write_store(tmp_path / "s", ["one report"] * 60),)
    pretrain(config, tmp_path / "run")
    (tmp_path / "s").rename(tmp_path / "old")
    write_store(tmp_path / "s", ["one report"] * 59 + ["another"])
    with pytest.raises(CgdmerError, match=r"input\.json does not fit the stores"):
        pretrain(config, tmp_path / "run")


def test_stores_of_two_rates_are_refused(config, tmp_path):
    other = write_store(tmp_path / "s", ["a report"] * 20, rate=50.0, n_samples=60)
    config.data.stores = (*config.data.stores, other)
    with pytest.raises(CgdmerError, match="differ in rate"):
        pretrain(config, tmp_path / "run")


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"data.stores": ("nowhere",)}, "there is no store at nowhere"),
        ({"data.batch_size": 4000}, "batch_size 4000 does not fit"),
        ({"data.batch_size": 0}, "config.data.batch_size is 0; give a whole number"),
        ({"run.validation_records": 3}, "fewer than config.data.batch_size 4"),
        ({"run.log_every": 0}, "config.run.log_every is 0"),
        ({"optimizer.steps": 0}, "config.optimizer.steps is 0"),
        ({"optimizer.rate_factors": (("nothing", 2.0),)}, "matches no parameter"),
        ({"method_name": "toi"}, 'Did you mean "toy"'),
    ],
)
def test_what_cannot_run_is_refused_before_a_folder_is_made(config, tmp_path, change, sentence):
    config.update_from_flattened_dict(change)
    with pytest.raises(CgdmerError, match=sentence):
        pretrain(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_folder_in_use_is_refused(config, tmp_path):
    with RunFolder(tmp_path / "run").locked():
        with pytest.raises(CgdmerError, match="another process is training"):
            pretrain(config, tmp_path / "run")
    assert pretrain(config, tmp_path / "run") == 0


def test_given_weights_are_those_of_step_0_and_the_other_run_is_needed_no_more(config, store, run, tmp_path):
    first, second = run, tmp_path / "second"
    theirs = weights(first, state_of(config, first))
    # another schedule and clipping: the optimiser of the other run is not asked for
    other = toy_config(store, warmup_fraction=0.5, clip_norm=9.0, final_fraction=0.5)
    other.data.tokenizer = str(first / "tokenizer")
    other.run.keep_last = 9
    assert pretrain(other, second, init_from=str(first)) == 0
    checkpoints = Checkpoints(second / "checkpoints", 9)
    like = state_of(other, second)
    assert bytes_of(checkpoints.restore_variables(0, like).variables) == theirs
    assert bytes_of(checkpoints.restore_variables(6, like).variables) != theirs
    assert not any(bytes_of(checkpoints.restore(0, like).optimizer)[0].strip(b"\0"))
    first.rename(tmp_path / "gone")
    other.data.tokenizer = str(first / "tokenizer")  # its path is part of the config, its content of the run
    assert pretrain(other, second) == 0


def test_a_run_of_given_weights_has_seen_what_they_had_seen(config, run, tmp_path):
    first, second = run, tmp_path / "second"
    config.data.stores = (write_store(tmp_path / "s", ["a report of another store"] * 60, first_value=5),)
    config.data.tokenizer = str(first / "tokenizer")
    pretrain(config, second, init_from=str(first))
    seen = RunFolder(second).contract().trained_on
    assert len(seen) == 2 and set(RunFolder(first).contract().trained_on) < set(seen)


def test_given_weights_of_other_word_pieces_or_without_checkpoint_are_refused(config, run, tmp_path):
    first = run
    config.data.vocabulary = 40
    with pytest.raises(CgdmerError, match=f"trained with other word pieces.*tokenizer={first / 'tokenizer'}"):
        pretrain(config, tmp_path / "second", init_from=str(first))
    with pytest.raises(CgdmerError, match="is not a whole run folder"):
        pretrain(config, tmp_path / "second", init_from=str(tmp_path / "none"))
    config.data.vocabulary = 60
    (first / "checkpoints").rename(tmp_path / "moved")
    with pytest.raises(CgdmerError, match=f"--init_from={first} has no checkpoint"):
        pretrain(config, tmp_path / "second", init_from=str(first))
    assert not (tmp_path / "second").exists()


def test_no_report_and_no_patient_is_printed_or_logged(config, tmp_path, capfd):
    run = tmp_path / "run"
    config.run.mirrors = ("tensorboard",)
    pretrain(config, run)
    pretrain(config, run)
    printed = capfd.readouterr()
    files = [p for p in run.rglob("*") if p.is_file() and "tokenizer" not in p.parts and "state" not in p.parts]
    mirrored = [p for p in files if "tensorboard" in p.parts]
    assert mirrored
    # Text alone: among the bytes of numbers and checksums anything may stand by chance.
    events = [str(event) for p in mirrored for event in read_events(p)]
    written = [printed.out, printed.err, *events, *(p.read_text() for p in files if p not in mirrored)]
    assert CANARY in (run / "tokenizer" / "tokenizer.json").read_text(), "the canary is in no report"
    for text in written:
        assert CANARY not in text
        assert not re.search(r"synthetic:|\bp\d+\b", text)


def test_a_kill_while_the_folder_is_begun_leaves_one_that_any_config_may_take(config, tmp_path, monkeypatch):
    run = tmp_path / "run"
    real = RunFolder.begin

    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(RunFolder, "begin", killed)
    with pytest.raises(KeyboardInterrupt):
        pretrain(config, run)
    monkeypatch.setattr(RunFolder, "begin", real)
    config.data.vocabulary = 40
    assert pretrain(config, run) == 0


def test_the_first_start_caches_the_tokens_in_the_store_and_the_run_keeps_its_tokenizer_alone(config, tmp_path):
    config.data.stores = (write_store(tmp_path / "s", ["one report"] * 60),)
    pretrain(config, tmp_path / "run")
    (cache,) = (tmp_path / "s" / "cache").iterdir()
    before = cache.stat().st_mtime_ns
    pretrain(config, tmp_path / "run")
    assert cache.stat().st_mtime_ns == before and cache.suffix == ".npz"
    assert [p.name for p in (tmp_path / "run" / "tokenizer").iterdir()] == ["tokenizer.json"]


def test_a_store_whose_reports_were_cleaned_by_other_rules_is_refused(config, tmp_path):
    store = rewrite_info(write_store(tmp_path / "s", ["one report"] * 60), cleaning_version=99)
    config.data.stores = (store,)
    with pytest.raises(CgdmerError, match=rf"{store} were cleaned by version 99 .*; convert its source again"):
        pretrain(config, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_the_contract_has_the_cleaning_version_of_the_store(config, tmp_path):
    """The program's own number says nothing of the texts that the run sees."""
    corpus = open_corpus([rewrite_info(write_store(tmp_path / "s", ["one report"] * 60), cleaning_version=99)])
    tokenizer = build.make_tokenizer(config, corpus)
    assert build.make_contract(corpus, tokenizer, "record_std").cleaning_version == "99"


def test_marked_records_are_left_out_of_training_and_counted(config, store, monkeypatch, capsys):
    corpus = open_corpus((store,))
    marked = np.arange(corpus.n_records) % 3 == 0
    monkeypatch.setattr(type(corpus), "marked", lambda self, lines, column: marked[lines])
    lines = training_lines(corpus, ("lead_flagged",))
    assert capsys.readouterr().out == "16 of 48 training records are left out: lead_flagged\n"
    assert lines.tolist() == [line for line in corpus.lines("train") if line % 3]


def test_a_run_that_is_older_than_a_field_goes_on_as_it_was_begun(config, run):
    """Made before data.min_patients, when a vocabulary took every word: the same command goes on, however often."""
    data = {name: value for name, value in RunFolder(run).config()["data"].items() if name != "min_patients"}
    rewrite(run / "config.json", data=data)
    for steps in (8, 10):
        config.optimizer.steps = steps
        assert pretrain(config, run, allowed=("optimizer.steps",)) == 0
        assert RunFolder(run).unsaid()["data.min_patients"] == 1


def test_a_tokenizer_that_was_damaged_is_refused_when_the_run_goes_on(config, run):
    tokenizer = run / "tokenizer/tokenizer.json"
    tokenizer.write_text(tokenizer.read_text().replace(CANARY, CANARY[::-1], 1))
    config.optimizer.steps = 8
    with pytest.raises(CgdmerError, match=r"tokenizer\.json differs from what was written"):
        pretrain(config, run, allowed=("optimizer.steps",))
