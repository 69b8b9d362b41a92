"""The shape of one beat: Gaussian waves of a dipole in Frank's axes (x left, y foot, z back), millivolts."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cgdmer_jax.data.synthetic.hearts import Hearts

# centre and sigma as shares of the QRS duration, vector; slots: septal, main, posterior, basal, and
# early, which a scar or a harmless small q alone gives a vector
NARROW_QRS = (
    (0.20, 0.085, (-0.15, -0.04, -0.17)),
    (0.45, 0.120, (1.10, 0.72, 0.12)),
    (0.62, 0.130, (0.38, 0.28, 0.72)),
    (0.83, 0.110, (-0.22, -0.12, 0.24)),
    (0.22, 0.165, (0.00, 0.00, 0.00)),
)
# block of the left bundle: no septal q, two leftward peaks (the notch), late posterior forces (Surawicz 2009)
LBBB_QRS = (
    (0.12, 0.070, (0.15, 0.10, -0.08)),
    (0.33, 0.110, (0.86, 0.34, 0.60)),
    (0.52, 0.110, (0.58, 0.24, 0.90)),
    (0.71, 0.095, (0.74, 0.12, 0.74)),
    (0.88, 0.075, (0.10, -0.05, 0.20)),
)
# block of the right bundle: the left ventricle as ever, then the right one late, slowly, to the right and the front
RBBB_QRS = (
    (0.13, 0.060, (-0.15, -0.04, -0.17)),
    (0.29, 0.080, (1.00, 0.66, 0.12)),
    (0.41, 0.085, (0.34, 0.24, 0.56)),
    (0.73, 0.130, (-0.50, -0.05, -0.52)),
    (0.14, 0.105, (0.00, 0.00, 0.00)),
)
RIGHT_ATRIUM, LEFT_ATRIUM = (0.03, 0.105, -0.060), (0.085, 0.045, 0.035)
T_NORMAL, T_LBBB, T_RBBB = (0.33, 0.21, -0.19), (-0.31, -0.07, -0.42), (0.36, 0.20, 0.16)
ST_NORMAL, ST_LBBB, ST_RBBB = (0.015, 0.01, -0.025), (-0.09, -0.02, -0.17), (0.02, 0.01, 0.03)
# a ventricular premature beat spreads slowly through muscle, from the right ventricle or from the left
ECTOPIC_ORIGINS = ((0.85, 0.55, 0.75), (-0.75, 0.50, -0.85))
ECTOPIC_WAVES = ((0.055, 0.020, 0.55), (0.105, 0.026, 1.0))  # centre and sigma in seconds, share of the vector


@dataclass(frozen=True)
class Waves:
    """Waves of n records: P and QRS in seconds from the QRS onset, ST and T laid out on each beat's QT."""

    p_vector: Float[np.ndarray, "n 2 3"]
    p_centre: Float[np.ndarray, "n 2"]
    p_sigma: Float[np.ndarray, "n 2"]
    qrs_vector: Float[np.ndarray, "n 5 3"]
    qrs_centre: Float[np.ndarray, "n 5"]
    qrs_sigma: Float[np.ndarray, "n 5"]
    late_vector: Float[np.ndarray, "n 3 3"]  # ST level, T upstroke, T peak
    ectopic_vector: Float[np.ndarray, "n 2 3"]  # QRS of ventricular premature beats; their T points away from it
    pr_s: Float[np.ndarray, " n"]  # P onset to QRS onset
    qt_at_60_s: Float[np.ndarray, " n"]


def waves_of(hearts: Hearts) -> Waves:
    """Wave shapes of n records: the normal heart, changed by findings, turned and scaled by anatomy."""
    draws = hearts.patient_draws
    lbbb, rbbb = hearts.clbbb[:, None, None], hearts.crbbb[:, None, None]
    conducted = np.where(rbbb, vectors(RBBB_QRS), vectors(NARROW_QRS))
    qrs_vector = np.where(lbbb, vectors(LBBB_QRS), _diseased_qrs(hearts, conducted))
    spread = np.stack([draws.normals(5, 0.10) for _ in range(3)], axis=2)
    qrs_vector = qrs_vector * (1.0 + spread) * draws.lognormal(0.12)[:, None, None]
    shape = np.where(rbbb, timing(RBBB_QRS), timing(NARROW_QRS))
    shape = np.where(lbbb, timing(LBBB_QRS), shape) * hearts.qrs_s[:, None, None]
    pr_s = draws.normal(0.158, 0.016) * (60.0 / hearts.bpm) ** 0.15 + hearts.avb * draws.uniform(0.09, 0.18)
    pr = pr_s[:, None]
    p_vector = np.array([RIGHT_ATRIUM, LEFT_ATRIUM]) * draws.lognormal(0.20)[:, None, None]
    p_vector[:, 1] *= (1.0 + 0.5 * hearts.lvh)[:, None]  # the left atrium works against a stiff ventricle
    p_vector *= ~hearts.afib[:, None, None]
    turn = rotations(hearts)
    gain = draws.lognormal(0.25) * np.where(hearts.male, 1.05, 0.95)  # chest wall, body size
    turn = turn * gain[:, None, None]
    ectopic = np.where(draws.chance(0.6)[:, None], *np.array(ECTOPIC_ORIGINS)) + draws.normals(3, 0.15)
    ectopic[:, 1] *= np.where(draws.chance(0.6), 1.0, -1.0)  # from the outflow tract downwards, or from the apex up
    return Waves(
        p_vector=p_vector @ turn,
        p_centre=np.concatenate([0.036 - pr, 0.072 - pr], axis=1),
        p_sigma=np.stack([draws.normal(0.017, 0.002), draws.normal(0.019, 0.002)], axis=1),
        qrs_vector=qrs_vector @ turn,
        qrs_centre=shape[..., 0],
        qrs_sigma=np.maximum(shape[..., 1], 0.0075),  # narrower waves would alias at 100 Hz
        late_vector=_repolarisation(hearts) @ turn,
        ectopic_vector=(ectopic[:, None] * np.array(ECTOPIC_WAVES)[:, 2:] * 1.25) @ turn,
        pr_s=pr_s,
        qt_at_60_s=draws.normal(0.395, 0.014) + 0.008 * ~hearts.male + 0.045 * hearts.clbbb + 0.030 * hearts.crbbb,
    )


def vectors(table: tuple) -> Float[np.ndarray, "5 3"]:
    return np.array([vector for _, _, vector in table])


def timing(table: tuple) -> Float[np.ndarray, "5 2"]:
    return np.array([(centre, sigma) for centre, sigma, _ in table])


def _diseased_qrs(hearts: Hearts, qrs: Float[np.ndarray, "n 5 3"]) -> Float[np.ndarray, "n 5 3"]:
    """`qrs` less what a scar takes (early; inferior or anterior), plus what a thick wall adds (left, back)."""
    draws, scar, front, thick = hearts.patient_draws, hearts.imi, hearts.ami, hearts.lvh
    qrs = qrs.copy()
    qrs[:, 1] *= np.stack([1 + 0.50 * thick, (1 - 0.35 * thick) * (1 - 0.60 * scar), 1 + 0.5 * thick], axis=1)
    qrs[:, 2] *= np.stack([1 + 0.65 * thick, 1 - 0.40 * thick, 1 + 0.95 * thick], axis=1)
    qrs[:, 2, 1] += 0.28 * scar
    harmless_q = np.where(draws.chance(0.15), draws.uniform(0.10, 0.28), 0.0)
    depth = np.where(scar > 0, scar, harmless_q)
    # septum and anterior wall no longer pull to the front; small r waves in V1-V3 occur in health too
    poor_r = np.where(draws.chance(0.12), draws.uniform(0.3, 0.8), 0.0)
    qrs[:, 0, 2] *= 1 - np.clip(np.where(front > 0, 0.6 + front, poor_r), 0, 1)
    qrs[:, 1, 2] += 0.45 * front
    qrs[:, 1, 0] *= 1 - 0.30 * front
    qrs[:, 4] = depth[:, None] * np.array([0.14, -0.80, -0.10]) + front[:, None] * np.array([-0.10, 0.05, 0.62])
    return qrs


def _repolarisation(hearts: Hearts) -> Float[np.ndarray, "n 3 3"]:
    """ST level and the two halves of T: concordant in health, turned away by block, strain, scar and ischaemia."""
    draws, strain, scar = hearts.patient_draws, hearts.strain[:, None], hearts.imi[:, None]
    rbbb = hearts.crbbb[:, None]
    t = np.where(rbbb, T_RBBB, T_NORMAL) * (draws.lognormal(0.20) * (1 - 0.75 * hearts.flat_t))[:, None]
    t = t + draws.normals(3, 0.035)
    t = t * (1 - strain) + strain * np.array([-0.30, 0.02, -0.30])
    t[:, 1] -= 0.42 * scar[:, 0] * draws.uniform(0.4, 1.1)
    st = np.where(rbbb, ST_RBBB, ST_NORMAL) * (0.5 + draws.lognormal(0.4))[:, None]
    st += strain * np.array([-0.11, -0.01, -0.10])
    st[:, 1] += np.where(draws.chance(0.3), 0.12, 0.02) * scar[:, 0]  # some infarctions are recent
    t[:, 0] *= 1 - 0.5 * hearts.ami
    t[:, 2] += 0.75 * hearts.ami * draws.uniform(0.4, 1.1)  # T turns from the front: negative in V2-V4
    st[:, 2] -= np.where(draws.chance(0.3), 0.10, 0.02) * hearts.ami
    depression = hearts.st_depression[:, None]
    st = st - depression * (np.array([0.24, 0.14, -0.04]) + draws.normals(3, 0.02))
    t = t * (1 - 0.55 * depression * draws.uniform(0.0, 1.0)[:, None])
    discordance = draws.lognormal(0.20)[:, None]
    t = np.where(hearts.clbbb[:, None], T_LBBB * discordance, t)
    st = np.where(hearts.clbbb[:, None], ST_LBBB * discordance, st)
    return np.stack([st, 0.45 * t, 0.75 * t], axis=1)


def rotations(hearts: Hearts) -> Float[np.ndarray, "n 3 3"]:
    """Rotation of the heart about the back-front, foot-head and left-right axis (row vectors @ turn)."""
    draws = hearts.patient_draws
    frontal = draws.normal(0.0, 15.0) + 0.30 * (hearts.age - 52.0) + 10.0 * hearts.lvh - 8.0 * hearts.clbbb
    angles = np.deg2rad(np.stack([frontal, draws.normal(0.0, 9.0), draws.normal(0.0, 8.0)]))
    cos, sin = np.cos(angles), np.sin(angles)
    turn = np.broadcast_to(np.eye(3), (len(frontal), 3, 3)).copy()
    for axis, (a, b) in enumerate(((0, 1), (0, 2), (1, 2))):
        step = np.broadcast_to(np.eye(3), turn.shape).copy()
        step[:, a, a], step[:, b, b] = cos[axis], cos[axis]
        step[:, a, b], step[:, b, a] = -sin[axis], sin[axis]
        turn = turn @ step
    return turn
