"""A pretrained encoder as a step of a scikit-learn pipeline."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.given_input import Signal, check_unit, lead_names, plain_rate, plain_signal
from cgdmer_jax.interop.encoder import Encoder
from cgdmer_jax.interop.pretrained import content_sha256, load
from cgdmer_jax.waveform.conditioning import LEADS

_last: dict[str, Encoder] = {}  # of the last model that was fitted, by the hash of its folder's content


def encoder_of(model: str | Path) -> Encoder:
    """The model of that folder, loaded anew where the last one was another.

    A cross-validation fits a clone for each fold: they share one encoder, its compiled programs included.
    """
    try:
        content = content_sha256(model)
    except OSError:
        return load(model)  # which says what is missing
    if content not in _last:
        loaded = load(model)
        _last.clear()
        _last[content] = loaded
    return _last[content]


class EcgFeatures(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """A scikit-learn transformer: recordings [record, lead, time] to features [record, feature].

    - `model`: folder, or `hf://owner/name@revision`.
    - `rate`: Hz of the recordings; None = the model's own, and then their length must be the model's too.
    - `leads`: names along the lead axis, by default the twelve in canonical order; with a single one, recordings may be
      [record, time].
    - `unit`: of the samples, "V", "mV" or "uV".
    - `feature`: a name in `Encoder.features`.

    Fitted, it holds the model itself (`encoder_`): pickled with joblib, it needs the folder no more. Clones that are
    fitted one after another with the same model share it. The columns are named ecgfeatures0, ecgfeatures1 and so on
    (`get_feature_names_out`).

    Raises CgdmerError, when fitted or used, where a parameter or the array does not fit the model, and scikit-learn's
    NotFittedError where it is used before it is fitted.
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
        self.encoder_ = encoder_of(self.model)
        self.encoder_.check_feature(self.feature)
        recordings, _, _ = self._recordings(X)
        if recordings.size == 0:
            raise CgdmerError(
                f"EcgFeatures got an array {list(recordings.shape)}, which holds no sample; give one recording or more"
            )
        self._n_features_out = self.encoder_.features[self.feature]
        return self

    def transform(self, X: ArrayLike) -> Float[np.ndarray, "record feature"]:
        """float32 features [record, feature] of `X`, recordings [record, lead, time] in `unit` at `rate` Hz.

        Each recording is embedded independently. Raises CgdmerError where `X` has other axes or cannot be converted.
        """
        check_is_fitted(self)
        recordings, rate, leads = self._recordings(X)
        return self.encoder_.embed(recordings, rate, leads, self.unit, feature=self.feature)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.input_tags.allow_nan = True
        tags.transformer_tags.preserves_dtype = ["float32"]
        return tags

    def _recordings(self, X: Signal) -> tuple[np.ndarray, float | int, tuple[str, ...]]:
        """The array, its rate in Hz and leads; scikit-learn sets parameters unseen, so they are looked at here."""
        leads = lead_names(self.leads)
        recordings = plain_signal(X)
        if recordings.ndim == 2 and len(leads) == 1:
            recordings = recordings[:, None]
        if recordings.ndim != 3:
            raise CgdmerError(
                f"EcgFeatures got an array {list(recordings.shape)}, expected [record, lead, time]; "
                "one recording alone is X[None]"
            )
        if recordings.shape[1] != len(leads):
            raise CgdmerError(
                f"EcgFeatures got an array {list(recordings.shape)}, expected [record, {len(leads)} named leads, "
                "time]; give leads=..., their names in order"
            )
        check_unit(self.unit)
        return recordings, self._rate_of(recordings), leads

    def _rate_of(self, recordings: np.ndarray) -> float | int:
        contract = self.encoder_.contract
        if self.rate is None and recordings.shape[-1] != contract.samples:
            raise CgdmerError(
                f"recordings have {recordings.shape[-1]} samples, {contract.samples} are {contract.seconds:g} s at the "
                f"model's {contract.rate:g} Hz; say which rate they have: EcgFeatures(..., rate=...)"
            )
        return contract.rate if self.rate is None else plain_rate(self.rate)
