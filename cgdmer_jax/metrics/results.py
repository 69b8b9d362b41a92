"""results.json: one tidy table of flat rows (docs/design.md, "Results")."""

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Int16

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics import bootstrap, metrics
from cgdmer_jax.metrics.protocols import MACRO
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.whole_file import write_whole

RESULTS = "results.json"
KEY = (
    "protocol store split group method run feature feature_dim evaluation variant task class "
    "label_fraction val_labels leads domain supervision seen_in_training metric"
).split()
FIGURES = ("value", "low", "high", "n", "n_positive", "n_seeds")
KINDS = {
    **dict.fromkeys(KEY, str | None),
    **{"feature_dim": int | None, "label_fraction": int | float, "seen_in_training": bool},
    **dict.fromkeys(("value", "low", "high"), int | float | None),
    **dict.fromkeys(("n", "n_positive", "n_seeds"), int),
}
REMEDY = "restore the file, or delete it and evaluate the run again"
SEED = 0  # of the draw of training seeds in an interval
UNKNOWN = bootstrap.Interval(math.nan, math.nan)


@dataclass(frozen=True)
class Setting:
    """Fields shared by all rows of one set of scores: the key fields but `class` and `metric`."""

    store: str
    split: str
    method: str
    run: str
    feature: str | None
    feature_dim: int | None
    evaluation: str
    task: str
    domain: str
    supervision: str
    seen_in_training: bool
    protocol: str = "clean"
    group: str = "all"
    variant: str | None = None
    label_fraction: float = 1.0
    val_labels: str = "full"
    leads: str = "all"


@dataclass(frozen=True)
class Scored:
    """The rows of one set of scores, and its bootstrap for a paired difference."""

    setting: Setting
    rows: list[dict]
    macro_auroc: float  # macro_ge10, mean over the seeds
    samples: np.ndarray | None  # [resample] of the same; None where no weights were given
    resampled_by: np.ndarray | None  # the weights, to know that two sets share their resamples


def rows_for_scores(
    setting: Setting,
    scores: Sequence[Float[np.ndarray, "record klass"]],
    labels: Bool[np.ndarray, "record klass"],
    classes: Sequence[str],
    *,
    probabilities: bool,
    defined: Bool[np.ndarray, "klass"] | None = None,
    weights: Int16[np.ndarray, "resample record"] | None = None,
    macro_only: bool = False,
) -> Scored:
    """Rows per class, `macro_ge10` and `macro_all`, of one array of scores per training seed.

    A class that is False in `defined` (it had no positive to learn from) has null figures and is in no macro.
    Intervals need `weights`: AUROC and AUPRC per class and of macro_ge10, or (`macro_only`, much cheaper) of the
    macro AUROC alone. Brier and ECE need probabilities.
    """
    learned = np.ones(len(classes), bool) if defined is None else defined
    table = _Table(setting, classes, labels.sum(0), len(labels), len(scores), learned)
    auroc_samples = auprc_samples = None
    if weights is not None and macro_only:  # classes outside of the macro need no resamples
        (auroc_samples,) = _resample(_auroc_alone, scores, labels, weights, table.enough)
    elif weights is not None:
        auroc_samples, auprc_samples = _resample(bootstrap.bootstrap_both, scores, labels, weights, learned)
    aurocs, auprcs = zip(*(metrics.auroc_and_auprc(one, labels) for one in scores), strict=True)
    value, samples = table.add("auroc", np.stack(aurocs), auroc_samples, macro_only)
    table.add("auprc", np.stack(auprcs), auprc_samples, macro_only)
    if probabilities:
        table.add("brier", np.stack([metrics.brier(one, labels) for one in scores]), None)
        table.add("ece", np.stack([metrics.ece(one, labels) for one in scores]), None)
    return Scored(setting, table.rows, value, samples, weights)


def _auroc_alone(scores, labels, weights):
    return (bootstrap.bootstrap_auroc(scores, labels, weights),)


def _resample(resampled, scores, labels, weights, classes):
    """[figure, resample, class], each resample with the scores of the training seed it draws; NaN elsewhere."""
    chosen = bootstrap.seed_of_resample(len(scores), len(weights), SEED)
    of_seeds = [np.flatnonzero(chosen == seed) for seed in range(len(scores))]
    made = [
        resampled(one[:, classes], labels[:, classes], weights[mine])
        for one, mine in zip(scores, of_seeds, strict=True)
    ]
    samples = np.full((len(made[0]), len(weights), labels.shape[1]), np.nan)
    for mine, figures in zip(of_seeds, made, strict=True):
        samples[:, mine[:, None], classes] = figures
    return samples


def paired_row(scored: Scored, reference: Scored, *, variant: str) -> dict:
    """The macro_ge10 AUROC of `scored` less that of `reference` over the same resamples."""
    if scored.samples is None or scored.resampled_by is not reference.resampled_by:
        raise ValueError("a paired difference needs both sets of scores on the same bootstrap weights")
    low, high = bootstrap.interval(scored.samples - reference.samples)
    macro = next(r for r in scored.rows if r["class"] == "macro_ge10" and r["metric"] == "auroc")
    return macro | {
        "variant": variant,
        "metric": "auroc_difference",
        "value": _number(scored.macro_auroc - reference.macro_auroc),
        "low": _number(low),
        "high": _number(high),
    }


def plain_row(
    setting: Setting,
    metric: str,
    klass: str,
    value: float,
    *,
    n: int,
    n_positive: int,
    interval: bootstrap.Interval = UNKNOWN,
    n_seeds: int = 1,
) -> dict:
    """One row of a figure that is not of a table of scores: `affirmed_share`, a recall, an error in millivolts."""
    figures = (_number(value), _number(interval.low), _number(interval.high), n, n_positive, n_seeds)
    return _key(setting, metric, klass) | dict(zip(FIGURES, figures, strict=True))


def write_results(path: Path, command: str, rows: Sequence[dict], origin: dict) -> None:
    """Writes {command, commit, environment, origin, rows} in one rename, after the key was found unique."""
    check_rows(rows)
    facts = {"command": command, "commit": commit(), "environment": environment(), "origin": origin}
    write_document(path, facts | {"rows": rows})


def write_document(path: Path, document: Mapping[str, object]) -> None:
    """A line a row, in one rename, with its own hash."""
    document = sealed(document)
    head = json.dumps({name: value for name, value in document.items() if name != "rows"}, indent=1)
    lines = ",\n".join(json.dumps(row, separators=(",", ":"), allow_nan=False) for row in document["rows"])
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, f'{head[:-2]},\n "rows": [\n{lines}\n ]\n}}\n')


def read_results(path: Path) -> dict:
    """The document that `write_results` wrote, its rows checked."""
    document = read_sealed(path, remedy=REMEDY)
    if missing := {"command", "commit", "environment", "origin", "rows"} - document.keys():
        raise CgdmerError(f"{path} lacks {', '.join(sorted(missing))}; {REMEDY}")
    rows = document["rows"]
    if not all(isinstance(document[name], kind) for name, kind in (("command", str), ("origin", dict), ("rows", list))):
        raise CgdmerError(f"{path} holds something else as command, origin or rows; {REMEDY}")
    for number, row in enumerate(rows):
        if problem := _problem_of(row):
            raise CgdmerError(f"row {number} of {path} {problem}; {REMEDY}")
    check_rows(rows)
    return document


def _problem_of(row: object) -> str | None:
    """Why a row that was read cannot be shown."""
    if not isinstance(row, dict):
        return "is not an object"
    for field, value in row.items():
        kind = KINDS.get(field, object)
        wrong = not isinstance(value, kind) or isinstance(value, bool) != (kind is bool)
        if field in KINDS and (wrong or (isinstance(value, float) and not math.isfinite(value))):
            return f"holds {str(value)[:80]!r} as {field}"
    return None if row.get("protocol") in MACRO else "has an unknown protocol"


def check_rows(rows: Sequence[dict]) -> None:
    """Raises unless every row has exactly the fields of KEY and FIGURES and no two rows share their key."""
    fields = [*KEY, *FIGURES]
    for row in rows:
        if sorted(row) != sorted(fields):
            wrong = sorted(set(row) ^ set(fields))
            raise CgdmerError(f"a results row has wrong fields ({', '.join(wrong)}); fix the code that built it")
    counts = Counter(tuple(row[field] for field in KEY) for row in rows)
    key, count = counts.most_common(1)[0] if counts else ((), 0)
    if count > 1:
        named = ", ".join(f"{field}={value}" for field, value in zip(KEY, key, strict=True))
        raise CgdmerError(f"{count} results rows share the key {named}; tell them apart by run or variant")


class _Table:
    """Collects the rows of one set of scores."""

    def __init__(self, setting, classes, n_positive, n_records, n_seeds, learned):
        self.setting, self.classes, self.n_positive = setting, classes, n_positive
        self.n_records, self.n_seeds, self.learned = n_records, n_seeds, learned
        self.enough = learned & (n_positive >= metrics.ENOUGH_POSITIVES)
        self.rows: list[dict] = []

    def add(self, metric, values, samples, macro_only=False):
        """Rows of values [seed, class], samples [resample, class]; (value, samples) of macro_ge10."""
        values = np.where(self.learned, values, np.nan)
        for k, name in enumerate(self.classes):
            drawn = samples[:, k] if samples is not None and self.learned[k] and not macro_only else None
            self._row(metric, name, values[:, k], drawn, self.n_positive[k])
        self._row(metric, "macro_all", metrics.macro(values, self.learned), None, self.n_positive.sum())
        macro = metrics.macro(values, self.enough)
        drawn = None if samples is None else metrics.macro(samples, self.enough)
        self._row(metric, "macro_ge10", macro, drawn, self.n_positive[self.enough].sum())
        return float(macro.mean()), drawn

    def _row(self, metric, klass, values, samples, n_positive):
        low, high = UNKNOWN if samples is None else bootstrap.interval(samples)
        figures = (values.mean(), low, high, self.n_records, n_positive, self.n_seeds)
        numbers = [*map(_number, figures[:3]), *map(int, figures[3:])]
        self.rows.append(_key(self.setting, metric, klass) | dict(zip(FIGURES, numbers, strict=True)))


def _key(setting: Setting, metric: str, klass: str) -> dict:
    fields = asdict(setting) | {"class": klass, "metric": metric}
    return {field: fields[field] for field in KEY}


def _number(value: float) -> float | None:
    """Six decimals; null where undefined."""
    return round(float(value), 6) if math.isfinite(value) else None
