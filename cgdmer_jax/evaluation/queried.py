"""Zero-shot rows of a method that answers questions: each class asked for by a plain name, with no phrasing of ours."""

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

import jax
import numpy as np

from cgdmer_jax.data.text.entities import Entity, shipped_table
from cgdmer_jax.evaluation.embedded import Embedded
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.evaluation.zero_shot import of_task, tokens_of
from cgdmer_jax.methods import batched
from cgdmer_jax.methods.batched import records_at_once
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.methods.zero_shot import class_answers
from cgdmer_jax.recipes import build, trained_run

FEATURE = "queries"
NAMES, SEEN, UNSEEN = "names", "names_seen", "names_unseen"  # variants: all classes, and parts of them
SCP = ("ptbxl",)  # collections whose classes are SCP codes


class Question(NamedTuple):
    """The name by which a class is asked for, and whether the run was trained to answer that very name."""

    text: str
    seen: bool


def score_queries(subject: Subject, embedded: Embedded) -> Outcome:
    """A row set for all classes, for those whose name was trained and for the others; nothing of other methods."""
    run, tasks = subject.trained, subject.scored
    if not (run.method.declared.queries and tasks):
        return Outcome()
    asked = {task.name: questions_of(subject, task) for task in tasks}
    tokens, mask = (
        part[:, 0] for part in tokens_of(subject, [[q.text] for task in tasks for q in asked[task.name]], NAMES)
    )
    query_texts, query_ecg = jax.jit(run.method.query_texts), jax.jit(run.method.query_ecg)
    lines = subject.lines[subject.scored_records()]

    def answers_of(variables: Variables) -> np.ndarray:
        """Logits [record that any task scores, class of any task]."""
        queries = batched.embed_texts(query_texts, variables, lambda some: (tokens[some], mask[some]), len(tokens))
        batches = build.read_batches(subject.corpus, lines, subject.table, records_at_once())
        made = batched.embed_recordings(lambda v, b: {FEATURE: query_ecg(v, b, queries)}, variables, batches)
        return class_answers(made[FEATURE], len(tokens))

    own = answers_of(run.variables)
    random = [answers_of(trained_run.random_variables(run, seed)) for seed in range(len(embedded.random))]
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
        [of_task(subject, subject.scored, one, task)[:, part] for one in seeds],
        task.labels[task.score][:, part],
        [code for code, chosen in zip(task.classes, part, strict=True) if chosen],
        probabilities=False,
        weights=task.weights,
    )
