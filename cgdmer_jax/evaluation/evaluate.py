"""Runs an evaluation in order: what is scored, its features, the headline probes, the parts; then writes it all."""

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple, TypeVar

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.data.published_splits import published_prompts_sha256, tables_sha256
from cgdmer_jax.data.text.own_prompts import read_prompts
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.evaluation.baselines import convolutions, differences
from cgdmer_jax.evaluation.case_waves import open_wave_model
from cgdmer_jax.evaluation.embedded import embed_records, fit_headline
from cgdmer_jax.evaluation.evaluation_folders import check_writable, folder_of, folder_of_step
from cgdmer_jax.evaluation.merl_protocol import merl_records, no_signals
from cgdmer_jax.evaluation.outcome import Outcome, together, without
from cgdmer_jax.evaluation.parts import CONVOLVED, MERL_PARTS, PARTS, CleanInputs, MerlInputs, why_left_out
from cgdmer_jax.evaluation.reconstruction import reconstructor
from cgdmer_jax.evaluation.report_contents import check_extras, gather_contents
from cgdmer_jax.evaluation.subject import Subject, clean_records, prepare, with_case
from cgdmer_jax.evaluation.time_line import TimeLine
from cgdmer_jax.evaluation.zero_shot import prompt_set
from cgdmer_jax.metrics.protocols import MACRO
from cgdmer_jax.metrics.results import RESULTS, read_results, write_results
from cgdmer_jax.metrics.score_key import ScoreKey
from cgdmer_jax.npz_file import write_arrays
from cgdmer_jax.recipes.embedding import feature_names
from cgdmer_jax.recipes.trained_run import Trained
from cgdmer_jax.report.contents import write_contents
from cgdmer_jax.report.first_table import text_table
from cgdmer_jax.report.found import found
from cgdmer_jax.report.make import make_report
from cgdmer_jax.whole_file import sha256_of

FEATURES = ("main", "encoder", "shared", "specific")
TEST_READS = "test_reads.jsonl"  # in the run folder
EMBEDDED = "synthetic"  # made anew by anyone: reading its test split spends nothing
Inputs = TypeVar("Inputs")


class Asked(NamedTuple):
    """Request of an evaluation, checked against what the run can give."""

    features: tuple[str, ...]  # probed ones; the first is the headline
    random_seeds: int
    kernels: int
    parts: tuple[str, ...]  # in their order


class Evaluated(NamedTuple):
    """Rows and omissions of a finished evaluation, as they were written, and its seconds."""

    rows: tuple[dict, ...]
    left_out: tuple[str, ...]
    seconds: dict[str, float]  # on the clock, of everything that was made and of each part, in order


def evaluate(
    run: Path,
    store: str,
    split: str,
    *,
    checkpoint: int | None,
    features: tuple[str, ...] | None,
    random_seeds: int,
    kernels: int,
    parts: tuple[str, ...] | None = None,
    protocol: str = "clean",
    tables: Path | None = None,
    case: str | None = None,
    prompts: Path | None = None,
    waves: str | None = None,
) -> Evaluated:
    """Scores a run on a store; writes results.json, predictions.npz, report.json and report.html, and prints the table.

    - `run`: run folder; the files are written below it, where docs/evaluation.md says.
    - `store`: folder of a converted store. `split`: "validation" or "test"; each look at a real test split is recorded.
    - `checkpoint`: step; None = the last.
    - `features`: names of docs/evaluation.md, the first of them the headline; None = those that the method has.
    - `random_seeds`, `kernels`: number of random-weight encoders and of random convolution kernels, for the floors.
    - `parts`: what is computed, of docs/evaluation.md; None = all.
    - `protocol`: "clean", or "merl" with `tables`, the folder of its published splits.
    - `case`: the record whose page the report has; None = the first one scored.
    - `prompts`: JSON file of zero-shot prompts (docs/own_data.md); None = those of the collection.
    - `waves`: model folder that delineates (docs/delineation.md); it marks P, QRS and T on that page. None = no marks.

    Raises CgdmerError, before anything is computed, where run, store, parts, features, case or waves do not fit each
    other and where nothing can be written.
    """
    known = PARTS if protocol == "clean" else MERL_PARTS
    check_request(protocol, tables, parts or (), features or (), case)
    if prompts is not None and protocol == "merl":
        raise CgdmerError("--prompts: protocol merl has prompts of its own; leave it out")
    if waves is not None and protocol == "merl":
        raise CgdmerError("--waves: the report of protocol merl has no patient's page; leave it out")
    own_prompts = None if prompts is None else read_prompts(prompts)
    if kernels < 1 or random_seeds < 0:
        raise CgdmerError(f"--kernels={kernels} --random_seeds={random_seeds}: expected at least 1 and at least 0")
    line = TimeLine()
    sort = merl_records(tables) if tables else clean_records
    subject = prepare(run, store, split, checkpoint, protocol=protocol, sort=sort)
    subject = replace(subject, own_prompts=own_prompts)
    if case is not None:
        subject = with_case(subject, case)
    if waves is not None:
        subject = replace(subject, wave_model=open_wave_model(waves, subject.corpus))
    chosen = tuple(name for name in known if parts is None or name in (*parts, "probe"))
    asked = Asked(chosen_features(subject.trained, features), random_seeds, kernels, chosen)
    cache = folder_of(subject.trained.folder, subject.trained.contract, subject.corpus, split)
    clean_folder = folder_of_step(cache, checkpoint)
    out = clean_folder if protocol == "clean" else clean_folder / protocol
    check_writable(out)
    facts, lacking = origin(subject, tables), check_extras(out)
    other = other_protocol(subject, clean_folder)
    if subject.overlap:
        print(f"{subject.overlap}: every figure is marked seen_in_training")
    command = provenance.command_line()
    if split == "test" and subject.base.store != EMBEDDED:
        note_test_read(subject, command)  # before the first figure: an evaluation that fails half way has been a look

    if tables:
        scored, clean = score_merl(subject, asked, cache, tables, line), None
    else:
        scored, clean = score_clean(subject, asked, cache, line)
    outcome = together([Outcome(left_out=(*subject.left_out, *lacking)), scored])
    facts |= {"seconds": {**line.seconds}, "cpu_seconds": {**line.cpu_seconds}, "left_out": outcome.left_out}
    write_results(out / RESULTS, command, outcome.rows, facts)
    save_predictions(subject, outcome.predictions, out / "predictions.npz")
    report = line.timed("report", lambda: write_report(out, subject, clean, facts["prompts"]))
    tell([*outcome.rows, *other], subject.base.method, line, report)
    return Evaluated(outcome.rows, outcome.left_out, line.seconds)


def score_clean(subject: Subject, asked: Asked, cache: Path, line: TimeLine) -> tuple[Outcome, CleanInputs]:
    """Protocol `clean`: features, headline probes, what several parts share, the parts, their paired differences."""
    headline = asked.features[0]
    embedded = line.timed("embed", lambda: embed_records(subject, asked.features, asked.random_seeds, cache))
    fitted = line.timed("headline", lambda: fit_headline(subject, embedded, headline))
    convolved = None
    if subject.tasks and CONVOLVED in asked.parts:
        convolved = line.timed("convolutions", lambda: convolutions(subject, asked.kernels))
    run = subject.trained
    reconstruct = reconstructor(run.method, run.variables, run.contract.samples)
    given = CleanInputs(subject, embedded, fitted, convolved, reconstruct, asked.features, cache)
    scored = together(run_part(name, PARTS[name], given, subject, line) for name in asked.parts)
    paired = differences(scored.scored, subject.tasks, (subject.base.method, headline))
    return together([scored, paired]), given


def score_merl(subject: Subject, asked: Asked, cache: Path, tables: Path, line: TimeLine) -> Outcome:
    """Protocol `merl`: features, the parts, and the rows of the collections that this store is not."""
    embedded = line.timed("embed", lambda: embed_records(subject, asked.features, asked.random_seeds, cache))
    given = MerlInputs(subject, embedded, asked.features[0], tables)
    scored = together(run_part(name, MERL_PARTS[name], given, subject, line) for name in asked.parts)
    return together([scored, no_signals(subject, scored.rows)])


def run_part(name: str, part: Callable[[Inputs], Outcome], given: Inputs, subject: Subject, line: TimeLine) -> Outcome:
    """One part; what store or method do not have is left out."""
    if why := why_left_out(name, subject):
        return without(f"part {name}", why)
    return line.timed(name, lambda: part(given))


def write_report(out: Path, subject: Subject, clean: CleanInputs | None, prompts: str | None) -> Path:
    """Writes report.json and report.html beside results.json; returns the page."""
    write_contents(out, gather_contents(subject, clean, prompts, sha256_of(out / RESULTS)))
    return make_report(out)


def tell(rows: Sequence[dict], own_method: str, line: TimeLine, report: Path) -> None:
    """Prints the first table of the report, protocol by protocol, what it says in words, and what took how long."""
    rows = sorted(rows, key=lambda row: list(MACRO).index(row["protocol"]))
    print("\n".join([text_table(rows), *found(rows, own_method)]))
    print(line)
    print(f"report: {report}")


def check_request(
    protocol: str, tables: Path | None, parts: tuple[str, ...], features: tuple[str, ...], case: str | None
) -> None:
    """Raises on what can be known before anything is loaded."""
    known = PARTS if protocol == "clean" else MERL_PARTS
    for name in parts:
        if name not in known:
            raise CgdmerError(f'--parts: protocol {protocol} has no part "{name}".{suggest(name, known)}')
    if len(set(features)) < len(features):
        raise CgdmerError(f"--features={','.join(features)} names a feature twice; name each once")
    if (protocol == "merl") != (tables is not None):
        raise CgdmerError("--tables=FOLDER (MERL's split tables, docs/evaluation.md) and --protocol=merl go together")
    if case is not None and protocol == "merl":
        raise CgdmerError("--case: the report of protocol merl has no patient's page; leave it out")


def chosen_features(trained: Trained, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Those that were asked for, which the method must have; else the usual ones that it has."""
    known = feature_names(trained)
    for name in asked or ():
        if name not in known:
            raise CgdmerError(
                f'--features: {trained.config.method_name} has no feature "{name}".{suggest(name, known)}'
            )
    return asked or tuple(name for name in FEATURES if name in known) or tuple(known[:1])


def other_protocol(subject: Subject, clean: Path) -> list[dict]:
    """Rows of the other protocol, where it was evaluated on the same checkpoint and store."""
    (name,) = MACRO.keys() - {subject.base.protocol}
    file = (clean if name == "clean" else clean / name) / RESULTS
    if not file.exists():
        return []
    document = read_results(file)
    here = {"checkpoint": subject.trained.checkpoint, "store": subject.corpus.fingerprint}
    return document["rows"] if document["origin"].items() >= here.items() else []


def origin(subject: Subject, tables: Path | None) -> dict:
    """Origin of the figures: the run, its checkpoint, the commit it was trained at, and the prompts."""
    run = subject.trained
    return {
        "run": subject.base.run,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "trained_at": run.folder.starts()[-1]["commit"],
        "store": subject.corpus.fingerprint,
        "prompts": published_prompts_sha256(tables) if tables else prompt_set(subject).sha256,  # None: has none
    } | ({"tables": tables_sha256(tables, subject.base.store)} if tables else {})


def save_predictions(subject: Subject, predictions: Mapping[ScoreKey, np.ndarray], path: Path) -> None:
    """Scores [record, class] ([seed, record, class] of several seeds), labels and ids: any later metric's input."""
    arrays = {key.text(): scores for key, scores in predictions.items()}
    for task in subject.scored:
        scored = subject.lines[task.score]
        arrays[f"{task.name}/labels"] = task.labels[task.score]
        arrays[f"{task.name}/classes"] = np.array(task.classes)  # of the scores
        if task.scored_classes:
            arrays[f"{task.name}/label_classes"] = np.array(task.scored_classes)
        arrays[f"{task.name}/record_id"] = subject.corpus.column("record_id")[scored].astype(str)
        arrays[f"{task.name}/patient_id"] = subject.corpus.patient_id[scored].astype(str)
    write_arrays(path, arrays, compress=True)


def note_test_read(subject: Subject, line: str) -> None:
    """Each look at a real test split is written down, in the folder of the run that looked."""
    entry = {"command": line, "commit": provenance.commit(), "checkpoint": subject.trained.checkpoint}
    entry |= {"store": subject.corpus.fingerprint, "date": time.strftime("%Y-%m-%d")}
    with (subject.trained.folder.path / TEST_READS).open("a") as file:
        file.write(json.dumps(entry) + "\n")
