"""A pretrained encoder as a step of a scikit-learn pipeline."""

from collections.abc import Collection
from numbers import Real
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.waveform import LEADS, UNITS_IN_MV


class EcgFeatures(TransformerMixin, BaseEstimator):
    """Recordings [record, lead, time] to features [record, feature]; fitting only loads the model.

    `model`: folder, or hf://owner/name@revision. `rate`: Hz of the recordings; None = the model's own, and then their
    length must be too.
    `leads`: names along the lead axis. `unit`: V, mV or uV.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        rate: float | int | None = None,
        leads: Collection[str] = LEADS,
        unit: str = "mV",
        feature: str = "main",
    ):
        self.model = model
        self.rate = rate
        self.leads = leads
        self.unit = unit
        self.feature = feature

    def fit(self, X: ArrayLike, y: object = None) -> "EcgFeatures":
        """Loads the model; learns nothing of X."""
        self.encoder_ = load(self.model)
        self._recordings(X)
        return self

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "record feature"]:
        """Each recording by itself."""
        recordings, rate = self._recordings(X)
        return self.encoder_.embed(recordings, rate, tuple(self.leads), self.unit, feature=self.feature)

    def _recordings(self, X: ArrayLike) -> tuple[np.ndarray, float | int]:
        """The array and its rate in Hz; scikit-learn sets parameters unseen, so they are looked at here."""
        recordings, leads = np.asarray(X), self.leads
        if recordings.ndim != 3 or recordings.dtype.kind not in "fiu":
            raise CgdmerError(
                f"EcgFeatures got an array {list(recordings.shape)} of {recordings.dtype}, expected numbers "
                "[record, lead, time]; one recording alone is X[None]"
            )
        if isinstance(leads, str) or not isinstance(leads, Collection) or not all(isinstance(n, str) for n in leads):
            raise CgdmerError(f'EcgFeatures(leads={leads!r}) is no list of names; give ["I", "II", ...]')
        if not isinstance(self.unit, str):
            raise CgdmerError(f"EcgFeatures(unit={self.unit!r}) is no unit; give one of {', '.join(UNITS_IN_MV)}")
        return recordings, self._rate_of(recordings)

    def _rate_of(self, recordings: np.ndarray) -> float | int:
        contract, rate = self.encoder_.contract, self.rate
        if rate is None and recordings.shape[-1] != contract.samples:
            raise CgdmerError(
                f"recordings have {recordings.shape[-1]} samples, {contract.samples} are {contract.seconds:g} s at the "
                f"model's {contract.rate:g} Hz; say which rate they have: EcgFeatures(..., rate=...)"
            )
        if rate is not None and (not isinstance(rate, Real) or isinstance(rate, bool)):
            raise CgdmerError(f"EcgFeatures(rate={rate!r}) is no number of hertz; give the rate of the recordings")
        return contract.rate if rate is None else rate
