"""scikit-learn's own checks of an estimator on EcgFeatures: each passes, or fails for the reason that stands here."""

from collections.abc import Callable
from inspect import unwrap

import numpy as np
import pytest
from sklearn.utils.estimator_checks import estimator_checks_generator

from cgdmer_jax.interop import sklearn_features
from cgdmer_jax.interop.pretrained import load
from cgdmer_jax.interop.sklearn_features import EcgFeatures

RATE, SECONDS = 100, 10
NO_COLUMNS = "recordings have leads, which `leads` names, and any length: there are no columns to be counted"
OWN_WORDS = "refused as it should be, in a sentence of ours, where the check looks for scikit-learn's words"
CANNOT = {
    "check_n_features_in": NO_COLUMNS,
    "check_n_features_in_after_fitting": NO_COLUMNS,
    "check_transformer_general": NO_COLUMNS + "; all but its last step, another number of them, passes",
    "check_complex_data": OWN_WORDS,
    "check_estimators_empty_data_messages": OWN_WORDS,
    "check_fit2d_predict1d": OWN_WORDS,
    "check_dtype_object": "arrays of objects are refused: None, texts and complex numbers could be among them",
}


class OnTables(EcgFeatures):
    """EcgFeatures on the tables that the checks make: each row becomes a recording of lead II that its numbers shape.

    The checks give some rows of some numbers, and no recording is that short. Whatever is no such table is handed on as
    it is, so that EcgFeatures answers it: as it answers users, without beartype, by which these tests check arguments.
    """

    def __init__(self, model: str, *, rate=RATE, leads=("II",), unit="mV", feature="main"):
        unwrap(EcgFeatures.__init__)(self, model, rate=rate, leads=leads, unit=unit, feature=feature)

    def fit(self, X, y=None):
        return unwrap(EcgFeatures.fit)(self, recordings_of(X), y)

    def transform(self, X):
        return unwrap(EcgFeatures.transform)(self, recordings_of(X))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array, tags.input_tags.three_d_array = True, False
        return tags


def recordings_of(table: object) -> object:
    """[row, time] in millivolts of a table of real numbers; a number that is missing is a gap in its row."""
    array = np.asarray(table)
    if array.ndim != 2 or array.dtype.kind not in "fiu" or 0 in array.shape:
        return table
    time_s = np.arange(RATE * SECONDS) / RATE
    waves = np.sin(2 * np.pi * np.outer(1 + np.arange(array.shape[1]) % 20, time_s))
    signal_mv = np.sin(2 * np.pi * time_s) + np.tanh(np.nan_to_num(array) / 10) @ waves / array.shape[1]
    signal_mv[np.isnan(array).any(1), :20] = np.nan
    return signal_mv


@pytest.fixture(scope="module", autouse=True)
def one_encoder(model):
    """Of every name that a check gives."""
    encoder = load(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sklearn_features, "encoder_of", lambda name: encoder)
        yield


def name_of(check: Callable) -> str:
    return getattr(check, "func", check).__name__


def checks() -> list:
    return [
        pytest.param(estimator, check, id=f"{type(estimator).__name__}-{name_of(check)}")
        for made in (EcgFeatures("a model"), OnTables("a model"))
        for estimator, check in estimator_checks_generator(made)
    ]


@pytest.mark.filterwarnings("ignore")  # of a single lead, and scikit-learn's own
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_a_check_of_scikit_learn_passes_or_fails_for_its_reason(estimator, check):
    if name_of(check) not in CANNOT:
        check(estimator)
        return
    with pytest.raises((AssertionError, ValueError)):
        check(estimator)
