"""Retrieval rows: reports found by recordings and recordings by reports, with random weights and chance beside them."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float, Int

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.evaluation.embedded import Embedded
from cgdmer_jax.evaluation.outcome import Outcome, without
from cgdmer_jax.evaluation.subject import Subject
from cgdmer_jax.methods import batched
from cgdmer_jax.methods.protocol import Variables
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.results import UNKNOWN, Setting, plain_row
from cgdmer_jax.metrics.retrieval import chance_within, ecg_to_text_ranks, text_to_ecg_ranks
from cgdmer_jax.recipes import trained_run

DEPTHS = (1, 5, 10)


def score_retrieval(subject: Subject, embedded: Embedded) -> Outcome:
    """All scored recordings with a report, labelled or not; each distinct report once."""
    run, lines = subject.trained, subject.lines
    scored = in_folds(subject.corpus.fold[lines], probe_folds(subject.base.split).score)
    at = np.flatnonzero(scored & (subject.corpus.text_id[lines] != NO_TEXT))
    if not len(at):
        return without("part retrieval", "no scored recording has a report")
    ids, own = np.unique(subject.corpus.text_id[lines[at]], return_inverse=True)
    # Recordings are resampled by patient; reports, which several patients share, by themselves.
    queries = {"ecg_to_text": subject.corpus.patient_id[lines[at]], "text_to_ecg": np.arange(len(ids))}
    gallery = {"ecg_to_text": len(ids), "text_to_ecg": len(at)}

    random = [(trained_run.random_variables(run, seed), of_seed) for seed, of_seed in enumerate(embedded.random)]
    rows = []
    for method, seeds in ((subject.base.method, [(run.variables, embedded.own)]), ("random_weights", random)):
        ranks: dict[str, list[np.ndarray]] = {variant: [] for variant in queries}
        for variables, features in seeds:
            ecg, text = features["aligned"][at], embed_texts(subject.table, embedded.texts_of, variables, ids)
            ranks["ecg_to_text"].append(ecg_to_text_ranks(ecg, text, own))
            ranks["text_to_ecg"].append(text_to_ecg_ranks(ecg, text, own))
        for variant, of_seeds in ranks.items():
            if of_seeds:
                setting = replace(_setting(subject, method, variant), feature_dim=embedded.aligned_width)
                rows += _rows(setting, np.stack(of_seeds), gallery[variant], queries[variant])
    # A recording has one report to find, a report as many recordings as have it.
    n_own = {"ecg_to_text": np.ones(len(at), int), "text_to_ecg": np.bincount(own)}
    for variant, counts in n_own.items():
        setting = replace(_setting(subject, "chance", variant), feature=None)
        rows += _chance_rows(setting, gallery[variant], counts)
    return Outcome(tuple(rows))


def _setting(subject: Subject, method: str, variant: str) -> Setting:
    return replace(
        subject.base,
        evaluation="retrieval",
        task="reports",
        method=method,
        feature="aligned",
        variant=variant,
        supervision=subject.of_reports,
    )


def _rows(setting: Setting, ranks: Float[np.ndarray, "seed query"], n_gallery: int, units: np.ndarray) -> list[dict]:
    """`n` is the gallery's size, `n_positive` the number of queries; intervals for one seed."""
    weights = bootstrap.patient_weights(units, bootstrap.N_RESAMPLES, seed=0)
    figures = {"n": n_gallery, "n_positive": ranks.shape[1], "n_seeds": len(ranks)}
    rows = []
    for k in DEPTHS:
        hits = (ranks <= k).mean(0)
        interval = bootstrap.interval(weights @ hits / weights.sum(1)) if len(ranks) == 1 else UNKNOWN
        rows.append(plain_row(setting, f"recall_at_{k}", "all", float(hits.mean()), interval=interval, **figures))
    median = float(np.median(ranks, axis=1).mean())
    return [*rows, plain_row(setting, "median_rank", "all", median, **figures)]


def _chance_rows(setting: Setting, n_gallery: int, n_own: Int[np.ndarray, "query"]) -> list[dict]:
    """Rows expected of a random order."""
    within = chance_within(n_gallery, n_own)
    values = {f"recall_at_{k}": within[min(k, n_gallery) - 1] for k in DEPTHS}
    values["median_rank"] = 1 + int(np.searchsorted(within, 0.5))
    return [plain_row(setting, name, "all", float(v), n=n_gallery, n_positive=len(n_own)) for name, v in values.items()]


def embed_texts(table: TokenTable, embed_text, variables: Variables, ids: Int[np.ndarray, "text"]) -> np.ndarray:
    """Embeddings of these reports."""
    read = batched.rows_of(table.tokens, table.mask, ids)
    return batched.embed_texts(embed_text, variables, read, len(ids)).astype(np.float64)
