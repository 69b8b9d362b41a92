"""One run of a study: trained, evaluated and described in a process of its own."""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from cgdmer_jax import early_stop, provenance
from cgdmer_jax.config import flat
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluation_folders import needed_folder, scored_folder
from cgdmer_jax.invocation import module_words
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.results import RESULTS, read_results
from cgdmer_jax.metrics.score_key import ScoreKey, key_of
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.npz_file import read_arrays
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.short_paths import short_fields, short_words
from cgdmer_jax.studies import paired
from cgdmer_jax.studies.finished_runs import STORE, json_path
from cgdmer_jax.studies.grid import Planned
from cgdmer_jax.studies.study import Study
from cgdmer_jax.studies.table import write_lines
from cgdmer_jax.training.run_folder import RunFolder


def run_folder(one: Planned, workdir: Path) -> Path:
    """Another config of the same name is another folder."""
    return workdir / f"{one.row}-seed{one.seed}-{one.sha256[:8]}"


def run_one(one: Planned, study: Study, corpus: Corpus, workdir: Path, out: Path) -> int:
    """Trains and scores in processes of their own (clean memory), then writes the JSON; the exit code."""
    run = run_folder(one, workdir)
    commands = {
        "pretrain": [*one.words(), f"--workdir={run}"],
        "evaluate": [f"--run={run}", f"--store={corpus.stores[0].path}", f"--split={study.split}", *study.evaluate],
    }
    seconds = {}
    for name, words in commands.items():
        print(f"--- {one.row} seed {one.seed}: {name}", flush=True)
        if name == "evaluate" and is_scored(run, words, study, corpus, one.config.optimizer.steps):
            print("scored already")
            continue
        begun = time.monotonic()
        code = run_child([sys.executable, *module_words(name), *words])
        seconds[name] = round(time.monotonic() - begun, 1)
        if code != 0:
            return code
    head = describe(one, run) | {STORE: corpus.fingerprint, "wall_seconds": seconds}
    head["commands"] = {n: " ".join(["python", *module_words(n), *short_words(w)]) for n, w in commands.items()}
    scored = needed_folder(run, corpus, study.split)
    head["evaluation_commit"] = read_results(scored / RESULTS)["commit"]
    rows, samples = kept_rows(run, study, scored)
    # The JSON says that the run is finished, so it comes last.
    path = json_path(one, study, out)
    paired.save_samples(path.with_suffix(".npz"), samples)
    write_lines(path, head, rows)
    return 0


def is_scored(run: Path, words: list[str], study: Study, corpus: Corpus, steps: int) -> bool:
    """Whether the finished run has its results by these very words; an hour's work of before is not done again."""
    scored = scored_folder(run, corpus, study.split)
    if scored is None:
        return False
    results = read_results(scored / RESULTS)
    same_words = shlex.split(results["command"])[-len(words) :] == short_words(words)
    return same_words and results["origin"].get("step") == steps


def run_child(words: list[str]) -> int:
    """Its exit code; Ctrl-C and SIGTERM are handed on, waited for, and end in 75 whatever the child was doing."""
    children, told = [], []

    def tell(number, _):
        told.append(number)
        for child in children:
            child.terminate()

    # Before the child begins: a signal between the two would end this process and leave the child at work.
    before = {number: signal.signal(number, tell) for number in early_stop.SIGNALS}
    try:
        # A session of its own: Ctrl-C in a terminal would otherwise reach it twice, and twice means at once.
        children.append(subprocess.Popen(words, start_new_session=True))
        if told:
            children[0].terminate()
        code = children[0].wait()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if told:
        return early_stop.PREEMPTED
    if code < 0:
        print(f"it was killed by signal {-code}")
    return code


def describe(one: Planned, run: Path) -> dict:
    """Everything of the JSON but its rows and commands."""
    lines = read_metrics(run / "metrics.jsonl")
    training = [line for line in lines if "records_per_second" in line]
    validation = [line for line in lines if "validation_loss" in line]
    if not training or not validation:
        raise CgdmerError(
            f"{run / 'metrics.jsonl'} has no line of a training step or of a validation; let the grid's overrides "
            "have config.run.log_every and validate_every no larger than config.optimizer.steps"
        )
    rates = sorted(line["records_per_second"] for line in training if line["records_per_second"])
    steps = training[-1]["step"]
    records, starts = steps * one.config.data.batch_size, RunFolder(run).starts()
    return {
        "row": one.row,
        "seed": one.seed,
        "overrides": short_fields(one.overrides),
        "config_sha256": one.sha256,
        "config": short_fields(flat(one.config.to_dict())),
        "command": provenance.command_line(),
        "commit": commit(),
        "environment": environment(),
        "run": run.name,
        "n_starts": len(starts),
        # A start that found nothing left to do has no steps; one that was killed does not know them.
        "training_commits": sorted({str(s.get("commit")) for s in starts if s.get("first_step", 0) != steps}),
        "steps": steps,
        # From the median rate, so that it holds for a run of several sittings too; null for a very short one.
        "training_seconds": round(records / rates[len(rates) // 2], 1) if rates else None,
        "metrics": {
            "training": training[-1],
            "validation": validation[-1],
            "gradients": [line for line in lines if any(n.startswith("gradient_norm_") for n in line)],
        },
    }


def kept_rows(run: Path, study: Study, scored: Path) -> tuple[list[dict], dict[ScoreKey, paired.Samples]]:
    """Rows that the study keeps, with intervals, and the resampled figures of those that are macro AUROC.

    `scored` is the folder of the evaluation.
    """
    own = RunFolder(run).config()["method_name"]
    rows = [row for row in read_results(scored / RESULTS)["rows"] if study.keeps(row, own)]
    file, remedy = scored / "predictions.npz", "evaluate the run again"
    arrays = read_arrays(file, remedy=remedy)
    keys = [key for key in dict.fromkeys(map(key_of, rows)) if key.text() in arrays]
    of_task = {key: [f"{key.task}/{name}" for name in ("labels", "record_id", "patient_id")] for key in keys}
    for name in (name for names in of_task.values() for name in names if name not in arrays):
        raise CgdmerError(f"{file} lacks {name}; {remedy}")
    # Scores of a part of the classes (names that were trained) have the interval of their row alone.
    keys = [key for key in keys if arrays[key.text()].shape[-1] == arrays[f"{key.task}/labels"].shape[1]]
    samples = {
        key: paired.macro_samples(arrays[key.text()].astype(np.float64), *(arrays[name] for name in of_task[key]))
        for key in keys
    }
    return [with_interval(row, samples.get(key_of(row))) for row in rows], samples


def with_interval(row: dict, samples: paired.Samples | None) -> dict:
    """The evaluation gives intervals to its headline alone; here every feature is compared."""
    if row["low"] is not None or samples is None or not np.isfinite(samples.values).any():
        return row
    low, high = bootstrap.interval(samples.values)
    return row | {"low": round(low, 6), "high": round(high, 6)}
