"""One evaluation under way: the records of each task by role, and the rows and scores collected so far."""

from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.splits import ProbeFolds, in_folds, probe_folds
from cgdmer_jax.data.tokens import TokenTable, token_table
from cgdmer_jax.evaluation import bootstrap
from cgdmer_jax.evaluation.probe import fit_probe
from cgdmer_jax.evaluation.results import Scored, Setting, rows_for_scores
from experiments import build, trained


@dataclass
class Task:
    """Records of one task by role, as positions among the embedded records, and their labels."""

    name: str
    classes: list[str]
    fit: np.ndarray
    choose: np.ndarray
    score: np.ndarray
    labels: np.ndarray
    weights: np.ndarray  # bootstrap over the scored patients
    scored: dict[str, Scored] = field(default_factory=dict)


@dataclass
class Evaluation:
    """What every part of one evaluation needs, and the rows and scores that it fills."""

    trained: trained.Trained
    corpus: Corpus
    table: TokenTable
    lines: np.ndarray
    tasks: list[Task]
    base: Setting
    rows: list[dict] = field(default_factory=list)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(
        self, task: Task, scores: list, *, setting: dict, probabilities: bool, defined=None, interval=True
    ) -> Scored:
        """Rows of one kind of scores on one task (one array a seed), kept under a name for paired differences."""
        full = replace(self.base, task=task.name, **setting)
        weights = task.weights if interval else None
        labels = task.labels[task.score]
        scored = rows_for_scores(
            full, scores, labels, task.classes, probabilities=probabilities, defined=defined, weights=weights
        )
        self.rows += scored.rows
        name = "/".join(str(x) for x in (full.evaluation, full.method, full.feature, full.variant) if x)
        task.scored[name] = scored
        self.predictions[f"{task.name}/{name}"] = np.mean(scores, axis=0).astype(np.float32)
        return scored


def prepare(run: Path, store: str, split: str, checkpoint: int | None) -> Evaluation:
    """Loads run and store, refuses what does not fit, and sorts the records into roles."""
    loaded = trained.load_run(run, checkpoint)
    corpus = open_corpus((store,))
    build.check_contract(loaded.contract, corpus, store)
    table = token_table(corpus, loaded.tokenizer, loaded.config.data.max_tokens, cache=None)
    folds = probe_folds(split)
    lines = np.flatnonzero(in_folds(corpus.fold, folds.fit + folds.choose + folds.score))
    tasks = [make_task(corpus, name, lines, folds) for name in corpus.stores[0].tasks]
    seen = {sha for part in loaded.contract.trained_on for sha in part.patient_sha256}
    scored = np.flatnonzero(in_folds(corpus.fold, folds.score))
    overlap = seen & {build.patient_sha256(p) for p in corpus.patient_id[scored]}
    fingerprints = {part.fingerprint for part in loaded.contract.trained_on}
    base = Setting(
        store=corpus.stores[0].namespace,
        split=split,
        method=loaded.config.method_name,
        run=run.name,
        feature=None,
        feature_dim=None,
        evaluation="probe",
        task="",
        domain="in" if corpus.fingerprint in fingerprints else "out",
        supervision="labels",
        seen_in_training=bool(overlap),
    )
    return Evaluation(loaded, corpus, table, lines, tasks, base)


def make_task(corpus: Corpus, name: str, lines: np.ndarray, folds: ProbeFolds) -> Task:
    """Records without any label of the task are left out, as the published protocols do."""
    labels = corpus.labels(name)[lines]
    fold = corpus.fold[lines]
    fit, choose, score = (
        np.flatnonzero(labels.any(1) & in_folds(fold, part)) for part in (folds.fit, folds.choose, folds.score)
    )
    patients = corpus.patient_id[lines][score]
    weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0)
    return Task(name, [c.code for c in corpus.classes(name)], fit, choose, score, labels, weights)


def probe(state: Evaluation, seeds: list[np.ndarray], setting: dict, *, interval: bool) -> None:
    """Probes one feature (one array a seed) on every task."""
    for task in state.tasks:
        scores, defined = [], np.ones(len(task.classes), bool)
        for x in seeds:
            fitted = fit_probe(x[task.fit], task.labels[task.fit], x[task.choose], task.labels[task.choose])
            scores.append(fitted.scores(x[task.score]))
            defined &= fitted.fitted
        full = setting | {"feature_dim": seeds[0].shape[1]}
        state.add(task, scores, setting=full, probabilities=True, defined=defined, interval=interval)
