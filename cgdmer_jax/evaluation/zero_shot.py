"""Zero-shot rows of an evaluation: class prompts as tokens, scores by the method, affirmed against negated."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from cgdmer_jax.batch import Batch
from cgdmer_jax.data.text.cleaning import clean
from cgdmer_jax.data.text.prompts import has_prompts, load_polarity, load_prompts
from cgdmer_jax.data.text.special_tokens import UNKNOWN, first_id
from cgdmer_jax.data.text.tokenizer import encode
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan, Task
from cgdmer_jax.methods import zero_shot
from cgdmer_jax.methods.protocol import Method, Variables
from cgdmer_jax.metrics.results import plain_row
from cgdmer_jax.metrics.zero_shot import affirmed_share, collect_scores
from cgdmer_jax.recipes import build, trained_run

RECORDS_AT_ONCE = 256  # a batch: every batch embeds all the prompts again
POLAR = ("synthetic",)  # collections whose prompt file pairs an affirmed with a negated sentence
LANGUAGES = {"en": ("en",), "de": ("de",), "both": ("en", "de")}


def add_zero_shot(state: Evaluation, plan: Plan) -> None:
    """A row for each language of the prompts; the last one (all languages) for random weights too."""
    collection = state.base.store
    prompts = load_prompts(collection) if has_prompts(collection) else {}
    tasks = [task for task in state.tasks if _has_prompts(state, task, prompts)]
    if not tasks:
        return
    spoken = set.intersection(*(set(prompts[task.name][code]) for task in tasks for code in task.classes))
    variants = [v for v, needed in LANGUAGES.items() if set(needed) <= spoken]
    sets = {v: tokens_of(state, _texts(tasks, prompts, LANGUAGES[v]), v) for v in variants}
    widest = variants[-1]
    negation = collection in POLAR
    if negation:
        polarity = load_polarity(collection)
        for side in ("affirmed", "negated"):
            texts = [[getattr(polarity[t.name][c], side)] for t in tasks for c in t.classes]
            sets[side] = tokens_of(state, texts, side)

    scorer = make_scorer(state.trained.method)
    scores = scores_of(state, scorer, state.trained.variables, sets)
    for variant in variants:
        _add(state, tasks, [scores[variant]], {"variant": variant, "feature": "aligned"})
    if negation:
        _add_shares(state, tasks, scores["affirmed"], scores["negated"])
    random = [
        scores_of(state, scorer, trained_run.random_variables(state.trained, seed), sets)[widest]
        for seed in range(plan.random_seeds)
    ]
    if random:
        _add(state, tasks, random, {"variant": widest, "feature": "aligned", "method": "random_weights"})


def _has_prompts(state: Evaluation, task: Task, prompts: dict) -> bool:
    """Whether every class has prompts; a task of which one has none is left out."""
    lacking = [code for code in task.classes if not prompts.get(task.name, {}).get(code)]
    if lacking:
        why = f"class {lacking[0]} has no prompts" if prompts else f"collection {state.base.store} has no prompts"
        state.leave_out(f"zero-shot of task {task.name}", why)
    return not lacking


def _texts(tasks: Sequence[Task], prompts, languages) -> list[list[str]]:
    return [
        [text for language in languages for text in prompts[task.name][code][language]]
        for task in tasks
        for code in task.classes
    ]


def tokens_of(state: Evaluation, texts: list[list[str]], label: str):
    """Prompts, cleaned as reports are, as (tokens, mask) [class, prompt, token]."""
    cleaned = [clean(text, state.base.store) or "" for of_class in texts for text in of_class]
    longest = state.trained.config.data.max_tokens
    tokens, mask, n_cut = encode(state.trained.tokenizer, cleaned, longest)
    unknown = (tokens[mask] == first_id(state.trained.tokenizer, UNKNOWN)).mean()
    cut = f", {n_cut} cut to {longest} word pieces" if n_cut else ""
    print(f"zero-shot prompts {label}: {len(cleaned)} texts, {unknown:.1%} unknown word pieces{cut}")
    shape = (len(texts), len(texts[0]), -1)
    return tokens.reshape(shape), mask.reshape(shape)


def make_scorer(method: Method) -> Callable:
    """variables, batch, sets of prompts -> scores of all sets side by side; compiled once for all weights."""

    def scores_of(variables: Variables, batch: Batch, sets: dict):
        return jnp.concatenate([zero_shot.scores(method, variables, batch, *of) for of in sets.values()], axis=1)

    return jax.jit(scores_of)


def scores_of(state: Evaluation, scorer: Callable, variables: Variables, sets: dict) -> dict[str, np.ndarray]:
    """Scores [scored record of any task, class of any task] for each set of prompts."""
    names = sorted(sets)  # the order in which jit hands a dict to the function
    lines = state.lines[state.scored_records()]
    batches = build.read_batches(state.corpus, lines, state.table, RECORDS_AT_ONCE)
    together = collect_scores(lambda batch: scorer(variables, batch, sets), batches)
    ends = np.cumsum([sets[name][0].shape[0] for name in names])
    return dict(zip(names, np.split(together, ends[:-1], axis=1), strict=True))


def of_task(state: Evaluation, tasks: Sequence[Task], scores: np.ndarray, task: Task) -> np.ndarray:
    """Scores of one of the tasks whose classes stand side by side."""
    names = [t.name for t in tasks]
    first = sum(len(t.classes) for t in tasks[: names.index(task.name)])
    rows = np.searchsorted(state.scored_records(), task.score)
    return scores[rows, first : first + len(task.classes)].astype(np.float64)


def _add(state: Evaluation, tasks: Sequence[Task], seeds: list[np.ndarray], setting: dict) -> None:
    full = {"evaluation": "zero_shot", "supervision": state.of_reports, "feature_dim": state.aligned_width} | setting
    for task in tasks:
        state.add(task, [of_task(state, tasks, s, task) for s in seeds], setting=full, probabilities=False)


def _add_shares(state: Evaluation, tasks: Sequence[Task], affirmed: np.ndarray, negated: np.ndarray) -> None:
    for task in tasks:
        labels = task.labels[task.score]
        shares = affirmed_share(of_task(state, tasks, affirmed, task), of_task(state, tasks, negated, task), labels)
        setting = next(s for n, s in task.scored.items() if n.startswith("zero_shot/")).setting
        for code, share, n in zip(task.classes, shares, labels.sum(0), strict=True):
            print(f"  {code}: affirmed above negated in {share:.1%} of {n} held-out positives")
            state.rows.append(plain_row(setting, "affirmed_share", code, share, n=len(labels), n_positive=int(n)))
