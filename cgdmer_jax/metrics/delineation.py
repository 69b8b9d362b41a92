"""Scores of a delineation: classes of every sample against those that experts have marked.

A class is that of the record column `waves`: 0 none, 1 P, 2 QRS, 3 T, -1 not annotated. Arrays in, figures out.

An edge is the onset or the offset of a wave, a sample of it. One that lies at an end of the recording is none: the
recording, not the wave, begins or ends there. Predicted and marked edges of one kind belong together when each is the
other's nearest (of two equally near the earlier) and they are at most TOLERANCE_MS apart. A predicted edge without
partner counts as false only where the lead is annotated.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int

from cgdmer_jax.waveform.waves import WAVES, Classes, cleaned, runs

NOT_ANNOTATED = -1
TOLERANCE_MS = 150.0  # as in the papers on LUDB
EDGES = ("onset", "offset")

Leads = Sequence[Int[np.ndarray, "_"]]  # classes of several leads, each of its own length
Places = Int[np.ndarray, "_"]  # samples, in order


class Matched(NamedTuple):
    """Edges of one kind, counted: `errors` = predicted less marked, in samples, of those that belong together."""

    errors: Int[np.ndarray, " pair"]
    n_marked: int
    n_predicted: int


def edges_of(classes: Classes, wave: int) -> dict[str, Places]:
    """Onsets and offsets of a wave, in order, without those that are the recording's ends."""
    found = runs(classes, wave)
    onset, offset = found[:, 0], found[:, 1]
    return {"onset": onset[onset > 0], "offset": offset[offset < len(classes) - 1]}


def matched(predicted: Places, marked: Places, annotated: Bool[np.ndarray, " time"], rate: float) -> Matched:
    """Which of these edges belong together; both in order."""
    errors, partner = np.zeros(0, int), np.zeros(len(predicted), bool)
    if len(predicted) and len(marked):
        distance = np.abs(predicted[:, None] - marked)
        nearest_marked, nearest_predicted = distance.argmin(1), distance.argmin(0)
        own = np.arange(len(predicted))
        near = distance[own, nearest_marked] * 1000 <= TOLERANCE_MS * rate
        partner = (nearest_predicted[nearest_marked] == own) & near
        errors = (predicted - marked[nearest_marked])[partner]
    return Matched(errors, len(marked), int((partner | annotated[predicted]).sum()))


class WaveScores(NamedTuple):
    """Figures of one wave by metric, and the number of marked waves."""

    figures: dict[str, float]
    n: int


def score_waves(predicted: Leads, marked: Leads, rate: float) -> dict[str, WaveScores]:
    """Scores of each wave, over all leads given (one array a lead, of its own length), and of all waves as `macro`.

    `dice`: of samples. Of each edge `sensitivity`, `ppv` and `f1`, and `mean_ms` and `sd_ms` of the errors (predicted
    less marked) of the edges that were found. `boundary_f1`: the mean over both edges. NaN where nothing is to be told.
    """
    predicted = [cleaned(one, rate) for one in predicted]
    scores = {}
    for name, wave in WAVES.items():
        figures = {"dice": dice(predicted, marked, wave)}
        pairs = [
            (edges_of(ours, wave), edges_of(theirs, wave), theirs != NOT_ANNOTATED)
            for ours, theirs in zip(predicted, marked, strict=True)
        ]
        for edge in EDGES:
            found = [matched(ours[edge], theirs[edge], known, rate) for ours, theirs, known in pairs]
            figures |= {f"{edge}_{metric}": value for metric, value in edge_figures(found, rate).items()}
        figures["boundary_f1"] = (figures["onset_f1"] + figures["offset_f1"]) / 2
        scores[name] = WaveScores(figures, sum(len(runs(one, wave)) for one in marked))
    macro = {
        metric: float(np.mean([one.figures[metric] for one in scores.values()])) for metric in ("dice", "boundary_f1")
    }
    return scores | {"macro": WaveScores(macro, sum(one.n for one in scores.values()))}


def dice(predicted: Leads, marked: Leads, wave: int) -> float:
    """Twice the samples of both over the samples of either, where annotated."""
    both = either = 0
    for ours, theirs in zip(predicted, marked, strict=True):
        known = theirs != NOT_ANNOTATED
        a, b = (ours == wave) & known, theirs == wave
        both, either = both + int((a & b).sum()), either + int(a.sum() + b.sum())
    return 2 * both / either if either else float("nan")


def edge_figures(found: Sequence[Matched], rate: float) -> dict[str, float]:
    """Figures of one kind of edge, over leads."""
    errors_ms = np.concatenate([one.errors for one in found]) * 1000 / rate if found else np.zeros(0)
    n_marked, n_predicted = sum(one.n_marked for one in found), sum(one.n_predicted for one in found)
    return {
        "sensitivity": _share(len(errors_ms), n_marked),
        "ppv": _share(len(errors_ms), n_predicted),
        "f1": _share(2 * len(errors_ms), n_marked + n_predicted),
        "mean_ms": float(errors_ms.mean()) if len(errors_ms) else float("nan"),
        "sd_ms": float(errors_ms.std()) if len(errors_ms) else float("nan"),
    }


def _share(part: int, whole: int) -> float:
    return part / whole if whole else float("nan")
