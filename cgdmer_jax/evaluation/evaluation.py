"""One evaluation under way: the records of each task by role, and the rows and scores collected so far.

What cannot be scored is left out by its name and reason, and ends nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.splits import ProbeFolds, in_folds, probe_folds
from cgdmer_jax.data.token_table import TokenTable, token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.leaks import Overlap, find_overlap
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.probe import Probe, fit_probe
from cgdmer_jax.metrics.results import Scored, Setting, rows_for_scores
from cgdmer_jax.recipes import build, trained_run


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
    headline: Probe | None = None  # of the trained encoder's first feature
    scored_classes: list[str] | None = None  # columns of `labels` at `score`, where they have moved (merl's `sub`)


@dataclass(frozen=True)
class Plan:
    """What was asked for."""

    features: tuple[str, ...]  # probed ones; the first is the headline
    random_seeds: int
    kernels: int
    cache: Path  # folder of features that were made before
    tables: Path | None = None  # MERL's, for its protocol


class Sorted(NamedTuple):
    """The records of an evaluation."""

    lines: np.ndarray  # of the corpus; these are embedded
    tasks: list[Task]
    watched: np.ndarray  # lines that are looked for in the run's training


@dataclass
class Evaluation:
    """What every part of one evaluation needs, and the rows and scores that it fills."""

    trained: trained_run.Trained
    corpus: Corpus
    table: TokenTable
    lines: np.ndarray
    tasks: list[Task]
    base: Setting
    overlap: Overlap  # of the scored records with what the run was trained on
    rows: list[dict] = field(default_factory=list)
    predictions: dict[str, np.ndarray] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)  # what could not be scored, and why
    # What later parts use again: "method/feature" -> one array [embedded record, feature] a seed; what is compiled.
    features: dict[str, list[np.ndarray]] = field(default_factory=dict)
    features_of: Callable | None = None
    reconstruct: Callable | None = None

    def add(
        self,
        task: Task,
        scores: Sequence[np.ndarray],
        *,
        setting: dict,
        probabilities: bool,
        defined: np.ndarray | None = None,
        interval: bool = True,
        macro_only: bool = False,
    ) -> Scored:
        """Rows of one kind of scores on one task (one array a seed), kept under a name for paired differences."""
        full = replace(self.base, task=task.name, **setting)
        scored = rows_for_scores(
            full,
            scores,
            task.labels[task.score],
            task.classes,
            probabilities=probabilities,
            defined=defined,
            weights=task.weights if interval else None,
            macro_only=macro_only,
        )
        self.rows += scored.rows
        name = name_of(full)
        task.scored[name] = scored
        # Of every seed: the score of a mean over seeds would be an ensemble's.
        every = np.stack(scores).astype(np.float32)
        self.predictions[f"{task.name}/{name}"] = every[0] if len(every) == 1 else every
        return scored

    def leave_out(self, what: str, why: str) -> None:
        """Notes it for results and report; said at once."""
        self.left_out.append(f"{what}: {why}")
        print(f"left out: {self.left_out[-1]}")

    @property
    def of_reports(self) -> str:
        """`supervision` of what no label of the task was used for: reports of the same collection say much of them."""
        return "report_supervised" if self.base.domain == "in" else "none"

    @property
    def aligned_width(self) -> int:
        """Of the vectors that are compared with reports."""
        return self.features[f"{self.base.method}/aligned"][0].shape[1]

    def scored_records(self) -> np.ndarray:
        """Positions, among the embedded records, of those that any task scores; without a task, of the scored folds."""
        if not self.tasks:
            return np.flatnonzero(in_folds(self.corpus.fold[self.lines], probe_folds(self.base.split).score))
        return np.unique(np.concatenate([task.score for task in self.tasks]))

    def shown_record(self) -> int:
        """Place of the record whose pages the report has: the first one scored, not a picked one."""
        return int(self.tasks[0].score[0] if self.tasks else self.scored_records()[0])


def name_of(setting: Setting) -> str:
    """What scores are called in predictions.npz: the fields that tell them apart, where they are not the usual."""
    parts = [setting.evaluation, setting.method, setting.feature, setting.variant]
    parts += [setting.leads] if setting.leads != "all" else []
    parts += [setting.label_fraction, setting.val_labels] if setting.label_fraction < 1 else []
    return "/".join(str(part) for part in parts if part)


def clean_records(corpus: Corpus, split: str) -> Sorted:
    """Protocol `clean`: every task of the store, roles by fold."""
    folds = probe_folds(split)
    lines = split_lines(corpus, split)
    tasks = [make_task(corpus, name, lines, folds) for name in corpus.stores[0].tasks]
    return Sorted(lines, tasks, np.flatnonzero(in_folds(corpus.fold, folds.score)))


def split_lines(corpus: Corpus, split: str) -> np.ndarray:
    """Lines of all folds that have a part in scoring this split."""
    folds = probe_folds(split)
    return np.flatnonzero(in_folds(corpus.fold, folds.fit + folds.choose + folds.score))


def prepare(
    run: Path,
    store: str,
    split: str,
    checkpoint: int | None,
    *,
    protocol: str = "clean",
    sort: Callable[[Corpus, str], Sorted] = clean_records,
) -> Evaluation:
    """Loads run and store, refuses what does not fit, and sorts the records into roles as the protocol does.

    Tasks that cannot be scored are left out.
    """
    loaded = trained_run.load_run(run, checkpoint)
    corpus = open_corpus((store,))
    build.check_contract(loaded.contract, corpus, store)
    table = token_table(corpus, loaded.tokenizer, loaded.config.data.max_tokens)
    records = sort(corpus, split)
    overlap = find_overlap(loaded.contract, corpus, records.watched)
    # By collection: in another store of it the reports are still written in the way of the training.
    collections = {part.name for part in loaded.contract.trained_on}
    base = Setting(
        store=corpus.stores[0].namespace,
        split=split,
        method=loaded.config.method_name,
        run=run.absolute().name,
        feature=None,
        feature_dim=None,
        evaluation="probe",
        task="",
        domain="in" if corpus.stores[0].namespace in collections else "out",
        supervision="labels",
        seen_in_training=bool(overlap),
        protocol=protocol,
    )
    state = Evaluation(loaded, corpus, table, records.lines, [], base, overlap)
    add_scorable(state, records.tasks)
    if not len(state.scored_records()):
        raise CgdmerError(f"store {store} has no record in the {split} split; give a store that has some")
    return state


def add_scorable(state: Evaluation, tasks: list[Task]) -> None:
    """The tasks that this store can score; the others are left out."""
    for task in tasks:
        if reason := unscorable(task):
            state.leave_out(f"task {task.name}", reason)
        else:
            state.tasks.append(task)


def unscorable(task: Task) -> str | None:
    """Why this store cannot score the task; a role without a single record is the only reason."""
    roles = {"to fit on": task.fit, "to choose on": task.choose, "to score": task.score}
    empty = [name for name, records in roles.items() if not len(records)]
    return f"the store has no labelled records of it {' and '.join(empty)}" if empty else None


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


def probe(state: Evaluation, seeds: list[np.ndarray], setting: dict, *, interval: bool) -> list[list[Probe]]:
    """Probes one feature (one array a seed) on every task; the probes of each task, one a seed."""
    every = []
    for task in state.tasks:
        probes = [
            fit_probe(x[task.fit], task.labels[task.fit], x[task.choose], task.labels[task.choose]) for x in seeds
        ]
        scores = [fitted.scores(x[task.score]) for fitted, x in zip(probes, seeds, strict=True)]
        defined = np.all([fitted.fitted for fitted in probes], axis=0)
        full = setting | {"feature_dim": seeds[0].shape[1]}
        state.add(task, scores, setting=full, probabilities=True, defined=defined, interval=interval)
        every.append(probes)
    return every
