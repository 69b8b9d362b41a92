"""Subject of an evaluation: a trained run on a store, its records sorted into tasks and roles."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.splits import ProbeFolds, in_folds, probe_folds
from cgdmer_jax.data.text.own_prompts import PromptSet
from cgdmer_jax.data.token_table import TokenTable, token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.case_waves import WaveModel
from cgdmer_jax.evaluation.leaks import Overlap, find_overlap
from cgdmer_jax.evaluation.outcome import leave_out
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.results import Setting
from cgdmer_jax.recipes import build, trained_run


@dataclass(frozen=True)
class Task:
    """Records of one task by role, as positions among the embedded records, and their labels."""

    name: str
    classes: list[str]
    fit: np.ndarray
    choose: np.ndarray
    score: np.ndarray
    labels: np.ndarray
    weights: np.ndarray  # bootstrap over the scored patients
    scored_classes: list[str] | None = None  # columns of `labels` at `score`, where they have moved (merl's `sub`)


class Sorted(NamedTuple):
    """The records of an evaluation."""

    lines: np.ndarray  # of the corpus; these are embedded
    tasks: list[Task]
    watched: np.ndarray  # lines that are looked for in the run's training


@dataclass(frozen=True)
class Subject:
    """The run, the records and the tasks of one evaluation; nothing is computed from the weights yet."""

    trained: trained_run.Trained
    corpus: Corpus
    table: TokenTable
    lines: np.ndarray  # of the corpus; these are embedded
    tasks: tuple[Task, ...]  # those that a probe can be fitted to, and scored
    scored: tuple[Task, ...]  # those with a record to score: these, and what zero-shot scores alone
    base: Setting  # of every row; each evaluator replaces what is its own
    overlap: Overlap  # of the scored records with what the run was trained on
    left_out: tuple[str, ...] = ()  # tasks that this store cannot score, and why
    case: str | None = None  # the record whose pages the report has; None = the first one scored
    own_prompts: PromptSet | None = None  # of the user's file; None = those of the collection
    wave_model: WaveModel | None = None  # marks the waves of that record; None = they are not marked

    @property
    def of_reports(self) -> str:
        """`supervision` of what no label of the task was used for: reports of the same collection say much of them."""
        return "report_supervised" if self.base.domain == "in" else "none"

    def scored_records(self) -> np.ndarray:
        """Positions, among the embedded records, of those that any task scores; without a task, of the scored folds."""
        if not self.scored:
            return np.flatnonzero(in_folds(self.corpus.fold[self.lines], probe_folds(self.base.split).score))
        return np.unique(np.concatenate([task.score for task in self.scored]))

    def shown_record(self) -> int:
        """Place of the record whose pages the report has: the one asked for, else the first one scored."""
        if self.case is None:
            return int(self.tasks[0].score[0] if self.tasks else self.scored_records()[0])
        scored = self.scored_records()
        ids = self.corpus.column("record_id")[self.lines[scored]].astype(str)
        return int(scored[np.flatnonzero(ids == self.case)[0]])


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
) -> Subject:
    """Loads run and store, refuses what does not fit, and sorts the records into roles as the protocol does.

    Tasks that cannot be scored are left out, and of those without a record to fit on the probe.
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
    folds = probe_folds(split) if protocol == "clean" else None  # of merl the published tables give the roles
    n_labelled = {name: int(corpus.labelled(name).sum()) for name in corpus.stores[0].tasks}
    reasons = {task.name: unscorable(task, n_labelled.get(task.name, 0), folds) for task in records.tasks}
    tasks = tuple(task for task in records.tasks if reasons[task.name] is None)
    scored = tuple(task for task in records.tasks if len(task.score))
    names = {task.name: f"probe of task {task.name}" for task in scored}  # zero-shot scores need nothing to fit on
    left_out = tuple(leave_out(names.get(name, f"task {name}"), why) for name, why in reasons.items() if why)
    subject = Subject(loaded, corpus, table, records.lines, tasks, scored, base, overlap, left_out)
    if not len(subject.scored_records()):
        raise CgdmerError(f"store {store} has no record in the {split} split; give a store that has some")
    return subject


def with_case(subject: Subject, record: str) -> Subject:
    """The same with that record shown; raises where it is not among the scored ones."""
    every = subject.corpus.column("record_id").astype(str)
    scored = subject.lines[subject.scored_records()]
    if record not in every[scored]:
        where = f"{len(scored):,} records scored on the {subject.base.split} split of {subject.base.store}"
        if record in every:
            (line, *_) = np.flatnonzero(every == record)
            raise CgdmerError(
                f'--case: record "{record}" (fold {subject.corpus.fold[line]}) is not among the {where}; '
                "give one of them, or evaluate the split that it is in"
            )
        raise CgdmerError(
            f'--case: the store has no record "{record}"; give one of the {where}, such as "{every[scored[0]]}"'
        )
    return replace(subject, case=record)


def unscorable(task: Task, n_labelled: int = 0, folds: ProbeFolds | None = None) -> str | None:
    """Why no probe of the task can be fitted and scored; a role without a single record is the only reason.

    `n_labelled`: records of the whole store that have a label of it. `folds`: of the roles, where folds give them.
    """
    roles = {"to fit on": task.fit, "to choose on": task.choose, "to score": task.score}
    empty = [name for name, records in roles.items() if not len(records)]
    if not empty:
        return None
    if not n_labelled or folds is None:
        return f"the store has no labelled records of it {' and '.join(empty)}"
    of_role = dict(zip(roles, folds, strict=True))
    places = " or ".join(f"{_told(of_role[name])} ({name})" for name in empty)
    return f"of its {n_labelled:,} labelled records none is in {places}"


def _told(folds: tuple[int, ...]) -> str:
    return f"fold {folds[0]}" if len(folds) == 1 else f"folds {folds[0]} to {folds[-1]}"


def make_task(corpus: Corpus, name: str, lines: np.ndarray, folds: ProbeFolds) -> Task:
    """Records that nobody judged for the task are left out; of PTB-XL, as published, all without a label of it."""
    labels, labelled = corpus.labels(name)[lines], corpus.labelled(name)[lines]
    fold = corpus.fold[lines]
    fit, choose, score = (
        np.flatnonzero(labelled & in_folds(fold, part)) for part in (folds.fit, folds.choose, folds.score)
    )
    patients = corpus.patient_id[lines][score]
    weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0)
    return Task(name, [c.code for c in corpus.classes(name)], fit, choose, score, labels, weights)
