"""Labels of one's own on a pretrained encoder: cross-validated by patient, then a model folder that predicts."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from cgdmer_jax import provenance
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.loader import Lines
from cgdmer_jax.data.readers.formats import NO_HINTS, Hints
from cgdmer_jax.data.sources.table import Understood, open_table
from cgdmer_jax.data.sources.table_columns import EXAMPLE, LABELS, parse_columns
from cgdmer_jax.data.store.convert import convert
from cgdmer_jax.data.text.own_cleaning import no_rules
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.evaluation.evaluation_folders import check_writable
from cgdmer_jax.evaluation.finetuned import fit_head, rows_at_thresholds
from cgdmer_jax.evaluation.outcome import score
from cgdmer_jax.interop.model_card import Figure
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics.cross_validation import cross_validate
from cgdmer_jax.metrics.results import RESULTS, Setting, write_results
from cgdmer_jax.npz_file import write_arrays
from cgdmer_jax.recipes import embedding
from cgdmer_jax.recipes.conversion import describe
from cgdmer_jax.recipes.fitted_model import head_input, predicting_method, save_fitted
from cgdmer_jax.recipes.own_data import check_some_file_is_there, name_of_table
from cgdmer_jax.recipes.starting_encoder import StartingEncoder, encoder_of_model
from cgdmer_jax.report.fitted import fitted_page
from cgdmer_jax.whole_file import write_whole

STORE, MODEL, PREDICTIONS, REPORT = "store", "model", "predictions.npz", "report.html"  # in the folder that is made
FEATURE, EVALUATION, SPLIT = "main", "cross_validation", "all"
SEED = 0  # of folds and bootstrap


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
    processes: int = 1,
) -> tuple[dict, ...]:
    """A model that predicts the labels of a table, and what a new patient may expect of it; the rows of results.json.

    - `model`: model folder of a pretrained encoder, or hf://owner/name@revision.
    - `records`: folder below which the recordings lie. `labels`: the table. `columns`: which column says what, as
      `convert` has it (docs/own_data.md); `task` which of the tasks there, where they are several.
    - `out`: folder to write: store/, model/, results.json, predictions.npz, report.html.
    - `hints`: rate, leads and unit of recordings whose files do not say them.

    Stopped at any moment, the same call continues. Raises CgdmerError for a fault in the table, a record that no fold
    can hold, and where the folder holds a model already.
    """
    if (out / MODEL).exists():
        raise CgdmerError(f"{out / MODEL} is there already; name another --out")
    if n_folds < 3:
        raise CgdmerError(
            f"--folds={n_folds} is too few: one is scored, and the others are cross-validated to choose the penalty; "
            "give 3 or more"
        )
    mapping = parse_columns(columns)
    task = _task(mapping.tasks, task)
    understood = open_table(records, labels, mapping, name=name_of_table(labels), cleaning=no_rules(), hints=hints)
    encoder = encoder_of_model(model)
    corpus = _converted(understood, encoder, out, processes)
    lines = np.flatnonzero(corpus.labelled(task))
    y, patients = corpus.labels(task)[lines], corpus.patient_id[lines].astype(str)
    codes = tuple(label.code for label in corpus.classes(task))
    if not (y.any(0) & ~y.all(0)).any():
        raise CgdmerError(f'{len(lines)} records of task "{task}" are labelled, and no class is in some of them alone')
    x = _features(encoder, corpus, lines, task, codes)
    made = cross_validate(x, y, patients, n_folds=n_folds, seed=SEED)
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
    outcome = score(setting, [made.probabilities], y, codes, probabilities=True, defined=made.learned, weights=weights)
    rows = (*outcome.rows, *rows_at_thresholds(setting, head, head.probabilities(made.logits), y))
    command = provenance.command_line()
    origin = {"store": corpus.fingerprint, "folds": n_folds, "records": len(lines), "patients": len(set(patients))}
    origin |= {"patients_named": "patient" in mapping.fields, "seen_in_pretraining": n_seen}
    write_results(out / RESULTS, command, rows, origin)
    write_arrays(
        out / PREDICTIONS,
        {
            "probability": made.probabilities,
            "label": y,
            "class": np.array(codes),
            "fold": made.fold,
            "record_id": corpus.column("record_id")[lines].astype(str),
            "patient_id": patients,
        },
        compress=True,
    )
    names = {label.code: label.name for label in corpus.classes(task)}
    write_whole(out / REPORT, fitted_page(rows, names, head.thresholds, command, origin))
    figures = [_figure(row) for row in rows if (row["class"], row["metric"]) == ("macro_ge10", "auroc")]
    save_fitted(
        out / MODEL, encoder, made.path, made.strength, head, corpus, lines, name=out.absolute().name, figures=figures
    )
    return rows


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


def _converted(understood: Understood, encoder: StartingEncoder, out: Path, processes: int) -> Corpus:
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
        processes=processes,
    )
    print(describe(summary, store))
    return open_corpus((str(store),))


def _features(
    encoder: StartingEncoder, corpus: Corpus, lines: Lines, task: str, codes: tuple[str, ...]
) -> Float[np.ndarray, "record feature"]:
    method, _ = predicting_method(encoder, task, codes)
    table = token_table(corpus, encoder.tokenizer, encoder.max_tokens)
    features_of = embedding.embedder(method.encoder, (FEATURE,))
    made = embedding.embed(features_of, encoder.variables, corpus, lines, table, "embed")
    return head_input(made[FEATURE])


def _n_seen(encoder: StartingEncoder, corpus: Corpus, lines: Lines) -> int:
    """Number of these recordings that the encoder was pretrained on; says so where there are any."""
    known = {sha for part in encoder.contract.trained_on for sha in part.signal_sha256}
    n_seen = sum(sha in known for sha in corpus.column("signal_sha256")[lines])
    if n_seen:
        print(f"{n_seen} of these recordings were among those that the encoder was pretrained on")
    return n_seen


def _figure(row: dict) -> Figure:
    return Figure(
        "probe, cross-validated by patient", row["store"], row["split"], row["task"], row["value"], row["low"],
        row["high"], row["n"], (row["domain"],),
    )  # fmt: skip
