"""Records that a fine-tuning learns from and is chosen on, and its figures on the latter."""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from cgdmer_jax.batch import filled_up
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import Lines, shuffled
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.methods.finetune.method import LOGITS, Finetune
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.metrics.metrics import auroc, judged_classes, macro
from cgdmer_jax.metrics.stratify import stratified_draw
from cgdmer_jax.recipes import build
from cgdmer_jax.training import sharding


class LabelledLines(NamedTuple):
    """Lines of the corpus, all of them judged for the task: the folds are those of a probe."""

    fit: Lines
    choose: Lines


def labelled_lines(corpus: Corpus, task: str, split: str, fraction: float, seed: int) -> LabelledLines:
    """Records to learn from and to choose on when that split is scored.

    `fraction` of the patients to learn from are drawn, the same ones whom a probe of that share and seed is fitted on
    (evaluation/label_fractions.py).
    """
    folds, labelled, labels = probe_folds(split), corpus.labelled(task), corpus.labels(task)
    fit, choose, score = (np.flatnonzero(labelled & in_folds(corpus.fold, part)) for part in folds)
    store = corpus.stores[0].path
    for lines, what, part in ((fit, "learn from", folds.fit), (choose, "choose on", folds.choose)):
        if not len(lines):
            raise _lacking(store, task, what, part)
    if not len(score):
        raise _lacking(store, task, "score", folds.score)
    if fraction < 1:
        fit = fit[stratified_draw(labels[fit], corpus.patient_id[fit], fraction, seed)]
    if not labels[fit].any():
        raise CgdmerError(
            f'{len(fit)} records of store {store} are to be learned from, and none of them has a class of task "{task}"'
            "; give a store with more labels, or a larger config.data.label_fraction"
        )
    return LabelledLines(fit, choose)


def _lacking(store: object, task: str, what: str, folds: tuple[int, ...]) -> CgdmerError:
    named = f"fold {folds[0]}" if len(folds) == 1 else f"folds {folds[0]} to {folds[-1]}"
    return CgdmerError(
        f'store {store} has no labelled record of task "{task}" to {what} ({named}); give a store that has some, or '
        "another --task or --split"
    )


def make_validation(
    method: Finetune, corpus: Corpus, lines: Lines, table: TokenTable, *, n_records: int, batch_size: int, mesh: Mesh
) -> Callable[[Variables], dict[str, float]]:
    """variables -> loss and macro AUROC on the same records each time, the first `n_records` of a fixed order."""
    chosen = lines[np.sort(shuffled(len(lines), "validation")[:n_records])]
    labels = corpus.labels(method.config.task)[chosen]
    judged = judged_classes(labels.any(0) & ~labels.all(0), labels)
    n_batches = math.ceil(len(chosen) / batch_size)
    own = filled_up(chosen, n_batches * batch_size).reshape(n_batches, -1)[:, sharding.own_rows(batch_size)]

    @functools.partial(jax.jit, out_shardings=sharding.replicated(mesh))
    def logits_of(variables: Variables, batch):
        return method.embed_ecg(variables, batch)[LOGITS]

    def validate(variables: Variables) -> dict[str, float]:
        batches = build.read_batches(corpus, own.ravel(), table, own.shape[1])
        made = [np.asarray(logits_of(variables, sharding.place_batch(batch, mesh))) for batch, _ in batches]
        logits = np.concatenate(made)[: len(chosen)].astype(np.float64)
        figures = {"loss": float((np.logaddexp(0, logits) - logits * labels).mean())}
        if judged.any():
            figures["macro_auroc"] = float(macro(auroc(logits, labels), judged))
        return figures

    return validate
