"""The parts of an evaluation: what each is given, and nothing else reaches it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from cgdmer_jax.evaluation.baselines import Convolved, score_floors
from cgdmer_jax.evaluation.embedded import Embedded, Headline
from cgdmer_jax.evaluation.label_fractions import score_label_fractions
from cgdmer_jax.evaluation.linear_probe import score_probes
from cgdmer_jax.evaluation.merl_protocol import score_merl_zero_shot, score_sgd_probes
from cgdmer_jax.evaluation.missing_leads import score_missing_leads
from cgdmer_jax.evaluation.outcome import Outcome, together
from cgdmer_jax.evaluation.queried import score_queries
from cgdmer_jax.evaluation.reconstruction import Reconstruct, score_reconstruction
from cgdmer_jax.evaluation.retrieval import score_retrieval
from cgdmer_jax.evaluation.subgroups import score_groups
from cgdmer_jax.evaluation.subject import Subject
from cgdmer_jax.evaluation.zero_shot import score_zero_shot


@dataclass(frozen=True)
class CleanInputs:
    """Inputs of the parts of protocol `clean`, made before the first of them runs."""

    subject: Subject
    embedded: Embedded
    headline: Headline
    convolved: Convolved | None  # None where the part CONVOLVED does not run
    reconstruct: Reconstruct | None  # None of a method that reconstructs nothing
    features: tuple[str, ...]  # probed ones
    cache: Path  # folder of features that were made before


@dataclass(frozen=True)
class MerlInputs:
    """Inputs of the parts of protocol `merl`, made before the first of them runs."""

    subject: Subject
    embedded: Embedded
    headline: str  # feature
    tables: Path  # MERL's


# In the order in which they run.
PARTS: dict[str, Callable[[CleanInputs], Outcome]] = {
    "probe": lambda x: score_probes(x.subject, x.embedded, x.headline, x.features),
    "zero_shot": lambda x: together((score_zero_shot(x.subject, x.embedded), score_queries(x.subject, x.embedded))),
    "floors": lambda x: score_floors(x.subject, x.headline, x.convolved),
    "retrieval": lambda x: score_retrieval(x.subject, x.embedded),
    "missing_leads": lambda x: score_missing_leads(x.subject, x.headline, x.embedded.features_of, x.cache),
    "reconstruction": lambda x: score_reconstruction(x.subject, x.reconstruct),
    "groups": lambda x: score_groups(x.subject, x.headline),
    "label_fractions": lambda x: score_label_fractions(x.subject, x.embedded, x.headline.feature, x.convolved),
}
MERL_PARTS: dict[str, Callable[[MerlInputs], Outcome]] = {
    "probe": lambda x: score_sgd_probes(x.subject, x.embedded, x.headline),
    "zero_shot": lambda x: score_merl_zero_shot(x.subject, x.embedded, x.tables),
}
NEED_TEXT = ("zero_shot", "retrieval")
NEED_PROBES = ("floors", "missing_leads", "groups", "label_fractions")
NEED_LABELS = ("zero_shot", *NEED_PROBES)  # of the scored records
CONVOLVED = "floors"  # the part that asks for the random convolutions


def why_left_out(name: str, subject: Subject) -> str | None:
    """The reason for which a part cannot be had of this store and method; None where it can."""
    if name in NEED_TEXT and not subject.trained.method.declared.text:
        return f"{subject.base.method} reads no text"
    if name in NEED_LABELS and not subject.scored:
        return "the store has no task that can be scored"
    if name in NEED_PROBES and not subject.tasks:
        return "no task of the store has records to fit and choose a probe on"
    return None
