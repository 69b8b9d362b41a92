"""Runs the parts of an evaluation and writes results, predictions and the report."""

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.data.published_splits import published_prompts_sha256, tables_sha256
from cgdmer_jax.data.text.prompts import prompts_sha256
from cgdmer_jax.errors import CgdmerError, suggest
from cgdmer_jax.evaluation.baselines import add_differences, add_floors
from cgdmer_jax.evaluation.evaluation import Evaluation, Plan, prepare
from cgdmer_jax.evaluation.evaluation_folders import check_writable, folder_of, folder_of_step
from cgdmer_jax.evaluation.label_fractions import add_label_fractions
from cgdmer_jax.evaluation.linear_probe import probe_encoders
from cgdmer_jax.evaluation.merl_protocol import add_merl_zero_shot, add_no_signals, add_sgd_probes, merl_records
from cgdmer_jax.evaluation.missing_leads import add_missing_leads
from cgdmer_jax.evaluation.pages.report_page import read_extras, report
from cgdmer_jax.evaluation.reconstruction import add_reconstruction
from cgdmer_jax.evaluation.retrieval import add_retrieval
from cgdmer_jax.evaluation.subgroups import add_groups
from cgdmer_jax.evaluation.zero_shot import add_zero_shot
from cgdmer_jax.metrics.protocols import MACRO
from cgdmer_jax.metrics.results import RESULTS, read_results, write_results
from cgdmer_jax.npz_file import write_arrays
from cgdmer_jax.recipes.embedding import feature_names
from cgdmer_jax.report.page import text_table

PARTS: dict[str, Callable[[Evaluation, Plan], None]] = {
    "probe": probe_encoders,
    "zero_shot": add_zero_shot,
    "floors": add_floors,
    "retrieval": add_retrieval,
    "missing_leads": add_missing_leads,
    "reconstruction": add_reconstruction,
    "groups": add_groups,
    "label_fractions": add_label_fractions,
}
MERL_PARTS: dict[str, Callable[[Evaluation, Plan], None]] = {"probe": add_sgd_probes, "zero_shot": add_merl_zero_shot}
NEED_TEXT = ("zero_shot", "retrieval")
NEED_TASKS = ("zero_shot", "floors", "missing_leads", "groups", "label_fractions")
FEATURES = ("main", "encoder", "shared", "specific")
TEST_READS = "test_reads.jsonl"  # in the run folder
EMBEDDED = "synthetic"  # made anew by anyone: reading its test split spends nothing


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
) -> Evaluation:
    """Scores a run on a store; writes results.json, predictions.npz and report.html, and prints the table.

    - `run`: run folder; the files are written below it, where docs/evaluation.md says.
    - `store`: folder of a converted store. `split`: "validation" or "test"; each look at a real test split is recorded.
    - `checkpoint`: step; None = the last.
    - `features`: names of docs/evaluation.md, the first of them the headline; None = those that the method has.
    - `random_seeds`, `kernels`: number of random-weight encoders and of random convolution kernels, for the floors.
    - `parts`: what is computed, of docs/evaluation.md; None = all.
    - `protocol`: "clean", or "merl" with `tables`, the folder of its published splits.

    Raises CgdmerError, before anything is computed, where run, store, parts or features do not fit each other and where
    nothing can be written.
    """
    known = PARTS if protocol == "clean" else MERL_PARTS
    check_request(protocol, tables, parts or (), features or ())
    if kernels < 1 or random_seeds < 0:
        raise CgdmerError(f"--kernels={kernels} --random_seeds={random_seeds}: expected at least 1 and at least 0")
    begun = time.monotonic()
    sort = {} if tables is None else {"sort": merl_records(tables)}
    state = prepare(run, store, split, checkpoint, protocol=protocol, **sort)
    features = chosen_features(state, features)
    cache = folder_of(state.trained.folder, state.trained.contract, state.corpus, split)
    clean = folder_of_step(cache, checkpoint)
    out = clean if protocol == "clean" else clean / protocol
    check_writable(out)
    facts, extras = origin(state, tables), read_extras(state, out, protocol)
    other = other_protocol(state, clean)
    if state.overlap:
        print(f"{state.overlap}: every figure is marked seen_in_training")
    line = provenance.command_line()
    if split == "test" and state.base.store != EMBEDDED:
        note_test_read(state, line)  # before the first figure: an evaluation that fails half way has been a look
    plan = Plan(features, random_seeds, kernels, cache, tables)
    run_parts(state, plan, {name: part for name, part in known.items() if parts is None or name in (*parts, "probe")})
    add_differences(state, features[0]) if protocol == "clean" else add_no_signals(state)
    facts |= {"seconds": state.seconds, "left_out": state.left_out}
    write_results(out / RESULTS, line, state.rows, facts)
    save_predictions(state, out / "predictions.npz")
    report(state, out / "report.html", line, facts, features[0], extras)
    both = [*state.rows, *other]
    print(text_table(sorted(both, key=lambda row: list(MACRO).index(row["protocol"]))))
    total = time.monotonic() - begun
    print(f"{', '.join(f'{name} {s:.0f} s' for name, s in state.seconds.items())}; {total:.0f} s in all")
    print(f"report: {out / 'report.html'}")
    return state


def run_parts(state: Evaluation, plan: Plan, parts: dict[str, Callable[[Evaluation, Plan], None]]) -> None:
    """One after the other, with the seconds that each took; what store or method do not have is left out."""
    for name, part in parts.items():
        if name in NEED_TEXT and not state.trained.method.declared.text:
            state.leave_out(f"part {name}", f"{state.base.method} reads no text")
            continue
        if name in NEED_TASKS and not state.tasks:
            state.leave_out(f"part {name}", "the store has no task that can be scored")
            continue
        start = time.monotonic()
        part(state, plan)
        state.seconds[name] = round(time.monotonic() - start, 1)


def check_request(protocol: str, tables: Path | None, parts: tuple[str, ...], features: tuple[str, ...]) -> None:
    """Raises on what can be known before anything is loaded."""
    known = PARTS if protocol == "clean" else MERL_PARTS
    for name in parts:
        if name not in known:
            raise CgdmerError(f'--parts: protocol {protocol} has no part "{name}".{suggest(name, known)}')
    if len(set(features)) < len(features):
        raise CgdmerError(f"--features={','.join(features)} names a feature twice; name each once")
    if (protocol == "merl") != (tables is not None):
        raise CgdmerError("--tables=FOLDER (MERL's split tables, docs/evaluation.md) and --protocol=merl go together")


def chosen_features(state: Evaluation, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Those that were asked for, which the method must have; else the usual ones that it has."""
    known = feature_names(state.trained)
    for name in asked or ():
        if name not in known:
            raise CgdmerError(f'--features: {state.base.method} has no feature "{name}".{suggest(name, known)}')
    return asked or tuple(name for name in FEATURES if name in known) or tuple(known[:1])


def other_protocol(state: Evaluation, clean: Path) -> list[dict]:
    """Rows of the other protocol, where it was evaluated on the same checkpoint and store."""
    (name,) = MACRO.keys() - {state.base.protocol}
    file = (clean if name == "clean" else clean / name) / RESULTS
    if not file.exists():
        return []
    document = read_results(file)
    here = {"checkpoint": state.trained.checkpoint, "store": state.corpus.fingerprint}
    return document["rows"] if document["origin"].items() >= here.items() else []


def origin(state: Evaluation, tables: Path | None) -> dict:
    """What the figures come from: the run, its checkpoint, the commit it was trained at, and the prompts."""
    run = state.trained
    return {
        "run": state.base.run,
        "step": run.step,
        "checkpoint": run.checkpoint,
        "trained_at": run.folder.starts()[-1]["commit"],
        "store": state.corpus.fingerprint,
        "prompts": published_prompts_sha256(tables) if tables else prompts_sha256(state.base.store),  # None: has none
    } | ({"tables": tables_sha256(tables, state.base.store)} if tables else {})


def save_predictions(state: Evaluation, path: Path) -> None:
    """Scores [record, class] ([seed, record, class] of several seeds), labels and ids: any later metric's input."""
    arrays = dict(state.predictions)
    for task in state.tasks:
        scored = state.lines[task.score]
        arrays[f"{task.name}/labels"] = task.labels[task.score]
        arrays[f"{task.name}/classes"] = np.array(task.classes)  # of the scores
        if task.scored_classes:
            arrays[f"{task.name}/label_classes"] = np.array(task.scored_classes)
        arrays[f"{task.name}/record_id"] = state.corpus.column("record_id")[scored].astype(str)
        arrays[f"{task.name}/patient_id"] = state.corpus.patient_id[scored].astype(str)
    write_arrays(path, arrays, compress=True)


def note_test_read(state: Evaluation, line: str) -> None:
    """Each look at a real test split is written down, in the folder of the run that looked."""
    entry = {"command": line, "commit": provenance.commit(), "checkpoint": state.trained.checkpoint}
    entry |= {"store": state.corpus.fingerprint, "date": time.strftime("%Y-%m-%d")}
    with (state.trained.folder.path / TEST_READS).open("a") as file:
        file.write(json.dumps(entry) + "\n")
