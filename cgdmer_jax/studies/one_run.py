"""One run of a study: trained, evaluated and described in a process of its own."""

import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer_jax import early_stop, provenance
from cgdmer_jax.config import flat
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation import finetuned
from cgdmer_jax.evaluation.evaluation_folders import scored_folder
from cgdmer_jax.invocation import module_words
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.results import RESULTS, read_results
from cgdmer_jax.metrics.score_key import ScoreKey, key_of
from cgdmer_jax.metrics_file import read_metrics
from cgdmer_jax.npz_file import read_arrays
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.short_paths import short_fields, short_words
from cgdmer_jax.studies import paired
from cgdmer_jax.studies.finished_runs import STORE, json_path, scored_by
from cgdmer_jax.studies.grid import Planned
from cgdmer_jax.studies.study import Study
from cgdmer_jax.studies.table import write_lines
from cgdmer_jax.training.run_folder import RunFolder


def run_folder(one: Planned, workdir: Path) -> Path:
    """Another config of the same name is another folder."""
    return workdir / f"{one.row}-seed{one.seed}-{one.sha256[:8]}"


class Scoring(NamedTuple):
    """A command that scores a run, and where its results are."""

    name: str  # in the JSON
    command: str
    words: list[str]
    run: Path  # folder whose evaluation/ it writes below
    part: str = ""  # as of scored_folder


def scorings(run: Path, study: Study, corpus: Corpus, seed: int) -> list[Scoring]:
    """Commands that score the run in that folder, in order; each fine-tuning has a run folder of its own beside it."""
    common = [f"--run={run}", f"--store={corpus.stores[0].path}", f"--split={study.split}"]
    made = [Scoring("evaluate", "evaluate", [*common, *study.evaluate], run)]
    if study.merl_tables:
        words = ["--protocol=merl", f"--tables={study.merl_tables}", "--features=main", "--random_seeds=0"]
        made.append(Scoring("evaluate by merl", "evaluate", [*common, *words], run, "merl"))
    steps = study.finetuning_steps
    every = max(steps // 3, 1)
    for task in study.finetuned:
        tuned = run.with_name(f"{run.name}-{task}-{steps}")
        words = [f"--task={task}", f"--workdir={tuned}", f"--config.seed={seed}", f"--config.optimizer.steps={steps}"]
        words += [f"--config.run.{name}={every}" for name in ("validate_every", "checkpoint_every", "log_every")]
        made.append(Scoring(f"finetune on {task}", "finetune", [*common, *words], tuned, finetuned.FOLDER))
    return made


def run_one(one: Planned, study: Study, corpus: Corpus, workdir: Path, out: Path) -> int:
    """Trains and scores in processes of their own (clean memory), then writes the JSON; the exit code."""
    run = run_folder(one, workdir)
    steps = {"pretrain": ("pretrain", [*one.words(), f"--workdir={run}"])}
    todo = scorings(run, study, corpus, one.seed)
    steps |= {scoring.name: (scoring.command, scoring.words) for scoring in todo}
    of_name = {scoring.name: scoring for scoring in todo}
    seconds = {}
    for name, (command, words) in steps.items():
        print(f"--- {one.row} seed {one.seed}: {name}", flush=True)
        if name in of_name and is_scored(of_name[name], study, corpus, one.config.optimizer.steps):
            print("scored already")
            continue
        begun = time.monotonic()
        code = run_child([sys.executable, *module_words(command), *words])
        seconds[name] = round(time.monotonic() - begun, 1)
        if code != 0:
            return code
    head = describe(one, run) | {STORE: corpus.fingerprint, "wall_seconds": seconds}
    head["commands"] = {n: " ".join(["python", *module_words(c), *short_words(w)]) for n, (c, w) in steps.items()}
    scored = [folder_of(scoring, study, corpus) for scoring in todo]
    head["evaluation_commit"] = read_results(scored[0] / RESULTS)["commit"]
    head |= scored_by(study)
    rows, samples = [], {}
    for folder in scored:
        found, of_rows = kept_rows(run, study, folder)
        rows += found
        samples |= of_rows
    # The JSON says that the run is finished, so it comes last.
    path = json_path(one, study, out)
    paired.save_samples(path.with_suffix(".npz"), samples)
    write_lines(path, head, rows)
    return 0


def folder_of(scoring: Scoring, study: Study, corpus: Corpus) -> Path:
    """Where the results of a scoring are, which must have been made."""
    folder = scored_folder(scoring.run, corpus, study.split, scoring.part)
    if folder is None:
        raise CgdmerError(
            f"{scoring.run} holds no results of {scoring.name} on the {study.split} split of store "
            f"{corpus.stores[0].path}; run the same command again"
        )
    return folder


def is_scored(scoring: Scoring, study: Study, corpus: Corpus, steps: int) -> bool:
    """Whether the finished run has its results by these very words; an hour's work of before is not done again."""
    scored = scored_folder(scoring.run, corpus, study.split, scoring.part)
    if scored is None:
        return False
    results, words = read_results(scored / RESULTS), scoring.words
    same_words = shlex.split(results["command"])[-len(words) :] == short_words(words)
    # What is scored of a fine-tuning is its best checkpoint, whichever step that is of.
    return same_words and (scoring.command == "finetune" or results["origin"].get("step") == steps)


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

    `scored` is the folder of the evaluation. Protocol merl's figures have no interval, and none is made.
    """
    own = RunFolder(run).config()["method_name"]
    rows = [row for row in read_results(scored / RESULTS)["rows"] if study.keeps(row, own)]
    if any(row["protocol"] == "merl" for row in rows):
        return rows, {}
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
