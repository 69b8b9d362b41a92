"""Probes of text encoders: how much a report's vector tells about the labels."""

from collections.abc import Iterable
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float

from cgdmer_jax import provenance
from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.corpus import Corpus, open_corpus
from cgdmer_jax.data.report_texts import of_corpus
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.data.text.languages import language
from cgdmer_jax.data.token_table import token_table
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.subject import Task, make_task, unscorable
from cgdmer_jax.interop.huggingface import load_text_encoder
from cgdmer_jax.interop.text_folder import read_origin
from cgdmer_jax.methods import batched
from cgdmer_jax.metrics.probe import fit_probe
from cgdmer_jax.metrics.results import Scored, Setting, paired_row, rows_for_scores, write_results
from cgdmer_jax.models.text.states import mean_of_tokens
from cgdmer_jax.recipes import build, trained_run
from cgdmer_jax.recipes.text_vectors import vectors_of

NO_RUN = "-"
SPLIT = "validation"  # an encoder is chosen by it
LANGUAGES = ("de", "en")


def probe_texts(store: str, texts: dict[str, str], runs: dict[str, str], *, max_tokens: int, out: Path) -> list[dict]:
    """Rows of a probe of each encoder on a store, which are written to `out` too.

    `texts` are folders or hf://owner/name@revision of text encoders, `runs` run folders of methods that have one, both
    by the name that stands in the rows. Reports are cut at `max_tokens`, those for a run as the run cut its own.
    """
    corpus = open_corpus((store,))
    build.check_cleaning(corpus)
    rows = []
    for rows_of_encoder in probed(corpus, encoders(corpus, texts, runs, max_tokens)):
        rows += rows_of_encoder
    write_results(out, provenance.command_line(), rows, {"store": corpus.fingerprint})
    return rows


def encoders(corpus: Corpus, folders: dict[str, str], runs: dict[str, str], max_tokens: int):
    """(name, vector of each distinct text, run, domain), one after the other: each may be large."""
    if not folders and not runs:
        raise CgdmerError("nothing to probe; name an encoder with --text=NAME=FOLDER or --run=NAME=RUN")
    for name, folder in folders.items():
        vectors, _ = vectors_of(load_text_encoder(folder), corpus.texts, "mean", max_tokens)
        yield name, vectors, NO_RUN, "in" if adapted_to(Path(folder), corpus) else "out"
    for name, folder in runs.items():
        run = trained_run.load_run(Path(folder), None)
        table = token_table(corpus, run.tokenizer, run.config.data.max_tokens)
        yield name, vectors_of_run(run, table.tokens, table.mask), Path(folder).name, domain_of_run(run, corpus)


def adapted_to(folder: Path, corpus: Corpus) -> bool:
    """Whether experiments.adapt_text went on with the very reports of this corpus's training split."""
    origin = read_origin(folder)
    return origin is not None and origin.get("reports_sha256") == of_corpus(corpus).fingerprint


def domain_of_run(run: trained_run.Trained, corpus: Corpus) -> str:
    """By collection, as experiments.evaluate has it."""
    collections = {part.name for part in run.contract.trained_on}
    return "in" if corpus.stores[0].namespace in collections else "out"


def vectors_of_run(run: trained_run.Trained, tokens, mask) -> Float[np.ndarray, "text width"]:
    """The run's text encoder alone, without what it shares with the recordings."""
    if not run.method.declared.text_states:
        raise CgdmerError(
            f"{run.folder.path} is a run of {run.config.method_name}, which has no text encoder to probe; give one of "
            "cgdmer"
        )

    @jax.jit
    def of(variables, tokens, mask):
        return mean_of_tokens(run.method.text_states(variables, tokens, mask), mask.sum(1, dtype=np.int32))

    read = batched.rows_of(tokens, mask, np.arange(len(tokens)))
    return batched.embed_texts(of, run.variables, read, len(tokens))


def probed(corpus: Corpus, made):
    """The rows of each encoder; from the second one on with paired differences to the first."""
    folds = probe_folds(SPLIT)
    lines = np.flatnonzero(in_folds(corpus.fold, folds.fit + folds.choose + folds.score) & (corpus.text_id != NO_TEXT))
    spoken = np.array([language(text) for text in corpus.texts])[corpus.text_id[lines]]
    tasks = scorable(make_task(corpus, name, lines, folds) for name in corpus.stores[0].tasks)
    groups = [_groups(task, spoken[task.score]) for task in tasks]
    first = {}
    for name, vectors, run, domain in made:
        x, rows = vectors[corpus.text_id[lines]].astype(np.float64), []
        for task, of_task in zip(tasks, groups, strict=True):
            for group, scored in _scored(task, of_task, x, _setting(corpus, name, run, domain)).items():
                rows += [row for row in scored.rows if row["class"].startswith("macro_")]
                reference, theirs = first.setdefault((task.name, group), (name, scored))
                if reference != name:
                    rows.append(paired_row(scored, theirs, variant=f"minus_{reference}"))
        yield rows


def scorable(tasks: Iterable[Task]) -> list[Task]:
    """Those that have records of every role; the others are named."""
    kept = []
    for task in tasks:
        if reason := unscorable(task):
            print(f"left out: task {task.name}: {reason}")
        else:
            kept.append(task)
    if not kept:
        raise CgdmerError(
            "no task of the store has labelled records with a report to fit on, to choose on and to score"
        )
    return kept


def _groups(task: Task, spoken) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Group -> (which scored records, their bootstrap); made once, so that encoders share their resamples."""
    members = {"all": np.ones(len(spoken), bool)} | {f"language={name}": spoken == name for name in LANGUAGES}
    return {name: (m, np.ascontiguousarray(task.weights[:, m])) for name, m in members.items() if m.any()}


def _scored(task: Task, groups, x: Float[np.ndarray, "record width"], setting: dict) -> dict[str, Scored]:
    """One probe a task; its scores of all scored records and of each language."""
    fitted = fit_probe(x[task.fit], task.labels[task.fit], x[task.choose], task.labels[task.choose])
    scores, labels = fitted.scores(x[task.score]), task.labels[task.score]
    return {
        group: rows_for_scores(
            Setting(**setting, task=task.name, group=group, feature_dim=x.shape[1]),
            [scores[members]],
            labels[members],
            task.classes,
            probabilities=False,
            defined=fitted.fitted,
            weights=weights,
            macro_only=True,
        )
        for group, (members, weights) in groups.items()
    }


def _setting(corpus: Corpus, name: str, run: str, domain: str) -> dict:
    return {
        "store": corpus.stores[0].namespace,
        "split": SPLIT,
        "method": name,
        "run": run,
        "feature": "report",
        "evaluation": "probe",
        "domain": domain,
        "supervision": "labels",
        "seen_in_training": False,  # patients of the scored fold are in no training split
    }


def table_text(rows: list[dict]) -> str:
    """Macro AUROC for a terminal, a line an encoder and a table a group of reports."""
    lines = []
    shown = [row for row in rows if (row["class"], row["metric"]) == ("macro_ge10", "auroc")]
    for group in dict.fromkeys(row["group"] for row in shown):
        lines.append(f"report-to-label probe, {SPLIT}, reports: {group}")
        for method in dict.fromkeys(row["method"] for row in shown):
            of = [row for row in shown if (row["group"], row["method"]) == (group, method)]
            cells = [
                f"{r['task']} {r['value']:.3f} [{r['low']:.3f}, {r['high']:.3f}]" for r in of if r["low"] is not None
            ]
            lines.append(f"  {method:14} {'  '.join(cells)}")
    return "\n".join(lines)


def named_folders(flag: str, given: list[str]) -> dict[str, str]:
    for word in given:
        if not all(word.partition("=")):
            raise CgdmerError(f"{flag}={word} has no name; give {flag}=NAME=FOLDER, the name stands in the table")
    return dict(word.split("=", 1) for word in given)
