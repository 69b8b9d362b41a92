"""Outcome of an evaluator: rows, scores and what it had to leave out.

What cannot be scored is left out by its name and reason, and ends nothing else.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int16

from cgdmer_jax.metrics.results import Scored, Setting, rows_for_scores
from cgdmer_jax.metrics.score_key import ScoreKey, key_of


@dataclass(frozen=True)
class Outcome:
    """Rows of results.json in their order, and the sets of scores behind them."""

    rows: tuple[dict, ...] = ()
    predictions: dict[ScoreKey, np.ndarray] = field(default_factory=dict)
    scored: dict[ScoreKey, Scored] = field(default_factory=dict)  # rows and bootstrap of the same sets
    left_out: tuple[str, ...] = ()


def together(outcomes: Iterable[Outcome]) -> Outcome:
    """One after the other."""
    made = list(outcomes)
    return Outcome(
        tuple(row for one in made for row in one.rows),
        {key: scores for one in made for key, scores in one.predictions.items()},
        {key: scored for one in made for key, scored in one.scored.items()},
        tuple(sentence for one in made for sentence in one.left_out),
    )


def leave_out(what: str, why: str) -> str:
    """The sentence for results and report; said at once."""
    sentence = f"{what}: {why}"
    print(f"left out: {sentence}")
    return sentence


def without(what: str, why: str) -> Outcome:
    """Nothing but that sentence."""
    return Outcome(left_out=(leave_out(what, why),))


def score(
    setting: Setting,
    scores: Sequence[Float[np.ndarray, "record klass"]],
    labels: Bool[np.ndarray, "record klass"],
    classes: Sequence[str],
    *,
    probabilities: bool,
    defined: Bool[np.ndarray, "klass"] | None = None,
    weights: Int16[np.ndarray, "resample record"] | None = None,
    macro_only: bool = False,
) -> Outcome:
    """Rows of one set of scores (one array a seed), and the scores of every seed, kept for any later metric."""
    scored = rows_for_scores(
        setting,
        scores,
        labels,
        classes,
        probabilities=probabilities,
        defined=defined,
        weights=weights,
        macro_only=macro_only,
    )
    # Of every seed: the score of a mean over seeds would be an ensemble's.
    every = np.stack(scores).astype(np.float32)
    key = key_of(asdict(setting))
    return Outcome(tuple(scored.rows), {key: every[0] if len(every) == 1 else every}, {key: scored})
