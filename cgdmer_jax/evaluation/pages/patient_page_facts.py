"""What a patient's page rests on: what the encoder and the probes saw, the protocol, the recording's fold, versions."""

import numpy as np

import cgdmer_jax
from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.splits import SPLITS, probe_folds
from cgdmer_jax.evaluation.evaluation import Evaluation
from cgdmer_jax.evaluation.leaks import find_overlap
from cgdmer_jax.provenance import commit, environment

FILTERS = {"none": "no filter"}  # others are told by their name


def case_origin(state: Evaluation, at: int) -> dict[str, str]:
    """Of the record at this place among the embedded ones."""
    run, corpus, line = state.trained, state.corpus, int(state.lines[at])
    contract = run.contract
    own = find_overlap(contract, corpus, state.lines[at : at + 1])
    patient, recording = (
        "trained on" if seen else "not trained on" for seen in (own.of_trained_patients, own.of_trained_recordings)
    )
    folds = probe_folds(state.base.split)
    filtered = FILTERS.get(contract.filter, f"filter {contract.filter}")
    return {
        "Encoder": f"{state.base.method}, run {state.base.run}, step {run.step:,} of batches of "
        f"{run.config.data.batch_size}, checkpoint {run.checkpoint[:16]}",
        "Pretrained on": "; ".join(
            f"{part.name}: {len(part.signal_sha256):,} recordings of {part.n_patients:,} patients "
            f"(store {part.fingerprint[:16]})"
            for part in contract.trained_on
        ),
        "What it reads": f"12 leads, {contract.seconds:g} s at {contract.rate:g} Hz, {filtered}, "
        f"scaled by {contract.scaling.replace('_', ' ')}",
        "This recording": f"the first one scored, not picked; fold {corpus.fold[line]} of {state.base.store}; "
        f"its patient was {patient}, the recording {recording}",
        "Its report": _own_report(state, line),
        "Probes": "; ".join(
            f"{task.name}: fitted on {len(task.fit):,} recordings, C = {task.headline.strength:g} chosen and "
            f"probabilities calibrated on {len(task.choose):,}"
            for task in state.tasks
        ),
        "Protocol": f"{state.base.protocol}, split {state.base.split}: probes fitted on folds {listed(folds.fit)}, "
        f"chosen on {listed(folds.choose)}, scored on {listed(folds.score)}",
        "Versions": versions(),
    }


def versions() -> str:
    """This package with its commit, Python, and the packages that a figure may depend on."""
    found = environment()
    own = f"cgdmer_jax {cgdmer_jax.__version__} (commit {commit() or 'unknown'}), Python {found['python']}"
    return ", ".join([own, *(f"{name} {version}" for name, version in found["packages"].items())])


def listed(folds: tuple[int, ...]) -> str:
    """Neighbouring folds as a range."""
    whole = len(folds) > 1 and folds == tuple(range(folds[0], folds[-1] + 1))
    return f"{folds[0]}-{folds[-1]}" if whole else ", ".join(map(str, folds))


def training_reports(state: Evaluation) -> np.ndarray:
    """Text ids of the training folds' reports, one a recording that has a report."""
    ids = state.corpus.text_id[state.corpus.lines("train")]
    return ids[ids != NO_TEXT]


def of_training(state: Evaluation, folds: tuple[int, ...] = SPLITS["train"]) -> str:
    """Of which training folds something is, and whether this very store was trained on.

    By fingerprint: a collection of the same name may have been converted from other records.
    """
    if state.corpus.fingerprint in {part.fingerprint for part in state.trained.contract.trained_on}:
        seen = "trained on"
    elif state.base.domain == "in":
        seen = f"not trained on; another store of {state.base.store} was"
    else:
        seen = "not trained on"
    return f"of folds {listed(folds)} ({seen})"


def _own_report(state: Evaluation, line: int) -> str:
    number = state.corpus.text_id[line]
    if number == NO_TEXT:
        return "none, or without clinical text"
    count = int((training_reports(state) == number).sum())
    return f"occurs word for word in {count:,} recordings {of_training(state)}"
