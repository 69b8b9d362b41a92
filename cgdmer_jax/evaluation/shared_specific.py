"""Shared, specific and aligned features of the recordings and reports of an evaluation, sorted by role."""

from dataclasses import dataclass
from pathlib import Path

import jax
import numpy as np
from jaxtyping import Float, Int

from cgdmer_jax.batch import NO_TEXT
from cgdmer_jax.data.splits import in_folds, probe_folds
from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.evaluation.subject import Subject
from cgdmer_jax.methods import batched
from cgdmer_jax.metrics.diagnostics import FeatureSplits
from cgdmer_jax.recipes import embedding

NAMES = ("shared", "specific", "aligned")
ROLES = ("fit", "choose", "score")
TextFeatures = dict[str, Float[np.ndarray, "text width"]]  # a line a text id


@dataclass(frozen=True)
class DisentangledFeatures:
    """Features by name; `ecg` has a line a line of the subject, `text` one a text id: NaN if not of these."""

    ecg: embedding.Features
    text: TextFeatures
    text_id: Int[np.ndarray, "record"]  # of each line; NO_TEXT without clinical text
    roles: dict[str, Int[np.ndarray, "member"]]  # positions among the lines

    def with_text(self, role: str) -> Int[np.ndarray, "record"]:
        """Positions of that role that have a report."""
        return self.roles[role][self.text_id[self.roles[role]] != NO_TEXT]

    def texts(self, role: str) -> Int[np.ndarray, "text"]:
        """Distinct reports of that role that stand in no earlier one: held-out reports, not held-out patients only."""
        earlier = [self.text_id[self.with_text(r)] for r in ROLES[: ROLES.index(role)]]
        return np.setdiff1d(self.text_id[self.with_text(role)], np.concatenate([*earlier, np.array([], np.int32)]))

    def ecg_splits(self, name: str) -> FeatureSplits:
        return FeatureSplits(*(self.ecg[name][self.roles[role]] for role in ROLES))

    def text_splits(self, name: str) -> FeatureSplits:
        return FeatureSplits(*(self.text[name][self.texts(role)] for role in ROLES))

    def pairs(self, name: str) -> tuple[FeatureSplits, FeatureSplits]:
        """Recordings with a report, and the report of each."""
        at = [self.with_text(role) for role in ROLES]
        ecg, text = self.ecg[name], self.text[name]
        return FeatureSplits(*(ecg[i] for i in at)), FeatureSplits(*(text[self.text_id[i]] for i in at))


def embed_parts(subject: Subject, out: Path) -> DisentangledFeatures:
    """Runs both encoders over everything that the split needs; the recordings' features are cached in `out`."""
    run = subject.trained
    if not run.method.declared.shared_specific:
        raise CgdmerError(
            f"{run.folder.path} is a run of {subject.base.method}, which has no shared and specific parts to diagnose; "
            "give a run of cgdmer"
        )
    features_of = embedding.embedder(run.method, NAMES)
    name = f"features-{run.checkpoint[:16]}-{subject.corpus.fingerprint[:16]}-{'+'.join(NAMES)}.npz"
    ecg = embedding.cached(
        out / name,
        subject.lines,
        NAMES,
        lambda: embedding.embed(features_of, run.variables, subject.corpus, subject.lines, subject.table, "embed"),
    )
    text_id = subject.corpus.text_id[subject.lines]
    folds, fold = probe_folds(subject.base.split), subject.corpus.fold[subject.lines]
    roles = {role: np.flatnonzero(in_folds(fold, getattr(folds, role))) for role in ROLES}
    return DisentangledFeatures(ecg, _embed_texts(subject, ecg, np.unique(text_id[text_id != NO_TEXT])), text_id, roles)


def _embed_texts(subject: Subject, ecg: embedding.Features, ids: Int[np.ndarray, "distinct"]) -> TextFeatures:
    """Unmasked reports, pooled as the loss pools them; lines of other ids stay NaN."""
    features_of = jax.jit(subject.trained.method.embed_text_parts)
    if not len(ids):
        return {name: np.full((len(subject.table.tokens), ecg[name].shape[1]), np.nan, np.float32) for name in ecg}
    read = batched.rows_of(subject.table.tokens, subject.table.mask, ids)
    tables: TextFeatures = {}
    for name, value in batched.embed_texts(features_of, subject.trained.variables, read, len(ids)).items():
        tables[name] = np.full((len(subject.table.tokens), value.shape[1]), np.nan, np.float32)
        tables[name][ids] = value
    return tables
