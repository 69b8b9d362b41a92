"""Diagnostics of a checkpoint: gradient norms, ranks, predictability, gaps and part probes."""

import math
import time
from pathlib import Path

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.evaluation.evaluation import Evaluation, prepare
from cgdmer_jax.evaluation.evaluation_folders import check_writable, folder_of, folder_of_step
from cgdmer_jax.evaluation.shared_specific import DisentangledFeatures, embed_parts
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics import diagnostics as maths
from cgdmer_jax.metrics.part_probes import Roles, compare
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.recipes.gradient_norms import fixed_batch, gradient_norms, term_weights
from cgdmer_jax.sealed_json import sealed
from cgdmer_jax.waveform.heart_rate import heart_rates
from cgdmer_jax.whole_file import write_json

FILE = "diagnostics.json"
DEVICES = 6  # the most frequent ones are told apart
LEAST = 10  # records of a role below which nothing is fitted
MV_PER_UV = 1e-3


def diagnose(run: Path, store: str, split: str, *, checkpoint: int | None) -> dict:
    """Computes every section, writes them and returns the document."""
    begun = time.monotonic()
    state = prepare(run, store, split, checkpoint)
    cache = folder_of(state.trained.folder, state.trained.contract, state.corpus, split)
    out = folder_of_step(cache, checkpoint)
    check_writable(out)
    parts = embed_parts(state, cache)
    document = {
        "command": provenance.command_line(),
        "commit": commit(),
        "environment": environment(),
        "run": state.base.run,
        "step": state.trained.step,
        "store": state.base.store,
        "split": split,
        "gradients": gradients(state),
        "ranks": ranks(state, parts),
        "predictability": predictability(parts),
        "gap": gaps(state, parts),
        "probes": probes(state, parts),
        "lengths": lengths(state, parts),
        "left_out": state.left_out,
    }
    document["seconds"] = time.monotonic() - begun
    write_json(out / FILE, sealed(finite(document)))
    print(f"{out / FILE}: {document['seconds']:.0f} s")
    return finite(document)


def gradients(state: Evaluation) -> list[dict]:
    """Norm of each term's gradient on one fixed batch, alone and times its weight."""
    config = state.trained.config
    weights = term_weights(config)
    batch = fixed_batch(state.corpus, state.table, config.data.batch_size)
    norms = gradient_norms(state.trained.method, tuple(weights), config.seed)(state.trained.variables, batch)
    return [{"term": n, "norm": norms[n], "weight": w, "weighted_norm": w * norms[n]} for n, w in weights.items()]


def ranks(state: Evaluation, parts: DisentangledFeatures) -> list[dict]:
    """Of the scored recordings, and of the distinct reports of those."""
    texts = np.unique(parts.text_id[parts.with_text("score")])
    of_modality = {"ecg": (parts.ecg, parts.roles["score"]), "text": (parts.text, texts)}
    rows = []
    for modality, (features, at) in of_modality.items():
        for part in ("shared", "specific"):
            x = features[part][at]
            if not len(x):
                state.leave_out(f"rank of {part} of {modality}", "there is none of a scored record")
                continue
            found = maths.rank(x)
            row = {"modality": modality, "part": part, "width": x.shape[1], "n": len(x)}
            row |= {"effective_rank": found.effective, "stable_rank": found.stable}
            rows.append(row | {"share": found.effective / x.shape[1]})
    return rows


def predictability(parts: DisentangledFeatures) -> list[dict]:
    """Ridge R^2 of one part from the other; text: of reports that stand in no earlier role."""
    rows = []
    for modality, draws_of in (("ecg", parts.ecg_splits), ("text", parts.text_splits)):
        for given, wanted in (("shared", "specific"), ("specific", "shared")):
            x, y = draws_of(given), draws_of(wanted)
            enough = min(map(len, x)) >= LEAST
            r2 = maths.predictability(x, y) if enough else math.nan
            rows.append({"modality": modality, "from": given, "to": wanted, "n": len(x.score), "r2": r2})
    return rows


def gaps(state: Evaluation, parts: DisentangledFeatures) -> list[dict]:
    """Recordings against their reports, as they are and after each modality's own mean was taken off."""
    rows = []
    for name in ("aligned", "shared", "specific"):
        ecg, text = parts.pairs(name)
        if min(map(len, ecg)) < LEAST:
            state.leave_out(f"modality gap of {name}", f"fewer than {LEAST} records of a role have a report")
            continue
        for centred, pair in ((False, (ecg, text)), (True, (maths.centred(ecg), maths.centred(text)))):
            row = {"features": name, "centred": centred, "n": len(ecg.score)}
            rows.append(row | maths.modality_gap(*pair)._asdict())
    return rows


def probes(state: Evaluation, parts: DisentangledFeatures) -> list[dict]:
    """Facts of the recording and every task from shared, specific and both."""
    features = {name: parts.ecg[name].astype(np.float64) for name in ("shared", "specific")}
    features["both"] = np.concatenate([features["shared"], features["specific"]], axis=1)
    rows = []
    for name, y, known in targets(state, parts):
        fit, choose, score = (at[known[at]] for at in parts.roles.values())
        if min(len(fit), len(choose), len(score)) < LEAST:
            state.leave_out(f"probe of {name}", f"it is known of fewer than {LEAST} records of a role")
            continue
        patients = state.corpus.patient_id[state.lines][score]
        weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0)
        rows.append(compare(features, name, y, Roles(fit, choose, score, weights)))
    return rows + [
        compare(features, task.name, task.labels, Roles(task.fit, task.choose, task.score, task.weights))
        for task in state.tasks
    ]


def targets(state: Evaluation, parts: DisentangledFeatures):
    """(name, number or classes of each record, of which records it is known)."""
    corpus, lines = state.corpus, state.lines
    age = corpus.column("age")[lines].astype(np.float64)
    signal, lead_mask, length = corpus.read(lines), corpus.lead_mask[lines], corpus.length[lines]
    bpm = heart_rates(signal, lead_mask, length, corpus.rate)
    std_mv = np.array(
        [x[m, :n].std() * MV_PER_UV for x, m, n in zip(signal, lead_mask, length, strict=True)]
    )  # what record_std divides by, its mean taken off
    for name, value in (("age, years", age), ("heart rate, beats a minute", bpm), ("log amplitude", np.log(std_mv))):
        yield name, value, np.isfinite(value)
    sex = corpus.column("sex")[lines]
    yield "sex", (sex == "female")[:, None], np.isin(sex, ("female", "male"))
    device = corpus.column("device")[lines].astype(str)
    fitted = device[parts.roles["fit"]]
    names, count = np.unique(fitted[fitted != "None"], return_counts=True)
    frequent = names[np.argsort(-count, kind="stable")[:DEVICES]]
    yield f"device, {len(frequent)} most frequent", device[:, None] == frequent[None, :], np.isin(device, frequent)


def lengths(state: Evaluation, parts: DisentangledFeatures) -> list[dict]:
    """InfoNCE and rank of the own report among all distinct ones scored, by report length in word pieces."""
    run = state.trained
    at = parts.with_text("score")
    if not len(at):
        state.leave_out("alignment by length", "no scored record has a report")
        return []
    gallery, own = np.unique(parts.text_id[at], return_inverse=True)
    encoded = run.tokenizer.encode_batch_fast([state.corpus.texts[i] for i in gallery])
    length = np.array([len(one.ids) for one in encoded])  # before reports are cut to max_tokens
    temperature = run.method.temperature(run.variables)
    aligned = maths.alignment_of_records(
        parts.ecg["aligned"][at], parts.text["aligned"][gallery], own, float(temperature)
    )
    return [row | {"gallery": len(gallery)} for row in maths.by_length(length[own], aligned)]


def finite(value):
    """The same document with null for what is undefined."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
