"""Protocol `merl`: the published tables, the release's SGD probe and its zero-shot prompts (docs/evaluation.md)."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from cgdmer_jax.data import published_splits
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.published_splits import read_published
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.embedded import Embedded
from cgdmer_jax.evaluation.outcome import Outcome, leave_out, score, together, without
from cgdmer_jax.evaluation.subject import Sorted, Subject, Task, split_lines, unscorable
from cgdmer_jax.evaluation.zero_shot import of_task, scores_of, tokens_of, zero_shot_setting
from cgdmer_jax.metrics import bootstrap, metrics
from cgdmer_jax.metrics.protocols import FRACTIONS, MAX_TEST, SEED, enough_to_draw, no_signal_rows, published_draw
from cgdmer_jax.metrics.results import Setting, plain_row
from cgdmer_jax.metrics.sgd_probe import SgdPath, best_epoch, fit_sgd

CKEPE = "ckepe"  # variant of the release's prompts


def merl_records(tables: Path) -> Callable[[Corpus, str], Sorted]:
    """The tasks that the published tables have for a store's collection."""

    def sort(corpus: Corpus, split: str) -> Sorted:
        collection = corpus.stores[0].namespace
        known = sorted({layout.collection for layout in published_splits.LAYOUTS.values()})
        if collection not in known:
            raise CgdmerError(
                f"protocol merl has no tables for the collection {collection}; give a store of {' or '.join(known)}"
            )
        found = [_Found(table, corpus, split) for table in published_splits.read_tables(tables, collection)]
        # With the whole folds of the split, so that protocol `clean` reads the same cached features.
        lines = np.unique(np.concatenate([split_lines(corpus, split), *(f.lines() for f in found)]))
        watched = np.unique(np.concatenate([f.line_of["score"] for f in found]))
        tasks = [f.task(corpus, lines) for f in found]
        if all(map(unscorable, tasks)):
            raise CgdmerError(
                f"store {corpus.stores[0].path} can score no task of the published tables (of {tasks[0].name}: "
                f"{unscorable(tasks[0])}); give a store of the whole collection"
            )
        return Sorted(lines, tasks, watched)

    return sort


class _Found:
    """One table beside a store: of each role, the lines of its records in table order, -1 where the store has none."""

    def __init__(self, table: published_splits.SplitTable, corpus: Corpus, split: str):
        self.table, self.roles = table, published_splits.roles(table, split)
        number = {str(record): line for line, record in enumerate(corpus.column("record_id"))}
        self.line_of, self.labels = {}, {}
        for name, (part, kept) in self.roles.items():
            of_record = np.array([number.get(record, -1) for record in part.record_id], np.int64)[kept]
            there = of_record >= 0
            self.line_of[name], self.labels[name] = of_record[there], part.labels[kept][there]
            if not there.all():
                print(f"merl {table.task}: {there.sum():,} of {len(there):,} records to {name} are in the store")

    def lines(self) -> np.ndarray:
        return np.concatenate(list(self.line_of.values()))

    def task(self, corpus: Corpus, lines: np.ndarray) -> Task:
        """Positions in table order, which the draw of fewer labels needs."""
        labels = np.zeros((len(lines), len(self.table.classes)), bool)
        at = {name: np.searchsorted(lines, of_role) for name, of_role in self.line_of.items()}
        for name, positions in at.items():
            labels[positions] = self.labels[name]
        patients = corpus.patient_id[self.line_of["score"]]
        return Task(
            name=self.table.task,
            classes=list(self.table.classes),
            **at,
            labels=labels,
            weights=bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0),
            scored_classes=list(self.roles["score"].part.classes),
        )


def score_sgd_probes(subject: Subject, embedded: Embedded, headline: str) -> Outcome:
    """The headline feature of the trained encoder and of random weights: each share of the labels, both choices."""
    of_method = {subject.base.method: [embedded.own], "random_weights": embedded.random}
    made = []
    for method, features in of_method.items():
        seeds = [of_seed[headline] for of_seed in features]
        for fraction in FRACTIONS if seeds else ():
            setting = replace(subject.base, method=method, feature=headline, feature_dim=seeds[0].shape[1])
            made.append(_score_fraction(subject.tasks, seeds, replace(setting, label_fraction=fraction)))
    return together(made)


def _score_fraction(tasks: Sequence[Task], seeds: list[np.ndarray], setting: Setting) -> Outcome:
    fitted: dict[bytes, list[SgdPath]] = {}  # exact labels differ from the released ones of `sub` at scoring alone
    made, fraction = [], setting.label_fraction
    for task in tasks:
        if not enough_to_draw(len(task.fit), fraction):
            why = f"{len(task.fit)} records to fit on are too few for a draw"
            made.append(without(f"{fraction:.0%} of the labels of task {task.name}, {setting.method}", why))
            continue
        drawn = task.fit[published_draw(len(task.fit), fraction)]
        key = task.labels[drawn].tobytes()
        if key not in fitted:
            fitted[key] = [fit_sgd(x[drawn], task.labels[drawn], seed=SEED) for x in seeds]
        chosen, highest = [], []
        for path, x in zip(fitted[key], seeds, strict=True):
            scores = path.scores(x[task.score])
            chosen.append(scores[best_epoch(path.scores(x[task.choose]), task.labels[task.choose])])
            highest.append(scores[best_epoch(scores, task.labels[task.score])])
        for variant, of_seeds in ((None, chosen), (MAX_TEST, highest)):
            interval = variant is None and fraction == 1.0
            made.append(_score(replace(setting, variant=variant), task, of_seeds, interval=interval))
    return together(made)


def _score(setting: Setting, task: Task, scores: list[np.ndarray], *, interval: bool) -> Outcome:
    setting, labels = replace(setting, task=task.name), task.labels[task.score]
    weights = task.weights if interval else None
    made = score(setting, scores, labels, task.classes, probabilities=False, weights=weights)
    return together([made, Outcome(tuple(_f1_rows(setting, scores, labels)))])


def _f1_rows(setting: Setting, scores: list[np.ndarray], labels: np.ndarray) -> list[dict]:
    """Macro F1 and accuracy at the thresholds of highest F1 on the scored labels themselves, as the release prints."""
    every = np.ones(labels.shape[1], bool)
    best = [metrics.best_f1(one, labels) for one in scores]
    size = {"n": len(labels), "n_positive": int(labels.sum()), "n_seeds": len(scores)}
    rows = []
    for name, of_seeds in (("f1", [b.f1 for b in best]), ("accuracy", [b.accuracy for b in best])):
        mean = float(np.mean([metrics.macro(values, every) for values in of_seeds]))
        rows.append(plain_row(setting, f"{name}_best_threshold", "macro_all", mean, **size))
    return rows


def score_merl_zero_shot(subject: Subject, embedded: Embedded, tables: Path) -> Outcome:
    """The release's prompts, one a class, under the names of the scored table's own header."""
    prompts = read_published(tables)
    tasks, left_out = [], []
    for task in subject.scored:
        if lacking := [name for name in task.scored_classes if name not in prompts]:
            why = f"class {lacking[0]} has no published prompt"
            left_out.append(leave_out(f"zero-shot of task {task.name}", why))
        else:
            tasks.append(replace(task, classes=task.scored_classes))
    told = Outcome(left_out=tuple(left_out))
    if not tasks:
        return told
    texts = [[prompts[name]] for task in tasks for name in task.classes]
    tokens = tokens_of(subject, texts, CKEPE)
    scores = scores_of(subject, embedded, subject.trained.variables, embedded.own, tokens)
    setting = replace(zero_shot_setting(subject, embedded.aligned_width), variant=CKEPE)
    made = (_score(setting, task, [of_task(subject, tasks, scores, task)], interval=True) for task in tasks)
    return together([told, *made])


def no_signals(subject: Subject, rows: Sequence[dict]) -> Outcome:
    """Tasks of the collections that this store is not: they have a row, so that none is missing in silence."""
    others = {
        task: layout.collection
        for task, layout in published_splits.LAYOUTS.items()
        if layout.collection != subject.base.store
    }
    return Outcome(tuple(no_signal_rows(rows, subject.tasks[0].name, others)))
