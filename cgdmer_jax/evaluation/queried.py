"""Zero-shot rows of a method that answers questions: each class asked for by a plain name, with no phrasing of ours."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.data.text.entities import Entity, shipped_table
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.evaluation.zero_shot import of_task, scores_of, tokens_of
from cgdmer_jax.methods import zero_shot
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.recipes import trained_run

FEATURE = "queries"
NAMES, SEEN, UNSEEN = "names", "names_seen", "names_unseen"  # variants: all classes, and parts of them
SCP = ("ptbxl",)  # collections whose classes are SCP codes


class Question(NamedTuple):
    """The name by which a class is asked for, and whether the run was trained to answer that very name."""

    text: str
    seen: bool


def score_queries(subject: Subject, random_seeds: int) -> Outcome:
    """A row set for all classes, for those whose name was trained and for the others; nothing of other methods."""
    run, tasks = subject.trained, subject.tasks
    if not (run.method.declared.queries and tasks):
        return Outcome()
    asked = {task.name: questions_of(subject, task) for task in tasks}
    tokens = tokens_of(subject, [[one.text] for task in tasks for one in asked[task.name]], NAMES)

    def answers(variables: Variables, batch: Batch, sets: dict):
        return zero_shot.answers(run.method, variables, batch, *sets[NAMES])

    scorer = jax.jit(answers)
    own, *random = (
        scores_of(subject, scorer, variables, {NAMES: tokens})[NAMES]
        for variables in (run.variables, *(trained_run.random_variables(run, seed) for seed in range(random_seeds)))
    )
    made = []
    for task in tasks:
        seen = np.array([one.seen for one in asked[task.name]])
        print(f"zero-shot by name, {task.name}: {seen.sum()} of {len(seen)} names were trained")
        whole = np.ones(len(seen), bool)
        parts = {NAMES: whole} | ({SEEN: seen, UNSEEN: ~seen} if seen.any() and not seen.all() else {})
        made += [_score(subject, task, [own], part, variant) for variant, part in parts.items()]
        if random:
            made.append(_score(subject, task, random, whole, NAMES, method="random_weights"))
    return together(made)


def questions_of(subject: Subject, task: Task) -> list[Question]:
    """The question of each class: the name of the entity that says the same, else the class's own name.

    A class whose entity no training report stated is asked for by that name too, and is not seen.
    """
    trained = {name.casefold() for name in subject.trained.method.entity_names}
    named = {label.code: label.name for label in subject.corpus.classes(task.name)}
    entities = shipped_table().entities if subject.base.store in SCP else ()
    texts = [entity_of(code, entities) or named[code] for code in task.classes]
    return [Question(text, text.casefold() in trained) for text in texts]


def entity_of(code: str, entities: Iterable[Entity]) -> str | None:
    """Name of the narrowest entity that an SCP code stands for, of equally narrow ones that which names it first."""
    fitting = [entity for entity in entities if code in entity.scp]
    narrowest = min(fitting, key=lambda entity: (len(entity.scp), entity.scp.index(code)), default=None)
    return narrowest.name if narrowest else None


def _score(
    subject: Subject,
    task: Task,
    seeds: list[np.ndarray],
    part: np.ndarray,
    variant: str,
    method: str | None = None,
) -> Outcome:
    """Rows of one task for a part of its classes; `seeds` are scores of all classes of all tasks."""
    setting = replace(
        subject.base,
        evaluation="zero_shot",
        supervision=subject.of_reports,
        method=method or subject.base.method,
        feature=FEATURE,
        task=task.name,
        variant=variant,
    )
    return score(
        setting,
        [of_task(subject, subject.tasks, one, task)[:, part] for one in seeds],
        task.labels[task.score][:, part],
        [code for code, chosen in zip(task.classes, part, strict=True) if chosen],
        probabilities=False,
        weights=task.weights,
    )
