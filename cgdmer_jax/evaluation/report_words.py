"""Facts for the report in words: the run and what it was trained on, the protocol, the folds."""

import jax
import numpy as np

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.contract import InputContract
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.splits import SPLITS, probe_folds
from cgdmer_jax.evaluation.leaks import Overlap, find_overlap
from cgdmer_jax.metrics.results import Setting
from cgdmer_jax.recipes.trained_run import Trained

FILTERS = {"none": "no filter"}  # others are told by their name
MERL_ROLES = {
    "test": "fitted on the train table, epoch chosen on val, scored on test",
    "validation": "fitted on the train table less fold 8, epoch chosen on that fold, scored on val",
}


def head_facts(run: Trained, corpus: Corpus, base: Setting, overlap: Overlap, prompts: str | None) -> dict[str, str]:
    """Head of the report; `prompts` is their sha256, None where the collection has none."""
    info = corpus.stores[0].info
    return {
        "Run": f"{base.run}, step {run.step}",
        "Method": run.config.method_name,
        "Store": f"{info['name']} (fingerprint {corpus.fingerprint[:8]}), {corpus.n_records:,} records, "
        f"{corpus.rate:g} Hz ({info['licence']})",
        "Protocol": f"{base.protocol}; split {base.split}: {_roles(base)}",
        "Trained on": ", ".join(f"{part.name} ({part.n_patients:,} patients)" for part in run.contract.trained_on),
        "Scored records seen in training": str(overlap),
        "Prompts": f"{prompts[:16]} (sha256)" if prompts else "none for this collection",
        "Device": str(jax.devices()[0]),
    }


def case_facts(
    run: Trained, corpus: Corpus, line: int, base: Setting, probes: dict[str, str], *, asked: bool
) -> dict[str, str]:
    """Facts that a patient's page rests on; `probes` says by task what its probe was fitted on.

    `asked`: the record was asked for by its name.
    """
    contract = run.contract
    own = find_overlap(contract, corpus, np.array([line]))
    patient, recording = (
        "trained on" if seen else "not trained on" for seen in (own.of_trained_patients, own.of_trained_recordings)
    )
    chosen = "picked by hand (--case)" if asked else "the first one scored, not picked"
    folds = probe_folds(base.split)
    filtered = FILTERS.get(contract.filter, f"filter {contract.filter}")
    amplitude = ", told the standard deviation of each lead in mV" if run.config.method.get("scale_feature") else ""
    return {
        "Encoder": f"{base.method}, run {base.run}, step {run.step:,} of batches of "
        f"{run.config.data.batch_size}, checkpoint {run.checkpoint[:16]}",
        "Pretrained on": "; ".join(
            f"{part.name}: {len(part.signal_sha256):,} recordings of {part.n_patients:,} patients "
            f"(store {part.fingerprint[:16]})"
            for part in contract.trained_on
        ),
        "What it reads": f"12 leads, {contract.seconds:g} s at {contract.rate:g} Hz, {filtered}, "
        f"scaled by {contract.scaling.replace('_', ' ')}{amplitude}",
        "This recording": f"{chosen}; fold {corpus.fold[line]} of {base.store}; "
        f"its patient was {patient}, the recording {recording}",
        "Its report": _own_report(contract, corpus, line, base),
        "Probes": "; ".join(f"{task}: {words}" for task, words in probes.items()),
        "Protocol": f"{base.protocol}, split {base.split}: probes fitted on folds {listed(folds.fit)}, "
        f"chosen on {listed(folds.choose)}, scored on {listed(folds.score)}",
    }


def of_training(
    contract: InputContract, corpus: Corpus, base: Setting, folds: tuple[int, ...] = SPLITS["train"]
) -> str:
    """Training folds in words, and whether this very store was trained on.

    By fingerprint: a collection of the same name may have been converted from other records.
    """
    if corpus.fingerprint in {part.fingerprint for part in contract.trained_on}:
        seen = "trained on"
    elif base.domain == "in":
        seen = f"not trained on; another store of {base.store} was"
    else:
        seen = "not trained on"
    return f"of folds {listed(folds)} ({seen})"


def training_reports(corpus: Corpus) -> np.ndarray:
    """Text ids of the training folds' reports, one a recording that has a report."""
    ids = corpus.text_id[corpus.lines("train")]
    return ids[ids != NO_TEXT]


def listed(folds: tuple[int, ...]) -> str:
    """Neighbouring folds as a range."""
    whole = len(folds) > 1 and folds == tuple(range(folds[0], folds[-1] + 1))
    return f"{folds[0]}-{folds[-1]}" if whole else ", ".join(map(str, folds))


def _roles(base: Setting) -> str:
    """Who is fitted, chosen on and scored."""
    if base.protocol == "merl":
        return MERL_ROLES[base.split]
    folds = probe_folds(base.split)
    return f"fitted on folds {listed(folds.fit)}, C chosen on {listed(folds.choose)}, scored on {listed(folds.score)}"


def _own_report(contract: InputContract, corpus: Corpus, line: int, base: Setting) -> str:
    number = corpus.text_id[line]
    if number == NO_TEXT:
        return "none, or without clinical text"
    count = int((training_reports(corpus) == number).sum())
    return f"occurs word for word in {count:,} recordings {of_training(contract, corpus, base)}"
