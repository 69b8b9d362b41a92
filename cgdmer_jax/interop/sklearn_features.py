"""A pretrained encoder as a step of a scikit-learn pipeline."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, TransformerMixin

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import check_rate_and_unit, lead_names, plain_signal
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.waveform.conditioning import LEADS


class EcgFeatures(TransformerMixin, BaseEstimator):
    """A scikit-learn transformer: recordings [record, lead, time] to features [record, feature].

    - `model`: folder, or `hf://owner/name@revision`.
    - `rate`: Hz of the recordings; None = the model's own, and then their length must be the model's too.
    - `leads`: names along the lead axis, by default the twelve in canonical order.
    - `unit`: of the samples, "V", "mV" or "uV".
    - `feature`: a name in `Encoder.features`.

    Raises CgdmerError, when fitted or used, where a parameter or the array does not fit the model.
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
        """Loads the model into `encoder_` and looks at the shape of `X`, [record, lead, time]; learns nothing of it.

        `y` is not read. Raises CgdmerError where the folder is no whole model, or `X` or `rate` (Hz) does not fit it.
        """
        self.encoder_ = load(self.model)
        self._recordings(X)
        return self

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "record feature"]:
        """float32 features [record, feature] of `X`, recordings [record, lead, time] in `unit` at `rate` Hz.

        Each recording is embedded independently. Raises CgdmerError where `X` has other axes or cannot be converted.
        """
        recordings, rate = self._recordings(X)
        return self.encoder_.embed(recordings, rate, tuple(self.leads), self.unit, feature=self.feature)

    def _recordings(self, X: ArrayLike) -> tuple[np.ndarray, float | int]:
        """The array and its rate in Hz; scikit-learn sets parameters unseen, so they are looked at here."""
        recordings = plain_signal(X)
        if recordings.ndim != 3:
            raise CgdmerError(
                f"EcgFeatures got an array {list(recordings.shape)}, expected [record, lead, time]; "
                "one recording alone is X[None]"
            )
        lead_names(self.leads)
        check_rate_and_unit(self.encoder_.contract.rate if self.rate is None else self.rate, self.unit)
        return recordings, self._rate_of(recordings)

    def _rate_of(self, recordings: np.ndarray) -> float | int:
        contract, rate = self.encoder_.contract, self.rate
        if rate is None and recordings.shape[-1] != contract.samples:
            raise CgdmerError(
                f"recordings have {recordings.shape[-1]} samples, {contract.samples} are {contract.seconds:g} s at the "
                f"model's {contract.rate:g} Hz; say which rate they have: EcgFeatures(..., rate=...)"
            )
        return contract.rate if rate is None else rate
