"""The report of a synthetic record: what is measured in it, then sentences that affirm, deny and pad."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from cgdmer_jax.data.synthetic import phrases
from cgdmer_jax.data.synthetic.beats import Waves
from cgdmer_jax.data.synthetic.hearts import Hearts
from cgdmer_jax.data.synthetic.signals import ELECTRODE_MATRIX, LEAD_MATRIX

SOKOLOW_LYON_MV = 3.5  # S in V1 + R in V5 or V6 (Sokolow and Lyon 1949)
SHARE_DENYING = 0.3
LONGEST_NORMAL_PR_MS = 200
CHANGES_T = frozenset(("CLBBB", "CRBBB", "IMI", "AMI", "LVH", "STD_"))


@dataclass(frozen=True)
class Reading:
    """Measurements of one record that its report is written from; findings begin with the rhythm."""

    findings: tuple[str, ...]
    bpm: int
    qrs_ms: int
    pr_ms: int
    axis_deg: float  # frontal QRS axis
    high_voltage: bool
    strain: bool
    faint: bool  # a scar, hypertrophy or ST depression so slight that it is hedged
    premature: bool
    flat_t: bool


def read_records(hearts: Hearts, waves: Waves, inside: list[np.ndarray]) -> list[Reading]:
    """Readings of n records; `inside` holds each record's QRS onsets in seconds."""
    axis, sokolow = measure_qrs(waves)
    graded = np.stack([hearts.imi, hearts.ami, hearts.lvh, hearts.st_depression])
    faint = np.where(graded > 0, graded, 1.0).min(axis=0)
    readings = []
    for i, codes in enumerate(hearts.findings()):
        beats = inside[i]
        counted = len(beats) > 1
        readings.append(
            Reading(
                findings=codes,
                bpm=round(60.0 * (len(beats) - 1) / (beats[-1] - beats[0]) if counted else hearts.bpm[i]),
                qrs_ms=2 * round(hearts.qrs_s[i] * 500),
                pr_ms=2 * round(waves.pr_s[i] * 500),
                axis_deg=float(axis[i]),
                high_voltage=bool(sokolow[i] > SOKOLOW_LYON_MV),
                strain=bool(hearts.strain[i] > 0.45),
                faint=bool(faint[i] < 0.55),
                premature=bool(hearts.premature[i]),
                flat_t=bool(hearts.flat_t[i] > 0) and not CHANGES_T.intersection(codes),
            )
        )
    return readings


def measure_qrs(waves: Waves) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Frontal QRS axis (degrees, from areas) and Sokolow-Lyon voltage (mV), both on an average chest."""
    leads = LEAD_MATRIX @ ELECTRODE_MATRIX
    area = (waves.qrs_vector * waves.qrs_sigma[:, :, None]).sum(axis=1) @ leads[[0, 5]].T
    axis = np.rad2deg(np.arctan2(2 / np.sqrt(3) * area[:, 1], area[:, 0]))
    s = np.linspace(0.0, 0.16, 41)
    z = (s - waves.qrs_centre[:, :, None]) / waves.qrs_sigma[:, :, None]
    chest = np.einsum("nkd,ld,nkt->nlt", waves.qrs_vector, leads[[6, 10, 11]], np.exp(-0.5 * z * z))
    return axis, chest[:, 1:].max(axis=(1, 2)) - chest[:, 0].min(axis=1)


def write_report(reading: Reading, draws: np.random.Generator) -> str:
    """A report that affirms exactly the findings of the reading and in 30 % of records denies others."""
    pick = iter(draws.random, None)  # without end: how many are needed depends on the findings
    rhythm, *others = reading.findings
    sentences = [_affirm(code, reading, pick) for code in others]
    if reading.premature and next(pick) < 0.8:
        sentences.append(_one_of(phrases.PREMATURE, pick))
    if reading.flat_t and next(pick) < 0.8:
        sentences.append(_one_of(phrases.FLAT_T, pick))
    if next(pick) < SHARE_DENYING:
        sentences.append(_deny(reading.findings, pick))
    if next(pick) < 0.3:
        side = "left" if reading.axis_deg < -30 else "right" if reading.axis_deg > 90 else "normal"
        sentences.append(_one_of(phrases.AXIS[side], pick))
    if next(pick) < 0.3:
        sentences.append(_one_of(_asides(reading), pick))
    order = np.argsort([next(pick) for _ in sentences])
    sentences = [_affirm(rhythm, reading, pick)] + [sentences[i] for i in order]
    if next(pick) < 0.12:  # some readers put the rhythm last
        sentences = sentences[1:] + sentences[:1]
    if next(pick) < 0.55:
        sentences.append(_one_of(_conclusions(reading), pick))
    return ". ".join(sentence[0].upper() + sentence[1:] for sentence in sentences) + "."


def _one_of(choices: tuple[str, ...], pick: Iterator[float]) -> str:
    return choices[int(next(pick) * len(choices))]


def _affirm(code: str, reading: Reading, pick: Iterator[float]) -> str:
    choices = phrases.AFFIRMED[code]
    if code == "LVH":
        choices += phrases.LVH_BY_VOLTAGE * reading.high_voltage + phrases.LVH_WITH_STRAIN * reading.strain
    fast = reading.bpm > 105
    return _one_of(choices, pick).format(
        name=_one_of(phrases.NAMES[code], pick),
        bpm=reading.bpm,
        qrs=reading.qrs_ms,
        pr=reading.pr_ms,
        hedge=_one_of(phrases.HEDGE_FAINT if reading.faint else phrases.HEDGE_CLEAR, pick),
        response=_one_of(phrases.RESPONSE_FAST if fast else phrases.RESPONSE_CONTROLLED, pick),
    )


def _deny(present: tuple[str, ...], pick: Iterator[float]) -> str:
    """Denies one absent finding, sometimes two.

    Sinus rhythm is denied in fibrillation alone (tachycardia and bradycardia are sinus too), and then often.
    """
    hidden = {"SR"} if "AFIB" not in present else set()
    if CHANGES_T.intersection(present):  # strain, block and scar depress ST too
        hidden.add("STD_")
    absent = [code for code in phrases.NAMES if code not in present and code not in hidden]
    sinus_first = absent[0] == "SR" and next(pick) < 0.5
    first = absent.pop(0 if sinus_first else int(next(pick) * len(absent)))
    name = _one_of(phrases.NAMES[first], pick)
    if next(pick) < 0.25:
        other = _one_of(phrases.NAMES[_one_of(tuple(absent), pick)], pick)
        return _one_of(phrases.DENIED_PAIR, pick).format(name=name, other=other)
    morphology = first in phrases.MORPHOLOGIES
    return _one_of(phrases.DENIED + phrases.DENIED_MORPHOLOGY * morphology, pick).format(name=name)


def _asides(reading: Reading) -> tuple[str, ...]:
    """Remarks that hold for this record and say nothing of the findings."""
    has = set(reading.findings)
    narrow = not has & {"CLBBB", "CRBBB", "IMI", "AMI"}
    conducts = not has & {"AFIB", "1AVB"} and reading.pr_ms <= LONGEST_NORMAL_PR_MS
    return phrases.ASIDES + phrases.ASIDES_NARROW_QRS * narrow + phrases.ASIDES_P * conducts


def _conclusions(reading: Reading) -> tuple[str, ...]:
    if reading.findings != ("SR",):
        return phrases.ABNORMAL
    plain = not reading.premature and not reading.flat_t and -30 <= reading.axis_deg <= 90
    return phrases.NORMAL if plain else phrases.BORDERLINE
