"""Who the synthetic patients are: findings and their strength, anatomy, heart rate, noise level."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import ndtri

FINDINGS = {
    "SR": "sinus rhythm",
    "AFIB": "atrial fibrillation",
    "STACH": "sinus tachycardia",
    "SBRAD": "sinus bradycardia",
    "1AVB": "first-degree AV block",
    "PVC": "ventricular premature beats",
    "CLBBB": "complete left bundle branch block",
    "CRBBB": "complete right bundle branch block",
    "IMI": "inferior myocardial infarction",
    "AMI": "anterior myocardial infarction",
    "LVH": "left ventricular hypertrophy",
    "STD_": "ST depression",
}
RHYTHMS = ("SR", "AFIB", "STACH", "SBRAD")  # every record has one of them
PATIENT, RECORD, NOISE, REPORT = range(4)  # purposes of the random streams
N_DRAWS = 176  # more than any purpose uses
SHARES = (0.0062, 0.9938)  # of the normal distribution: 2.5 sd to either side


def stream(seed: int, purpose: int, index: int) -> np.random.Generator:
    """The random stream of one patient or record: Philox keyed by (seed, purpose, index)."""
    return np.random.Generator(np.random.Philox(key=np.array([seed, (purpose << 56) | index], np.uint64)))


class RecordStreams:
    """Draws for many records at once; line i sees the stream of `ids[i]` alone, so chunks cannot matter."""

    def __init__(self, seed: int, purpose: int, ids: Int[np.ndarray, " n"]):
        self._uniform = np.stack([stream(seed, purpose, int(i)).random(N_DRAWS) for i in ids], axis=1)
        self._next = 0

    def uniform(self, low: float = 0.0, high: float = 1.0) -> Float[np.ndarray, " n"]:
        self._next += 1
        return low + (high - low) * self._uniform[self._next - 1]

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> Float[np.ndarray, " n"]:
        """Normal draws cut at 2.5 sd, so that no one leaves the physiological range."""
        return mean + sd * ndtri(self.uniform(*SHARES))

    def lognormal(self, sd: float) -> Float[np.ndarray, " n"]:
        return np.exp(self.normal(0.0, sd))

    def chance(self, share: float | Float[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
        return self.uniform() < share

    def normals(self, count: int, sd: float) -> Float[np.ndarray, "n count"]:
        self._next += count
        low, high = SHARES
        share = np.ascontiguousarray(self._uniform[self._next - count : self._next].T)
        return sd * ndtri(low + (high - low) * share)


@dataclass(frozen=True)
class Hearts:
    """Parameters of n records, one line each; strengths are 0 where the finding is absent, else 0.4..1."""

    index: Int[np.ndarray, " n"]
    patient: Int[np.ndarray, " n"]
    age: Float[np.ndarray, " n"]  # years
    male: Bool[np.ndarray, " n"]
    afib: Bool[np.ndarray, " n"]
    stach: Bool[np.ndarray, " n"]
    sbrad: Bool[np.ndarray, " n"]
    avb: Bool[np.ndarray, " n"]  # conduction from atria to ventricles is delayed
    pvc: Bool[np.ndarray, " n"]  # ventricular premature beats
    clbbb: Bool[np.ndarray, " n"]
    crbbb: Bool[np.ndarray, " n"]
    imi: Float[np.ndarray, " n"]  # extent of the inferior scar
    ami: Float[np.ndarray, " n"]  # extent of the anterior scar
    lvh: Float[np.ndarray, " n"]
    strain: Float[np.ndarray, " n"]  # repolarisation part of the hypertrophy, 0..1
    st_depression: Float[np.ndarray, " n"]  # by itself, not as part of a hypertrophy
    premature: Bool[np.ndarray, " n"]  # an atrial premature beat (no finding of the task)
    flat_t: Float[np.ndarray, " n"]  # 0..1, unspecific T flattening (no finding of the task)
    bpm: Float[np.ndarray, " n"]  # mean ventricular rate
    qrs_s: Float[np.ndarray, " n"]  # QRS duration
    patient_draws: RecordStreams  # what the wave shapes still draw: anatomy, the same in all records of a patient
    record_draws: RecordStreams  # respiration, irregularity, noise level

    def findings(self) -> list[tuple[str, ...]]:
        """Codes of every record, in the order of FINDINGS."""
        has = {
            "SR": ~self.afib & ~self.stach & ~self.sbrad,
            "AFIB": self.afib,
            "STACH": self.stach,
            "SBRAD": self.sbrad,
            "1AVB": self.avb,
            "PVC": self.pvc,
            "CLBBB": self.clbbb,
            "CRBBB": self.crbbb,
            "IMI": self.imi > 0,
            "AMI": self.ami > 0,
            "LVH": self.lvh > 0,
            "STD_": self.st_depression > 0,
        }
        return [tuple(code for code in FINDINGS if has[code][i]) for i in range(len(self.index))]


def patients_of(index: Int[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Patient number of a record: of every five records in a row the last two are one patient's."""
    return 4 * (index // 5) + np.minimum(index % 5, 3)


def draw_hearts(seed: int, index: Int[np.ndarray, " n"]) -> Hearts:
    """Findings and anatomy of the given record numbers.

    Scar, hypertrophy, ST depression and blocks stay with the patient, rhythm and extra beats belong to the record.
    Left bundle branch block comes alone: Q-wave, voltage and ST criteria cannot be read in its presence, so no
    reader would report them; right bundle branch block leaves the first half of the QRS, so Q waves can be read.
    """
    patient_number = patients_of(index)
    patient, record = RecordStreams(seed, PATIENT, patient_number), RecordStreams(seed, RECORD, index)
    block = patient.uniform()
    clbbb, crbbb = block < 0.105, (block >= 0.105) & (block < 0.215)
    imi = np.where(~clbbb, _strength(patient, 0.145), 0.0)
    lvh = np.where(~clbbb & ~crbbb, _strength(patient, 0.185), 0.0)
    ami = np.where(~clbbb & ~crbbb & (lvh == 0), _strength(patient, 0.17), 0.0)
    plain = ~clbbb & ~crbbb & (lvh == 0) & (ami == 0)
    st_depression = np.where(plain, _strength(patient, 0.20), 0.0)
    strain = np.where(patient.chance(0.85), np.clip(lvh * patient.uniform(0.6, 1.3), 0, 1), 0.0)
    prone_to_afib = patient.chance(0.185)
    male = patient.chance(np.where((imi > 0) | (ami > 0) | (lvh > 0), 0.62, 0.48))
    burden = 14.0 * clbbb + 10.0 * crbbb + 12.0 * ((imi > 0) | (ami > 0)) + 9.0 * (lvh > 0) + 15.0 * prone_to_afib
    age = np.clip(patient.normal(45.0, 16.0) + burden, 18.0, 89.0)
    afib = prone_to_afib & record.chance(0.72)
    pace = record.uniform()
    stach, sbrad = (pace < 0.155) & ~afib, (pace > 0.845) & ~afib
    slow_node = patient.chance(0.165)
    later = np.where(index % 5 == 4, record.uniform(0.1, 4.0), 0.0)  # second visit of a patient
    sinus_bpm = np.clip(record.normal(74.0, 10.0), 61.0, 97.0)
    stach_bpm = 102.0 + 46.0 * record.uniform() ** 1.4
    sbrad_bpm = 56.0 - 18.0 * record.uniform() ** 1.4
    afib_bpm = np.clip(86.0 * record.lognormal(0.27), 52.0, 150.0)
    extra = record.uniform()
    narrow = patient.normal(0.090, 0.006) + 0.004 * male + 0.014 * lvh + 0.006 * ((imi > 0) | (ami > 0))
    wide = np.where(clbbb, patient.normal(0.146, 0.010), patient.normal(0.142, 0.008))
    return Hearts(
        index=index,
        patient=patient_number,
        age=np.minimum(age + later, 89.0),
        male=male,
        afib=afib,
        stach=stach,
        sbrad=sbrad,
        avb=slow_node & ~afib & ~stach,  # at a fast rate P would stand in the T wave before it
        pvc=(extra < 0.15) & ~afib,
        clbbb=clbbb,
        crbbb=crbbb,
        imi=imi,
        ami=ami,
        lvh=lvh,
        strain=strain,
        st_depression=st_depression,
        premature=(extra > 0.95) & ~afib & ~stach,
        flat_t=np.where(patient.chance(0.10), patient.uniform(0.5, 1.0), 0.0),
        bpm=np.select([afib, stach, sbrad], [afib_bpm, stach_bpm, sbrad_bpm], sinus_bpm),
        qrs_s=np.where(clbbb | crbbb, wide, narrow),
        patient_draws=patient,
        record_draws=record,
    )


def _strength(draws: RecordStreams, share: float) -> Float[np.ndarray, " n"]:
    """0 in most, 0.4..1 in a share of the patients."""
    return np.where(draws.chance(share), 0.40 + 0.60 * draws.uniform() ** 0.7, 0.0)
