"""Labels of one's own on a pretrained encoder: cross-validated by patient, then a model folder that predicts."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from cgdmer_jax import provenance
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Lines
from cgdmer_jax.data.readers.formats import NO_HINTS, Hints
from cgdmer_jax.data.sources.table import NO_SPLITS, NO_VALIDATION, Understood, open_table
from cgdmer_jax.data.sources.table_columns import EXAMPLE, LABELS, parse_columns
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.store.remarks import some_of
from cgdmer_jax.data.store.seal import REJECTED
from cgdmer_jax.data.store.unread import UNREAD, rejected_lines
from cgdmer_jax.data.text.own_cleaning import no_rules
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError, suggest, visible
from cgdmer_jax.evaluation.evaluation_folders import check_writable
from cgdmer_jax.evaluation.finetuned import fit_head, rows_at_thresholds
from cgdmer_jax.evaluation.in_threads import in_threads
from cgdmer_jax.interop.model_card import Figure
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.cross_validation import LEAST_FOLDS, cross_validate, patient_folds
from cgdmer_jax.metrics.results import RESULTS, Setting, rows_for_scores, write_results
from cgdmer_jax.npz_file import write_arrays
from cgdmer_jax.progress import progress_bar
from cgdmer_jax.recipes import embedding
from cgdmer_jax.recipes.conversion import describe
from cgdmer_jax.recipes.fitted_model import head_input, predicting_method, save_fitted
from cgdmer_jax.recipes.own_data import check_some_file_is_there, name_of_table
from cgdmer_jax.recipes.starting_encoder import StartingEncoder, encoder_of_model
from cgdmer_jax.report.fitted import fitted_page
from cgdmer_jax.whole_file import write_whole

STORE, MODEL, PREDICTIONS, REPORT = "store", "model", "predictions.npz", "report.html"  # in the folder that is made
FEATURE, EVALUATION, SPLIT = "main", "cross_validation", "all"
N_DRAWS = 5  # of the folds: figures of a class with few positives hang on the draw
SEED = 0  # of the first draw and of the bootstrap


def fit_labels(
    model: str,
    records: Path,
    labels: Path,
    columns: str,
    out: Path,
    *,
    task: str | None = None,
    hints: Hints = NO_HINTS,
    n_folds: int = 5,
    partial: bool = False,
    patient_key: bytes | None = None,
    processes: int = 1,
) -> tuple[dict, ...]:
    """A model that predicts the labels of a table, and what a new patient may expect of it; the rows of results.json.

    - `model`: model folder of a pretrained encoder, or hf://owner/name@revision.
    - `records`: folder below which the recordings lie. `labels`: the table. `columns`: which column says what, as
      `convert` has it (docs/own_data.md); `task` which of the tasks there, where they are several.
    - `out`: folder to write: store/, model/, results.json, predictions.npz, report.html.
    - `hints`: rate, leads and unit of recordings whose files do not say them.
    - `partial`: whether many of the recordings in the table may lack their files.
    - `patient_key`: the model folder then holds keyed hashes of the patients, as one that `export_model` writes.

    Rows with a `variant` are of one draw of the folds; those without are means over the draws, their intervals over
    patients and draws. Stopped at any moment, the same call continues. Raises CgdmerError for a fault in the table,
    too few patients or labels, and where the folder holds a model already.
    """
    if (out / MODEL).exists():
        raise CgdmerError(
            f"{out} is finished: its model is {out / MODEL}, its page {out / REPORT}; to fit again name another --out"
        )
    if n_folds < LEAST_FOLDS:
        raise CgdmerError(
            f"--folds={n_folds} is too few: one is scored, and the others are cross-validated to choose the penalty; "
            f"give {LEAST_FOLDS} or more"
        )
    mapping = parse_columns(columns)
    task = _task(mapping.tasks, task)
    understood = open_table(records, labels, mapping, name=name_of_table(labels), cleaning=no_rules(), hints=hints)
    encoder = encoder_of_model(model)
    corpus = _converted(understood, encoder, out, partial, processes)
    lines = np.flatnonzero(corpus.labelled(task))
    y, patients = corpus.labels(task)[lines], corpus.patient_id[lines].astype(str)
    codes = tuple(label.code for label in corpus.classes(task))
    if not (y.any(0) & ~y.all(0)).any():
        raise CgdmerError(f'{len(lines)} records of task "{task}" are labelled, and no class is in some of them alone')
    folds = np.stack([patient_folds(y, patients, n_folds, SEED + draw) for draw in range(N_DRAWS)])
    x = _features(encoder, corpus, lines, task, codes)
    made = cross_validate(x, y, folds, _in_threads)
    if not made.learned.any():
        raise CgdmerError(
            f'no class of task "{task}" can be learned: all records with it, or all without, are in one of the '
            f"{n_folds} folds; give recordings of more patients"
        )
    # A class that some fold could not learn gets no threshold and no calibration, as if it had no positives.
    head = fit_head(task, corpus.classes(task), made.logits, y & made.learned)
    n_seen = _n_seen(encoder, corpus, lines)
    setting = Setting(
        store=corpus.stores[0].namespace, split=SPLIT, method=encoder.name, run=Path(model).name, feature=FEATURE,
        feature_dim=x.shape[1], evaluation=EVALUATION, task=task, domain="in", supervision="labels",
        seen_in_training=n_seen > 0,
    )  # fmt: skip
    weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, SEED)
    together = rows_for_scores(
        setting, [*made.probabilities], y, codes, probabilities=True, defined=made.learned, weights=weights
    )
    calibrated = np.stack([head.probabilities(logits) for logits in made.logits])
    rows = (*together.rows, *rows_at_thresholds(setting, head, calibrated, y))
    for draw, scores in enumerate(made.probabilities, start=1):
        alone = replace(setting, variant=f"draw_{draw}")
        rows += tuple(rows_for_scores(alone, [scores], y, codes, probabilities=True, defined=made.learned).rows)
    command = provenance.command_line()
    origin = {"store": corpus.fingerprint, "folds": n_folds, "draws_of_folds": N_DRAWS}
    origin |= {"records": len(lines), "patients": len(set(patients)), "patients_named": "patient" in mapping.fields}
    origin |= {"seen_in_pretraining": n_seen, "records_left_out": len(rejected_lines(out / STORE))}
    write_results(out / RESULTS, command, rows, origin)
    write_arrays(
        out / PREDICTIONS,
        {
            "probability": made.probabilities,
            "label": y,
            "class": np.array(codes),
            "fold": folds,
            "record_id": corpus.column("record_id")[lines].astype(str),
            "patient_id": patients,
        },
        compress=True,
    )
    names = {label.code: label.name for label in corpus.classes(task)}
    write_whole(out / REPORT, fitted_page(rows, names, head.thresholds, command, origin))
    figures = [_figure(row) for row in together.rows if (row["class"], row["metric"]) == ("macro_ge10", "auroc")]
    save_fitted(
        out / MODEL, encoder, made.path, made.strength, head, corpus, lines,
        name=out.absolute().name, figures=figures, patient_key=patient_key,
    )  # fmt: skip
    return rows


def left_out(out: Path) -> str | None:
    """A sentence on the recordings of the table that took no part in the fit that this folder holds; None: all did."""
    lines = rejected_lines(out / STORE)
    if not lines:
        return None
    n_unread = sum(line["problem"] in UNREAD for line in lines)
    told = f"left out: {len(lines):,} of the recordings in the table {some_of([line['record_id'] for line in lines])}"
    told += f", {n_unread:,} of them missing or unreadable" if n_unread else ""
    return visible(f"{told}; {out / STORE / REJECTED} says why")


def _task(tasks: dict[str, str], asked: str | None) -> str:
    if not tasks:
        raise CgdmerError(f"--columns names no labels; write {LABELS}TASK=COLUMN in it ({EXAMPLE})")
    if asked is None:
        if len(tasks) > 1:
            raise CgdmerError(f"--columns names the tasks {', '.join(tasks)}; say which is learned with --task")
        return next(iter(tasks))
    if asked not in tasks:
        raise CgdmerError(f'--task is "{asked}", which --columns does not name.{suggest(asked, tasks)}')
    return asked


def _converted(understood: Understood, encoder: StartingEncoder, out: Path, partial: bool, processes: int) -> Corpus:
    """The recordings as the encoder reads them, in a store that is kept."""
    check_writable(out)
    store, contract = out / STORE, encoder.contract
    if not store.exists():
        check_some_file_is_there(understood)
    summary = convert(
        understood.source,
        store,
        rate=contract.rate,
        seconds=contract.seconds,
        filter=contract.filter,
        derive_limb_leads=contract.derive_limb_leads,
        partial=partial,
        processes=processes,
    )
    # A fit reads neither reports nor splits, so what conversion says of them would be about nothing here.
    marks = {column: count for column, count in summary.quality.items() if column != "no_report"}
    remarks = [remark for remark in summary.remarks if remark not in (NO_SPLITS, NO_VALIDATION)]
    print(describe(replace(summary, quality=marks, remarks=remarks), store))
    return open_corpus((str(store),))


def _features(
    encoder: StartingEncoder, corpus: Corpus, lines: Lines, task: str, codes: tuple[str, ...]
) -> Float[np.ndarray, "record feature"]:
    method, _ = predicting_method(encoder, task, codes)
    table = token_table(corpus, encoder.tokenizer, encoder.max_tokens)
    features_of = embedding.embedder(method.encoder, (FEATURE,))
    made = embedding.embed(features_of, encoder.variables, corpus, lines, table, "embed")
    return head_input(made[FEATURE])


def _in_threads(score: Callable, folds: Int[np.ndarray, "draw record"]) -> list:
    with progress_bar(len(folds), "draw", "cross-validate") as bar:

        def score_one(fold: Int[np.ndarray, "record"]) -> object:
            made = score(fold)
            bar.update()
            return made

        return in_threads(score_one, folds)


def _n_seen(encoder: StartingEncoder, corpus: Corpus, lines: Lines) -> int:
    """Number of these recordings that the encoder was pretrained on; says so where there are any."""
    known = {sha for part in encoder.contract.trained_on for sha in part.signal_sha256}
    n_seen = sum(sha in known for sha in corpus.column("signal_sha256")[lines])
    if n_seen:
        print(f"{n_seen} of these recordings were among those that the encoder was pretrained on")
    return n_seen


def _figure(row: dict) -> Figure:
    return Figure(
        f"probe, cross-validated by patient, {N_DRAWS} draws of folds", row["store"], row["split"], row["task"],
        row["value"], row["low"], row["high"], row["n"], (row["domain"],),
    )  # fmt: skip
