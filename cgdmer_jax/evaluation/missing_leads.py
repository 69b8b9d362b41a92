"""The headline probe, fitted on all leads, scored when the encoder is given fewer."""

from collections.abc import Callable, Iterator

import numpy as np
from jaxtyping import Bool

from cgdmer_jax.batch import Batch
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan
from cgdmer_jax.metrics.results import Scored
from cgdmer_jax.recipes import build, embedding
from cgdmer_jax.waveform.conditioning import LEADS

SETS = (LEADS[:6], ("I", "II", "V2"), ("II",), ("I",))
VARIANTS = ("native", "zero_fill")
N_DROPPED, N_DRAWS = 3, 3  # random9: of twelve leads nine stay
Given = Callable[[Batch], Bool[np.ndarray, "batch lead"]]


def add_missing_leads(state: Evaluation, plan: Plan) -> None:
    """Rows for each set of leads and way to leave the others out; with all leads both ways are the probe itself.

    The random sets cost an embedding a draw: they are scored natively alone.
    """
    headline = plan.features[0]
    random_sets = [_without_random_leads(draw) for draw in range(N_DRAWS)]
    sets = [("+".join(leads), [_fixed(leads)], VARIANTS) for leads in SETS]
    sets.append((f"random{len(LEADS) - N_DROPPED}", random_sets, VARIANTS[:1]))
    complete = state.features[f"{state.base.method}/{headline}"][0][state.scored_records()]
    for scored in _add(state, [complete], headline, leads="all", variant=VARIANTS[0]):
        state.rows += [row | {"variant": VARIANTS[1]} for row in scored.rows]
    for leads, draws, variants in sets:
        for variant in variants:
            made = [_embed(state, plan, given, variant, f"{leads}-draw{n}") for n, given in enumerate(draws)]
            _add(state, made, headline, leads=leads, variant=variant)


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


def _embed(state: Evaluation, plan: Plan, given: Given, variant: str, label: str) -> np.ndarray:
    """The headline feature of the scored records, cached as the others are."""
    run, lines, headline = state.trained, state.lines[state.scored_records()], plan.features[0]

    def batches() -> Iterator[tuple[Batch, int]]:
        for batch, n_real in build.read_batches(state.corpus, lines, state.table, embedding.EVALUATION_BATCH):
            yield with_leads(batch, given(batch), variant), n_real

    def compute() -> embedding.Features:
        name = f"{label}, {variant}"
        made = embedding.embed_batches(state.features_of, run.variables, batches(), len(lines), name)
        return {headline: made[headline]}

    name = f"features-{run.checkpoint[:16]}-{state.corpus.fingerprint[:16]}-{headline}-{label}-{variant}.npz"
    return embedding.cached(plan.cache / name, lines, compute)[headline].astype(np.float64)


def _add(state: Evaluation, seeds: list[np.ndarray], headline: str, *, leads: str, variant: str) -> list[Scored]:
    """Rows of every task; `seeds` are features of the records that any task scores."""
    setting = {"evaluation": "missing_leads", "feature": headline, "feature_dim": seeds[0].shape[1]}
    records, every = state.scored_records(), []
    for task in state.tasks:
        rows = np.searchsorted(records, task.score)
        every.append(
            state.add(
                task,
                [task.headline.scores(x[rows]) for x in seeds],
                setting=setting | {"leads": leads, "variant": variant},
                probabilities=True,
                defined=task.headline.fitted,
                macro_only=True,
            )
        )
    return every
