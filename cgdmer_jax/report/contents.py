"""report.json: what report.html shows of one evaluation and no other of its files holds.

It lies beside the page, in the run folder, and like the page it shows a patient: the tracing, the report, the labels.
Fields with a default came later than the first files: those are read without them.
"""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int16

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.report.json_fields import from_json, to_json
from cgdmer_jax.sealed_json import read_sealed, sealed
from cgdmer_jax.waveform.waves import WAVES, FoundWave
from cgdmer_jax.whole_file import write_json

CONTENTS = "report.json"
REMEDY = "run experiments.evaluate again with its run, store and split, which writes it anew"


@dataclass(frozen=True)
class Tracing:
    """One recording as ecg_paper.py draws it, leads in canonical order."""

    title: str
    subtitle: str
    rate: float  # Hz
    signal_uv: Int16[np.ndarray, "12 time"]
    lead_mask: Bool[np.ndarray, "12"]  # False = not recorded

    @property
    def signal_mv(self) -> Float64[np.ndarray, "12 time"]:
        return self.signal_uv * 1e-3


@dataclass(frozen=True)
class ShownReconstruction:
    """A recording with patches hidden, and what the model put there."""

    tracing: Tracing
    made_mv: Float32[np.ndarray, "12 time"]
    hidden: Bool[np.ndarray, "12 patch"]  # equal parts of the recording


@dataclass(frozen=True)
class Finding:
    """One class of one task."""

    task: str
    code: str
    name: str
    probability: float | None  # calibrated; None = too few positives to calibrate on
    prevalence: float  # share of the records the probe was fitted on
    labelled: bool  # the record's own label


@dataclass(frozen=True)
class Excerpt:
    """A few leads of a recording, as small_ecg.py draws them."""

    rate: float  # Hz
    leads: tuple[str, ...]
    signal_uv: Int16[np.ndarray, "lead time"]

    @property
    def signal_mv(self) -> Float64[np.ndarray, "lead time"]:
        return self.signal_uv * 1e-3


@dataclass(frozen=True)
class Neighbour:
    """A report, or a recording with its labels, at a distance (1 - cosine) from the record; None = undefined."""

    name: str
    text: str
    distance: float | None
    excerpt: Excerpt | None = None  # of a recording
    report: str | None = None  # of a recording; None = it has no clinical text


@dataclass(frozen=True)
class Neighbours:
    """The nearest of some, and how far the others are: a distance says nothing alone."""

    among: str  # of what they are the nearest: "the 812 distinct reports trained on"
    median: float | None  # distance of all of these
    found: tuple[Neighbour, ...]


@dataclass(frozen=True)
class Case:
    """The page of one patient."""

    tracing: Tracing
    findings: tuple[Finding, ...]
    remarks: tuple[str, ...]  # on the quality of the recording; empty = nothing was found
    report: str | None  # of the recording itself; None = it has no clinical text
    reports: Neighbours | None
    recordings: Neighbours | None
    origin: dict[str, str]  # what the model saw in training, protocol, fold
    record_id: str | None = None
    heart_rate: float | None = None  # beats a minute; None = not measurable
    waves: dict[str, tuple[FoundWave, ...]] | None = None  # by lead; None = no model was asked for them


@dataclass(frozen=True)
class Contents:
    """All of it; protocol merl has neither a case nor a reconstruction."""

    results_sha256: str  # of the bytes of the results.json that it was written with
    version: str  # of the package that scored
    title: str
    own_method: str  # bold in the tables; the bars are its
    facts: dict[str, str]  # head of the page
    case: Case | None
    reconstructions: tuple[ShownReconstruction, ...]
    class_names: dict[str, dict[str, str]] = field(default_factory=dict)  # task -> code -> name


def write_contents(folder: Path, contents: Contents) -> None:
    """Writes report.json in one rename, with its own hash."""
    write_json(folder / CONTENTS, sealed(to_json(contents)))


def read_contents(folder: Path) -> Contents:
    """The checked contents of an evaluation's report.json."""
    path = folder / CONTENTS
    if not path.exists():
        raise CgdmerError(f"{folder} has no {CONTENTS}: its evaluation is of an older version; {REMEDY}")
    fields = read_sealed(path, remedy=REMEDY, required=True)
    try:
        contents = from_json(Contents, fields, "contents")
        for one in contents.reconstructions:
            if one.made_mv.shape != one.tracing.signal_uv.shape:
                raise CgdmerError("a reconstruction has another length than its recording")
        _check_excerpts(contents.case)
        _check_waves(contents.case)
    except CgdmerError as error:
        raise CgdmerError(f"{path} does not hold what this version writes ({error}); {REMEDY}") from error
    return contents


def _check_excerpts(case: Case | None) -> None:
    near = case.recordings.found if case and case.recordings else ()
    for one in near:
        if one.excerpt and len(one.excerpt.leads) != len(one.excerpt.signal_uv):
            raise CgdmerError("a neighbouring recording has another number of leads than of names for them")


def _check_waves(case: Case | None) -> None:
    by_lead = case.waves if case and case.waves else {}
    if any(wave.kind not in WAVES for waves in by_lead.values() for wave in waves):
        raise CgdmerError("a wave is of a kind that is not known")
