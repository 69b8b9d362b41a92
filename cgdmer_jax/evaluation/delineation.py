"""Cross-validation of a delineation: five folds by patient, scored by one rule whatever it was made by."""

import math
from pathlib import Path

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Lines
from cgdmer_jax.data.record_columns import WAVES, with_record_columns
from cgdmer_jax.data.splits import N_FOLDS, in_folds
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.metrics.delineation import NOT_ANNOTATED, score_waves
from cgdmer_jax.recipes.delineate import Delineated, TrainedFold
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.waveform.lead_names import LEADS
from cgdmer_jax.whole_file import write_json

PARTS = tuple((first, first + 1) for first in range(1, N_FOLDS, 2))  # two of the store's ten folds each
SCORED_LEADS = {"all": LEADS, "II": ("II",)}
REMEDY = "delete it and delineate again"
KEY = ("leads", "wave", "metric")


def open_marked(store: str) -> Corpus:
    """The records of one store, with their marked waves as the column `waves`."""
    return with_record_columns(open_corpus((store,)), (WAVES,))


def cross_validate(trained_fold: TrainedFold, corpus: Corpus, settings: dict[str, object], out: Path) -> dict:
    """Scores each fold by what was learned from the four others; writes the JSON after each and returns it.

    Begun again with the same `settings` it goes on behind the last finished fold. `rows` (mean and standard deviation
    over the folds) stand there once all are done.
    """
    settings = settings | {"store": corpus.fingerprint}
    done = _read_done(out, settings)
    lines = marked_lines(corpus)
    folds = [in_folds(corpus.fold[lines], part) for part in PARTS]
    for part, scored in zip(PARTS, folds, strict=True):
        if not scored.any():
            raise CgdmerError(
                f"store {corpus.stores[0].path} has no record with marked waves in folds {part[0]} and {part[1]}; "
                "give a store of more patients"
            )
    for number, scored in enumerate(folds[len(done) :], start=len(done) + 1):
        found = trained_fold(lines[~scored], lines[scored])
        told = {
            "fold": number,
            "records": int(scored.sum()),
            "leads_without_a_wave": n_empty(found, corpus, lines[scored]),
        }
        done.append(told | {"rows": fold_rows(found, corpus, lines[scored])})
        _write(out, settings, done)
        print(in_words(f"fold {number} of {len(PARTS)}", done[-1]["rows"]), flush=True)
    document = _write(out, settings, done)
    print(f"{in_words('mean of the folds', document['rows'])}; {out}")
    return document


def marked_lines(corpus: Corpus) -> Lines:
    """Records of which a lead is annotated, those that a delineation learns from and is scored on."""
    classes = corpus.record_columns[WAVES]
    marked = [(classes[np.array([line])] != NOT_ANNOTATED).any() for line in range(corpus.n_records)]
    return np.flatnonzero(marked)


def n_empty(found: Delineated, corpus: Corpus, lines: Lines) -> int:
    """Number of annotated leads in which nothing was found, as where NeuroKit2 fails."""
    marked = (corpus.record_columns[WAVES][lines] != NOT_ANNOTATED).any(-1)
    return int((marked & (found == 0).all(-1)).sum())


def fold_rows(found: Delineated, corpus: Corpus, lines: Lines) -> list[dict]:
    """A row for each figure of each wave, over all leads and of lead II."""
    marked, lengths = corpus.record_columns[WAVES][lines], corpus.length[lines].tolist()
    rows = []
    for leads, names in SCORED_LEADS.items():
        which = [
            (record, lead, slice(n))
            for lead in map(LEADS.index, names)
            for record, n in enumerate(lengths)
            if (marked[record, lead] != NOT_ANNOTATED).any()
        ]
        scores = score_waves([found[one] for one in which], [marked[one] for one in which], corpus.rate)
        rows += [
            {"leads": leads, "wave": wave, "metric": metric, "value": _number(value), "n": one.n}
            for wave, one in scores.items()
            for metric, value in one.figures.items()
        ]
    return rows


def over_folds(done: list[dict]) -> list[dict]:
    """Mean and standard deviation of each figure; null as soon as one fold has none."""
    rows = []
    for same in zip(*(fold["rows"] for fold in done), strict=True):
        values = np.array([math.nan if row["value"] is None else row["value"] for row in same])
        figures = {"value": _number(values.mean()), "sd": _number(values.std(ddof=1))}
        rows.append({name: same[0][name] for name in KEY} | figures | {"n": sum(row["n"] for row in same)})
    return rows


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _read_done(out: Path, settings: dict[str, object]) -> list[dict]:
    """Folds that an earlier start has finished."""
    if not out.exists():
        return []
    found = read_sealed(out, remedy=REMEDY, required=True)
    before, folds = found.get("settings"), found.get("folds")
    if not isinstance(before, dict) or not isinstance(folds, list):
        raise CgdmerError(f"{out} is no file of a delineation; name another --out")
    if other := [name for name in settings | before if settings.get(name) != before.get(name)]:
        raise CgdmerError(
            f"{out} was made with {other[0]} {before.get(other[0])}, not {settings.get(other[0])}; name another --out"
        )
    return folds


def _write(out: Path, settings: dict[str, object], done: list[dict]) -> dict:
    document = {
        "command": provenance.command_line(),
        "commit": provenance.commit(),
        "environment": provenance.environment(),
        "settings": settings,
        "folds": done,
    }
    if len(done) == len(PARTS):
        document["rows"] = over_folds(done)
    write_json(out, sealed(document))
    return document


def in_words(what: str, rows: list[dict]) -> str:
    """Boundary F1 and Dice of all leads."""
    values = {(row["leads"], row["wave"], row["metric"]): row["value"] for row in rows}
    told = [
        f"{wave} {'none' if value is None else f'{value:.3f}'}"
        for wave in ("P", "QRS", "T", "macro")
        for value in [values["all", wave, "boundary_f1"]]
    ]
    return f"{what}: boundary F1 {', '.join(told)}"
