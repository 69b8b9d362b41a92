"""NeuroKit2's wavelet delineation (`dwt`), each lead by itself; it learns nothing from other records."""

import warnings
from collections.abc import Callable

import neurokit2
import numpy as np
from jaxtyping import Float, Int8

from cgdmer_jax.data.corpus import Corpus
from cgdmer_jax.data.loader import Lines
from cgdmer_jax.recipes.delineate import Delineated
from cgdmer_jax.waveform.waves import WAVES

NAMES = {"P": "ECG_P", "QRS": "ECG_R", "T": "ECG_T"}  # beginnings of NeuroKit2's names


def delineator(corpus: Corpus) -> Callable[[Lines, Lines], Delineated]:
    """Lines to learn from, which it leaves alone, and lines to delineate -> classes of each sample."""

    def delineated(_: Lines, lines: Lines) -> Delineated:
        classes = np.zeros((len(lines), *corpus.lead_mask.shape[1:], corpus.n_samples), np.int8)
        n_failed = 0
        for found, signal, line in zip(classes, corpus.read(lines), lines, strict=True):
            length = corpus.length[line]
            for lead in np.flatnonzero(corpus.lead_mask[line]):
                try:
                    found[lead, :length] = delineate_lead(signal[lead, :length] / 1000.0, corpus.rate)
                except Exception:  # it raises whatever NumPy and pandas do in a lead where it finds too few beats
                    n_failed += 1
        if n_failed:
            print(f"NeuroKit2 failed on {n_failed} leads, which count as without waves")
        return classes

    return delineated


def delineate_lead(signal_mv: Float[np.ndarray, " time"], rate: float) -> Int8[np.ndarray, " time"]:
    """Class of each sample; a wave without an onset or an offset is none."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        clean = neurokit2.ecg_clean(signal_mv, sampling_rate=round(rate))
        _, peaks = neurokit2.ecg_peaks(clean, sampling_rate=round(rate))
        _, found = neurokit2.ecg_delineate(clean, peaks["ECG_R_Peaks"], sampling_rate=round(rate), method="dwt")
    classes = np.zeros(len(signal_mv), np.int8)
    for name, start in NAMES.items():
        for onset, offset in zip(found[f"{start}_Onsets"], found[f"{start}_Offsets"], strict=True):
            if np.isfinite(onset) and np.isfinite(offset):
                classes[int(onset) : int(offset) + 1] = WAVES[name]
    return classes
