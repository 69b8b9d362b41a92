"""Diagnostics of a checkpoint: gradient norms, ranks, predictability, gaps and part probes."""

import math
import time
from pathlib import Path

import numpy as np

from cgdmer_jax import provenance
from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.record_columns import with_record_columns
from cgdmer_jax.data.token_table import TokenTable
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.evaluation_folders import check_writable, folder_of, folder_of_step
from cgdmer_jax.evaluation.outcome import Outcome, together, without
from cgdmer_jax.evaluation.shared_specific import DisentangledFeatures, embed_parts
from cgdmer_jax.evaluation.subject import Subject, prepare
from cgdmer_jax.metrics import bootstrap
from cgdmer_jax.metrics import diagnostics as maths
from cgdmer_jax.metrics.part_probes import Roles, compare
from cgdmer_jax.provenance import commit, environment
from cgdmer_jax.recipes.gradient_norms import fixed_batch, gradient_norms, term_weights
from cgdmer_jax.recipes.text_columns import with_columns
from cgdmer_jax.report.diagnostics import DIAGNOSTICS
from cgdmer_jax.sealed_json import sealed
from cgdmer_jax.waveform.heart_rate import heart_rates
from cgdmer_jax.whole_file import write_json

DEVICES = 6  # the most frequent ones are told apart
LEAST = 10  # records of a role below which nothing is fitted
MV_PER_UV = 1e-3


def diagnose(run: Path, store: str, split: str, *, checkpoint: int | None) -> dict:
    """Computes every section, writes them and returns the document."""
    begun = time.monotonic()
    subject = prepare(run, store, split, checkpoint)
    cache = folder_of(subject.trained.folder, subject.trained.contract, subject.corpus, split)
    out = folder_of_step(cache, checkpoint)
    check_writable(out)
    parts = embed_parts(subject, cache)
    sections = {
        "gradients": gradients(subject),
        "ranks": ranks(parts),
        "predictability": Outcome(tuple(predictability(parts))),
        "gap": gaps(parts),
        "probes": probes(subject, parts),
        "lengths": lengths(subject, parts),
    }
    document = {
        "command": provenance.command_line(),
        "commit": commit(),
        "environment": environment(),
        "run": subject.base.run,
        "step": subject.trained.step,
        "store": subject.base.store,
        "split": split,
        **{name: list(section.rows) for name, section in sections.items()},
        "left_out": [*subject.left_out, *together(sections.values()).left_out],
    }
    document["seconds"] = time.monotonic() - begun
    write_json(out / DIAGNOSTICS, sealed(finite(document)))
    print(f"{out / DIAGNOSTICS}: {document['seconds']:.0f} s")
    return finite(document)


def gradients(subject: Subject) -> Outcome:
    """Norm of each term's gradient on one fixed batch, alone and times its weight."""
    run = subject.trained
    weights = term_weights(run.config)
    try:
        corpus, table = _with_declared_columns(subject)
    except CgdmerError as error:  # a store that the run was not trained on may lack them
        return without("gradient norms", str(error))
    batch = fixed_batch(corpus, table, run.config.data.batch_size)
    norms = gradient_norms(run.method, tuple(weights), run.config.seed)(run.variables, batch)
    rows = [{"term": n, "norm": norms[n], "weight": w, "weighted_norm": w * norms[n]} for n, w in weights.items()]
    return Outcome(tuple(rows))


def _with_declared_columns(subject: Subject) -> tuple[Corpus, TokenTable]:
    """Records and texts whose batches hold what the loss reads beside recordings and tokens."""
    run, corpus, table = subject.trained, subject.corpus, subject.table
    if run.method.declared.text_columns:  # the config of an older run has no field for them
        table = with_columns(table, run.config, run.method, corpus, run.tokenizer)
    return with_record_columns(corpus, run.method.declared.record_columns), table


def ranks(parts: DisentangledFeatures) -> Outcome:
    """Ranks of each part, over the scored recordings and over their distinct reports."""
    texts = np.unique(parts.text_id[parts.with_text("score")])
    of_modality = {"ecg": (parts.ecg, parts.roles["score"]), "text": (parts.text, texts)}
    made = []
    for modality, (features, at) in of_modality.items():
        for part in ("shared", "specific"):
            x = features[part][at]
            if not len(x):
                made.append(without(f"rank of {part} of {modality}", "there is none of a scored record"))
                continue
            found = maths.rank(x)
            row = {"modality": modality, "part": part, "width": x.shape[1], "n": len(x)}
            row |= {"effective_rank": found.effective, "stable_rank": found.stable}
            made.append(Outcome((row | {"share": found.effective / x.shape[1]},)))
    return together(made)


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


def gaps(parts: DisentangledFeatures) -> Outcome:
    """Recordings against their reports, as they are and after each modality's own mean was taken off."""
    made = []
    for name in ("aligned", "shared", "specific"):
        ecg, text = parts.pairs(name)
        if min(map(len, ecg)) < LEAST:
            made.append(without(f"modality gap of {name}", f"fewer than {LEAST} records of a role have a report"))
            continue
        for centred, pair in ((False, (ecg, text)), (True, (maths.centred(ecg), maths.centred(text)))):
            row = {"features": name, "centred": centred, "n": len(ecg.score)}
            made.append(Outcome((row | maths.modality_gap(*pair)._asdict(),)))
    return together(made)


def probes(subject: Subject, parts: DisentangledFeatures) -> Outcome:
    """Facts of the recording and every task from shared, specific and both."""
    features = {name: parts.ecg[name].astype(np.float64) for name in ("shared", "specific")}
    features["both"] = np.concatenate([features["shared"], features["specific"]], axis=1)
    made = []
    for name, y, known in targets(subject, parts):
        fit, choose, score = (at[known[at]] for at in parts.roles.values())
        if min(len(fit), len(choose), len(score)) < LEAST:
            made.append(without(f"probe of {name}", f"it is known of fewer than {LEAST} records of a role"))
            continue
        patients = subject.corpus.patient_id[subject.lines][score]
        weights = bootstrap.patient_weights(patients, bootstrap.N_RESAMPLES, seed=0)
        made.append(Outcome((compare(features, name, y, Roles(fit, choose, score, weights)),)))
    for task in subject.tasks:
        roles = Roles(task.fit, task.choose, task.score, task.weights)
        made.append(Outcome((compare(features, task.name, task.labels, roles),)))
    return together(made)


def targets(subject: Subject, parts: DisentangledFeatures):
    """(name, number or classes of each record, of which records it is known)."""
    corpus, lines = subject.corpus, subject.lines
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


def lengths(subject: Subject, parts: DisentangledFeatures) -> Outcome:
    """InfoNCE and rank of the own report among all distinct ones scored, by report length in word pieces."""
    run = subject.trained
    at = parts.with_text("score")
    if not len(at):
        return without("alignment by length", "no scored record has a report")
    gallery, own = np.unique(parts.text_id[at], return_inverse=True)
    encoded = run.tokenizer.encode_batch_fast([subject.corpus.texts[i] for i in gallery])
    length = np.array([len(one.ids) for one in encoded])  # before reports are cut to max_tokens
    temperature = run.method.temperature(run.variables)
    aligned = maths.alignment_of_records(
        parts.ecg["aligned"][at], parts.text["aligned"][gallery], own, float(temperature)
    )
    return Outcome(tuple(row | {"gallery": len(gallery)} for row in maths.by_length(length[own], aligned)))


def finite(value):
    """The same document with null for what is undefined."""
    if isinstance(value, dict):
        return {name: finite(one) for name, one in value.items()}
    if isinstance(value, list):
        return [finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
