"""Zero-shot rows of an evaluation: class prompts as tokens, scores by the method, affirmed against negated."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from jaxtyping import Bool, Float32, Int32

from cgdmer_jax.data.text.own_cleaning import cleaned
from cgdmer_jax.data.text.own_prompts import PromptSet, prompts_of
from cgdmer_jax.data.text.prompts import load_polarity
from cgdmer_jax.data.text.special_tokens import UNKNOWN, first_id
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.evaluation.embedded import Embedded, FeatureArray
from cgdmer_jax.evaluation.outcome import Outcome, leave_out, score, together
from cgdmer_jax.evaluation.subject import Subject, Task
from cgdmer_jax.methods import batched
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.methods.zero_shot import class_vectors
from cgdmer_jax.metrics.results import Setting, plain_row
from cgdmer_jax.metrics.zero_shot import affirmed_share
from cgdmer_jax.recipes import trained_run

POLAR = ("synthetic",)  # collections whose prompt file pairs an affirmed with a negated sentence
BOTH = ("en", "de")  # languages that are also scored together, as the variant "both"


def score_zero_shot(subject: Subject, embedded: Embedded) -> Outcome:
    """A row for each language of the prompts; the last one (all languages) for random weights too."""
    collection = subject.base.store
    prompts = prompt_set(subject).prompts
    lacking = {task.name: why for task in subject.scored if (why := _lacks(task, prompts, collection))}
    left_out = tuple(leave_out(f"zero-shot of task {name}", why) for name, why in lacking.items())
    tasks = [task for task in subject.scored if task.name not in lacking]
    if not tasks:
        return Outcome(left_out=left_out)
    languages = _variants(tasks, prompts)
    variants = [*languages]
    sets = {v: tokens_of(subject, _texts(tasks, prompts, languages[v]), v) for v in variants}
    negation = collection in POLAR and subject.own_prompts is None
    if negation:
        polarity = load_polarity(collection)
        for side in ("affirmed", "negated"):
            texts = [[getattr(polarity[t.name][c], side)] for t in tasks for c in t.classes]
            sets[side] = tokens_of(subject, texts, side)

    own = subject.trained.variables
    scores = {name: scores_of(subject, embedded, own, embedded.own, of_set) for name, of_set in sets.items()}
    settings = {v: replace(zero_shot_setting(subject, embedded.aligned_width), variant=v) for v in variants}
    made = [Outcome(left_out=left_out)]
    made += [_score(subject, tasks, [scores[variant]], setting) for variant, setting in settings.items()]
    if negation:
        shares = _shares(subject, tasks, scores["affirmed"], scores["negated"], settings[variants[0]])
        made.append(Outcome(tuple(shares)))
    widest = variants[-1]
    random = [
        scores_of(subject, embedded, trained_run.random_variables(subject.trained, seed), of_seed, sets[widest])
        for seed, of_seed in enumerate(embedded.random)
    ]
    if random:
        made.append(_score(subject, tasks, random, replace(settings[widest], method="random_weights")))
    return together(made)


def prompt_set(subject: Subject) -> PromptSet:
    """The prompts of the scored store; a store of one's own data brings cleaning rules, and is known by them."""
    store = subject.corpus.stores[0]
    classes = {task: {label.code: label.name for label in store.classes(task)} for task in store.tasks}
    own_data = "own_cleaning" in store.info
    return prompts_of(store.namespace, classes, own_data=own_data, given=subject.own_prompts)


def _variants(tasks: Sequence[Task], prompts: Mapping) -> dict[str, tuple[str, ...]]:
    """Name of each variant and its languages: those that every class has, in the order of the first one's file."""
    spoken = [prompts[task.name][code] for task in tasks for code in task.classes]
    variants = {language: (language,) for language in spoken[0] if all(language in of_class for of_class in spoken)}
    return variants | ({"both": BOTH} if set(BOTH) <= variants.keys() else {})


def zero_shot_setting(subject: Subject, aligned_width: int) -> Setting:
    """Fields common to every zero-shot row; task and variant are added to them."""
    setting = replace(subject.base, evaluation="zero_shot", supervision=subject.of_reports)
    return replace(setting, feature="aligned", feature_dim=aligned_width)


def _lacks(task: Task, prompts: dict, collection: str) -> str | None:
    """Why the task cannot be scored: a class without prompts."""
    lacking = [code for code in task.classes if not prompts.get(task.name, {}).get(code)]
    if not lacking:
        return None
    return f"class {lacking[0]} has no prompts" if prompts else f"collection {collection} has no prompts"


def _texts(tasks: Sequence[Task], prompts, languages) -> list[list[str]]:
    return [
        [text for language in languages for text in prompts[task.name][code][language]]
        for task in tasks
        for code in task.classes
    ]


def tokens_of(subject: Subject, texts: list[list[str]], label: str):
    """Prompts, cleaned as reports are, as (tokens, mask) [class, prompt, token]."""
    store = subject.corpus.stores[0]
    rules = store.namespace, store.info.get("own_cleaning")
    read = [cleaned(text, *rules) or "" for of_class in texts for text in of_class]
    longest = subject.trained.config.data.max_tokens
    tokens, mask, n_cut = encode(subject.trained.tokenizer, read, longest)
    unknown = (tokens[mask] == first_id(subject.trained.tokenizer, UNKNOWN)).mean()
    cut = f", {n_cut} cut to {longest} word pieces" if n_cut else ""
    print(f"zero-shot prompts {label}: {len(read)} texts, {unknown:.1%} unknown word pieces{cut}")
    shape = (len(texts), len(texts[0]), -1)
    return tokens.reshape(shape), mask.reshape(shape)


def scores_of(
    subject: Subject,
    embedded: Embedded,
    variables: Variables,
    features: Mapping[str, FeatureArray],
    prompts: tuple[Int32[np.ndarray, "klass prompt token"], Bool[np.ndarray, "klass prompt token"]],
) -> Float32[np.ndarray, "scored klass"]:
    """Cosines of the records that any task scores to the vector of each class.

    `features` were made with these `variables` before; only the prompts are embedded here.
    """
    n_classes, n_prompts, n_tokens = prompts[0].shape
    tokens, mask = (one.reshape(-1, n_tokens) for one in prompts)
    made = batched.embed_texts(embedded.texts_of, variables, lambda some: (tokens[some], mask[some]), len(tokens))
    vectors = class_vectors(made.reshape(n_classes, n_prompts, -1))
    return (features["aligned"][subject.scored_records()] @ vectors.T).astype(np.float32)


def of_task(subject: Subject, tasks: Sequence[Task], scores: np.ndarray, task: Task) -> np.ndarray:
    """Scores of one of the tasks whose classes stand side by side."""
    names = [t.name for t in tasks]
    first = sum(len(t.classes) for t in tasks[: names.index(task.name)])
    rows = np.searchsorted(subject.scored_records(), task.score)
    return scores[rows, first : first + len(task.classes)].astype(np.float64)


def _score(subject: Subject, tasks: Sequence[Task], seeds: list[np.ndarray], setting: Setting) -> Outcome:
    return together(
        score(
            replace(setting, task=task.name),
            [of_task(subject, tasks, one, task) for one in seeds],
            task.labels[task.score],
            task.classes,
            probabilities=False,
            weights=task.weights,
        )
        for task in tasks
    )


def _shares(
    subject: Subject, tasks: Sequence[Task], affirmed: np.ndarray, negated: np.ndarray, setting: Setting
) -> list[dict]:
    """How often a finding that is there scores above its own negation."""
    rows = []
    for task in tasks:
        labels = task.labels[task.score]
        scores = (of_task(subject, tasks, one, task) for one in (affirmed, negated))
        shares, named = affirmed_share(*scores, labels), replace(setting, task=task.name)
        for code, share, n in zip(task.classes, shares, labels.sum(0), strict=True):
            told = f"in {share:.1%} of {n} held-out positives (50 % is chance)" if n else "unknown: no positive"
            print(f"  {code}: affirmed above negated {told}")
            rows.append(plain_row(named, "affirmed_share", code, share, n=len(labels), n_positive=int(n)))
    return rows
