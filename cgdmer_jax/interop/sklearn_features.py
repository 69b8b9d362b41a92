"""A pretrained encoder as a step of a scikit-learn pipeline."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float, Num
from sklearn.base import BaseEstimator, TransformerMixin

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.waveform import LEADS


class EcgFeatures(TransformerMixin, BaseEstimator):
    """Recordings [record, lead, time] to features [record, feature]; fitting only loads the model.

    `model`: folder or hub id. `rate`: Hz of the recordings; None = the model's own, and then their length must be too.
    `leads`: names along the lead axis. `unit`: V, mV or uV.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        rate: float | int | None = None,
        leads: Sequence[str] = LEADS,
        unit: str = "mV",
        feature: str = "main",
    ):
        self.model = model
        self.rate = rate
        self.leads = leads
        self.unit = unit
        self.feature = feature

    def fit(self, X: Num[np.ndarray, "record lead time"], y: object = None) -> "EcgFeatures":
        """Loads the model; learns nothing of X."""
        self.encoder_ = load(self.model)
        self._rate_of(X)
        return self

    def transform(self, X: Num[np.ndarray, "record lead time"]) -> Float[np.ndarray, "record feature"]:
        """Each recording by itself."""
        return self.encoder_.embed(X, self._rate_of(X), self.leads, self.unit, feature=self.feature)

    def _rate_of(self, X: np.ndarray) -> float | int:
        contract = self.encoder_.contract
        if self.rate is None and X.shape[-1] != contract.samples:
            raise CgdmerError(
                f"recordings have {X.shape[-1]} samples, {contract.samples} are {contract.seconds:g} s at the model's "
                f"{contract.rate:g} Hz; say which rate they have: EcgFeatures(..., rate=...)"
            )
        return contract.rate if self.rate is None else self.rate
