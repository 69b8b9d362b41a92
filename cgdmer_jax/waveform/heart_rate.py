"""Ventricular rate of a recording from its QRS complexes: a plain estimate for probes, not a measurement."""

import numpy as np
from jaxtyping import Bool, Float64, Int16, Int32
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks

SMOOTH_S = 0.1  # about one QRS complex
REFRACTORY_S = 0.25  # no beats above 240 a minute
SEARCH_S = 1.5  # a beat is expected in every such window, down to 40 a minute
THRESHOLD = 0.35  # of the median over windows of the highest slope in them


def heart_rates(
    signal_uv: Int16[np.ndarray, "record 12 time"],
    lead_mask: Bool[np.ndarray, "record 12"],
    length: Int32[np.ndarray, "record"],
    rate: float | int,
) -> Float64[np.ndarray, "record"]:
    """Beats a minute (60 over the median distance of beats); NaN with fewer than 3 beats."""
    pairs = zip(signal_uv, lead_mask, length, strict=True)
    return np.array([_heart_rate(x[present, :n].astype(np.float64), rate) for x, present, n in pairs])


def _heart_rate(leads_uv, rate):
    """Peaks of the slope of all leads together: T waves and AF are slow, so the QRS complexes stand out.

    The median of window maxima is the height of an ordinary beat, whatever one artefact or ectopic beat does.
    """
    if leads_uv.shape[1] < 2 * SEARCH_S * rate:
        return np.nan
    slope = np.sqrt((np.diff(leads_uv, axis=1) ** 2).sum(0))
    envelope = uniform_filter1d(slope, max(1, round(SMOOTH_S * rate)))
    window = round(SEARCH_S * rate)
    maxima = [envelope[i : i + window].max() for i in range(0, len(envelope) - window + 1, window)]
    found, _ = find_peaks(envelope, height=THRESHOLD * np.median(maxima), distance=round(REFRACTORY_S * rate))
    return 60 * rate / np.median(np.diff(found)) if len(found) >= 3 else np.nan
