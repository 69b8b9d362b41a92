"""The encoder as a step of a scikit-learn pipeline on a user's own arrays."""

import shutil

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from cgdmer_jax.errors import CgdmerError
from cgdmer_jax.interop.pretrained import load, save_model
from cgdmer_jax.interop.sklearn_features import EcgFeatures
from cgdmer_jax.waveform.conditioning import LEADS
from tests.interop.small_model import small_model


def test_a_pipeline_learns_and_predicts_on_a_users_arrays(model, recordings_mv):
    labels = np.array([0, 1, 0, 1, 1])
    pipeline = make_pipeline(EcgFeatures(model), LogisticRegression(C=1e6))
    assert (pipeline.fit(recordings_mv[:, :, ::5], labels).predict(recordings_mv[:, :, ::5]) == labels).all()


def test_features_are_those_of_the_encoder(model, recordings_mv):
    made = EcgFeatures(model, rate=500, unit="uV", feature="aligned").fit_transform(recordings_mv * 1000)
    np.testing.assert_array_equal(made, load(model).embed(recordings_mv, 500, LEADS, "mV", feature="aligned"))


def test_a_length_that_does_not_fit_the_models_own_rate_is_refused(model, recordings_mv):
    with pytest.raises(CgdmerError, match="say which rate they have"):
        EcgFeatures(model).fit(recordings_mv)


def test_it_can_be_cloned_and_its_parameters_set(model):
    step = clone(EcgFeatures(model, rate=500)).set_params(feature="shared")
    assert step.get_params() == {"model": model, "rate": 500, "leads": LEADS, "unit": "mV", "feature": "shared"}


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"rate": "500"}, "rate is '500', expected a number of hertz"),
        ({"rate": True}, "expected a number of hertz"),
        ({"rate": 500, "leads": None}, "leads is a NoneType"),
        ({"rate": 500, "leads": "I"}, "leads is a str, expected several in order"),
        ({"rate": 500, "leads": set(LEADS)}, "leads is a set, expected several in order"),
        ({"rate": 500, "unit": None}, "unit is None, expected text; give V, mV or uV"),
    ],
)
def test_a_parameter_of_another_kind_is_refused_when_fitting(model, recordings_mv, parameters, words):
    step = EcgFeatures(model).set_params(**parameters)  # as scikit-learn sets them: unseen
    with pytest.raises(CgdmerError, match=words):
        step.fit(recordings_mv)


def test_anything_but_numbers_by_record_lead_and_time_is_refused(model, recordings_mv):
    for given, words in (
        (recordings_mv[0], r"expected \[record, lead, time\]"),
        ([["a"]], "a signal is a str"),
        (recordings_mv.astype(object), "holds object, expected real numbers"),
    ):
        with pytest.raises(CgdmerError, match=words):
            EcgFeatures(model, rate=500).fit(given)


def test_what_is_masked_in_an_array_or_in_a_list_of_recordings_was_not_measured(model, recordings_mv):
    nan, masked = recordings_mv.copy(), np.ma.array(recordings_mv)
    nan[:, 4, 100:900] = np.nan
    masked[:, 4, 100:900] = np.ma.masked
    expected = EcgFeatures(model, rate=500).fit_transform(nan)
    for given in (masked, list(masked), [list(one) for one in masked]):
        np.testing.assert_array_equal(EcgFeatures(model, rate=500).fit_transform(given), expected)


def test_a_list_of_recordings_and_an_array_of_names_serve_as_well(model, recordings_mv):
    step = EcgFeatures(model, rate=500, leads=np.array(LEADS))
    expected = EcgFeatures(model, rate=500).fit_transform(recordings_mv)
    np.testing.assert_array_equal(step.fit_transform(list(recordings_mv)), expected)


def test_what_is_not_fitted_says_so_in_scikit_learns_own_error(model, recordings_mv):
    for use in (lambda step: step.transform(recordings_mv), lambda step: step.get_feature_names_out()):
        with pytest.raises(NotFittedError, match="EcgFeatures instance is not fitted yet"):
            use(EcgFeatures(model, rate=500))


def test_a_fitted_pipeline_is_saved_with_its_model_and_predicts_the_same_without_the_folder(
    model, recordings_mv, tmp_path
):
    copied = tmp_path / "model"
    shutil.copytree(model, copied)
    labels = np.array([0, 1, 0, 1, 1])
    pipeline = make_pipeline(EcgFeatures(copied, rate=500), LogisticRegression(C=1e6)).fit(recordings_mv, labels)
    expected = pipeline.predict_proba(recordings_mv)
    joblib.dump(pipeline, tmp_path / "pipeline.joblib")
    shutil.rmtree(copied)
    again = joblib.load(tmp_path / "pipeline.joblib")
    np.testing.assert_array_equal(again.predict_proba(recordings_mv), expected)


def test_clones_share_the_model_of_a_folder_until_it_holds_another(model, recordings_mv, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(model, folder)
    first, second = (clone(EcgFeatures(folder, rate=500)).fit(recordings_mv) for _ in range(2))
    assert second.encoder_ is first.encoder_
    before = first.transform(recordings_mv)
    shutil.rmtree(folder)
    save_model(folder, **small_model(scale_feature=True))
    other = clone(first).fit(recordings_mv)
    assert other.encoder_ is not first.encoder_ and not np.allclose(other.transform(recordings_mv), before)
    np.testing.assert_array_equal(first.transform(recordings_mv), before)


def test_columns_have_names_also_in_a_frame(model, recordings_mv):
    step = EcgFeatures(model, rate=500).fit(recordings_mv)
    made = step.transform(recordings_mv)
    names = [f"ecgfeatures{column}" for column in range(made.shape[1])]
    assert step.get_feature_names_out().tolist() == names
    frame = step.set_output(transform="pandas").transform(recordings_mv)
    assert frame.columns.tolist() == names
    np.testing.assert_array_equal(frame.to_numpy(), made)


def test_recordings_of_a_single_lead_need_no_axis_for_it(model, recordings_mv):
    step = EcgFeatures(model, leads=["II"]).set_params(rate=np.array(500))
    expected = step.fit_transform(recordings_mv[:, 1:2])
    np.testing.assert_array_equal(step.fit_transform(recordings_mv[:, 1]), expected)


@pytest.mark.parametrize(
    ("given", "feature", "words"),
    [
        (np.s_[:0], "main", r"EcgFeatures got an array \[0, 12, 5000\], which holds no sample"),
        (np.s_[:, :, :0], "main", r"EcgFeatures got an array \[5, 12, 0\], which holds no sample"),
        (np.s_[:, :11], "main", r"got an array \[5, 11, 5000\], expected \[record, 12 named leads, time\]"),
        (np.s_[:], "mane", 'the model has no feature "mane". Did you mean "main"'),
        (np.s_[:], None, 'the model has no feature "None"'),
    ],
)
def test_what_cannot_be_embedded_is_refused_when_fitting(model, recordings_mv, given, feature, words):
    with pytest.raises(CgdmerError, match=words):
        EcgFeatures(model, rate=500).set_params(feature=feature).fit(recordings_mv[given])
