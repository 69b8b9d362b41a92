"""The embedded data set: 12-lead recordings of made-up patients, with the report a reader would write."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int

from cgdmer_jax.data.synthetic import signals
from cgdmer_jax.data.synthetic.beats import Waves, waves_of
from cgdmer_jax.data.synthetic.hearts import NOISE, REPORT, Hearts, draw_hearts, stream
from cgdmer_jax.data.synthetic.reports import read_records, write_report

GENERATOR_VERSION = 3  # goes up whenever a record of a given seed and number changes
# Processors differ in the last bit of exp, sin and sums. All is computed in float64 and rounded to a recorder's step,
# 1e12 times as coarse, so that a recording has the same bytes everywhere.
STEP_MV = 0.001
CHUNK = 64  # records at a time: the waves of a chunk fit the cache


@dataclass(frozen=True)
class Listing:
    """Who n records are of and what their reports say; `findings` are codes of FINDINGS."""

    findings: list[tuple[str, ...]]
    reports: list[str]
    age: Int[np.ndarray, " n"]  # years
    sex: list[str]
    patient_ids: list[str]


@dataclass(frozen=True)
class SyntheticRecords(Listing):
    """n records in mV; `clean_mv` is the signal before electrode noise, `onset_s` its QRS onsets."""

    signal_mv: Float32[np.ndarray, "n 12 time"]
    clean_mv: Float32[np.ndarray, "n 12 time"]
    onset_s: list[np.ndarray]


class Scene(NamedTuple):
    """Properties of some records that are drawn before any sample is computed."""

    hearts: Hearts
    waves: Waves
    breathing: signals.Breathing
    beats: signals.Beats
    noise: list[np.random.Generator]
    onset_s: list[np.ndarray]


def generate(seed: int, n: int, rate: int = 100, seconds: float = 10.0) -> SyntheticRecords:
    """Records 0..n-1 of a seed; record i is the same whatever n is."""
    return generate_records(seed, np.arange(n), rate, seconds)


def generate_records(
    seed: int, index: Int[np.ndarray, " n"], rate: int = 100, seconds: float = 10.0
) -> SyntheticRecords:
    """The records of the given numbers, each a pure function of (seed, number, rate, seconds)."""
    t = np.arange(round(rate * seconds)) / rate
    clean = np.empty((len(index), 12, len(t)), np.float32)
    signal = np.empty_like(clean)
    listings, onsets = [], []
    for at in range(0, len(index), CHUNK):
        scene = _stage(seed, index[at : at + CHUNK], seconds)
        signal[at : at + CHUNK], clean[at : at + CHUNK] = _record(scene, t)
        listings.append(_listing(seed, scene))
        onsets += scene.onset_s
    return SyntheticRecords(**vars(_join(listings)), signal_mv=signal, clean_mv=clean, onset_s=onsets)


def list_records(seed: int, n: int, seconds: float = 10.0) -> Listing:
    """Patients, findings and reports of `generate(seed, n)` without computing a signal."""
    chunks = [np.arange(at, min(at + CHUNK, n)) for at in range(0, n, CHUNK)]
    return _join([_listing(seed, _stage(seed, chunk, seconds)) for chunk in chunks])


def _stage(seed: int, index: Int[np.ndarray, " n"], seconds: float) -> Scene:
    hearts = draw_hearts(seed, index)
    waves = waves_of(hearts)
    noise = [stream(seed, NOISE, int(i)) for i in index]
    normals = np.stack([each.standard_normal((2, signals.n_beats(seconds))) for each in noise])
    breathing = signals.draw_breathing(hearts)
    beats = signals.draw_beats(hearts, breathing, normals)
    inside = [onset[(onset >= 0) & (onset < seconds)] for onset in beats.onset]
    return Scene(hearts, waves, breathing, beats, noise, inside)


def _record(scene: Scene, t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signals in mV, [n, 12, time] each: as recorded, and before electrode noise."""
    hearts = scene.hearts
    moment = signals.dipole(hearts, scene.waves, scene.beats, scene.breathing, t)
    electrodes = signals.electrode_matrices(hearts) @ moment
    clean = signals.LEAD_MATRIX @ electrodes
    white = np.stack([each.standard_normal((9, len(t))) for each in scene.noise])
    electrodes += signals.electrode_noise(hearts, scene.breathing, white, t)
    return np.round(signals.LEAD_MATRIX @ electrodes / STEP_MV) * STEP_MV, clean


def _listing(seed: int, scene: Scene) -> Listing:
    hearts = scene.hearts
    readings = read_records(hearts, scene.waves, scene.onset_s)
    return Listing(
        findings=hearts.findings(),
        reports=[
            write_report(reading, stream(seed, REPORT, int(i)))
            for i, reading in zip(hearts.index, readings, strict=True)
        ],
        age=hearts.age.astype(int),
        sex=["male" if male else "female" for male in hearts.male],
        patient_ids=[f"P{number:06d}" for number in hearts.patient],
    )


def _join(parts: list[Listing]) -> Listing:
    return Listing(
        findings=[codes for part in parts for codes in part.findings],
        reports=[report for part in parts for report in part.reports],
        age=np.concatenate([part.age for part in parts]),
        sex=[sex for part in parts for sex in part.sex],
        patient_ids=[patient for part in parts for patient in part.patient_ids],
    )
