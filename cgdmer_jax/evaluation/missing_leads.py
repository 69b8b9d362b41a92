"""The headline probe, fitted on all leads, scored when the encoder is given fewer."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Bool

from cgdmer_jax.batch import Batch
from cgdmer_jax.evaluation.embedded import Headline
from cgdmer_jax.evaluation.outcome import Outcome, score, together
from cgdmer_jax.evaluation.subject import Subject
from cgdmer_jax.methods.batched import records_at_once
from cgdmer_jax.recipes import build, embedding
from cgdmer_jax.waveform.conditioning import LEADS

SETS = (LEADS[:6], ("I", "II", "V2"), ("I", "II"), ("II",), ("I",))
VARIANTS = ("native", "zero_fill")
N_DROPPED, N_DRAWS = 3, 3  # random9: of twelve leads nine stay
Given = Callable[[Batch], Bool[np.ndarray, "batch lead"]]


def score_missing_leads(subject: Subject, headline: Headline, features_of: Callable, cache: Path) -> Outcome:
    """Rows for each set of leads and way to leave the others out; with all leads both ways are the probe itself.

    `features_of` is the compiled embedder that made the headline feature. The random sets cost an embedding a draw:
    they are scored natively alone.
    """
    random_sets = [_without_random_leads(draw) for draw in range(N_DRAWS)]
    sets = [(f"random{len(LEADS) - N_DROPPED}", random_sets, VARIANTS[:1])]
    sets += [("+".join(leads), [_fixed(leads)], VARIANTS) for leads in SETS]
    complete = _score(subject, headline, [headline.x[subject.scored_records()]], leads="all", variant=VARIANTS[0])
    made = [complete, Outcome(tuple(row | {"variant": VARIANTS[1]} for row in complete.rows))]
    for leads, draws, variants in sets:
        for variant in variants:
            seeds = [
                _embed(subject, headline, features_of, cache, given, variant, f"{leads}-draw{n}")
                for n, given in enumerate(draws)
            ]
            made.append(_score(subject, headline, seeds, leads=leads, variant=variant))
    return together(made)


def with_leads(batch: Batch, given: Bool[np.ndarray, "batch lead"], variant: str) -> Batch:
    """The batch without its other leads: `native` marks them absent, `zero_fill` as recorded at zero millivolts."""
    signal = np.where(given[:, :, None], batch.signal, 0)
    lead_mask = batch.lead_mask & given if variant == "native" else batch.lead_mask | ~given
    return batch._replace(signal=signal.astype(np.int16), lead_mask=lead_mask)


def _fixed(leads: tuple[str, ...]) -> Given:
    given = np.isin(LEADS, leads)
    return lambda batch: np.broadcast_to(given, batch.lead_mask.shape)


def _without_random_leads(draw: int) -> Given:
    """Three of a record's present leads taken away (one stays): a function of the draw and the record alone."""

    def of_record(row: int, present: Bool[np.ndarray, "lead"]) -> Bool[np.ndarray, "lead"]:
        order = np.random.default_rng([draw, row]).permutation(np.flatnonzero(present))
        given = present.copy()
        given[order[: min(N_DROPPED, len(order) - 1)]] = False
        return given

    return lambda batch: np.stack([of_record(int(r), m) for r, m in zip(batch.row, batch.lead_mask, strict=True)])


def _embed(
    subject: Subject, headline: Headline, features_of: Callable, cache: Path, given: Given, variant: str, label: str
) -> np.ndarray:
    """The headline feature of the scored records, cached as the others are."""
    run, lines, feature = subject.trained, subject.lines[subject.scored_records()], headline.feature

    def batches() -> Iterator[tuple[Batch, int]]:
        for batch, n_real in build.read_batches(subject.corpus, lines, subject.table, records_at_once()):
            yield with_leads(batch, given(batch), variant), n_real

    def compute() -> embedding.Features:
        name = f"{label}, {variant}"
        made = embedding.embed_batches(features_of, run.variables, batches(), len(lines), name)
        return {feature: made[feature]}

    name = f"features-{run.checkpoint[:16]}-{subject.corpus.fingerprint[:16]}-{feature}-{label}-{variant}.npz"
    return embedding.cached(cache / name, lines, (feature,), compute)[feature].astype(np.float64)


def _score(subject: Subject, headline: Headline, seeds: list[np.ndarray], *, leads: str, variant: str) -> Outcome:
    """Rows of every task; `seeds` are features of the records that any task scores."""
    setting = replace(subject.base, evaluation="missing_leads", leads=leads, variant=variant)
    setting = replace(setting, feature=headline.feature, feature_dim=seeds[0].shape[1])
    records, made = subject.scored_records(), []
    for task in subject.tasks:
        rows, probe = np.searchsorted(records, task.score), headline.probes[task.name]
        made.append(
            score(
                replace(setting, task=task.name),
                [probe.scores(x[rows]) for x in seeds],
                task.labels[task.score],
                task.classes,
                probabilities=True,
                defined=probe.fitted,
                weights=task.weights,
                macro_only=True,
            )
        )
    return together(made)
