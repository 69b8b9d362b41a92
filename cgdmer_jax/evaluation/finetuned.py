"""Scores a fine-tuned run: its best checkpoint, calibrated and cut on the records it was chosen on."""

import dataclasses
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float

from cgdmer_jax import provenance
from cgdmer_jax.data.sources.source import LabelClass
from cgdmer_jax.evaluation.evaluate import EMBEDDED, note_test_read, save_predictions
from cgdmer_jax.evaluation.evaluation_folders import check_writable, folder_of
from cgdmer_jax.evaluation.outcome import score
from cgdmer_jax.evaluation.subject import Subject, Task, prepare
from cgdmer_jax.interop.prediction_head import PredictionHead
from cgdmer_jax.methods.finetune.config import ALL, HEAD_ALONE
from cgdmer_jax.methods.finetune.method import FEATURE, LOGITS
from cgdmer_jax.metrics.calibration import fit_calibration
from cgdmer_jax.metrics.metrics import best_f1
from cgdmer_jax.metrics.results import RESULTS, Setting, plain_row, write_results
from cgdmer_jax.recipes import embedding
from cgdmer_jax.recipes.finetuned_head import write_head
from cgdmer_jax.short_paths import short
from cgdmer_jax.training.checkpoint import Checkpoints
from cgdmer_jax.training.run_folder import RunFolder

FOLDER = "finetune"  # beside the results of an evaluation of the same split


def score_finetuned(run: Path, store: str, split: str, task_name: str) -> tuple[dict, ...]:
    """Writes head.json into the run folder, and results.json and predictions.npz below it; returns the rows.

    The checkpoint is the one of lowest validation loss. Its probabilities are calibrated, and a threshold chosen for
    each class, on the records that it was chosen on; what is scored took part in none of it.
    """
    folder = RunFolder(run)
    subject = prepare(run, store, split, Checkpoints(folder.checkpoints, keep_last=1).best_step())
    (task,) = (one for one in subject.tasks if one.name == task_name)
    subject = replace(subject, tasks=(task,))
    out = folder_of(folder, subject.trained.contract, subject.corpus, split) / FOLDER
    check_writable(out)
    command = provenance.command_line()
    if split == "test" and subject.base.store != EMBEDDED:
        note_test_read(subject, command)
    made = embedded(subject, task)
    choose, scored = made[LOGITS][: len(task.choose)], made[LOGITS][len(task.choose) :]
    head = fit_head(task.name, subject.corpus.classes(task.name), choose[None], task.labels[task.choose])
    write_head(folder, head, subject.trained.step, subject.trained.checkpoint)
    setting = setting_of(subject, task, made[FEATURE].shape[1])
    probabilities, labels = head.probabilities(scored), task.labels[task.score]
    outcome = score(
        setting,
        [probabilities],
        labels,
        task.classes,
        probabilities=True,
        defined=task.labels[task.fit].any(0) if setting.label_fraction == 1 else None,
        weights=task.weights,
    )
    rows = (*outcome.rows, *rows_at_thresholds(setting, head, probabilities[None], labels))
    origin = {
        "run": subject.base.run,
        "step": subject.trained.step,
        "checkpoint": subject.trained.checkpoint,
        "store": subject.corpus.fingerprint,
        "encoder_from": short(subject.trained.config.method.encoder_from),
    }
    write_results(out / RESULTS, command, rows, origin)
    save_predictions(subject, outcome.predictions, out / "predictions.npz")
    print(in_words(rows, out / RESULTS))
    return rows


def embedded(subject: Subject, task: Task) -> Mapping[str, Float[np.ndarray, "record feature"]]:
    """Feature and logits of the records to choose on, then of those to score."""
    features_of = embedding.embedder(subject.trained.method, (FEATURE, LOGITS))
    lines = subject.lines[np.concatenate([task.choose, task.score])]
    return embedding.embed(features_of, subject.trained.variables, subject.corpus, lines, subject.table, "score")


def setting_of(subject: Subject, task: Task, width: int) -> Setting:
    """Fields of all rows: the encoder's method, what the head reads, what is trained from where, and on what share."""
    config, tuned = subject.trained.config, subject.trained.method.config
    part = {ALL: "", HEAD_ALONE: "_head"}.get(tuned.trained, f"_last{tuned.trained}")
    return replace(
        subject.base,
        method=tuned.encoder_name,
        evaluation="finetune",
        feature=tuned.head_pooling,
        feature_dim=width,
        task=task.name,
        variant=tuned.init + part,
        label_fraction=float(config.data.label_fraction),
    )


def fit_head(
    task: str,
    classes: tuple[LabelClass, ...],
    logits: Float[np.ndarray, "draw record klass"],
    labels: Bool[np.ndarray, "record klass"],
) -> PredictionHead:
    """Calibration and thresholds of highest F1; a class that cannot be calibrated keeps its probabilities.

    Logits of several draws of a cross-validation are pooled, each record counted once. One draw would let its luck
    decide; the mean over draws would be an ensemble's, and calibrate the one probe that is saved as if it were as good.
    """
    n_draws = len(logits)
    logits, every = np.concatenate(logits), np.tile(labels, (n_draws, 1))
    plain = PredictionHead(
        task=task,
        codes=tuple(label.code for label in classes),
        names=tuple(label.name for label in classes),
        calibrated=(False,) * len(classes),
        slopes=(1.0,) * len(classes),
        offsets=(0.0,) * len(classes),
        thresholds=(None,) * len(classes),
        n_chosen_on=len(labels),
    )
    found = fit_calibration(plain.probabilities(logits), every, n_draws)
    known = np.isfinite(found.slope)
    head = replace(
        plain,
        calibrated=tuple(known.tolist()),
        slopes=tuple(np.where(known, found.slope, 1.0).tolist()),
        offsets=tuple(np.where(known, found.offset, 0.0).tolist()),
    )
    thresholds = best_f1(head.probabilities(logits), every).threshold.tolist()
    return dataclasses.replace(head, thresholds=tuple(None if one != one else one for one in thresholds))


def rows_at_thresholds(
    setting: Setting,
    head: PredictionHead,
    probabilities: Float[np.ndarray, "draw record klass"],
    labels: Bool[np.ndarray, "record klass"],
) -> list[dict]:
    """Sensitivity and specificity of each class that has a threshold, null where nothing is to be found or missed.

    They are means over the draws of a cross-validation, where there are several.
    """
    rows = []
    for k, (code, threshold) in enumerate(zip(head.codes, head.thresholds, strict=True)):
        if threshold is None:
            continue
        found, own = probabilities[:, :, k] >= threshold, labels[:, k]
        for metric, kept, right in (("sensitivity", own, found), ("specificity", ~own, ~found)):
            share = float(right[:, kept].mean()) if kept.any() else float("nan")
            size = {"n": len(labels), "n_positive": int(own.sum()), "n_seeds": len(found)}
            rows.append(plain_row(setting, metric, code, share, **size))
    return rows


def in_words(rows: tuple[dict, ...], file: Path) -> str:
    """The macro AUROC, and where all figures are."""
    (row,) = (one for one in rows if (one["class"], one["metric"]) == ("macro_ge10", "auroc"))
    if row["value"] is None:
        return f"macro AUROC unknown: no class has 10 positives among the {row['n']:,} records scored; {file}"
    return (
        f"macro AUROC {row['value']:.3f} [{row['low']:.3f}, {row['high']:.3f}] on {row['n']:,} records of the "
        f"{row['split']} split ({row['variant']}); {file}"
    )
