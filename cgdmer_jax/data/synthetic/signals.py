"""From hearts to twelve leads: beat times, the moving dipole, nine electrodes, noise, lead arithmetic."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from cgdmer_jax.data.synthetic.beats import ECTOPIC_WAVES, Waves
from cgdmer_jax.data.synthetic.hearts import Hearts

# Dower's transform of Frank's axes (Dower, Machado, Osborne 1980); limb electrodes against Wilson's terminal
ELECTRODES = ("RA", "LA", "LL", "V1", "V2", "V3", "V4", "V5", "V6")
ELECTRODE_MATRIX = np.array(
    [
        [-0.289, -0.277, 0.025],
        [0.343, -0.512, 0.083],
        [-0.054, 0.789, -0.108],
        [-0.515, 0.157, -0.917],
        [0.044, 0.164, -1.387],
        [0.882, 0.098, -1.277],
        [1.213, 0.127, -0.601],
        [1.125, 0.127, -0.086],
        [0.831, 0.076, 0.230],
    ]
)
LEAD_MATRIX = np.zeros((12, 9))  # the recorder's arithmetic: what makes III = II - I and aVR + aVL + aVF = 0
LEAD_MATRIX[:6, :3] = [[-1, 1, 0], [-1, 0, 1], [0, -1, 1], [1, -0.5, -0.5], [-0.5, 1, -0.5], [-0.5, -0.5, 1]]
LEAD_MATRIX[6:, :3] = -1 / 3
LEAD_MATRIX[6:, 3:] = np.eye(6)

SHORTEST_RR_S = 0.33
BEFORE_QRS_S = 0.06  # a beat owns the samples from here on
LATE_CENTRE, LATE_SIGMA = (0.16, 0.50, 0.70), (0.15, 0.145, 0.105)  # ST, T upstroke, T; QRS end = 0, QT = 1
FIBRILLATION_VECTOR = np.array([-0.015, 0.025, -0.037])  # right atrium: best seen in V1, then inferiorly


@dataclass(frozen=True)
class Beats:
    """QRS onsets of n records in seconds (two at or before 0), the interval before each."""

    onset: Float[np.ndarray, "n beat"]
    rr: Float[np.ndarray, "n beat"]
    strength: Float[np.ndarray, "n beat"]  # beat-to-beat amplitude, about 1
    ectopic: Bool[np.ndarray, "n beat"]  # begun in a ventricle, early


@dataclass(frozen=True)
class Breathing:
    """Respiration of n records: it moves the heart, the rate and the electrodes."""

    hz: Float[np.ndarray, " n"]
    phase: Float[np.ndarray, " n"]


def n_beats(seconds: float) -> int:
    return int(np.ceil((seconds + 2.0) / SHORTEST_RR_S)) + 2


def draw_breathing(hearts: Hearts) -> Breathing:
    draws = hearts.record_draws
    return Breathing(hz=draws.uniform(0.16, 0.32), phase=draws.uniform(0.0, 2 * np.pi))


def draw_beats(hearts: Hearts, breathing: Breathing, normals: Float[np.ndarray, "n 2 beat"]) -> Beats:
    """Beat times: respiratory and slow variation in sinus rhythm, independent intervals in fibrillation."""
    draws, mean = hearts.record_draws, 60.0 / hearts.bpm
    k = np.arange(normals.shape[2])
    youth = np.clip((75.0 - hearts.age) / 45.0, 0.15, 1.0) * np.clip((105.0 - hearts.bpm) / 40.0, 0.1, 1.0)
    depth = np.minimum(0.075 * youth * draws.lognormal(0.5), 0.15)
    breath = 2 * np.pi * (breathing.hz * mean)[:, None] * k + breathing.phase[:, None]
    slow = 2 * np.pi * ((draws.uniform(0.05, 0.12) * mean)[:, None] * k + draws.uniform()[:, None])
    sinus = 1 + depth[:, None] * np.sin(breath) + 0.015 * np.sin(slow) + 0.010 * normals[:, 0]
    early = np.floor(draws.uniform(3.0, 7.0))[:, None]  # within the record at any rate
    coupling = draws.uniform(0.56, 0.72)[:, None]
    gap = np.floor(draws.uniform(3.0, 7.0))[:, None]
    premature, pvc = hearts.premature[:, None], hearts.pvc[:, None]
    ectopic = pvc & (k >= early) & ((k - early) % gap == 0)
    sinus = np.where(ectopic | (premature & (k == early)), coupling, sinus)
    sinus = np.where(premature & (k == early + 1), 1.12, sinus)  # the atrial beat resets the sinus node
    after = np.roll(ectopic, 1, axis=1)
    sinus = np.where(after, 2.0 - coupling, sinus)  # the ventricular one does not: a compensatory pause
    irregularity = draws.uniform(0.16, 0.28)[:, None]
    fibrillating = np.exp(irregularity * normals[:, 0] - 0.5 * irregularity**2)
    rr = np.maximum(mean[:, None] * np.where(hearts.afib[:, None], fibrillating, sinus), SHORTEST_RR_S)
    onset = np.cumsum(rr, axis=1)
    onset -= (onset[:, 1] + draws.uniform() * rr[:, 2])[:, None]  # beats 0 and 1 lie before the record
    return Beats(onset=onset, rr=rr, strength=1 + 0.025 * normals[:, 1], ectopic=ectopic)


def last_before(times: Float[np.ndarray, "n beat"], t: Float[np.ndarray, " time"]) -> Int[np.ndarray, "n time"]:
    """Index of the last of a record's (rising) times that is <= t; 0 before the first."""
    return np.maximum(np.count_nonzero(times[:, :, None] <= t, axis=1) - 1, 0)


def bells(
    tau: Float[np.ndarray, "n time"], centre: Float[np.ndarray, "n wave"], sigma: Float[np.ndarray, "n wave"]
) -> Float[np.ndarray, "n wave time"]:
    """Gaussian waves of height 1 at `tau` from the beat, all three in the same unit."""
    inverse = (1.0 / sigma)[:, :, None]
    z = tau[:, None] * inverse - centre[:, :, None] * inverse
    np.multiply(z, z, out=z)
    np.multiply(z, -0.5, out=z)
    return np.exp(z, out=z)


def dipole(
    hearts: Hearts, waves: Waves, beats: Beats, breathing: Breathing, t: Float[np.ndarray, " time"]
) -> Float[np.ndarray, "n 3 time"]:
    """The dipole in Frank's axes (mV): a sample sees its own beat, the T of the one before, the next P."""
    owner = last_before(beats.onset - BEFORE_QRS_S, t)
    following = last_before(beats.onset + BEFORE_QRS_S, t) + 1
    pick = np.take_along_axis
    conducted = np.where(beats.ectopic, 0.0, beats.strength)
    qrs = bells(t - pick(beats.onset, owner, 1), waves.qrs_centre, waves.qrs_sigma)
    qrs *= pick(conducted, owner, 1)[:, None]
    late = _late_waves(hearts, waves, beats, conducted, owner, t)
    p = bells(t - pick(beats.onset, following, 1), waves.p_centre, waves.p_sigma)
    p *= ~pick(beats.ectopic, following, 1)[:, None]
    vector = np.concatenate([waves.qrs_vector, waves.late_vector, waves.p_vector], axis=1)
    moment = vector.transpose(0, 2, 1).copy() @ np.concatenate([qrs, late, p], axis=1)
    moment += _fibrillation(hearts, t)
    moment[hearts.pvc] += _ectopic_beats(hearts, waves, beats, owner, t)
    return _breathe(hearts, breathing, moment, t)


def _late_waves(hearts, waves, beats, height, owner, t) -> Float[np.ndarray, "n 3 time"]:
    """ST and T of the beat a sample belongs to and of the beat before it, laid out on each beat's QT.

    `height` [n, beat] is each beat's own.
    """
    mean = (60.0 / hearts.bpm)[:, None]
    qt = waves.qt_at_60_s[:, None] * (0.5 * beats.rr + 0.5 * mean) ** 0.37  # between Fridericia and Bazett
    centre, sigma = (np.tile(np.array(row), (len(qt), 1)) for row in (LATE_CENTRE, LATE_SIGMA))
    total = np.zeros((len(qt), 3, len(t)))
    for beat in (owner, owner - 1):
        room = np.take_along_axis(qt, beat, 1) - hearts.qrs_s[:, None]
        after_qrs = t - np.take_along_axis(beats.onset, beat, 1) - hearts.qrs_s[:, None]
        shape = bells(after_qrs / room, centre, sigma)
        total += shape * np.take_along_axis(height, beat, 1)[:, None]
    return total


def _ectopic_beats(hearts, waves, beats, owner, t) -> Float[np.ndarray, "m 3 time"]:
    """QRS and T of the ventricular premature beats of the records that have some: wide, tall, T the other way."""
    some = hearts.pvc
    owner, vector = owner[some], waves.ectopic_vector[some]
    centre, sigma = (np.tile(np.array(ECTOPIC_WAVES)[:, i], (len(owner), 1)) for i in (0, 1))
    total = np.zeros((len(owner), 3, len(t)))
    for beat in (owner, owner - 1):
        tau = t - np.take_along_axis(beats.onset[some], beat, 1)
        height = np.take_along_axis(beats.ectopic[some] * beats.strength[some], beat, 1)[:, None]
        qrs = bells(tau, centre, sigma)
        late = bells(tau, np.full((len(owner), 1), 0.33), np.full((len(owner), 1), 0.055))
        t_vector = -0.45 * vector[:, 1:]
        total += (vector.transpose(0, 2, 1) @ qrs + t_vector.transpose(0, 2, 1) @ late) * height
    return total


def _fibrillation(hearts: Hearts, t: Float[np.ndarray, " time"]) -> Float[np.ndarray, "n 3 time"]:
    """Fibrillatory waves: two wandering 4-9 Hz tones with harmonics and changing size (after Stridh 2001)."""
    draws, afib = hearts.record_draws, hearts.afib
    total = np.zeros((len(afib), 3, len(t)))
    hz, size = draws.uniform(4.5, 7.0), draws.lognormal(0.4)
    for ratio, share in ((1.0, 1.0), (1.27, 0.7)):
        swing, pace = draws.uniform(0.4, 1.2), draws.uniform(0.1, 0.5)
        start, turn = draws.uniform(0.0, 2 * np.pi), draws.uniform(0.0, 2 * np.pi)
        direction = (FIBRILLATION_VECTOR + draws.normals(3, 0.012)) * (share * size)[:, None]
        angle = 2 * np.pi * pace[afib, None] * t + turn[afib, None]
        phase = 2 * np.pi * ratio * hz[afib, None] * t + start[afib, None]
        phase += (swing / pace)[afib, None] * np.sin(angle)
        wave = (np.sin(phase) + 0.4 * np.sin(2 * phase)) * (1 + 0.35 * np.cos(1.7 * angle))
        total[afib] += direction[afib, :, None] * wave[:, None]
    return total


def _breathe(hearts, breathing, moment, t) -> Float[np.ndarray, "n 3 time"]:
    """Respiration swells the dipole by a few per cent and tilts it by a few degrees."""
    draws = hearts.record_draws
    angle = 2 * np.pi * breathing.hz[:, None] * t + breathing.phase[:, None]
    wave = np.sin(angle)[:, None]
    tilt = np.zeros((len(wave), 3, 3))
    for a, b, sd in ((0, 1, 0.03), (0, 2, 0.03), (1, 2, 0.02)):
        tilt[:, a, b] = draws.normal(0.0, sd)
        tilt[:, b, a] = -tilt[:, a, b]
    tilt += draws.normal(0.0, 0.03)[:, None, None] * np.eye(3)
    return moment + wave * (tilt @ moment)


def electrode_matrices(hearts: Hearts) -> Float[np.ndarray, "n 9 3"]:
    """Dower's matrix with each patient's chest: distance of the precordial electrodes, their placement."""
    draws = hearts.patient_draws
    matrix = np.repeat(ELECTRODE_MATRIX[None], len(hearts.index), axis=0)
    chest = matrix[:, 3:]
    slip = draws.normals(1, 0.18)[:, :, None]  # the row of electrodes sits too far left or right
    neighbour = np.where(slip > 0, np.roll(chest, -1, axis=1), np.roll(chest, 1, axis=1))
    neighbour[:, 0], neighbour[:, 5] = chest[:, 0], chest[:, 5]
    chest = chest + np.abs(slip) * (neighbour - chest)
    matrix[:, 3:] = chest * (draws.lognormal(0.13)[:, None] * np.exp(draws.normals(6, 0.07)))[:, :, None]
    return matrix


def electrode_noise(
    hearts: Hearts,
    breathing: Breathing,
    white: Float[np.ndarray, "n 9 time"],
    t: Float[np.ndarray, " time"],
) -> Float[np.ndarray, "n 9 time"]:
    """Muscle noise and baseline wander in mV, each electrode its own."""
    draws = hearts.record_draws
    muscle = (0.009 * draws.lognormal(0.45))[:, None] * np.exp(draws.normals(9, 0.25))
    loose = np.floor(draws.uniform(0.0, 9.0))[:, None] == np.arange(9)
    muscle = np.where(loose & draws.chance(0.08)[:, None], 3.0 * muscle, muscle)
    hz = np.stack([breathing.hz, draws.uniform(0.05, 0.12), draws.uniform(0.12, 0.4)], axis=1)
    angle = 2 * np.pi * hz[:, :, None] * t + draws.uniform(0.0, 2 * np.pi)[:, None, None]
    waves = np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    size = 0.028 * draws.lognormal(0.6)
    weight = (size[:, None] * draws.normals(54, 1.0)).reshape(-1, 9, 6)
    return white * muscle[:, :, None] + weight @ waves
