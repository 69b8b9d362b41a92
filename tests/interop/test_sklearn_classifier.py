"""Encoder and head as one scikit-learn classifier."""

import joblib
import numpy as np
import pytest
from sklearn.base import clone, is_classifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from cgdmer_jax.interop.sklearn_classifier import EcgClassifier
from cgdmer_jax.interop.sklearn_features import EcgFeatures


@pytest.fixture(scope="module")
def signals_mv():
    rng, time = np.random.default_rng(0), np.arange(1000) / 100
    beat = (1 + np.arange(16) % 2)[:, None] * 2 * np.pi * time + rng.uniform(0, 6, (16, 1))
    return np.repeat(np.sin(beat)[:, None], 12, axis=1) + 0.02 * rng.normal(size=(16, 12, 1000))


LABELS = np.array(["slow", "fast"] * 8)


def test_it_is_features_standardised_and_logistic_regression(model, signals_mv):
    made = EcgClassifier(model, C=1.0).fit(signals_mv, LABELS)
    plain = make_pipeline(EcgFeatures(model), StandardScaler(), LogisticRegression(C=1.0, max_iter=1000))
    np.testing.assert_array_equal(
        made.predict_proba(signals_mv), plain.fit(signals_mv, LABELS).predict_proba(signals_mv)
    )
    assert made.classes_.tolist() == ["fast", "slow"] and (made.predict(signals_mv) == LABELS).all()
    assert len(made.get_feature_names_out()) == made.pipeline_[0].encoder_.features["main"]


def test_a_recording_may_have_several_classes_or_none(model, signals_mv):
    several = np.stack([LABELS == "fast", np.arange(16) < 8], axis=1).astype(int)
    made = EcgClassifier(model).fit(signals_mv, several)
    assert made.predict_proba(signals_mv).shape == (16, 2)
    assert set(np.unique(made.predict(signals_mv))) <= {0, 1}


def test_it_is_cloned_saved_and_scored_by_patient(model, signals_mv, tmp_path):
    classifier = EcgClassifier(model, C=1.0)
    assert is_classifier(classifier) and clone(classifier).get_params() == classifier.get_params()
    with pytest.raises(NotFittedError):
        classifier.predict(signals_mv)
    fitted = classifier.fit(signals_mv, LABELS)
    joblib.dump(fitted, tmp_path / "c.joblib")
    np.testing.assert_array_equal(
        joblib.load(tmp_path / "c.joblib").predict_proba(signals_mv), fitted.predict_proba(signals_mv)
    )
    scores = cross_val_score(classifier, signals_mv, LABELS, groups=np.arange(16) // 2, cv=GroupKFold(4))
    assert scores.mean() > 0.7
