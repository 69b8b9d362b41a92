"""A pretrained encoder with a linear head as a scikit-learn classifier of recordings."""

from collections.abc import Collection
from pathlib import Path

import numpy as np
from jaxtyping import Float
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from cgdmer_jax.interop.sklearn_features import EcgFeatures
from cgdmer_jax.waveform.conditioning import LEADS


class EcgClassifier(ClassifierMixin, BaseEstimator):
    """A scikit-learn classifier of recordings [record, lead, time]: the encoder's features, standardised, and L2
    logistic regression.

    - `model`, `rate`, `leads`, `unit`, `feature`: as of `EcgFeatures`.
    - `C`: inverse strength of the penalty, as scikit-learn has it.

    `y` holds a class for each recording, or [record, class] of 0 and 1 where a recording may have several or none.
    Fitted, it holds the model itself, so that joblib saves both in one file; `cross_val_score(..., groups=patients)`
    with a `GroupKFold` scores it by patient. Unlike `experiments.fit` it chooses no penalty, threshold or calibration:
    scikit-learn's `GridSearchCV`, `TunedThresholdClassifierCV` and `CalibratedClassifierCV` do. Each fold embeds its
    recordings anew; `EcgFeatures` embeds them once. What is given recordings raises CgdmerError as `EcgFeatures` does.
    """

    def __init__(
        self,
        model: str | Path,
        *,
        rate: float | int | None = None,
        leads: Collection[str] = LEADS,
        unit: str = "mV",
        feature: str = "main",
        C: float | int = 0.1,
    ):
        self.model = model
        self.rate = rate
        self.leads = leads
        self.unit = unit
        self.feature = feature
        self.C = C

    def fit(self, X: ArrayLike, y: ArrayLike) -> "EcgClassifier":
        """Learns `y` of recordings `X`. Raises CgdmerError as `EcgFeatures`, and scikit-learn's errors of `y`."""
        one = LogisticRegression(C=self.C, max_iter=1000)
        features = EcgFeatures(self.model, rate=self.rate, leads=self.leads, unit=self.unit, feature=self.feature)
        several = np.ndim(y) == 2
        self.pipeline_: Pipeline = make_pipeline(
            features, StandardScaler(), OneVsRestClassifier(one) if several else one
        ).fit(X, y)
        self.classes_ = self.pipeline_.classes_
        return self

    def predict_proba(self, X: ArrayLike) -> Float[np.ndarray, "record klass"]:
        """Probabilities [record, class] of the recordings `X`, classes in the order of `classes_`; not calibrated."""
        check_is_fitted(self)
        return self.pipeline_.predict_proba(X)

    def predict(self, X: ArrayLike) -> np.ndarray:
        """The most probable class of each of the recordings `X` [record], or 0 and 1 [record, class]."""
        check_is_fitted(self)
        return self.pipeline_.predict(X)

    def get_feature_names_out(self, input_features: object = None) -> np.ndarray:
        """Names [feature] of what the regression reads; `input_features` has no effect."""
        check_is_fitted(self)
        return self.pipeline_[:-1].get_feature_names_out(input_features)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = False, True
        tags.input_tags.allow_nan = True
        tags.classifier_tags.multi_label = True
        tags.target_tags.two_d_labels = True
        return tags
